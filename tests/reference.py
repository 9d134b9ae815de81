"""Slow and obvious: every formula as its sentence says, for small inputs."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

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
