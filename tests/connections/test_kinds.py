import copy
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.connections.kinds import (
    KINDS,
    AnthropicConnection,
    AzureOpenAIConnection,
    CognitiveSearchConnection,
    CustomConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    QdrantConnection,
    SerpConnection,
    from_dict,
    ignored_keys,
    kind_of,
    to_dict,
)
from penstock.errors import BadConnection, MissingDependency

CANARY = "canary-7f3a"

FORMS = {
    "azure_open_ai": {"api_key": CANARY, "api_base": "https://x"},
    "open_ai": {"api_key": CANARY},
    "openai_compatible": {"base_url": "http://localhost/v1", "api_key": CANARY, "headers": {"X-Key": CANARY}},
    "anthropic": {"api_key": CANARY},
    "serverless": {"api_key": CANARY, "api_base": "https://x"},
    "cognitive_search": {"api_key": CANARY, "api_base": "https://x"},
    "azure_ai_services": {"api_key": CANARY, "endpoint": "https://x"},
    "azure_content_safety": {"api_key": CANARY, "endpoint": "https://x"},
    "form_recognizer": {"api_key": CANARY, "endpoint": "https://x"},
    "serp": {"api_key": CANARY},
    "qdrant": {"api_key": CANARY, "api_base": "https://x"},
    "weaviate": {"api_key": CANARY, "api_base": "https://x"},
    "custom": {"configs": {"url": "https://x"}, "secrets": {"key": CANARY}},
}


def test_every_kind_has_an_example_here():
    assert set(FORMS) == set(KINDS)


@pytest.mark.parametrize("kind", FORMS)
def test_every_kind_comes_back_from_its_plain_form(kind):
    conn = from_dict("c", {"type": kind, **FORMS[kind]})

    assert type(conn) is KINDS[kind]
    assert (conn.name, conn.type) == ("c", kind)
    assert {**to_dict(conn), **FORMS[kind]} == to_dict(conn)
    assert to_dict(from_dict("c", json.loads(json.dumps(to_dict(conn))))) == to_dict(conn)


@pytest.mark.parametrize("kind", FORMS)
def test_no_secret_shows_in_repr_str_format_or_json(kind):
    conn = from_dict("c", {"type": kind, **FORMS[kind]})

    for text in (repr(conn), str(conn), f"{conn}", repr([conn]), repr(conn.secrets), json.dumps(conn, default=str)):
        assert CANARY not in text
        assert "******" in text


@pytest.mark.parametrize("kind", FORMS)
def test_every_kind_reads_as_a_mapping(kind):
    conn = from_dict("c", {"type": kind, **FORMS[kind]})

    as_dict = dict(conn)
    assert list(conn) == list(as_dict) == conn.keys()
    assert len(conn) == len(as_dict)
    for key, value in as_dict.items():
        assert conn[key] == value == getattr(conn, key)
        assert key in conn
        assert conn.is_secret(key) == (key in conn.secrets)
    assert {**conn.configs, **conn.secrets} == as_dict


@pytest.mark.parametrize(
    "name", ["azure_open_ai", "AzureOpenAI", "AzureOpenAIConnection", "azureopenai", "AZURE-OPEN-AI", "azure open ai"]
)
def test_a_type_is_known_however_it_is_written(name):
    assert kind_of(name) is AzureOpenAIConnection


def test_defaults_are_those_of_prompt_flow():
    azure = AzureOpenAIConnection("https://x", "k")

    assert (azure.api_type, azure.api_version, azure.auth_mode) == ("azure", "2024-02-01", "key")
    assert azure.resource_id is None
    assert CognitiveSearchConnection("https://x", "k").api_version == "2023-11-01"
    assert (
        from_dict("c", {"type": "azure_content_safety", **FORMS["azure_content_safety"]}).api_type == "Content Safety"
    )
    assert from_dict("f", {"type": "form_recognizer", **FORMS["form_recognizer"]}).api_version == "2023-07-31"
    assert OpenAIConnection("k").base_url is None


@pytest.mark.parametrize("empty", ["", "_"])
def test_an_empty_base_url_means_the_vendors_own(empty):
    assert OpenAIConnection("k", base_url=empty).base_url is None


def test_execution_form_is_read_and_its_unknown_keys_are_ignored():
    conn = from_dict(
        "c",
        {
            "type": "AzureOpenAIConnection",
            "module": "promptflow.connections",
            "value": {"api_base": "https://x", "api_key": "k", "target": "ignored"},
            "secret_keys": ["api_key"],
        },
    )

    assert isinstance(conn, AzureOpenAIConnection)
    assert "target" not in conn


