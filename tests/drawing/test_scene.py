import dataclasses
from pathlib import Path

from penstock.drawing.scene import scene_of
from penstock.frontends.load import load


def item(scene, name):
    (found,) = [own for own in scene.items if own.name == name]
    return found


def test_scene_tells_what_each_node_calls_and_with_which_model(flow):
    scene = scene_of(flow)
    assert item(scene, "translate").lines == ("translate.jinja2", "gpt-4o · azure_open_ai")
    assert item(scene, "fetch").lines == ("fetch.py",)
    assert item(scene, "url").lines == ('= "https://a.example/?a=1&b=<2>"',)
    assert item(scene, "history").marks == ("chat history",)


def test_scene_marks_the_chosen_variant_and_the_default(folder):
    (choices,) = [own.variants for own in scene_of(load(folder)).items if own.variants]
    assert [(c.id, c.chosen, c.default) for c in choices] == [("short", True, True), ("long", False, False)]
    scene = scene_of(load(folder, variants=("${summarize.long}",)))
    assert [(c.id, c.chosen) for c in item(scene, "summarize").variants] == [("short", False), ("long", True)]
    assert item(scene, "summarize").lines[0] == "long.jinja2"


def test_condition_is_a_link_of_its_own_and_a_text_at_the_node(flow):
    scene = scene_of(flow)
    assert item(scene, "translate").condition == 'if fetch.language = "de"'
    links = [(link.source, link.names, link.condition) for link in scene.links if link.target == "node:translate"]
    assert links == [("node:summarize", ("text",), False), ("node:fetch", (), True)]


def test_aggregation_nodes_stand_in_a_frame_of_their_own(flow):
    scene = scene_of(flow)
    assert item(scene, "count").frame == "run"
    assert [(group.kind, group.label) for group in scene.groups] == [("run", "once a run")]


def test_map_blocks_are_frames_inside_each_other(mapped):
    scene = scene_of(mapped)
    assert [(group.id, group.parent) for group in scene.groups] == [
        ("map:split", None),
        ("map:split/words", "map:split"),
    ]
    assert {own.name: own.frame for own in scene.items if own.place == "node"} == {
        "split": None,
        "clean": "map:split",
        "words": "map:split",
        "stem": "map:split/words",
        "rejoin": "map:split",
        "join": None,
    }
    assert item(scene, "join").marks == ("collects parts",)


def test_what_cannot_be_told_into_blocks_is_drawn_without_frames(make, node):
    scene = scene_of(
        make(
            node("a", expands=True), node("b", expands=True), node("c", x="${a.output}", y="${b.output}"),
            node("d", self="${d.output}", gone="${nobody.output}", what="${inputs.nothing}"),
        )
    )  # fmt: skip
    assert scene.groups == ()
    assert [(link.source, link.target) for link in scene.links if link.target == "node:d"] == [("node:d", "node:d")]


def test_a_flow_whose_one_node_gives_everything_has_its_outputs_from_there(make, node):
    scene = scene_of(dataclasses.replace(make(node("entry", type="entry", text="${inputs.text}")), whole="entry"))
    assert [(link.source, link.target) for link in scene.links] == [
        ("input:text", "node:entry"), ("node:entry", "output:output"),
    ]  # fmt: skip


def test_roles_of_a_group_give_the_conversation():
    scene = scene_of(load(Path(__file__).parents[2] / "examples" / "chat-group"))
    assert {link.source for link in scene.links if link.target == "output:conversation_history"} == {
        f"node:{own.name}" for own in scene.items if own.place == "node"
    }
    assert item(scene, "conversation_history").lines == ()


def test_class_with_a_sum_is_a_node_and_one_that_runs_once_a_run():
    scene = scene_of(load(Path(__file__).parents[2] / "examples" / "flex"))
    assert [(own.name, own.frame) for own in scene.items if own.place == "node"] == [
        ("Grader", None),
        ("__aggregate__", "run"),
    ]
    assert item(scene, "Grader").lines[0] == "grade:Grader"
