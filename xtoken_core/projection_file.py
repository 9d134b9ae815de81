"""
W as a file in the safetensors format, and the Ws kept in the user's cache folder.

    __metadata__   schema, and as JSON: student, teacher, options
    tensors        ids, weights, pieces, trimmed, rules, canonical, see `matrix.Projection`

A file is a stranger's: all of it is checked before any of it is used. What is saved passes the same checks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
from platformdirs import user_cache_path

from xtoken_core.errors import ProjectionError
from xtoken_core.files import keep, read_up_to, write_whole
from xtoken_core.matrix import MAX_TOP_K, Bools, Options, Projection, Rule, Side, side_of
from xtoken_core.projection import build
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer
from xtoken_core.vocab import MAX_IDS

SCHEMA = "xtoken-explorer/projection/1"
BUILDER = 2  # another number where `projection.build` makes another W of the same input: what is kept counts no more
MAX_FILE_BYTES = 256 * 2**20  # a million rows of K = 32 fit
MAX_NAME = 4_096
MAX_KEPT = 48  # every ordered pair of the catalogue, some 180 MB, and a few more

# in the file's order, the wider first, so that each starts where its numbers are aligned
_DTYPES = {"ids": "I32", "weights": "F32", "pieces": "I32", "trimmed": "F32", "rules": "U8", "canonical": "BOOL"}
_NUMPY = {"I32": "<i4", "F32": "<f4", "U8": "|u1", "BOOL": "|b1"}
_ROW_SUM_TOLERANCE = 1e-4  # of sums of float32 weights
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BUILD_ANEW = "Choose a file that this tool saved, or build W anew."


def save(projection: Projection) -> bytes:
    """W as the bytes of a file that `load` reads. Raises ProjectionError where it wouldn't."""
    _check(projection, "This W")
    arrays = {name: np.ascontiguousarray(getattr(projection, name), _NUMPY[kind]) for name, kind in _DTYPES.items()}
    content = _container(_metadata(projection), arrays)
    _check_size(len(content), "This W")
    return content


def load(content: bytes, name: str) -> Projection:
    """W from the bytes of a file called `name`. Raises ProjectionError where anything in it isn't as it must be."""
    _check_size(len(content), name)
    tensors = _tensors(content, name)
    metadata = _metadata_of(content)
    _check_schema(metadata.get("schema"), name)
    student, teacher = (_side(metadata, role, name) for role in ("student", "teacher"))
    projection = Projection(student, teacher, _options(metadata, name), **_arrays(tensors, name))
    _check(projection, name)
    return projection


def write(projection: Projection, path: Path) -> None:
    """Saves W at a path, whole or not at all. Raises ProjectionError where that can't be."""
    put(path, save(projection))


