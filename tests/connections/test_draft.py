import pytest

from penstock.connections.draft import over, secrets_to_ask, shown, with_settings
from penstock.connections.kinds import AzureOpenAIConnection, CustomConnection, OpenAIConnection
from penstock.errors import UsageError


def test_settings_reach_into_maps_and_leave_the_form_alone():
    form = {"type": "custom", "configs": {"a": "1"}, "secrets": {}}
    result = with_settings(form, [("configs.b.c", "2"), ("secrets.k", "s"), ("name", "n")])

    assert result == {"type": "custom", "configs": {"a": "1", "b.c": "2"}, "secrets": {"k": "s"}, "name": "n"}
    assert form == {"type": "custom", "configs": {"a": "1"}, "secrets": {}}


def test_masked_headers_cannot_be_changed_in_part():
    with pytest.raises(UsageError, match="give the whole"):
        with_settings({"headers": "******"}, [("headers.X", "1")])


def test_changes_join_custom_settings_key_by_key():
    form = {"type": "custom", "configs": {"a": "1", "b": "1"}, "secrets": {"k": "******"}}

    assert over(form, {"configs": {"b": "2"}, "name": "n"}) == {**form, "configs": {"a": "1", "b": "2"}, "name": "n"}


@pytest.mark.parametrize(
    ("form", "new", "updated"),
    [
        ({"type": "open_ai", "api_key": "<user-input>"}, ["api_key"], ["api_key"]),
        ({"type": "open_ai", "api_key": "******"}, ["api_key"], []),
        ({"type": "open_ai", "api_key": "<no-change>"}, ["api_key"], []),
        ({"type": "open_ai"}, ["api_key"], []),
        ({"type": "open_ai", "api_key": "k"}, [], []),
        ({"type": "azure_open_ai"}, ["api_key"], []),
        ({"type": "azure_open_ai", "auth_mode": "meid_token"}, [], []),
        ({"type": "openai_compatible"}, [], []),
        ({"type": "openai_compatible", "api_key": "<user-input>"}, ["api_key"], ["api_key"]),
        (
            {"type": "custom", "secrets": {"a": "<user-input>", "b": "*", "c": "c"}},
            ["secrets.a", "secrets.b"],
            ["secrets.a"],
        ),
        ({"type": "unheard of"}, [], []),
    ],
)
def test_who_is_asked_for_what(form, new, updated):
    assert secrets_to_ask(form) == new
    assert secrets_to_ask(form, updating=True) == updated


def test_a_connection_is_shown_in_prompt_flows_order_with_stars():
    azure = AzureOpenAIConnection("https://x", "k", name="a", created_date="c", last_modified_date="m")

    assert list(shown(azure).items()) == [
        ("auth_mode", "key"),
        ("name", "a"),
        ("module", "promptflow.connections"),
        ("created_date", "c"),
        ("last_modified_date", "m"),
        ("type", "azure_open_ai"),
        ("api_key", "******"),
        ("api_base", "https://x"),
        ("api_type", "azure"),
        ("api_version", "2024-02-01"),
    ]
    assert shown(CustomConnection({"k": "s"}, {"u": "v"}, name="c"), "env file") == {
        "name": "c",
        "module": "promptflow.connections",
        "source": "env file",
        "type": "custom",
        "configs": {"u": "v"},
        "secrets": {"k": "******"},
    }


@pytest.mark.parametrize(
    ("value", "seen"), [("${env:K}", "${env:K}"), ("x${env:K}", "******"), ("${env:K}x", "******")]
)
def test_only_a_bare_reference_to_a_variable_is_shown(value, seen):
    assert shown(OpenAIConnection(value))["api_key"] == seen
