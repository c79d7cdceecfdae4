"""A flow without YAML: each function is a node, each parameter an edge."""

from penstock import llm


@llm(connection="open_ai_connection", model="gpt-4o-mini")
def summary(text: str) -> str:
    return f"Summarise in one sentence: {text}"


def length(summary: str) -> int:
    return len(summary.split())
