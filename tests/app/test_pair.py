"""The pair without a browser: what is read for which side, and what only after a question."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.handmade import as_bytes, byte_level, read
from tests.real import load
from xtoken_core import catalog, hub
from xtoken_core.tokenizer import Tokenizer

ROOT = Path(__file__).parents[2]
PAGES = ("alignment", "projection", "coverage")


def page(name: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.switch_page(f"pages/{name}.py")
    for parameter, value in parameters.items():
        app.query_params[parameter] = value
    return app.run()


def told(app: AppTest) -> str:
    return "\n".join(element.value for element in app.text)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def has_button(app: AppTest, label: str) -> bool:
    return label in [button.label for button in app.button]


def upload(app: AppTest, side: str, spec: dict[str, Any]) -> AppTest:
    app.segmented_control(key="side_to_read").set_value(side)
    file = ("tokenizer.json", as_bytes(spec), "application/json")
    return app.file_uploader(key="tokenizer_file").set_value(file).run()


@pytest.mark.parametrize("name", PAGES)
def test_two_different_uploads_of_one_name_stay_two_tokenizers(name: str) -> None:
    student, teacher = byte_level("a", "b", "ab"), byte_level("a", "b", "c", "d")
    app = upload(upload(page(name, student="gpt2", teacher="smollm2"), "Student", student), "Teacher", teacher)
    assert not app.exception
    second = f"tokenizer.json ({read(teacher).sha256[:8]})"
    assert "Student: tokenizer.json, 3 ids, uploaded file" in told(app)
    assert f"Teacher: {second}, 4 ids, uploaded file" in told(app)
    press(app, "Swap")
    assert not app.exception
    assert f"Student: {second}, 4 ids, uploaded file" in told(app)
    assert "Teacher: tokenizer.json, 3 ids, uploaded file" in told(app)


def test_the_same_upload_twice_is_one_tokenizer() -> None:
    spec = byte_level("a", "b", "ab")
    app = upload(upload(page("alignment", student="gpt2", teacher="smollm2"), "Student", spec), "Teacher", spec)
    assert not app.exception
    assert app.session_state["student"] == app.session_state["teacher"] == "uploaded: tokenizer.json"


class Library:
    """Stands in for the catalogue and the hub, and notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def load(self, name: str) -> Tokenizer:
        self.asked.append(name)
        return load(name) if name in catalog.ENTRIES else read(byte_level("a", "b", "Ġ"))

    def fetch(self, name: str) -> None:
        raise AssertionError(f"the hub was asked for {name}")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(catalog, "load", made.load)
    monkeypatch.setattr(hub, "fetch", made.fetch)
    monkeypatch.setattr("socket.socket.connect", made.fetch)
    return made


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("side", ["student", "teacher"])
@pytest.mark.parametrize("elsewhere", ["evil-org/evil-model", "/etc/x", "./x/tokenizer.json", "~x", "..\\x"])
def test_a_link_to_a_hub_or_a_path_asks_before_it_is_read(
    elsewhere: str, side: str, name: str, library: Library
) -> None:
    there = f"{elsewhere}-{name}-{side}"  # what was read in another test is kept
    app = page(name, **{"student": "gpt2", "teacher": "gpt2"} | {side: there})
    assert not app.exception
    assert (
        f"{side.title()}: The link names {there}, which isn't part of this tool. Press Read it if you know who made "
        f"the link: a path is read on this machine, any other such name on the model hub."
    ) in told(app)
    assert set(library.asked) <= {"gpt2"}
    press(app, "Read it")
    assert not app.exception
    assert there in library.asked
    assert not has_button(app, "Read it")
    assert f"{side.title()}: mine.json, 3 ids" in told(app)


def test_a_bare_name_that_is_a_folder_here_asks_too(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    app = page("projection", student="docs", teacher="gpt2")
    assert has_button(app, "Read it")
    assert set(library.asked) <= {"gpt2"}


@pytest.mark.parametrize("name", PAGES)
def test_a_link_that_names_two_asks_once(name: str, library: Library) -> None:
    there = [f"evil-org/{name}-one", f"evil-org/{name}-two"]
    app = page(name, student=there[0], teacher=there[1])
    assert [button.label for button in app.button].count("Read it") == 1
    assert library.asked == []
    press(app, "Read it")
    assert not app.exception
    assert library.asked == there


@pytest.mark.parametrize("name", PAGES)
def test_a_name_that_is_typed_is_read_at_once(name: str, library: Library) -> None:
    app = page(name, student="gpt2", teacher="gpt2")
    app.text_input(key="typed_name").set_value(f"good-org/{name}").run()
    assert not app.exception
    assert library.asked[-1] == f"good-org/{name}"
    assert not has_button(app, "Read it")
    assert "Teacher: mine.json, 3 ids" in told(app)
