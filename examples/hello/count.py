from promptflow.core import tool


@tool
def count(name: str) -> int:
    return sum(character.isalpha() for character in name)
