"""A user's files: never more is read than a stated limit, and one is written whole or not at all."""

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def read_up_to(path: Path, limit: int) -> bytes:
    """The file's bytes, at most limit + 1 of them, so that the caller sees that there are too many. Raises OSError."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def write_whole(path: Path, content: bytes) -> None:
    """The content in place of what was there; nobody ever sees a part of it. Raises OSError."""
    _replace(Path(os.path.realpath(path)), content)  # a link stays one, and what it leads to is written


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not target.is_file():  # a device would be replaced by a file
        raise OSError(errno.EINVAL, "There is something else than a file")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        new = Path(folder) / target.name
        new.write_bytes(content)
        new.replace(target)


def keep(path: Path, content: bytes) -> None:
    """Into a cache: a folder that can't be written costs the next start some time, no more. A link is replaced."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
