"""
A user's text from a file: plain text or JSON lines, always UTF-8, with a limit that is stated.
"""

import json
from dataclasses import dataclass
from typing import Any

from xtoken_core.errors import TextError
from xtoken_core.tokenizer import check_encodable

MAX_TEXT_BYTES = 16 * 2**20


def decode(content: bytes, name: str, *, limit: int = MAX_TEXT_BYTES) -> str:
    """UTF-8 bytes as text, unchanged. Raises TextError over the limit in bytes and for anything that isn't UTF-8."""
    if len(content) > limit:
        raise TextError(
            f"{name} holds {len(content):,} bytes; texts up to {limit:,} bytes are read. Cut it, or choose a part."
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TextError(
            f"{name} is not UTF-8: byte {error.start:,} is 0x{content[error.start]:02X}. "
            f"Save it as UTF-8, or choose another file."
        ) from error


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The records of a .jsonl file as lines; blank lines don't count."""

    name: str
    lines: tuple[str, ...]

    def fields(self, *, sample: int = 100) -> tuple[str, ...]:
        """The names of text fields in the first records, in order of appearance. A broken record has none."""
        names: dict[str, None] = {}
        for number in range(min(sample, len(self.lines))):
            try:
                record = self._record(number)
            except TextError:  # told where that record is asked for
                continue
            names |= dict.fromkeys(key for key, value in record.items() if _text_of(value) is not None)
        return tuple(names)

    def text(self, number: int, field: str) -> str:
        """The text of one field of record `number`, from 0. Raises TextError with what there is instead."""
        if not 0 <= number < len(self.lines):
            raise TextError(f"Record {number + 1} of {self.name} was asked; it has {len(self.lines):,} records.")
        record = self._record(number)
        value = _text_of(record.get(field))
        if value is None:
            raise TextError(
                f"Record {number + 1} of {self.name} has no text in the field {field!r}. "
                f"Its text fields: {', '.join(key for key in record if _text_of(record[key]) is not None) or 'none'}."
            )
        check_encodable(value)
        return value

    def _record(self, number: int) -> dict[str, Any]:
        try:
            record = json.loads(self.lines[number])
        except (ValueError, RecursionError) as error:
            raise TextError(f"Record {number + 1} of {self.name} is not JSON: {error}. Check the file.") from error
        if not isinstance(record, dict):
            raise TextError(f"Record {number + 1} of {self.name} is no object with fields. Check the file.")
        return record


def _text_of(value: Any) -> str | None:
    """A field's text: a string, or the contents of a chat's messages, a blank line between them.

    >>> _text_of([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
    'Hi\\n\\nHello'
    """
    if isinstance(value, str):
        return value
    messages = value if isinstance(value, list) else []
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    texts = [content for content in contents if isinstance(content, str)]
    return "\n\n".join(texts) if texts and len(texts) == len(messages) else None


def json_lines(text: str, name: str) -> JsonLines:
    """The records of a .jsonl text. Raises TextError where there are none."""
    # only "\n" ends a record: str.splitlines would also cut at U+2028, which may stand inside a JSON string;
    # some editors start a file with a byte order mark, which is no JSON
    lines = tuple(line for line in text.removeprefix("\ufeff").split("\n") if line.strip())
    if not lines:
        raise TextError(f"{name} has no records. Choose a file with one JSON object a line.")
    return JsonLines(name, lines)
