"""JSON inside an HTML file: no character in it can end the element that holds it."""

from __future__ import annotations

import json
import re
from typing import Any

# "<", ">" and "&" end or open markup, U+2028 and U+2029 end a line in older script engines, a lone surrogate cannot be
# written as UTF-8, and the other control characters make HTML parsers complain. JSON reads each back from its escape.
_UNSAFE = re.compile(r"[<>&\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")


def embed(value: Any) -> str:
    """``value`` as JSON that is safe as the text of a ``<script type="application/json">``.

    Args:
        value: Plain JSON values; NaN and Infinity must have been replaced before (``Clip`` does).

    Raises:
        ValueError: A float that JSON cannot hold.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(_escape, text)


def data_element(name: str, json_text: str) -> str:
    """The element that holds ``json_text`` (from ``embed``); ``name`` is our own word, never a record's."""
    return f'<script type="application/json" id="{name}">{json_text}</script>\n'


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
