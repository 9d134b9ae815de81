"""
The token view as one HTML file: the same script and style as in the app, the payload beside them, nothing to load.

The file carries text of unknown authors. The payload stands in it as JSON in which no character can end a script,
and the policy lets run this one script and apply these styles, and forbids every connection.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPT = (FOLDER / "view.js").read_text(encoding="utf-8")
STYLE = (FOLDER / "view.css").read_text(encoding="utf-8")

# the variables that Streamlit's theme gives to the view, for both of the reader's colour schemes
_THEME = """
:root {
  color-scheme: light dark;
  --st-font: system-ui, sans-serif;
  --st-code-font: "SF Mono", Menlo, Consolas, "Source Code Pro", "Noto Sans Mono", "Liberation Mono", monospace;
  --st-text-color: #15191e; --st-background-color: #ffffff; --st-primary-color: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root { --st-text-color: #eef1f4; --st-background-color: #0f1317; --st-primary-color: #56b4e9; }
}
body { margin: 0; padding: 1.5rem clamp(1rem, 4vw, 4rem); background: var(--st-background-color); }
body { color: var(--st-text-color); font-family: var(--st-font); }
footer { margin-top: 2rem; font-size: 0.8125rem; overflow-wrap: anywhere; opacity: 0.85; }
footer p { margin: 0 0 0.375rem; }
h1 { font-size: 1.25rem; font-weight: 600; margin: 0 0 1rem; }
"""

_START = """
const byId = (id) => document.getElementById(id);
const ignore = () => {};
tokenView({
  data: JSON.parse(byId("payload").textContent),
  parentElement: byId("view"),
  setStateValue: ignore,
  setTriggerValue: ignore,
});
"""


def standalone_page(payload: Mapping[str, object], title: str, notes: Sequence[str] = ()) -> str:
    """One self-contained HTML file that shows `payload`; `notes` are sentences below it."""
    script, style = SCRIPT + _START, _THEME + STYLE
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<main id="view"></main>
<footer>{"".join(f"<p>{escape(note)}</p>" for note in notes)}</footer>
<script id="payload" type="application/json">{_json(payload)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _hash(inline: str) -> str:
    """An inline script or style as a Content-Security-Policy names it."""
    return f"sha256-{base64.b64encode(sha256(inline.encode()).digest()).decode()}"


def _json(payload: Mapping[str, object]) -> str:
    r"""JSON that HTML can't read as anything else.

    >>> _json({"form": "</script>"})
    '{"form":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
