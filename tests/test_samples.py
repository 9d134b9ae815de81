"""The bundled sample texts: what they are, unchanged, and what they hold."""

import re
import unicodedata
from collections import Counter
from hashlib import sha256

import pytest

from benchmarks.samples import LANGUAGES, packed
from xtoken_core.samples import DATA, SAMPLES, content, records, text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_has_the_hash_of_the_table(name: str) -> None:
    assert sha256(content(name)).hexdigest() == SAMPLES[name].sha256
    assert SAMPLES[name].name == name


def test_the_files_are_the_samples_and_together_below_600_kb() -> None:
    assert {file.name for file in DATA.iterdir()} == {f"{name}.jsonl.xz" for name in SAMPLES}
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 600_000


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_its_records_in_the_form_that_the_script_writes(name: str) -> None:
    assert packed(records(name)) == content(name)
    assert all(record.title and record.text.strip() and record.text.endswith("\n") for record in records(name))
    assert text(name).split() == [word for record in records(name) for word in record.text.split()]
    assert len({record.title for record in records(name)}) == len(records(name))


def test_the_code_is_the_164_problems_and_all_of_it_is_python() -> None:
    problems = records("code")
    assert [problem.title for problem in problems] == [f"HumanEval/{number}" for number in range(164)]
    for problem in problems:
        compile(problem.text, problem.title, "exec")


def test_the_declaration_is_there_in_twenty_languages_with_thirty_articles() -> None:
    languages = records("languages")
    assert [language.title for language in languages] == list(LANGUAGES.values())
    assert len(languages) == 20
    assert all(language.text.count("\n") > 85 for language in languages)
    assert languages[0].text.startswith("Universal Declaration of Human Rights\nPreamble\nWhereas recognition of")
    assert languages[0].text.count("Article ") == 30
    assert not any(re.search(r"<\w|&\w+;", language.text) for language in languages)


SCRIPTS = "LATIN CYRILLIC GREEK HEBREW ARABIC DEVANAGARI BENGALI TAMIL THAI GEORGIAN CJK HIRAGANA HANGUL"


@pytest.mark.parametrize("script", SCRIPTS.split())
def test_a_script_is_among_the_languages(script: str) -> None:
    found = Counter(unicodedata.name(character, "").partition(" ")[0] for character in text("languages"))
    assert found[script] > 100


def test_the_mathematics_is_many_different_lines_and_its_plain_equations_are_true() -> None:
    lines = [line for line in text("mathematics").splitlines() if line]
    assert len(set(lines)) > 180
    for left, right in re.findall(r"^([-+*/×÷(). 0-9,]+) = (-?[0-9.,]*[0-9])$", text("mathematics"), re.MULTILINE):
        value = eval(left.replace(",", "").replace("×", "*").replace("÷", "/"))
        assert value == pytest.approx(float(right.replace(",", ""))), left
    assert all(command in text("mathematics") for command in (r"\frac", r"\sum", r"\int", r"\begin{align}"))


def test_the_chat_is_forty_conversations_without_a_template() -> None:
    assert len(records("chat")) == 40
    assert not re.search(r"<\||\[/?INST\]|<s>|im_start|^(user|assistant):", text("chat"), re.IGNORECASE | re.MULTILINE)
    assert all(sign in text("chat") for sign in ("```python", "| AA |", "**", "> Hi", "😊", "です", "서울", "杭州"))
