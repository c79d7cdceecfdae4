import json
import stat
import sys
import tomllib

import pytest

from penstock.cli.main import main
from penstock.settings import read_settings

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine of its own, with the working directory in an empty folder."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PENSTOCK_CONCURRENCY", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def config(capsys):
    """Runs one command; gives exit code, standard output and standard error."""

    def run(*words):
        code = main(["config", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


def read(folder):
    return tomllib.loads((folder / "penstock.toml").read_text(encoding="utf-8"))


def test_what_is_set_is_in_force(config, home):
    code, out, _ = config("set", "run.concurrency=8", "run.line_timeout=1.5", "run.batch_timeout=60")

    assert (code, out) == (
        0,
        f"Set run.concurrency, run.line_timeout, run.batch_timeout in {home / 'penstock.toml'}.\n",
    )
    settings = read_settings()
    assert (settings.concurrency, settings.line_timeout, settings.batch_timeout) == (8, 1.5, 60)


def test_a_folder_gets_a_file_of_its_own(config, tmp_path, home):
    assert config("set", "run.workers=2", "--path", str(tmp_path / "project"))[0] == 0

    assert read(tmp_path / "project") == {"run": {"workers": 2}}
    assert not (home / "penstock.toml").exists()
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["penstock.toml"]


def test_comments_order_and_mode_of_a_file_survive(config, home):
    home.mkdir()
    file = home / "penstock.toml"
    file.write_text("# mine\n[run]\nworkers = 1 # one\n\n[other]\nkept = [1,   2]\n")
    file.chmod(0o644)
    config("set", "run.workers=2", "store.url=sqlite:///x")

    text = file.read_text()
    assert text.startswith("# mine\n[run]\nworkers = 2 # one\n\n[other]\nkept = [1,   2]\n")
    assert read(home)["store"] == {"url": "sqlite:///x"}
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "key",
    [
        "connection.provider=local",
        "run.output_path=/tmp/x",
        "trace.destination=none",
        "telemetry.enabled=false",
        "extension.telemetry_enabled=False",
        "user_agent=x",
        "service.host=h",
        "enable_internal_features=true",
        "cli.installation_id=i",
    ],
)
def test_prompt_flows_keys_are_kept_with_a_note_that_they_do_nothing(config, home, key):
    code, out, _ = config("set", key)

    name = key.partition("=")[0]
    assert code == 0
    assert f"{name} has no effect: " in out
    found = read(home)
    for part in name.split("."):
        found = found[part]
    assert str(found).lower() == key.partition("=")[2].lower()


def test_a_connection_may_be_set_with_a_reference_to_its_key(config, home):
    code, _, _ = config("set", "connections.my.conn.type=open_ai", "connections.my.conn.api_key=${env:K}")

    assert code == 0
    assert read(home) == {"connections": {"my.conn": {"type": "open_ai", "api_key": "${env:K}"}}}
    config("set", "connections.c.configs.url=u", "connections.c.secrets.k=${env:K}")
    assert read(home)["connections"]["c"] == {"configs": {"url": "u"}, "secrets": {"k": "${env:K}"}}


@pytest.mark.parametrize("key", ["connections.c.api_key", "connections.c.secrets.k", "connections.c.headers.X"])
def test_a_plain_secret_is_refused_and_not_repeated(config, home, key):
    code, _, err = config("set", f"{key}={CANARY}")

    assert (code, "penstock.toml is plain text" in err, CANARY in err) == (2, True, False)
    assert not (home / "penstock.toml").exists()


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("run.concurency=1", "There is no setting 'run.concurency'. Did you mean 'run.concurrency'?"),
        ("run.concurrency=many", "run.concurrency must be a whole number, not 'many'"),
        ("run.concurrency=1.5", "must be a whole number"),
        ("run.concurrency=0", "must be more than 0"),
        ("run.line_timeout=nan", "must be more than 0"),
        ("run.line_timeout=soon", "must be a number of seconds"),
        ("telemetry.enabled=maybe", "must be true or false"),
        ("connections.c=x", "is connections.NAME.KEY"),
        ("novalue", "config set takes KEY=VALUE"),
    ],
)
def test_a_bad_setting_is_a_sentence_and_nothing_is_written(config, home, word, words):
    code, _, err = config("set", "run.workers=1", word)

    assert (code, words in err) == (2, True), err
    assert not (home / "penstock.toml").exists()


def test_a_damaged_file_is_a_sentence_and_stays(config, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "penstock.toml").write_text("[run\n")
    code, _, err = config("set", "run.workers=1", "--path", str(folder))

    assert (code, "nothing was changed" in err) == (2, True)
    assert (folder / "penstock.toml").read_text() == "[run\n"


def test_a_key_that_stands_where_a_table_should_is_a_sentence(config, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "penstock.toml").write_text("run = 3\n")
    code, _, err = config("set", "run.workers=1", "--path", str(folder))

    assert (code, "'run' is no table there, so run.workers cannot be set" in err) == (2, True)
    assert (folder / "penstock.toml").read_text() == "run = 3\n"


def test_a_nearer_file_that_wins_is_named(config, tmp_path):
    (tmp_path / "work" / "penstock.toml").write_text("[run]\nworkers = 3\n")
    _, out, _ = config("set", "run.workers=1")

    assert f"{tmp_path / 'work' / 'penstock.toml'} sets run.workers, too, and wins" in out
    assert read_settings().workers == 3


def test_show_prints_what_is_in_force_without_secrets(config, home, tmp_path):
    home.mkdir()
    (home / "penstock.toml").write_text(
        f"[store]\nurl = 'postgresql://me:{CANARY}@host/db'\n"
        f"[connections.c]\ntype = 'open_ai'\napi_key = '{CANARY}'\n"
        f"[connections.d]\ntype = 'custom'\nconfigs = {{u = 'v'}}\nsecrets = {{k = '{CANARY}', e = '${{env:K}}'}}\n"
    )
    (tmp_path / "work" / "penstock.toml").write_text("[run]\nworkers = 3\n")
    code, out, _ = config("show")

    assert (code, CANARY in out) == (0, False)
    assert json.loads(out) == {
        "store": {"url": "postgresql://me:******@host/db"},
        "connections": {
            "c": {"type": "open_ai", "api_key": "******"},
            "d": {"type": "custom", "configs": {"u": "v"}, "secrets": {"k": "******", "e": "${env:K}"}},
        },
        "run": {"workers": 3},
    }
    assert out.startswith('{\n    "store"')
    assert json.loads(config("show", "--json")[1]) == json.loads(out)


def test_show_of_nothing_is_an_empty_object(config):
    assert config("show") == (0, "{}\n", "")


def test_json_tells_file_keys_and_notes(config, home):
    out = json.loads(config("set", "trace.destination=none", "run.workers=1", "--json")[1])

    assert out["file"] == str(home / "penstock.toml")
    assert out["set"] == ["trace.destination", "run.workers"]
    assert out["notes"] == ["trace.destination has no effect: traces stay on this machine."]


def test_a_path_that_is_a_file_is_a_sentence(config, tmp_path):
    (tmp_path / "file").write_text("")

    assert config("set", "run.workers=1", "--path", str(tmp_path / "file"))[0] == 2
