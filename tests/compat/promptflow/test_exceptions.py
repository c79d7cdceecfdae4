"""Error classes, their chains of codes, and what is made of them."""

import pytest

from penstock.compat.promptflow import errors
from penstock.compat.promptflow.errors import error_class
from penstock.compat.promptflow.exceptions import (
    ErrorTarget,
    PromptflowException,
    SystemErrorException,
    UserErrorException,
    ValidationException,
)
from penstock.compat.promptflow.hook import activate
from penstock.compat.promptflow.presenter import ErrorResponse, ExceptionPresenter
from penstock.compat.promptflow.translate import translated
from penstock.errors import ModelError, PenstockError, TemplateError, ToolError


@pytest.mark.parametrize(
    ("module", "name", "codes"),
    [
        (
            "promptflow.executor._errors",
            "InputNotFound",
            ["UserError", "ValidationError", "InvalidFlowRequest", "InputNotFound"],
        ),
        ("promptflow._core._errors", "ToolExecutionError", ["UserError", "ToolExecutionError"]),
        (
            "promptflow.executor._errors",
            "GetConnectionError",
            ["UserError", "ValidationError", "InvalidRequest", "GetConnectionError"],
        ),
        ("promptflow.core._errors", "JinjaTemplateError", ["UserError", "CoreError", "JinjaTemplateError"]),
        (
            "promptflow.tools.exception",
            "JinjaTemplateError",
            ["UserError", "ToolValidationError", "JinjaTemplateError"],
        ),
        ("promptflow.tools.exception", "SerpAPISystemError", ["SystemError", "SerpAPISystemError"]),
        ("promptflow._sdk._errors", "InvalidRunStatusError", ["UserError", "SDKError", "InvalidRunStatusError"]),
        ("promptflow.executor._errors", "ResolveToolError", ["ResolveToolError"]),
    ],
)
def test_codes_are_the_class_names_from_the_root_down(module, name, codes):
    error = error_class(module, name)("no")
    assert error.error_codes == codes
    assert error.code == name
    assert str(error) == "no"


@pytest.mark.parametrize("module", sorted(errors.TABLES))
def test_every_class_can_be_raised_and_is_one_object(module):
    for name in errors.names(module):
        cls = error_class(module, name)
        assert cls is error_class(module, name)
        assert isinstance(cls(message="m"), PromptflowException)
        assert cls.__name__ == name


def test_a_wrapped_model_error_names_the_endpoints_own():
    cls = error_class("promptflow.tools.exception", "ExceedMaxRetryTimes")
    error = cls(ValueError("busy"))
    assert error.error_codes == ["UserError", "OpenAIError", "ValueError"]
    assert str(error) == "OpenAI API hits ValueError: busy"
    assert error.code == "ExceedMaxRetryTimes"
    assert issubclass(cls, error_class("promptflow.tools.exception", "WrappedOpenAIError"))


def test_a_message_is_made_of_a_format():
    error = UserErrorException(message_format="no {what} in {place}", what="cat", target=ErrorTarget.TOOL, module="m")
    assert str(error) == "no cat in <place>"
    assert error.message_parameters == {"what": "cat", "place": "<place>"}
    assert error.reference_code == "Tool/m"
    assert str(SystemErrorException()) == "SystemErrorException"


def test_a_users_subclass_may_override_the_message():
    class Mine(UserErrorException):
        @property
        def message(self):
            return "mine"

    error = Mine("theirs")
    assert (str(error), error.error_codes) == ("mine", ["UserError", "Mine"])


def test_the_inner_exception_is_the_argument_or_the_cause():
    inner = KeyError("k")
    assert UserErrorException("x", error=inner).inner_exception is inner
    with pytest.raises(UserErrorException) as caught:
        raise UserErrorException("x") from inner
    assert caught.value.inner_exception is inner


def test_a_penstock_error_is_caught_as_one_of_prompt_flows():
    with activate():
        from promptflow.exceptions import UserErrorException as Served
        from promptflow.tools.exception import JinjaTemplateError, WrappedOpenAIError
    assert Served is UserErrorException
    with pytest.raises(JinjaTemplateError, match="bad template"), translated("promptflow.tools.exception"):
        raise TemplateError("bad template")
    with pytest.raises(WrappedOpenAIError, match="busy") as caught, translated("promptflow.tools.exception"):
        raise ModelError("busy")
    assert caught.value.error_codes == ["UserError", "OpenAIError", "ModelError"]
    with pytest.raises(UserErrorException, match="odd"), translated("promptflow.tools.exception"):
        raise PenstockError("odd", code="NobodyKnows")
    with pytest.raises(ValidationException, match="own"), translated("promptflow.tools.exception"):
        raise ValidationException("own")


def test_an_error_dictionary_nests_the_codes():
    error = error_class("promptflow.executor._errors", "InputNotFound")(message_format="no {name}", name="q")
    told = ExceptionPresenter.create(error).to_dict()
    assert told == {
        "message": "no q",
        "messageFormat": "no {name}",
        "messageParameters": {"name": "q"},
        "referenceCode": "Unknown",
        "code": "UserError",
        "innerError": {
            "code": "ValidationError",
            "innerError": {
                "code": "InvalidFlowRequest",
                "innerError": {"code": "InputNotFound", "innerError": None},
            },
        },
    }


def test_other_exceptions_are_system_errors():
    assert ExceptionPresenter.create(ValueError("v")).error_codes == ["SystemError", "ValueError"]
    assert ExceptionPresenter.create(PromptflowException("x", error=KeyError())).error_codes == [
        "SystemError",
        "KeyError",
    ]
    assert ExceptionPresenter.create(ToolError("t", code="Mine")).error_codes == ["UserError", "Mine"]


def test_debug_info_follows_the_causes():
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        info = ExceptionPresenter.create(error).to_dict(include_debug_info=True)["debugInfo"]
    assert (info["type"], info["message"]) == ("ValueError", "outer")
    assert "direct cause" in info["stackTrace"]
    assert info["innerException"]["type"] == "KeyError"


def test_a_response_tells_status_codes_and_details():
    class Detailed(UserErrorException):
        @property
        def additional_info(self):
            return {"ToolExecutionErrorDetails": {"lineno": 3}}

    response = ErrorResponse.from_exception(Detailed("no"))
    assert response.message == "no"
    assert response.response_code == "400"
    assert response.error_code_hierarchy == "UserError/Detailed"
    assert response.innermost_error_code == "Detailed"
    assert response.get_user_execution_error_info() == {"lineno": 3}
    assert response.to_simplified_dict() == {"error": {"code": "UserError", "message": "no"}}
    assert response.to_dict()["componentName"] == "penstock"
    assert ErrorResponse.from_exception(ValueError()).response_code == "500"
    assert ErrorResponse.from_error_dict({}).innermost_error_code is None
