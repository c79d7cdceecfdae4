"""The SQLite store in a home folder: made, lost, damaged, moved, and what is not loaded."""

import dataclasses
import json
import stat
import subprocess
import sys
import time

import pytest

from penstock.errors import RunExists, StoreError, UsageError
from penstock.records import LineResult, Metric, Run, Status
from penstock.settings import Settings
from penstock.store.store import open_store


@pytest.fixture
def home(tmp_path):
    return Settings(home=tmp_path / "home")


def damage(store, statement):
    import sqlite3

    connection = sqlite3.connect(store.home / "penstock.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_folders_are_for_their_owner_only(home):
    with open_store(home) as store:
        run = store.create_run(Run("r"))
        for folder in (store.home, store.folder_for("r")):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert run.folder == str(store.folder_for("r"))


def test_a_lost_index_is_made_again_from_the_run_folders(home):
    with open_store(home) as store:
        for number in range(3):
            store.create_run(
                Run(f"r{number}", Status.COMPLETED, tags={"n": str(number)}, metrics=(Metric("m", number),))
            )
        store.update_run("r1", description="kept")
        store.set_archived("r2")
        before = store.list_runs(archived="include")
    for file in store.home.glob("penstock.sqlite*"):
        file.unlink()
    with open_store(home) as store:
        assert store.list_runs(archived="include") == before
        assert store.get_run("r1").description == "kept"


def test_a_damaged_index_is_moved_aside_and_made_again(home):
    with open_store(home) as store:
        made = store.create_run(Run("r", Status.COMPLETED))
    (store.home / "penstock.sqlite").write_bytes(b"this is no database" * 1000)
    with open_store(home) as store:
        assert store.get_run("r") == made
        assert "was damaged" in store.notes[0]
        assert len(list(store.home.glob("penstock.sqlite.damaged-*"))) == 1
    with open_store(home) as store:
        assert store.notes == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET tags = '{not json' WHERE name = 'bad'",
        "UPDATE runs SET status = 'Strange' WHERE name = 'bad'",
        "UPDATE runs SET usage = '[1]' WHERE name = 'bad'",
        "UPDATE runs SET failure = '3' WHERE name = 'bad'",
        "UPDATE runs SET properties = CAST(x'ff22' AS TEXT) WHERE name = 'bad'",
        "UPDATE metrics SET value = '{' WHERE run = 'bad'",
    ],
)
def test_a_damaged_row_is_told_from_its_folder(home, statement):
    with open_store(home) as store:
        store.create_run(Run("good", created=2.0))
        store.create_run(Run("bad", Status.COMPLETED, created=1.0, completed=5, metrics=(Metric("m", 1),)))
        damage(store, statement)
        good, bad = store.list_runs()
        assert good.name == "good"
        assert (bad.name, bad.status, bad.completed, bad.metrics) == ("bad", Status.COMPLETED, 5, (Metric("m", 1),))
        assert "cannot be read" in bad.properties["damaged"]
        assert store.reindex() == 2
        assert "damaged" not in store.get_run("bad").properties


def test_a_damaged_row_without_its_folder_is_still_listed(home):
    with open_store(home) as store:
        store.create_run(Run("bad", folder=str(store.home / "elsewhere")))
        (store.home / "elsewhere" / "run.json").unlink()
        damage(store, "UPDATE runs SET variant = 'x'")
        assert [(run.name, run.status) for run in store.list_runs()] == [("bad", Status.FAILED)]


def test_a_run_folder_without_its_record_is_told_from_the_journal(home):
    with open_store(home) as store:
        store.create_run(Run("r", Status.RUNNING))
        with store.open_journal("r") as journal:
            journal.append(LineResult(n, Status.FAILED if n == 1 else Status.COMPLETED).to_json() for n in range(4))
        (store.folder_for("r") / "run.json").write_text("{ torn")
        (store.home / "runs" / "not a run").mkdir()
        (store.home / "runs" / "file").write_text("x")
        assert store.reindex() == 1
        run = store.get_run("r")
        assert (run.status, run.completed, run.failed) == (Status.CANCELED, 3, 1)
        assert "journal" in run.properties["recovered"]


