import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError, LoadError
from penstock.prompts.prompty_read import dialect_of, read_prompty
from penstock.prompts.prompty_render import PromptyTemplate

PROMPTFLOW = """
    model:
      api: chat
      configuration: {type: openai, model: gpt-4o}
      parameters: {temperature: 0}
    inputs:
      q: {type: string}
"""
V1 = """
    model:
      api: chat
      connection: {type: azure, azure_deployment: d, azure_endpoint: "${env:ENDPOINT:https://x}"}
      options: {max_tokens: 9}
    inputs:
      firstName: Jane
      age: {type: number, sample: 3, default: 4}
"""
V2 = """
    model:
      id: gpt-4o
      provider: openai
      apiType: chat
      connection: {kind: key, apiKey: "${env:KEY:k}"}
      options: {temperature: 0.5, maxOutputTokens: 10, topP: 1, stopSequences: [x], additionalProperties: {user: u}}
    inputs:
      - {name: q, kind: string, default: hello}
      - {name: n, kind: integer, required: true}
"""


@pytest.fixture
def read(tmp_path):
    def once(header, body="system:\nS\nuser:\n{{q}}\n", *, env=None, **overrides):
        path = tmp_path / "x.prompty"
        path.write_text(f"---\n{textwrap.dedent(header)}\n---\n{body}")
        return read_prompty(path, env or {}, overrides)

    return once


def render(prompty, **values):
    return PromptyTemplate(prompty).render(values).messages


@pytest.mark.parametrize(
    ("header", "dialect"),
    [
        ({"model": {"configuration": {"type": "openai"}, "parameters": {}}}, "promptflow"),
        ({"model": {"configuration": {"type": "openai"}, "parameters": {}}, "template": {"type": "jinja2"}}, "promptflow"),
        ({"model": {"configuration": {"type": "openai"}}}, "promptflow"),
        ({"model": {"configuration": {"type": "open_ai"}, "parameters": {}}}, "promptflow"),
        ({"model": {"configuration": {"type": "serverless"}, "parameters": {}}}, "v1"),
        ({"model": {"connection": {"type": "azure"}}}, "v1"),
        ({"model": {"api": "chat"}, "inputs": {"q": "Jane"}}, "v1"),
        ({"model": {"configuration": {"type": "openai"}, "parameters": {}}, "inputs": {"q": "Jane"}}, "v1"),
        ({"model": {"configuration": {"type": "openai"}, "parameters": {}}, "template": "mustache"}, "v1"),
        ({"model": {"api": "embedding", "configuration": {"type": "openai"}, "parameters": {}}}, "v1"),
        ({"model": "gpt-4o"}, "v2"),
        ({"model": {"id": "gpt-4o"}}, "v2"),
        ({"model": {"connection": {"kind": "key"}}}, "v2"),
        ({"model": {"id": "m", "options": {}}, "inputs": [{"name": "q", "kind": "string"}]}, "v2"),
        ({"name": "only"}, "v2"),
    ],
)  # fmt: skip
def test_a_header_tells_whose_rules_count(header, dialect):
    assert dialect_of(header) == dialect


def test_prompt_flow_s_headers_are_read_as_prompt_flow_does(read):
    prompty = read(PROMPTFLOW)
    assert (prompty.dialect, prompty.name, prompty.model.name) == ("promptflow", "x", "gpt-4o")
    assert render(prompty, q="hi") == [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}]
    with pytest.raises(InputError, match=r"Missing required inputs: \['q'\]"):
        render(prompty)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("model: [1]", "model must be a map"),
        ("model: {configuration: {type: openai}, paramters: {}}", "Did you mean 'parameters'?"),
        ("model: {configuration: {type: openai}, parameters: [1]}", "model.parameters must be a map"),
        ("model: {configuration: text, parameters: {}}", "model.configuration must be a map"),
        (
            "model: {configuration: {type: azure_openai, connection: c, api_key: k}, parameters: {}}",
            "Cannot configure model config and connection in configuration at the same time",
        ),
        (f"{textwrap.dedent(PROMPTFLOW)}template: liquid", "there is no template engine 'liquid'"),
        ("model: {configuration: {type: openai}, parameters: {}}\ninputs: text", "inputs must be a map"),
        ("model: {configuration: {type: openai}, parameters: {}}\nsample: s.yaml", "Only dict and json file"),
        ("model: {connection: [1]}", "model.connection must be a map"),
        ("model: {api: agent, connection: {}}", "model.api 'agent' is not supported"),
        ("model: {id: m, apiType: image}", "model.apiType 'image' is not supported"),
        ("model: {id: m, connection: {kind: oauth}}", "model.connection.kind 'oauth' is not supported"),
        ("model: m\ntools: [{name: t, kind: mcp}]", "tool 't' is of kind 'mcp'"),
        ("model: m\noutputs: [{kind: string}]", "outputs[0] must be a map with a name"),
        ("model: m\ndescription: ${env:NOT_SET}", "needs the environment variable 'NOT_SET'"),
    ],
)
def test_a_header_that_says_nothing_is_refused_in_one_sentence(read, header, said):
    with pytest.raises(LoadError) as caught:
        read(header)
    assert said in caught.value.message
    assert "x.prompty" in caught.value.message


