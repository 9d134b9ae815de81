"""Real tokenizers, read once, and texts made to hurt."""

from functools import cache

import pytest

from tests.hurt import HURTING
from xtoken_core import catalog
from xtoken_core.tokenizer import Tokenizer


@cache
def load(name: str) -> Tokenizer:
    return catalog.load(name)


@pytest.fixture(scope="session", params=list(catalog.ENTRIES))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Each named tokenizer in turn."""
    return load(request.param)


@pytest.fixture(params=list(HURTING))
def hurting_text(request: pytest.FixtureRequest) -> str:
    """Each text made to hurt in turn."""
    return HURTING[request.param]