def test_execution_form_of_a_custom_connection_keeps_its_secrets_apart():
    conn = from_dict(
        "c", {"type": "CustomConnection", "value": {"url": "u", "key": "k"}, "secret_keys": ["key"], "module": "m"}
    )

    assert (conn.configs, dict(conn.secrets)) == ({"url": "u"}, {"key": "k"})


def test_key_mode_needs_a_key_and_token_mode_has_none():
    with pytest.raises(BadConnection, match="'api_key' is required for key auth mode connection"):
        from_dict("c", {"type": "azure_open_ai", "api_base": "https://x"})

    conn = from_dict("c", {"type": "azure_open_ai", "api_base": "b", "auth_mode": "MEID_TOKEN", "api_key": "k"})
    assert conn.auth_mode == "meid_token"
    assert conn.api_key is None
    assert "api_key" not in conn


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"api_key": "k"}, "has no 'type'; there are: azure_open_ai"),
        ({"type": "azure_openai_x"}, "unknown type 'azure_openai_x'.*Did you mean 'azure_open_ai'"),
        ({"type": "open_ai"}, "no 'api_key'"),
        ({"type": "open_ai", "api_key": [CANARY]}, "'api_key' must be a text, not a list"),
        ({"type": "custom", "configs": "x", "secrets": {}}, "'configs' must be a map"),
        ({"type": "azure_open_ai", "api_base": "b", "auth_mode": "magic"}, "auth_mode must be 'key' or 'meid_token'"),
        ({"type": "openai_compatible", "base_url": "b", "headers": 3}, "'headers' must be a map"),
        ("text", "must be a map with a 'type', not a str"),
    ],
)
def test_a_malformed_connection_is_a_sentence_without_its_secrets(form, words):
    with pytest.raises(BadConnection, match=words) as caught:
        from_dict("c", form)

    assert "'c'" in caught.value.message
    assert CANARY not in caught.value.message


def test_numbers_of_unquoted_yaml_become_texts():
    conn = from_dict("c", {"type": "custom", "configs": {"port": 80, "on": True}, "secrets": {"pin": 1234}})

    assert dict(conn) == {"port": "80", "on": "true", "pin": "1234"}


def test_misspelt_keys_are_named():
    form = {"$schema": "s", "name": "n", "type": "azure_open_ai", "api_bse": "x", "module": "m"}

    assert ignored_keys(form) == ["api_bse"]


def test_settings_can_be_assigned_and_stay_in_their_place():
    conn = AzureOpenAIConnection("https://x", CANARY)
    conn.api_base, conn.api_key, conn.name = "https://y", "other", "n"

    assert (conn["api_base"], conn.configs["api_base"]) == ("https://y", "https://y")
    assert conn.secrets["api_key"] == "other"
    assert conn.name == "n"
    conn.secrets = {"api_key": CANARY}
    assert CANARY not in repr(conn.secrets)


def test_a_copy_is_independent():
    conn = CustomConnection({"key": "k"}, {"url": "u"}, name="c")
    other = copy.deepcopy(conn)
    other.configs["url"] = "changed"

    assert (conn.url, other.url, other.name) == ("u", "changed", "c")


def test_custom_settings_are_attributes_and_unknown_ones_say_what_there_is():
    conn = CustomConnection({"my_key": CANARY}, {"url": "u"})

    assert (conn.url, conn.my_key) == ("u", CANARY)
    with pytest.raises(AttributeError, match="no 'api'; it has: url, my_key") as caught:
        _ = conn.api
    assert CANARY not in str(caught.value)
    with pytest.raises(KeyError, match="not found in connection"):
        _ = conn["api"]


def test_keywords_of_newer_or_older_versions_are_ignored():
    assert OpenAIConnection("k", expiry_time="never", something="else").api_key == "k"


def test_a_connection_is_true_even_when_empty():
    assert CustomConnection({})


def test_headers_of_a_compatible_server_are_secret():
    conn = OpenAICompatibleConnection("http://localhost", headers={"Authorization": CANARY})

    assert conn.headers == {"Authorization": CANARY}
    assert conn.is_secret("headers")
    assert conn.api_key is None


