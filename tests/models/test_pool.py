import subprocess
import sys

import pytest

from penstock import plugins
from penstock.connections.kinds import CustomConnection, OpenAIConnection
from penstock.errors import BadConnection, LoadError, ModelError, UsageError
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.settings import read_settings


@pytest.fixture
def settings(tmp_path):
    return read_settings({"PENSTOCK_HOME": str(tmp_path)}, cwd=tmp_path)


def test_a_connection_gets_the_same_model_each_time(settings):
    models = Models(settings)
    one, other = OpenAIConnection("k1", name="one"), OpenAIConnection("k2", name="other")
    assert models.get(one) is models.get(one)
    assert models.get(one) is not models.get(other)
    assert not models.offline


def test_offline_all_connections_get_the_one_model(settings, tmp_path):
    (tmp_path / "r.json").write_text('{"default": {"text": "x"}}')
    models = Models(settings, OfflineSpec("scripted", str(tmp_path / "r.json")))
    assert models.get(None) is models.get(OpenAIConnection("k", name="one"))
    assert models.offline


def test_a_connection_without_a_model_is_refused_with_those_that_have_one(settings):
    connection = CustomConnection(secrets={"k": "v"}, name="mine")
    with pytest.raises(
        BadConnection, match=r"'mine' of type 'custom' has no model behind it; these types have: open_ai"
    ) as caught:
        Models(settings).get(connection)
    assert caught.value.code == "InvalidConnectionType"


def test_an_installed_package_may_bring_a_model(settings, monkeypatch):
    made = []
    monkeypatch.setattr(
        plugins, "load", lambda point, name: lambda *given: made.append((point, name, given)) or "model"
    )
    connection = CustomConnection(secrets={"k": "v"}, name="mine")
    assert Models(settings).get(connection) == "model"
    assert made == [("model", "custom", (connection, settings))]


def test_what_is_wrong_with_the_offline_model_is_told_at_once(settings, tmp_path):
    with pytest.raises(LoadError):
        Models(settings, OfflineSpec("scripted", str(tmp_path / "none.yaml")))
    with pytest.raises(ModelError):
        Models(settings, OfflineSpec("replay", str(tmp_path / "none.jsonl")))


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("scripted:a.yaml", "scripted", "a.yaml"),
        ("replay:x", "replay", "x"),
        ("record:x.jsonl", "record", "x.jsonl"),
        ("a.jsonl", "replay", "a.jsonl"),
        ("C:\\rules.yaml", "scripted", "C:\\rules.yaml"),
    ],
)
def test_an_offline_model_is_named_in_one_word(text, kind, path):
    spec = OfflineSpec.parse(text)
    assert (spec.kind, spec.path) == (kind, path)
    assert OfflineSpec.from_json(spec.to_json()) == spec


def test_an_offline_model_of_no_kind_is_told():
    for data in ({"kind": "magic", "path": "x"}, {"kind": "replay", "path": ""}):
        with pytest.raises(UsageError, match="An offline model is one of"):
            OfflineSpec.from_json(data)


def test_importing_the_models_imports_no_http_library():
    code = "import sys, penstock.models.pool; print(sorted({'aiohttp', 'yaml', 'ssl', 'openai'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() in ("[]", "['ssl']")
