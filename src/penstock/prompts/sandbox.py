"""The Jinja2 environment that all templates run in: immutable, sandboxed, bounded, and aware of what is data.

Loaded on first use only (Jinja2 takes 40 ms to import); see ``Template``.
"""

from __future__ import annotations

import functools
import re
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import _PassArg

from penstock.prompts import limits
from penstock.prompts.text import Data, PromptText, as_piece, join

ROLE_WORDS = frozenset({"system", "user", "assistant", "function", "tool"})
_ROLE_NAME = re.compile(r"(?:^|_)role$|[a-z]Role$", re.IGNORECASE)
_HARMLESS_FILTERS = frozenset({"lower", "upper", "trim", "capitalize", "title", "default", "d", "string"})
_HARMLESS_METHODS = frozenset({"lower", "upper", "strip", "title", "capitalize"})
_COUNTED = "penstock counted"  # a name no template can spell


class _Context(Context):
    """The variables of one rendering, with what it may still spend."""

    steps = limits.MAX_STEPS
    characters = limits.MAX_TEXT * 10
    look = limits.MAX_STEPS
    until = 0.0

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise limits.LimitReached(f"the template loops more than {limits.MAX_STEPS:,} times")
        if self.steps < self.look:
            self.look = self.steps - 1000
            now = time.monotonic()
            self.until = self.until or now + limits.MAX_SECONDS
            if now > self.until:
                raise limits.LimitReached(f"the template runs for more than {limits.MAX_SECONDS:g} seconds")

    def spend_text(self, length: int) -> None:
        limits.check_text(length)
        self.characters -= length
        if self.characters < 0:
            raise limits.LimitReached("the template joins too much text")