def test_headers_may_come_as_json_text():
    conn = from_dict("c", {"type": "openai_compatible", "base_url": "b", "headers": '{"A": "1"}'})

    assert conn.headers == {"A": "1"}


@pytest.mark.parametrize(
    ("kind", "env", "want"),
    [
        (
            AzureOpenAIConnection,
            {"AZURE_OPENAI_ENDPOINT": "e", "AZURE_OPENAI_API_KEY": "k", "OPENAI_API_VERSION": "v"},
            {"api_base": "e", "api_key": "k", "api_version": "v"},
        ),
        (
            OpenAIConnection,
            {"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "o", "OPENAI_BASE_URL": "u"},
            {"api_key": "k", "organization": "o", "base_url": "u"},
        ),
        (AnthropicConnection, {"ANTHROPIC_API_KEY": "k"}, {"api_key": "k", "base_url": "https://api.anthropic.com"}),
    ],
)
def test_from_env_reads_the_vendors_own_variables(kind, env, want, monkeypatch):
    for name in env:
        monkeypatch.setenv(name, env[name])
    for conn in (kind.from_env("c"), kind.from_env("c", env=env)):
        assert {**dict(conn), **want} == dict(conn)
        assert conn.name == "c"
    with pytest.raises(BadConnection, match=r"not set: .*API_KEY") as caught:
        kind.from_env(env={})
    assert caught.value.code == "RequiredEnvironmentVariablesNotSetError"


def test_get_token_takes_the_given_provider():
    class Provider:
        def get_token(self):
            return "token"

    conn = AzureOpenAIConnection("https://x", auth_mode="meid_token", token_provider=Provider())
    assert conn.get_token() == "token"


def test_get_token_without_azure_identity_names_the_extra():
    # Elsewhere, so that neither an installed package nor the cache of the credential plays a part.
    code = (
        "import sys; sys.modules['azure.identity'] = None\n"
        "from penstock.connections.kinds import AzureOpenAIConnection\n"
        "from penstock.errors import MissingDependency\n"
        "try: AzureOpenAIConnection('b', auth_mode='meid_token').get_token()\n"
        "except MissingDependency as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "penstock[azure]" in done.stdout
    assert issubclass(MissingDependency, Exception)


def test_get_token_asks_azure_identity_once_for_a_credential(tmp_path):
    azure = tmp_path / "azure"
    (azure / "core").mkdir(parents=True)
    (azure / "core" / "exceptions.py").write_text("class ClientAuthenticationError(Exception): pass\n")
    (azure / "identity.py").write_text(
        "made = []\n"
        "class Token: token = 'tok'\n"
        "class DefaultAzureCredential:\n"
        "    def __init__(self): made.append(self)\n"
        "    def get_token(self, scope):\n"
        "        from azure.core.exceptions import ClientAuthenticationError\n"
        "        if len(made) > 1 or scope != 'https://cognitiveservices.azure.com/.default': raise AssertionError\n"
        "        if self.__dict__.setdefault('n', []).append(1) or len(self.n) > 2:\n"
        "            raise ClientAuthenticationError('Nobody is signed in.')\n"
        "        return Token\n"
    )
    code = (
        "from penstock.connections.kinds import AzureOpenAIConnection\n"
        "conn = AzureOpenAIConnection('b', auth_mode='meid_token')\n"
        "print(conn.get_token(), conn.get_token())\n"
        "try: conn.get_token()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    path = [str(tmp_path), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "tok tok"
    assert "BadConnection No Azure token: Nobody is signed in." in done.stdout


def test_simple_kinds_take_prompt_flows_positional_arguments():
    assert SerpConnection("k").api_key == "k"
    assert QdrantConnection("k", "b").api_base == "b"


def test_importing_the_kinds_and_the_resolver_stays_light():
    code = (
        "import sys, penstock.connections.resolve, penstock.connections.draft\n"
        "print([m for m in ('cryptography', 'yaml', 'aiohttp', 'jinja2', 'tomlkit', 'azure') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


texts = st.text(min_size=1, max_size=20)


@given(
    st.dictionaries(texts, st.text(max_size=20), max_size=5),
    st.dictionaries(texts, st.text(max_size=20), max_size=5),
)
def test_any_custom_connection_survives_its_plain_form(configs, secrets):
    conn = from_dict("c", {"type": "custom", "configs": configs, "secrets": secrets})

    assert to_dict(conn) == {"type": "custom", "configs": configs, "secrets": secrets}
    assert dict(conn) == {**configs, **secrets}
