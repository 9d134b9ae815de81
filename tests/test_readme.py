"""What the README shows is what the program does."""

import doctest
import re
import shlex

import pytest

from tests.running import ROOT
from xtoken_core.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"```console\n\$ python -m xtoken_core (.+?)\n(.*?)```", re.DOTALL)


def test_its_python_examples_are_true() -> None:
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried >= 4


def test_its_shell_examples_are_true(capsys: pytest.CaptureFixture[str]) -> None:
    examples = CONSOLE.findall(README)
    assert examples
    for arguments, shown in examples:
        assert main(shlex.split(arguments)) == 0
        assert capsys.readouterr().out == shown


def test_every_file_that_it_names_exists() -> None:
    tour = README[README.index("## The files") : README.index("## Words")]
    named = [name for name in re.findall(r"`([^`]+)`", tour) if "/" in name or name == "app.py"]
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_its_picture_exists() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
