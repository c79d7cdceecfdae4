"""Flow inputs of one line: presence, defaults, types, images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.engine.program import InputPlan, Program
from penstock.errors import InputError, PenstockError
from penstock.graph.check import nearest
from penstock.graph.types import Unparsable, convert
from penstock.prompts.image import OWN_FOLDER_ONLY, ImageRules, load_images, to_image

_VERBATIM = ("secret", "prompt_template", "file_path", "assistant_definition")


def convert_inputs(
    program: Program, values: Mapping[str, Any], *, index: int | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """The values of a line as the flow's inputs: defaults filled in, types applied; undeclared values are kept.

    Where nothing at all is given the flow's sample stands in, if it has one.

    Args:
        program: The bound flow.
        values: What was mapped or given.
        index: Line number for messages, None for a single call.
        folder: Where relative image paths start; the flow's folder unless told.

    Raises:
        InputError: A value is missing or does not fit, or the flow is strict and does not know it.
    """
    if not values and program.flow.sample:
        values, folder = program.flow.sample, program.folder
    result = dict(values)
    if program.flow.strict and not result.keys() <= program.flow.inputs.keys():
        raise _unknown(program, values, index)
    for plan in program.inputs:
        name = plan.name
        if name in values:
            value = values[name]
        elif plan.has_default:
            # A default is the flow's own: its paths start at the flow's folder, not at the data's.
            result[name] = _convert(program, plan, plan.default, index, program.folder)
            continue
        elif plan.optional:
            continue
        else:
            where = (
                "is not provided in input data" if index is None else f"is not provided in line {index} of input data"
            )
            given = ", ".join(map(repr, values)) or "nothing"
            raise InputError(
                f"The input for flow is incorrect. The value for flow input {name!r} {where}. Given: {given}.",
                code="InputNotFound",
            )
        result[name] = (
            value if type(value) is str and plan.type == "string" else _convert(program, plan, value, index, folder)
        )
    return result


def _unknown(program: Program, values: Mapping[str, Any], index: int | None) -> InputError:
    known = program.flow.inputs
    name = next(name for name in values if name not in known)
    place = "" if index is None else f" in line {index} of input data"
    if program.flow.node(name) is not None:
        return InputError(
            f"{name!r} is computed by the flow, so it is no input{place}; give it with overrides instead.",
            code="ShadowingInput",
        )
    if name in program.flow.choices or name in program.flow.source.config:
        return InputError(f"{name!r} is configuration of the flow, so it is no input{place}.", code="ShadowingInput")
    return InputError(f"The flow has no input {name!r}{place}. {nearest(name, known)}", code="UnknownInput")


def _convert(program: Program, plan: InputPlan, value: Any, index: int | None, folder: Path | None) -> Any:
    place = "" if index is None else f" in line {index} of input data"
    return convert_input(
        plan.name,
        plan.type,
        value,
        folder=folder or program.folder,
        message_format=program.flow.message_format,
        place=place,
        rules=program.images,
    )


def convert_input(
    name: str,
    kind: str,
    value: Any,
    *,
    folder: Path,
    message_format: str,
    place: str = "",
    rules: ImageRules = OWN_FOLDER_ONLY,
) -> Any:
    """The value of the flow input ``name`` as its type ``kind``.

    Args:
        name: The input's name, for messages.
        kind: Its declared type.
        value: What was given.
        folder: Where relative image paths start.
        message_format: How images are written.
        place: Where the value stands, for messages: empty, or " in line 3 of input data".
        rules: From where images may be read.

    Raises:
        InputError: The value does not fit.
    """
    try:
        if kind == "image":
            return to_image(value, folder, message_format=message_format, rules=rules)
        if kind in _VERBATIM:
            return value
        converted = convert(value, kind)
        if kind in ("list", "object") and isinstance(converted, (list, dict)):
            return load_images(converted, folder=folder, message_format=message_format, rules=rules)
    except RecursionError as error:
        raise InputError(
            f"The input for flow is incorrect. The value for flow input {name!r}{place} is nested too deeply.",
            code="InputTypeError",
        ) from error
    except Unparsable as error:
        raise InputError(
            f"Failed to parse the flow input. The value for flow input {name!r}{place} was interpreted as JSON string"
            f" since its type is {kind!r}. However, the value {_short(value)} is invalid for JSON parsing: {error}.",
            code="InputParseError",
        ) from error
    except PenstockError as error:
        raise InputError(
            f"The value for flow input {name!r}{place} cannot be loaded as {kind}: {error.message}",
            code=error.code,
        ) from error
    except (ValueError, TypeError) as error:
        raise InputError(
            f"The input for flow is incorrect. The value for flow input {name!r}{place} does not match the expected"
            f" type {kind!r}: {_short(value)}.",
            code="InputTypeError",
        ) from error
    return converted


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
