"""The laws of W: worked rows, real vocabularies as a whole, a slow reference, and the traps that others fell into."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import handmade
from tests.real import load, published
from tests.reference import pairs_of_equal_bytes, slow_row, slow_vocabulary
from xtoken_core import catalog
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Columns, Options, Projection, Rule, Side, check_pair
from xtoken_core.projection import _share_behind, build, heaviest, ids_by_bytes, pieces_weights
from xtoken_core.spell import spell
from xtoken_core.tokenizer import Tokenizer, parse_json
from xtoken_core.vocab import UNUSED

PAIRS = list(itertools.permutations(catalog.ENTRIES, 2))
UNCUT = handmade.BYTE_LEVEL | {"use_regex": False}  # byte-level, and no word is cut off before the merges


@dataclass(frozen=True, slots=True)
class Built:
    """A W with the tokenizers and the bytes that it was built from."""

    w: Projection
    student: Tokenizer
    teacher: Tokenizer
    tokens: Sequence[bytes]
    teacher_tokens: Sequence[bytes]


def built(student: Tokenizer, teacher: Tokenizer, **options: Any) -> Built:
    w = build(student, teacher, options=Options(**options))
    return Built(w, student, teacher, student.vocabulary.tokens(), teacher.vocabulary.tokens())


@cache
def tokens_of(name: str) -> list[bytes]:
    return load(name).vocabulary.tokens()


@cache
def real(student: str, teacher: str) -> Built:
    """The W of two named tokenizers, built once for all tests."""
    w = build(load(student), load(teacher))
    return Built(w, load(student), load(teacher), tokens_of(student), tokens_of(teacher))


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Built:
    """Each ordered pair of named tokenizers in turn."""
    return real(*request.param)


def entries(w: Projection, token: int) -> dict[int, float]:
    return {entry.id: round(entry.weight, 4) for entry in w.row(token).entries}


def row_of(student: Tokenizer, teacher: Tokenizer, token: bytes, **options: Any) -> dict[bytes, float]:
    """The row of the student token of these bytes, by the teacher tokens' bytes, to four digits."""
    return spelled_row(built(student, teacher, **options), token)


def spelled_row(made: Built, token: bytes) -> dict[bytes, float]:
    row = entries(made.w, made.tokens.index(token))
    return {made.teacher_tokens[target]: weight for target, weight in row.items()}


def letters(*forms: str, **parts: Any) -> Tokenizer:
    """A byte-level tokenizer of these forms."""
    return handmade.read(handmade.byte_level(*forms, **{"pre_tokenizer": UNCUT} | parts))


# worked rows


def test_the_weights_of_two_three_and_four_pieces() -> None:
    options = Options()
    assert pieces_weights(2, options).round(4).tolist() == [0.9091, 0.0909]
    assert pieces_weights(3, options).round(4).tolist() == [0.9009, 0.0901, 0.0090]
    assert pieces_weights(4, options).round(4).tolist() == [0.9001, 0.0900, 0.0090, 0.0009]


def test_a_number_of_llama_is_three_digits_of_qwen_and_one_number_of_phi() -> None:
    assert spelled_row(real("llama-3.2", "qwen3"), b"201") == {b"2": 0.9009, b"0": 0.0901, b"1": 0.0090}
    assert spelled_row(real("llama-3.2", "phi-4-mini"), b"201") == {b"201": 1}


def test_hundreds_is_two_pieces_of_phi() -> None:
    assert spelled_row(real("llama-3.2", "phi-4-mini"), b"Hundreds") == {b"Hund": 0.9091, b"reds": 0.0909}


def test_the_published_number_of_qwens_columns_that_llama_leaves_unreached() -> None:
    # X-Token counts them among the logits of the model's head, padding included
    qwen = load("qwen3").vocabulary
    unreached = int(np.count_nonzero(real("llama-3.2", "qwen3").w.reverse().lengths() == 0))
    assert unreached + qwen.head_size - len(qwen) == 42_109


def test_gamma_is_the_ratio_of_one_piece_to_the_next() -> None:
    student, teacher = letters("a", "b", "ab", "aba"), letters("a", "b")
    assert row_of(student, teacher, b"ab", gamma=0.5) == {b"a": 0.6667, b"b": 0.3333}
    assert row_of(student, teacher, b"ab", gamma=1.0) == {b"a": 0.5, b"b": 0.5}


def test_beta_cancels() -> None:
    for beta in (0.01, 0.5, 1.0):
        assert pieces_weights(3, Options(beta=beta)) == pytest.approx(pieces_weights(3, Options()))


def test_an_id_that_comes_twice_counts_once() -> None:
    student, teacher = letters("a", "b", "aa", "aba", "bb"), letters("a", "b")
    assert row_of(student, teacher, b"aa") == {b"a": 1}
    assert row_of(student, teacher, b"aba") == {b"a": 0.9099, b"b": 0.0901}  # .9009 + .0090


