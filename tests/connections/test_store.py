import errno
import json
import os
import stat
import subprocess
import sys
import threading

import pytest
from cryptography.fernet import Fernet

from penstock.connections.kinds import (
    AzureOpenAIConnection,
    CustomConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    SerpConnection,
)
from penstock.connections.store import ConnectionStore
from penstock.errors import BadConnection, StoreError

CANARY = "canary-7f3a"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def store(home):
    return ConnectionStore(home, {})


def on_disk(home):
    return b"".join(path.read_bytes() for path in home.iterdir())


def test_what_is_saved_comes_back(store):
    store.save(OpenAIConnection(CANARY, "org", name="o"))
    store.save(CustomConnection({"k": CANARY, "empty key name": "x"}, {"url": "u"}, name="my conn"))
    store.save(OpenAICompatibleConnection("b", headers={"X": CANARY}, name="local"))

    assert store.names() == ["local", "my conn", "o"]
    assert store.read("o") == {"type": "open_ai", "api_key": CANARY, "organization": "org"}
    assert store.read("my conn")["secrets"] == {"k": CANARY, "empty key name": "x"}
    assert store.read("local")["headers"] == {"X": CANARY}


def test_no_secret_is_on_the_disk_in_plain_text(store, home):
    store.save(AzureOpenAIConnection("https://x", CANARY, name="a"))
    store.save(CustomConnection({"k": CANARY}, {"url": "u"}, name="c"))
    store.save(OpenAICompatibleConnection("b", headers={"X": CANARY}, name="h"))
    store.edit("c", lambda form: {**form, "secrets": {"k": CANARY + "2"}})

    assert CANARY.encode() not in on_disk(home)
    assert b"https://x" in on_disk(home)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_only_the_owner_can_read_the_files(store, home):
    store.save(SerpConnection("k", name="s"))

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert modes == {"connections.json": 0o600, "connections.key": 0o600, "connections.lock": 0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_masked_connections_need_no_key(store, home):
    store.save(OpenAIConnection(CANARY, name="o"))
    (home / "connections.key").unlink()

    conn = store.masked("o")
    assert (conn.api_key, conn.name, conn.type) == ("******", "o", "open_ai")
    assert conn.created_date == conn.last_modified_date


def test_saving_again_replaces_but_remembers_when_it_was_created(store):
    first = store.save(OpenAIConnection("k", name="o"))
    second = store.save(SerpConnection("k2", name="o"))

    assert (second.type, second.created_date) == ("serp", first.created_date)
    assert second.last_modified_date > first.last_modified_date
    assert store.read("o") == {"type": "serp", "api_key": "k2"}


@pytest.mark.parametrize("kept", ["******", "*", "<no-change>", "", None])
def test_an_edit_keeps_secrets_it_does_not_give(store, kept):
    store.save(CustomConnection({"a": CANARY, "b": "old"}, {"url": "u"}, name="c"))
    store.edit("c", lambda form: {**form, "configs": {"url": "v"}, "secrets": {"a": kept, "b": "new"}})

    assert store.read("c") == {"type": "custom", "configs": {"url": "v"}, "secrets": {"a": CANARY, "b": "new"}}


def test_an_edit_sees_stars_and_may_drop_a_secret(store):
    store.save(OpenAICompatibleConnection("b", CANARY, {"X": CANARY}, name="c"))
    seen = []

    def change(form):
        seen.append(dict(form))
        return {key: value for key, value in form.items() if key != "api_key"}

    store.edit("c", change)

    assert seen == [{"type": "openai_compatible", "base_url": "b", "api_key": "******", "headers": "******"}]
    assert store.read("c") == {"type": "openai_compatible", "base_url": "b", "headers": {"X": CANARY}}


def test_changing_to_token_mode_forgets_the_key(store, home):
    store.save(AzureOpenAIConnection("https://x", CANARY, name="a"))
    store.edit("a", lambda form: {**form, "auth_mode": "meid_token"})

    assert "api_key" not in store.read("a")


def test_an_invalid_edit_changes_nothing(store):
    store.save(OpenAIConnection(CANARY, name="o"))
    with pytest.raises(BadConnection, match="unknown type 'nope'"):
        store.edit("o", lambda form: {**form, "type": "nope"})
    with pytest.raises(BadConnection, match="no 'api_key'"):
        store.edit("o", lambda form: {"type": "open_ai"})

    assert store.read("o")["api_key"] == CANARY


@pytest.mark.parametrize("value", ["******", "<user-input>", "<no-change>"])
def test_a_new_connection_must_fill_its_secrets_in(store, value):
    with pytest.raises(BadConnection, match="'c': the secret 'k' is not filled in"):
        store.save(CustomConnection({"k": value}, name="c"))
    with pytest.raises(BadConnection, match="the secret 'api_key' is not filled in"):
        store.save(OpenAIConnection(value, name="o"))
    assert store.names() == []


def test_unknown_names_list_what_is_stored(store):
    store.save(SerpConnection("k", name="s"))
    for ask in (store.masked, store.read, store.delete, lambda name: store.edit(name, dict)):
        with pytest.raises(BadConnection, match="'x' is not found; stored are: s"):
            ask("x")


def test_a_deleted_connection_is_gone(store):
    store.save(SerpConnection("k", name="s"))
    store.delete("s")

    assert store.names() == []


DAMAGE = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b'{"version": 1}',
    b'{"connections": {"c": 3}}',
    b'{"connections": {"c": {"type": "unheard of", "configs": {}, "secrets": {}}}}',
    b'{"connections": {"c": {"type": "serp", "configs": {}, "secrets": {"api_key": 1}}}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("data", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_file_is_a_sentence_and_stays_as_it_is(store, home, data):
    home.mkdir()
    (home / "connections.json").write_bytes(data)

    for use in (
        store.names,
        lambda: store.masked("c"),
        lambda: store.read("c"),
        lambda: store.save(SerpConnection("k", name="s")),
        lambda: store.edit("c", dict),
        lambda: store.delete("c"),
    ):
        with pytest.raises(StoreError, match=r"is damaged .*nothing was changed"):
            use()
    assert (home / "connections.json").read_bytes() == data


def test_a_key_that_is_gone_is_a_sentence_and_no_new_one_is_made(store, home):
    store.save(OpenAIConnection(CANARY, name="o"))
    (home / "connections.key").unlink()
    before = (home / "connections.json").read_bytes()

    later = ConnectionStore(home, {})  # another process: the first may still know the key
    for use in (lambda: later.read("o"), lambda: later.save(SerpConnection("k", name="s"))):
        with pytest.raises(StoreError, match=r"connections\.key: the key .* is gone"):
            use()
    assert (home / "connections.json").read_bytes() == before
    assert not (home / "connections.key").exists()
    later.delete("o")  # what the sentence says to do
    later.save(OpenAIConnection("new", name="o"))
    assert later.read("o")["api_key"] == "new"


def test_another_key_cannot_read_and_is_not_mixed_in(store, home):
    store.save(OpenAIConnection(CANARY, name="o"))
    other = ConnectionStore(home, {"PENSTOCK_CONNECTION_KEY": Fernet.generate_key().decode()})

    with pytest.raises(StoreError, match="'api_key' of connection 'o' does not open with the key in PENSTOCK_CONNECT"):
        other.read("o")
    with pytest.raises(StoreError, match="does not open"):
        other.save(SerpConnection("k", name="s"))
    assert store.names() == ["o"]


def test_the_key_may_come_from_the_environment_alone(home):
    env = {"PENSTOCK_CONNECTION_KEY": Fernet.generate_key().decode() + "\n"}
    ConnectionStore(home, env).save(OpenAIConnection(CANARY, name="o"))

    assert not (home / "connections.key").exists()
    assert ConnectionStore(home, env).read("o")["api_key"] == CANARY


def test_a_key_that_is_none_is_a_sentence_without_the_key(home):
    with pytest.raises(StoreError, match="PENSTOCK_CONNECTION_KEY: this is no key; a key is 32") as caught:
        ConnectionStore(home, {"PENSTOCK_CONNECTION_KEY": CANARY}).save(SerpConnection("k", name="s"))
    assert CANARY not in caught.value.message
    home.joinpath("connections.key").write_text(CANARY)
    with pytest.raises(StoreError, match=r"connections\.key: this is no key"):
        ConnectionStore(home, {}).save(SerpConnection("k", name="s"))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_loses_nothing_and_leaves_nothing_behind(store, home, monkeypatch, call):
    store.save(OpenAIConnection(CANARY, name="o"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="No space left on device; nothing was changed"):
            store.save(SerpConnection("k", name="s"))

    assert store.names() == ["o"]
    assert store.read("o")["api_key"] == CANARY
    assert not list(home.glob("*.tmp"))


def test_processes_that_write_at_once_lose_nothing(home):
    code = (
        "import sys; from pathlib import Path\n"
        "from penstock.connections.kinds import SerpConnection\n"
        "from penstock.connections.store import ConnectionStore\n"
        "store = ConnectionStore(Path(sys.argv[1]), {})\n"
        "for n in range(8): store.save(SerpConnection(f'k{n}', name=f'{sys.argv[2]}-{n}'))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(home), name]) for name in "abc"]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    store = ConnectionStore(home, {})
    assert store.names() == sorted(f"{name}-{n}" for name in "abc" for n in range(8))
    assert all(store.read(name)["api_key"] == f"k{name[-1]}" for name in store.names())


def test_threads_that_edit_one_connection_lose_nothing(store):
    store.save(CustomConnection({"k": CANARY}, name="c"))

    def add(n):
        store.edit("c", lambda form: {**form, "configs": {**form["configs"], f"key{n}": "x"}})

    threads = [threading.Thread(target=add, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.read("c")["configs"]) == sorted(f"key{n}" for n in range(12))


def test_the_file_is_plain_json_that_a_person_can_read(store, home):
    store.save(CustomConnection({"k": CANARY}, {"ort": "Zürich"}, name="ü"))

    data = json.loads((home / "connections.json").read_text(encoding="utf-8"))
    assert data["version"] == 1
    assert data["connections"]["ü"]["configs"] == {"ort": "Zürich"}
    assert "Zürich" in (home / "connections.json").read_text(encoding="utf-8")
