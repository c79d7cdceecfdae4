import json
from pathlib import Path

import pytest

from penstock.connections.kinds import CustomConnection, OpenAIConnection
from penstock.connections.resolve import Connections
from penstock.connections.store import ConnectionStore
from penstock.errors import BadConnection, InputError, UsageError
from penstock.settings import Settings

CANARY = "canary-7f3a"


def form(where):
    return {"type": "open_ai", "api_key": CANARY, "organization": where}


def machine(tmp_path: Path, *, env=None, toml=None, stored=()):
    home = tmp_path / "home"
    for name in stored:
        ConnectionStore(home, {}).save(OpenAIConnection(CANARY, "store", name=name))
    return Settings(home=home, env=env or {}, file={"connections": toml or {}})


def env_file(tmp_path: Path, **lines):
    path = tmp_path / "c.env"
    path.write_text(
        "".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}\n" for name, value in lines.items())
    )
    return path


def test_flag_beats_environment_beats_env_file_beats_toml_beats_store(tmp_path):
    names = ["a", "b", "c", "d", "e"]
    settings = machine(
        tmp_path,
        env={name: json.dumps(form("environment")) for name in names[:2]},
        toml={name: form("penstock.toml") for name in names[:4]},
        stored=names,
    )
    files = [env_file(tmp_path, **{name: form("env file") for name in names[:3]})]
    connections = Connections.open(settings, files, {"a": form("command line")})

    places = ["command line", "environment", "env file", "penstock.toml", "store"]
    assert [connections.get(name).organization for name in names] == places
    assert [connections.source(name) for name in names] == places
    assert connections.names() == names


def test_a_name_nobody_gives_is_answered_with_the_nearest_and_all_there_are(tmp_path):
    connections = Connections.open(machine(tmp_path, stored=["open_ai_connection"]), (), {"other": form("flag")})

    assert not connections.knows("open_ai_conection")
    with pytest.raises(BadConnection, match=r"Did you mean 'open_ai_connection'.*There are: open_ai_connection, other"):
        connections.get("open_ai_conection")
    with pytest.raises(BadConnection, match=r"There are none.*'my c'=\{"):
        Connections.open(machine(tmp_path / "empty")).get("my c")


def test_plain_lines_of_an_env_file_are_variables_and_connections_are_not(tmp_path):
    path = env_file(tmp_path, A="1", C=form("x"), J='{"not": "a connection"}', T='{"type": "unheard of"}')
    connections = Connections.open(machine(tmp_path), [path])

    assert connections.env_values == {"A": "1", "J": '{"not": "a connection"}', "T": '{"type": "unheard of"}'}
    assert connections.names() == ["C"]


def test_names_with_spaces_are_found(tmp_path):
    path = tmp_path / "c.env"
    path.write_text("'my conn'=" + json.dumps(form("here")))

    assert Connections.open(machine(tmp_path), [path]).get("my conn").organization == "here"


def test_a_later_env_file_wins(tmp_path):
    first, second = tmp_path / "1.env", tmp_path / "2.env"
    first.write_text(f"C={json.dumps(form('first'))}\nA=1\nB=1\n")
    second.write_text(f"C={json.dumps(form('second'))}\nA=2\n")
    connections = Connections.open(machine(tmp_path), [first, second])

    assert connections.get("C").organization == "second"
    assert connections.env_values == {"A": "2", "B": "1"}


def test_variables_are_filled_in_anywhere_in_a_value_at_use(tmp_path):
    settings = machine(
        tmp_path,
        env={"KEY": "from process", "BOTH": "process"},
        toml={
            "c": {
                "type": "openai_compatible",
                "base_url": "http://${env:HOST}:${env:PORT}/v1",
                "api_key": "${env:KEY}",
            },
            "h": {"type": "openai_compatible", "base_url": "b", "headers": {"X": "Bearer ${env:KEY}"}},
            "both": {"type": "custom", "configs": {"x": "${env:BOTH}"}, "secrets": {}},
            "bad": {"type": "open_ai", "api_key": "${env:GONE}"},
        },
    )
    connections = Connections.open(settings, [env_file(tmp_path, HOST="localhost", PORT="80", BOTH="file")])

    assert connections.get("c").base_url == "http://localhost:80/v1"
    assert connections.get("c").api_key == "from process"
    assert connections.get("h").headers == {"X": "Bearer from process"}
    assert connections.get("both").x == "process"
    with pytest.raises(BadConnection, match="'bad': 'api_key' needs the environment variable 'GONE', which is not set"):
        connections.get("bad")
    assert connections.knows("bad")


