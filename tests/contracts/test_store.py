"""What every store must do, on SQLite always and on PostgreSQL where PENSTOCK_TEST_POSTGRES_URL names one."""

import dataclasses
import math
import os
import subprocess
import sys
import textwrap
import uuid

import pytest

from penstock.errors import RunExists, RunNotFound, StoreError, UsageError
from penstock.records import Failure, Metric, Run, Status, Usage
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


FULL = Run(
    name="full",
    status=Status.FAILED,
    flow="flows/ä",
    data="data.jsonl",
    run=("first", "second"),
    variant=("${node.variant_1}",),
    column_mapping={"q": "${data.q}", "n": 3, "nothing": None},
    display_name="A run",
    description="with 'quotes' and \u2028 separators",
    tags={"a": "b", "empty": None},
    properties={"deep": {"list": [1, 2.5, None]}},
    created=1_700_000_000.25,
    started=1_700_000_001.0,
    ended=1_700_000_002.5,
    lines=2**40,
    completed=2**40 - 2,
    failed=1,
    unscored=1,
    usage=Usage(1, 2, 3, 4, None),
    metrics=(Metric("z", 0.5, 10), Metric("a", {"nested": [math.inf]}), Metric("z", "twice")),
    system_metrics={"duration": 1.5},
    failure=Failure("BatchRunTimeoutError", "too slow"),
    offline=True,
)


def test_every_field_of_a_run_comes_back(store):
    made = store.create_run(FULL)
    assert made == dataclasses.replace(FULL, folder=str(store.folder_for("full")))
    assert store.get_run("full") == made
    assert store.list_runs() == [made]


def test_nan_metrics_come_back(store):
    store.create_run(Run("nan", metrics=(Metric("m", math.nan),)))
    assert math.isnan(store.get_run("nan").metrics[0].value)


def test_text_a_database_cannot_hold_is_made_holdable(store):
    store.create_run(Run("odd", description="a\x00b \ud83d", properties={"k": "a\x00b \ud83d"}))
    run = store.get_run("odd")
    assert run.description == "a\ufffdb ?"
    assert run.properties == {"k": "a\x00b \ud83d"}


def test_a_name_can_be_taken_once(store):
    store.create_run(Run("twice"))
    with pytest.raises(RunExists, match="'twice'"):
        store.create_run(Run("twice"))
    assert len(store.list_runs()) == 1


def test_saving_replaces_what_the_run_computes(store):
    run = store.create_run(Run("r", Status.RUNNING, metrics=(Metric("old", 1),), created=5.0))
    with store.open_journal("r"):
        stored = store.save_run(dataclasses.replace(run, completed=3, metrics=(Metric("new", 2),), created=99.0))
        assert (stored.status, stored.completed, stored.metrics) == (Status.RUNNING, 3, (Metric("new", 2),))
        assert stored.created == run.created
        assert store.get_run("r") == stored


def test_saving_keeps_what_a_person_changed_meanwhile(store):
    run = store.create_run(Run("r", tags={"mine": "old"}))
    store.update_run("r", display_name="Better name", tags={"mine": "new"})
    store.set_archived("r")
    stored = store.save_run(dataclasses.replace(run, status=Status.COMPLETED, completed=1))
    assert (stored.display_name, stored.tags, stored.archived) == ("Better name", {"mine": "new"}, True)
    assert stored.status is Status.COMPLETED


def test_updating_changes_only_what_is_given(store):
    store.create_run(Run("r", display_name="name", description="text", tags={"a": "b"}))
    run = store.update_run("r", description="other")
    assert (run.display_name, run.description, run.tags) == ("name", "other", {"a": "b"})
    assert store.update_run("r", tags={}).tags == {}
    assert store.update_run("r") == store.get_run("r")


def test_runs_are_listed_newest_first_up_to_a_limit(store):
    for number in range(5):
        store.create_run(Run(f"run{number}", created=1000.0 + number, archived=number == 3))
    assert [run.name for run in store.list_runs()] == ["run4", "run2", "run1", "run0"]
    assert [run.name for run in store.list_runs(limit=2)] == ["run4", "run2"]
    assert [run.name for run in store.list_runs(archived="only")] == ["run3"]
    assert len(store.list_runs(limit=None, archived="include")) == 5


def test_archived_runs_come_back(store):
    store.create_run(Run("r"))
    assert store.set_archived("r").archived is True
    assert store.list_runs() == []
    assert store.set_archived("r", False).archived is False
    assert [run.name for run in store.list_runs()] == ["r"]


def test_deleted_runs_leave_nothing_behind(store):
    run = store.create_run(Run("gone", metrics=(Metric("m", 1),)))
    store.delete_run("gone")
    assert list((store.home / "runs").iterdir()) == []
    with pytest.raises(RunNotFound):
        store.get_run("gone")
    assert store.create_run(dataclasses.replace(run, metrics=())).metrics == ()