class _Code(CodeGenerator):
    """Jinja2's code generator, with provenance at every place where text leaves an expression."""

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:
        # The author's own words stay the author's when they pass through a condition, a cycle or a join.
        if isinstance(node.value, str) and _may_mark(node.value):
            self.write(f"environment.own_words({node.value!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concatenated(context, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def start_write(self, frame: Frame, node: nodes.Node | None = None) -> None:
        # {% call %} and {% filter %} write without passing through finalize.
        super().start_write(frame, node)
        self.write("environment.finalize(")

    def end_write(self, frame: Frame) -> None:
        self.write(")")
        super().end_write(frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if names_a_role(node) and not frame.eval_ctx.volatile and not frame.eval_ctx.autoescape:
            self.write("str(environment.role_word(")
        else:
            super()._output_child_pre(node, frame, finalize)


class _Formatter(SandboxedFormatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        limits.check_format_spec(format_spec)
        return super().format_field(value, format_spec)


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _Code
    context_class = _Context
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(join)

    def __init__(self, *, trim_blocks: bool, keep_trailing_newline: bool) -> None:
        super().__init__(
            trim_blocks=trim_blocks, keep_trailing_newline=keep_trailing_newline, finalize=_written, cache_size=0
        )
        del self.globals["lipsum"]
        self.globals["range"] = _range
        self.filters.update(_filters(dict(self.filters)))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        del context  # jinja2 passes it
        limits.check_operator(operator, left, right)
        if operator == "+" and (type(left) is PromptText or type(right) is PromptText):
            return join((as_piece(left), as_piece(right)))
        return self.binop_table[operator](left, right)

    def call(self, context: _Context, callee: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        context.spend(4)
        if isinstance(callee, types.BuiltinMethodType):
            owner = callee.__self__
            if isinstance(owner, (str, bytes, int)):
                limits.check_method(owner, callee.__name__, args, kwargs)
        made = super().call(context, callee, *args, **kwargs)
        if isinstance(made, str):
            context.spend_text(len(made))
        return made

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is None:
            return None
        text = str.__str__(value.__self__)
        vformat = _Formatter(self).vformat

        def formatted(*args: Any, **kwargs: Any) -> str:
            limits.check_value([*args, *kwargs.values()])
            return vformat(text, (), args[0]) if value.__name__ == "format_map" else vformat(text, args, kwargs)

        return formatted

    def concatenated(self, context: _Context, parts: tuple[Any, ...]) -> str:
        """``a ~ b``: the author's words stay apart from the data."""
        pieces = [_written(part) for part in parts]
        context.spend_text(sum(map(len, pieces)))
        if any(type(piece) is PromptText for piece in pieces):
            return join(pieces)
        return "".join(pieces)

    def own_words(self, text: str) -> PromptText:
        """A constant of the template that could be part of a marker."""
        return PromptText(text)

    def role_word(self, value: Any) -> str:
        """What ``{{ item.role }}`` writes: a role if it is exactly one, since the author put it in a role's place."""
        if isinstance(value, str) and type(value) is not PromptText and value.lower() in ROLE_WORDS:
            return PromptText(value)
        return _written(value)


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled template and the names it takes from outside."""

    template: jinja2.Template
    variables: frozenset[str]

    def pieces(self, values: Mapping[str, Any]) -> list[str]:
        """The rendering as pieces, see ``penstock.prompts.text``."""
        made: list[str] = []
        size = 0
        for piece in self.template.root_render_func(self.template.new_context(dict(values))):
            made.append(piece)
            size += len(piece)
            if size > limits.MAX_TEXT:
                limits.check_text(size)
        return made

    def line_of(self, error: BaseException) -> int | None:
        """The line of the template that ``error`` came from."""
        found, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self.template:
                found = self.template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return found


@functools.lru_cache(maxsize=512)
def compile_template(text: str, trim_blocks: bool, keep_trailing_newline: bool) -> Program:
    """Parse and compile ``text``; raises what Jinja2 raises."""
    environment = _environment(trim_blocks, keep_trailing_newline)
    tree = environment.parse(text)
    variables = frozenset(meta.find_undeclared_variables(tree))
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno)
    code = environment.compile(tree)
    return Program(environment.template_class.from_code(environment, code, environment.make_globals(None)), variables)


@functools.lru_cache(maxsize=4)
def _environment(trim_blocks: bool, keep_trailing_newline: bool) -> _Environment:
    return _Environment(trim_blocks=trim_blocks, keep_trailing_newline=keep_trailing_newline)


def names_a_role(node: nodes.Node) -> bool:
    """Whether an expression says by its name that it is a role: ``item.role``, ``m['role']|lower``, ``role``."""
    match node:
        case nodes.Filter(node=nodes.Node() as inner, name=name) if name in _HARMLESS_FILTERS:
            return names_a_role(inner)
        case nodes.CondExpr(expr1=first, expr2=second):
            return any(names_a_role(part) for part in (first, second) if part is not None)
        case nodes.Or(left=first, right=second):
            return names_a_role(first) or names_a_role(second)
        case nodes.Call(node=nodes.Getattr(attr="get"), args=[nodes.Const(value=str(name)), *_]):
            return bool(_ROLE_NAME.search(name))
        case nodes.Call(node=nodes.Getattr(node=inner, attr=attribute)) if attribute in _HARMLESS_METHODS:
            return names_a_role(inner)
        case nodes.Name(name=name) | nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            return bool(_ROLE_NAME.search(name))
        case _:
            return False


def _may_mark(text: str) -> bool:
    return "\n" in text or ":" in text or "#" in text or text.strip().lower() in ROLE_WORDS


def _written(value: Any) -> str:
    if type(value) is str:  # the common case, kept short
        return Data(value)
    if isinstance(value, (list, tuple, dict)):
        limits.check_value(value)
    return as_piece(value)


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > limits.MAX_RANGE:
        raise limits.LimitReached(f"range() gives {len(made):,} numbers; {limits.MAX_RANGE:,} are the most")
    return made


@jinja2.pass_context
def _counted(context: _Context, items: Iterable[Any]) -> Iterator[Any]:
    spend = context.spend
    for item in items:
        spend(1)
        yield item


def _join(value: Iterable[Any], d: str) -> str:
    items = list(value)
    limits.check_value(items)
    limits.check_join(len(d), items)
    if type(d) is not PromptText and not any(type(item) is PromptText for item in items):
        return str(d).join(map(str, items))
    pieces: list[str] = []
    for index, item in enumerate(items):
        if index:
            pieces.append(as_piece(d))
        pieces.append(as_piece(item))
    return join(pieces)


def _filters(built_in: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The filters that could make much out of little, each measured first."""

    @jinja2.pass_environment
    def joined(environment: jinja2.Environment, value: Any, d: str = "", attribute: str | int | None = None) -> str:
        if attribute is not None:
            value = map(jinja2.filters.make_attrgetter(environment, attribute), value)
        return _join(value, d)

    def indent(text: str, width: int | str = 4, *rest: Any, **named: Any) -> Any:
        limits.check_width(width)
        limits.check_text(len(text) + (text.count("\n") + 1) * (width if isinstance(width, int) else len(width)))
        return built_in["indent"](text, width, *rest, **named)

    def percent(text: Any, *args: Any, **named: Any) -> Any:
        limits.check_percent(str(text))
        limits.check_value([*args, *named.values()])
        return built_in["format"](text, *args, **named)

    @jinja2.pass_eval_context
    def replace(context: nodes.EvalContext, text: Any, old: Any, new: Any, count: int | None = None) -> Any:
        limits.check_replace(str(text), str(old), str(new))
        return built_in["replace"](context, text, old, new, count)

    made: dict[str, Callable[..., Any]] = {
        _COUNTED: _counted,
        "join": joined,
        "indent": indent,
        "format": percent,
        "replace": replace,
    }
    widths = {"center", "batch", "slice", "round", "wordwrap", "truncate", "tojson"}
    made = {name: _measured(filter_, widths=name in widths) for name, filter_ in {**built_in, **made}.items()}
    made[_COUNTED] = _counted
    return made


def _measured(function: Callable[..., Any], *, widths: bool) -> Callable[..., Any]:
    takes = _PassArg.from_obj(function)

    @jinja2.pass_context
    def measured(context: _Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.spend(1)
        if isinstance(value, (list, tuple, dict)):
            limits.check_value(value)
        if widths:
            limits.check_width(*args, *kwargs.values())
        made = function(*_passed(takes, context), value, *args, **kwargs)
        if isinstance(made, str):
            context.spend_text(len(made))
        return made

    return measured


def _passed(takes: _PassArg | None, context: _Context) -> tuple[Any, ...]:
    match takes:
        case None:
            return ()
        case _PassArg.context:
            return (context,)
        case _PassArg.eval_context:
            return (context.eval_ctx,)
        case _:
            return (context.environment,)