def test_an_id_that_comes_late_and_often_may_be_the_heaviest() -> None:
    student, teacher = letters("a", "b", "abb", "ab", "bb"), letters("a", "b")
    assert list(row_of(student, teacher, b"abb", gamma=0.9).items()) == [(b"b", 0.631), (b"a", 0.369)]


def test_a_row_keeps_the_heaviest_k_and_says_what_share_it_lost() -> None:
    student, teacher = letters("a", "b", "c", "ab", "abc"), letters("a", "b", "c")
    row = build(student, teacher, options=Options(top_k=2)).row(4)
    assert [(entry.id, round(entry.weight, 4)) for entry in row.entries] == [(0, 0.9091), (1, 0.0909)]
    assert (row.rule, row.pieces, round(row.trimmed, 4)) == (Rule.MULTI, 3, 0.0090)
    alone = build(student, teacher, options=Options(top_k=1)).row(4)
    assert ([entry.weight for entry in alone.entries], round(alone.trimmed, 4)) == ([1.0], 0.0991)


def test_k_counts_after_equal_ids_are_added_up() -> None:
    student, teacher = letters("a", "b", "ab", "aba"), letters("a", "b")
    row = build(student, teacher, options=Options(top_k=2)).row(3)
    assert (len(row.entries), row.trimmed) == (2, 0)


def test_a_token_of_more_pieces_than_allowed_is_an_empty_row_by_drop() -> None:
    student, teacher = letters("a", "b", "ab", "aba"), letters("a", "b")
    row = build(student, teacher, options=Options(max_pieces=2)).row(3)
    assert (row.rule, row.pieces, row.trimmed, row.entries) == (Rule.EMPTY, 3, 0, ())
    assert build(student, teacher, options=Options(max_pieces=2)).row(2).rule is Rule.MULTI  # two are still allowed


def test_a_token_of_more_pieces_than_allowed_keeps_the_first_by_truncate() -> None:
    student, teacher = letters("a", "b", "c", "ab", "abc"), letters("a", "b", "c")
    row = build(student, teacher, options=Options(max_pieces=2, long="truncate")).row(4)
    assert [(entry.id, round(entry.weight, 4)) for entry in row.entries] == [(0, 0.9091), (1, 0.0909)]
    assert (row.rule, row.pieces, round(row.trimmed, 4)) == (Rule.MULTI, 3, 0.0090)


def test_the_heaviest_entries_stand_first() -> None:
    ids, weights = np.array([[7, 5, 7], [1, 2, 3]]), np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    sorted_ids, mass = heaviest(ids, weights)
    assert sorted_ids.tolist() == [[7, 5, 7], [3, 1, 2]]
    assert mass == pytest.approx(np.array([[0.5, 0.5, 0], [0.8, 0.1, 0.1]]))


def test_a_weight_too_small_for_its_type_leaves_no_id_behind() -> None:
    w = build(letters("a", "b", "ab"), letters("c", "a", "b"), options=Options(gamma=1e-50))
    assert not w.ids[w.weights == 0].any()


# which teacher token


def test_of_several_teacher_ids_for_the_same_bytes_the_emitted_one_is_taken() -> None:
    mistral = load("mistral-v0.3")
    byte, letter = (mistral.vocabulary.forms.index(form) for form in ("<0x41>", "A"))
    assert byte < letter
    assert ids_by_bytes(mistral)[b"A"] == letter
    assert entries(real("gpt2", "mistral-v0.3").w, tokens_of("gpt2").index(b"A")) == {letter: 1.0}


def test_every_duplicate_of_mistral_goes_to_what_mistral_emits_inside_a_text() -> None:
    mistral = load("mistral-v0.3")
    emitted = ids_by_bytes(mistral)
    tokens = tokens_of("mistral-v0.3")
    several = [data for data, count in Counter(tokens).items() if data and count > 1]
    assert len(several) == 125
    for data in several:
        assert emitted[data] in mistral.backend.encode(f"一{data.decode()}一", add_special_tokens=False).ids


def test_a_byte_that_no_merge_reaches_still_goes_to_the_letter() -> None:
    for forms in (("<0x61>", "a"), ("a", "<0x61>")):
        spec = handmade.sentence_piece(*forms)
        spec["model"]["byte_fallback"] = True
        teacher = handmade.read(spec)
        assert ids_by_bytes(teacher)[b"a"] == forms.index("a")


def test_an_added_token_is_found_before_anything_is_cut() -> None:
    # the raw space is no letter of the alphabet: it stands for its own text, as Ġ does
    teacher = letters("Ġ", "a", added_tokens=[handmade.added(2, " ", special=False)])
    assert teacher.encode(" a").ids.tolist() == [2, 1]
    assert ids_by_bytes(teacher)[b" "] == 2


