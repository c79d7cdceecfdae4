import asyncio

import pytest

import penstock
from penstock.errors import InputError, LoadError, UsageError
from penstock.store.store import open_store

ASK = """---
name: Ask
model:
  api: chat
  configuration: {type: openai, model: gpt-4o}
  parameters: {max_tokens: 20}
inputs:
  question: {type: string}
  tone: {type: string, default: brief}
sample: {question: sampled}
---
system:
Be {{tone}}.

user:
{{question}}
"""
RULES = """
rules:
- when: {contains: boom}
  error: {status: 400, message: no}
- when: {contains: sampled}
  answer: {text: the sample}
default: {text: fixed answer}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ask.prompty").write_text(ASK)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


@pytest.fixture
def ask(folder, settings):
    def load(kind=penstock.Prompty, **changes):
        return kind.load(folder / "ask.prompty", offline=str(folder / "rules.yaml"), settings=settings, **changes)

    return load


def test_a_prompty_is_called_like_a_function(ask):
    prompty = ask()
    assert (prompty.name, prompty.path.name, prompty.prompty.dialect) == ("Ask", "ask.prompty", "promptflow")
    assert prompty(question="hi") == "fixed answer"
    assert prompty() == "the sample"
    with pytest.raises(InputError, match=r"Missing required inputs: \['question'\]"):
        prompty(tone="x")
    with pytest.raises(InputError, match="Missing required inputs"):
        prompty(timeout=3)
    for call, word in ((prompty, "called"), (prompty.render, "rendered"), (prompty.estimate_token_count, "rendered")):
        with pytest.raises(UsageError, match=f"can only be {word} with keyword arguments"):
            call("hi")


def test_it_shows_what_it_would_send(ask):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    assert ask().messages(question="hi") == messages
    assert ask().render(question="hi") == str(messages)
    text = ask(model={"api": "completion"})
    assert text.render(question="hi") == "system:\nBe brief.\n\nuser:\nhi\n"
    assert text.messages(question="hi") == [{"role": "user", "content": text.render(question="hi")}]


def test_an_awaited_prompty_runs_beside_others(ask):
    async def story():
        prompty = ask(penstock.AsyncPrompty)
        return await asyncio.gather(prompty(question="a"), prompty(), ask().awaited(question="b"))

    assert asyncio.run(story()) == ["fixed answer", "the sample", "fixed answer"]


def test_pieces_come_by_either_kind_of_loop(ask):
    streaming = {"model": {"parameters": {"stream": True}}}

    async def story():
        found = await ask(penstock.AsyncPrompty, **streaming)(question="a")
        return [piece async for piece in found]

    assert asyncio.run(story()) == list(ask(**streaming)(question="a")) == ["fixed ", "answer"]


def test_a_plain_call_works_where_an_event_loop_runs(ask):
    async def story():
        await asyncio.sleep(0)
        # It blocks, as any such call does; it does not wait for itself.
        return ask()(question="a"), list(ask(model={"parameters": {"stream": True}})(question="a"))

    assert asyncio.run(story()) == ("fixed answer", ["fixed ", "answer"])


def test_changes_are_laid_over_the_header(ask):
    assert ask(sample={"question": "other"})() == "fixed answer"
    assert ask(model={"response": "all"})(question="x").choices[0].message.content == "fixed answer"


def test_a_file_that_is_none_is_told(folder):
    with pytest.raises(LoadError, match="does not exist"):
        penstock.Prompty.load(folder / "gone.prompty")
    with pytest.raises(LoadError, match=r"must be a file with .prompty extension, not rules.yaml"):
        penstock.Prompty(folder / "rules.yaml")


def test_its_calls_are_in_the_record_of_the_node_that_makes_them(folder, write_flow, settings):
    flow = write_flow(
        """
        inputs: {q: {type: string, default: hi}}
        outputs: {a: {type: string, reference: "${n.output}"}}
        nodes:
        - {name: n, type: python, source: {type: code, path: n.py}, inputs: {q: "${inputs.q}"}}
        """,
        {
            "ask.prompty": ASK,
            "n.py": """
            from promptflow.core import Prompty, tool

            @tool
            def n(q: str):
                return Prompty.load(source="ask.prompty")(question=q)
            """,
        },
    )
    function = penstock.load(flow, offline=str(folder / "rules.yaml"), settings=settings)
    (node,) = function.invoke({}).nodes
    function.close()
    assert node.output == "fixed answer"
    assert [call.request["messages"][1]["content"] for call in node.calls] == ["hi"]
    assert [(span.name, span.type, span.inputs, span.output) for span in node.spans] == [
        ("Ask", "Prompty", {"question": "hi"}, "fixed answer")
    ]
    assert node.calls[0].span == node.spans[0].id
    assert [(use.name, use.source) for use in node.prompts] == [("ask.prompty", "file")]


def test_a_plain_call_inside_an_async_node_does_not_wait_for_itself(folder, write_flow, settings):
    flow = write_flow(
        """
        outputs: {a: {type: string, reference: "${n.output}"}}
        nodes:
        - {name: n, type: python, source: {type: code, path: n.py}}
        """,
        {
            "ask.prompty": ASK,
            "n.py": """
            from promptflow.core import AsyncPrompty, Prompty, tool

            @tool
            async def n():
                streaming = Prompty.load("ask.prompty", model={"parameters": {"stream": True}})
                awaited = await AsyncPrompty.load("ask.prompty")(question="a")
                return "".join(streaming(question="a")) + "|" + awaited
            """,
        },
    )
    function = penstock.load(flow, offline=str(folder / "rules.yaml"), settings=settings)
    assert function() == {"a": "fixed answer|fixed answer"}
    function.close()


def test_a_prompty_is_a_flow_too(folder, settings):
    function = penstock.load(folder / "ask.prompty", offline=str(folder / "rules.yaml"), settings=settings)
    assert function(question="hi") == "fixed answer"
    assert function() == "the sample"
    result = function.invoke({"question": "boom"})
    assert result.failure.node == "ask"
    (node,) = function.invoke({"question": "x"}).nodes
    assert (node.node, node.inputs, node.output) == ("ask", {"question": "x", "tone": "brief"}, "fixed answer")
    assert [(use.name, use.source) for use in node.prompts] == [("ask.prompty", "file")]
    function.close()


def test_a_batch_runs_over_a_prompty_and_its_changes(folder, settings):
    rows = [{"question": "a"}, {"question": "boom"}, {"question": "sampled"}]
    done = penstock.run(
        folder / "ask.prompty",
        data=rows,
        config={"model.parameters.temperature": "0.5", "model.configuration.model": "other"},
        offline=str(folder / "rules.yaml"),
        settings=settings,
        workers=1,
    )
    assert (done.completed, done.failed, done.usage.calls) == (2, 1, 2)
    outputs = [row.get("outputs.output") for row in penstock.details(done.name, settings=settings)]
    assert outputs[0::2] == ["fixed answer", "the sample"]
    with open_store(settings) as store, store.view_journal(done.name) as journal:
        results = [journal.read(line).result() for line in (0, 2)]
        requests = [result.nodes[0].calls[0].request for result in results]
    assert [(request["temperature"], request["max_tokens"]) for request in requests] == [(0.5, 20), (0.5, 20)]


def test_a_prompty_scores_another_run(folder, settings):
    common = {"offline": str(folder / "rules.yaml"), "settings": settings, "workers": 1}
    base = penstock.run(folder / "ask.prompty", data=[{"question": "a"}], **common)
    (folder / "judge.prompty").write_text(ASK.replace("question", "answer"))
    scored = penstock.run(
        folder / "judge.prompty", run=base, column_mapping={"answer": "${run.outputs.output}"}, **common
    )
    (row,) = penstock.details(scored.name, settings=settings)
    assert (row["inputs.answer"], row["outputs.output"]) == ("fixed answer", "fixed answer")


def test_tokens_are_counted(ask, monkeypatch, caplog):
    # Messages of 2 and 3 tokens, roles of 2 and 1, 3 a message, 3 for the answer's beginning, 20 for the answer.
    assert ask().estimate_token_count(question="x" * 12) == 3 + (3 + 2 + 3) + (3 + 1 + 3) + 20
    with pytest.raises(InputError, match=r"Max_token needs to be integer\."):
        ask(model={"parameters": {"max_tokens": "many"}}).estimate_token_count(question="x")
    with pytest.raises(InputError, match="1 is less than the minimum of max_tokens"):
        ask(model={"parameters": {"max_tokens": 1}}).estimate_token_count(question="x")
    assert ask(model={"parameters": {"max_tokens": None}}).estimate_token_count(question="x" * 12) == 18
    assert "sets no max_tokens" in caplog.text
