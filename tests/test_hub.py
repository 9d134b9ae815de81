"""A hub id: what is asked of a hub, what comes from the cache, and every refusal as a sentence."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.handmade import added, as_bytes, byte_level
from xtoken_core import catalog, hub
from xtoken_core.errors import TokenizerError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLDER = "f" * 40
TOKENIZER_JSON = as_bytes(byte_level("a", "b", "ab", added_tokens=[added(3, "<|stop|>")]))
FILES = {
    "tokenizer.json": TOKENIZER_JSON,
    "tokenizer_config.json": b'{"eos_token": "<|stop|>"}',
    "config.json": b'{"vocab_size": 64}',
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"pickle",
    "modeling.py": b"raise SystemExit",
}
SOON = 8  # seconds; a question that is repeated as the hub's library likes takes over twenty


@dataclass
class Hub:
    """A hub with one repository, org/model; `answers` says what else than the repository a request gets."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT, "v1": OLDER})
    card: Any = field(default_factory=lambda: {"license": "apache-2.0"})
    # (status, headers, body) for a method and path, or None for the repository's own answer
    answers: Callable[[str, str], tuple[int, dict[str, str], bytes] | None] = lambda _method, _path: None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((method, path))
        return self.answers(method, path) or self._own_answer(path)

    def _own_answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        asked = re.fullmatch(r"/api/models/org/model/revision/(.+)|/org/model/resolve/([^/]+)/(.+)", path)
        if not asked:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        commit = self._commit(asked[1] or asked[2])
        if not commit:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if asked[1]:
            return 200, {}, json.dumps({"id": "org/model", "sha": commit, "cardData": self.card}).encode()
        if asked[3] not in self.files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        content = self.files[asked[3]]
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{sha1(content).hexdigest()}"'}, content

    def _commit(self, revision: str) -> str | None:
        return revision if revision in self.revisions.values() else self.revisions.get(revision)

    def asked_for(self) -> set[str]:
        return {path.split("/", 5)[-1] for _, path in self.requests if "/resolve/" in path}


