"""What every registry must do, on SQLite always and on PostgreSQL where PENSTOCK_TEST_POSTGRES_URL names one."""

import itertools
import os
import subprocess
import sys
import textwrap
import uuid

import pytest

from penstock.errors import LabelRefused, UsageError, VersionNotFound
from penstock.registry.prompts import PromptContent, open_prompts
from penstock.registry.version import Record
from penstock.settings import Settings
from penstock.store.store import open_store

POSTGRES = os.environ.get("PENSTOCK_TEST_POSTGRES_URL")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    """Settings of an empty store."""
    if request.param == "sqlite":
        yield Settings(home=tmp_path / "home")
        return
    if not POSTGRES:
        pytest.skip("set PENSTOCK_TEST_POSTGRES_URL to a PostgreSQL database to run the contract on it")
    import sqlalchemy as sa

    engine = sa.create_engine(sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"))
    schema = f"penstock_{uuid.uuid4().hex}"
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
    yield Settings(home=tmp_path / "home", store=url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


@pytest.fixture
def store(settings):
    with open_store(settings) as store:
        yield store


@pytest.fixture
def prompts(store):
    return open_prompts(store, "ana")


def content(text="Hello {{name}}", **more):
    return PromptContent.made(text, **more).to_json()


def test_each_new_content_gets_the_next_number_and_the_same_content_its_old_one(prompts):
    first, new = prompts.add("greet", content(), message="begin")
    assert (first.version, first.author, first.message, new) == (1, "ana", "begin", True)
    assert prompts.add("greet", content("Hi {{name}}"))[0].version == 2
    again, new = prompts.add("greet", content(), message="ignored")
    assert (again.version, again.message, new) == (1, "begin", False)
    assert [version.version for version in prompts.versions("greet")] == [2, 1]
    assert prompts.get("greet@1").content["text"] == "Hello {{name}}"
    assert prompts.get(f"greet@sha256:{first.hash[:8]}").version == 1


def test_a_name_alone_means_prod_where_it_is_there_and_else_the_newest(prompts):
    prompts.add("greet", content("a"))
    prompts.add("greet", content("b"))
    assert prompts.get("greet").version == 2
    prompts.move("greet", "prod", 1)
    assert prompts.get("greet").version == 1
    assert prompts.get("greet@latest").version == 2


def test_a_label_moves_is_rolled_back_step_by_step_and_everything_is_told(prompts):
    for text in "abc":
        prompts.add("greet", content(text))
    for version in (1, 2, 3):
        prompts.move("greet", "prod", version, reason=f"try {version}")
    assert prompts.rollback("greet", "prod", reason="worse").after == 2
    assert prompts.rollback("greet", "prod").after == 1
    with pytest.raises(LabelRefused, match="has pointed at nothing but version 1"):
        prompts.rollback("greet", "prod")
    prompts.move("greet", "prod", "latest")
    assert prompts.rollback("greet", "prod").after == 1
    told = [(move.before, move.after, move.action, move.reason) for move in prompts.history("greet")[::-1]]
    assert told == [
        (None, 1, "move", "try 1"),
        (1, 2, "move", "try 2"),
        (2, 3, "move", "try 3"),
        (3, 2, "rollback", "worse"),
        (2, 1, "rollback", ""),
        (1, 3, "move", ""),
        (3, 1, "rollback", ""),
    ]
    assert all(move.author == "ana" for move in prompts.history("greet"))


def test_moving_a_label_to_where_it_is_changes_nothing(prompts):
    prompts.add("greet", content("a"))
    prompts.move("greet", "prod", 1)
    prompts.move("greet", "prod", 1)
    assert len(prompts.history("greet", "prod")) == 1


def test_a_label_that_somebody_else_moved_meanwhile_is_not_overwritten(prompts):
    prompts.add("greet", content("a"))
    prompts.add("greet", content("b"))
    prompts.move("greet", "prod", 1, expect=None)
    with pytest.raises(LabelRefused, match="it points at version 1, not at nothing"):
        prompts.move("greet", "prod", 2, expect=None)
    assert prompts.move("greet", "prod", 2, expect=1).before == 1


def test_a_protected_label_moves_for_its_movers_and_for_others_by_force(store, prompts):
    prompts.add("greet", content("a"))
    prompts.add("greet", content("b"))
    prompts.move("greet", "prod", 1)
    prompts.protect("prod", movers=["lee"])
    with pytest.raises(LabelRefused, match="only lee may move it"):
        prompts.move("greet", "prod", 2)
    assert prompts.get("greet@prod").version == 1
    assert not open_prompts(store, "lee").move("greet", "prod", 2).forced
    assert prompts.move("greet", "prod", 1, force=True).forced
    with pytest.raises(LabelRefused, match="its label prod is protected"):
        prompts.delete("greet")
    prompts.protect("prod", on=False)
    prompts.move("greet", "prod", 2)
    assert prompts.protections() == []


def test_the_protection_of_one_name_goes_before_that_of_all(store, prompts):
    prompts.add("greet", content("a"))
    prompts.protect("prod")
    prompts.protect("prod", "greet", movers=["ana"])
    assert not prompts.move("greet", "prod", 1).forced


def test_a_label_does_not_move_to_a_version_that_needs_more_than_its_users_give(prompts):
    prompts.add("greet", content("Hello {{name}}", output={"properties": {"text": {}, "mood": {}}}))
    prompts.add("greet", content("Hello {{name}}, {{tone}}", output={"properties": {"text": {}}}))
    prompts.move("greet", "prod", 1)
    with pytest.raises(LabelRefused, match=r"needs 'tone'.*no longer has 'mood'"):
        prompts.move("greet", "prod", 2)
    assert prompts.move("greet", "prod", 2, force=True).forced
    assert prompts.rollback("greet", "prod").after == 1


def test_what_is_not_there_is_told_with_what_is(prompts):
    with pytest.raises(VersionNotFound, match="there are none yet"):
        prompts.get("greet")
    prompts.add("greet", content("a"))
    with pytest.raises(VersionNotFound, match="there are: greet"):
        prompts.get("gret@prod")
    with pytest.raises(VersionNotFound, match="versions 1 to 1 and no labels"):
        prompts.get("greet@prod")
    with pytest.raises(VersionNotFound, match="There is no greet@7"):
        prompts.move("greet", "prod", 7)
    with pytest.raises(UsageError, match="always is the newest"):
        prompts.move("greet", "latest", 1)
    with pytest.raises(VersionNotFound, match="has no label 'prod'"):
        prompts.move("greet", "prod", None)


def test_a_deleted_name_is_found_by_nobody_and_comes_back_with_all_it_had(prompts):
    prompts.add("greet", content("a"))
    prompts.move("greet", "prod", 1)
    prompts.delete("greet")
    with pytest.raises(VersionNotFound, match="was deleted"):
        prompts.get("greet@1")
    assert prompts.entries() == []
    assert [entry.name for entry in prompts.entries(deleted=True)] == ["greet"]
    assert len(prompts.history("greet")) == 1
    prompts.restore("greet")
    assert prompts.get("greet").version == 1
    prompts.delete("greet")
    assert prompts.add("greet", content("b"))[0].version == 2


def test_names_with_folders_and_letters_of_all_kinds_in_texts_are_kept(prompts):
    text = "Grüße \U0001f600 \u2028 {{x}} \\u0000 \x01\n"
    prompts.add("team/greet", content(text), message="ä\n", tags={"owner": "Ä"}, description="für alle")
    assert prompts.get("team/greet").content["text"] == text
    entry = prompts.entry("team/greet")
    assert (entry.tags, entry.description, entry.newest) == ({"owner": "Ä"}, "für alle", 1)


def test_an_exported_name_comes_with_its_numbers_and_history(prompts, tmp_path):
    prompts.add("greet", content("a"))
    prompts.add("greet", content("b"))
    prompts.move("greet", "prod", 1, reason="first")
    record = Record.from_json(prompts.record("greet").to_json())
    with open_store(Settings(home=tmp_path / "other")) as other:
        taken = open_prompts(other, "lee")
        versions, moves = taken.load(record)
        assert (len(versions), len(moves)) == (2, 1)
        assert taken.record("greet") == prompts.record("greet")
        assert taken.load(record) == ([], [])


def test_a_name_that_is_there_takes_only_what_is_new(prompts, tmp_path):
    with open_store(Settings(home=tmp_path / "other")) as other:
        theirs = open_prompts(other, "lee")
        theirs.add("greet", content("theirs"))
        theirs.add("greet", content("both"))
        theirs.move("greet", "prod", 2)
        theirs.move("greet", "staging", 1)
        record = theirs.record("greet")
    prompts.add("greet", content("both"))
    prompts.move("greet", "prod", 1)
    versions, moves = prompts.load(record, reason="import")
    assert [(version.version, version.content["text"]) for version in versions] == [(2, "theirs")]
    assert [(move.label, move.after) for move in moves] == [("staging", 2)]
    assert prompts.get("greet@prod").content["text"] == "both"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("versions"),
        lambda data: data["versions"][0].update(version=9),
        lambda data: data["moves"][0].update(after=9),
        lambda data: data["versions"][0].update(content=None),
    ],
)
def test_a_record_that_is_none_is_refused(prompts, change):
    prompts.add("greet", content("a"))
    prompts.move("greet", "prod", 1)
    data = prompts.record("greet").to_json()
    change(data)
    with pytest.raises(ValueError, match=r"."):
        Record.from_json(data)


