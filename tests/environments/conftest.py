"""A package index without a network: wheels written by hand, and wheels made again of what the tests run with."""

import base64
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.environments.installer import Installer, find_installer

DAG = """inputs:
  text: {type: string, default: hi}
outputs:
  out: {type: string, reference: "${tell.output}"}
nodes:
- name: tell
  type: python
  source: {type: code, path: tell.py}
  inputs: {text: "${inputs.text}"}
"""
TELL = """import sys

import toytool
from promptflow.core import tool


@tool
def tell(text: str) -> str:
    return f"{text} {toytool.VERSION} {sys.prefix}"
"""


def write_wheel(folder, name, version, files, requires=()):
    """A wheel of pure Python; ``files`` by path."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {item}\n" for item in requires)
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags}
    return _zip(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", info, whole)


def _zip(path, info, files):
    record = "".join(f"{name},{_digest(content)},\n" for name, content in files.items()) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, content)
    return path


def _digest(content):
    data = content.encode() if isinstance(content, str) else content
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def rewrite_wheel(folder, name):
    """The wheel that an installed distribution came from, near enough, and those of what it requires."""
    found = importlib.metadata.distribution(name)
    tag = next(line[5:] for line in found.read_text("WHEEL").splitlines() if line.startswith("Tag: "))
    stem = f"{found.metadata['Name'].replace('-', '_')}-{found.version}"
    path = folder / f"{stem}-{tag}.whl"
    if path.exists():
        return
    info = next(str(file.parent) for file in found.files if file.name == "METADATA")
    files = {
        str(file): file.locate().read_bytes()
        for file in found.files
        if not str(file).startswith("..")
        and not str(file).endswith(".pyc")
        and file.name not in ("RECORD", "direct_url.json")
    }
    _zip(path, info, files)
    for line in found.requires or ():
        if "extra ==" not in line:
            try:
                rewrite_wheel(
                    folder, line.replace("<", " ").replace(">", " ").replace("=", " ").replace(";", " ").split()[0]
                )
            except importlib.metadata.PackageNotFoundError:
                continue  # not for this platform


@pytest.fixture(scope="session")
def own_wheels(tmp_path_factory):
    """What Penstock itself needs beside a flow's code."""
    folder = tmp_path_factory.mktemp("own-wheels")
    for name in ("aiohttp", "cryptography", "jinja2", "pyyaml"):
        rewrite_wheel(folder, name)
    return folder


@pytest.fixture
def wheels(tmp_path):
    """A folder of wheels with two versions of a package ``toytool``, whose module has a ``VERSION``."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        write_wheel(folder, "toytool", version, {"toytool.py": f"VERSION = {version!r}\n"})
    return folder


@pytest.fixture(scope="session")
def uv():
    found = find_installer(os.environ).uv
    if found is None:
        pytest.skip("there is no uv; pip install uv")
    return found


@pytest.fixture
def env(tmp_path, wheels, own_wheels):
    """Variables of a process that knows these wheels and no index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PENSTOCK_"))}
    home = tmp_path / "user"
    home.mkdir()
    return {
        **kept,
        "HOME": str(home),
        "PENSTOCK_HOME": str(tmp_path / "home"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{wheels} {own_wheels}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # A cache that all tests share, so that nothing is unpacked twice.
        "UV_CACHE_DIR": str(own_wheels / "cache"),
        "UV_OFFLINE": "1",
    }


@pytest.fixture
def installer(uv, env):
    return Installer(uv, env)


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def penstock(env, tmp_path):
    """``penstock(*words)`` runs a command in a process of its own; ``code`` is what it must leave with."""

    def run(*words, code=0, stdin=None, **options):
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *map(str, words)],
            capture_output=True,
            text=True,
            input=stdin,
            check=False,
            cwd=tmp_path,
            env={**env, **options.pop("env", {})},
            **options,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def flow(tmp_path):
    """A flow whose tool needs ``toytool``; its requirements ask for version 1.0."""
    return write_flow(tmp_path / "flow")


@pytest.fixture(name="write_wheel")
def _write_wheel():
    return write_wheel


@pytest.fixture
def make_flow(tmp_path):
    """``make_flow(name, dag, requirements, files by name)`` writes a flow folder."""

    def make(name, dag=DAG, requirements="toytool==1.0\n", **files):
        return write_flow(tmp_path / name, dag, requirements, {f"{key}.py": text for key, text in files.items()})

    return make


def write_flow(folder: Path, dag=DAG, requirements="toytool==1.0\n", files=None):
    folder.mkdir()
    whole = {"flow.dag.yaml": dag, "requirements.txt": requirements, **(files or {"tell.py": TELL})}
    for name, text in whole.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return folder
