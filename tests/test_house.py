"""What holds for the project as a whole: its files, locks, commands and start-up."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LOCKS = sorted(ROOT.glob("requirements*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# In pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "the host of a package registry": r"py"
    + r"pi\.org|python"
    + r"hosted|--(extra-)?index-"
    + r"url|trusted-"
    + r"host",
    "a path of one machine": r"(?<![\w.~-])/(wor" + r"k|roo" + r"t|tmp/w)/",
    "a key": r"\bs" + r"k-[A-Za-z0-9]{32,}|BEGIN [A-Z ]*PRIVATE " + r"KEY",
}


def files() -> list[Path]:
    """What is under version control; what a user made beside it (reports, logs) may name what it likes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")
def test_no_file_names_a_registry_a_machine_or_a_key():
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in FORBIDDEN.items():
            found += [f"{path.relative_to(ROOT)}: {what}: {match[0]!r}" for match in re.finditer(pattern, text)]
    assert found == []


def pins(lock: Path) -> dict[str, list[tuple[str, str, int]]]:
    """Package → (version, marker, number of hashes) of its entries; it may stand twice, with different markers."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==(\S+)\s*(?:;\s*(.*?))?\s*(?=--hash|$)", entry)
        assert match, f"{lock.name}: {entry!r} pins nothing"
        found.setdefault(match[1], []).append(
            (match[2], match[3] or "", len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
        )
    return found


def normal(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_carries_hashes(lock):
    unhashed = [name for name, entries in pins(lock).items() if not all(hashes for _, _, hashes in entries)]
    assert pins(lock)
    assert unhashed == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_agree_with_the_runtime_lock(lock):
    runtime = pins(ROOT / "requirements.txt")
    other = {
        name: entries
        for name, entries in pins(lock).items()
        if name in runtime and [e[:2] for e in entries] != [e[:2] for e in runtime[name]]
    }
    assert other == {}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-build.txt", PROJECT["dependency-groups"]["build"]),
        ("requirements-dev.txt", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
        ("requirements-docs.txt", PROJECT["dependency-groups"]["docs"]),
    ],
)
def test_locks_hold_what_the_project_asks_for(lock, wanted):
    missing = {normal(requirement) for requirement in wanted} - set(pins(ROOT / lock))
    assert missing == set(), "run `make lock`"


def nav_pages(entries: list) -> Iterator[str]:
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, list):
                yield from nav_pages(value)
            else:
                yield value


def test_every_page_of_the_manual_can_be_reached():
    listed = list(nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(listed) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "benchmarks/README.md"]
)
def test_links_between_files_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert broken == []


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        used = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert used <= targets, page.name
    assert {"demo", "test"} <= targets


def test_ci_ends_with_the_tests_of_the_readme():
    commands = [
        line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if line.startswith("make ")
    ]
    assert commands[-2:] == ["make check", "make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


HEAVY = {
    "aiohttp", "alembic", "anthropic", "asyncio", "cryptography", "jinja2", "multiprocessing", "numpy", "openai",
    "pandas", "pyarrow", "requests", "rich", "ruamel", "sqlalchemy", "sqlite3", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("statement", ["import penstock", "import penstock.__main__", "import penstock.cli.main"])
def test_start_up_loads_nothing_heavy(statement):
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_source_files_stay_short():
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "src").rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}, "past 500 lines a noun is missing"


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "common", "manager", "base", "misc"}
    assert [path for path in (ROOT / "src").rglob("*.py") if path.stem.strip("_") in drawers] == []
