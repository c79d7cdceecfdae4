"""Functions as a graph: which are nodes, what their parameters mean, and what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LoadError, UsageError
from penstock.frontends.functions.graph import Settings, build
from penstock.frontends.functions.scan import Function, Parameter
from penstock.functions import Marks
from penstock.graph.flow import FlowInput, FlowOutput, Source

PLAIN = """
    import os
    from json import dumps

    LIMIT = 3

    class Helper: ...

    def clean(text: str) -> str:
        "Without white space."
        return text.strip()

    def size(clean: str, unit: str = "characters") -> int:
        return len(clean)

    async def report(size: int, clean: str) -> str:
        return _shown(size)

    def _shown(size):
        return str(size)
"""


def problems(flow):
    return [item.message for item in flow.diagnostics if item.severity == "error"]


def test_public_functions_are_nodes_and_parameters_are_edges(graph):
    flow = graph(PLAIN).flow()
    assert [node.name for node in flow.nodes] == ["clean", "size", "report"]
    assert {key: str(value) for key, value in flow.node("report").inputs.items()} == {
        "size": "${size.output}",
        "clean": "${clean.output}",
    }
    assert flow.node("clean").description == "Without white space."
    assert list(flow.outputs) == ["report"]
    assert flow.strict
    assert not flow.diagnostics


def test_what_no_function_provides_is_an_input_with_its_type_and_default(graph):
    flow = graph(PLAIN).flow()
    text, unit = flow.inputs["text"], flow.inputs["unit"]
    assert (text.type, text.optional, text.default) == ("string", False, None)
    assert (unit.type, unit.optional, unit.default) == ("string", True, "characters")


def test_any_function_can_be_asked_for_and_only_what_it_needs_is_kept(graph):
    flow = graph(PLAIN).flow(["clean"])
    assert [node.name for node in flow.nodes] == ["clean"]
    assert list(flow.inputs) == ["text"]
    with pytest.raises(UsageError, match=r"no output 'repot'. Did you mean 'report'\?"):
        graph(PLAIN).flow(["repot"])


def test_given_nodes_become_inputs(graph):
    flow = graph(PLAIN).flow(["report"], ["clean"])
    assert sorted(flow.inputs) == ["clean", "unit"]
    assert [node.name for node in flow.nodes] == ["size", "report"]


def test_an_input_is_optional_only_where_every_taker_has_a_default(graph):
    text = """
        def one(x: int = 1) -> int: ...
        def two(x: int) -> int: ...
    """
    assert graph(text).flow(["one"]).inputs["x"].optional
    assert not graph(text).flow(["one", "two"]).inputs["x"].optional


def test_types_that_do_not_fit_are_told_with_both_places(graph):
    flow = graph(
        """
        def size(text: str) -> int: ...
        def shout(size: str) -> str: ...
        """
    ).flow()
    (found,) = flow.diagnostics
    assert found.code == "TypeMismatch"
    assert found.message.startswith("shout() takes 'size' as str, but size() (")
    assert found.message.endswith("part0.py:4) gives int.")
    assert (found.line, found.file.endswith("part0.py")) == (5, True)


def test_takers_of_an_input_must_agree(graph):
    flow = graph("def one(x: int) -> int: ...\ndef two(x: str) -> int: ...\n").flow()
    (message,) = problems(flow)
    assert message.startswith("two() takes the input 'x' as str, but one() (")
    assert message.endswith(") takes it as int.")
    flow = graph("def one(x: int = 1) -> int: ...\ndef two(x: int = 2) -> int: ...\n").flow()
    (message,) = problems(flow)
    assert message.startswith("two() has the default 2 for the input 'x', but one() (")


def test_the_narrower_type_of_an_input_counts(graph):
    flow = graph("def one(x: float) -> int: ...\ndef two(x: int) -> int: ...\ndef three(x): ...\n").flow()
    assert flow.inputs["x"].type == "int"
    assert not flow.diagnostics


def test_a_value_of_no_type_is_passed_as_it_is(graph):
    flow = graph("def one(x, y: dict, z: list[int], w: object) -> int: ...\n").flow()
    assert {name: (port.type, port.converted) for name, port in flow.inputs.items()} == {
        "x": ("object", False),
        "y": ("object", True),
        "z": ("list", True),
        "w": ("object", False),
    }


def test_two_functions_of_one_name_are_refused(graph):
    with pytest.raises(
        LoadError, match=r"two functions give 'one': one\(\) \(.*part0.py:3\) and one\(\) \(.*part1.py:3\)"
    ):
        graph("def one(): ...\n", "def one(): ...\n")
    with pytest.raises(LoadError, match=r"part0.py:4: one\(\) is defined in line 3 already"):
        graph("def one(): ...\ndef one(): ...\n")


def test_reserved_names_are_refused(graph):
    with pytest.raises(LoadError, match=r"part0.py:3: no function can be called 'inputs'"):
        graph("def inputs(): ...\n")


def test_a_circle_is_told(graph):
    from penstock.graph.check import check

    flow = graph("def a(b): ...\ndef b(a): ...\n").flow(["a"])
    assert [item.code for item in check(flow)] == ["NodeCircularDependency"]


def test_a_circle_beside_the_flow_is_told_too(graph):
    from penstock.graph.check import check

    for text in ("def a(b): ...\ndef b(a): ...\n", "def a(b): ...\ndef b(a): ...\ndef c(x): ...\n"):
        assert [item.code for item in check(graph(text).flow())] == ["NodeCircularDependency"]


ALTERNATIVES = """
    @when(version="v1", default=True)
    def note__v1() -> str: ...

    @when(version=("v2", 3))
    def note__v2() -> str: ...

    def shout(note: str) -> str: ...
