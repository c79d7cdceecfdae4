"""What a call cost: the price table of the package under the one of penstock.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from penstock.errors import UsageError
from penstock.settings import Settings

# Dated and aliased names of one model: gpt-4o-2024-08-06, gpt-4-0613, claude-sonnet-4-5-20250929, …-latest.
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest|preview)$")
_AZURE = {"gpt-35-turbo": "gpt-3.5-turbo", "gpt-35-turbo-instruct": "gpt-3.5-turbo-instruct"}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens; ``cached`` for prompt tokens from the endpoint's prompt cache."""

    input: float
    output: float
    cached: float | None = None


class Prices:
    """Prices by model name; ``overrides`` are those of penstock.toml."""

    def __init__(self, overrides: Mapping[str, Price] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self._found: dict[str, Price | None] = {}

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        """The table with ``[prices."model"]`` of penstock.toml over it.

        Raises:
            UsageError: An entry that is no price.
        """
        return cls(
            {name: _price(f"penstock.toml: [prices.{name!r}]", v) for name, v in settings.section("prices").items()}
        )

    def find(self, model: str) -> Price | None:
        """The price of a model: by its exact name, else without its date; None where it is unknown."""
        if model not in self._found:
            self._found[model] = self._look(model)
        return self._found[model]

    def cost(self, models: tuple[str, ...], prompt: int, completion: int, cached: int = 0) -> float | None:
        """US dollars for so many tokens, by the first of ``models`` that has a price; None where none has."""
        price = next((found for found in map(self.find, models) if found is not None), None)
        if price is None:
            return None
        cheap = min(cached, prompt)
        rate = price.input if price.cached is None else price.cached
        return ((prompt - cheap) * price.input + cheap * rate + completion * price.output) / 1e6

    def _look(self, model: str) -> Price | None:
        name = model.rsplit("/", 1)[-1]
        name = _AZURE.get(name, name)
        plain = _DATED.sub("", name)
        for table in (self._overrides, _builtin()):
            for candidate in (model, name, plain, _AZURE.get(plain, plain)):
                if candidate in table:
                    return table[candidate]
        return None


@cache
def _builtin() -> dict[str, Price]:
    text = files("penstock.models").joinpath("prices.toml").read_text(encoding="utf-8")
    return {name: _price(f"prices.toml: {name!r}", values) for name, values in tomllib.loads(text).items()}


def _price(where: str, values: Any) -> Price:
    def numbers(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0

    if (
        not isinstance(values, dict)
        or not {"input", "output"} <= values.keys() <= {"input", "output", "cached"}
        or not all(map(numbers, values.values()))
    ):
        raise UsageError(
            f"{where} must have `input` and `output` (and may have `cached`), US dollars for a million tokens, "
            f"not {values!r}."
        )
    return Price(**{key: float(value) for key, value in values.items()})