def handler(model_hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = model_hub.answer(self.command, self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def served(model_hub: Hub) -> Iterator[str]:
    """The address at which the hub answers, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(model_hub))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def asking(address: str, cache: Path) -> Iterator[None]:
    """The hub's library asks this address, with this cache and without anybody's account."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("HF_TOKEN", raising=False)
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no-token"))
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        patch.setattr(constants, "ENDPOINT", address)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        huggingface_hub.close_session()  # a session remembers the proxies of its start
        yield
    huggingface_hub.close_session()


@pytest.fixture
def model_hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub that answers, behind an empty cache."""
    playing = Hub()
    with served(playing) as address, asking(address, tmp_path):
        yield playing


@contextmanager
def quickly() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON


def refusing(status: int, *, only: str = "", method: str = "", **headers: str) -> Any:
    """Answers with this status wherever `only` is in the path."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked, path: (status, named, b"") if only in path and asked.startswith(method) else None


@pytest.mark.usefixtures("model_hub")
def test_a_hub_id_is_a_tokenizer_with_its_roles_head_and_licence() -> None:
    tokenizer = catalog.load("org/model")
    assert tokenizer.encode("ab<|stop|>").ids.tolist() == [2, 3]
    assert tokenizer.vocabulary.roles == {3: "eos"}
    assert tokenizer.vocabulary.head_size == 64
    assert tokenizer.provenance.source == "hub: org/model at 0123456789ab"
    assert tokenizer.provenance.licence == "apache-2.0"
    assert tokenizer.name == "org/model"


def test_nothing_but_four_json_files_is_asked_for(model_hub: Hub) -> None:
    catalog.load("org/model")
    assert model_hub.asked_for() == {"tokenizer.json", *hub.CONFIG_FILES}
    assert all(file.endswith(".json") for file in model_hub.asked_for())
    assert {method for method, _ in model_hub.requests} == {"HEAD", "GET"}


@pytest.mark.usefixtures("model_hub")
def test_a_revision_is_asked_for_by_its_name() -> None:
    assert catalog.load("org/model@v1").provenance.source == "hub: org/model at ffffffffffff"
    assert catalog.load(f"org/model@{COMMIT}").provenance.source == "hub: org/model at 0123456789ab"


def test_a_repository_may_have_no_other_file(model_hub: Hub) -> None:
    model_hub.files = {"tokenizer.json": TOKENIZER_JSON}
    model_hub.card = None
    tokenizer = catalog.load("org/model")
    assert tokenizer.vocabulary.roles == {3: "<|stop|>"}
    assert tokenizer.vocabulary.head_size == 4
    assert tokenizer.provenance.licence == "see its model card on the hub"


def test_a_second_load_fetches_no_file_again(model_hub: Hub) -> None:
    catalog.load("org/model")
    model_hub.requests.clear()
    catalog.load("org/model")
    assert not [path for method, path in model_hub.requests if method == "GET" and "/resolve/" in path]


def test_a_new_commit_of_the_branch_is_fetched(model_hub: Hub) -> None:
    catalog.load("org/model")
    model_hub.revisions["main"] = "a" * 40
    model_hub.files["tokenizer.json"] = as_bytes(byte_level("a", "b"))
    tokenizer = catalog.load("org/model")
    assert tokenizer.provenance.source == "hub: org/model at aaaaaaaaaaaa"
    assert len(tokenizer.vocabulary) == 2


@pytest.mark.parametrize("name", ["org/model", "org/model@v1", f"org/model@{COMMIT}"])
@pytest.mark.parametrize("files", [FILES, {"tokenizer.json": TOKENIZER_JSON}], ids=["all files", "one file"])
def test_what_was_fetched_once_loads_without_a_hub(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    model_hub = Hub(files=files)
    with served(model_hub) as address, asking(address, tmp_path):
        online = catalog.load(name)
    with asking(address, tmp_path), quickly():
        offline = catalog.load(name)
    assert offline.sha256 == online.sha256
    assert offline.vocabulary.roles == online.vocabulary.roles
    assert offline.vocabulary.head_size == online.vocabulary.head_size
    assert offline.provenance.source == online.provenance.source
    assert offline.provenance.licence == "see its model card on the hub"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_was_fetched_once_loads_while_the_hub_has_a_bad_day(status: int, model_hub: Hub) -> None:
    online = catalog.load("org/model")
    model_hub.answers = refusing(status)
    with quickly():
        assert catalog.load("org/model").provenance.source == online.provenance.source


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("only", ["", "/resolve/"])  # the hub shows a gated repository's card to everybody
def test_a_gated_repository_says_where_its_terms_are(status: int, only: str, model_hub: Hub) -> None:
    model_hub.answers = refusing(status, only=only, X_Error_Code="GatedRepo")
    with quickly(), pytest.raises(TokenizerError, match=r"org/model is gated\. Accept its terms .*: hf auth login\."):
        catalog.load("org/model")


@pytest.mark.parametrize("name", ["org/no-such-model", "nobody/model", "org/no-such-model@v1"])
def test_a_repository_that_is_not_there_is_told(name: str, model_hub: Hub) -> None:
    with (
        quickly(),
        pytest.raises(
            TokenizerError,
            match=r"The hub has no repository \S+/\S+, or this machine may not see it\. Check the spelling; .*login",
        ),
    ):
        catalog.load(name)
    assert all(method == "HEAD" for method, _ in model_hub.requests)


@pytest.mark.usefixtures("model_hub")
def test_a_revision_that_is_not_there_is_told() -> None:
    sentence = r"org/model has no revision 'v9'\. Leave out @v9 for its main branch\."
    with quickly(), pytest.raises(TokenizerError, match=sentence):
        catalog.load("org/model@v9")


def test_a_repository_without_a_tokenizer_json_is_told(model_hub: Hub) -> None:
    del model_hub.files["tokenizer.json"]
    sentence = r"org/model has no tokenizer\.json at main, .*\. Choose a repository that has one, or convert"
    with quickly(), pytest.raises(TokenizerError, match=sentence):
        catalog.load("org/model")


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
@pytest.mark.parametrize("only", ["", "tokenizer.json", "special_tokens_map.json"])
def test_a_hub_that_refuses_is_told_at_once(status: int, only: str, model_hub: Hub) -> None:
    model_hub.answers = refusing(status, only=only, Retry_After="300")
    with (
        quickly(),
        pytest.raises(
            TokenizerError,
            match=rf"The hub didn't give org/model \(.*{status}.*\)\. Check the network and try again, choose a bundl",
        ) as raised,
    ):
        catalog.load("org/model")
    assert "\n" not in str(raised.value)


def test_what_the_hub_says_to_its_refusal_is_told(model_hub: Hub) -> None:
    model_hub.answers = refusing(403, X_Error_Message="Access to this resource is disabled.")
    with pytest.raises(
        TokenizerError, match=r"org/model \(HTTP 403 Forbidden: Access to this resource is disabled\.\)"
    ):
        catalog.load("org/model")


def test_a_download_that_fails_is_told(model_hub: Hub) -> None:
    model_hub.answers = refusing(500, only="/resolve/", method="GET")
    with quickly(), pytest.raises(TokenizerError, match=r"The hub didn't give org/model \(.*500.*\)\. Check the netw"):
        catalog.load("org/model")


def test_a_licence_that_the_hub_does_not_tell_is_no_error(model_hub: Hub) -> None:
    for status, body in ((500, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}")):
        model_hub.answers = lambda _, path, answer=(status, {}, body): answer if "/api/" in path else None
        assert catalog.load("org/model").provenance.licence == "see its model card on the hub"


def test_a_page_in_place_of_the_hub_is_told(model_hub: Hub) -> None:
    model_hub.answers = lambda _, __: (
        200,
        {"Content-Type": "text/html"},
        b"<html>Please log in to this network</html>",
    )
    with quickly(), pytest.raises(TokenizerError, match=r"The hub didn't give org/model \(.*X-Repo-Commit.*\)\. Check"):
        catalog.load("org/model")


def test_a_tokenizer_json_that_is_none_is_told(model_hub: Hub) -> None:
    model_hub.files["tokenizer.json"] = b"version https://git-lfs.github.com/spec/v1"
    with pytest.raises(TokenizerError, match=r"org/model is not JSON"):
        catalog.load("org/model")


def test_a_refused_connection_is_told_at_once(tmp_path: Path) -> None:
    with served(Hub()) as address:
        pass
    with (
        asking(address, tmp_path),
        quickly(),
        pytest.raises(
            TokenizerError,
            match=r"The hub didn't give org/model \(.*\)\. Check the network and try again, choose a bundled",
        ),
    ):
        catalog.load("org/model")


def test_a_hub_that_says_nothing_is_not_waited_for_twice(model_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: str, __: str) -> None:
        time.sleep(2)

    model_hub.answers = silent
    monkeypatch.setattr(hub, "TIMEOUT_SECONDS", 0.3)
    start = time.monotonic()
    with pytest.raises(TokenizerError, match=r"The hub didn't give org/model \(.*timed out.*\)\. Check the network"):
        catalog.load("org/model")
    assert time.monotonic() - start < 1.5


def test_offline_mode_is_told(model_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    with (
        quickly(),
        pytest.raises(TokenizerError, match=r"The hub didn't give org/model \(.*offline.*\)\. Check the net"),
    ):
        catalog.load("org/model")
    assert model_hub.requests == []


@pytest.mark.parametrize("name", ["org/--model", "-org/model", "org/model.", "org/a--b"])
def test_an_id_that_no_hub_allows_is_told_without_asking(name: str, model_hub: Hub) -> None:
    with pytest.raises(TokenizerError, match=r"is no hub id: .* Type it as organisation/model\."):
        catalog.load(name)
    assert model_hub.requests == []


@pytest.mark.usefixtures("model_hub")
@pytest.mark.parametrize("revision", ["..", "../../../etc/passwd", "refs/pr/1", "./x"])
def test_a_revision_can_not_leave_the_cache(revision: str, tmp_path: Path) -> None:
    before = set(tmp_path.parent.iterdir())
    with pytest.raises(TokenizerError, match=r"The hub"):
        catalog.load(f"org/model@{revision}")
    assert set(tmp_path.parent.iterdir()) == before


def test_in_a_shell_a_refusal_is_one_line(tmp_path: Path) -> None:
    model_hub = Hub(answers=refusing(503))
    with served(model_hub) as address:
        environment = os.environ | {
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path),
            "HF_HUB_CACHE": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "xtoken_core", "align", "gpt2", "org/model", "--text", "a"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"xtoken_core: The hub didn't give org/model \(.*503.*\)\. Check .*\n", ran.stderr)