"""


@pytest.mark.parametrize(
    ("config", "chosen"), [({}, "v1"), ({"version": "v1"}, "v1"), ({"version": "v2"}, "v2"), ({"version": "3"}, "v2")]
)
def test_configuration_chooses_among_alternatives(graph, config, chosen):
    flow = graph(ALTERNATIVES, config=config).flow()
    assert flow.node("note").call.target.endswith(f"note__{chosen}")
    assert flow.choices["version"].values == ("v1", "v2", 3)
    assert flow.choices["version"].nodes == ("note",)


def test_a_choice_that_nobody_knows_lists_those_there_are(graph):
    with pytest.raises(LoadError, match=r"No alternative is for version='v4'; there are: 'v1', 'v2', 3 \("):
        graph(ALTERNATIVES, config={"version": "v4"})
    with pytest.raises(UsageError, match=r"nothing is configured by 'versoin'.*Did you mean 'version'\?"):
        graph(ALTERNATIVES, config={"versoin": "v1"})


def test_a_missing_choice_is_told_where_its_value_is_needed(graph):
    text = ALTERNATIVES.replace(", default=True", "") + "\n    def free() -> int: ...\n"
    (message,) = problems(graph(text).flow())
    assert message == (
        "shout() takes 'note', but none of the alternatives of 'note' is chosen; set the configuration's version"
        " ('v1', 'v2', 3)."
    )
    assert not problems(graph(text).flow(["free"]))


def test_alternatives_that_fit_at_once_are_refused(graph):
    text = "@when(a=1)\ndef n__x(): ...\n@when(b=1)\ndef n__y(): ...\n"
    with pytest.raises(LoadError, match=r"Two alternatives of 'n' are chosen at once: n__x\(\) .* and n__y\(\)"):
        graph(text, config={"a": 1, "b": 1})


def test_a_parameter_with_a_default_does_without_an_alternative_that_is_not_chosen(graph):
    text = '@when(kind="pdf")\ndef pages__pdf() -> list: ...\ndef size(pages: list = ()) -> int: ...\n'
    flow = graph(text).flow()
    assert flow.node("size").inputs == {}
    assert not flow.inputs


def test_configuration_gives_parameters_and_cannot_shadow_functions(graph):
    flow = graph(PLAIN, config={"unit": "words"}).flow()
    assert flow.node("size").inputs["unit"] == "words"
    assert list(flow.inputs) == ["text"]
    with pytest.raises(LoadError, match=r"'clean' is computed by clean\(\), so the configuration cannot say"):
        graph(PLAIN, config={"clean": "x"})


def test_configured_text_becomes_what_the_parameter_takes(graph):
    text = "def one(n: int, on: bool) -> int: ...\n"
    assert graph(text, config={"n": "3", "on": "true"}).flow().node("one").inputs == {"n": 3, "on": True}
    (message,) = problems(graph(text, config={"n": "many", "on": "true"}).flow())
    assert message.startswith("one() takes 'n' as int, which the configured 'many' is not")


def test_fields_have_names_of_their_own(graph):
    text = """
        class Parts(TypedDict):
            head: str
            size: int

        @extract_fields()
        def parts(text: str) -> Parts: ...

        @extract_fields("x", y=int)
        def more(size: int) -> dict: ...

        def shout(head: str, y: int) -> str: ...
        def wrong(size: str) -> str: ...
    """
    whole = graph(text)
    flow = whole.flow(["shout", "size"])
    assert str(flow.node("shout").inputs["head"]) == "${parts.output.head}"
    assert str(flow.outputs["size"].value) == "${parts.output.size}"
    assert not flow.diagnostics
    (message,) = problems(whole.flow(["wrong"]))
    assert message.endswith(" gives int as 'size'.")
    assert sorted(whole.flow(["shout"], ["head", "y"]).inputs) == ["head", "y"]


def test_one_function_may_be_several_nodes(graph):
    text = """
        @parameterize(short={"limit": value(1)}, long={"limit": source("most"), "text": source("other")})
        def cut(text: str, limit: int) -> str: ...

        @inject(parts=group(source("short"), source("long"), value("end")))
        def joined(parts: list[str]) -> str: ...
    """
    flow = graph(text).flow()
    assert [node.name for node in flow.nodes] == ["short", "long", "joined"]
    assert flow.node("short").inputs["limit"] == 1
    assert sorted(flow.inputs) == ["most", "other", "text"]
    joined = flow.node("joined")
    assert [str(value) for value in joined.inputs.values()] == ["${short.output}", "${long.output}", "end"]
    assert joined.call.function.__wrapped__.__name__ == "joined"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "@inject(tezt=value(1))\ndef f(text): ...\n",
            r"part0.py:3: f\(\) has no parameter 'tezt'. Did you mean 'text'",
        ),
        (
            "@extract_fields()\ndef f() -> int: ...\n",
            r"needs a TypedDict or a dataclass as the return type of f\(\); it has int",
        ),
        ("@extract_fields('f')\ndef f(): ...\n", r"two functions give 'f'"),
        ("@inject(text='x')\ndef f(text): ...\n", r"must say where it comes from: source\('name'\)"),
        ("@when()\ndef f(text): ...\n", r"when\(\) needs at least one choice"),
        ("@extract_fields('a b')\ndef f(): ...\n", r"'a b' cannot be the name of a node"),
    ],
)
def test_marks_that_make_no_sense_are_told(graph, text, message):
    with pytest.raises(LoadError, match=message):
        graph(text)


MAPS = """
    def chunks(text: str) -> Each[str]: ...
    def size(chunks: str, unit: str) -> int: ...
    def total(size: Collect[int]) -> int: ...