def test_version_1_has_samples_in_its_inputs(read):
    prompty = read(V1, "system:\nHi {{firstName}} {{age}}")
    assert (prompty.dialect, prompty.model.name, prompty.model.parameters) == ("v1", "d", {"max_tokens": 9})
    assert prompty.model.configuration["azure_endpoint"] == "https://x"
    assert render(prompty) == [{"role": "system", "content": "Hi Jane 3"}]
    assert render(prompty, firstName="Bo") == [{"role": "system", "content": "Hi Bo 4"}]
    with pytest.raises(InputError, match="Missing required inputs"):
        render(prompty, age=1)
    with pytest.raises(InputError, match="'z' is no input of this prompty; it has: firstName, age"):
        render(prompty, firstName="Bo", z=1)


def test_version_1_shares_a_connection_by_prompty_json(read, tmp_path):
    (tmp_path / "prompty.json").write_text('{"default": {"type": "azure", "azure_endpoint": "${env:E}"}}')
    prompty = read("model: {api: chat, connection: {azure_deployment: d}}", env={"E": "https://e"})
    assert prompty.model.configuration == {"type": "azure", "azure_endpoint": "https://e", "azure_deployment": "d"}
    (tmp_path / "prompty.json").write_text("[]")
    with pytest.raises(LoadError, match='with a "default" entry'):
        read("model: {api: chat, connection: {azure_deployment: d}}")


def test_version_1_asks_for_its_outputs_and_offers_its_tools(read):
    prompty = read(
        """
        name: My Prompt
        model: {api: chat, connection: {type: azure, azure_deployment: d}}
        outputs: {name: {type: string}, tags: {type: array}}
        tools:
          weather:
            type: function
            description: The weather
            parameters:
              city: {type: string, description: Where, required: true}
              unit: {type: string, enum: [C, F]}
          bing: {type: web_search}
        """
    )
    assert prompty.model.parameters["response_format"]["json_schema"] == {
        "name": "my_prompt",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "tags": {"type": "array"}},
            "required": ["name", "tags"],
            "additionalProperties": False,
        },
    }
    (tool,) = prompty.model.parameters["tools"]
    assert tool["function"]["name"] == "weather"
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "unit": {"type": "string", "enum": ["C", "F"]},
        },
        "required": ["city"],
    }


def test_version_1_renders_mustache(read):
    prompty = read(
        f"{textwrap.dedent(V1)}template: {{type: mustache, parser: prompty}}",
        "user:\n{{#firstName}}{{.}}{{/firstName}}",
    )
    assert prompty.engine == "mustache"
    assert render(prompty, firstName="Bo") == [{"role": "user", "content": "Bo"}]


def test_version_2_maps_its_options(read):
    prompty = read(V2, "Hi {{q}} {{n}} {{extra}}")
    assert prompty.dialect == "v2"
    assert prompty.model.parameters == {
        "temperature": 0.5, "max_completion_tokens": 10, "top_p": 1, "stop": ["x"], "user": "u",
    }  # fmt: skip
    assert prompty.model.configuration == {"type": "openai", "api_key": "k"}
    assert render(prompty, n=1, extra="more") == [{"role": "system", "content": "Hi hello 1 more"}]
    with pytest.raises(InputError, match=r"Missing required inputs: \['n'\]"):
        render(prompty, q="x")


def test_version_2_words_options_as_the_vendor_does(read):
    prompty = read("model: {id: c, provider: anthropic, options: {maxOutputTokens: 5, topK: 3, seed: 1}}")
    assert prompty.model.parameters == {"max_tokens": 5, "top_k": 3}


