"""Extensions: built-ins, and those of installed packages."""

import sys
import zipfile

import pytest

from penstock import plugins
from penstock.errors import PenstockError

DECLARED = "[console_scripts]\nmine = mine:main\n\n[penstock.runner]\nmine = mine:Runner\n"


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """``offer(kind)`` puts a package with a runner called ``mine`` on the path, as a folder or an archive."""

    def added(kind):
        files = {
            "mine.py": "class Runner:\n    pass\n",
            "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
            "mine-1.0.dist-info/entry_points.txt": DECLARED,
        }
        place = tmp_path / ("site" if kind == "folder" else "site.zip")
        if kind == "folder":
            for name, text in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(text)
        else:
            with zipfile.ZipFile(place, "w") as archive:
                for name, text in files.items():
                    archive.writestr(name, text)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        monkeypatch.syspath_prepend(str(place))

    return added


def test_built_ins_come_by_name():
    assert plugins.names("import_hook") == ["promptflow", "sdk"]
    assert callable(plugins.load("import_hook", "promptflow"))


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_an_installed_package_offers_an_extension(offer, kind):
    offer(kind)
    assert plugins.names("runner") == ["mine"]
    assert plugins.load("runner", "mine").__name__ == "Runner"
    assert plugins.names("frontend") == []


def test_an_unknown_extension_names_those_there_are():
    with pytest.raises(PenstockError, match=r"No import_hook is called 'none'; there are: promptflow, sdk\."):
        plugins.load("import_hook", "none")
