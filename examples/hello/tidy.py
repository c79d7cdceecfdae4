from promptflow.core import tool


@tool
def tidy(name: str) -> str:
    return " ".join(word.capitalize() for word in name.split())