def test_a_stored_reference_is_filled_in_at_use_too(tmp_path):
    settings = machine(tmp_path, env={"K": CANARY})
    ConnectionStore(settings.home, {}).save(OpenAIConnection("${env:K}", name="c"))

    assert Connections.open(settings).get("c").api_key == CANARY


def test_flags_may_be_objects_plain_forms_or_json(tmp_path):
    flags = {"a": CustomConnection({"k": "1"}), "b": form("dict"), "c": json.dumps(form("json"))}
    connections = Connections.open(machine(tmp_path), (), flags)

    assert (connections.get("a").k, connections.get("b").organization, connections.get("c").organization) == (
        "1",
        "dict",
        "json",
    )
    assert connections.get("a").name == "a"
    with pytest.raises(BadConnection, match="must be JSON"):
        Connections.open(machine(tmp_path), (), {"d": "{"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"type": "open_ia", "api_key": "canary-7f3a"}', "unknown type 'open_ia'.*Did you mean 'open_ai'"),
        ('{"type": "open_ai", "api_key": "canary-7f3a"', "begins like JSON but is none"),
    ],
)
def test_a_variable_that_nearly_is_the_connection_says_why_it_is_not(tmp_path, text, words):
    with pytest.raises(BadConnection, match=words) as caught:
        Connections.open(machine(tmp_path, env={"c": text})).get("c")
    assert CANARY not in caught.value.message


def test_the_same_object_is_given_each_time(tmp_path):
    connections = Connections.open(machine(tmp_path, toml={"c": form("x")}))

    assert connections.get("c") is connections.get("c")


def test_exported_connections_are_plain_json_and_complete_elsewhere(tmp_path):
    settings = machine(
        tmp_path, env={"K": "${env:NOT_AGAIN}"}, toml={"c": {"type": "open_ai", "api_key": "${env:K}"}}, stored=["s"]
    )
    exported = json.loads(json.dumps(Connections.open(settings).export(["c", "s"])))
    elsewhere = Connections.from_export(exported)

    assert elsewhere.names() == ["c", "s"]
    assert elsewhere.get("c").api_key == "${env:NOT_AGAIN}"  # what a variable holds is not looked into again
    assert elsewhere.get("s").api_key == CANARY
    with pytest.raises(BadConnection, match="There are: c, s"):
        elsewhere.get("other")


def test_looking_without_using_needs_neither_variable_nor_key(tmp_path):
    settings = machine(tmp_path, toml={"c": {"type": "open_ai", "api_key": "${env:GONE}"}}, stored=["s"])
    (settings.home / "connections.key").unlink()
    connections = Connections.open(settings)

    assert connections.unfilled("c").api_key == "${env:GONE}"
    assert connections.unfilled("s").api_key == "******"


def test_a_given_connection_is_found_even_where_the_store_is_damaged(tmp_path):
    settings = machine(tmp_path, toml={"c": form("x")}, stored=["s"])
    (settings.home / "connections.json").write_text("{")

    assert Connections.open(settings).get("c").organization == "x"


def test_nothing_of_a_secret_shows_in_the_resolver_or_its_sources(tmp_path):
    connections = Connections.open(machine(tmp_path, env={"c": json.dumps(form("x"))}), (), {"d": form("y")})

    assert CANARY not in repr(connections) + repr(vars(connections)["_sources"])


def test_bad_files_are_sentences(tmp_path):
    with pytest.raises(InputError, match=r"gone\.env: cannot be read"):
        Connections.open(machine(tmp_path), [tmp_path / "gone.env"])
    with pytest.raises(UsageError, match="must be a table"):
        Connections.open(Settings(home=tmp_path, file={"connections": 3}))
    with pytest.raises(BadConnection, match="must be a map with a 'type', not a int"):
        Connections.open(Settings(home=tmp_path, file={"connections": {"c": 3}})).get("c")