def test_where_cutting_gives_several_pieces_the_lowest_id_is_taken() -> None:
    teacher = letters("a", "b", "xab", " b", "Ġb")  # no merge leads to Ġb, and Ġ is missing
    assert ids_by_bytes(teacher)[b" b"] == 3


def test_the_student_ids_that_its_own_tokenizer_emits_are_canonical() -> None:
    mistral = load("mistral-v0.3")
    canonical = real("mistral-v0.3", "gpt2").w.canonical
    assert np.count_nonzero(~canonical) == 125
    byte, letter = (mistral.vocabulary.forms.index(form) for form in ("<0x41>", "A"))
    assert (bool(canonical[byte]), bool(canonical[letter])) == (False, True)
    assert canonical[sorted(mistral.vocabulary.roles)].all()


def test_two_student_ids_of_the_same_bytes_have_the_same_row() -> None:
    mistral = load("mistral-v0.3")
    w = real("mistral-v0.3", "gpt2").w
    byte, letter = (mistral.vocabulary.forms.index(form) for form in ("<0x41>", "A"))
    assert w.row(byte).entries == w.row(letter).entries


def specials(*forms: str) -> Tokenizer:
    """Two letters and special tokens from id 2 on."""
    return letters("a", "b", added_tokens=[handmade.added(2 + k, form) for k, form in enumerate(forms)])


def test_specials_meet_by_role() -> None:
    w = build(specials("<s>", "</s>", "<|mine|>"), specials("<|endoftext|>", "<|begin_of_text|>", "<|theirs|>"))
    assert [entries(w, token) for token in (2, 3, 4)] == [{3: 1.0}, {2: 1.0}, {}]
    assert [w.row(token).rule for token in (2, 3, 4)] == [Rule.SPECIAL, Rule.SPECIAL, Rule.EMPTY]


def test_a_special_of_no_known_role_meets_its_own_text_only() -> None:
    w = build(specials("<|a|>", "<|b|>"), specials("<|c|>", "<|b|>"))
    assert [entries(w, token) for token in (2, 3)] == [{}, {3: 1.0}]


def test_of_several_specials_of_a_role_the_same_text_comes_first() -> None:
    w = build(specials("<s>", "<bos>", "[CLS]"), specials("[BOS]", "<bos>", "<s>"))
    assert [entries(w, token) for token in (2, 3, 4)] == [{4: 1.0}, {3: 1.0}, {2: 1.0}]


def test_a_special_never_meets_its_own_text() -> None:
    student = specials("<s>")
    teacher = letters("a", "b", "<", "s", ">", "<s>", "<s")
    assert entries(build(student, teacher), 2) == {}
    assert entries(build(teacher, student), 5) == {}


def test_specials_of_the_named_tokenizers_meet_by_role() -> None:
    llama, qwen = load("llama-3.2"), load("qwen3")
    forms_s, forms_t = llama.vocabulary.forms, qwen.vocabulary.forms
    w = real("llama-3.2", "qwen3").w
    met = {token: w.row(token).entries[0].id for token in llama.vocabulary.roles if w.row(token).entries}
    assert {forms_s[token]: forms_t[target] for token, target in met.items()} == {
        "<|end_of_text|>": "<|endoftext|>",
        "<|start_header_id|>": "<|im_start|>",
        "<|eot_id|>": "<|im_end|>",
    }


def with_holes() -> tuple[Tokenizer, Tokenizer]:
    """Ids that no token has (2) and a form that is empty (3) on both sides, in vocabularies that differ."""
    student, teacher = handmade.byte_level("a", "b"), handmade.byte_level("b", "a")
    for spec in (student, teacher):
        spec["model"]["vocab"] |= {"": 3, "ab": 4}
    return handmade.read(student), handmade.read(teacher)


def test_unused_ids_and_empty_forms_never_meet() -> None:
    student, teacher = with_holes()
    assert UNUSED in student.vocabulary.roles.values()
    w = build(student, teacher)
    assert [w.row(token).rule for token in (2, 3)] == [Rule.EMPTY, Rule.EMPTY]
    assert w.reverse().column(2) == w.reverse().column(3) == ()


def test_padded_ids_have_no_row_and_no_column() -> None:
    w = real("qwen3", "gpt2").w
    assert (len(w), w.student.head_size) == (151_669, 151_936)
    assert len(w.reverse()) == w.teacher.ids == 50_257


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_the_same_tokenizer_gives_the_identity(name: str) -> None:
    w = build(load(name), load(name))
    assert np.array_equal(w.ids[:, 0], np.arange(len(load(name).vocabulary)))
    assert (w.weights[:, 0] == 1).all()
    assert not w.ids[:, 1:].any()
    assert not w.weights[:, 1:].any()
    assert (w.pieces == 1).all()
    assert not w.trimmed.any()
    assert set(np.flatnonzero(w.rules == Rule.SPECIAL).tolist()) == set(load(name).vocabulary.roles)


