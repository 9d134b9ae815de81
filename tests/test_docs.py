"""The documents say what the app and the core do: examples, pictures, and the labels that a reader is told to click."""

import ast
import doctest
import re
from pathlib import Path

import pytest

from docs.pictures import PICTURES
from tests.real import load
from tests.running import ROOT
from ui.coverage_figures import inside
from xtoken_core.advice import PRESETS, adds, rank
from xtoken_core.audit import coverage
from xtoken_core.categories import RULES, Category, CategoryRule, categories
from xtoken_core.common_set import relaxed, strict
from xtoken_core.display import visible
from xtoken_core.matrix import Options
from xtoken_core.projection_file import cached
from xtoken_core.samples import SAMPLES

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REVIEW = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
COVERAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
PICTURE = re.compile(r"!\[.*?\]\((.*?)\)")
LABEL = re.compile(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])")
MOST_BYTES = 150_000


def test_the_examples_of_coverage_are_true() -> None:
    failed, tried = doctest.testfile(str(ROOT / "docs" / "coverage.md"), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 45


def line(rule: CategoryRule) -> str:
    """A category's line in the document's table. Of a rule without a pattern the examples are drawn already."""
    drawn = [visible(one.encode()) if rule.pattern else re.sub("^ ", "·", one) for one in rule.examples]
    return f"| {rule.title} | {rule.rule} | {' '.join(f'`{one}`' for one in drawn)} |"


def test_the_table_of_the_categories_is_made_of_their_rules() -> None:
    table = COVERAGE[COVERAGE.index("| category |") :].split("\n\n")[0]
    assert table.splitlines()[2:] == [line(rule) for rule in RULES]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_picture_that_a_document_shows_exists(document: Path) -> None:
    shown = PICTURE.findall(document.read_text(encoding="utf-8"))
    missing = [name for name in shown if not (document.parent / name).is_file()]
    assert missing == []


def test_the_pictures_are_those_that_the_script_takes_and_small() -> None:
    found = {path.stem: path.stat().st_size for path in (ROOT / "docs").glob("*.png")}
    assert set(found) == {picture.name for picture in PICTURES}
    assert max(found.values()) < MOST_BYTES


def test_the_review_shows_every_picture() -> None:
    assert set(PICTURE.findall(REVIEW)) == {f"{picture.name}.png" for picture in PICTURES}


def labels_of_the_app() -> re.Pattern[str]:
    """Every string that the app's source writes; a value in one stands for anything."""
    files = [file for part in ("ui", "pages") for file in (ROOT / part).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    written = {re.escape(text) for node in nodes if (text := constant(node))}
    formed = {
        "".join(re.escape(text) if (text := constant(part)) else ".+" for part in node.values)
        for node in nodes
        if isinstance(node, ast.JoinedStr) and re.match("[A-Z][a-z]{3}", constant(node.values[0]))
    }
    named = {re.escape(rule.title) for rule in RULES} | {re.escape(one.title.split(":")[0]) for one in SAMPLES.values()}
    return re.compile("|".join(written | formed | named))


def constant(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_each_label_that_the_review_says_to_click_is_the_apps() -> None:
    labels, known = LABEL.findall(REVIEW.replace("\n", " ")), labels_of_the_app()
    assert len(labels) > 25
    assert [label for label in labels if not known.fullmatch(label)] == []
    wrong = ("Its row of W", "Colum 17", "Weighted by", "The chosen tokens row")
    assert [label for label in wrong if known.fullmatch(label)] == []


def test_the_reviews_numbers_of_four_teachers_are_the_apps() -> None:
    student, names = load("llama-3.2"), ("qwen3", "phi-4-mini", "mistral-v0.3", "gpt2")
    kinds = categories(student.vocabulary)
    built = [cached(student, load(name), Options()) for name in names]
    covered = [coverage(w, strict(w), relaxed(w), kinds) for w in built]
    owned = [one.category for one in covered[0].categories]
    counts = {
        name: sum(inside(one, category) >= 50 for category in owned) for name, one in zip(names, covered, strict=True)
    }
    said = f"{counts['phi-4-mini']} of {len(owned)} categories are mostly in the common set with Phi-4-mini, "
    assert said + f"{counts['gpt2']} with GPT-2." in REVIEW
    assert (max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)) == ("phi-4-mini", "gpt2")
    assert [names[place] for place in rank(covered, PRESETS["math"].categories)][:2] == ["phi-4-mini", "gpt2"]
    assert "The verdicts have GPT-2 second" in REVIEW
    [phi] = (own for name, own in zip(names, adds(covered), strict=True) if name == "phi-4-mini")
    assert {Category.CYRILLIC, Category.GREEK, Category.ARABIC, Category.DEVANAGARI} <= set(phi)