def put(path: Path, content: bytes) -> None:
    """A saved W in any format, at a path. Raises ProjectionError where it can't be written."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise ProjectionError(
            f"{path} can't be written: {error.strerror}. Check the folder, and who may write there."
        ) from error


def read(path: Path) -> Projection:
    """The W at a path. Raises ProjectionError as `load`, and where the file can't be read."""
    try:
        content = read_up_to(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ProjectionError(f"{path} can't be read: {error.strerror}. Check the path.") from error
    return load(content, str(path))


def cached(student: Tokenizer, teacher: Tokenizer, options: Options) -> Projection:
    """W as `projection.build` makes it, from the user's cache folder where it's there. Raises as `build`."""
    file = cache_folder() / f"{_key(student, teacher, options)}.safetensors"
    kept = _kept(file)
    if kept and kept.options == options and _is_of(kept.student, student) and _is_of(kept.teacher, teacher):
        # the same files may have other names today
        return replace(kept, student=side_of(student), teacher=side_of(teacher))
    built = build(student, teacher, options=options)
    with suppress(ProjectionError):  # what can't be saved is built each time
        keep(file, save(built))
    _forget_the_oldest(file.parent)
    return built


def cache_folder() -> Path:
    """Where `cached` keeps Ws: at most MAX_KEPT of them, in the user's cache folder."""
    return user_cache_path("xtoken-explorer") / "projections"


def _key(student: Tokenizer, teacher: Tokenizer, options: Options) -> str:
    """A hash over all that W depends on. The config beside a tokenizer.json changes the roles, not its hash."""
    sides = [[side.sha256, sorted(side.vocabulary.specials().items())] for side in (student, teacher)]
    return sha256(json.dumps([SCHEMA, BUILDER, sides, asdict(options)]).encode()).hexdigest()


def _kept(file: Path) -> Projection | None:
    """What is kept there; a file that is broken counts as none, and so does what isn't a file of this folder's own."""
    if file.is_symlink() or not file.is_file():
        return None
    try:
        return read(file)
    except ProjectionError:
        return None


def _is_of(kept: Side, tokenizer: Tokenizer) -> bool:
    return (kept.sha256, kept.ids) == (tokenizer.sha256, len(tokenizer.vocabulary))


def _forget_the_oldest(folder: Path) -> None:
    with suppress(OSError):
        files = [file for file in folder.glob("*.safetensors") if file.is_file()]
        for file in sorted(files, key=lambda file: file.lstat().st_mtime_ns)[:-MAX_KEPT]:
            with suppress(OSError):  # another process may be at it
                file.unlink()


def _container(metadata: Mapping[str, str], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The format: the header's length (8 bytes, little-endian), the header, the tensors end to end.

    The library would write the same, but the metadata in another order each time.
    """
    header: dict[str, Any] = {"__metadata__": metadata}
    start = 0
    for name, array in arrays.items():
        offsets = [start, start := start + array.nbytes]
        header[name] = {"dtype": _DTYPES[name], "shape": array.shape, "data_offsets": offsets}
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    return b"".join([len(written).to_bytes(8, "little"), written, *(array.tobytes() for array in arrays.values())])


def _metadata(projection: Projection) -> dict[str, str]:
    parts = {"student": projection.student, "teacher": projection.teacher, "options": projection.options}
    return {"schema": SCHEMA} | {name: json.dumps(asdict(part) if part else None) for name, part in parts.items()}


def _check_size(size: int, name: str) -> None:
    if size > MAX_FILE_BYTES:
        raise ProjectionError(
            f"{name} is larger than {MAX_FILE_BYTES // 2**20} MiB, and no larger file of a W is read or saved. "
            f"Choose a W with a smaller top-k."
        )


def _refuse(name: str, found: str, do: str = _BUILD_ANEW) -> ProjectionError:
    return ProjectionError(f"{name} can't be used: {found}. {do}")


def _tensors(content: bytes, name: str) -> dict[str, dict[str, Any]]:
    try:
        return dict(safetensors.deserialize(content))  # type: ignore[no-untyped-call]  # the library has no types
    except safetensors.SafetensorError as error:
        raise _refuse(name, f"it is no whole safetensors file ({error})") from error


def _metadata_of(content: bytes) -> dict[str, str]:
    """The library reads it from files only; it has checked the header by now."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(content[8 : 8 + length])
    return header.get("__metadata__") or {}


def _check_schema(schema: str | None, name: str) -> None:
    if schema == SCHEMA:
        return
    if schema and schema.startswith(SCHEMA.rpartition("/")[0] + "/"):
        raise _refuse(
            name,
            f"its schema is {schema!r}, and this version reads {SCHEMA!r}",
            "Update X-Token Explorer, or build W anew.",
        )
    raise _refuse(name, f"it is a safetensors file of something else than a W (its schema: {schema!r})")


def _json(metadata: Mapping[str, str], part: str, name: str) -> Any:
    try:
        return json.loads(metadata[part])
    except (KeyError, ValueError, RecursionError) as error:
        raise _refuse(name, f"its metadata don't tell the {part}") from error


def _side(metadata: Mapping[str, str], role: str, name: str) -> Side:
    found = _json(metadata, role, name)
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Side)}:
        raise _refuse(name, f"its metadata don't tell the {role}'s name, sha256, ids and head_size")
    return Side(**found)


def _options(metadata: Mapping[str, str], name: str) -> Options | None:
    found = _json(metadata, "options", name)
    if found is None:
        return None
    legal: Mapping[str, tuple[type, ...]] = {"top_k": (int,), "max_pieces": (int,), "long": (str,)}
    numbers = (int, float)
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Options)}:
        raise _refuse(name, "its metadata don't tell how it was built")
    wrong = [option for option, value in found.items() if type(value) not in legal.get(option, numbers)]
    if wrong:
        raise _refuse(name, f"its metadata give {wrong[0]} as {found[wrong[0]]!r}")
    try:
        return Options(**found)
    except ProjectionError as error:
        raise _refuse(name, f"it says that it was built in a way that isn't possible ({error})") from error


