"""
What a special token is for, by its text: the names that let two vocabularies' markers meet.

A tokenizer.json says that a token is special, not what for. The table holds the markers of the model families
that we know; any other special token's role is its own text, so that it meets only itself.
"""

from collections.abc import Mapping
from typing import Any

ROLE_OF_FORM: Mapping[str, str] = {
    form: role
    for role, forms in {
        "bos": ("<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>", "<｜begin▁of▁sentence｜>", "[BOS]", "[CLS]"),
        "eos": ("<|end_of_text|>", "</s>", "<eos>", "<|endoftext|>", "<｜end▁of▁sentence｜>", "[EOS]", "[SEP]"),
        "pad": ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>", "<｜▁pad▁｜>"),
        "unk": ("<unk>", "[UNK]", "<|unk|>"),
        "turn_start": ("<|im_start|>", "<|start_header_id|>", "<|start|>", "<start_of_turn>", "[INST]"),
        "turn_end": ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "[/INST]"),
        "header_end": ("<|end_header_id|>", "<|message|>"),
        "message_end": ("<|eom_id|>",),
        "user_start": ("<|user|>",),
        "assistant_start": ("<|assistant|>",),
        "system_start": ("<|system|>",),
        "fim_prefix": ("<|fim_prefix|>", "<fim_prefix>"),
        "fim_middle": ("<|fim_middle|>", "<fim_middle>"),
        "fim_suffix": ("<|fim_suffix|>", "<fim_suffix>"),
        "repository_name": ("<|repo_name|>", "<repo_name>"),
        "file_separator": ("<|file_sep|>", "<file_sep>"),
    }.items()
    for form in forms
}


def role_of(form: str, declared: Mapping[str, str]) -> str:
    """The role of a special token's text; `declared` names those that the table doesn't know.

    >>> role_of("<s>", {}), role_of("<|mine|>", {"<|mine|>": "bos"}), role_of("<|other|>", {})
    ('bos', 'bos', '<|other|>')
    """
    return ROLE_OF_FORM.get(form) or declared.get(form, form)


def declared_roles(config: Mapping[str, Any]) -> dict[str, str]:
    """Roles that a tokenizer_config.json or special_tokens_map.json declares, as text -> role.

    >>> declared_roles({"eos_token": {"content": "<|stop|>"}, "pad_token": "<|stop|>", "bos_token": None})
    {'<|stop|>': 'eos'}
    """
    declared: dict[str, str] = {}
    # a padding token is often the end-of-text token again: the first role that is named here stays
    for role in ("bos", "eos", "unk", "pad"):
        value = config.get(f"{role}_token")
        form = value.get("content") if isinstance(value, dict) else value
        if isinstance(form, str):
            declared.setdefault(form, role)
    return declared
