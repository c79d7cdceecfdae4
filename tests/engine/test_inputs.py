import base64

import pytest

from penstock.records import Status

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def taking(open_flow):
    """``taking("x: {type: int}")`` is a flow with these inputs that gives all of them back."""

    def build(inputs, **options):
        names = [part.split(":")[0].strip() for part in inputs.split(";")]
        lines = "".join(f"  {part.strip()}\n" for part in inputs.split(";"))
        outputs = "".join(f'  {name}: {{type: object, reference: "${{inputs.{name}}}"}}\n' for name in names)
        return open_flow(f"inputs:\n{lines}outputs:\n{outputs}nodes: []\n", **options)

    return build


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("int", "11", 11),
        ("double", 1, 1.0),
        ("bool", "True", True),
        ("string", 4, "4"),
        ("list", "[1]", [1]),
        ("object", "5", 5),
        ("object", "abc", "abc"),
        ("secret", 5, 5),
        ("string", None, "None"),
        ("object", None, None),
    ],
)
def test_given_values_are_converted(taking, kind, value, wanted):
    assert taking(f"x: {{type: {kind}}}")(x=value) == {"x": wanted}


def test_defaults_are_converted_too(taking):
    assert taking("x: {type: int, default: '7'}; y: {type: list, default: '[1]'}")() == {"x": 7, "y": [1]}


def test_a_given_null_is_kept_and_converted_not_replaced_by_the_default(taking):
    flow = taking("x: {type: string, default: hi}; y: {type: object, default: 3}; z: {type: int, default: 1}")
    assert flow(x=None, y=None, z=2) == {"x": "None", "y": None, "z": 2}
    assert flow.invoke({"z": None}).failure.kind == "InputTypeError"


def test_a_default_of_null_is_none(taking):
    result = taking("x: {type: string, default: null}").invoke({"y": 1})
    assert result.failure.kind == "InputNotFound"
    assert "flow input 'x' is not provided in input data" in result.failure.message
    assert "Given: 'y'" in result.failure.message


def test_refused_inputs_leave_the_record_without_inputs_but_with_their_source(taking):
    result = taking("x: {type: int}").invoke({"x": "5.5"})
    assert (result.status, result.inputs, result.nodes) == (Status.FAILED, None, ())
    assert result.source == {"x": "5.5"}
    assert "does not match the expected type 'int': '5.5'" in result.failure.message


def test_text_that_is_no_json_is_told_apart_from_a_wrong_type(taking):
    assert taking("x: {type: list}").invoke({"x": "['a']"}).failure.kind == "InputParseError"
    assert taking("x: {type: list}").invoke({"x": "5"}).failure.kind == "InputTypeError"
    assert taking("x: {type: int}").invoke({"x": float("inf")}).failure.kind == "InputTypeError"


def test_values_that_are_not_declared_are_kept(taking):
    assert taking("x: {type: int}").invoke({"x": 1, "y": [2]}).inputs == {"x": 1, "y": [2]}


def test_an_input_of_type_image_becomes_an_image(write_flow, taking):
    flow = taking("x: {type: image}")
    (flow.inline.folder / "a.png").write_bytes(PNG)
    for value in ("a.png", {"data:image/png;path": "a.png"}, base64.b64encode(PNG).decode()):
        image = flow.invoke({"x": value}).inputs["x"]
        assert bytes(image) == PNG
        assert image.mime_type == "image/png"
    assert [bytes(one) for one in flow.invoke({"x": ["a.png"]}).inputs["x"]] == [PNG]
    assert flow.invoke({"x": "gone.png"}).failure.kind == "InvalidImageInput"


def test_images_are_found_inside_lists_and_objects(taking):
    flow = taking("x: {type: object}; y: {type: list}")
    (flow.inline.folder / "a.png").write_bytes(PNG)
    found = flow.invoke({"x": {"deep": [{"data:image/png;path": "a.png"}]}, "y": [{"data:image/png;path": "a.png"}]})
    assert bytes(found.inputs["x"]["deep"][0]) == bytes(found.inputs["y"][0]) == PNG


def test_a_mutable_default_is_fresh_for_each_call(open_flow):
    flow = open_flow(
        """
        inputs: {x: {type: list, default: [1]}}
        outputs: {y: {type: object, reference: "${a.output}"}}
        nodes: [{name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.x}", z: [], m: {k: []}}}]
        """,
        {"a.py": "def a(x, z, m):\n    x.append(2); z.append(3); m['k'].append(4)\n    return [x, z, m]\n"},
    )
    for _ in range(2):
        assert flow() == {"y": [[1, 2], [3], {"k": [4]}]}
