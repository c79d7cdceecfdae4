import types

import pytest

from penstock.connections.kinds import (
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
    Secret,
    from_dict,
    to_dict,
    to_strong_type,
)
from penstock.errors import BadConnection

CANARY = "canary-7f3a"


class MyConnection(CustomStrongTypeConnection):
    """A user's own."""

    api_key: Secret
    api_base: str = "http://default"


class MyLargerConnection(MyConnection):
    region: str


def test_fields_are_read_and_written_where_they_belong():
    conn = MyConnection(secrets={"api_key": CANARY}, configs={"api_base": "http://x"}, name="c")

    assert (conn.api_key, conn.api_base) == (CANARY, "http://x")
    assert dict(conn) == {"api_base": "http://x", "api_key": CANARY}
    conn.api_key, conn.api_base = "new", "http://y"
    assert (conn.secrets["api_key"], conn.configs["api_base"]) == ("new", "http://y")
    assert CANARY not in repr(MyConnection({"api_key": CANARY}))


def test_a_default_is_used_where_nothing_is_set():
    assert MyConnection({"api_key": "k"}).api_base == "http://default"
    assert MyConnection.api_base == "http://default"
    assert not hasattr(MyConnection, "api_key")


def test_a_field_without_default_and_value_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no 'api_key'"):
        _ = MyConnection({}).api_key


def test_a_custom_connection_becomes_the_users_class():
    conn = to_strong_type(CustomConnection({"api_key": "k"}, {"other": "o"}, name="c"), MyConnection)

    assert isinstance(conn, MyConnection)
    assert (conn.name, conn.api_key, conn.api_base, conn["other"]) == ("c", "k", "http://default", "o")
    assert to_strong_type(conn, MyConnection) is conn


def test_fields_of_the_parent_class_count_too():
    conn = to_strong_type(CustomConnection({"api_key": "k"}, {"region": "eu"}), MyLargerConnection)
    assert (conn.region, conn.api_key) == ("eu", "k")


def test_a_field_that_is_missing_is_an_error_only_where_it_is_read():
    conn = to_strong_type(CustomConnection({"api_key": "k"}, name="c"), MyLargerConnection)

    assert conn.api_key == "k"
    with pytest.raises(AttributeError, match="MyLargerConnection has no 'region'"):
        _ = conn.region


def test_other_kinds_cannot_become_a_users_class():
    with pytest.raises(BadConnection, match="'c' is of type 'open_ai'; only a custom connection"):
        to_strong_type(OpenAIConnection("k", name="c"), MyConnection)


def test_annotations_as_text_mean_the_same():
    module = types.ModuleType("their_tool")
    source = (
        "from __future__ import annotations\n"
        "from penstock.connections.kinds import CustomStrongTypeConnection, Secret\n"
        "class Theirs(CustomStrongTypeConnection):\n"
        "    key: Secret\n"
        "    url: str = 'u'\n"
    )
    exec(compile(source, "their_tool.py", "exec"), module.__dict__)

    conn = module.Theirs({"key": "k"})
    conn.key = "new"
    assert conn.secrets["key"] == "new"
    assert conn.url == "u"


def test_the_stored_form_remembers_the_class():
    form = to_dict(MyConnection({"api_key": "k"}, {"api_base": "b"}, name="c"))
    conn = from_dict("c", form)

    assert form["type"] == "custom"
    assert (conn.custom_type, conn.custom_module) == ("MyConnection", __name__)
    assert to_strong_type(conn, MyConnection).api_base == "b"


def test_a_file_that_names_a_class_is_a_custom_connection_that_remembers_it():
    conn = from_dict(
        "c",
        {
            "type": "custom",
            "custom_type": "MyFirstConnection",
            "module": "my_tool_package.connections",
            "package": "my-tools",
            "package_version": "0.0.2",
            "configs": {"api_base": "b"},
            "secrets": {"api_key": "k"},
        },
    )

    assert (conn.custom_type, conn.custom_module) == ("MyFirstConnection", "my_tool_package.connections")
    assert conn.configs["promptflow.connection.package_version"] == "0.0.2"
    assert from_dict("c", to_dict(conn)).custom_type == "MyFirstConnection"


def test_a_secret_does_not_show_in_its_repr():
    secret = Secret(CANARY)

    assert repr(secret) == "'******'"
    assert secret == CANARY
