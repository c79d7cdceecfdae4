"""Files that name roles: what they become, and what is said about those that cannot run."""

import pytest

from penstock.errors import LoadError
from penstock.frontends.load import load
from penstock.graph.reference import Reference

ROLE = """inputs:
  history: {type: list}
  topic: {type: string}
  mood: {type: string, default: calm}
outputs: {said: {type: string, reference: "${say.output}"}}
nodes:
- {name: say, type: prompt, source: {type: code, path: say.jinja2}, inputs: {topic: "${inputs.topic}"}}
"""
GROUP = """type: chat_group
max_turns: 4
roles:
- {role: user, path: user, inputs: {history: "${parent.conversation_history}"}}
- {role: bot, path: bot, inputs: {history: "${parent.conversation_history}", topic: "${parent.inputs.about}"}}
"""


@pytest.fixture
def write(tmp_path):
    """Writes a group and its roles; returns the group's folder."""

    def make(group=GROUP, **roles):
        for name, text in {"user": ROLE, "bot": ROLE, **roles}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "flow.dag.yaml").write_text(text, encoding="utf-8")
            (tmp_path / name / "say.jinja2").write_text("{{ topic }}", encoding="utf-8")
        (tmp_path / "flow.chat.yaml").write_text(group, encoding="utf-8")
        return tmp_path

    return make


def refused(folder, **choices):
    with pytest.raises(LoadError) as caught:
        load(folder, **choices)
    return caught.value


def test_roles_become_nodes_and_what_they_take_becomes_inputs(write):
    flow = load(write())
    assert [(node.name, dict(node.inputs)) for node in flow.nodes] == [
        ("user", {"topic": Reference("input", "topic")}),
        ("bot", {"topic": Reference("input", "about")}),
    ]
    assert {name: port.type for name, port in flow.inputs.items()} == {"topic": "string", "about": "string"}
    assert flow.group.order == ("user", "bot")
    assert [role.stop_signal for role in flow.group.roles] == ["[STOP]", "[STOP]"]
    assert flow.name == write().name


def test_an_input_for_which_every_role_has_a_default_may_be_left_out(write):
    group = GROUP.replace("inputs: {history", 'inputs: {mood: "${parent.inputs.mood}", history')
    assert load(write(group)).inputs["mood"].optional
    needed = ROLE.replace(", default: calm", "")
    assert not load(write(group, bot=needed)).inputs["mood"].optional


def test_types_that_differ_must_be_declared(write):
    other = ROLE.replace("topic: {type: string}", "topic: {type: list}")
    group = GROUP.replace("${parent.inputs.about}", "${parent.inputs.topic}")
    error = refused(write(group, bot=other))
    assert "The roles take the input 'topic' as different types: list, string." in error.message
    declared = group.replace("roles:", "inputs: {topic: {type: list, default: [1]}}\nroles:")
    assert load(write(declared, bot=other)).inputs["topic"].default == [1]


def test_a_role_may_end_the_conversation_by_words_of_its_own_or_by_none(write):
    group = GROUP.replace("role: user,", "role: user, stop_signal: bye,").replace(
        "role: bot,", "role: bot, stop_signal: null,"
    )
    assert [role.stop_signal for role in load(write(group)).group.roles] == ["bye", None]


def test_an_unchanged_chat_flow_gets_its_own_kind_of_history(write):
    chat = ROLE.replace("topic: {type: string}", "topic: {type: string, is_chat_input: true}")
    group = GROUP.replace("${parent.inputs.about}", "${parent.last_message}")
    role = load(write(group, bot=chat)).group.roles[1]
    assert (role.style, role.last, role.history) == ("turns", "topic", "history")


def test_variables_of_the_roles_are_those_of_the_group(write):
    with_a = ROLE + "environment_variables: {A: '1', B: '2'}\n"
    with_b = ROLE + "environment_variables: {A: '3'}\n"
    assert load(write(user=with_a)).environment_variables == {"A": "1", "B": "2"}
    error = refused(write(user=with_a, bot=with_b))
    assert "The flow of role 'bot' wants another value of the variable A" in error.message
    settled = GROUP + "environment_variables: {A: '4'}\n"
    assert load(write(settled, user=with_a, bot=with_b)).environment_variables == {"A": "4", "B": "2"}


VARIANTS = """
node_variants:
  say:
    default_variant_id: one
    variants:
      one: {node: {type: prompt, source: {type: code, path: say.jinja2}, inputs: {topic: first}}}
      two: {node: {type: prompt, source: {type: code, path: say.jinja2}, inputs: {topic: second}}}
"""


