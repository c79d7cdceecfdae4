r"""The rules file of the scripted model: YAML or JSON to values, every mistake told with its rule.

::

    latency: 0.05                      # seconds for every answer; a rule may say its own
    rules:
      - name: refunds                  # for messages
        when: {regex: 'order (?P<id>\d+)', model: 'gpt-4*', api: chat}
        answer: {text: 'Order {{ id }} is refunded.'}
        usage: {prompt_tokens: 12, completion_tokens: 5}
      - when: {contains: busy}
        error: {status: 429, message: slow down, times: 2}    # the third time the answer comes
        answer: {text: done}
    default: {text: 'You said: {{ last }}'}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.models.fill import holes
from penstock.schemas import rules as keys

# What every answer may use; a rule's regex adds its groups by number and name.
NAMES = frozenset({"last", "prompt", "model", "api", "count"})
APIS, _PLACES = keys.APIS, keys.PLACES


@dataclass(frozen=True, slots=True)
class When:
    """Conditions; all that are given must hold.

    ``contains`` (any of the texts, letter case ignored) and ``regex`` look at the whole prompt, ``exact`` at the last
    message, unless ``on`` names the place: ``prompt``, ``last`` or ``system``. ``model`` may have ``*`` and ``?``.
    """

    contains: tuple[str, ...] = ()
    regex: re.Pattern[str] | None = None
    exact: str | None = None
    on: str | None = None
    model: str | None = None
    api: str | None = None
    has_image: bool | None = None
    has_tools: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer with; one of these, and ``text`` also beside calls."""

    text: str | None = None
    json: Any = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    function_call: Mapping[str, Any] | None = None
    embeddings: Any = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error to answer with, the first ``times`` times that the rule matches (None: always)."""

    status: int
    message: str
    type: str | None = None
    code: str | None = None
    retry_after: float | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``times`` is how often it may match at all (None: always)."""

    name: str
    when: When
    answer: Answer | None = None
    error: Refusal | None = None
    usage: Mapping[str, int] | None = None
    latency: float | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole rules file. ``default`` answers what no rule matches; without it such a request is an error."""

    path: str
    rules: tuple[Rule, ...]
    default: Answer | None = None
    latency: float = 0.0


def read_rules(path: str | Path) -> Rules:
    """The rules of a file.

    Raises:
        LoadError: It cannot be read, is no YAML or JSON, or a rule is not well formed.
    """
    text = _text(path)
    try:
        data = json.loads(text) if Path(path).suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise LoadError(f"{path}: this is no JSON or YAML: {error}.", code="InvalidRules") from error
    return parse_rules(data, str(path))


def parse_rules(data: Any, path: str = "rules") -> Rules:
    """Rules from plain values, as ``read_rules`` makes them from a file called ``path``.

    Raises:
        LoadError: A rule is not well formed.
    """
    top = _Table(data, path, tuple(keys.RULES))
    listed = top.get("rules", list, [])
    default = top.get("default", dict, None)
    rules = tuple(_rule(item, f"{path}: rule {number}") for number, item in enumerate(listed, 1))
    answer = _answer(default, f"{path}: default", NAMES) if default is not None else None
    return Rules(path, rules, answer, float(top.get("latency", (int, float), 0)))


def _rule(data: Any, where: str) -> Rule:
    table = _Table(data, where, tuple(keys.RULE))
    name = table.get("name", str, None)
    if name:
        where = table.where = f"{where} ({name})"
    when = _when(table.get("when", dict, {}), where)
    names = set(NAMES)
    if when.regex is not None:
        names |= set(when.regex.groupindex) | {str(n) for n in range(when.regex.groups + 1)}
    answer, error = table.get("answer", dict, None), table.get("error", dict, None)
    if answer is None and error is None:
        raise table.wrong("needs an `answer` or an `error`")
    usage = table.get("usage", dict, None)
    return Rule(
        name=name or where.rpartition(": ")[2],
        when=when,
        answer=_answer(answer, where, frozenset(names)) if answer is not None else None,
        error=_refusal(error, where) if error is not None else None,
        usage=_usage(usage, where) if usage is not None else None,
        latency=table.get("latency", (int, float), None),
        times=table.get("times", int, None),
    )


def _when(data: Any, where: str) -> When:
    table = _Table(data, where, tuple(keys.WHEN), "`when`")
    contains = table.get("contains", (str, list), [])
    regex = table.get("regex", str, None)
    try:
        pattern = re.compile(regex, re.DOTALL) if regex is not None else None
    except re.error as error:
        raise table.wrong(f"has a `regex` that is none: {error}") from error
    on, api = table.get("on", str, None), table.get("api", str, None)
    if on not in {None, *_PLACES}:
        raise table.wrong(f"has `on: {on}`; there are: {', '.join(_PLACES)}")
    if api not in {None, *APIS}:
        raise table.wrong(f"has `api: {api}`; there are: {', '.join(APIS)}")
    return When(
        contains=(contains,) if isinstance(contains, str) else tuple(str(text) for text in contains),
        regex=pattern,
        exact=table.get("exact", str, None),
        on=on,
        model=table.get("model", str, None),
        api=api,
        has_image=table.get("has_image", bool, None),
        has_tools=table.get("has_tools", bool, None),
    )


def _answer(data: Any, where: str, names: frozenset[str]) -> Answer:
    table = _Table(data, where, tuple(keys.ANSWER), "`answer`")
    unknown = sorted(set(holes(data)) - names)
    if unknown:
        known = ", ".join(sorted(names))
        raise table.wrong(f"uses {{{{ {unknown[0]} }}}}; there are: {known}")
    if not data.keys() - {"finish_reason"}:
        raise table.wrong(f"is empty; it may have: {', '.join(keys.ANSWER)}")
    calls = [_function(call, table) for call in table.get("tool_calls", list, [])]
    call = table.get("function_call", dict, None)
    return Answer(
        text=table.get("text", str, None),
        json=data.get("json"),
        tool_calls=tuple(calls),
        function_call=_function(call, table) if call is not None else None,
        embeddings=table.get("embeddings", (bool, dict, list), None),
        finish_reason=table.get("finish_reason", str, None),
    )


def _function(data: Any, table: _Table) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise table.wrong(f"has a call without `name`: {data!r}")
    strange = sorted(data.keys() - keys.CALL.keys())
    if strange:
        raise table.wrong(f"has a call with {strange[0]!r}; a call has: {', '.join(keys.CALL)}")
    return data


def _refusal(data: Any, where: str) -> Refusal:
    table = _Table(data, where, tuple(keys.ERROR), "`error`")
    status = table.get("status", int, 500)
    if not 400 <= status <= 599:
        raise table.wrong(f"has status {status}; an error has one from 400 to 599")
    return Refusal(
        status=status,
        message=table.get("message", str, f"scripted error {status}"),
        type=table.get("type", str, None),
        code=table.get("code", str, None),
        retry_after=table.get("retry_after", (int, float), None),
        times=table.get("times", int, None),
    )


def _usage(data: Any, where: str) -> dict[str, int]:
    table = _Table(data, where, tuple(keys.USAGE), "`usage`")
    return {key: table.get(key, int, 0) for key in keys.USAGE}


class _Table:
    """A mapping of the file with the place it stands at, for messages."""

    def __init__(self, data: Any, where: str, known: tuple[str, ...], part: str = "") -> None:
        self.where, self._part, self._data = where, part, data
        if not isinstance(data, dict):
            raise self.wrong(f"must be a mapping, not {data!r}")
        strange = [key for key in data if key not in known]
        if strange:
            raise self.wrong(f"has {strange[0]!r}; there are: {', '.join(known)}")

    def get(self, key: str, types: type | tuple[type, ...], default: Any) -> Any:
        value = self._data.get(key)
        if value is None:
            return default
        allowed = types if isinstance(types, tuple) else (types,)
        # YAML reads `yes` as true: a boolean where a number is meant is a mistake, not 1.
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            names = " or ".join(kind.__name__ for kind in allowed)
            raise self.wrong(f"has {key!r} = {value!r}, which is no {names}")
        return value

    def wrong(self, what: str) -> LoadError:
        part = f": {self._part}" if self._part else ""
        return LoadError(f"{self.where}{part} {what}.", code="InvalidRules")


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LoadError(f"The rules file {path} cannot be read: {reason}.", code="InvalidRules") from error


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2's booleans: the key ``on`` is a word."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), list("tTfF"))
    try:
        return yaml.load(text, Loader)  # ruff: ignore[unsafe-yaml-load]  a subclass of the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
