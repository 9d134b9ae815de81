"""A text of any length in pieces: nothing lost, the counts of the whole text, bounded memory, hostile files told."""

import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.handmade import added, byte_level, read, template
from tests.real import load
from xtoken_core import corpus
from xtoken_core.alignment import align
from xtoken_core.corpus import Counted, count, count_all, pieces_of_file, pieces_of_text, shapes
from xtoken_core.errors import TextError, TokenizerError
from xtoken_core.measure import measured
from xtoken_core.samples import SAMPLES, text
from xtoken_core.spans import Shape
from xtoken_core.texts import MAX_TEXT_BYTES
from xtoken_core.tokenizer import Tokenizer

NAMES = ("llama-3.2", "qwen3", "phi-4-mini", "gpt-oss", "mistral-v0.3", "smollm2", "gpt2")


def whole(tokenizer: Tokenizer, content: str) -> list[int]:
    ids = tokenizer.backend.encode(content, add_special_tokens=False).ids
    return np.bincount(np.array(ids, np.int64), minlength=len(tokenizer.vocabulary)).tolist()


def file_of(content: bytes, name: str = "a.txt", *, field: str | None = None) -> list[str]:
    return list(pieces_of_file(io.BytesIO(content), name, field=field))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of eight bytes, parts of four characters, so that short texts are cut."""
    monkeypatch.setattr(corpus, "PIECE", 8)
    monkeypatch.setattr(corpus, "PART", 4)
    monkeypatch.setattr(corpus, "BATCH", 8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_counts_in_pieces_are_those_of_the_whole_text(sample: str, name: str) -> None:
    content = text(sample)
    counted = count(load(name), pieces_of_text(content))
    assert counted.counts.tolist() == whole(load(name), content)
    assert (counted.tokens, counted.bytes) == (int(counted.counts.sum()), len(content.encode()))
    assert len(list(corpus._cut(content, corpus.PART))) > len(content) // corpus.PART


@pytest.mark.parametrize("name", NAMES)
def test_line_ends_of_windows_change_no_count(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PART", 500)
    content = text("mathematics").replace("\n", "\r\n")
    assert count(load(name), pieces_of_text(content)).counts.tolist() == whole(load(name), content)


@given(st.text(alphabet="ab \n\té\u0301的7<", max_size=60))
def test_pieces_and_parts_are_the_text(content: str) -> None:
    for most in (1, 4, 16):
        parts = list(corpus._cut(content, most))
        assert "".join(parts) == content
        assert all(0 < len(part) <= most for part in parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("ab cd ef", ["ab", " cd ef"]),
        ("ab\ncd, ef", ["ab", "\n", "cd, ef"]),
        (", . \n ; :", [", . \n", " ; :"]),
        ("abcdefghij", ["abcdef", "ghij"]),
        ("的的的的的的的", ["的的的的的的", "的"]),
        ("7  89 1234 5", ["7  89", " 1234", " 5"]),
    ],
)
def test_a_cut_is_before_a_space_between_words_or_white_space_or_at_a_line_end(content: str, parts: list[str]) -> None:
    assert list(corpus._cut(content, 6)) == parts


@given(st.text(max_size=40))
def test_a_file_is_its_text_wherever_a_block_ends(content: str) -> None:
    if not content:
        return
    for size in (1, 2, 3, 7):
        blocks = Dribble(content.encode(), size)
        assert "".join(pieces_of_file(blocks, "a.txt")) == content


class Dribble(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, _size: int | None = -1) -> bytes:
        return super().read(self._size)


def test_a_path_is_read_as_an_open_file_is_and_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("# café\r\n\r\nfin\0".encode())
    assert list(pieces_of_file(tmp_path / "a.md", "a.md")) == ["# café\r\n\r\nfin\0"]
    with (tmp_path / "a.md").open("rb") as file:
        assert list(pieces_of_file(file, "a.md")) == ["# café\r\n\r\nfin\0"]
        assert file.tell() == 15


@pytest.mark.usefixtures("small")
def test_a_text_that_hurts_comes_through(hurting_text: str) -> None:
    if hurting_text:
        assert "".join(file_of(hurting_text.encode())) == hurting_text
        assert "".join(file_of(json.dumps({"text": hurting_text}).encode(), "a.jsonl")) == hurting_text


def test_records_are_pieces_and_a_chats_messages_are_joined() -> None:
    lines = (
        b'\xef\xbb\xbf{"id": 1, "question": "one?"}\r\n\n{"question": "a\\nb"}\n'
        b'{"question": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}'
    )
    assert file_of(lines, "a.jsonl") == ["one?", "a\nb", "Hi\n\nHello"]
    assert file_of(b'{"a": "b", "c": "d"}', "A.JSONL", field="c") == ["d"]


@pytest.mark.usefixtures("small")
def test_blank_lines_in_front_decide_no_field() -> None:
    assert file_of(b"\n" * 50 + b'{"prompt": "a"}\n', "a.jsonl") == ["a"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"a\.txt is empty\. Choose a file with text in it\."),
        (b"caf\xe9", r"a\.txt is not UTF-8: byte 3 is 0xE9\. Save it as UTF-8, or choose another file\."),
        (b"a" * 2_000_000 + b"\xff", r"a\.txt is not UTF-8: byte 2,000,000 is 0xFF"),
        (b"a" * (2**20 - 1) + b"\xe2\x82", r"a\.txt is not UTF-8: byte 1,048,575 is 0xE2"),  # ends in mid-character
        (b"a" * (2**20 - 1) + b"\xe2\x82x", r"a\.txt is not UTF-8: byte 1,048,575 is 0xE2"),
        (b"\xed\xa0\xbd", r"a\.txt is not UTF-8: byte 0 is 0xED"),  # a surrogate
        ("a\n".encode("utf-16"), r"a\.txt is not UTF-8: byte 0 is 0xFF"),
    ],
)
def test_a_text_that_can_not_be_read_is_told_with_its_byte(content: bytes, sentence: str) -> None:
    with pytest.raises(TextError, match=sentence):
        file_of(content)


FILLED = b'{"text": "' + b"a" * 2**20 + b'"}\n'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"a\.jsonl has no records\. Choose a file with one JSON object a line\."),
        (b"\n \n", r"a\.jsonl has no records"),
        (b'{"text": "a"}\n{"text": 1}\n', r"Record 2 of a\.jsonl has no text in the field 'text'\. .*: none\."),
        (b'{"text": "a"}\n{', r"Record 2 of a\.jsonl is not JSON"),
        (b'{"text": "a"}\n[1]', r"Record 2 of a\.jsonl is no object with fields"),
        (b"[" * 200_000, r"Record 1 of a\.jsonl is not JSON: maximum recursion"),
        (FILLED + b'{"text": "a"}\n{', r"Record 2 of a\.jsonl from byte 1,048,589 on is not JSON"),
        (FILLED + b'{"text": "\xff"}', r"a\.jsonl is not UTF-8: byte 1,048,599 is 0xFF"),
        (b'{"text": "a\\ud83d"}', r"lone surrogate \(U\+D83D\) at character 1; .* It's in record 1 of a\.jsonl\."),
        (b'{"text": "a"}\n' + b"a" * (MAX_TEXT_BYTES + 1), r"a line of more than 16,777,216 bytes from byte 14 on; "),
    ],
)
def test_records_that_can_not_be_read_are_told_with_their_place(content: bytes, sentence: str) -> None:
    with pytest.raises(TextError, match=sentence):
        file_of(content, "a.jsonl")


def test_what_comes_before_a_broken_record_is_read() -> None:
    pieces = pieces_of_file(io.BytesIO(b'{"text": "a"}\n{'), "a.jsonl")
    assert next(pieces) == "a"
    with pytest.raises(TextError):
        next(pieces)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"a can't be read: Is a directory\. Check the path\."):
        list(pieces_of_file(tmp_path, "a"))
    with pytest.raises(TextError, match=r"a can't be read: No such file or directory\. Check the path\."):
        list(pieces_of_file(tmp_path / "a", "a"))
    with pytest.raises(TextError, match=r"/dev/zero is a device, which may have no end\. Choose a file\."):
        next(pieces_of_file(Path("/dev/zero"), "/dev/zero"))


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one two")
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert list(pieces_of_file(file, "pipe")) == ["one two"]


def test_one_line_of_200_mb_is_read_in_bounded_memory() -> None:
    longest, total = 0, 0

    def run() -> None:
        nonlocal longest, total
        for piece in pieces_of_file(Endless(b"abc\0defg", 200_000_000), "a.txt"):
            longest, total = max(longest, len(piece)), total + len(piece)

    assert measured(run).peak_mb < 30
    assert total == 200_000_000
    assert longest <= 2**20


class Endless(io.BytesIO):
    """The same bytes up to a size, which are never all in memory."""

    def __init__(self, pattern: bytes, size: int) -> None:
        super().__init__()
        self._block = pattern * (2**20 // len(pattern))
        self._left = size

    def read(self, size: int | None = -1) -> bytes:
        given = self._block[: min(size or 0, self._left)]
        self._left -= len(given)
        return given


def test_counting_takes_no_more_memory_for_a_longer_text() -> None:
    content = text("languages")
    peaks = [measured(lambda n=n: count(load("gpt2"), (content for _ in range(n)))).peak_mb for n in (6, 24)]
    assert peaks[1] < peaks[0] + 40


def test_several_tokenizers_count_a_text_that_is_read_once() -> None:
    read_pieces: list[str] = []

    def pieces() -> Iterator[str]:
        for piece in ("one two", " three\n", "", "4"):
            read_pieces.append(piece)
            yield piece

    counted = count_all([load("gpt2"), load("smollm2")], pieces())
    assert len(read_pieces) == 4
    for side, name in zip(counted, ("gpt2", "smollm2"), strict=True):
        alone = count(load(name), iter(read_pieces))
        assert side.counts.tolist() == alone.counts.tolist()
        assert side.counts.dtype == np.int64
        assert (side.tokens, side.bytes) == (alone.tokens, 15)


def test_nothing_counted_is_no_tokens_and_no_bytes() -> None:
    counted = count(load("gpt2"), [])
    assert (counted.tokens, counted.bytes, counted.bytes_per_token, len(counted.counts)) == (0, 0, 0.0, 50_257)
    assert Counted(np.array([4]), 4, 10).bytes_per_token == 2.5


def test_tokens_that_the_tokenizer_adds_by_itself_are_not_counted_and_spelled_ones_are() -> None:
    mine = read(byte_level("a", "<q>", post_processor=template("<q>", 1), added_tokens=[added(1, "<q>")]))
    assert mine.encode("a").ids.tolist() == [1, 0]
    assert count(mine, ["aa"]).counts.tolist() == [2, 0]
    assert count(mine, ["a<q>a"]).counts.tolist() == [2, 1]


@pytest.mark.usefixtures("small")
def test_progress_is_the_bytes_done_so_far() -> None:
    done: list[int] = []
    count(load("gpt2"), ["ééé ééé ééé", "abcd"], progress=done.append)
    assert done == sorted(set(done))
    assert len(done) > 1
    assert done[-1] == 24
    done.clear()
    shapes(load("gpt2"), load("smollm2"), ["one two three"], progress=done.append)
    assert done[-1] == 13


def test_a_lone_surrogate_is_refused() -> None:
    for refused in (lambda: list(pieces_of_text("a\ud83d")), lambda: count(load("gpt2"), ["a\ud83d"])):
        with pytest.raises(TextError, match=r"lone surrogate \(U\+D83D\) at character 1"):
            refused()


def test_a_tokenizer_that_refuses_a_text_is_told() -> None:
    broken = byte_level("a")
    broken["model"] |= {"unk_token": "<none>", "fuse_unk": False}
    with pytest.raises(TokenizerError, match=r"mine\.json can't encode this text: .*\. Try another text"):
        count(read(broken), ["b"])


@pytest.mark.usefixtures("small")
def test_the_shapes_are_those_of_the_alignment() -> None:
    student, teacher = load("gpt2"), load("smollm2")
    content = "Sum 201 and 35 to 236"
    parts = list(corpus._cut(content, 4))
    expected: Counter[Shape] = Counter()
    for part in parts:
        expected.update(align(student.encode(part, special=False), teacher.encode(part, special=False)).counts())
    assert shapes(student, teacher, [content]) == expected
    assert set(shapes(student, teacher, [])) == set(Shape)


def test_the_shapes_in_parts_are_those_of_the_whole_text() -> None:
    student, teacher = load("llama-3.2"), load("mistral-v0.3")
    content = text("mathematics") + text("code")
    alignment = align(student.encode(content, special=False), teacher.encode(content, special=False))
    found = shapes(student, teacher, pieces_of_text(content))
    wanted = alignment.counts()
    assert len(content) > 5 * corpus.PART
    assert sum(abs(found[shape] - wanted[shape]) for shape in Shape) <= 12
    assert found[Shape.ONE_MANY] > 1000
