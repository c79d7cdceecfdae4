import pytest


def test_a_standard_flow_runs_at_once(penstock, work):
    made = penstock("flow", "init", "--flow", "mine")
    assert made.code == 0
    assert made.out.endswith("Try it: penstock flow test --flow mine\n")
    assert penstock("flow", "test", "--flow", "mine").json == {"output": "You said: Hello, world!"}
    assert penstock("flow", "validate", "--source", "mine").code == 0


def test_an_evaluation_flow_runs_over_its_data(penstock, work):
    penstock("flow", "init", "--flow", "mine", "--type", "evaluation")
    mapping = [f"{name}=${{data.{name}}}" for name in ("groundtruth", "prediction")]
    words = ["run", "create", "--flow", "mine", "--data", "mine/data.jsonl", "--column-mapping", *mapping, "--json"]
    assert penstock(*words).json["metrics"] == {"accuracy": 0.5}


def test_a_chat_flow_is_valid_and_names_its_connection(penstock, work):
    penstock("flow", "init", "--flow", "mine", "--type", "chat", "--connection", "here", "--deployment", "small")
    answer = penstock("flow", "validate", "--source", "mine")
    assert answer.code == 0
    assert "there is no connection 'here'" in answer.out
    shown = penstock("flow", "show", "mine", "--json").json
    assert shown["nodes"][0]["inputs"]["deployment_name"] == "small"
    assert {path.name for path in (work / "mine").iterdir()} >= {"openai.yaml", "azure_openai.yaml"}


def test_a_function_is_wrapped(penstock, work, write):
    write(work / "mine", main__py="def answer(text: str, times: int) -> str:\n    return text * times\n")
    made = penstock("flow", "init", "--flow", "mine", "--entry", "main.py", "--function", "answer")
    assert made.code == 0
    assert penstock("flow", "test", "--flow", "mine", "--inputs", "text=ab", "times=2").json == {"output": "abab"}


def test_a_coroutine_and_a_prompt_are_wired(penstock, work, write):
    write(work / "mine", main__py="async def answer(prompt: str, end: str):\n    return prompt + end\n")
    write(work, ask__jinja2="Say {{word}}")
    words = ["--entry", "main.py", "--function", "answer", "--prompt-template", "prompt=ask.jinja2"]
    assert penstock("flow", "init", "--flow", "mine", *words).code == 0
    assert penstock("flow", "validate", "--source", "mine").code == 0
    assert penstock("flow", "test", "--flow", "mine", "--inputs", "word=ab", "end=!").json == {"output": "Say ab!"}


def test_a_function_that_is_a_tool_is_the_node(penstock, work, write):
    write(
        work / "mine", main__py="from promptflow.core import tool\n\n@tool\ndef answer(text: str):\n    return text\n"
    )
    made = penstock("flow", "init", "--flow", "mine", "--entry", "main.py", "--function", "answer", "--json")
    assert made.json["files"] == ["mine/flow.dag.yaml"]
    assert penstock("flow", "test", "--flow", "mine", "--inputs", "text=ab").json == {"output": "ab"}


def test_machines_get_what_was_written(penstock, work):
    answer = penstock("flow", "init", "--flow", "mine", "--json")
    assert answer.json["flow"] == "mine"
    assert "mine/flow.dag.yaml" in answer.json["files"]


def test_nothing_that_is_there_is_replaced(penstock, work, write):
    write(work / "mine", echo__py="mine\n")
    refused = penstock("flow", "init", "--flow", "mine")
    assert refused.code == 2
    assert refused.err == "penstock: mine is not empty; add -y to write into it (nothing in it is replaced).\n"
    assert penstock("flow", "init", "--flow", "mine", "--assume-yes").code == 0
    assert (work / "mine" / "echo.py").read_text(encoding="utf-8") == "mine\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--entry", "main.py"], "--entry and --function go together: the file, and the function in it."),
        (["--entry", "gone.py", "--function", "f"], "--entry: gone.py cannot be read: No such file or directory."),
        (["--entry", "main.py", "--function", "g"], "mine/main.py has no function 'g'; it has: f."),
        (
            ["--entry", "main.py", "--function", "f", "--prompt-template", "b=x.jinja2"],
            "--prompt-template: f has no parameter 'b'; it has: a.",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_told(penstock, work, write, words, sentence):
    write(work / "mine", main__py="def f(a): ...\n")
    answer = penstock("flow", "init", "--flow", "mine", *words)
    assert (answer.code, answer.err) == (2, f"penstock: {sentence}\n")
