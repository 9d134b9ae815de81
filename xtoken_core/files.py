"""Reading a user's file: never more than a stated limit, whatever the file says of its size."""

from pathlib import Path


def read_up_to(path: Path, limit: int) -> bytes:
    """The file's bytes, at most limit + 1 of them, so that the caller sees that there are too many. Raises OSError."""
    with path.open("rb") as file:
        return file.read(limit + 1)