"""


def test_each_expands_and_collect_gathers(graph):
    flow = graph(MAPS).flow()
    assert flow.node("chunks").expands
    assert flow.node("total").collects == {"size"}
    assert not flow.diagnostics


def test_what_maps_give_is_checked_item_by_item(graph):
    assert problems(graph(MAPS.replace("chunks: str", "chunks: int")).flow())
    assert problems(graph(MAPS.replace("Collect[int]", "Collect[str]")).flow())
    (message,) = problems(graph("def a(x: int) -> int: ...\ndef b(a: Collect[int]) -> int: ...\n").flow())
    assert message.startswith("Node 'b' collects 'a'")


PROMPTS = """
    @prompt
    def tone(mood: str = "kind") -> str:
        return f"system:\\nBe {mood}."

    @llm(connection="open_ai", model="m", temperature=0)
    def answer(tone: str, question: str) -> str:
        return f"{tone}\\nuser:\\n{question}"

    @llm(connection="open_ai")
    def brief(text: str) -> str:
        return "In short: {{ text | trim }}"
"""


def test_prompts_are_known_before_any_line(graph):
    flow = graph(PROMPTS).flow()
    assert flow.node("tone").call.prompt.text == "system:\nBe {{ mood }}."
    assert flow.node("tone").call.prompt.source == "code"
    assert len(flow.node("tone").call.prompt.closure) == 64
    answer = flow.node("answer")
    assert (answer.call.type, answer.call.connection, answer.call.api) == ("llm", "open_ai", "chat")
    assert answer.call.prompt.text == "{{ tone }}\nuser:\n{{ question }}"
    assert answer.inputs["temperature"] == 0
    assert flow.inputs["mood"].default == "kind"
    assert flow.node("brief").call.prompt.text == "user:\nIn short: {{ text | trim }}"
    assert not flow.diagnostics


def test_template_variables_are_checked_against_the_parameters(graph):
    flow = graph('@prompt\ndef p(a: str, b: str) -> str:\n    return "{{ a }} {{ c }}"\n').flow()
    assert [(item.severity, item.code) for item in flow.diagnostics] == [
        ("error", "TemplateVariable"),
        ("warning", "UnusedInput"),
    ]
    assert "add it to them: def p(a, b, c)" in flow.diagnostics[0].message


def test_a_prompt_takes_no_group_and_gives_no_sequence(graph):
    with pytest.raises(LoadError, match=r"'a' of p\(\) cannot be given a group\(\)"):
        graph('@inject(a=group(value(1)))\n@prompt\ndef p(a) -> str:\n    return f"{a}"\n')
    with pytest.raises(LoadError, match=r"a prompt is one text, so p\(\) cannot return Each"):
        graph('@prompt\ndef p() -> Each[str]:\n    return "x"\n')


def test_only_a_chat_is_given_a_role(graph):
    flow = graph('@llm(connection="c", api="embedding")\ndef v(text: str) -> list:\n    return f"{text}"\n').flow()
    assert flow.node("v").call.prompt.text == "{{ text }}"


def test_model_calls_can_be_told_another_connection(graph):
    flow = graph(PROMPTS, connections={"brief": {"connection": "mine", "model": "big"}}).flow(["brief"])
    assert (flow.node("brief").call.connection, flow.node("brief").inputs["model"]) == ("mine", "big")
    with pytest.raises(LoadError, match="'tone' asks no model"):
        graph(PROMPTS, connections={"tone": {"connection": "mine"}})


def test_declared_inputs_and_outputs_win(graph):
    inputs = {"text": FlowInput("text", "", "hello", description="What to clean"), "tetx": FlowInput("tetx", line=4)}
    outputs = {"result": FlowOutput("result", "report", "")}
    flow = graph(PLAIN, inputs=inputs, outputs=outputs).flow()
    assert (flow.inputs["text"].type, flow.inputs["text"].default) == ("string", "hello")
    assert flow.inputs["text"].description == "What to clean"
    assert str(flow.outputs["result"].value) == "${report.output}"
    (found,) = flow.diagnostics
    assert (found.message, found.hint) == (
        "The input 'tetx' is declared, but no function takes it.",
        "Did you mean 'text'?",
    )


def test_a_declared_type_must_be_that_of_the_code(graph):
    flow = graph(PLAIN, inputs={"text": FlowInput("text", "int")}).flow()
    assert problems(flow) == ["The input 'text' is declared as int, but clean() takes it as str."]


@given(st.lists(st.lists(st.integers(0, 12), max_size=4), min_size=1, max_size=12), st.data())
def test_a_slice_is_exactly_what_its_outputs_need(edges, data):
    functions = []
    for number, parents in enumerate(edges):
        names = {f"n{parent}" if parent < number else f"x{parent}" for parent in parents}
        functions.append(
            Function(f"n{number}", int, {n: Parameter(n) for n in names}, int, False, Marks(), "f.py", 1, "m")
        )
    graph = build(functions, Settings("flow", Source("f.py", "functions")))
    asked = data.draw(st.sets(st.sampled_from([f.name for f in functions]), min_size=1))
    flow = graph.flow(sorted(asked))
    parameters = {f.name: set(f.parameters) for f in functions}
    needed, todo = set(), list(asked)
    while todo:
        name = todo.pop()
        if name not in needed and name in parameters:
            needed.add(name)
            todo.extend(parameters[name])
    assert {node.name for node in flow.nodes} == needed
    assert set(flow.inputs) == {p for name in needed for p in parameters[name] if p.startswith("x")}
    assert not flow.diagnostics
