"""Flow → Program: everything that can be resolved before the first line is resolved here, once."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from penstock.connections.resolve import Connections
from penstock.engine.cast import speakers_of
from penstock.engine.level import Level, Unit
from penstock.engine.program import (
    Block,
    Condition,
    Export,
    FromInput,
    FromNode,
    Getter,
    Import,
    InputPlan,
    OutputPlan,
    Program,
    Step,
)
from penstock.environments.distributions import provider
from penstock.environments.missing import advised
from penstock.errors import BadReference, LoadError, PenstockError
from penstock.graph.check import require
from penstock.graph.flow import Flow, FlowInput
from penstock.graph.node import Node
from penstock.graph.reference import Reference, getter
from penstock.models.pool import Models
from penstock.prompts.image import OWN_FOLDER_ONLY, ImageRules
from penstock.tools.authorship import writes_roles
from penstock.tools.bound import Bound, Context, Origin
from penstock.tools.builtin.registry import BUILTIN
from penstock.tools.resolve import resolve


def bind(
    flow: Flow,
    *,
    connections: Connections,
    models: Models,
    folder: Path | None = None,
    images: ImageRules = OWN_FOLDER_ONLY,
) -> Program:
    """Resolve every call of ``flow``. This imports the flow's code.

    Args:
        flow: A loaded flow.
        connections: Where connection names are looked up.
        models: Where model nodes get their clients.
        folder: The flow's folder with its includes merged in; the flow file's own folder unless told.
        images: From where images among the flow's inputs may be read.

    Raises:
        LoadError: The flow cannot run; all errors that need no code are listed at once, a tool's own first.
    """
    require(flow)
    folder = folder or Path(flow.source.file).parent
    inputs = tuple(_input(p) for p in flow.inputs.values())
    if flow.group is not None:
        speakers = speakers_of(
            flow, folder, functools.partial(bind, connections=connections, models=models, images=images)
        )
        blocking = all(speaker.program.blocking for speaker in speakers)
        redactor = connections.redactor
        return Program(
            flow, folder, inputs, (), (), 0, blocking, True, redactor=redactor, speakers=speakers, images=images
        )
    _modules(flow)
    base = Context(folder, connections, models, flow.message_format)
    templates = [folder / node.call.path for node in flow.nodes if node.call.path and node.call.type != "python"]
    writes = functools.cache(lambda: writes_roles(folder, templates))
    binder = _Binder(flow, base, writes)
    program = binder.program(Level.of_flow(flow))
    return dataclasses.replace(
        program,
        inputs=inputs,
        images=images,
        outputs=tuple(_outputs(flow, binder.level, program.line_steps)),
        whole=None if flow.whole is None else binder.level.place("out", flow.whole).position,
    )


class _Binder:
    """Makes steps of the nodes of one flow; ``level`` is the outermost one, once its program is made."""

    level: Level

    def __init__(self, flow: Flow, base: Context, writes: Callable[[], bool]) -> None:
        self._flow = flow
        self._base = base
        self._writes = writes
        self._nodes = {node.name: node for node in flow.nodes}
        self._lines = {node.name for node in flow.nodes if node.scope == "line"}

    def program(self, level: Level) -> Program:
        """The program of one level: of the whole flow, or of a block that runs once an item."""
        made = [_given(position) for position in range(level.given)]
        for unit in level.units:
            position = level.given + unit.number
            made.append(self._block(unit, level, position) if unit.inner else self._step(unit.node, level, position))
        children: list[list[int]] = [[] for _ in made]
        for step in made:
            for parent in step.parents:
                children[parent].append(step.position)
        steps = tuple(dataclasses.replace(step, children=tuple(children[step.position])) for step in made)
        count = sum(step.scope == "line" for step in steps)
        self.level = level
        return Program(
            flow=self._flow,
            folder=self._base.folder,
            inputs=(),
            steps=steps,
            outputs=(),
            line_steps=count,
            blocking=all(map(_blocks, steps[:count])),
            sequential=all(
                position == level.given or position - 1 in steps[position].parents
                for position in range(level.given, count)
            ),
            redactor=self._base.connections.redactor,
            given=level.given,
        )

    def _block(self, unit: Unit, level: Level, position: int) -> Step:
        inner = level.within(unit)
        program = self.program(inner)
        # The item itself stands first; what it is an item of is the expanding node's whole list.
        first, *others = level.place("value", unit.node.name), *(level.place(*key) for key in inner.keys[1:])
        imports = (Import(*first), *(Import(*place) for place in others))
        block = Block(program, imports, tuple(Export(name, *inner.place("out", name)) for name in inner.asked))
        bound = Bound(_never, "thread" if program.blocking else "async")
        parents = tuple(sorted({place.parent for place in imports}))
        return Step(position, f"{unit.node.name}[]", "map", "line", bound, (), (), None, parents, (), block=block)

    def _step(self, node: Node, level: Level, position: int) -> Step:
        flow = self._flow
        context = dataclasses.replace(self._base, origins=self._origins(node))
        literals = {name: value for name, value in node.inputs.items() if not isinstance(value, Reference)}
        references = {name: value for name, value in node.inputs.items() if isinstance(value, Reference)}
        bound = _resolve(flow, node, literals, references, context)
        from_inputs = tuple(FromInput(name, r.name) for name, r in references.items() if r.kind == "input")
        column = self._lines if node.scope == "run" else frozenset[str]()
        from_nodes = tuple(
            self._from_node(node, name, r, level, column) for name, r in references.items() if r.kind == "node"
        )
        condition = _condition(node, level)
        parents = {source.parent for source in from_nodes}
        if condition is not None and condition.parent is not None:
            parents.add(condition.parent)
        return Step(
            position=position,
            name=node.name,
            kind=str(node.call.type),
            scope=node.scope,
            bound=bound,
            from_inputs=from_inputs,
            from_nodes=from_nodes,
            condition=condition,
            parents=tuple(sorted(parents)),
            children=(),
            cache=node.cache and bool(bound.fingerprint),
            outside=_outside(node),
            expands=node.expands,
        )

    def _from_node(
        self, node: Node, parameter: str, reference: Reference, level: Level, column: Collection[str]
    ) -> FromNode:
        place = level.place(*level.key(node, parameter, reference))
        read = _then(place.read, _getter(reference))
        return FromNode(parameter, place.position, _each(read) if reference.name in column else read, str(reference))

    def _origins(self, node: Node) -> dict[str, Origin]:
        origins: dict[str, Origin] = {}
        for name, value in node.inputs.items():
            if not isinstance(value, Reference):
                origins[name] = "literal"
            elif value.kind == "input":
                origins[name] = "input"
            else:
                parent = self._nodes.get(value.name)
                origins[name] = "other" if parent is None else _origin(parent, node, self._writes)
        return origins


def _never() -> None:
    raise AssertionError("a step that stands for something else was called")


def _given(position: int) -> Step:
    """Stands for what comes from outside the block."""
    return Step(position, "", "given", "line", Bound(_never, "thread"), (), (), None, (), ())


def _blocks(step: Step) -> bool:
    """Whether the step needs no event loop."""
    if step.block is not None:
        return step.block.program.blocking
    return step.bound.mode != "async" and not _is_async_generator(step)


def _input(port: FlowInput) -> InputPlan:
    # No type at all is one that nothing is converted to.
    return InputPlan(port.name, port.type if port.converted else "", port.default, port.has_default, port.optional)


def _then(first: Getter | None, second: Getter | None) -> Getter | None:
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _is_async_generator(step: Step) -> bool:
    return step.bound.mode == "inline" and step.kind in ("python", "function", "entry")


def _modules(flow: Flow) -> None:
    """Modules that the file names must exist, as prompt flow imports them; of its own only the tools are looked for."""
    for module in (*flow.modules, *(node.call.module for node in flow.nodes if node.call.module)):
        if module.split(".")[0] == "promptflow" and not module.startswith("promptflow.tools."):
            continue
        try:
            found = importlib.util.find_spec(module)
        except Exception:
            # Looking for a module inside a package imports the package, which may fail in any way.
            found = None
        if found is None:
            raise LoadError(
                f"{flow.source.file}: the module {module!r} that the flow names cannot be imported; install it (`pip install"
                f" {provider(module)}`, or {provider(module)} in requirements.txt and --env auto) or remove the key.",
                code="FailedToImportModule",
            )


def _resolve(
    flow: Flow, node: Node, literals: Mapping[str, Any], references: Mapping[str, Reference], context: Context
) -> Bound:
    try:
        return resolve(node, literals, references, context)
    except LoadError as error:
        message = f"{flow.source.file}:{node.line}: {advised(error, context.folder)}"
        raise LoadError(message, code=error.code) from error
    except PenstockError as error:
        message = (
            f"{flow.source.file}:{node.line}: node {node.name!r} cannot be made ready: {advised(error, context.folder)}"
        )
        raise LoadError(message, code=error.code) from error


def _origin(parent: Node, node: Node, writes: Callable[[], bool]) -> Origin:
    if _outside(parent):
        return "llm"
    if parent.call.type == "prompt":
        return "prompt"
    if parent.call.type == "function":
        return "data"
    if parent.call.type != "python":
        return "other"
    # Python nodes render no prompts, so that for them the files need not be looked through.
    asked = node.call.type != "python" or node.call.source == "package"
    return "data" if asked and parent.call.source != "package" and not writes() else "python"


def _outside(node: Node) -> bool:
    """Whether a model or a service says what the node returns. What a foreign package's tool does nobody knows."""
    return node.call.type in ("llm", "custom_llm") or (node.call.source == "package" and node.call.target in BUILTIN)