def test_the_same_vocabulary_with_other_merges_gives_the_identity() -> None:
    spec = handmade.byte_level("a", "b", "ab", "aa", "aab", " ", "Ġ")
    other = spec | {"model": spec["model"] | {"merges": []}}
    w = build(handmade.read(spec), handmade.read(other))
    assert w.ids[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_the_same_forms_of_other_bytes_are_other_tokens() -> None:
    # é is the byte E9 in the alphabet of 256 letters, and the two bytes C3 A9 in SentencePiece style
    student, teacher = handmade.byte_level("a", "é"), handmade.sentence_piece("a", "é")
    w = build(handmade.read(student), handmade.read(teacher))
    assert [entries(w, token) for token in (0, 1)] == [{0: 1.0}, {}]


def test_the_bytes_are_compared_also_where_all_lengths_are_equal() -> None:
    student = letters("a", "b")
    swapped = replace(student.vocabulary, data=student.vocabulary.data[::-1])
    assert build(student, replace(student, vocabulary=swapped)).ids[:, 0].tolist() == [1, 0]


def test_the_same_tokens_in_another_order_give_a_permutation() -> None:
    w = build(letters("a", "b", "ab"), letters("ab", "b", "a"))
    assert (w.ids[:, 0].tolist(), w.weights[:, 0].tolist()) == ([2, 1, 0], [1, 1, 1])


# the traps


def test_a_word_and_the_word_after_a_space_never_merge() -> None:
    stripped = " a".strip()
    assert stripped == "a"  # so a builder that matches stripped strings sends " a" to "a"
    assert row_of(letters("a", "Ġ", "Ġa"), letters("a", "Ġ", "b"), b" a") == {b" ": 0.9091, b"a": 0.0909}
    assert row_of(letters("a", "Ġ", "b"), letters("Ġa", "Ġ", "a"), b"a") == {b"a": 1}
    assert row_of(letters("a", "b"), letters("Ġa", "Ġ"), b"a") == {}


def test_two_different_halves_of_a_character_are_not_equal() -> None:
    assert b"\xc3".decode(errors="replace") == b"\xe2".decode(errors="replace")  # the trap: both are U+FFFD
    student, teacher = letters("Ã", "â"), letters("â", "a", "Ã")
    assert [student.vocabulary.token_bytes(token) for token in (0, 1)] == [b"\xc3", b"\xe2"]
    assert row_of(student, teacher, b"\xc3") == {b"\xc3": 1}
    assert row_of(student, letters("â", "a"), b"\xc3") == {}


def test_halves_of_characters_keep_apart_in_real_vocabularies() -> None:
    w, tokens, teacher = real("gpt2", "smollm2").w, tokens_of("gpt2"), tokens_of("smollm2")
    halves = [token for token, data in enumerate(tokens) if data.decode(errors="replace") == "\ufffd"]
    reached = {tokens[token]: [teacher[entry.id] for entry in w.row(token).entries] for token in halves}
    assert len(halves) > 100
    assert all(b"".join(pieces) == data for data, pieces in reached.items() if pieces)


def test_no_row_is_forced_into_the_last_column() -> None:
    # the trap: a row's last place is always filled, and whichever id stands there has part of the row
    w = build(letters("a", "b", "ab", "aba"), letters("a", "b", "z"))
    assert entries(w, 2) == {0: 0.9091, 1: 0.0909}
    assert w.reverse().column(2) == ()


# laws, on every ordered pair


def test_rows_sum_to_one_or_are_empty(pair: Built) -> None:
    sums = pair.w.weights.sum(axis=1, dtype=np.float64)
    is_empty = pair.w.rules == Rule.EMPTY
    assert np.abs(sums[~is_empty] - 1).max() < 1e-6
    assert not sums[is_empty].any()
    assert not pair.w.trimmed.any()  # with K = 4 and at most four pieces nothing is cut


def test_rows_stand_heaviest_first_and_unused_places_are_zero(pair: Built) -> None:
    weights = pair.w.weights
    assert (weights[:, 1:] <= weights[:, :-1]).all()
    assert not pair.w.ids[weights == 0].any()
    assert (pair.w.ids >= 0).all()
    assert pair.w.ids.max() < pair.w.teacher.ids


def test_a_row_says_which_rule_made_it(pair: Built) -> None:
    roles_s, roles_t = pair.student.vocabulary.roles, pair.teacher.vocabulary.roles
    exact, special, multi, nothing = (
        np.flatnonzero(pair.w.rules == rule).tolist() for rule in (Rule.EXACT, Rule.SPECIAL, Rule.MULTI, Rule.EMPTY)
    )
    top = pair.w.ids[:, 0].tolist()
    assert all(pair.tokens[token] == pair.teacher_tokens[top[token]] != b"" for token in exact)
    assert all(roles_s[token] == roles_t[top[token]] for token in special)
    assert (pair.w.lengths()[exact + special] == 1).all()
    assert (pair.w.pieces[multi] >= 2).all()
    assert (pair.w.pieces[multi] <= 4).all()
    pieces = pair.w.pieces[nothing].tolist()
    assert all(count == 0 or count > 4 for count in pieces)
    known = set(pair.teacher_tokens) - {b""}
    assert all(pair.tokens[token] not in known for token in multi + nothing)


def test_the_pieces_of_a_row_spell_its_token(pair: Built) -> None:
    multi = np.flatnonzero(pair.w.rules == Rule.MULTI)
    rows = zip(
        multi.tolist(),
        pair.w.ids[multi].tolist(),
        pair.w.weights[multi].tolist(),
        pair.w.lengths()[multi].tolist(),
        pair.w.pieces[multi].tolist(),
        strict=True,
    )
    for token, ids, weights, length, pieces in rows:
        spelled = [pair.teacher_tokens[target] for target in ids[:length]]
        if length == pieces:
            assert b"".join(spelled) == pair.tokens[token]
        else:
            assert in_some_order(spelled, weights[:length], pieces, pair.tokens[token])


def in_some_order(spelled: list[bytes], weights: list[float], pieces: int, data: bytes) -> bool:
    """Whether some order of the row's tokens, with repeats, spells the data and gives these weights."""
    powers = pieces_weights(pieces, Options())
    for order in itertools.product(range(len(spelled)), repeat=pieces):
        if b"".join([spelled[k] for k in order]) == data:
            mass = np.bincount(order, powers, len(spelled))
            if np.allclose(mass, weights, atol=1e-6):
                return True
    return False


def test_what_comes_out_and_what_is_lost_is_what_went_in(pair: Built) -> None:
    p = np.random.default_rng(0).dirichlet(np.full(len(pair.w), 0.1), size=2)
    projected, lost = pair.w.project(p)
    assert projected.shape == (2, pair.w.teacher.ids)
    assert (projected >= 0).all()
    assert projected.sum(axis=1) == pytest.approx(1 - lost, abs=1e-6)
    assert lost == pytest.approx(p[:, pair.w.rules == Rule.EMPTY].sum(axis=1))


@pytest.mark.parametrize(
    ("student", "teacher"), [("gpt2", "smollm2"), ("qwen3", "mistral-v0.3"), ("mistral-v0.3", "gpt2")]
)
def test_exact_rows_are_the_equal_bytes_of_the_two_files(student: str, teacher: str) -> None:
    equal = pairs_of_equal_bytes(*(slow_vocabulary(parse_json(published(name), name)) for name in (student, teacher)))
    w = real(student, teacher).w
    exact = np.flatnonzero(w.rules == Rule.EXACT).tolist()
    assert len(exact) > 20_000
    assert set(exact) == set(equal)
    assert all(int(w.ids[token, 0]) in equal[token] for token in exact)


def test_the_pieces_are_the_teachers_own(pair: Built) -> None:
    several = np.flatnonzero(pair.w.pieces > 1)[::97].tolist()
    own = spell(pair.teacher, [pair.tokens[token] for token in several])
    assert [len(ids) for ids in own] == pair.w.pieces[several].tolist()
    for token, ids in zip(several, own, strict=True):
        if pair.w.rules[token] == Rule.MULTI:
            assert set(entries(pair.w, token)) == set(ids)


# a slow reference

LETTERS = ["a", "b", "Ġ", "Ã", "©"]  # a space, and a two-byte character in halves
FORMS = st.lists(st.text("abĠÃ©", min_size=2, max_size=6), max_size=8)


@st.composite
def vocabularies(draw: st.DrawFn) -> dict[str, Any]:
    """A byte-level tokenizer.json over five letters, of which one may be missing."""
    lacking = draw(st.sampled_from([None, *LETTERS]))
    forms = dict.fromkeys([*draw(st.permutations(LETTERS)), *draw(FORMS)])
    return handmade.byte_level(*[form for form in forms if form != lacking], pre_tokenizer=UNCUT)


OPTIONS = st.builds(
    Options,
    top_k=st.integers(1, 5),
    max_pieces=st.integers(1, 6),
    beta=st.sampled_from([0.9, 0.2]),
    gamma=st.sampled_from([0.1, 0.5, 0.8, 1.0]),
    long=st.sampled_from(["drop", "truncate"]),
)


@settings(max_examples=200, deadline=None)
@given(vocabularies(), vocabularies(), OPTIONS)
def test_every_row_is_what_the_slow_reference_says(
    student: dict[str, Any], teacher: dict[str, Any], options: Options
) -> None:
    w = build(handmade.read(student), handmade.read(teacher), options=options)
    if student == teacher:
        return
    for token, data in slow_vocabulary(student).items():
        row, expected = w.row(token), slow_row(data, teacher, options)
        assert (row.rule.label, row.pieces) == (expected.rule, expected.pieces)
        assert row.trimmed == pytest.approx(expected.trimmed, abs=1e-6)
        assert {entry.id: entry.weight for entry in row.entries} == pytest.approx(expected.weights, abs=1e-6)


# the value's own views


def by_hand(rows: Sequence[dict[int, float]], teacher_ids: int) -> Projection:
    """A W of these rows, heaviest first."""
    width = max(map(len, rows))
    ids, weights = np.zeros((len(rows), width), np.int32), np.zeros((len(rows), width), np.float32)
    for k, row in enumerate(rows):
        for place, (target, weight) in enumerate(sorted(row.items(), key=lambda entry: -entry[1])):
            ids[k, place], weights[k, place] = target, weight
    lengths = np.count_nonzero(weights, axis=1)
    rules = np.where(lengths == 0, Rule.EMPTY, np.where(lengths == 1, Rule.EXACT, Rule.MULTI)).astype(np.uint8)
    student, teacher = Side("student", "0" * 64, len(rows), len(rows)), Side("teacher", "1" * 64, teacher_ids, 9)
    none, yes = np.zeros(len(rows), np.float32), np.ones(len(rows), bool)
    return Projection(student, teacher, None, ids, weights, rules, lengths.astype(np.int32), none, yes)


def dense(w: Projection) -> np.ndarray:
    """[V_s, V_t], entry by entry."""
    matrix = np.zeros((len(w), w.teacher.ids))
    for s, (ids, weights) in enumerate(zip(w.ids, w.weights, strict=True)):
        for t, weight in zip(ids, weights, strict=True):
            matrix[s, t] += weight
    return matrix


WORKED = [{3: 1.0}, {2: 0.75, 0: 0.25}, {}, {0: 0.5, 1: 0.25, 3: 0.25}, {3: 1.0}]
WEIGHTS = [[1.0], [0.75, 0.25], [0.5, 0.25, 0.25], [0.5, 0.5]]


@st.composite
def matrices(draw: st.DrawFn) -> Projection:
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        weights = draw(st.sampled_from([[], *WEIGHTS]))
        ids = draw(st.permutations(range(5)))
        rows.append(dict(zip(ids, weights, strict=False)))
    return by_hand([*rows, {0: 1.0}], 5)


def test_a_worked_projection() -> None:
    projected, lost = by_hand(WORKED, 4).project(np.array([0.1, 0.2, 0.3, 0.4, 0.0]))
    assert projected == pytest.approx([0.05 + 0.2, 0.1, 0.15, 0.1 + 0.1])
    assert lost == pytest.approx(0.3)


@given(matrices(), st.data())
def test_projecting_is_multiplying_by_the_dense_matrix(w: Projection, data: st.DataObject) -> None:
    masses = data.draw(st.lists(st.floats(0, 1), min_size=2 * len(w), max_size=2 * len(w)))
    p = np.array(masses).reshape(2, 1, len(w))
    projected, lost = w.project(p)
    assert (projected.shape, lost.shape) == ((2, 1, w.teacher.ids), (2, 1))
    assert projected == pytest.approx(p @ dense(w))
    assert projected.sum(axis=-1) == pytest.approx(p.sum(axis=-1) - lost)


def test_projecting_no_rows_gives_no_rows() -> None:
    projected, lost = by_hand(WORKED, 4).project(np.zeros((0, 5)))
    assert (projected.shape, lost.shape) == ((0, 4), (0,))


@given(matrices())
def test_the_columns_hold_the_same_entries(w: Projection) -> None:
    columns, matrix = w.reverse(), dense(w)
    assert len(columns) == w.teacher.ids
    for t in range(w.teacher.ids):
        found = [(entry.id, entry.weight) for entry in columns.column(t)]
        students = np.flatnonzero(matrix[:, t]).tolist()
        assert found == sorted(((s, matrix[s, t]) for s in students), key=lambda entry: (-entry[1], entry[0]))
    assert columns.lengths().tolist() == np.count_nonzero(matrix, axis=0).tolist()
    assert columns.sums() == pytest.approx(matrix.sum(axis=0))


def test_the_columns_of_a_real_pair_hold_the_same_entries() -> None:
    w = real("gpt2", "smollm2").w
    columns = w.reverse()
    rows, places = np.nonzero(w.weights)
    forward = set(zip(rows.tolist(), w.ids[rows, places].tolist(), w.weights[rows, places].tolist(), strict=True))
    targets = np.repeat(np.arange(len(columns)), columns.lengths())
    assert set(zip(columns.students.tolist(), targets.tolist(), columns.weights.tolist(), strict=True)) == forward
    assert len(columns.students) == len(forward)


def test_the_compressed_rows_by_hand() -> None:
    values, columns, starts = by_hand(WORKED, 4).csr()
    assert values.tolist() == [1, 0.25, 0.75, 0.5, 0.25, 0.25, 1]
    assert columns.tolist() == [3, 0, 2, 0, 1, 3, 3]
    assert starts.tolist() == [0, 1, 3, 3, 6, 7]


def test_scipy_multiplies_the_compressed_rows_as_project_does() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    w = real("gpt2", "smollm2").w
    matrix = sparse.csr_array(w.csr(), shape=(len(w), w.teacher.ids))
    assert matrix.has_canonical_format
    p = np.random.default_rng(1).dirichlet(np.ones(len(w)))
    assert matrix.T @ p == pytest.approx(w.project(p)[0], abs=1e-9)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_torch_multiplies_the_compressed_rows_as_project_does() -> None:
    torch = pytest.importorskip("torch")
    w = real("gpt2", "smollm2").w
    matrix = torch.sparse_csr_tensor(*map(torch.from_numpy, w.csr()[::-1]), size=(len(w), w.teacher.ids))
    p = np.random.default_rng(1).dirichlet(np.ones(len(w)))
    product = matrix.t() @ torch.from_numpy(p).float()
    assert product.numpy() == pytest.approx(w.project(p)[0], abs=1e-7)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_torch_finds_nothing_wrong_with_the_compressed_rows() -> None:
    torch = pytest.importorskip("torch", exc_type=ImportError)
    w = by_hand(WORKED, 4)
    parts = map(torch.from_numpy, w.csr()[::-1])
    torch.sparse_csr_tensor(*parts, size=(len(w), w.teacher.ids), check_invariants=True)


def test_a_row_as_an_object() -> None:
    row = by_hand(WORKED, 4).row(3)
    assert (row.token, row.rule, row.pieces, row.trimmed) == (3, Rule.MULTI, 3, 0.0)
    assert [(entry.id, entry.weight) for entry in row.entries] == [(0, 0.5), (1, 0.25), (3, 0.25)]


def test_the_rows_are_counted_by_rule() -> None:
    counts = by_hand(WORKED, 4).counts()
    assert {rule.label: count for rule, count in counts.items()} == {"exact": 2, "multi": 2, "special": 0, "empty": 1}


# what is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"top_k": 0}, "The top-k was given as 0; it must be a whole number from 1 to 64."),
        ({"top_k": 65}, "The top-k was given as 65; it must be a whole number from 1 to 64."),
        ({"top_k": 4.5}, "The top-k was given as 4.5; it must be a whole number from 1 to 64."),
        ({"max_pieces": 0}, "The maximum of pieces was given as 0; it must be a whole number from 1 to 64."),
        ({"max_pieces": 2.0}, "The maximum of pieces was given as 2.0; it must be a whole number from 1 to 64."),
        ({"beta": 0}, "The β was given as 0; it must be above 0, at most 1."),
        ({"beta": 1.1}, "The β was given as 1.1; it must be above 0, at most 1."),
        ({"gamma": 0.0}, "The γ was given as 0.0; it must be above 0, at most 1."),
        ({"gamma": float("nan")}, "The γ was given as nan; it must be above 0, at most 1."),
        ({"long": "cut"}, "The rule for long tokens was given as 'cut'; it must be drop or truncate."),
    ],
)
def test_options_that_make_no_matrix_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProjectionError) as caught:
        Options(**options)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("token", [-1, 5])
