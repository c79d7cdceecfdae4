"""What the import hook serves, when, and what is left afterwards."""

import importlib
import subprocess
import sys
import textwrap
import threading

import pytest

from penstock.compat.promptflow import surface
from penstock.compat.promptflow.hook import activate


def run(code, *, path=None):
    """What ``code`` prints in a fresh process."""
    start = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shims():
    return [name for name in sys.modules if name.partition(".")[0] == "promptflow"]


# Every import that prompt flow's own examples, tests, notebooks and manuals make.
IMPORTS = """
import promptflow
import promptflow.azure as azure
import promptflow.tools
from promptflow import PFClient, load_flow, load_run, log_flow_metric, log_metric, tool
from promptflow._core.tool import DynamicList, GeneratedBy, InputSetting, ToolProvider, ToolType, tool
from promptflow._internal import ErrorResponse, ExceptionPresenter, ToolProvider, register_apis, tool
from promptflow._sdk._errors import InvalidRunStatusError, RunNotFoundError
from promptflow._sdk.entities import AzureOpenAIConnection, Run
from promptflow._utils.logger_utils import get_logger
from promptflow._utils.yaml_utils import load_yaml
from promptflow.azure import PFClient
from promptflow.client import PFClient, load_flow, load_run
from promptflow.connections import (
    AzureAIServicesConnection, AzureContentSafetyConnection, AzureOpenAIConnection, CognitiveSearchConnection,
    ConnectionProvider, CustomConnection, CustomStrongTypeConnection, FormRecognizerConnection, OpenAIConnection,
    SerpConnection, ServerlessConnection,
)
from promptflow.contracts.multimedia import Image, Text
from promptflow.contracts.types import AssistantDefinition, FilePath, PromptTemplate, Secret
from promptflow.core import (
    AsyncFlow, AsyncPrompty, AzureOpenAIModelConfiguration, Flow, ModelConfiguration, OpenAIModelConfiguration, Prompty,
    ToolProvider, log_metric, tool,
)
from promptflow.core._flow import AsyncPrompty, Prompty
from promptflow.entities import (
    AzureContentSafetyConnection, AzureOpenAIConnection, CognitiveSearchConnection, CustomConnection, DynamicList,
    FlowContext, FormRecognizerConnection, InputSetting, OpenAIConnection, QdrantConnection, Run, SerpConnection,
)
from promptflow.exceptions import (
    ErrorCategory, ErrorTarget, PromptflowException, SystemErrorException, UserErrorException, ValidationException,
)
from promptflow.batch import BatchEngine, BatchResult
from promptflow.executor import FlowExecutor, FlowValidator
from promptflow.executor._assistant_tool_invoker import AssistantToolInvoker
from promptflow.executor._errors import InputNotFound
from promptflow.integrations.langchain import PromptFlowCallbackHandler
from promptflow.tools.aoai import AzureOpenAI, chat, completion
from promptflow.tools.azure_content_safety import analyze_text
from promptflow.tools.common import (
    ChatInputList, build_messages, handle_openai_error, init_azure_openai_client, normalize_connection_config,
    parse_chat, render_jinja_template,
)
from promptflow.tools.embedding import embedding
from promptflow.tools.exception import ChatAPIInvalidRole, JinjaTemplateError, WrappedOpenAIError
from promptflow.tools.llm import llm
from promptflow.tools.llm_vision import llm_vision
from promptflow.tools.openai import OpenAI, chat, completion
from promptflow.tools.serpapi import SerpAPI, search
from promptflow.tracing import ThreadPoolExecutorWithContext, start_trace, trace
from promptflow.tracing._operation_context import OperationContext
from promptflow.tracing.contracts.trace import TraceType
"""


def test_every_import_of_the_wild_works_and_leaves_nothing_behind():
    code = f"""
import sys
from importlib.util import find_spec
assert find_spec("promptflow") is None, "these tests are about an environment without it"
from penstock.compat.promptflow.hook import activate
before = list(sys.meta_path)
with activate():
{textwrap.indent(IMPORTS, "    ")}
    print(len([name for name in sys.modules if name.startswith("promptflow")]))
assert sys.meta_path == before
print([name for name in sys.modules if name.partition(".")[0] == "promptflow"])
try:
    import promptflow.core
except ModuleNotFoundError as error:
    print(error)
"""
    served, left, outside = run(code).splitlines()
    assert int(served) > 30
    assert left == "[]"
    assert outside == "No module named 'promptflow'"


