"""Environments are built once, whole or not at all."""

import json
import os
import shutil
import threading

import pytest

from penstock.environments.environment import RECORD, hold
from penstock.environments.installer import Installer, InstallError
from penstock.environments.interpreters import host
from penstock.environments.requirements import read_requirements
from penstock.environments.shelf import Shelf, damage
from penstock.errors import StoreError, UsageError


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "home")


@pytest.fixture
def asked(tmp_path):
    """``asked(text)`` makes requirements."""

    def make(text):
        file = tmp_path / "requirements.txt"
        file.write_text(text, encoding="utf-8")
        return read_requirements(file)

    return make


def test_what_is_asked_for_is_installed_with_what_penstock_needs(shelf, asked, installer):
    told = []
    found = shelf.build(asked("toytool==1.0\n"), host(), installer, told.append)
    assert "toytool==1.0" in found.packages
    assert {item.partition("==")[0] for item in found.packages} >= {"aiohttp", "cryptography", "jinja2", "pyyaml"}
    assert found.version == host().version
    assert found.notes == ()
    assert told == [f"building environment {found.id} with uv, Python {host().version}: toytool==1.0"]
    assert sorted(item.name for item in shelf.folder.iterdir()) == [found.id, f"{found.id}.lock"]


def test_second_time_it_is_only_looked_up(shelf, asked, installer, env):
    first = shelf.build(asked("toytool==1.0\n"), host(), installer, print)
    nothing = Installer(None, {**env, "PATH": ""})
    again = shelf.build(asked("# the same\ntoytool==1.0\n"), host(), nothing, pytest.fail)
    assert again == first
    assert shelf.list() == [first]


def test_other_requirements_make_another(shelf, asked, installer):
    first = shelf.build(asked("toytool==1.0\n"), host(), installer, print)
    second = shelf.build(asked("toytool==2.0\n"), host(), installer, print)
    assert first.id != second.id
    assert [item.id for item in shelf.list()] == [second.id, first.id]
    assert shelf.find(first.id[:8]) == first
    with pytest.raises(UsageError, match=f"begins with 'zz'; there are: {second.id}, {first.id}"):
        shelf.find("zz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("toytool==9.9\n", "toytool==9.9"),
        ("nowhere-at-all\n", "nowhere-at-all"),
        ("toytool==1.0\ntoytool==2.0\n", "toytool"),
        ("tool tool\n", "tool"),
    ],
)
def test_failed_build_is_one_sentence_and_leaves_nothing(shelf, asked, installer, text, said):
    requirements = asked(text)
    with pytest.raises(InstallError, match=said) as caught:
        shelf.build(requirements, host(), installer, print)
    assert str(requirements.file) in caught.value.message
    assert "\n" not in caught.value.message
    assert [item.name for item in shelf.folder.iterdir() if not item.name.endswith(".lock")] == []


def test_pins_that_penstock_cannot_run_with_are_named(shelf, asked, installer, wheels, write_wheel):
    write_wheel(wheels, "jinja2", "2.11.3", {"jinja2/__init__.py": ""})
    with pytest.raises(InstallError, match=r"jinja2 2\.11\.3 \(jinja2>=3\.0,<3\.2 is needed\)"):
        shelf.build(asked("jinja2==2.11.3\n"), host(), installer, print)


def test_older_pin_than_penstock_wants_is_kept_and_noted(shelf, asked, installer, wheels, write_wheel):
    write_wheel(wheels, "cryptography", "41.0.1", {"cryptography/__init__.py": ""})
    found = shelf.build(asked("cryptography==41.0.1\n"), host(), installer, print)
    assert "cryptography==41.0.1" in found.packages
    assert found.notes == ("the flow pins cryptography 41.0.1, older than Penstock is tested with (cryptography>=44).",)


def test_of_two_who_want_it_at_once_one_builds(shelf, asked, installer):
    requirements, told, found = asked("toytool==1.0\n"), [], []

    def build():
        found.append(shelf.build(requirements, host(), installer, told.append))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(told) == 1


def broken_python(root):
    (root / "bin/python").unlink()


def broken_record(root):
    (root / RECORD).write_text("{", encoding="utf-8")


def lost_package(root):
    shutil.rmtree(next(root.glob("lib/python3*/site-packages/toytool-1.0.dist-info")))


def moved_home(root):
    record = json.loads((root / RECORD).read_text(encoding="utf-8"))
    (root / RECORD).write_text(json.dumps({**record, "root": "/elsewhere"}), encoding="utf-8")


@pytest.mark.parametrize("harm", [broken_python, broken_record, lost_package, moved_home])
def test_damaged_environment_is_built_anew(shelf, asked, installer, harm):
    first = shelf.build(asked("toytool==1.0\n"), host(), installer, print)
    harm(first.root)
    told = []
    again = shelf.build(asked("toytool==1.0\n"), host(), installer, told.append)
    assert again.id == first.id
    assert not damage(again)
    assert (again.root / RECORD).exists()
    assert "built anew" in told[0]


def test_removed_environment_leaves_nothing_but_its_lock(shelf, asked, installer):
    found = shelf.build(asked("toytool==1.0\n"), host(), installer, print)
    shelf.remove(found.id)
    assert shelf.list() == []
    assert not found.root.exists()


def test_environment_in_use_is_not_removed(shelf, asked, installer):
    found = shelf.build(asked("toytool==1.0\n"), host(), installer, print)
    handle = hold(found)
    with pytest.raises(UsageError, match="in use"):
        shelf.remove(found.id)
    os.close(handle)
    shelf.remove(found.id)
    assert shelf.list() == []


def test_home_that_cannot_be_written_says_so(tmp_path, asked, installer):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be opened"):
        Shelf(tmp_path / "file").build(asked("toytool==1.0\n"), host(), installer, print)


def test_credentials_reach_no_record(shelf, asked, installer, wheels):
    requirements = asked(f"toytool @ file://{wheels}/toytool-1.0-py3-none-any.whl\n# --find-links x\n")
    secret = asked("toytool @ https://me:hunter22222@example.org/toytool-1.0-py3-none-any.whl\n")
    assert secret.names() == ("toytool @ https://******@example.org/toytool-1.0-py3-none-any.whl",)
    with pytest.raises(InstallError) as caught:
        shelf.build(secret, host(), installer, print)
    assert "hunter" not in caught.value.message
    found = shelf.build(requirements, host(), installer, print)
    assert "toytool==1.0" in found.packages


def test_pip_builds_where_there_is_no_uv(shelf, asked, env):
    found = shelf.build(asked("toytool==1.0\n"), host(), Installer(None, env), print)
    assert found.installer == "pip"
    assert "toytool==1.0" in found.packages
    with pytest.raises(InstallError, match="built with pip"):
        shelf.build(asked("toytool==7.0\n"), host(), Installer(None, env), print)
