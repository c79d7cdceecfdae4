"""How much a template may do: numbers of steps, characters and digits, so that a bad one fails instead of hanging.

Python cannot interrupt one long call, so every operation that grows faster than its operands is measured first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT = 10_000_000  # characters of one text; the longest context windows hold less
MAX_STEPS = 1_000_000  # loop rounds and calls of one rendering
MAX_SECONDS = 10.0
MAX_RANGE = 100_000
MAX_ITEMS = 1_000_000
MAX_BITS = 100_000  # of a whole number
MAX_WIDTH = 100_000  # padding, precision, tab stops

_NUMBER = re.compile(r"\d{6,}")
_PERCENT_WIDTH = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(?:\*|\d{6,}|\d*\.(?:\*|\d{6,}))")


class LimitReached(Exception):
    """A template asked for too much; the text says of what."""


def check_text(length: int) -> None:
    """Refuse a text of more than ``MAX_TEXT`` characters before it is made."""
    if length > MAX_TEXT:
        raise LimitReached(f"the template makes a text of more than {MAX_TEXT:,} characters")


def check_width(*numbers: object) -> None:
    """Refuse padding, precision and group counts beyond ``MAX_WIDTH``."""
    for number in numbers:
        if isinstance(number, int) and abs(number) > MAX_WIDTH:
            raise LimitReached(f"the template asks for a width of {number:,}; {MAX_WIDTH:,} is the most")


def check_items(count: int) -> None:
    """Refuse a list of more than ``MAX_ITEMS``."""
    if count > MAX_ITEMS:
        raise LimitReached(f"the template makes a list of more than {MAX_ITEMS:,} items")


def check_format_spec(spec: str) -> None:
    """Refuse ``{:1000000000}``."""
    if _NUMBER.search(spec):
        raise LimitReached(f"the format {spec!r} asks for too wide a field")


def check_percent(text: str) -> None:
    """Refuse ``%1000000000d`` and ``%*d``."""
    if _PERCENT_WIDTH.search(text):
        raise LimitReached(f"the format {text[:80]!r} asks for too wide a field")


def check_value(value: Any) -> None:
    """Refuse a nested value whose text would be too long: shared lists can double at every level."""
    left, todo = MAX_ITEMS, [value]
    while todo:
        item = todo.pop()
        left -= 1
        if isinstance(item, Mapping):
            left -= len(item)
            todo.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            todo.extend(item)
        elif isinstance(item, (str, bytes)):
            left -= len(item) // 16
        if left < 0 or len(todo) > MAX_ITEMS:
            raise LimitReached("the template writes a nested value with more than a million parts")


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Measure ``left operator right`` for ``+ * ** %``."""
    if operator == "*":
        _check_product(left, right)
    elif operator == "+":
        if isinstance(left, str) and isinstance(right, str):
            check_text(len(left) + len(right))
        elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            check_items(len(left) + len(right))
    elif operator == "**":
        if isinstance(left, int) and isinstance(right, int) and abs(right) * left.bit_length() > MAX_BITS:
            raise LimitReached("the template computes a number with too many digits")
    elif isinstance(left, (str, bytes)):
        check_percent(left if isinstance(left, str) else left.decode("latin-1"))
        check_value(right)


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MAX_BITS:
            raise LimitReached("the template computes a number with too many digits")
        return
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int):
            if isinstance(sequence, (str, bytes)):
                check_text(len(sequence) * times)
            elif isinstance(sequence, (list, tuple)):
                check_items(len(sequence) * times)


def check_method(owner: object, name: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
    """Measure a call of a method of a built-in text or number."""
    if name in {"ljust", "rjust", "center", "zfill", "expandtabs", "to_bytes"}:
        check_width(*arguments, *keywords.values())
        if name == "expandtabs" and isinstance(owner, (str, bytes)):
            tab: Any = "\t" if isinstance(owner, str) else b"\t"
            check_text(owner.count(tab) * int((*arguments, *keywords.values(), 8)[0]))
    elif name == "replace" and isinstance(owner, (str, bytes)) and len(arguments) >= 2:
        check_replace(owner, arguments[0], arguments[1])
    elif name == "join" and isinstance(owner, (str, bytes)) and arguments and isinstance(arguments[0], (list, tuple)):
        check_join(len(owner), arguments[0])
    elif name == "translate" and isinstance(owner, str) and arguments and isinstance(arguments[0], Mapping):
        longest = max((len(text) for text in arguments[0].values() if isinstance(text, str)), default=1)
        check_text(len(owner) * longest)


def check_replace(text: Any, old: Any, new: Any) -> None:
    """Measure ``text.replace(old, new)``."""
    if isinstance(text, (str, bytes)) and isinstance(old, type(text)) and isinstance(new, (str, bytes)):
        check_text(len(text) + text.count(old) * len(new))  # type: ignore[arg-type]  # both sides are of one type here


def check_join(separator: int, items: Iterable[Any]) -> None:
    """Measure a join of ``items`` by a separator of so many characters."""
    check_text(sum(separator + (len(item) if isinstance(item, (str, bytes)) else 1) for item in items))