def test_a_run_that_is_being_written_is_not_deleted(store):
    store.create_run(Run("busy", Status.RUNNING))
    told = f"written by process {os.getpid()}"
    with store.open_journal("busy"), pytest.raises(StoreError, match=told):
        store.delete_run("busy")
    store.delete_run("busy")


@pytest.mark.parametrize("call", ["get_run", "delete_run", "set_archived", "open_journal", "update_run"])
def test_unknown_names_list_the_nearest(store, call):
    for name in ("web_classification_1", "web_classification_2", "chat"):
        store.create_run(Run(name))
    with pytest.raises(RunNotFound, match="'web_clasification_1'; the nearest are: web_classification_1"):
        getattr(store, call)("web_clasification_1")


def test_saving_a_run_nobody_created_is_refused(store):
    with pytest.raises(RunNotFound, match="there are no runs yet"):
        store.save_run(Run("never"))
    assert list((store.home / "runs").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../up", "a/b", "a\\b", "/abs", "C:x", "a\0b", "a b", ".hidden", "-rf", "a\n", "%2e%2e/x", "ä",
        "nul", "COM1.txt", "x" * 201, "\\\\host\\share", "file:x",
    ],
)  # fmt: skip
def test_names_that_could_lead_out_of_the_store_are_refused(store, name):
    for call in (store.folder_for, lambda name: store.create_run(Run(name))):
        with pytest.raises(UsageError):
            call(name)
    with pytest.raises(RunNotFound):
        store.get_run(name.replace("\0", "?"))
    assert store.list_runs() == []


def test_sql_in_a_name_is_only_text(store):
    store.create_run(Run("safe"))
    with pytest.raises(RunNotFound):
        store.delete_run("safe' OR '1'='1")
    with pytest.raises(RunNotFound):
        store.get_run("'; DROP TABLE runs; --")
    assert [run.name for run in store.list_runs()] == ["safe"]


def test_a_running_run_whose_process_died_is_told_as_interrupted(store):
    store.create_run(Run("dead", Status.RUNNING))
    store.create_run(Run("alive", Status.RUNNING))
    store.open_journal("dead").close()
    with store.open_journal("alive"):
        told = {run.name: run for run in store.list_runs()}
    assert told["alive"].status is Status.RUNNING
    assert told["dead"].status is Status.CANCELED
    assert told["dead"].properties["interrupted"] is True
    assert "--resume-from dead" in told["dead"].failure.message
    assert store.get_run("dead").status is Status.CANCELED


def test_a_finished_run_is_never_told_as_interrupted(store):
    run = store.create_run(Run("done", Status.RUNNING))
    with store.open_journal("done"):
        store.save_run(dataclasses.replace(run, status=Status.COMPLETED))
    assert store.get_run("done").status is Status.COMPLETED


def test_opening_again_finds_everything(store, settings):
    made = store.create_run(FULL)
    with open_store(settings) as again:
        assert again.get_run("full") == made


def test_the_schema_is_what_the_migrations_make(store, settings):
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from penstock.store.schema import alembic_config, connect, upgrade, writing
    from penstock.store.tables import HEAD, tables

    engine = connect(settings.store, settings.home)
    made = described(engine)
    with writing(engine).begin() as connection:
        tables().metadata.drop_all(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
    with writing(engine).begin() as connection:
        upgrade(connection)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables().metadata) == []
    assert described(engine) == made
    engine.dispose()
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def described(engine):
    """Tables, columns, types, keys and indexes as the database itself tells them."""
    import sqlalchemy as sa

    look = sa.inspect(engine)
    return {
        table: [
            [(column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns(table)],
            look.get_pk_constraint(table)["constrained_columns"],
            [(key["constrained_columns"], key["options"]) for key in look.get_foreign_keys(table)],
            [(index["name"], index["column_names"]) for index in look.get_indexes(table)],
        ]
        for table in sorted(look.get_table_names())
    }


def test_an_index_of_a_newer_penstock_is_refused(store, settings):
    import sqlalchemy as sa

    from penstock.store.schema import connect, writing

    engine = connect(settings.store, settings.home)
    with writing(engine).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"'9999'.*made by a newer one"):
        open_store(settings)


CREATE = """
    import sys
    from pathlib import Path
    from penstock.errors import RunExists
    from penstock.records import Run
    from penstock.settings import Settings
    from penstock.store.store import open_store
    home, url, name = sys.argv[1:]
    store = open_store(Settings(home=Path(home), store=url or None))
    taken = 0
    for number in range(15):
        store.create_run(Run(f"{name}{number}"))
        try:
            store.create_run(Run(f"shared{number}"))
        except RunExists:
            taken += 1
    store.close()
    print(taken)
"""


def test_processes_may_create_the_store_and_runs_at_once(settings):
    names = ["a", "b", "c"]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CREATE), str(settings.home), settings.store or "", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    done = [process.communicate() for process in started]
    assert [errors for _, errors in done] == ["", "", ""]
    assert sum(int(output) for output, _ in done) == 30, "each shared name was given once"
    with open_store(settings) as store:
        assert len(store.list_runs(limit=None)) == 60
