"""The threat model names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_threat_model_names_exists():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = page.split("## Threats")[1].split("##")[0]
    named = {name for name in re.findall(r"`([\w/]+(?:\.py|/))`", table) if "/" in name or name.startswith("test_")}
    assert len(named) > 12
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).exists()] == []


def test_every_security_test_is_in_the_threat_model():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    here = {f"security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")} - {"security/test_document.py"}
    assert [name for name in sorted(here) if name not in page] == []
