"""
Tokenizer files of a model hub's repository: four small JSON files, never weights, never code.

    Qwen/Qwen3-8B@main  ->  tokenizer.json of that revision  ->  the other files of the same commit

Each file comes from the network or the hub's local cache; where no hub answers, all of them from the cache.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xtoken_core.errors import TokenizerError

TOKENIZER = "tokenizer.json"
CONFIG_FILES = ("tokenizer_config.json", "special_tokens_map.json", "config.json")
LICENCE_UNKNOWN = "see its model card on the hub"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of one commit. configs: those of CONFIG_FILES that the repository has."""

    tokenizer_json: bytes
    configs: Mapping[str, bytes]
    source: str
    licence: str


def fetch(name: str) -> Fetched:
    """`org/model` or `org/model@revision`. Raises TokenizerError with the cause and the next step."""
    repository, _, revision = name.partition("@")
    revision = revision or "main"
    with _explained(repository, revision):
        try:
            tokenizer = _download(repository, TOKENIZER, revision)
        except Exception as error:
            cached = _cached(repository, revision) if _is_silence(error) else {}
            if not cached:
                raise
            return _read(repository, cached, LICENCE_UNKNOWN)
        commit = tokenizer.parent.name
        configs = {file: path for file in CONFIG_FILES if (path := _config(repository, file, commit))}
        return _read(repository, {TOKENIZER: tokenizer} | configs, _licence(repository, commit))


@contextmanager
def _explained(repository: str, revision: str) -> Iterator[None]:
    """Turns whatever the hub's library raises into a sentence for the user."""
    # imported here, as in every function below: it takes a while, and only a hub id needs it
    import httpx2
    from huggingface_hub import errors as hub_errors

    try:
        yield
    except hub_errors.HFValidationError as error:
        raise TokenizerError(f"{repository!r} is no hub id: {error} Type it as organisation/model.") from error
    except hub_errors.GatedRepoError as error:
        raise TokenizerError(
            f"The hub's repository {repository} is gated. Accept its terms on the hub's page, "
            f"then log in here with: hf auth login."
        ) from error
    except hub_errors.RepositoryNotFoundError as error:
        raise TokenizerError(
            f"The hub has no repository {repository}, or this machine may not see it. "
            f"Check the spelling; for a private one log in with: hf auth login."
        ) from error
    except hub_errors.RevisionNotFoundError as error:
        raise TokenizerError(
            f"The hub's repository {repository} has no revision {revision!r}. "
            f"Leave out @{revision} for its main branch."
        ) from error
    except hub_errors.RemoteEntryNotFoundError as error:
        raise TokenizerError(
            f"The hub's repository {repository} has no {TOKENIZER} at {revision}, so no fast tokenizer. "
            f"Choose a repository that has one, or convert the tokenizer with transformers and upload the file."
        ) from error
    # the hub's faster download protocol raises RuntimeError
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError) as error:
        raise TokenizerError(
            f"The hub didn't give {repository} ({_cause(error)}). "
            f"Check the network and try again, choose a bundled tokenizer, or upload a {TOKENIZER}."
        ) from error


def _cause(error: Exception) -> str:
    """What the hub answered, or why it didn't."""
    from huggingface_hub import errors as hub_errors

    if isinstance(error, hub_errors.HfHubHTTPError):
        status = f"HTTP {error.response.status_code} {error.response.reason_phrase}"
        return ": ".join(filter(None, (status, error.server_message)))
    return str(error) or type(error).__name__


def _is_silence(error: Exception) -> bool:
    """Whether there was no hub's answer at all, or one that says "later": then the cache is as good as it gets."""
    import httpx2
    from huggingface_hub import errors as hub_errors

    if isinstance(error, hub_errors.HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError))


def _download(repository: str, file: str, revision: str) -> Path:
    """One file, from the network unless the cache has it at the same commit; the cache notes the revision's commit."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    # asked first: hf_hub_download repeats a question that was refused for half a minute, this one doesn't
    get_hf_file_metadata(hf_hub_url(repository, file, revision=revision), timeout=TIMEOUT_SECONDS)
    return Path(hf_hub_download(repository, file, revision=revision, etag_timeout=TIMEOUT_SECONDS))


def _config(repository: str, file: str, commit: str) -> Path | None:
    """A file beside the tokenizer.json; None where the repository lacks it."""
    from huggingface_hub import errors as hub_errors
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file, revision=commit)
    if isinstance(cached, str):
        return Path(cached)
    try:
        return _download(repository, file, commit)
    except hub_errors.RemoteEntryNotFoundError:
        return None


def _cached(repository: str, revision: str) -> dict[str, Path]:
    """The files that the local cache has of a revision; none without a tokenizer.json."""
    from huggingface_hub import try_to_load_from_cache

    found = {file: try_to_load_from_cache(repository, file, revision=revision) for file in (TOKENIZER, *CONFIG_FILES)}
    files = {file: Path(path) for file, path in found.items() if isinstance(path, str)}
    return files if TOKENIZER in files else {}


def _licence(repository: str, commit: str) -> str:
    """The licence on the model card. It decides nothing, so a hub that doesn't tell is no error."""
    from huggingface_hub import HfApi

    try:
        card = HfApi().model_info(repository, revision=commit, timeout=TIMEOUT_SECONDS).card_data
    except Exception:  # the answer may be anything, also no JSON
        return LICENCE_UNKNOWN
    return str(getattr(card, "license", None) or LICENCE_UNKNOWN)


def _read(repository: str, files: Mapping[str, Path], licence: str) -> Fetched:
    return Fetched(
        files[TOKENIZER].read_bytes(),
        {file: path.read_bytes() for file, path in files.items() if file != TOKENIZER},
        source=f"hub: {repository} at {files[TOKENIZER].parent.name[:12]}",
        licence=licence,
    )
