"""
W in NeMo-RL's format: a torch.save'd dict, of which two tensors count.

    indices       [V_s, K] int64, teacher ids, -1 where a row has no more entries
    likelihoods   [V_s, K] float32, their weights

A stranger's .pt is a zip with a pickle: its sizes are checked before torch sees it, and no code in it runs. Format:
`parse_projection_file` of NeMo-RL's x_token, its dense kind. The only module of the core's upper half with torch.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xtoken_core.errors import ProjectionError
from xtoken_core.imported import PADDING, from_arrays
from xtoken_core.matrix import MAX_TOP_K, Projection
from xtoken_core.projection_file import MAX_FILE_BYTES, put
from xtoken_core.tokenizer import Tokenizer

MAX_RECORDS = 1_000  # a dict of two tensors has a dozen

_DTYPES = {"indices": torch.int64, "likelihoods": torch.float32}
_WANTED = "Choose a .pt with a dict of 'indices' and 'likelihoods', both [V_s, K], as NeMo-RL's x_token writes it."


def save(projection: Projection) -> bytes:
    """W as the bytes of a .pt file. The rules, and which tokenizers it is for, aren't in it."""
    used = projection.weights > 0
    indices = np.where(used, projection.ids, PADDING).astype(np.int64)
    likelihoods = np.array(projection.weights, np.float32)
    content = io.BytesIO()
    torch.save({"indices": torch.from_numpy(indices), "likelihoods": torch.from_numpy(likelihoods)}, content)
    return content.getvalue()


def write(projection: Projection, path: Path) -> None:
    """Saves W at a path, whole or not at all. Raises ProjectionError where that can't be."""
    put(path, save(projection))


def load(content: bytes, name: str, student: Tokenizer, teacher: Tokenizer) -> Projection:
    """W from the bytes of a .pt file that is called `name`; see `imported` for what is made of it.

    Raises ProjectionError where it is something else, or can't be a W of these tokenizers.
    """
    held = _held(_repacked(content, name), name)
    if not isinstance(held, dict):
        raise _refuse(name, f"it holds a {type(held).__name__}, not a dict")
    indices, likelihoods = (_tensor(held, key, name) for key in _DTYPES)
    try:
        return from_arrays(student, teacher, indices.numpy(force=True), likelihoods.numpy(force=True))
    except ProjectionError as error:
        raise ProjectionError(f"{name} can't be used. {error}") from error


def _refuse(name: str, found: str) -> ProjectionError:
    return ProjectionError(f"{name} can't be used: {found}. {_WANTED}")


def _repacked(content: bytes, name: str) -> bytes:
    """The same records in a zip of ours, their sizes checked: another reader may see other records in a stranger's."""
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(name)
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as theirs, zipfile.ZipFile(packed, "w") as ours:
            for record, data in _records(theirs, name):
                ours.writestr(record, data)
    except ProjectionError:
        raise
    except Exception as error:  # zipfile raises what its parts raise: BadZipFile, zlib.error, EOFError, …
        raise _refuse(name, "it is no whole zip, as torch.save writes it") from error
    return packed.getvalue()


def _records(theirs: zipfile.ZipFile, name: str) -> list[tuple[str, bytes]]:
    infos = theirs.infolist()
    if sum(info.file_size for info in infos) > MAX_FILE_BYTES:
        raise _too_large(name)
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):  # its size could be a lie
        raise _refuse(name, "its records are compressed, and torch.save compresses none")
    if len(infos) > MAX_RECORDS or len({info.filename for info in infos}) < len(infos):
        raise _refuse(name, f"its zip has {len(infos):,} records, too many or some of the same name")
    return [(info.filename, theirs.read(info)) for info in infos]


def _too_large(name: str) -> ProjectionError:
    return _refuse(name, f"it is larger than {MAX_FILE_BYTES // 2**20} MiB, or would be when unpacked")


def _held(content: bytes, name: str) -> Any:
    """What the file holds. Only tensors and plain containers are read; code isn't run."""
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle ends in any of them
        raise _refuse(
            name, "it holds code, objects other than tensors, or is broken, and none of it was run"
        ) from error


def _tensor(held: dict[Any, Any], key: str, name: str) -> torch.Tensor:
    found = held.get(key)
    if not isinstance(found, torch.Tensor):
        keys = ", ".join(repr(other) for other in list(held)[:8] if isinstance(other, str)) or "none"
        raise _refuse(name, f"its dict has no tensor {key!r} (its keys: {keys})")
    if found.layout is not torch.strided or found.device.type != "cpu" or found.is_nested:
        raise _refuse(name, f"its tensor {key!r} is sparse, nested or without its numbers")
    if found.dtype is not _DTYPES[key]:
        raise _refuse(name, f"its tensor {key!r} is of type {found.dtype}, not {_DTYPES[key]}")
    if found.ndim != 2 or found.shape[1] > MAX_TOP_K:
        raise _refuse(
            name, f"its tensor {key!r} has the shape {list(found.shape)}, not [V_s, K] with K up to {MAX_TOP_K}"
        )
    if found.numel() * found.element_size() > found.untyped_storage().nbytes():
        raise _refuse(name, f"its tensor {key!r} claims {found.numel():,} numbers and holds fewer")
    return found
