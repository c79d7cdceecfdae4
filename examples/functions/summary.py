"""Cuts a document into pieces, has each summarised, and then the summaries. Public functions are nodes, parameters edges."""

from penstock import Collect, Each, ask_async

_CONNECTION = "open_ai_connection"


def piece(document: str, words: int = 60) -> Each[str]:
    """Pieces of so many words. What takes a piece runs once for each, side by side."""
    found = document.split()
    for start in range(0, len(found), words):
        yield " ".join(found[start : start + words])


async def piece_summary(piece_prompt: str, model: str) -> str:
    return await ask_async(piece_prompt, connection=_CONNECTION, model=model, temperature=0)


async def summary(summary_prompt: str, model: str) -> str:
    return await ask_async(summary_prompt, connection=_CONNECTION, model=model, temperature=0)


def piece_count(piece: Collect[str]) -> int:
    return len(piece)
