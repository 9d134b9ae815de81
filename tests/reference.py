"""Slow and obvious: every formula as its sentence says, for small inputs."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from xtoken_core.matrix import Options
from xtoken_core.sequence import TokenSequence


def cheapest(student: TokenSequence, teacher: TokenSequence) -> tuple[int, int, int]:
    """(unmatched tokens, unmatched marks, -exact chunks) of the best alignment, by trying every one."""
    mark_s = {mark.position: mark.role for mark in student.marks}
    mark_t = {mark.position: mark.role for mark in teacher.marks}

    def is_exact(i: int, stop_i: int, j: int, stop_j: int) -> bool:
        if i in mark_s or j in mark_t:
            return stop_i == i + 1 and stop_j == j + 1 and mark_s.get(i) == mark_t.get(j)
        if any(k in mark_s for k in range(i, stop_i)) or any(k in mark_t for k in range(j, stop_j)):
            return False
        return student.bytes_between(i, stop_i) == teacher.bytes_between(j, stop_j)

    @cache
    def best(i: int, j: int) -> tuple[int, int, int]:
        ways = []
        if i == len(student) and j == len(teacher):
            return 0, 0, 0
        if i < len(student):
            ways.append(plus(best(i + 1, j), int(i not in mark_s), int(i in mark_s), 0))
        if j < len(teacher):
            ways.append(plus(best(i, j + 1), int(j not in mark_t), int(j in mark_t), 0))
        for stop_i in range(i + 1, len(student) + 1):
            for stop_j in range(j + 1, len(teacher) + 1):
                if is_exact(i, stop_i, j, stop_j):
                    ways.append(plus(best(stop_i, stop_j), 0, 0, -1))
        return min(ways)

    return best(0, 0)


def plus(cost: tuple[int, int, int], tokens: int, marks: int, chunks: int) -> tuple[int, int, int]:
    return cost[0] + tokens, cost[1] + marks, cost[2] + chunks


def common_boundaries(student: TokenSequence, teacher: TokenSequence) -> int:
    """How many bytes after the first are an end of a token of both sides."""
    return len(set(student.ends.tolist()) & set(teacher.ends.tolist()) - {0})


def slow_vocabulary(spec: Mapping[str, Any]) -> dict[int, bytes]:
    """The bytes of every id of a parsed tokenizer.json, read letter by letter; b"" for a special token."""
    pieces = spec["model"].get("byte_fallback")
    byte_of = {letter: byte for byte, letter in gpt2_letters()}
    spelled = {
        token: piece_bytes(form) if pieces else bytes([byte_of[letter] for letter in form])
        for form, token in spec["model"]["vocab"].items()
    }
    for token in spec["added_tokens"]:
        spelled[token["id"]] = b"" if token["special"] else token["content"].encode()
    return spelled


def piece_bytes(form: str) -> bytes:
    if form.startswith("<0x") and form.endswith(">") and len(form) == 6:
        return bytes.fromhex(form[3:5])
    return form.replace("▁", " ").encode()


def gpt2_letters() -> Iterator[tuple[int, str]]:
    """(byte, letter), 256 of them: a byte that can't be printed is the next unused letter from U+0100 on."""
    unused = iter(range(256, 512))
    for byte in range(256):
        printed = chr(byte).isprintable() and not chr(byte).isspace()
        yield byte, chr(byte) if printed else chr(next(unused))


def slow_pieces(spec: Mapping[str, Any], data: bytes) -> list[int]:
    """The ids of a byte-level BPE that cuts no words: its first merge, leftmost, again and again."""
    vocabulary = spec["model"]["vocab"]
    merges = [(left, right) for left, right in spec["model"]["merges"]]
    letter_of = dict(gpt2_letters())
    pieces = [letter_of[byte] for byte in data]
    if not set(pieces) <= set(vocabulary):
        return []
    while found := [(merges.index(pair), k) for k, pair in enumerate(pairwise(pieces)) if pair in merges]:
        _, k = min(found)
        pieces[k : k + 2] = ["".join(pieces[k : k + 2])]
    return [vocabulary[piece] for piece in pieces]


class SlowRow(NamedTuple):
    """One row of W: how it was made, of how many pieces, what was cut off, and the weight of each teacher token."""

    rule: str
    pieces: int
    trimmed: float
    weights: dict[int, float]


def slow_row(data: bytes, teacher: Mapping[str, Any], options: Options) -> SlowRow:
    """The two passes, for a student token that isn't special and a teacher without two ids for the same bytes."""
    same = [token for token, other in slow_vocabulary(teacher).items() if other == data and data]
    if same:
        return SlowRow("exact", 1, 0, {same[0]: 1.0})
    pieces = slow_pieces(teacher, data)
    too_long = len(pieces) > options.max_pieces and options.long == "drop"
    if not pieces or too_long:
        return SlowRow("empty", len(pieces), 0, {})
    return SlowRow("multi", len(pieces), *slow_weights(pieces, options))


def slow_weights(pieces: Sequence[int], options: Options) -> tuple[float, dict[int, float]]:
    """What is trimmed, and the weights of what is left: β·γ^i, of which the first pieces and the K heaviest stay."""
    powers = [options.beta * options.gamma**k for k in range(len(pieces))]
    weights: dict[int, float] = {}
    for piece, power in list(zip(pieces, powers, strict=True))[: options.max_pieces]:
        weights[piece] = weights.get(piece, 0) + power / sum(powers)
    by_weight = sorted(weights, key=lambda piece: -weights[piece])  # stable: of equals the earlier piece
    kept = {piece: weights[piece] for piece in by_weight[: options.top_k]}
    return 1 - sum(kept.values()), {piece: weight / sum(kept.values()) for piece, weight in kept.items()}


def pairs_of_equal_bytes(student: Mapping[int, bytes], teacher: Mapping[int, bytes]) -> dict[int, set[int]]:
    """student id -> the teacher ids of the same bytes, by a walk down both vocabularies in the order of their bytes."""
    left = sorted((data, token) for token, data in student.items() if data)
    right = sorted((data, token) for token, data in teacher.items() if data)
    pairs: dict[int, set[int]] = {}
    j = 0
    for data, token in left:
        while j < len(right) and right[j][0] < data:
            j += 1
        for k in range(j, len(right)):
            if right[k][0] != data:
                break
            pairs.setdefault(token, set()).add(right[k][1])
    return pairs


class Wish(NamedTuple):
    """What one student token brings to the contest for a teacher token."""

    teacher: int
    weight: float
    exact: bool
    canonical: bool


def slow_contest(wishes: Sequence[Wish], threshold: float) -> dict[int, int]:
    """student -> teacher: for each teacher token in turn, the one student token that no other beats."""
    pairs = {}
    for teacher in {wish.teacher for wish in wishes}:
        rivals = [k for k, wish in enumerate(wishes) if wish.teacher == teacher and 0 < wish.weight >= threshold]
        for student in rivals:
            if not any(beats(wishes, other, student) for other in rivals):
                pairs[student] = teacher
    return pairs


def beats(wishes: Sequence[Wish], one: int, other: int) -> bool:
    ours, theirs = wishes[one], wishes[other]
    if ours.weight != theirs.weight:
        return ours.weight > theirs.weight
    if ours.exact != theirs.exact:
        return ours.exact
    if ours.canonical != theirs.canonical:
        return ours.canonical
    return one < other
