"""A prompt that is stored while the disk is full, or by a process that is killed: stored whole, or as it was before."""

import json
import random
import time

import pytest

from .test_disk import bounded


def versions(house, name="greet"):
    out, _ = house.command("prompt", "list", name, "--json")
    return [version["content"]["text"] for version in json.loads(out)]


@pytest.mark.parametrize("size", [5_000, 150_000, 400_000])
def test_a_full_disk_leaves_a_prompt_as_it_was(house, size):
    house.command("prompt", "create", "greet", "--text", "first", "--label", "prod")
    text = house.folder / "long.jinja2"
    text.write_text("word " * 100_000)
    _, err = house.command("prompt", "create", "greet", "-f", text, "--label", "prod", code=1, preexec_fn=bounded(size))
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("penstock:")]) == 1
    assert versions(house) == ["first"]
    out, _ = house.command("prompt", "show", "greet@prod", "--text")
    assert out == "first"
    house.command("prompt", "create", "greet", "-f", text, "--label", "prod")
    assert versions(house) == ["word " * 100_000, "first"]
    mirror = [path for path in (house.settings.home / "registry/prompt").iterdir() if path.suffix == ".json"]
    assert [len(json.loads(path.read_text())["versions"]) for path in mirror] == [2]


def test_a_killed_process_leaves_a_prompt_as_it_was_or_as_it_is_to_be(house):
    house.command("prompt", "create", "greet", "--text", "0")
    chance = random.Random(7)
    for number in range(1, 5):
        process = house.start("prompt", "create", "greet", "--text", str(number) * 100_000)
        time.sleep(0.3 + chance.random() * 0.5)
        process.kill()
        process.communicate()
    found = versions(house)
    assert found[-1] == "0"
    assert all(len(set(text)) == 1 and len(text) in (1, 100_000) for text in found)
    house.command("prompt", "create", "greet", "--text", "last")
    assert versions(house)[0] == "last"
