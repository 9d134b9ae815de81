"""Which part may import which: pages → ui → xtoken_core, and torch only below one line in the core."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW_THE_LINE = ("losses", "distill", "nemo.py")  # the core's folders and files that may import torch

CORE = {
    "xtoken_core",
    "numpy",
    "tokenizers",
    "huggingface_hub",
    "httpx2",
    "platformdirs",
    "safetensors",
    "pyarrow",
}
ALLOWED = {
    "xtoken_core": CORE,
    "ui": {"ui", "xtoken_core", "streamlit", "plotly", "pandas", "numpy"},
    "pages": {"ui", "xtoken_core", "streamlit"},
}


def files(part: str) -> list[Path]:
    return [
        file
        for file in sorted((ROOT / part).rglob("*.py"))
        if not (part == "xtoken_core" and file.relative_to(ROOT / part).parts[0] in BELOW_THE_LINE)
    ]


def imported(source: str) -> Iterator[str]:
    """The package of each import, wherever it stands; "." for a relative one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "").partition(".")[0]


def called(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    assert files(part)
    for file in files(part):
        packages = set(imported(file.read_text())) - set(sys.stdlib_module_names)
        assert packages <= ALLOWED[part], f"{file.relative_to(ROOT)} imports {sorted(packages - ALLOWED[part])}"


def test_an_import_is_seen_wherever_it_stands() -> None:
    source = (
        "import os.path\ndef f():\n    if f:\n        from torch.nn import Linear\n    from . import g\nimport a, b.c"
    )
    assert sorted(imported(source)) == [".", "a", "b", "os", "torch"]


def test_the_core_prints_only_in_the_shell_and_imports_by_no_other_way() -> None:
    for file in files("xtoken_core"):
        calls = set(called(file.read_text()))
        assert not calls & {"__import__", "exec", "eval"}
        assert "print" not in calls or file.name == "cli.py"


def test_the_shell_runs_without_torch_or_streamlit() -> None:
    heavy = ["torch", "transformers", "streamlit", "plotly", "pandas", "huggingface_hub", "llama_models"]
    heavy += ["safetensors", "pyarrow"]
    program = (
        "import json, sys; from xtoken_core import cli; cli.main(['tokenizers', '--json']);"
        f"print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout.splitlines()[-1]) == []


def test_every_module_of_the_core_can_be_imported_alone_without_torch_or_streamlit() -> None:
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files("xtoken_core")
        if file.name != "__main__.py"
    ]
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules}];"
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_no_module_above_the_line_imports_nemo_before_it_is_called() -> None:
    for file in files("xtoken_core"):
        statements = ast.parse(file.read_text()).body
        names = {alias.name for node in statements if isinstance(node, ast.ImportFrom) for alias in node.names}
        modules = {node.module for node in statements if isinstance(node, ast.ImportFrom)}
        assert "nemo" not in names, file.name
        assert "xtoken_core.nemo" not in modules, file.name


def test_building_and_reading_a_projection_needs_no_torch(tmp_path: Path) -> None:
    program = (
        f"import sys; from xtoken_core import cli; file = {str(tmp_path / 'w.safetensors')!r};"
        "assert cli.main(['project', 'gpt2', 'smollm2', '--out', file]) == cli.main(['row', file, '201']) == 0;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
