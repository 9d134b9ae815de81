"""Small tokenizer.json files written by hand, for what no published one shows."""

import json
from typing import Any

from xtoken_core import catalog
from xtoken_core.tokenizer import Tokenizer

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True}


def byte_level(*forms: str, **parts: Any) -> dict[str, Any]:
    """A byte-level BPE of these forms, numbered 0, 1, …; `parts` replace parts of the file."""
    return _file(forms, {"pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL} | parts)


def sentence_piece(*forms: str, **parts: Any) -> dict[str, Any]:
    """A SentencePiece style BPE of these forms, numbered 0, 1, …; `parts` replace parts of the file."""
    return _file(forms, {"pre_tokenizer": METASPACE, "decoder": METASPACE} | parts)


def _file(forms: tuple[str, ...], parts: dict[str, Any]) -> dict[str, Any]:
    splits = [(form[:cut], form[cut:]) for form in forms for cut in range(1, len(form))]
    merges = [list(split) for split in splits if set(split) <= set(forms)]
    model = {"type": "BPE", "vocab": {form: k for k, form in enumerate(forms)}, "merges": merges}
    return {"version": "1.0", "added_tokens": [], "model": model} | parts


def added(token: int, form: str, **flags: bool) -> dict[str, Any]:
    """An added token: special, and searched in the text as it stands, unless `flags` say otherwise."""
    default = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    return {"id": token, "content": form} | default | flags


def template(form: str, token: int) -> dict[str, Any]:
    """A post-processor that puts a special token in front."""
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": form, "type_id": 0}}, text],
        "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {form: {"id": form, "ids": [token], "tokens": [form]}},
    }


def as_bytes(spec: Any) -> bytes:
    return json.dumps(spec).encode()


def read(spec: Any) -> Tokenizer:
    """The file as a user would upload it."""
    return catalog.from_upload("mine.json", as_bytes(spec))
