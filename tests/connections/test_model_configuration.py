import pytest

from penstock.connections.kinds import AzureOpenAIConnection, Connection, OpenAIConnection
from penstock.connections.model_configuration import (
    AzureOpenAIModelConfiguration,
    OpenAIModelConfiguration,
    connections_in,
    keys_in,
)
from penstock.errors import BadConnection

AZURE = AzureOpenAIConnection(api_key="k1", api_base="https://a.example", api_version="2024-02-01", name="az")
OPENAI = OpenAIConnection(api_key="k2", base_url="https://o.example/v1", name="oai")


def find(name: str) -> Connection:
    return {"az": AZURE, "oai": OPENAI}[name]


def test_a_map_becomes_a_configuration():
    made = AzureOpenAIModelConfiguration.of({"type": "azure_openai", "azure_deployment": "d", "connection": "az"})

    assert made == AzureOpenAIModelConfiguration("d", connection="az")


def test_a_configuration_is_itself():
    made = OpenAIModelConfiguration("m")

    assert OpenAIModelConfiguration.of(made) is made


def test_a_named_connection_gives_endpoint_and_key():
    azure = AzureOpenAIModelConfiguration("d", connection="az").filled(find)
    openai = OpenAIModelConfiguration("m", connection="oai").filled(find)

    assert (azure.azure_endpoint, azure.api_key, azure.api_version, azure.connection) == (
        "https://a.example",
        "k1",
        "2024-02-01",
        None,
    )
    assert (openai.base_url, openai.api_key, openai.connection) == ("https://o.example/v1", "k2", None)


def test_without_a_connection_nothing_is_filled_in():
    made = OpenAIModelConfiguration("m")

    assert made.filled(find) is made


def test_a_connection_of_the_wrong_kind_is_refused_by_name():
    with pytest.raises(BadConnection, match="takes OpenAIConnection, but connection 'az' is AzureOpenAIConnection"):
        OpenAIModelConfiguration("m", connection="az").filled(find)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("m", "is a map of its fields, not str"),
        ({"connection": "oai"}, "needs 'model'; it has: model, base_url, api_key, organization, connection"),
        ({"model": "m", "modell": "x"}, "does not know 'modell'"),
        (AzureOpenAIModelConfiguration("d"), "does not know 'azure_deployment'"),
    ],
)
def test_what_is_no_configuration_is_refused(value, said):
    with pytest.raises(BadConnection, match=said) as caught:
        OpenAIModelConfiguration.of(value)

    assert caught.value.code == "InvalidModelConfigValueType"


def test_connection_and_endpoint_exclude_each_other():
    with pytest.raises(BadConnection) as caught:
        OpenAIModelConfiguration("m", base_url="https://o.example", connection="oai")

    assert caught.value.code == "InvalidConnectionError"


def test_the_key_is_not_shown():
    assert "secret-key" not in repr(OpenAIModelConfiguration("m", api_key="secret-key"))


def test_names_and_keys_are_found_in_constructor_values():
    values = ["az", {"connection": "oai", "model": "m"}, {"model": "m", "api_key": "secret-1"}, 5, None]
    values.append(OpenAIModelConfiguration("m", api_key="secret-2"))

    assert [name for value in values for name in connections_in(value)] == ["az", "oai"]
    assert [key for value in values for key in keys_in(value)] == ["secret-1", "secret-2"]
