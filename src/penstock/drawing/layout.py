"""Layered layout: boxes in rows by what they depend on, frames around boxes that belong together. Pure values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.drawing.level import Level, Line, Piece, Point, arrange

_PADDING = 18.0
_HEAD = 30.0
"""Height of a frame's heading."""


@dataclass(frozen=True, slots=True)
class Box:
    """Something to place: its size, and the id of the frame it stands in."""

    id: str
    width: float
    height: float
    frame: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one box to another. A ``hidden`` one is not drawn, but keeps its target below its source."""

    source: str
    target: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle around boxes and other frames; ``width`` is the least it needs for its heading."""

    id: str
    parent: str | None = None
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Left upper corner and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is. A route is the points of one edge: between two rows it may bend, within a row it is straight.

    Attributes:
        width: Of the whole.
        height: Of the whole.
        places: Of boxes and frames, by id.
        routes: Points of each edge, in the order of the edges; none for a hidden one.
    """

    width: float
    height: float
    places: Mapping[str, Place]
    routes: tuple[tuple[Point, ...], ...]


def lay_out(boxes: Sequence[Box], edges: Sequence[Edge], frames: Sequence[Frame] = ()) -> Layout:
    """Place ``boxes``; the same input gives the same layout.

    Args:
        boxes: Each with an id of its own.
        edges: Between their ids (not frames'); circles and repeated edges are allowed.
        frames: A frame stands after the one it is in.
    """
    work = _Work(boxes, edges, frames)
    work.inside(None)
    places: dict[str, Place] = {}
    work.place(None, 0.0, 0.0, places)
    width, height = work.size(None)
    return Layout(width, height, places, work.joined())


@dataclass(frozen=True, slots=True)
class _Port:
    """Where the value of ``box`` passes the border of a frame: into it through the upper edge, out through the lower."""

    box: str
    frame: str
    out: bool


_Member = str | _Port


class _Work:
    """The levels, laid out from the innermost frames outwards, then put into each other."""

    def __init__(self, boxes: Sequence[Box], edges: Sequence[Edge], frames: Sequence[Frame]) -> None:
        self.boxes = {box.id: box for box in boxes}
        self.frames = {frame.id: frame for frame in frames}
        self.edges = edges
        self.members: dict[str | None, dict[_Member, int]] = {None: {}, **{frame.id: {} for frame in frames}}
        self.lines: dict[str | None, dict[tuple[_Member, _Member, str, str], bool]] = {
            None: {},
            **{frame.id: {} for frame in frames},
        }
        self.hops: list[list[tuple[str | None, tuple[_Member, _Member, str, str]]]] = []
        self.levels: dict[str | None, Level] = {}
        self.numbers: dict[str | None, dict[tuple[_Member, _Member, str, str], int]] = {}
        self.origin: dict[str | None, Point] = {None: (0.0, 0.0)}
        for box in boxes:
            self._member(box.frame, box.id)
        for frame in frames:
            self._member(frame.parent, frame.id)
        for edge in edges:
            self.hops.append(self._hops(edge))

    def _member(self, frame: str | None, member: _Member) -> None:
        self.members[frame].setdefault(member, len(self.members[frame]))

    def _chain(self, box: str) -> list[str]:
        """The frames around a box, outermost first."""
        found: list[str] = []
        frame = self.boxes[box].frame
        while frame is not None:
            found.append(frame)
            frame = self.frames[frame].parent
        return found[::-1]

    def _hops(self, edge: Edge) -> list[tuple[str | None, tuple[_Member, _Member, str, str]]]:
        """The edge as lines of levels: out of the frames around its source, across, into those around its target."""
        out, into = self._chain(edge.source), self._chain(edge.target)
        shared = 0
        while shared < min(len(out), len(into)) and out[shared] == into[shared]:
            shared += 1
        hops: list[tuple[str | None, tuple[_Member, _Member, str, str]]] = []
        inner: str = edge.source
        source_box = ""
        for frame in reversed(out[shared:]):
            port = _Port(edge.source, frame, out=True)
            self._member(frame, port)
            hops.append((frame, (inner, port, source_box, "")))
            inner, source_box = frame, edge.source
        level = out[shared - 1] if shared else None
        tail: list[tuple[str | None, tuple[_Member, _Member, str, str]]] = []
        target: str = edge.target
        target_box = ""
        for frame in reversed(into[shared:]):
            port = _Port(edge.source, frame, out=False)
            self._member(frame, port)
            tail.append((frame, (port, target, "", target_box)))
            target, target_box = frame, edge.source
        hops.append((level, (inner, target, source_box, target_box)))
        hops += reversed(tail)
        for where, line in hops:
            self.lines[where][line] = self.lines[where].get(line, True) and edge.hidden
        return hops

    def inside(self, frame: str | None) -> None:
        """Lay out a frame's inside, after the frames in it."""
        # Iteration over a fixed list: frames come after their parents, so reversed they come before them.
        for own in [*reversed(self.frames), None] if frame is None else [frame]:
            self._level(own)

    def _level(self, frame: str | None) -> None:
        members = self.members[frame]
        pieces = [self._piece(member) for member in members]
        lines = [
            Line(
                members[source],
                members[target],
                self._port_at(source, start, out=True),
                self._port_at(target, end, out=False),
                hidden,
            )
            for (source, target, start, end), hidden in self.lines[frame].items()
        ]
        self.numbers[frame] = {key: number for number, key in enumerate(self.lines[frame])}
        self.levels[frame] = arrange(pieces, lines)

    def _piece(self, member: _Member) -> Piece:
        if isinstance(member, _Port):
            return Piece(2.0, 0.0, "last" if member.out else "first")
        if member in self.boxes:
            return Piece(self.boxes[member].width, self.boxes[member].height)
        return Piece(*self.size(member))

    def _port_at(self, member: _Member, box: str, *, out: bool) -> float | None:
        if not box or isinstance(member, _Port) or member not in self.frames:
            return None
        level = self.levels[member]
        number = self.members[member][_Port(box, member, out)]
        return level.corners[number][0] + 1.0 + self._indent(member)

    def _indent(self, frame: str) -> float:
        """From the frame's left edge to its inside, which stands in its middle where the heading is wider."""
        return (self.size(frame)[0] - self.levels[frame].width) / 2

    def size(self, frame: str | None) -> tuple[float, float]:
        """Width and height with heading and padding."""
        level = self.levels[frame]
        if frame is None:
            return level.width, level.height
        ports = [member for member in self.members[frame] if isinstance(member, _Port)]
        # An edge row of ports alone has no height but brings its gap: that is padding enough on its side.
        below = 4.0 if any(port.out for port in ports) else _PADDING
        above = 6.0 if any(not port.out for port in ports) else _PADDING
        width = max(level.width + 2 * _PADDING, self.frames[frame].width)
        return width, level.height + _HEAD + above + below

    def place(self, frame: str | None, x: float, y: float, places: dict[str, Place]) -> None:
        """Turn the level's own coordinates into those of the whole."""
        pending = [(frame, x, y)]
        while pending:
            own, left, top = pending.pop()
            self.origin[own] = (left, top)
            for member, number in self.members[own].items():
                if isinstance(member, _Port):
                    continue
                corner = self.levels[own].corners[number]
                at = left + corner[0], top + corner[1]
                if member in self.boxes:
                    box = self.boxes[member]
                    places[member] = Place(*at, box.width, box.height)
                    continue
                width, height = self.size(member)
                places[member] = Place(*at, width, height)
                into = any(isinstance(m, _Port) and not m.out for m in self.members[member])
                above = _HEAD + (6.0 if into else _PADDING)
                pending.append((member, at[0] + self._indent(member), at[1] + above))

    def joined(self) -> tuple[tuple[Point, ...], ...]:
        """The routes of all edges, each made of its lines in the levels."""
        routes: list[tuple[Point, ...]] = []
        for edge, hops in zip(self.edges, self.hops, strict=True):
            points: list[Point] = []
            for frame, line in () if edge.hidden else hops:
                left, top = self.origin[frame]
                points += [(left + x, top + y) for x, y in self.levels[frame].routes[self.numbers[frame][line]]]
            routes.append(tuple(points))
        return tuple(routes)
