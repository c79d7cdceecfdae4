"""Records: one form computed, stored and served."""

import json

from hypothesis import given
from hypothesis import strategies as st

from penstock.records import Failure, LineResult, ModelCall, NodeRun, PromptUse, Span, Status, Usage

TEXT = st.text(max_size=8)
NUMBER = st.floats(0, 1e6, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
MAP = st.dictionaries(TEXT, JSON, max_size=2)
SPANS = st.builds(
    Span,
    id=TEXT,
    name=TEXT,
    parent=st.none() | TEXT,
    inputs=MAP,
    output=JSON,
    error=st.none() | TEXT,
    started=NUMBER,
    duration=NUMBER,
)
USES = st.builds(
    PromptUse,
    name=TEXT,
    source=st.sampled_from(["file", "code", "input", "store", "inline"]),
    template=st.none() | TEXT,
    rendered=st.none() | TEXT,
    version=st.none() | st.integers(1, 9),
    commit=st.none() | TEXT,
)
CALLS = st.builds(
    ModelCall,
    api=st.just("chat"),
    model=TEXT,
    request=MAP,
    response=JSON,
    usage=st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.just(1), st.none() | NUMBER),
    span=st.none() | TEXT,
)
NODES = st.builds(
    NodeRun,
    node=TEXT,
    status=st.sampled_from(Status),
    inputs=MAP,
    output=JSON,
    started=NUMBER,
    duration=NUMBER,
    failure=st.none() | st.builds(Failure, TEXT, TEXT),
    calls=st.lists(CALLS, max_size=2).map(tuple),
    spans=st.lists(SPANS, max_size=2).map(tuple),
    prompts=st.lists(USES, max_size=2).map(tuple),
    item=st.lists(st.integers(0, 9), max_size=2).map(tuple),
)


@given(
    st.builds(
        LineResult, st.integers(0, 9), st.sampled_from(Status), MAP, MAP, nodes=st.lists(NODES, max_size=2).map(tuple)
    )
)
def test_a_line_comes_back_from_json_as_it_was(line):
    assert LineResult.from_json(json.loads(json.dumps(line.to_json()))) == line


def test_what_a_newer_version_wrote_is_read_past():
    written = {
        **NodeRun("n", Status.COMPLETED).to_json(),
        "of_tomorrow": 1,
        "spans": [{"id": "1", "name": "f", "new": 2}],
    }
    assert NodeRun.from_json(written) == NodeRun("n", Status.COMPLETED, spans=(Span("1", "f"),))


def test_an_item_of_a_map_is_labelled_with_its_place():
    assert NodeRun("n", Status.COMPLETED, item=(3, 0)).label == "n[3][0]"
    assert NodeRun("n", Status.COMPLETED).label == "n"
