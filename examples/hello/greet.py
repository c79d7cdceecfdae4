from promptflow.core import tool


@tool
def greet(name: str, letters: int, loud: bool = False) -> dict:
    text = f"Hello {name}, your name has {letters} letters."
    return {"text": text.upper() if loud else text}
