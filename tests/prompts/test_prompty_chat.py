import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError, TemplateError
from penstock.prompts.prompty_chat import part_of, split_lines_v1, split_lines_v2, thread_of
from penstock.prompts.template import Template

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000")


def v1(text, tmp_path, thread=None, **values):
    return split_lines_v1(
        Template(text, trim_blocks=False, keep_trailing_newline=False).pieces(values), folder=tmp_path, thread=thread
    )


def v2(text, **values):
    return split_lines_v2(Template(text, trim_blocks=False).pieces(values))


def test_version_1_keeps_white_space_and_begins_with_the_system(tmp_path):
    assert v1("Be brief.\n\n# User:\n\n {{q}} \n", tmp_path, q="hi") == [
        {"role": "system", "content": "Be brief.\n"},
        {"role": "user", "content": "\n hi "},
    ]


def test_version_1_names_a_speaker_and_skips_what_nobody_said(tmp_path):
    assert v1('system[name="seth"]:\nA\nassistant:\nuser:\nB', tmp_path) == [
        {"role": "system", "content": "A", "name": "seth"},
        {"role": "user", "content": "B"},
    ]


def test_version_1_puts_the_conversation_where_the_template_has_it(tmp_path):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert v1("system:\nS\n![thread]\n{{q}}\nsystem:\nE", tmp_path, thread=turns, q="now") == [
        {"role": "system", "content": "S"},
        *turns,
        {"role": "user", "content": "now"},
        {"role": "system", "content": "E"},
    ]


def test_version_1_reads_pictures_beside_the_prompty_and_passes_addresses_on(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    said = v1('user:\nLook:\n![a](a.png)\nand ![b](https://example.org/b.png "t")', tmp_path)
    kinds = [part["type"] for part in said[0]["content"]]
    assert kinds == ["text", "image_url", "text", "image_url"]
    assert said[0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert said[0]["content"][3]["image_url"] == {"url": "https://example.org/b.png"}
    with pytest.raises(InputError, match="leads outside"):
        v1("user:\n![a]({{p}})", tmp_path, p="../../etc/passwd")


def test_version_1_refuses_tools_that_the_template_makes(tmp_path):
    with pytest.raises(TemplateError, match="put them under tools: in the header"):
        v1("tools:\n- id: x\nsystem:\nS", tmp_path)


def test_version_2_trims_blank_lines_and_keeps_empty_messages():
    assert v2("Intro\n\nsystem:\n\n\n  A\n\nB  \n\nuser:\nassistant[mood=good]:\n{{q}}", q="hi") == [
        {"role": "system", "content": "Intro"},
        {"role": "system", "content": "  A\n\nB  "},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "hi", "mood": "good"},
    ]


def test_version_2_opens_a_conversation_into_its_messages():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert v2("system:\nS\n\n{{c}}\n\nafter\n\nuser:\n{{q}}", c=thread_of(turns, "c"), q="now") == [
        {"role": "system", "content": "S"},
        *turns,
        {"role": "system", "content": "after"},
        {"role": "user", "content": "now"},
    ]
    assert v2("system:\nS\n{{c}}\nuser:\nQ", c=thread_of([], "c")) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Q"},
    ]


def test_version_2_puts_pictures_and_sounds_where_they_stand(tmp_path):
    image = part_of("image", "https://example.org/a.png", tmp_path)
    sound = part_of("audio", "data:audio/x-wav;base64,QUJD", tmp_path)
    file = part_of("file", "https://example.org/a.pdf", tmp_path)
    assert v2("user:\nSee {{i}} hear {{s}}{{f}}", i=image, s=sound, f=file)[0]["content"] == [
        {"type": "text", "text": "See "},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "text", "text": " hear "},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "file", "file": {"url": "https://example.org/a.pdf"}},
    ]


@pytest.mark.parametrize("value", ["text", [1], [{"role": "god", "content": "x"}], [{"content": "x"}]])
def test_what_is_no_conversation_is_refused(value):
    with pytest.raises(InputError, match="must be a list of messages"):
        thread_of(value, "h")


@given(st.text(alphabet="systemuerain:#[]= \n!()thd", max_size=60) | st.text(max_size=30))
def test_data_adds_no_message_in_either_version(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    text = "system:\nBe {{q}}\n{{q}}\nuser:\n{{q}}:\n{{q}}"
    for made in (v1(text, folder, q=value), v2(text, q=value)):
        assert [message["role"] for message in made] == ["system", "user"]
        assert str(value).strip() in str(made[1]["content"]) or isinstance(made[1]["content"], list)
