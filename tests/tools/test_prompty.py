import asyncio
import json
import textwrap

import pytest
from aiohttp import web

from penstock.api.prompty import Prompty
from penstock.connections.azure import AzureOpenAIConnection
from penstock.connections.hosted import AnthropicConnection, OpenAICompatibleConnection, OpenAIConnection
from penstock.connections.kinds import CustomConnection
from penstock.connections.model_configuration import AzureOpenAIModelConfiguration, OpenAIModelConfiguration
from penstock.connections.resolve import Connections, Source
from penstock.errors import BadConnection, ModelError, PenstockError, ToolError
from penstock.models.pool import Models
from penstock.prompts.prompty_read import read_prompty
from penstock.tools.prompty import PromptyCall
from penstock.tools.prompty_answer import Answer
from penstock.tools.prompty_connection import connection_of
from penstock.tracing.notes import NOTES, Notes

HEADER = """
    model:
      api: chat
      configuration: {configuration}
      parameters: {parameters}
      response: {response}
    inputs:
      q: {{type: string}}
"""


@pytest.fixture
def prompty(tmp_path):
    def make(
        configuration="{type: openai, model: gpt-4o}", parameters="{}", response="first", more="", env=None, **changes
    ):
        header = textwrap.dedent(HEADER).format(configuration=configuration, parameters=parameters, response=response)
        path = tmp_path / "x.prompty"
        path.write_text(f"---{header}{more}\n---\nsystem:\nS\nuser:\n{{{{q}}}}\n")
        return read_prompty(path, env or {}, changes)

    return make


NAMED = Connections(
    [
        Source(
            "test",
            {
                "mine": {"type": "anthropic", "api_key": "k"},
                "other": {"type": "custom", "configs": {"a": "b"}, "secrets": {"c": "d"}},
            },
        )
    ]
)


@pytest.mark.parametrize(
    ("configuration", "env", "kind", "fields"),
    [
        ("{type: openai, model: m, api_key: k}", {}, OpenAIConnection, {"api_key": "k", "base_url": None}),
        (
            "{type: openai, model: m, base_url: u}",
            {"OPENAI_API_KEY": "e"},
            OpenAIConnection,
            {"api_key": "e", "base_url": "u"},
        ),
        (
            "{type: openai, model: m}",
            {"OPENAI_API_KEY": "e", "OPENAI_BASE_URL": "u"},
            OpenAIConnection,
            {"base_url": "u"},
        ),
        ("{model: m}", {"OPENAI_API_KEY": "e"}, OpenAIConnection, {"api_key": "e"}),
        (
            "{type: azure_openai, azure_deployment: d}",
            {"AZURE_OPENAI_ENDPOINT": "u", "AZURE_OPENAI_API_KEY": "e", "OPENAI_API_VERSION": "v"},
            AzureOpenAIConnection,
            {"api_base": "u", "api_key": "e", "api_version": "v"},
        ),
        (
            "{type: AzureOpenAI, azure_deployment: d, azure_endpoint: u, api_key: k, api_version: v}",
            {},
            AzureOpenAIConnection,
            {"api_base": "u", "api_key": "k", "api_version": "v", "auth_mode": "key"},
        ),
        (
            "{type: azure_openai, azure_deployment: d, azure_endpoint: u}",
            {"AZURE_OPENAI_API_KEY": "e"},
            AzureOpenAIConnection,
            {"auth_mode": "meid_token"},
        ),
        ("{azure_deployment: d, azure_endpoint: u, api_key: k}", {}, AzureOpenAIConnection, {"api_base": "u"}),
        ("{type: serverless, endpoint: u, model: m, key: k}", {}, OpenAICompatibleConnection, {"base_url": "u"}),
        ("{type: anthropic, model: m}", {"ANTHROPIC_API_KEY": "e"}, AnthropicConnection, {"api_key": "e"}),
        ("{type: openai, model: m, connection: mine}", {}, AnthropicConnection, {"name": "mine"}),
    ],
)
def test_the_configuration_says_whom_to_ask(prompty, configuration, env, kind, fields):
    found = connection_of(prompty(configuration, env=env), NAMED, env)
    assert type(found) is kind
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ("{type: other}", "model.configuration.type 'other' is unknown; there are: azure_openai, openai"),
        ("{}", "no model is configured"),
        ("{type: openai, model: m}", "has no api_key, and OPENAI_API_KEY is not set"),
        ("{type: azure_openai, azure_deployment: d, api_version: v}", "has no azure_endpoint"),
        ("{type: azure_openai, azure_deployment: d}", "AZURE_OPENAI_ENDPOINT"),
        (
            "{type: azure_openai, azure_endpoint: '${env:NOPE}'}",
            "needs the environment variable 'NOPE', which is not set",
        ),
        ("{type: openai, connection: gone}", "Connection 'gone' is not found"),
        ("{type: openai, connection: other}", "which has no model behind it"),
        ("{type: serverless, model: m}", "needs an endpoint"),
    ],
)
def test_an_endpoint_that_cannot_be_found_is_told_in_one_sentence(prompty, configuration, said):
    with pytest.raises(BadConnection) as caught:
        connection_of(prompty(configuration), NAMED, {})
    assert said in caught.value.message


