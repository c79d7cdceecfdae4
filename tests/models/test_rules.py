import json

import pytest

from penstock.errors import LoadError
from penstock.models.rules import parse_rules, read_rules


def test_yaml_and_json_say_the_same(tmp_path):
    data = {
        "latency": 0.5,
        "rules": [{"when": {"contains": ["a", "b"]}, "answer": {"text": "x"}}],
        "default": {"text": "y"},
    }
    (tmp_path / "r.json").write_text(json.dumps(data))
    (tmp_path / "r.yaml").write_text(
        "latency: 0.5\nrules:\n- when: {contains: [a, b]}\n  answer: {text: x}\ndefault: {text: y}\n"
    )
    one, other = read_rules(tmp_path / "r.json"), read_rules(tmp_path / "r.yaml")
    assert (one.rules, one.default, one.latency) == (other.rules, other.default, other.latency)
    assert one.rules[0].when.contains == ("a", "b")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"r must be a mapping, not \[\]"),
        ({"rule": []}, r"r has 'rule'; there are: rules, default, latency"),
        ({"rules": [{"answer": {"text": "a"}, "wen": {}}]}, r"r: rule 1 has 'wen'"),
        ({"rules": [{"name": "n", "when": {}}]}, r"r: rule 1 \(n\) needs an `answer` or an `error`"),
        ({"rules": [{"when": {"regex": "("}, "answer": {"text": "a"}}]}, r"rule 1: `when` has a `regex` that is none"),
        ({"rules": [{"when": {"api": "chats"}, "answer": {"text": "a"}}]}, "there are: chat, completion, embedding"),
        ({"rules": [{"when": {"on": "first"}, "answer": {"text": "a"}}]}, "there are: prompt, last, system"),
        ({"rules": [{"when": {"has_image": 1}, "answer": {"text": "a"}}]}, "'has_image' = 1, which is no bool"),
        ({"rules": [{"times": True, "answer": {"text": "a"}}]}, "'times' = True, which is no int"),
        ({"rules": [{"answer": {"text": "{{ id }}"}}]}, r"uses {{ id }}; there are: api, count, last, model, prompt"),
        ({"rules": [{"answer": {}}]}, "`answer` is empty"),
        ({"rules": [{"answer": {"tool_calls": [{"arguments": {}}]}}]}, "a call without `name`"),
        ({"rules": [{"answer": {"function_call": {"name": "f", "args": {}}}}]}, "a call with 'args'"),
        ({"rules": [{"error": {"status": 200}}]}, "has status 200; an error has one from 400 to 599"),
        ({"rules": [{"answer": {"text": "a"}, "usage": {"tokens": 1}}]}, "`usage` has 'tokens'"),
    ],
)
def test_a_mistake_is_told_with_its_rule(data, message):
    with pytest.raises(LoadError, match=message):
        parse_rules(data, "r")


def test_a_file_that_is_missing_or_malformed_is_told(tmp_path):
    with pytest.raises(LoadError, match="cannot be read"):
        read_rules(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(LoadError, match="is no JSON or YAML"):
        read_rules(tmp_path / "bad.yaml")
    (tmp_path / "tag.yaml").write_text("rules: !!python/object/apply:os.system ['true']")
    with pytest.raises(LoadError, match="is no JSON or YAML"):
        read_rules(tmp_path / "tag.yaml")


def test_a_regex_gives_its_groups_names_to_the_answer():
    rules = parse_rules(
        {"rules": [{"when": {"regex": r"(?P<id>\d+) (\w)"}, "answer": {"text": "{{ id }}{{ 2 }}{{0}}"}}]}
    )
    assert rules.rules[0].when.regex.groupindex == {"id": 1}


def test_the_key_on_needs_no_quotes(tmp_path):
    text = "rules:\n- when: {contains: hello, on: last}\n  answer: {text: hi}\n"
    (tmp_path / "plain.yaml").write_text(text)
    (tmp_path / "quoted.yaml").write_text(text.replace("on:", '"on":'))
    assert read_rules(tmp_path / "plain.yaml").rules == read_rules(tmp_path / "quoted.yaml").rules