MOVER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from penstock.errors import LabelRefused
    from penstock.registry.prompts import PromptContent, open_prompts
    from penstock.settings import Settings
    from penstock.store.store import open_store

    home, url, who = Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3]
    with open_store(Settings(home=home, store=url)) as store:
        prompts = open_prompts(store, who)
        for turn in range(15):
            prompts.add("greet", PromptContent.made(f"{who} {turn}").to_json())
            prompts.add("greet", PromptContent.made(f"shared {turn}").to_json())
            prompts.move("greet", "prod", "latest")
            while True:
                seen = prompts.get("greet@count").version
                try:
                    prompts.move("greet", "count", seen + 1, expect=seen)
                    break
                except LabelRefused:
                    pass
    """
)


def test_two_processes_that_add_and_move_lose_nothing(settings, prompts):
    for number in range(1, 51):
        prompts.add("greet", content(f"filler {number}"))
    prompts.move("greet", "count", 1)
    movers = [
        subprocess.Popen([sys.executable, "-c", MOVER, str(settings.home), settings.store or "", who])
        for who in ("ana", "lee")
    ]
    assert [mover.wait(timeout=60) for mover in movers] == [0, 0]
    versions = prompts.versions("greet")
    assert [version.version for version in versions] == list(range(95, 0, -1))
    assert len({version.hash for version in versions}) == 95
    # Every step of the counter was seen by the one that took the next: no move was overwritten.
    counted = prompts.history("greet", "count")[::-1]
    assert [(move.before, move.after) for move in counted] == [(None, 1), *((n, n + 1) for n in range(1, 31))]
    assert {move.author for move in counted[1:]} == {"ana", "lee"}
    moved = prompts.history("greet", "prod")[::-1]
    assert all(one.after == other.before for one, other in itertools.pairwise(moved))


def test_a_lost_index_comes_back_with_its_prompts(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with open_store(settings) as store:
        prompts = open_prompts(store, "ana")
        prompts.add("team/greet", content("a"))
        prompts.add("greet", content("b"))
        prompts.move("greet", "prod", 1)
        prompts.protect("prod", movers=["ana"])
        before = [prompts.record(name) for name in ("greet", "team/greet")]
    for file in settings.home.glob("penstock.sqlite*"):
        file.write_bytes(b"this is no database" * 100) if file.suffix == ".sqlite" else file.unlink()
    with open_store(settings) as store:
        prompts = open_prompts(store, "lee")
        assert [prompts.record(name) for name in ("greet", "team/greet")] == before
        assert prompts.protections()[0].movers == ("ana",)


def test_a_store_of_before_the_registry_is_brought_up_to_date(tmp_path):
    import sqlalchemy as sa
    from alembic import command

    from penstock.store.schema import alembic_config, connect, writing

    home = tmp_path / "home"
    home.mkdir()
    engine = connect(None, home)
    with writing(engine).begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        assert not sa.inspect(connection).has_table("versions")
    engine.dispose()
    with open_store(Settings(home=home)) as store:
        assert open_prompts(store, "ana").add("greet", content("a"))[0].version == 1