def test_a_key_that_is_not_set_is_sent_as_it_is_written(prompty):
    made = prompty("{type: openai, model: m, api_key: '${env:NOPE}'}")
    assert connection_of(made, None, {}).api_key == "${env:NOPE}"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (AzureOpenAIModelConfiguration("d", "u", "v", "k"), AzureOpenAIConnection),
        (OpenAIModelConfiguration("m", api_key="k"), OpenAIConnection),
        (OpenAIModelConfiguration("m", connection="mine"), AnthropicConnection),
        ({"connection": CustomConnection({"a": "b"})}, None),
        ({"connection": OpenAIConnection("k"), "model": "m"}, OpenAIConnection),
    ],
)
def test_configuration_objects_are_taken_too(prompty, given, kind):
    made = prompty("{type: openai}", model={"configuration": given})
    if kind is None:
        with pytest.raises(BadConnection, match="no model behind it"):
            connection_of(made, NAMED, {})
        return
    assert type(connection_of(made, NAMED, {})) is kind
    assert made.model.name in ("d", "m")


def ask(made, settings, *answers, q="hi", **options):
    """The result of one call, the requests it made, and what was noted; the endpoint gives ``answers`` in turn."""
    seen = []
    left = list(answers)

    async def handle(request):
        seen.append((request.path_qs, dict(request.headers), await request.json()))
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, list):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for piece in answer:
                await response.write(f"data: {json.dumps(piece)}\n\n".encode())
            await response.write(b"data: [DONE]\n\n")
            return response
        return (
            web.json_response(answer[1], status=answer[0]) if isinstance(answer, tuple) else web.json_response(answer)
        )

    async def scene():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        notes = Notes()
        token = NOTES.set(notes)
        try:
            async with Models(settings) as models:
                got = await PromptyCall(made(f"http://127.0.0.1:{port}"))(
                    {"q": q}, models=models, connections=None, **options
                )
                if hasattr(got, "__anext__"):
                    got = [piece async for piece in got]
                return got, notes
        finally:
            NOTES.reset(token)
            await runner.cleanup()

    got, notes = asyncio.run(scene())
    return got, seen, notes


def chat(content="fine", finish="stop", **message):
    said = {"role": "assistant", "content": content, **message}
    return {
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
        "usage": {"total_tokens": 3},
    }


def openai_at(prompty, **how):
    return lambda url: prompty(f"{{type: openai, model: gpt-4o, api_key: secret-key-1, base_url: '{url}/v1'}}", **how)


def test_parameters_are_sent_as_they_are(prompty, settings):
    parameters = (
        "{temperature: 0.1, custom: [1], max_tokens: null, extra_body: {more: 1}, extra_headers: {X-A: b}, timeout: 9}"
    )
    got, seen, notes = ask(openai_at(prompty, parameters=parameters), settings, chat())
    ((path, headers, body),) = seen
    assert (got, path, headers["X-A"], headers["Authorization"]) == (
        "fine",
        "/v1/chat/completions",
        "b",
        "Bearer secret-key-1",
    )
    assert body == {
        "model": "gpt-4o", "temperature": 0.1, "custom": [1], "max_tokens": None, "more": 1,
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
    }  # fmt: skip
    assert [call.usage.total_tokens for call in notes.calls] == [3]
    (use,) = notes.prompts
    assert (use.name, use.source, len(use.template), len(use.rendered)) == ("x.prompty", "file", 64, 64)


def test_azure_is_asked_by_its_deployment(prompty, settings):
    def made(url):
        return prompty(
            f"{{type: azure_openai, azure_deployment: dep, azure_endpoint: '{url}', api_key: k, api_version: v}}"
        )

    got, seen, _ = ask(made, settings, chat())
    assert (got, seen[0][0], seen[0][1]["api-key"]) == (
        "fine",
        "/openai/deployments/dep/chat/completions?api-version=v",
        "k",
    )