def test_a_row_that_is_not_there_is_refused(token: int) -> None:
    with pytest.raises(ProjectionError) as caught:
        by_hand(WORKED, 4).row(token)
    assert str(caught.value) == (
        f"Row {token} was asked for, but student has the ids 0 to 4. "
        "Choose one of those; the padded ids of the model's head have no row."
    )


@pytest.mark.parametrize("token", [-1, 4])
def test_a_column_that_is_not_there_is_refused(token: int) -> None:
    columns: Columns = by_hand(WORKED, 4).reverse()
    with pytest.raises(ProjectionError) as caught:
        columns.column(token)
    assert str(caught.value) == f"Teacher token {token} was asked for; W has the columns 0 to 3."


def test_probabilities_of_another_width_are_refused() -> None:
    with pytest.raises(ProjectionError) as caught:
        by_hand(WORKED, 4).project(np.zeros((3, 6)))
    assert str(caught.value) == (
        "W has V_s = 5 rows, but the probabilities have 6. Cut the logits of the padded head before the softmax."
    )


def test_a_matrix_for_other_tokenizers_is_refused_whatever_their_names() -> None:
    mine, other = letters("a", "b"), letters("a", "b", "ab")
    w = build(mine, other)
    check_pair(w, mine, other)
    with pytest.raises(ProjectionError) as caught:
        check_pair(w, mine, mine)
    assert str(caught.value) == (
        f"This W was built for the teacher mine.json (3 ids, sha256 {other.sha256[:12]}), but the teacher is "
        f"mine.json (2 ids, sha256 {mine.sha256[:12]}). Choose that teacher, or build W anew."
    )
    with pytest.raises(ProjectionError, match=r"for the student mine\.json"):
        check_pair(w, other, other)


