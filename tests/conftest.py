"""Each named tokenizer, and each text made to hurt."""

import pytest

from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog
from xtoken_core.tokenizer import Tokenizer


@pytest.fixture(scope="session", params=list(catalog.ENTRIES))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Each named tokenizer in turn."""
    return load(request.param)


@pytest.fixture(params=list(HURTING))
def hurting_text(request: pytest.FixtureRequest) -> str:
    """Each text made to hurt in turn."""
    return HURTING[request.param]
