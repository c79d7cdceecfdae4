import os
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from penstock.tools.isolation import Isolation, calling_folder


@pytest.fixture
def folders(tmp_path):
    """Two flow folders, each with a helper.py and a package of its own."""
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "pack").mkdir(parents=True)
        (folder / "helper.py").write_text(f"WHOSE = {name!r}\n")
        (folder / "pack/__init__.py").write_text("")
        (folder / "pack/inner.py").write_text(f"WHOSE = {name!r}\n")
        made.append(folder)
    return made


def surroundings():
    return os.getcwd(), dict(os.environ), list(sys.path), {name: id(module) for name, module in sys.modules.items()}


def whose():
    import helper
    import pack.inner

    assert helper.WHOSE == pack.inner.WHOSE
    return helper.WHOSE


def test_code_sees_its_folder_its_variables_and_its_modules(folders):
    with Isolation(folders[0], {"MINE": "x"}).active():
        assert os.getcwd() == str(folders[0])
        assert os.environ["MINE"] == "x"
        assert calling_folder() == folders[0]
        assert whose() == "one"


def test_afterwards_everything_is_as_it_was(folders, monkeypatch):
    monkeypatch.setenv("KEPT", "before")
    before = surroundings()
    for folder in folders:
        with Isolation(folder, {"KEPT": "inside", "NEW": "x"}).active():
            whose()
        assert surroundings() == before


def test_it_is_also_as_it_was_after_an_error(folders):
    before = surroundings()
    with pytest.raises(KeyError), Isolation(folders[0]).active():
        raise KeyError
    assert surroundings() == before


def test_two_flows_have_each_their_own_module_of_one_name(folders):
    one, two = map(Isolation, folders)
    for _ in range(2):
        for isolation, name in ((one, "one"), (two, "two")):
            with isolation.active():
                assert whose() == name


def test_a_module_is_imported_once_a_flow(folders):
    isolation = Isolation(folders[0])
    found = []
    for _ in range(2):
        with isolation.active():
            import helper

            found.append(helper)
    assert found[0] is found[1]
    with Isolation(folders[0]).active():
        import helper

        assert helper is not found[0]


def test_a_module_of_the_program_around_does_not_stand_in_the_way(folders, monkeypatch):
    theirs = types.ModuleType("helper")
    theirs.__file__ = "/elsewhere/helper.py"
    monkeypatch.setitem(sys.modules, "helper", theirs)
    isolation = Isolation(folders[0])
    for _ in range(2):
        with isolation.active():
            assert whose() == "one"
        assert sys.modules["helper"] is theirs
        assert "pack" not in sys.modules


def test_a_module_that_the_program_imports_later_is_kept_for_it(folders, monkeypatch):
    isolation = Isolation(folders[0])
    with isolation.active():
        whose()
    theirs = types.ModuleType("helper")
    theirs.__file__ = "/elsewhere/helper.py"
    monkeypatch.setitem(sys.modules, "helper", theirs)
    with isolation.active():
        assert whose() == "one"
    assert sys.modules["helper"] is theirs


def test_flows_that_leave_in_another_order_than_they_came_leave_nothing_behind(folders):
    before = surroundings()
    one, two = (Isolation(folder, {"WHO": folder.name}) for folder in folders)
    first, second = one.active(), two.active()
    with two_threads() as (here, there):
        here(first.__enter__)
        assert here(whose) == "one"
        there(second.__enter__)
        assert there(whose) == "two"
        assert os.environ["WHO"] == "two"
        here(lambda: first.__exit__(None, None, None))
        assert there(whose) == "two"
        assert (os.environ["WHO"], os.getcwd()) == ("two", str(folders[1]))
        there(lambda: second.__exit__(None, None, None))
    assert surroundings() == before


@contextmanager
def two_threads():
    """Two callables that have what they are given done by a thread of their own, and wait for it."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        yield [lambda work, pool=pool: pool.submit(work).result(5) for pool in (one, other)]


def test_calls_of_one_flow_share_its_surroundings(folders):
    isolation = Isolation(folders[0])
    before = os.getcwd()
    with isolation.active():
        with isolation.active():
            pass
        assert os.getcwd() == str(folders[0])
    assert os.getcwd() == before


def test_a_flow_inside_a_flow_keeps_the_outer_ones_folder(folders):
    with Isolation(folders[0]).active():
        inner = Isolation(folders[1])
        with inner.importing():
            assert os.getcwd() == str(folders[1])
            assert whose() == "two"
        with inner.active():
            assert os.getcwd() == str(folders[0])
            assert whose() == "two"
        assert whose() == "one"


def test_a_folder_that_is_gone_leaves_nothing_half_set(folders, tmp_path):
    isolation = Isolation(tmp_path / "gone", {"HALF": "x"})
    with pytest.raises(FileNotFoundError), isolation.active():
        pass
    assert "HALF" not in os.environ
