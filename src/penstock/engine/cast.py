"""The roles of a group, bound: each with its own flow, folder and modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penstock.engine.program import FromInput, Program, Speaker
from penstock.errors import LoadError
from penstock.graph.flow import Flow, Role
from penstock.graph.reference import Reference
from penstock.prompts.image import load_images
from penstock.tools.isolation import Isolation


def speakers_of(flow: Flow, folder: Path, bind: Callable[[Flow], Program]) -> tuple[Speaker, ...]:
    """The speakers of the group ``flow``; this imports the code of their flows.

    Args:
        flow: A group.
        folder: Its folder, from which paths in what it gives its roles start.
        bind: Binds a role's flow.

    Raises:
        LoadError: A role's flow cannot run; the message names the role.
    """
    assert flow.group is not None, "asked for groups only"
    return tuple(_speaker(flow, role, folder, bind) for role in flow.group.roles)


def _speaker(flow: Flow, role: Role, folder: Path, bind: Callable[[Flow], Program]) -> Speaker:
    node = flow.node(role.name)
    assert node is not None, "a group has a node for each role"
    surroundings = Isolation(Path(role.flow.source.file).parent, modules=role.flow.loaded, part=True)
    try:
        with surroundings.importing():
            program = bind(role.flow)
    except LoadError as error:
        raise LoadError(f"The flow of role {role.name!r} cannot run: {error.message}", code=error.code) from error
    constants = {name: value for name, value in node.inputs.items() if not isinstance(value, Reference)}
    return Speaker(
        role,
        program,
        tuple(FromInput(name, item.name) for name, item in node.inputs.items() if isinstance(item, Reference)),
        load_images(constants, folder=folder, message_format=role.flow.message_format),
        surroundings,
    )
