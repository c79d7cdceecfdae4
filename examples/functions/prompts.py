"""The prompts, in two versions each. They differ in what they ask for; the rest of the flow does not know which is used."""

from penstock import Collect, prompt, when


@when(version="v1", default=True)
@prompt
def piece_prompt__v1(piece: str) -> str:
    return f"Summarise this text in one sentence.\n\n{piece}"


@when(version="v2")
@prompt
def piece_prompt__v2(piece: str) -> str:
    return f"""system:
You read for somebody who has to act. Say what happened and what it costs, never how it was written.
user:
{piece}"""


@when(version="v1", default=True)
@prompt
def summary_prompt__v1(piece_summary: Collect[str]) -> str:
    return "Summarise these sentences in one.\n\n{% for line in piece_summary %}- {{ line }}\n{% endfor %}"


@when(version="v2")
@prompt
def summary_prompt__v2(piece_summary: Collect[str]) -> str:
    return """system:
One decision and its reason, in at most 25 words.
user:
{% for line in piece_summary %}
- {{ line }}
{% endfor %}"""