def test_a_plain_tool_file_loads_nothing_but_the_decorator():
    code = """
        import sys
        from penstock.compat.promptflow.hook import activate
        before = set(sys.modules)
        with activate():
            from promptflow.core import tool
        print(*sorted(name for name in set(sys.modules) - before if name.startswith("penstock")))
    """
    assert run(code).split() == ["penstock.tools", "penstock.tools.tool"]


@pytest.mark.parametrize("module", sorted(surface.modules()))
def test_every_listed_name_leads_somewhere(module):
    with activate():
        imported = importlib.import_module(module)
        for name in surface.names(module):
            assert getattr(imported, name) is not None, name
    assert {name for name in surface.names(module) if not name.startswith("_")} == set(imported.__all__)


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    with activate():
        with pytest.raises(ImportError, match=r"no 'tol' in 'promptflow.core'; it has: .*log_metric, tool"):
            exec("from promptflow.core import tol")
        with pytest.raises(ImportError, match=r"no 'nowhere' in 'promptflow'; it has: .*connections"):
            exec("import promptflow.nowhere.at_all")
        import promptflow.core

        with pytest.raises(AttributeError, match=r"no 'tol' in 'promptflow.core'"):
            _ = promptflow.core.tol
        assert not hasattr(promptflow.core, "tol")


def test_code_may_try_an_import_and_do_without():
    with activate():
        try:
            from promptflow.core import not_yet_invented
        except ImportError:
            not_yet_invented = None
    assert not_yet_invented is None


def test_a_star_import_gives_the_public_names():
    scope = {}
    with activate():
        exec("from promptflow.core import *", scope)
    assert {"tool", "log_metric", "ToolProvider", "Prompty"} <= set(scope)


def test_submodules_are_attributes_also_after_the_end():
    with activate():
        import promptflow
    assert promptflow.core.tool.__name__ == "tool"
    assert promptflow.__version__
    assert shims() == []


def test_the_same_modules_come_back():
    with activate():
        import promptflow.core as first
    with activate():
        import promptflow.core as second
    assert first is second


def test_activations_nest_and_overlap():
    outer, inner = activate(), activate()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    importlib.import_module("promptflow.core")
    inner.__exit__(None, None, None)
    assert shims() == []


def test_an_activation_that_nobody_keeps_stays():
    code = """
        import gc, sys
        from penstock.compat.promptflow.hook import activate
        activate().__enter__()
        gc.collect()
        from promptflow.core import tool
        print(tool.__module__)
    """
    assert run(code) == "penstock.tools.tool\n"


def test_threads_may_come_and_go():
    failed = []
    begin = threading.Barrier(8)

    def work():
        begin.wait()
        for _ in range(50):
            try:
                with activate():
                    assert importlib.import_module("promptflow.connections").OpenAIConnection
            except BaseException as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert shims() == []


@pytest.fixture
def installed(tmp_path):
    """A folder on the path with a package that calls itself promptflow."""
    package = tmp_path / "promptflow"
    package.mkdir()
    (package / "__init__.py").write_text("real = True\n")
    (package / "core.py").write_text("tool = 'the real one'\n")
    return tmp_path


def test_an_installed_promptflow_loses_inside_and_is_untouched_outside(installed):
    code = """
        import promptflow, promptflow.core
        real = promptflow
        from penstock.compat.promptflow.hook import activate
        with activate():
            from promptflow.core import tool
            import promptflow as shim
        import promptflow.core
        assert sys.modules["promptflow"] is real and promptflow.core.tool == "the real one"
        with activate():
            import promptflow as again
        print(callable(tool), shim is not real, again is shim, promptflow.core.tool)
    """
    assert run(code, path=installed) == "True True True the real one\n"


def test_an_installed_promptflow_can_be_imported_after_the_shim(installed):
    code = """
        from penstock.compat.promptflow.hook import activate
        with activate():
            from promptflow.core import tool
        import promptflow
        print(promptflow.real)
    """
    assert run(code, path=installed) == "True\n"


def test_a_package_with_a_similar_name_is_left_alone(tmp_path):
    (tmp_path / "promptflow_vectordb.py").write_text("from promptflow.core import tool\nmine = tool\n")
    code = """
        from penstock.compat.promptflow.hook import activate
        with activate():
            import promptflow_vectordb
        print("promptflow_vectordb" in sys.modules, promptflow_vectordb.mine.__name__)
    """
    assert run(code, path=tmp_path) == "True tool\n"