def test_run_json_follows_every_change(home):
    with open_store(home) as store:
        run = store.create_run(Run("r"))
        store.save_run(dataclasses.replace(run, status=Status.COMPLETED, completed=2))
        store.update_run("r", display_name="shown")
        kept = json.loads((store.folder_for("r") / "run.json").read_text())
        assert (kept["status"], kept["completed"], kept["display_name"]) == ("Completed", 2, "shown")
        assert [file.name for file in store.folder_for("r").iterdir()] == ["run.json"]


def test_a_moved_home_folder_takes_its_runs_along(home, tmp_path):
    with open_store(home) as store:
        store.create_run(Run("r"))
    (tmp_path / "home").rename(tmp_path / "moved")
    with open_store(Settings(home=tmp_path / "moved")) as store:
        assert store.get_run("r").folder == str(tmp_path / "moved" / "runs" / "r")


def test_a_run_may_live_outside_the_home_folder(home, tmp_path):
    with open_store(home) as store:
        run = store.create_run(Run("r", folder=str(tmp_path / "out" / "r")))
        assert (tmp_path / "out" / "r" / "run.json").exists()
        with pytest.raises(RunExists, match="already holds a run"):
            store.create_run(Run("other", folder=run.folder))
        store.delete_run("r")
        assert not (tmp_path / "out" / "r").exists()


def test_deleting_never_removes_a_folder_that_is_no_run(home, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("keep")
    with open_store(home) as store:
        store.create_run(Run("r", folder=str(tmp_path / "precious")))
        (tmp_path / "precious" / "run.json").unlink()
        store.delete_run("r")
    assert (tmp_path / "precious" / "file").read_text() == "keep"


def test_a_run_folder_that_is_a_link_is_refused(home, tmp_path):
    (tmp_path / "target").mkdir()
    with open_store(home) as store:
        (store.home / "runs" / "r").symlink_to(tmp_path / "target")
        with pytest.raises(UsageError, match="leads out of"):
            store.create_run(Run("r"))


def test_a_half_deleted_run_is_swept_up(home):
    with open_store(home) as store:
        grave = store.home / "runs" / ".deleted-r-1"
        grave.mkdir()
        (grave / "run.json").write_text(json.dumps(Run("r").to_json()))
        assert store.reindex() == 0
        assert not grave.exists()


def test_a_run_just_started_is_not_called_interrupted(home):
    with open_store(home) as store:
        store.create_run(Run("new", Status.RUNNING))
        store.create_run(Run("old", Status.RUNNING, created=time.time() - 3600))
        assert store.get_run("new").status is Status.RUNNING
        assert store.get_run("old").properties["interrupted"] is True


def test_a_home_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot be used as home folder.*PENSTOCK_HOME"):
        open_store(Settings(home=tmp_path / "file" / "home"))


@pytest.mark.parametrize("url", ["no url", "mysql://u:secret@h/d", "postgresql://u:secret@127.0.0.1:1/d"])
def test_a_store_that_cannot_be_reached_is_a_sentence_without_the_password(tmp_path, url):
    with pytest.raises(StoreError) as caught:
        open_store(Settings(home=tmp_path, store=url))
    assert "secret" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_importing_the_store_loads_no_database():
    code = (
        "import sys, penstock.store.store, penstock.store.export, penstock.store.snapshot, penstock.runs.join;"
        "print({'sqlalchemy', 'alembic', 'sqlite3', 'pyarrow', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_new_store_is_made_without_alembic(tmp_path):
    code = (
        "import sys; from pathlib import Path; from penstock.settings import Settings;"
        "from penstock.store.store import open_store; s = Settings(home=Path(sys.argv[1]));"
        "open_store(s).close(); open_store(s).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
