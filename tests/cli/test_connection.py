import json
import subprocess
import sys

import pytest

from penstock.cli import connection as connection_cli
from penstock.cli.main import main

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine of its own, with the working directory in an empty folder."""
    for name in ("PENSTOCK_CONNECTION_KEY", "PENSTOCK_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def penstock(capsys):
    """Runs one command; gives exit code, standard output (as JSON where it is) and standard error."""

    def run(*words):
        code = main(["connection", *words])
        out, err = capsys.readouterr()
        assert CANARY not in out + err
        assert "Traceback" not in err
        try:
            return code, json.loads(out), err
        except ValueError:
            return code, out, err

    return run


@pytest.fixture
def terminal(monkeypatch):
    """A person who types the given secrets; gives the prompts they saw."""

    def sit_down(*answers):
        prompts, left = [], list(answers)

        def getpass(prompt):
            prompts.append(prompt)
            return left.pop(0)

        monkeypatch.setattr(connection_cli, "interactive", lambda _: True)
        monkeypatch.setattr(connection_cli.getpass, "getpass", getpass)
        return prompts

    return sit_down


def yaml_file(tmp_path, text, name="c.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


@pytest.fixture
def azure(tmp_path):
    return yaml_file(
        tmp_path,
        "$schema: https://example.invalid/AzureOpenAIConnection.schema.json\n"
        "name: my_azure\ntype: azure_open_ai  # snake case\n"
        f'api_key: "{CANARY}"\napi_base: "https://x"\napi_type: azure\napi_version: 2023-07-01\n',
    )


@pytest.fixture
def custom(tmp_path):
    return yaml_file(
        tmp_path, f"name: my_custom\ntype: custom\nconfigs:\n  url: u\nsecrets:\n  key: {CANARY}\n", "cu.yaml"
    )


def test_a_created_connection_is_printed_as_prompt_flow_prints_it(penstock, azure, home):
    code, out, err = penstock("create", "-f", azure)

    assert (code, err) == (0, "")
    assert list(out) == [
        "auth_mode",
        "name",
        "module",
        "created_date",
        "last_modified_date",
        "type",
        "api_key",
        "api_base",
        "api_type",
        "api_version",
    ]
    assert (out["name"], out["type"], out["api_key"]) == ("my_azure", "azure_open_ai", "******")
    assert out["api_version"] == "2023-07-01"
    assert CANARY not in (home / "connections.json").read_text()


def test_json_output_is_indented_by_four(azure, capsys):
    main(["connection", "create", "-f", azure])

    assert capsys.readouterr().out.startswith('{\n    "auth_mode": "key",\n    "name": "my_azure",')


def test_set_and_name_win_over_the_file(penstock, custom):
    _, out, _ = penstock("create", "-f", custom, "--set", "configs.url=v", "'secrets.other=x'", "--name", "other")

    assert (out["name"], out["configs"], out["secrets"]) == (
        "other",
        {"url": "v"},
        {"key": "******", "other": "******"},
    )


def test_create_from_an_env_file_makes_a_custom_connection_of_secrets(penstock, tmp_path):
    file = yaml_file(tmp_path, f"A={CANARY}\nB='x y'\n", ".env")

    assert penstock("create", "-f", file)[0] == 2
    _, out, _ = penstock("create", "-f", file, "-n", "e")
    assert (out["type"], out["configs"], out["secrets"]) == ("custom", {}, {"A": "******", "B": "******"})


def test_an_existing_connection_is_replaced_with_a_note(penstock, azure):
    penstock("create", "-f", azure)
    code, _, err = penstock("create", "-f", azure)

    assert code == 0
    assert "'my_azure' was there already; this one replaces it" in err


def test_misspelt_keys_are_noted(penstock, tmp_path):
    _, _, err = penstock("create", "-f", yaml_file(tmp_path, "name: c\ntype: serp\napi_key: k\napi_bsae: x\n"))

    assert "has no 'api_bsae'; ignored" in err


def test_missing_secrets_are_asked_for_on_a_terminal(penstock, tmp_path, terminal):
    prompts = terminal("", CANARY)
    file = yaml_file(tmp_path, "name: c\ntype: open_ai\napi_key: <user-input>\n")
    code, out, err = penstock("create", "-f", file)

    assert (code, out["api_key"]) == (0, "******")
    assert prompts == ["api_key: ", "api_key: "]
    assert "cannot be empty" in err


@pytest.mark.parametrize("value", ["<user-input>", "******", "''", "<no-change>"])
def test_missing_secrets_without_a_terminal_are_a_sentence(penstock, tmp_path, value, home):
    file = yaml_file(
        tmp_path, f"name: c\ntype: open_ai\napi_key: {value!r}\n" if value != "''" else "name: c\ntype: open_ai\n"
    )
    code, out, err = penstock("create", "-f", file)

    assert (code, out) == (2, "")
    assert "lacks its secret 'api_key'" in err
    assert "--set 'api_key=${env:NAME}'" in err
    assert not (home / "connections.json").exists()


def test_update_changes_what_it_is_told_and_keeps_the_rest(penstock, custom):
    penstock("create", "-f", custom)
    code, out, _ = penstock("update", "-n", "my_custom", "--set", "configs.more=m", "secrets.key=<no-change>")

    assert (code, out["configs"], out["secrets"]) == (0, {"url": "u", "more": "m"}, {"key": "******"})
    code, out, _ = penstock("update", "-n", "my_custom", "--set", "secrets.key=${env:K}")
    assert penstock("show", "-n", "my_custom")[1] == out


def test_update_asks_only_for_what_it_is_told_to_ask(penstock, custom, terminal, monkeypatch, tmp_path):
    penstock("create", "-f", custom)
    prompts = terminal("new secret")
    code, _, _ = penstock("update", "-n", "my_custom", "--set", "secrets.key=<user-input>")

    assert (code, prompts) == (0, ["key: "])


def test_update_from_a_file_keeps_starred_secrets(penstock, custom, tmp_path):
    penstock("create", "-f", custom)
    file = yaml_file(tmp_path, "name: other\ntype: custom\nconfigs: {url: v}\nsecrets: {key: '******'}\n", "new.yaml")
    code, out, err = penstock("update", "-n", "my_custom", "-f", file)

    assert (code, out["configs"], out["name"], err) == (0, {"url": "v"}, "my_custom", "")


def test_update_to_token_mode_and_back(penstock, azure):
    penstock("create", "-f", azure)
    _, out, _ = penstock("update", "-n", "my_azure", "--set", "auth_mode=meid_token")
    assert (out["auth_mode"], "api_key" in out) == ("meid_token", False)

    code, _, err = penstock("update", "-n", "my_azure", "--set", "auth_mode=key")
    assert (code, "'api_key' is required for key auth mode connection" in err) == (1, True)
    _, out, _ = penstock("update", "-n", "my_azure", "--set", "auth_mode=key", "api_key=k")
    assert out["api_key"] == "******"


def test_update_of_nothing_is_a_sentence(penstock, custom):
    penstock("create", "-f", custom)

    assert penstock("update", "-n", "my_custom")[0] == 2


def test_list_knows_stored_and_given_connections(penstock, custom, tmp_path, monkeypatch):
    penstock("create", "-f", custom)
    (tmp_path / "work" / ".env").write_text(f'\'in file\'={{"type": "serp", "api_key": "{CANARY}"}}\nPLAIN={CANARY}\n')
    monkeypatch.setenv("from_env", json.dumps({"type": "open_ai", "api_key": CANARY}))
    _, out, _ = penstock("list")

    assert [(item["name"], item.get("source")) for item in out] == [
        ("from_env", "environment"),
        ("in file", "env file"),
        ("my_custom", None),
    ]
    assert [item["name"] for item in penstock("list", "-r", "1")[1]] == ["from_env"]
    assert len(penstock("list", "-r", "1", "--all-results")[1]) == 3
    assert penstock("list", "-r", "0")[0] == 2


@pytest.mark.parametrize("flag", ["--verbose", "--debug", "-d", "--json"])
def test_prompt_flows_common_flags_are_taken(penstock, flag):
    assert penstock("list", flag) == (0, [], "")


def test_list_of_nothing_is_an_empty_list(penstock, home):
    assert penstock("list") == (0, [], "")
    assert not home.exists()


def test_an_unknown_name_says_which_there_are(penstock, custom):
    penstock("create", "-f", custom)
    code, out, err = penstock("show", "-n", "my_custm")
    assert (code, out) == (1, "")
    assert "Did you mean 'my_custom'? There are: my_custom." in err

    code, out, _ = penstock("show", "-n", "x", "--json")
    assert (code, out["error"]["code"]) == (1, "ConnectionNotFound")


def test_delete_forgets_after_a_yes(penstock, custom, monkeypatch):
    penstock("create", "-f", custom)
    code, _, err = penstock("delete", "-n", "my_custom")
    assert (code, "say --yes" in err) == (2, True)

    answers = iter(["maybe\n", "n\n", "y\n"])
    monkeypatch.setattr(connection_cli, "interactive", lambda _: True)
    monkeypatch.setattr(connection_cli.sys, "stdin", type("Person", (), {"readline": lambda _: next(answers)})())
    assert "Nothing was deleted" in penstock("delete", "-n", "my_custom")[2]
    assert "is deleted" in penstock("delete", "-n", "my_custom")[2]
    assert penstock("list")[1] == []


def test_delete_needs_no_question_with_yes(penstock, custom):
    penstock("create", "-f", custom)

    assert penstock("delete", "-n", "my_custom", "-y", "--json")[:2] == (0, {"deleted": "my_custom"})
    code, _, err = penstock("delete", "-n", "my_custom", "-y")
    assert (code, "'my_custom' is not found; stored are: none" in err) == (1, True)


@pytest.mark.parametrize("verb", [["delete", "-y"], ["update", "--set", "a=b"]])
def test_what_is_not_stored_cannot_be_changed_here(penstock, monkeypatch, verb):
    monkeypatch.setenv("given", json.dumps({"type": "serp", "api_key": CANARY}))
    code, _, err = penstock(*verb, "-n", "given")

    assert (code, "comes from the environment and is not stored" in err) == (1, True)


def test_test_asks_the_endpoint_and_tells_what_came_back(penstock, monkeypatch):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Models(BaseHTTPRequestHandler):
        def do_GET(self):
            good = self.headers["Authorization"] == f"Bearer {CANARY}"
            body = json.dumps({"data": [{"id": "small"}]} if good else {"error": {"message": "bad key"}}).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        monkeypatch.setenv("c", json.dumps({"type": "openai_compatible", "base_url": url, "api_key": "${env:KEY}"}))
        monkeypatch.setenv("KEY", CANARY)
        assert penstock("test", "-n", "c")[:2] == (0, f"{url}/models answers and lists 1 model: small.\n")
        code, out, _ = penstock("test", "-n", "c", "--json")
        assert (code, out["ok"], out["status"], out["models"]) == (0, True, 200, ["small"])
        monkeypatch.setenv("KEY", "wrong-one")
        assert penstock("test", "-n", "c")[:2] == (1, f"{url}/models refuses the key or token (HTTP 401): bad key\n")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_test_of_a_custom_connection_says_that_there_is_nothing_to_try(penstock, custom):
    penstock("create", "-f", custom)
    code, out, _ = penstock("test", "-n", "my_custom")

    assert code == 0
    assert "has no endpoint that Penstock knows how to try" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: c\n", "has no 'type'; there are: azure_open_ai"),
        ("type: serp\napi_key: k\n", "names no connection; say --name NAME"),
        ("- a\n", "must be a map with name, type and settings"),
        ("a: [", "c.yaml:2: this is no valid YAML"),
    ],
)
def test_a_bad_file_is_a_sentence(penstock, tmp_path, text, words):
    code, _, err = penstock("create", "-f", yaml_file(tmp_path, text))

    assert code != 0
    assert words in err


@pytest.mark.parametrize("word", ["novalue", "=x"])
def test_a_bad_set_is_a_sentence(penstock, azure, word):
    code, _, err = penstock("create", "-f", azure, "--set", word)

    assert (code, "--set takes KEY=VALUE" in err) == (2, True)


def test_a_damaged_store_is_a_sentence_for_every_verb(penstock, azure, home):
    home.mkdir()
    (home / "connections.json").write_text('{"connections": ')
    for words in (
        ["create", "-f", azure],
        ["list"],
        ["show", "-n", "x"],
        ["delete", "-n", "x", "-y"],
        ["test", "-n", "x"],
    ):
        code, _, err = penstock(*words)
        assert (code, "is damaged (it is no JSON); nothing was changed" in err) == (1, True)


def test_the_commands_import_nothing_heavy_until_they_need_it():
    code = (
        "import sys; from penstock.cli.main import main\n"
        "main(['connection', 'list'])\n"
        "print([m for m in ('cryptography', 'yaml', 'aiohttp', 'tomlkit', 'rich') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
