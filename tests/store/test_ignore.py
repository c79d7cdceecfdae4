import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.store.ignore import Ignore


@pytest.mark.parametrize(
    ("rules", "skipped", "kept"),
    [
        (["*.log"], ["a.log", "x/y.log"], ["a.logs", "log"]),
        (["/top"], ["top"], ["x/top"]),
        (["build/"], ["build"], []),
        (["a/*.txt"], ["a/b.txt"], ["a/b/c.txt", "x/a/b.txt"]),
        (["a/**/z"], ["a/z", "a/b/c/z"], ["z", "b/a/z"]),
        (["**/cache"], ["cache", "x/y/cache"], ["caches"]),
        (["data/**"], ["data/a", "data/a/b"], ["data"]),
        (["*.json", "!keep.json"], ["a.json"], ["keep.json", "x/keep.json"]),
        (["fil[aeiou]?.py"], ["fila1.py"], ["filx1.py", "fila.py"]),
        (["x[!0-9]"], ["xa"], ["x1"]),
        (["# comment", "", "\\#odd", "space  "], ["#odd", "space"], ["# comment"]),
        (["a.b"], ["a.b"], ["axb"]),
        (["[unclosed"], ["[unclosed"], ["u"]),
    ],
)
def test_patterns_mean_what_they_mean_to_git(rules, skipped, kept):
    ignore = Ignore.parse(rules)
    assert [path for path in skipped if not ignore.skips(path, folder=True)] == []
    assert [path for path in kept if ignore.skips(path, folder=True)] == []


def test_a_pattern_for_folders_keeps_files():
    assert not Ignore.parse(["build/"]).skips("build", folder=False)


@pytest.mark.parametrize(
    "name", [".git", "__pycache__", "x/.venv", "node_modules", ".promptflow", ".env", ".env.local"]
)
def test_what_never_belongs_to_a_flow_cannot_be_taken_back(name):
    assert Ignore.parse([f"!{name}"]).skips(name, folder=True)


def test_templates_of_env_files_belong():
    assert not Ignore().skips(".env.example", folder=False)


@given(st.lists(st.text()), st.text(min_size=1))
def test_any_pattern_can_be_read(rules, path):
    assert Ignore.parse(rules).skips(path, folder=False) in {True, False}
