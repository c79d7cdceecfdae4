import importlib
import sys

import pytest

from penstock.environments import missing
from penstock.environments.distributions import installed, normal, provider
from penstock.environments.missing import hint


@pytest.fixture
def failed(tmp_path, monkeypatch):
    """``failed(code)`` runs the code as a file of a flow and gives what it raises."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(code, name="tool_of_the_flow"):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        with pytest.raises((ImportError, AttributeError)) as caught:
            importlib.import_module(name)
        return caught.value

    missing._advice.cache_clear()
    return run


@pytest.mark.parametrize(
    ("code", "distribution"),
    [
        ("import zzz_not_here", "zzz-not-here"),
        ("import fitz", "pymupdf"),
        ("from docx import Document", "python-docx"),
        ("import google.cloud.bigquery", "google-cloud-bigquery"),
        ("from azure.zzz.documents import SearchClient", "azure-zzz-documents"),
    ],
)
def test_missing_package_is_named_with_the_command_that_adds_it(failed, tmp_path, code, distribution):
    said = hint(failed(f"\n{code}\n"), tmp_path)
    assert said == (
        f"It is imported by {tmp_path}/tool_of_the_flow.py:2. Run `pip install {distribution}`, or write {distribution} into"
        f" {tmp_path}/requirements.txt and run with --env auto."
    )


def test_package_that_the_requirements_name_is_only_not_installed_here(failed, tmp_path):
    (tmp_path / "requirements.txt").write_text("PyMuPDF==1.24\n", encoding="utf-8")
    said = hint(failed("import fitz\n"), tmp_path, shown=str(tmp_path))
    assert "It is imported by" in hint(failed("import fitz\n"), tmp_path)
    assert said.endswith(
        f"requirements.txt asks for it: run with --env auto, or `pip install -r {tmp_path}/requirements.txt`."
    )


def test_file_that_imports_it_may_be_a_helper(failed, tmp_path):
    (tmp_path / "helper_of_the_flow.py").write_text("x = 1\nimport fitz\n", encoding="utf-8")
    said = hint(failed("import helper_of_the_flow\n"), tmp_path)
    assert said.startswith(f"It is imported by {tmp_path}/helper_of_the_flow.py:2. ")


def test_name_that_the_installed_version_lost_asks_for_an_older_one(failed, tmp_path):
    said = hint(failed("from jinja2 import contextfilter\n"), tmp_path)
    version = installed()["jinja2"]
    assert said.endswith(
        f"jinja2 {version} is installed, which has no jinja2.contextfilter; write jinja2<3.1 into"
        f" {tmp_path}/requirements.txt and run with --env auto."
    )
    (tmp_path / "requirements.txt").write_text("Jinja2==3.0.3\n", encoding="utf-8")
    missing._advice.cache_clear()
    assert hint(failed("import jinja2\njinja2.contextfilter\n"), tmp_path).endswith(
        "requirements.txt asks for Jinja2==3.0.3: run with --env auto."
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python still has distutils")
def test_module_that_python_lost_asks_for_an_older_python(failed, tmp_path):
    assert "Python 3.11 is the last that has it: run with --env auto --python 3.11." in hint(
        failed("import distutils\n"), tmp_path
    )


def test_mistyped_module_of_the_flow_is_pointed_at(failed, tmp_path):
    (tmp_path / "judge.py").write_text("")
    said = hint(failed("import juge"), tmp_path)
    assert f"Is judge meant, which {tmp_path}/judge.py holds? Else: Run `pip install juge`" in said


def test_module_in_a_folder_below_is_pointed_at(failed, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/zzz_helper.py").write_text("", encoding="utf-8")
    assert f"{tmp_path}/parts/zzz_helper.py is not on the flow's path: import it as parts.zzz_helper" in hint(
        failed("import zzz_helper\n"), tmp_path
    )


@pytest.mark.parametrize(
    "code", ["None.x\n", "import json\njson.nothing_like_it\n", "from json import nothing_like_it\n"]
)
def test_other_mistakes_get_no_advice(failed, tmp_path, code):
    assert hint(failed(code), tmp_path) == ""


def test_names_are_compared_as_the_index_does():
    assert normal("Ruamel.YAML") == normal("ruamel_yaml") == "ruamel-yaml"
    assert provider("azure.ai.contentsafety.models") == "azure-ai-contentsafety"
    assert provider("sklearn.metrics") == "scikit-learn"
