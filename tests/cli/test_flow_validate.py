import pytest


def test_a_good_flow_is_told_so(penstock, loud):
    answer = penstock("flow", "validate", "--source", loud)
    assert (answer.code, answer.out, answer.err) == (0, "0 errors, 0 warnings, 0 notes.\n", "")


@pytest.mark.parametrize("words", [["loud"], ["--source", "loud"], ["--flow", "loud"]])
def test_the_flow_is_named_in_any_way(penstock, loud, words):
    assert penstock("flow", "validate", *words).code == 0


@pytest.fixture
def broken(loud):
    text = (loud / "flow.dag.yaml").read_text(encoding="utf-8")
    text = text.replace("${inputs.text}", "${inputs.txet}").replace("path: loud.py", "path: gone.py")
    (loud / "flow.dag.yaml").write_text(text, encoding="utf-8")
    return loud


def test_all_findings_come_with_file_and_line_and_a_count(penstock, broken):
    answer = penstock("flow", "validate", "--source", broken)
    *findings, last = answer.out.splitlines()
    assert answer.code == 1
    assert last == "2 errors, 0 warnings, 0 notes."
    assert len(findings) == 2
    assert all(line.startswith(f"{broken}/flow.dag.yaml:") for line in findings)
    assert any("txet" in line for line in findings)
    assert any("gone.py" in line for line in findings)


def test_machines_get_findings_as_objects(penstock, broken):
    answer = penstock("flow", "validate", "--source", broken, "--json")
    assert answer.code == 1
    assert answer.json["valid"] is False
    assert {item["severity"] for item in answer.json["diagnostics"]} == {"error"}
    assert all(item["line"] for item in answer.json["diagnostics"])


def test_a_mapping_is_checked_against_the_data(penstock, loud):
    words = ["flow", "validate", "--source", loud, "--data", "data.jsonl", "--column-mapping"]
    assert penstock(*words, "text=${data.text}").code == 0
    answer = penstock(*words, "text=${data.txet}")
    assert answer.code == 1
    assert "txet" in answer.out


def test_validation_runs_none_of_the_flows_code(penstock, loud, work):
    (loud / "loud.py").write_text(
        "open('ran', 'w')\nfrom promptflow.core import tool\n@tool\ndef loud(text: str): ...\n", encoding="utf-8"
    )
    assert penstock("flow", "validate", "--source", loud).code == 0
    assert not list(work.rglob("ran"))
