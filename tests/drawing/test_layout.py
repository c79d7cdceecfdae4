import itertools

from hypothesis import given
from hypothesis import strategies as st

from penstock.drawing.layout import Box, Edge, Frame, lay_out


def boxes(*names, frame=None):
    return [Box(name, 100, 40, frame) for name in names]


def overlap(a, b):
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def test_chain_runs_straight_down():
    layout = lay_out(boxes("a", "b", "c"), [Edge("a", "b"), Edge("b", "c")])
    assert len({layout.places[name].x for name in "abc"}) == 1
    assert layout.places["a"].y < layout.places["b"].y < layout.places["c"].y
    assert {x for route in layout.routes for x, _ in route} == {50.0}


def test_route_leads_from_the_lower_edge_of_its_source_to_the_upper_edge_of_its_target():
    layout = lay_out(boxes("a", "b", "c", "d"), [Edge("a", "b"), Edge("b", "c"), Edge("a", "c"), Edge("d", "c")])
    for edge, route in zip(["ab", "bc", "ac", "dc"], layout.routes, strict=True):
        source, target = layout.places[edge[0]], layout.places[edge[1]]
        assert route[0][1] == source.y + source.height
        assert source.x <= route[0][0] <= source.x + source.width
        assert route[-1][1] == target.y
        assert target.x <= route[-1][0] <= target.x + target.width


def test_lines_are_led_around_boxes():
    layout = lay_out(boxes("a", "b", "c"), [Edge("a", "b"), Edge("b", "c"), Edge("a", "c")])
    middle = layout.places["b"]
    beside = [x for x, y in layout.routes[2] if middle.y <= y <= middle.y + middle.height]
    assert beside
    assert all(x < middle.x or x > middle.x + middle.width for x in beside)


def test_crossings_that_can_be_avoided_are():
    layout = lay_out(boxes("a", "b", "c", "x", "y", "z"), [Edge("a", "z"), Edge("b", "y"), Edge("c", "x")])
    places = layout.places
    upper = sorted("abc", key=lambda name: places[name].x)
    assert sorted("xyz", key=lambda name: places[name].x) == [{"a": "z", "b": "y", "c": "x"}[name] for name in upper]


def test_frame_holds_its_boxes_and_no_others():
    layout = lay_out(
        [*boxes("a", "z"), *boxes("b", "c", frame="f"), *boxes("d", frame="g")],
        [Edge("a", "b"), Edge("b", "c"), Edge("c", "d"), Edge("d", "z"), Edge("a", "z"), Edge("a", "d")],
        [Frame("f"), Frame("g", "f", 200)],
    )
    frame, inner = layout.places["f"], layout.places["g"]
    for name in "bcd":
        assert overlap(frame, layout.places[name])
        assert frame.x < layout.places[name].x
        assert layout.places[name].y + 40 <= frame.y + frame.height
    assert inner.width == 200
    assert frame.x < inner.x
    assert inner.x + inner.width < frame.x + frame.width
    assert not any(overlap(frame, layout.places[name]) for name in "az")
    assert not any(overlap(inner, layout.places[name]) for name in "bc")
    for route in layout.routes:
        assert all(abs(x - nx) < 1 or y < ny or ny < y for (x, y), (nx, ny) in itertools.pairwise(route))


def test_a_hidden_edge_keeps_order_and_is_not_drawn():
    layout = lay_out(boxes("a", "b"), [Edge("b", "a", hidden=True)])
    assert layout.routes == ((),)
    assert layout.places["b"].y < layout.places["a"].y


def test_circles_and_nothing_at_all_can_be_laid_out():
    assert lay_out([], []).places == {}
    layout = lay_out(boxes("a", "b"), [Edge("a", "b"), Edge("b", "a"), Edge("a", "a")])
    assert layout.places["a"].y != layout.places["b"].y
    assert layout.routes[1][0][1] > layout.routes[1][-1][1]


def test_a_thousand_siblings_stand_in_several_rows():
    names = [str(number) for number in range(1000)]
    layout = lay_out([*boxes("a", "z"), *boxes(*names)], [Edge("a", n) for n in names] + [Edge(n, "z") for n in names])
    assert len({layout.places[name].y for name in names}) > 10


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    frames = draw(st.lists(st.integers(-1, 2), max_size=3))
    known = [Frame(f"f{n}", f"f{parent}" if 0 <= parent < n else None) for n, parent in enumerate(frames)]
    places = [None, *(frame.id for frame in known)]
    found = [
        Box(
            str(n),
            draw(st.sampled_from([60, 100, 300])),
            draw(st.sampled_from([20, 90])),
            draw(st.sampled_from(places)),
        )
        for n in range(count)
    ]
    ends = st.integers(0, count - 1)
    edges = draw(st.lists(st.builds(lambda a, b: Edge(str(a), str(b)), ends, ends), max_size=30))
    return found, edges, known


@given(graphs())
def test_no_box_lies_on_another_whatever_the_graph(graph):
    found, edges, frames = graph
    layout = lay_out(found, edges, frames)
    places = [layout.places[box.id] for box in found]
    assert not any(overlap(a, b) for n, a in enumerate(places) for b in places[:n])
    for box in found:
        place = layout.places[box.id]
        around = layout.places[box.frame] if box.frame else None
        if around:
            assert around.x <= place.x
            assert place.x + place.width <= around.x + around.width + 1e-6
            assert around.y <= place.y
            assert place.y + place.height <= around.y + around.height + 1e-6
        assert place.x >= -1e-6
        assert place.x + place.width <= layout.width + 1e-6
        assert place.y + place.height <= layout.height + 1e-6
    assert lay_out(found, edges, frames) == layout
    for edge, route in zip(edges, layout.routes, strict=True):
        source = layout.places[edge.source]
        assert source.x <= route[0][0] <= source.x + source.width
