"""The smaller things that flow code imports."""

import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

from penstock.compat.promptflow.hook import activate
from penstock.connections.kinds import AzureOpenAIConnection, OpenAIConnection
from penstock.tracing.notes import NOTES, Notes

with activate():
    import promptflow.azure
    from promptflow._internal import enable_cache, register_apis
    from promptflow._utils._errors import YamlParseError
    from promptflow._utils.logger_utils import get_logger
    from promptflow._utils.yaml_utils import dump_yaml, load_yaml, load_yaml_string
    from promptflow.contracts.tool import ToolType, ValueType
    from promptflow.core import AzureOpenAIModelConfiguration, OpenAIModelConfiguration
    from promptflow.core._errors import InvalidConnectionError
    from promptflow.exceptions import UserErrorException
    from promptflow.executor import FlowExecutor
    from promptflow.integrations.langchain import PromptFlowCallbackHandler
    from promptflow.tracing._operation_context import OperationContext


def test_a_cloud_client_can_be_imported_and_says_why_it_cannot_be_used():
    with pytest.raises(UserErrorException, match=r"promptflow.azure.PFClient is not there in Penstock. It submits"):
        promptflow.azure.PFClient(subscription_id="x")
    with pytest.raises(UserErrorException, match=r"FlowExecutor is not there in Penstock. Call the flow as a function"):
        FlowExecutor.create("flow.dag.yaml", {})


def test_a_model_configuration_has_an_endpoint_or_a_connection_and_hides_its_key():
    made = AzureOpenAIModelConfiguration.from_connection(
        AzureOpenAIConnection("http://localhost", "topsecret"), azure_deployment="d"
    )
    assert (made.azure_endpoint, made.api_key, made.azure_deployment) == ("http://localhost", "topsecret", "d")
    assert "topsecret" not in repr(made)
    other = OpenAIModelConfiguration.from_connection(
        OpenAIConnection("topsecret", base_url="http://localhost"), model="m"
    )
    assert (other.model, other.base_url) == ("m", "http://localhost")
    assert "topsecret" not in repr(other)
    assert OpenAIModelConfiguration(model="m", connection="c").connection == "c"
    with pytest.raises(InvalidConnectionError, match="either a connection or an endpoint"):
        OpenAIModelConfiguration(model="m", api_key="k", connection="c")
    with pytest.raises(InvalidConnectionError):
        AzureOpenAIModelConfiguration(azure_deployment="d", azure_endpoint="x", connection="c")


def test_yaml_is_read_safely_and_written_in_order(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("b: 1\na: é\n", encoding="utf-8")
    assert load_yaml(file) == load_yaml(str(file)) == load_yaml(io.StringIO("b: 1\na: é")) == {"b": 1, "a": "é"}
    assert load_yaml(None) == load_yaml_string("") == {}
    assert dump_yaml({"b": 1, "a": "é"}) == "b: 1\na: é\n"
    stream = io.StringIO()
    assert dump_yaml([1], stream) is None
    assert stream.getvalue() == "- 1\n"
    with pytest.raises(YamlParseError, match="this is no YAML"):
        load_yaml_string("!!python/object/apply:os.getcwd []")
    with pytest.raises(YamlParseError, match="cannot be read"):
        load_yaml(tmp_path / "nowhere.yaml")


def test_a_logger_prints_to_the_standard_output_of_the_moment(capsys, monkeypatch):
    logger = get_logger("tests.penstock")
    assert get_logger("tests.penstock") is logger
    assert len(logger.handlers) == 1
    logger.info("first")
    logger.debug("hidden")
    assert capsys.readouterr().out.endswith("INFO     first\n")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    logger.warning("second")
    assert "second" in sys.stdout.getvalue()


def test_notes_of_an_operation_can_be_left_and_read():
    context = OperationContext.get_instance()
    assert OperationContext.get_instance() is context
    context.colour = "red"
    context.append_user_agent("me/1")
    context.append_user_agent("me/1")
    assert (context["colour"], context.get_user_agent(), context.get_request_id()) == ("red", "me/1", "unknown")
    assert context.copy() == context.get_context_dict()
    del context.colour
    with pytest.raises(AttributeError, match="no 'colour'; it has: user_agent"):
        _ = context.colour
    OperationContext.set_instance(None)
    assert OperationContext.get_instance() == {}


def test_kinds_compare_with_plain_text():
    assert ToolType.CUSTOM_LLM == "custom_llm"
    assert ValueType("double") is ValueType.DOUBLE


def test_registrations_give_back_what_they_are_given():
    assert register_apis(str) is str
    assert enable_cache(lambda **_: "")(len) is len


def test_the_langchain_handler_asks_for_langchain(monkeypatch):
    for name in ("langchain_core.callbacks", "langchain.callbacks.base"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserErrorException, match="pip install langchain-core"):
        PromptFlowCallbackHandler()


def test_langchain_events_become_nested_spans(monkeypatch):
    class Base:
        pass

    callbacks = ModuleType("langchain_core.callbacks")
    callbacks.BaseCallbackHandler = Base
    monkeypatch.setitem(sys.modules, "langchain_core", ModuleType("langchain_core"))
    monkeypatch.setitem(sys.modules, "langchain_core.callbacks", callbacks)
    notes = Notes()
    token = NOTES.set(notes)
    spans = notes.spans
    handler = PromptFlowCallbackHandler()
    assert isinstance(handler, Base)
    handler.on_chain_start({"id": ["a", "MyChain"]}, {"q": 1}, run_id="1")
    handler.on_llm_start({}, ["hi"], run_id="2", parent_run_id="1", name="gpt")
    handler.on_llm_end("answer", run_id="2", parent_run_id="1")
    handler.on_agent_action(SimpleNamespace(tool="t", tool_input="i"), run_id="1")
    handler.on_chain_error(ValueError("no"), run_id="1")
    handler.on_tool_start({"name": "by hand"}, "x")
    handler.on_tool_end("y")
    handler.on_tool_end("nobody began this")
    NOTES.reset(token)
    model, action, chain, tool = spans
    assert (model["name"], model["output"], model["parent"]) == ("gpt", "answer", chain["id"])
    assert (action["name"], action["parent"]) == ("t", chain["id"])
    assert (chain["name"], chain["error"], chain["type"]) == ("MyChain", "ValueError: no", "LangChain")
    assert (tool["name"], tool["output"]) == ("by hand", "y")