def test_a_stream_gives_the_choice_that_speaks_first(prompty, settings):
    def piece(text, index=0, finish=None):
        return {"model": "m", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}

    pieces = [piece("a"), piece("other", 1), piece("b"), piece("", 0, "stop"), piece("", 1, "stop")]
    got, seen, notes = ask(openai_at(prompty, parameters="{stream: true, n: 2}"), settings, pieces)
    assert (got, seen[0][2]["stream"]) == (["a", "b"], True)
    assert [call.response["content"] for call in notes.calls] == ["ab"]


def test_the_whole_answer_has_keys_as_attributes(prompty, settings):
    got, _, _ = ask(openai_at(prompty, response="all"), settings, chat())
    assert isinstance(got, Answer)
    assert got.choices[0].message.content == got["choices"][0]["message"]["content"] == "fine"
    assert got.usage.total_tokens == 3
    assert got.nothing is None
    assert json.loads(got.model_dump_json()) == got.model_dump() == got.to_dict()
    assert set(got) == {"model", "choices", "usage"}
    assert len(got) == 3


def test_a_whole_answer_in_a_record_is_plain(prompty, settings):
    got, _, _ = ask(openai_at(prompty, response="all"), settings, chat(), plain=True)
    assert type(got) is dict


def test_the_chunks_of_a_whole_answer_come_as_they_are(prompty, settings):
    pieces = [{"model": "m", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}]
    got, _, _ = ask(openai_at(prompty, parameters="{stream: true}", response="all"), settings, pieces)
    assert [chunk.choices[0].delta.content for chunk in got] == ["a"]


TOOLS = "{tools: [{type: function, function: {name: f, parameters: {type: object, properties: {}}}}]}"
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def test_a_message_that_calls_tools_comes_whole(prompty, settings):
    got, seen, _ = ask(openai_at(prompty, parameters=TOOLS), settings, chat(None, "tool_calls", tool_calls=[CALL]))
    assert (got["content"], got["tool_calls"], got["function_call"]) == (None, [CALL], None)
    assert seen[0][2]["tool_choice"] == "auto"


def test_a_message_that_calls_a_function_comes_whole(prompty, settings):
    functions = "{functions: [{name: f, parameters: {type: object, properties: {}}}]}"
    called = {"name": "f", "arguments": "{}"}
    got, seen, _ = ask(
        openai_at(prompty, parameters=functions), settings, chat(None, "function_call", function_call=called)
    )
    assert got["function_call"] == {"arguments": "{}", "name": "f"}
    assert seen[0][2]["function_call"] == "auto"


def test_json_answers_with_tool_calls_are_messages(prompty, settings):
    parameters = TOOLS[:-1] + ", response_format: {type: json_object}}"
    got, _, _ = ask(openai_at(prompty, parameters=parameters), settings, chat(None, "tool_calls", tool_calls=[CALL]))
    assert got["tool_calls"] == [CALL]


@pytest.mark.parametrize(
    ("text", "outputs", "value"),
    [
        ('{"a": 1, "b": 2}', "", {"a": 1, "b": 2}),
        ('{"a": 1, "b": 2}', "outputs: {b: {type: int}}", {"b": 2}),
        ("[1]", "", [1]),
        ("nothing", "", "response_format is json_object, and the answer is no JSON"),
        ("[1]", "outputs: {b: {type: int}}", "Cannot find b in response []"),
        ('{"a": 1}', "outputs: {b: {type: int}}", "Cannot find b in response ['a']"),
    ],
)
def test_json_answers_come_by_their_keys(prompty, settings, text, outputs, value):
    made = openai_at(prompty, parameters="{response_format: {type: json_object}}", more=outputs)
    if isinstance(value, str):
        with pytest.raises(ToolError) as caught:
            ask(made, settings, chat(text))
        assert value in caught.value.message
    else:
        assert ask(made, settings, chat(text))[0] == value


def test_a_completion_is_asked_by_text_and_streams_too(prompty, settings):
    def made(url, parameters="{}"):
        found = openai_at(prompty, parameters=parameters)(url)
        return read_prompty(found.file, {}, {"model": {"api": "completion"}})

    whole = {"model": "m", "choices": [{"index": 0, "text": "done", "finish_reason": "stop"}]}
    got, seen, _ = ask(made, settings, whole)
    assert (got, seen[0][0], seen[0][2]["prompt"]) == ("done", "/v1/completions", "system:\nS\nuser:\nhi\n")
    pieces = [
        {"model": "m", "choices": [{"index": 0, "text": text, "finish_reason": end}]}
        for text, end in (("a", None), ("b", "stop"))
    ]
    assert ask(lambda url: made(url, "{stream: true}"), settings, pieces)[0] == ["a", "b"]