def _getter(reference: Reference) -> Any:
    if reference.section == "output":
        return getter(reference)

    def refuse(_: Any) -> Any:
        # prompt flow finds this out when the line runs, and a node that is bypassed never gets here.
        raise BadReference(f"{reference}: only '.output' of a node can be referred to.", code="UnsupportedReference")

    return refuse


def _each(read: Getter | None) -> Getter | None:
    """``read`` for a column: what an aggregation node gets of a node that runs once a line."""
    return None if read is None else lambda column: [read(value) for value in column]


def _condition(node: Node, level: Level) -> Condition | None:
    if node.activate is None:
        return None
    when = node.activate.when
    if not isinstance(when, Reference):
        return Condition(node.activate.equals, value=when)
    if when.kind == "input":
        return Condition(node.activate.equals, input=when.name, text=str(when))
    place = level.place(*level.key(node, "", when))
    return Condition(node.activate.equals, parent=place.position, read=_then(place.read, _getter(when)), text=str(when))


def _outputs(flow: Flow, level: Level, count: int) -> list[OutputPlan]:
    plans: list[OutputPlan] = []
    for output in flow.outputs.values():
        value = output.value
        if not isinstance(value, Reference):
            plans.append(OutputPlan(output.name, value=value))
        elif value.kind == "input":
            plans.append(OutputPlan(output.name, input=value.name))
        elif (place := level.place("out", value.name)).position < count:
            # What stands in the place of "output" matters to inputs alone, as in prompt flow.
            plans.append(OutputPlan(output.name, parent=place.position, read=_then(place.read, getter(value))))
    return plans
