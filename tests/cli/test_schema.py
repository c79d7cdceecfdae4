import json


def test_formats_are_listed(penstock):
    assert "dag         A flow as a graph of nodes.  flow.dag.yaml, flow.dag.yml" in penstock("schema").out
    assert penstock("schema", "--json").json["run"][0] == "run.yml"


def test_schema_is_printed(penstock):
    made = penstock("schema", "dag").json
    assert made["properties"]["nodes"]["items"]["properties"]["activate"]["required"] == ["when", "is"]


def test_schemas_are_written_with_what_the_editor_needs(penstock, work):
    answer = penstock("schema", "--write", "s")
    assert answer.code == 0
    assert "s/dag.schema.json" in answer.out.splitlines()
    assert "# yaml-language-server: $schema=PATH" in answer.err
    assert json.loads((work / "s" / "connection.schema.json").read_text(encoding="utf-8"))["oneOf"]
    assert penstock("schema", "run", "--write", "t", "--json").json == {
        "t/run.schema.json": ["run.yml", "run.yaml", "run_*.yml"]
    }


def test_unknown_format_is_a_sentence(penstock):
    answer = penstock("schema", "dagg")
    assert (answer.code, answer.err) == (2, "penstock: There is no format 'dagg'. Did you mean dag?\n")


def test_folder_that_cannot_be_made_is_a_sentence(penstock, work):
    (work / "file").write_text("", encoding="utf-8")
    answer = penstock("schema", "--write", "file/s")
    assert answer.code == 1
    assert "cannot be written" in answer.err
