"""From a file to a ``Prompty``: told by what its header holds which dialect it is, and read by that dialect's rules."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.prompts.mustache import MustacheTemplate
from penstock.prompts.prompty import Dialect, Prompty, PromptyModel, Unset
from penstock.prompts.prompty_file import PromptyParts, read_parts
from penstock.prompts.prompty_promptflow import find_sample, promptflow_inputs, promptflow_model, promptflow_reads
from penstock.prompts.prompty_references import References, merged
from penstock.prompts.prompty_v1 import is_v1, shared_connection, v1_inputs, v1_model, v1_sample
from penstock.prompts.prompty_v2 import is_v2, v2_inputs, v2_model
from penstock.prompts.template import Template, rewrite_image_markup

ENGINES = ("jinja2", "mustache")


def read_prompty(path: Path, env: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Prompty:
    """The prompty at ``path``.

    Args:
        path: The file.
        env: The variables that its header may refer to.
        overrides: Laid over the header, maps inside maps likewise; they may hold references, too.

    Raises:
        LoadError: The file cannot be read, or says what no dialect of prompty says.
    """
    parts = read_parts(path)
    changes = dict(overrides or {})
    raw = merged(_long(parts.header, changes), changes)
    references = References(path.parent, env, dialect_of(raw), str(path))
    own, unset = references.resolve(_long(parts.header, changes))
    over, more = references.resolve(changes)
    header = merged(own, over)
    unset = [one for one in (*unset, *more) if _is_still(header, one)]
    made = _made(path, parts, header, dialect_of(header), references, unset)
    _check_unset(made)
    return made


def _is_still(header: Any, unset: Unset) -> bool:
    """Whether the reference is in the header yet, and not under something that was laid over it."""
    for step in unset.path:
        if isinstance(header, Mapping):
            header = header.get(step)
        elif isinstance(header, list) and isinstance(step, int) and step < len(header):
            header = header[step]
        else:
            return False
    return isinstance(header, str) and f"${{env:{unset.variable}" in header


def dialect_of(header: Mapping[str, Any]) -> Dialect:
    """Whose rules a header is read by: prompt flow's wherever prompt flow reads it at all."""
    if promptflow_reads(header):
        return "promptflow"
    if is_v2(header):
        return "v2"
    return "v1" if is_v1(header) else "promptflow"


def _long(header: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The header with a ``model`` that is only a name written out, so that overrides can be laid over it."""
    model = header.get("model")
    if isinstance(model, str) and overrides and isinstance(overrides.get("model"), Mapping):
        return {**header, "model": {"id": model}}
    return header


def _made(
    path: Path,
    parts: PromptyParts,
    header: Mapping[str, Any],
    dialect: Dialect,
    references: References,
    unset: list[Unset],
) -> Prompty:
    file = str(path)
    base = _undetailed(path, parts, header, dialect, unset)
    if dialect == "v1":
        shared, more = references.resolve(shared_connection(path.parent), ("model", "connection"))
        inputs = v1_inputs(header, read_sample(base.sample, path), parts.template, file)
        model = v1_model(header, shared, file)
        return dataclasses.replace(
            base, inputs=inputs, model=model, sample=v1_sample(inputs), unset=(*base.unset, *more)
        )
    if dialect == "v2":
        template = template_of(parts.template, base.engine, file, parts.line, dialect)
        return dataclasses.replace(
            base, inputs=v2_inputs(header, template.variables, file), model=v2_model(header, file), sample=None
        )
    sample = {} if header.get("inputs") else read_sample(base.sample, path)
    return dataclasses.replace(
        base, inputs=promptflow_inputs(header, sample, file), model=promptflow_model(header, file)
    )


def _undetailed(
    path: Path, parts: PromptyParts, header: Mapping[str, Any], dialect: Dialect, unset: list[Unset]
) -> Prompty:
    """What is read the same in every dialect."""
    outputs, variables = header.get("outputs"), header.get("environment_variables")
    if isinstance(outputs, list):
        outputs = {str(one.get("name")): one for one in outputs if isinstance(one, Mapping)}
    return Prompty(
        file=path,
        dialect=dialect,
        name=str(header.get("name") or path.stem),
        header=header,
        template=parts.template,
        line=parts.line,
        inputs={},
        outputs=outputs if isinstance(outputs, Mapping) else {},
        sample=header.get("sample"),
        model=PromptyModel(),
        engine=_engine(header.get("template"), str(path)),
        environment_variables=variables if isinstance(variables, Mapping) else {},
        description=str(header.get("description") or ""),
        unset=tuple(unset),
        lines=parts.document.lines,
        notes=("'base' has no effect.",) if "base" in header and dialect == "v1" else (),
    )


def read_sample(sample: Any, path: Path) -> Mapping[str, Any]:
    """The sample of a prompty as a map, from its file where it names one.

    Raises:
        LoadError: No such file, or none that holds a map; code ``InvalidSampleError``.
    """
    if isinstance(sample, Mapping):
        return sample
    file = find_sample(sample, path.parent, str(path))
    if file is None:
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: the sample file {file} is no JSON: {error}.", code="InvalidSampleError") from error
    if not isinstance(found, Mapping):
        raise LoadError(
            f"{path}: the sample file {file} must hold a map of inputs, not a {type(found).__name__}.",
            code="InvalidSampleError",
        )
    return found


def template_of(text: str, engine: str, name: str, line: int, dialect: Dialect) -> Template | MustacheTemplate:
    """The template of a prompty, by its engine and with its dialect's white space."""
    if dialect == "promptflow":
        return Template(rewrite_image_markup(text), name, line=line)
    # Both versions of microsoft/prompty begin the template at its first character that is no white space.
    line += text[: len(text) - len(text.lstrip())].count("\n")
    text = text.lstrip()
    if engine == "mustache":
        return MustacheTemplate(text, name, line=line)
    return Template(text, name, line=line, trim_blocks=False, keep_trailing_newline=dialect == "v2")


def _engine(template: Any, file: str) -> str:
    if isinstance(template, Mapping):
        given = template.get("format", template.get("type"))
        given = given.get("kind") if isinstance(given, Mapping) else given
    else:
        given = template
    engine = str(given or "jinja2").lower()
    if engine == "nunjucks":  # JavaScript's Jinja2
        engine = "jinja2"
    if engine not in ENGINES:
        raise LoadError(
            f"{file}: there is no template engine {given!r}; there are: {', '.join(ENGINES)}.", code="InvalidPrompty"
        )
    return engine


def _check_unset(prompty: Prompty) -> None:
    """Both versions of microsoft/prompty refuse a variable that is not set; the endpoint's are waited for until it is asked."""
    if prompty.dialect == "promptflow":
        return
    for one in prompty.unset:
        if one.path[:1] != ("model",):
            raise LoadError(
                f"{prompty.file}: {'.'.join(map(str, one.path))} needs the environment variable {one.variable!r}, which is"
                " not set; set it, or write ${env:NAME:default}.",
                code="EnvironmentVariableNotFound",
            )
