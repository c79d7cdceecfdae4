"""``Script``: which rule answers a request, and with what. It remembers how often each rule matched, nothing else."""

from __future__ import annotations

import fnmatch
import json
from collections import Counter
from typing import Any, NamedTuple

from penstock.errors import ModelError
from penstock.models.fill import fill
from penstock.models.model import Request
from penstock.models.prompt import inputs_of, last_of, prompt_of, texts_of
from penstock.models.rules import Answer, Refusal, Rule, Rules, When
from penstock.models.shapes import answer_id, chat_raw, completion_raw, embedding_raw, responses_raw
from penstock.models.tokens import estimate, estimate_prompt
from penstock.models.vectors import DIMENSIONS, vector_of

_HEAD = 200


class Outcome(NamedTuple):
    """What the script says to one request: an answer or a refusal, after so many seconds."""

    raw: dict[str, Any] | None
    error: Refusal | None
    latency: float


class Script:
    """The rules of one file at work."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._matched: Counter[int] = Counter()

    def answer(self, request: Request) -> Outcome:
        """The outcome of a request; the first rule that matches decides.

        Raises:
            ModelError: No rule matches and there is no default, or the rule's answer does not fit the call.
        """
        facts = _values(request)
        for index, rule in enumerate(self.rules.rules):
            if rule.times is not None and self._matched[index] >= rule.times:
                continue
            values = _match(rule.when, request, facts)
            if values is None:
                continue
            count = self._matched[index] + 1
            error = rule.error
            if error is not None and error.times is not None and count > error.times:
                error = None
            if error is None and rule.answer is None:
                continue  # its errors are used up: the next rule has the word
            self._matched[index] = count
            latency = self.rules.latency if rule.latency is None else rule.latency
            if error is not None:
                return Outcome(None, error, latency)
            assert rule.answer is not None, "a rule has an answer or an error"
            return Outcome(self._raw(rule.answer, rule, request, values | {"count": str(count)}), None, latency)
        if self.rules.default is None:
            raise self._unmatched(request)
        values = facts | {"count": "1"}
        return Outcome(self._raw(self.rules.default, None, request, values), None, self.rules.latency)

    def _raw(self, answer: Answer, rule: Rule | None, request: Request, values: dict[str, str]) -> dict[str, Any]:
        where = f"{self.rules.path}: {rule.name if rule else 'default'}"
        if request.api == "embedding":
            vectors = _vectors(answer, request, where)
            return embedding_raw(request, vectors, _usage(rule, request, ""))
        if answer.embeddings is not None and answer.text is None and answer.json is None:
            raise ModelError(f"{where} answers with embeddings, but the request is a {request.api} call.")
        message = _message(answer, request, values)
        said = message.get("content") or ""
        usage = _usage(rule, request, said or json.dumps(message, ensure_ascii=False))
        if request.api == "completion":
            return completion_raw(request, said, usage)
        if request.api == "responses":
            return responses_raw(request, message, usage)
        finish = "tool_calls" if "tool_calls" in message else "function_call" if "function_call" in message else "stop"
        return chat_raw(request, message, answer.finish_reason or finish, usage)

    def _unmatched(self, request: Request) -> ModelError:
        prompt = prompt_of(request)
        head = prompt if len(prompt) <= _HEAD else prompt[:_HEAD] + "…"
        return ModelError(
            f"No rule of {self.rules.path} matches this {request.api} request to model {request.model!r}: {head!r}. "
            "Add a rule for it, or a `default`.",
            code="NoScriptedAnswer",
        )


def _match(when: When, request: Request, values: dict[str, str]) -> dict[str, str] | None:
    """The values for the answer's holes where all conditions hold, else None."""
    if when.api not in {None, request.api}:
        return None
    if when.model is not None and not fnmatch.fnmatchcase(request.model, when.model):
        return None
    if when.has_tools is not None and when.has_tools != bool(
        request.params.get("tools") or request.params.get("functions")
    ):
        return None
    if when.has_image is not None and when.has_image != (texts_of(request)[1] > 0):
        return None
    where = (
        values["prompt"] if when.on in {None, "prompt"} else values["last"] if when.on == "last" else _system(request)
    )
    if when.contains and not any(text.casefold() in where.casefold() for text in when.contains):
        return None
    if when.exact is not None and when.exact.strip() != (values["last"] if when.on is None else where).strip():
        return None
    if when.regex is None:
        return values
    found = when.regex.search(where)
    if found is None:
        return None
    groups = {str(number): text or "" for number, text in enumerate((found[0], *found.groups()))}
    return values | groups | {name: text or "" for name, text in found.groupdict().items()}


def _values(request: Request) -> dict[str, str]:
    return {
        "last": last_of(request).strip(),
        "prompt": prompt_of(request),
        "model": request.model,
        "api": request.api,
    }


def _system(request: Request) -> str:
    messages = request.params.get("messages") or ()
    only = [m for m in messages if isinstance(m, dict) and m.get("role") in {"system", "developer"}]
    instructions = str(request.params.get("instructions") or "")
    return "\n".join([instructions, *texts_of(Request("chat", "", {"messages": only}))[0]]).strip()


def _message(answer: Answer, request: Request, values: dict[str, str]) -> dict[str, Any]:
    content: str | None = None
    if answer.text is not None:
        content = fill(answer.text, values)
    elif answer.json is not None:
        content = json.dumps(fill(answer.json, values), ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": content}
    calls: list[dict[str, Any]] = []
    for index, call in enumerate(answer.tool_calls):
        made = call.get("id") or f"{answer_id('call_', request)[:16]}{index}"
        calls.append({"id": made, "type": "function", "function": _function(call, values)})
    if calls:
        message["tool_calls"] = calls
    if answer.function_call is not None:
        message["function_call"] = _function(answer.function_call, values)
    return message


def _function(call: Any, values: dict[str, str]) -> dict[str, str]:
    arguments = fill(call.get("arguments", {}), values)
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"name": call["name"], "arguments": text}


def _vectors(answer: Answer, request: Request, where: str) -> list[list[float]]:
    texts = inputs_of(request)
    given = answer.embeddings
    if given is None or given is False:
        raise ModelError(f"{where} has no `embeddings` to answer an embedding request with.", code="NoScriptedAnswer")
    if isinstance(given, list):
        vectors = given if given and isinstance(given[0], list) else [given]
        return [vectors[index % len(vectors)] for index in range(len(texts))]
    wanted = request.params.get("dimensions") or (given.get("dimensions") if isinstance(given, dict) else None)
    return [vector_of(text, wanted or DIMENSIONS) for text in texts]


def _usage(rule: Rule | None, request: Request, said: str) -> dict[str, int]:
    usage = dict(rule.usage) if rule is not None and rule.usage is not None else {}
    if not usage:
        usage = {"prompt_tokens": estimate_prompt(request), "completion_tokens": estimate(said)}
    return {**usage, "total_tokens": usage["prompt_tokens"] + usage["completion_tokens"]}