def _arrays(tensors: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, npt.NDArray[Any]]:
    if tensors.keys() != _DTYPES.keys():
        raise _refuse(name, f"it has the tensors {', '.join(sorted(tensors)) or 'none'}, not {', '.join(_DTYPES)}")
    for tensor, dtype in _DTYPES.items():
        if tensors[tensor]["dtype"] != dtype:
            raise _refuse(name, f"its tensor {tensor} is of type {tensors[tensor]['dtype']}, not {dtype}")
        shape = tensors[tensor]["shape"]
        if len(shape) > 2 or max(shape, default=0) > MAX_IDS:  # NumPy refuses more axes and larger ones
            raise _refuse(name, f"its tensor {tensor} has {len(shape)} axes, or one above {MAX_IDS:,}")
    if np.frombuffer(tensors["canonical"]["data"], np.uint8).max(initial=0) > 1:
        raise _refuse(name, "its tensor canonical holds other bytes than 0 and 1")
    return {
        tensor: np.frombuffer(tensors[tensor]["data"], _NUMPY[dtype]).reshape(tensors[tensor]["shape"])
        for tensor, dtype in _DTYPES.items()
    }


def _check(projection: Projection, name: str) -> None:
    _check_side(projection.student, "student", name)
    _check_side(projection.teacher, "teacher", name)
    _check_shapes(projection, name)
    for bad, what in _faults(projection):
        if bad.any():
            raise _refuse(name, f"its row {int(np.argwhere(bad)[0, 0])} {what}")


def _check_side(side: Side, role: str, name: str) -> None:
    """The types too: a file's JSON may hold any."""
    if not isinstance(side.name, str) or not _is_text(side.name):
        raise _refuse(name, f"the {role}'s name is no text of up to {MAX_NAME:,} characters")
    if not isinstance(side.sha256, str) or not _SHA256.fullmatch(side.sha256):
        raise _refuse(name, f"the {role}'s sha256 is {side.sha256!r}, not 64 hexadecimal digits")
    for number, least in (("ids", 1), ("head_size", side.ids)):
        found = getattr(side, number)
        if type(found) is not int or not least <= found <= MAX_IDS:
            raise _refuse(name, f"the {role}'s {number} is {found!r}, not a number from {least:,} to {MAX_IDS:,}")


def _is_text(name: str) -> bool:
    try:
        return 0 < len(name) <= MAX_NAME and bool(name.encode())
    except UnicodeEncodeError:  # a lone surrogate, which no page can show
        return False


def _check_shapes(projection: Projection, name: str) -> None:
    rows, options = projection.student.ids, projection.options
    columns = projection.ids.shape[1] if projection.ids.ndim == 2 else 0
    if columns != (options.top_k if options else columns) or not 1 <= columns <= MAX_TOP_K:
        wanted = f"{options.top_k}" if options else f"from 1 to {MAX_TOP_K}"
        raise _refuse(name, f"its ids have the shape {list(projection.ids.shape)}; K must be {wanted}")
    for tensor in _DTYPES:
        wanted_shape = (rows, columns) if tensor in ("ids", "weights") else (rows,)
        found = getattr(projection, tensor).shape
        if found != wanted_shape:
            raise _refuse(name, f"its tensor {tensor} has the shape {list(found)}, not {list(wanted_shape)}")


def _faults(projection: Projection) -> Iterator[tuple[Bools, str]]:
    """What can be wrong: the rows [V_s] or places [V_s, K] where it is, and what to say. Each relies on those above."""
    ids, weights, rules, trimmed = projection.ids, projection.weights, projection.rules, projection.trimmed
    yield ~(np.isfinite(weights) & (weights >= 0)), "has a weight that is no number from 0 up"
    yield weights[:, 1:] > weights[:, :-1], "isn't sorted: its weights must fall"
    used, sums, entries = weights > 0, weights.sum(axis=1, dtype=np.float64), projection.lengths()
    yield used[:, 0] & (np.abs(sums - 1) > _ROW_SUM_TOLERANCE), "has weights that sum neither to 1 nor to 0"
    last = projection.teacher.ids - 1
    yield (ids < 0) | (ids > last), f"goes to a teacher id outside 0 to {last}"
    yield ~used & (ids != 0), "names a teacher id where the weight is 0"
    yield _twice(ids, used), "goes to the same teacher id twice"
    yield rules > max(Rule), "was made by a rule that this version doesn't know"
    yield (rules == Rule.EMPTY) == used[:, 0], "is empty by its rule and not by its weights, or the other way round"
    yield (rules == Rule.EXACT) & (entries > 1), "is exact by its rule, but goes to several teacher ids"
    yield projection.pieces < entries, "goes to more teacher ids than it has pieces"
    yield ~((trimmed >= 0) & (trimmed <= 1)), "has a trimmed share that isn't from 0 to 1"


def _twice(ids: Ints, used: Bools) -> Bools:
    """[V_s, K - 1], where a row goes to an id once more; unused places get ids of their own, below 0."""
    places = -1 - np.arange(ids.shape[1], dtype=ids.dtype)
    ordered = np.sort(np.where(used, ids, places), axis=1)
    return np.asarray(ordered[:, 1:] == ordered[:, :-1])