def test_a_renamed_tokenizer_of_the_same_file_is_not_refused() -> None:
    mine, other = letters("a", "b"), letters("a", "b", "ab")
    check_pair(build(mine, other), replace(mine, name="renamed"), other)


def test_nothing_is_called_trimmed_where_nothing_is_cut() -> None:
    assert not build(load("gpt2"), load("smollm2"), options=Options(beta=1.0)).trimmed.any()


@given(
    st.integers(1, 12).flatmap(
        lambda width: st.lists(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0, 2.0])), min_size=width, max_size=width
            ),
            min_size=1,
            max_size=6,
        )
    )
)
def test_the_heaviest_of_ids_that_often_repeat_are_those_of_a_slow_sum(rows: list[list[tuple[int, float]]]) -> None:
    ids, weights = (np.array([[entry[part] for entry in row] for row in rows]) for part in (0, 1))
    found_ids, found_weights = heaviest(ids, weights)
    for row, row_ids, row_weights in zip(rows, found_ids.tolist(), found_weights.tolist(), strict=True):
        sums: dict[int, float] = {}
        for target, weight in row:
            sums[target] = sums.get(target, 0) + weight
        expected = sorted(sums.items(), key=lambda entry: -entry[1])  # stable: of equals the earlier piece
        shown = [entry for entry in zip(row_ids, row_weights, strict=True) if entry[1]]
        assert shown == [entry for entry in expected if entry[1]]
        assert sorted(row_ids) == sorted(target for target, _ in row)


