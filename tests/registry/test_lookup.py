"""Looking prompts up: how old an answer may be, and what stands in while the store does not answer."""

import pytest

from penstock.errors import StoreError, UsageError, VersionNotFound
from penstock.registry.age import shown_age
from penstock.registry.lookup import Freshness, PromptLookup
from penstock.registry.prompts import PromptContent, open_prompts
from penstock.settings import Settings
from penstock.store.store import open_store


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def settings(tmp_path):
    found = Settings(home=tmp_path / "home")
    with open_store(found) as store:
        prompts = open_prompts(store, "ana")
        prompts.add("greet", PromptContent.made("one").to_json())
        prompts.add("greet", PromptContent.made("two").to_json())
        prompts.move("greet", "prod", 1)
    return found


def move(settings, version):
    with open_store(settings) as store:
        open_prompts(store, "lee").move("greet", "prod", version)


def broken(settings):
    """The same machine with a store that does not answer, as PostgreSQL behind a dead line."""
    for file in settings.home.glob("penstock.sqlite*"):
        file.unlink()
    (settings.home / "penstock.sqlite").mkdir()
    return settings


def test_a_moved_label_is_noticed_when_the_answer_is_too_old(settings, clock):
    lookup = PromptLookup(settings, Freshness(max_age=60), clock)
    assert lookup.find("greet@prod").text == "one"
    move(settings, 2)
    clock.now += 59
    assert lookup.find("greet@prod").text == "one"
    assert lookup.find("greet@prod", fresh=True).text == "two"
    move(settings, 1)
    clock.now += 61
    assert lookup.find("greet@prod").text == "one"


def test_a_version_is_read_once(settings, clock):
    lookup = PromptLookup(settings, Freshness(max_age=0), clock)
    first = lookup.find("greet@2")
    clock.now += 1e6
    assert lookup.find("greet@2") is first


def test_the_last_that_was_known_stands_in_and_says_so(settings, clock):
    PromptLookup(settings, clock=clock).find("greet@prod")
    clock.now += 3600
    found = PromptLookup(broken(settings), clock=clock).find("greet@prod")
    assert (found.text, found.version, found.stale, found.read) == ("one", 1, True, 1_000_000.0)


def test_what_is_too_old_does_not_stand_in_but_a_version_always_does(settings, clock):
    lookup = PromptLookup(settings, clock=clock)
    lookup.find("greet@prod")
    lookup.find("greet@1")
    clock.now += 90_000
    lookup = PromptLookup(broken(settings), clock=clock)
    with pytest.raises(StoreError, match="1 day old, more than max_stale"):
        lookup.find("greet@prod")
    assert lookup.find("greet@1").text == "one"


def test_without_anything_known_it_is_an_error(settings, clock):
    with pytest.raises(StoreError, match=r"prompt greet@prod cannot be looked up"):
        PromptLookup(broken(settings), clock=clock).find("greet@prod")


def test_what_is_not_there_is_no_trouble_of_the_store(settings):
    with pytest.raises(VersionNotFound):
        PromptLookup(settings).find("greet@nothing")


@pytest.mark.parametrize("section", [{"max_age": "x"}, {"max_age": -1}, {"max_age": True}, {"maxage": 1}, []])
def test_a_setting_that_is_none_is_told(tmp_path, section):
    with pytest.raises(UsageError, match="prompts"):
        Freshness.of(Settings(home=tmp_path, file={"prompts": section}))


def test_ages_are_told_in_words():
    assert [shown_age(seconds) for seconds in (0, 1, 59.9, 60, 7300, 200_000)] == [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "2 hours",
        "2 days",
    ]