@pytest.mark.parametrize(
    ("connection", "provider", "configuration"),
    [
        ("{kind: reference, name: mine}", "openai", {"type": "openai", "connection": "mine"}),
        (
            "{kind: anonymous, endpoint: http://h/v1}",
            "openai",
            {"type": "openai_compatible", "base_url": "http://h/v1"},
        ),
        (
            "{kind: key, endpoint: https://r.services.ai.azure.com/api/projects/p, apiKey: k}",
            "foundry",
            {
                "type": "azure_openai",
                "azure_endpoint": "https://r.openai.azure.com",
                "api_version": "2024-12-01-preview",
                "api_key": "k",
            },
        ),
        ("{}", "azure", {"type": "azure_openai"}),
    ],
)
def test_version_2_connections_come_in_kinds(read, connection, provider, configuration):
    prompty = read(f"model: {{id: m, provider: {provider}, connection: {connection}}}")
    assert prompty.model.configuration == configuration


def test_version_2_asks_for_its_outputs_strictly(read):
    prompty = read(
        """
        model: m
        outputs:
          - {name: t, kind: integer, description: Degrees, required: true}
          - {name: c, kind: string, enumValues: [a, b]}
          - {name: l, kind: array, items: {kind: float}}
          - {name: o, kind: object, properties: [{name: i, kind: boolean}]}
          - {name: u, kind: union, anyOf: [{kind: string}, {kind: integer}]}
        """
    )
    schema = prompty.model.parameters["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("structured_output", True)
    assert schema["schema"]["required"] == ["t", "c", "l", "o", "u"]
    assert schema["schema"]["properties"] == {
        "t": {"type": "integer", "description": "Degrees"},
        "c": {"type": ["string", "null"], "enum": ["a", "b"]},
        "l": {"type": ["array", "null"], "items": {"type": "number"}},
        "o": {
            "type": ["object", "null"],
            "properties": {"i": {"type": ["boolean", "null"]}},
            "required": ["i"],
            "additionalProperties": False,
        },
        "u": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
    }
    with pytest.raises(LoadError, match="either oneOf or anyOf"):
        read("model: m\noutputs: [{name: u, kind: union}]")


def test_version_2_hides_what_the_application_fills_in(read):
    prompty = read(
        """
        model: m
        tools:
          - name: orders
            kind: function
            strict: true
            parameters: {properties: [{name: user, kind: string, required: true}, {name: limit, kind: integer}]}
            bindings: {user: me}
        """
    )
    (tool,) = prompty.model.parameters["tools"]
    assert tool["function"]["strict"] is True
    assert tool["function"]["parameters"]["properties"].keys() == {"limit"}
    assert tool["function"]["parameters"]["required"] == ["limit"]


def test_a_model_that_is_only_a_name_is_enough(read):
    prompty = read("model: gpt-4o", "system:\nHello world.")
    assert (prompty.dialect, prompty.model.name) == ("v2", "gpt-4o")
    assert render(prompty) == [{"role": "system", "content": "Hello world."}]
    assert read("model: gpt-4o", model={"id": "other"}).model.name == "other"


def test_changes_are_laid_over_the_header(read):
    prompty = read(PROMPTFLOW, model={"parameters": {"top_p": 1}}, name="N", env={"M": "big"})
    assert (prompty.name, prompty.model.parameters) == ("N", {"temperature": 0, "top_p": 1})
    prompty = read(PROMPTFLOW, model={"configuration": {"model": "${env:M}"}}, env={"M": "big"})
    assert prompty.model.name == "big"


def test_a_variable_under_a_change_is_no_longer_missing(read):
    header = PROMPTFLOW.replace("model: gpt-4o", "model: gpt-4o, api_key: '${env:NOPE}'")
    assert [one.variable for one in read(header).unset] == ["NOPE"]
    assert read(header, model={"configuration": {"api_key": "k"}}).unset == ()


@given(st.text(alphabet="systemuraint:# \n", max_size=40) | st.text(max_size=20))
def test_data_adds_no_message_in_any_dialect(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    for number, header in enumerate((PROMPTFLOW, V1.replace("firstName", "q"), V2)):
        path = folder / f"{number}.prompty"
        if not path.exists():
            path.write_text(
                f"---\n{textwrap.dedent(header)}\n---\nsystem:\nA {{{{q}}}}\nuser:\n{{{{q}}}}:\n{{{{q}}}}\n"
            )
        messages = render(read_prompty(path, {}), q=value, **({"n": 1} if number == 2 else {}))
        assert [message["role"] for message in messages] == ["system", "user"]
