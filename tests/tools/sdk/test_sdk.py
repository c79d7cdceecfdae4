"""Model calls of a vendor's own library inside flow code: noted with the node, answered offline."""

import textwrap

import pytest

from penstock.api.flows import load

openai = pytest.importorskip("openai")

RULES = """
rules:
- when: {contains: boom}
  error: {status: 400, message: "no such thing"}
- answer: {text: "the answer is {{last}}!"}
"""
FLOW = """
inputs: {q: {type: string}}
outputs: {a: {type: object, reference: "${ask.output}"}}
nodes:
- {name: ask, type: python, source: {type: code, path: ask.py}, inputs: {q: "${inputs.q}"}}
"""
HEAD = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from promptflow.core import tool
from promptflow.tracing import trace

def messages(q):
    return [{"role": "user", "content": q}]

"""


@pytest.fixture
def ask(tmp_path):
    """``ask(code, q)`` runs a flow of one node offline, whose client's endpoint nobody listens at."""

    def run(code, q="hello"):
        (tmp_path / "rules.yaml").write_text(RULES)
        (tmp_path / "flow.dag.yaml").write_text(FLOW)
        (tmp_path / "ask.py").write_text(HEAD + textwrap.dedent(code))
        function = load(tmp_path, offline=f"scripted:{tmp_path / 'rules.yaml'}")
        try:
            return function.invoke({"q": q})
        finally:
            function.close()

    return run


CLIENT = "OpenAI(api_key='k', base_url='http://127.0.0.1:9/v1')"


def test_a_chat_is_answered_offline_and_noted(ask):
    result = ask(f"""
    @tool
    def ask(q):
        return {CLIENT}.chat.completions.create(model="m", messages=messages(q), temperature=0).choices[0].message.content
    """)
    assert result.output == {"a": "the answer is hello!"}
    (call,) = result.nodes[0].calls
    assert (call.api, call.model, call.request["temperature"], call.offline) == ("chat", "m", 0, True)
    assert call.request["messages"] == [{"role": "user", "content": "hello"}]
    assert call.response["content"] == "the answer is hello!"
    assert result.usage.calls == 1
    assert result.usage.total_tokens > 0


def test_a_stream_and_an_azure_deployment_are_noted_too(ask):
    result = ask("""
    @tool
    def ask(q):
        client = AzureOpenAI(api_key="k", azure_endpoint="http://127.0.0.1:9", api_version="2024-02-01")
        pieces = client.chat.completions.create(model="dep", messages=messages(q), stream=True)
        return [p.choices[0].delta.content or "" for p in pieces if p.choices]
    """)
    assert "".join(result.output["a"]) == "the answer is hello!"
    assert len(result.output["a"]) > 2
    assert [(call.model, call.response["content"]) for call in result.nodes[0].calls] == [
        ("dep", "the answer is hello!")
    ]


def test_coroutines_and_pools_of_the_nodes_own_are_noted_with_it(ask):
    result = ask(f"""
    @tool
    async def ask(q):
        client = AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:9/v1")
        both = await asyncio.gather(*(client.chat.completions.create(model="m", messages=messages(w)) for w in "ab"))
        plain = {CLIENT}
        with ThreadPoolExecutor(2) as pool:
            more = list(pool.map(lambda w: plain.chat.completions.create(model="m", messages=messages(w)), "cd"))
        return [one.choices[0].message.content[-2:] for one in (*both, *more)]
    """)
    assert result.output == {"a": ["a!", "b!", "c!", "d!"]}
    assert len(result.nodes[0].calls) == 4


def test_a_call_inside_a_traced_function_is_its_child(ask):
    result = ask(f"""
    @trace
    def inner(q):
        return {CLIENT}.chat.completions.create(model="m", messages=messages(q)).choices[0].message.content

    @tool
    def ask(q):
        return inner(q)
    """)
    node = result.nodes[0]
    assert node.spans[0].name == "inner"
    assert node.calls[0].span == node.spans[0].id


def test_a_refusal_reaches_the_library_as_its_own_error(ask):
    result = ask(
        f"""
    import openai

    @tool
    def ask(q):
        try:
            {CLIENT}.chat.completions.create(model="m", messages=messages(q))
        except openai.BadRequestError as error:
            return str(error)
    """,
        "boom",
    )
    assert "no such thing" in result.output["a"]
    assert "no such thing" in result.nodes[0].calls[0].error


def test_a_recorded_call_of_the_library_can_be_replayed(tmp_path):
    """Recorded against a scripted endpoint on loopback, then replayed when nobody listens there any more."""
    import asyncio

    from penstock.models.rules import read_rules
    from penstock.models.script import Script
    from penstock.models.serve import Service, serving

    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "flow.dag.yaml").write_text(FLOW)
    code = """
@tool
def ask(q):
    import os
    client = OpenAI(api_key="k", base_url=os.environ["WHERE"])
    whole = client.chat.completions.create(model="m", messages=messages(q)).choices[0].message.content
    parts = client.chat.completions.create(model="m2", messages=messages(q), stream=True)
    return [whole, "".join(p.choices[0].delta.content or "" for p in parts if p.choices)]
"""
    (tmp_path / "ask.py").write_text(HEAD + code)
    tape = tmp_path / "tape.jsonl"

    def run(offline, where):
        function = load(tmp_path, offline=f"{offline}:{tape}", env={"WHERE": where})
        try:
            return function.invoke({"q": "hello"})
        finally:
            function.close()

    async def recorded():
        async with serving(Service(Script(read_rules(str(tmp_path / "rules.yaml"))))) as address:
            return await asyncio.to_thread(run, "record", address + "/v1"), address

    first, address = asyncio.run(recorded())
    assert first.output == {"a": ["the answer is hello!"] * 2}
    assert [(call.model, call.response["content"], call.offline) for call in first.nodes[0].calls] == [
        ("m", "the answer is hello!", False),
        ("m2", "the answer is hello!", False),
    ]
    again = run("replay", address + "/v1")
    assert again.output == first.output
    assert [call.offline for call in again.nodes[0].calls] == [True, True]
