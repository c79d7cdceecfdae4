"""Flows that tests write, and flows that they call."""

import textwrap

import hypothesis
import pytest

from penstock.api.flows import load
from penstock.settings import read_settings

# How long an example takes is the machine's affair: it may have other things to do.
hypothesis.settings.register_profile("penstock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("penstock")


@pytest.fixture
def write_flow(tmp_path):
    """``write_flow(yaml, files)`` makes a flow folder and returns it.

    A Python file that begins with its function gets the import and the ``@tool`` that such a file needs.
    """

    def write(yaml, files=None, folder="flow"):
        place = tmp_path / folder
        for name, text in {"flow.dag.yaml": yaml, **(files or {})}.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
                continue
            text = textwrap.dedent(text).lstrip("\n")
            if name.endswith(".py") and text.startswith(("def ", "async def ")):
                text = f"from promptflow.core import tool\n\n\n@tool\n{text}"
            path.write_text(text, encoding="utf-8")
        return place

    return write


@pytest.fixture
def settings(tmp_path):
    """Settings of a machine on which nothing is set up."""
    return read_settings({"HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def open_flow(write_flow, settings):
    """``open_flow(yaml, files, **options of penstock.load)`` writes a flow and loads it; it is closed after the test."""
    opened = []

    def open_it(yaml, files=None, *, folder="flow", **options):
        flow = load(write_flow(yaml, files, folder), settings=settings, **options)
        opened.append(flow)
        return flow

    yield open_it
    for flow in opened:
        flow.close()