@example(kept=3, more=[2], gamma=1.0)
@given(st.integers(1, 64), st.lists(st.integers(0, 63), min_size=1, max_size=8), st.floats(0, 1, exclude_min=True))
def test_the_share_behind_the_kept_pieces_is_their_weights_direct_sum(kept: int, more: list[int], gamma: float) -> None:
    lengths = np.array([min(kept + k, 64) for k in more])
    powers = [math.fsum(gamma**i for i in range(length)) for length in lengths.tolist()]
    behind = [math.fsum(gamma**i for i in range(kept, length)) for length in lengths.tolist()]
    expected = [part / whole for part, whole in zip(behind, powers, strict=True)]
    assert _share_behind(kept, lengths, gamma).tolist() == pytest.approx(expected, abs=1e-7)


def test_tokens_of_two_thousand_lengths_are_truncated_each_to_its_own_share() -> None:
    spec = handmade.byte_level(*"abcd", pre_tokenizer=UNCUT)
    teacher = handmade.read(spec)
    longer = "abcd" * 501
    spec["model"]["vocab"] |= {longer[:length]: length + 2 for length in range(2, 2_002)}
    w = build(handmade.read(spec), teacher, options=Options(gamma=0.5, long="truncate"))
    assert w.counts()[Rule.MULTI] == len(set(w.pieces[4:].tolist())) == 2_000
    assert w.weights.sum(axis=1) == pytest.approx(np.ones(2_004), abs=1e-6)
    for pieces in (2, 4, 5, 6, 2_001):
        share = sum(0.5**k for k in range(min(pieces, 4))) / sum(0.5**k for k in range(pieces))
        assert w.row(pieces + 2).trimmed == pytest.approx(1 - share, abs=1e-6)


def test_a_teacher_with_dropout_makes_the_same_w_every_time() -> None:
    forms = ["".join(word) for size in (1, 2, 3, 4) for word in itertools.product("ab", repeat=size)]
    student = letters(*forms)
    spec = handmade.byte_level("a", "b", "ab", "ba", pre_tokenizer=UNCUT)
    spec["model"]["dropout"] = 0.5
    one, other = (build(student, handmade.read(spec)) for _ in range(2))
    assert entries(one, forms.index("abba")) == {2: 0.9091, 3: 0.0909}
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.weights, other.weights)