def test_choices_begin_with_the_role_they_are_for(write):
    tuned = ROLE.replace("- {name: say, type: prompt", "- {name: say, use_variants: true, type: prompt") + VARIANTS
    folder = write(bot=tuned)
    chosen = load(folder, variants=("${bot.say.two}",))
    assert chosen.group.roles[1].flow.node("say").inputs["topic"] == "second"
    assert chosen.source.variants == ("${bot.say.two}",)
    assert load(folder).group.roles[1].flow.node("say").inputs["topic"] == "first"
    assert "'bott'" not in refused(folder, variants=("${bott.say.two}",)).message
    assert "Did you mean 'bot'?" in refused(folder, variants=("${bott.say.two}",)).message


def test_constructor_values_are_a_map_for_each_role_also_as_text(write, tmp_path):
    folder = write(GROUP.replace("path: bot", "path: bot.flex.yaml"))
    (tmp_path / "bot.flex.yaml").write_text("entry: made:Bot\n", encoding="utf-8")
    code = (
        "class Bot:\n    def __init__(self, tone: str): ...\n    def __call__(self, history: list, topic: str): ...\n"
    )
    (tmp_path / "made.py").write_text(code, encoding="utf-8")
    for given in ({"tone": "kind"}, '{"tone": "kind"}'):
        assert load(folder, init={"bot": given}).group.roles[1].flow.source.init == {"tone": "kind"}
    assert "init of role 'bot' must be a map" in refused(folder, init={"bot": "kind"}).message


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "sentence"),
    [
        ("max_turns: 4\n", "", "InvalidMaxTurnValue", 1, "max_turns is missing."),
        ("type: chat_group", "type: chat_grup", "InvalidFlow", 1, "type is chat_group where there are roles"),
        ("max_turns: 4", "max_turns: 0", "InvalidMaxTurnValue", 2, "max_turns must be a number above 0, not 0."),
        ("max_turns: 4", "max_turns: true", "InvalidMaxTurnValue", 2, "not True."),
        ("max_turns: 4", "max_turns: 4\nmax_time: .inf", "ChatGroupError", 3, "max_time must be a number above 0"),
        ("max_turns: 4", "max_turn: 4", "InvalidFlow", 2, "unknown key 'max_turn'. Did you mean 'max_turns'?"),
        (GROUP[GROUP.rindex("- {role: bot") :], "", "InvalidChatRoleCount", 3, "at least 2 roles; this one has 1."),
        ("role: bot", "role: user", "ChatGroupError", 5, "Two roles are called 'user'."),
        ("path: bot", "path: nowhere", "FileNotFound", 5, "The flow of role 'bot' cannot be loaded"),
        ("topic: ", "topik: ", "UnknownInput", 5, "has no input 'topik'. Did you mean 'topic'?"),
        (
            'path: user, inputs: {history: "${parent.conversation_history}"}',
            "path: user",
            "MissingConversationHistoryExpression",
            4,
            "No input of role 'user' takes the conversation.",
        ),
        (
            "${parent.inputs.about}",
            "${parent.conversation_history}",
            "MultipleConversationHistoryInputsMapping",
            5,
            "Role 'bot' takes the conversation in more than one input: history, topic.",
        ),
        (
            "${parent.inputs.about}",
            "${data.about}",
            "ChatGroupError",
            5,
            "refers to ${data.about}, which a group does not",
        ),
        ("max_turns", "speak_order: LLM\nmax_turns", "ChatGroupError", 2, "A model cannot choose who speaks next."),
        ("max_turns", "speak_order: [user, bto]\nmax_turns", "ChatGroupError", 2, "Did you mean 'bot'?"),
        ("max_turns", "history: rows\nmax_turns", "ChatGroupError", 2, "history is one of outputs, pairs"),
        ("path: user", "path: .", "InvalidFlow", 4, "this chat group is a role of itself."),
    ],
)
def test_what_keeps_a_group_from_running_is_told_with_its_line(write, old, new, code, place, sentence):
    assert old in GROUP
    folder = write(GROUP.replace(old, new, 1))
    error = refused(folder)
    assert error.code == code
    assert sentence in error.message
    assert f"{folder / 'flow.chat.yaml'}:{place}: " in error.message


def test_everything_wrong_is_told_at_once(write):
    error = refused(write(GROUP.replace("max_turns: 4", "max_turns: 0").replace("path: bot", "path: nowhere")))
    assert len(error.message.splitlines()) == len(error.diagnostics) == 2


def test_any_file_that_names_roles_is_a_group(write, tmp_path):
    (write() / "flow.chat.yaml").rename(tmp_path / "support.yaml")
    flow = load(tmp_path / "support.yaml")
    assert (flow.name, flow.source.format) == ("support", "chat_group")