def test_an_embedding_and_a_response_are_asked_by_version_2(tmp_path, settings):
    def made(api, more=""):
        def at(url):
            path = tmp_path / "x.prompty"
            connection = f"{{kind: key, endpoint: '{url}/v1', apiKey: k}}"
            path.write_text(
                f"---\nmodel: {{id: m, apiType: {api}, connection: {connection}}}\n{more}\n---\n{{{{q}}}}\n"
            )
            return read_prompty(path, {})

        return at

    got, seen, _ = ask(made("embedding"), settings, {"data": [{"embedding": [1.0, 2.0]}], "model": "m"})
    assert (got, seen[0][0], seen[0][2]["input"]) == ([1.0, 2.0], "/v1/embeddings", "hi\n")
    said = {"type": "message", "content": [{"type": "output_text", "text": '{"a": 1}'}]}
    whole = {"model": "m", "status": "completed", "output": [said]}
    got, seen, _ = ask(made("responses", "outputs: [{name: a, kind: integer}]"), settings, whole)
    assert (got, seen[0][0]) == ({"a": 1}, "/v1/responses")
    assert seen[0][2]["input"] == [{"role": "system", "content": "hi"}]
    assert seen[0][2]["text"]["format"]["name"] == "structured_output"


def test_version_2_gives_tool_calls_as_a_list(tmp_path, settings):
    def made(url):
        (tmp_path / "x.prompty").write_text(
            f"---\nmodel: {{id: m, connection: {{kind: key, endpoint: '{url}/v1', apiKey: k}}}}\n"
            "tools: [{name: f, kind: function, parameters: [{name: a, kind: string}]}]\n---\n{{q}}\n"
        )
        return read_prompty(tmp_path / "x.prompty", {})

    got, seen, _ = ask(made, settings, chat(None, "tool_calls", tool_calls=[CALL]))
    assert got == [{"id": "c", "name": "f", "arguments": "{}"}]
    assert seen[0][2]["tools"][0]["function"]["parameters"]["properties"] == {"a": {"type": "string"}}


def test_a_refusal_names_the_variable_that_is_not_set(prompty, settings):
    def made(url):
        return prompty(f"{{type: openai, model: m, api_key: '${{env:NO_KEY}}', base_url: '{url}/v1'}}")

    with pytest.raises(ModelError) as caught:
        ask(made, settings, (401, {"error": {"message": "Incorrect key"}}))
    assert "x.prompty refers to NO_KEY, which is not set" in caught.value.message


def test_keys_of_the_header_count_as_secrets(prompty, settings, tmp_path):
    (tmp_path / "rules.yaml").write_text("default: {text: fine}")
    found = Connections([])
    made = prompty("{type: openai, model: m, api_key: sk-very-secret-123}")
    models = Models(settings, offline("rules.yaml", tmp_path))
    assert asyncio.run(PromptyCall(made)({"q": "x"}, models=models, connections=found)) == "fine"
    assert "sk-very-secret-123" in found.secrets()
    assert "sk-very-secret-123" not in repr(made)


def offline(name, folder):
    from penstock.models.offline import OfflineSpec

    return OfflineSpec.parse(str(folder / name))


def test_offline_needs_no_endpoint_but_a_kind_that_there_is(prompty, settings, tmp_path):
    (tmp_path / "rules.yaml").write_text("default: {text: fine}")
    models = Models(settings, offline("rules.yaml", tmp_path))

    def call(configuration):
        return asyncio.run(PromptyCall(prompty(configuration))({"q": "x"}, models=models, connections=None))

    assert call("{type: azure_openai, azure_deployment: d}") == call("{type: openai, connection: gone}") == "fine"
    with pytest.raises(PenstockError, match="'nope' is unknown"):
        call("{type: nope}")


def test_a_timeout_is_a_number(prompty, settings):
    with pytest.raises(ToolError, match="timeout is a number of seconds"):
        ask(openai_at(prompty, parameters="{timeout: soon}"), settings, chat())


def test_calls_of_one_prompty_share_their_client(prompty, settings, tmp_path):
    (tmp_path / "rules.yaml").write_text("default: {text: fine}")
    made = Prompty.load(
        prompty("{type: openai, model: m}").file, offline=str(tmp_path / "rules.yaml"), settings=settings
    )
    assert [made(q="a"), made(q="b")] == ["fine", "fine"]
    assert len(made._call._connections) == 1
