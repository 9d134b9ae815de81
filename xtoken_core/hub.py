"""
Tokenizer files of a model hub's repository: four small JSON files, never weights, never code.

    Qwen/Qwen3-8B@main  ->  ask the hub for the commit  ->  tokenizer.json of that commit, from cache or network
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xtoken_core.errors import TokenizerError

CONFIG_FILES = ("tokenizer_config.json", "special_tokens_map.json", "config.json")
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
    commit, licence = _commit(repository, revision or "main")
    tokenizer = _file(repository, commit, "tokenizer.json")
    if tokenizer is None:
        raise TokenizerError(
            f"The hub's repository {repository} has no tokenizer.json at {revision or 'main'}, so no fast tokenizer. "
            f"Choose a repository that has one, or convert the tokenizer with transformers and upload the file."
        )
    configs = {file: _file(repository, commit, file) for file in CONFIG_FILES}
    return Fetched(
        tokenizer.read_bytes(),
        {file: path.read_bytes() for file, path in configs.items() if path is not None},
        source=f"hub: {repository} at {commit[:12]}",
        licence=licence,
    )


def _commit(repository: str, revision: str) -> tuple[str, str]:
    """The commit that a revision names and the licence on the model card; from the local cache where no hub answers."""
    # imported here: it takes a while, and only a hub id needs it
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub_errors

    try:
        info = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT_SECONDS)
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
    except hub_errors.HfHubHTTPError as error:
        raise TokenizerError(f"The hub refused {repository}: {error}. Try again later.") from error
    except (httpx2.HTTPError, OSError) as error:
        return _cached_commit(repository, revision, error), "see its model card on the hub"
    return str(info.sha), str(getattr(info.card_data, "license", None) or "see its model card on the hub")


def _cached_commit(repository: str, revision: str, cause: Exception) -> str:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, "tokenizer.json", revision=revision)
    if not isinstance(path, str):
        raise TokenizerError(
            f"The hub can't be reached for {repository} ({cause}), and its tokenizer isn't in the local cache. "
            f"Check the network, choose a bundled tokenizer, or upload a tokenizer.json."
        ) from cause
    return Path(path).parent.name


def _file(repository: str, commit: str, file: str) -> Path | None:
    """One file of a commit, from the cache or the network; None where the repository lacks it."""
    import httpx2
    from huggingface_hub import errors as hub_errors
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file, revision=commit)
    if isinstance(cached, str):
        return Path(cached)
    try:
        return Path(hf_hub_download(repository, file, revision=commit, etag_timeout=TIMEOUT_SECONDS))
    except hub_errors.LocalEntryNotFoundError:
        return None  # offline, and this file was never fetched: the cached tokenizer.json is used without it
    except hub_errors.EntryNotFoundError:
        return None
    except (httpx2.HTTPError, OSError) as error:
        raise TokenizerError(
            f"{file} of the hub's repository {repository} couldn't be fetched: {error}. "
            f"Try again, choose a bundled tokenizer, or upload a tokenizer.json."
        ) from error
