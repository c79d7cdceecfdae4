import pytest

from penstock.tools.provider import ToolProvider


class Greeter(ToolProvider):
    def __init__(self, name, mark="!"):
        super().__init__()
        self.text = name + mark


class Child(Greeter):
    def __init__(self, other):
        super().__init__(other)


def test_a_provider_tells_what_its_constructor_takes():
    assert list(Greeter.get_initialize_inputs()) == ["name", "mark"]
    assert list(Greeter.get_required_initialize_inputs()) == ["name"]
    assert list(Child.get_initialize_inputs()) == ["other"]


@pytest.mark.parametrize(("args", "kwargs"), [(("a",), {}), ((), {"name": "a"})])
def test_a_provider_remembers_what_it_was_made_with(args, kwargs):
    greeter = Greeter(*args, **kwargs)
    assert greeter._init_params == {"name": "a"}
    assert greeter.text == "a!"
