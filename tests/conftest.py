"""Each named tokenizer, and each text made to hurt."""

import os
from collections.abc import Iterator

import pytest

from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog
from xtoken_core.tokenizer import Tokenizer


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache folder is no place for what tests make; the apps that tests start inherit it."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session", params=list(catalog.ENTRIES))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Each named tokenizer in turn."""
    return load(request.param)


@pytest.fixture(params=list(HURTING))
def hurting_text(request: pytest.FixtureRequest) -> str:
    """Each text made to hurt in turn."""
    return HURTING[request.param]
