import os

import pytest

from penstock.cache import ContentCache, content_key


def test_what_was_put_comes_back(tmp_path):
    cache = ContentCache(tmp_path)
    key = content_key("code", {"x": 1})
    assert key is not None
    assert cache.get(key) is None
    cache.put(key, {"answer": [1, None, "ü"]})
    assert cache.get(key) == ({"answer": [1, None, "ü"]},)


def test_none_is_a_value_like_any_other(tmp_path):
    cache = ContentCache(tmp_path)
    cache.put("ab", None)
    assert cache.get("ab") == (None,)


def test_keys_do_not_depend_on_the_order_of_arguments():
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})


def test_what_is_no_json_has_no_key_and_is_not_kept(tmp_path):
    assert content_key(object()) is None
    cache = ContentCache(tmp_path)
    cache.put("ab", object())
    cache.put("cd", {1: "an integer key would come back as text"})
    assert cache.get("ab") is None
    assert cache.get("cd") is None


@pytest.mark.parametrize("damage", [b"", b'{"value": ', b"[]", b'{"other": 1}', b"\xff"])
def test_a_damaged_entry_counts_as_none(tmp_path, damage):
    cache = ContentCache(tmp_path)
    cache.put("abcd", 1)
    (tmp_path / "ab" / "abcd.json").write_bytes(damage)
    assert cache.get("abcd") is None


def test_a_folder_that_cannot_be_written_only_means_that_nothing_is_kept(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    cache = ContentCache(blocked)
    cache.put("ab", 1)
    assert cache.get("ab") is None


def test_entries_are_for_their_owner_alone(tmp_path):
    ContentCache(tmp_path / "c").put("abcd", 1)
    assert os.stat(tmp_path / "c" / "ab" / "abcd.json").st_mode & 0o077 == 0
