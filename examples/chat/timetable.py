"""The timetable, as far as the conversation has asked for it."""

from promptflow.core import tool

DEPARTURES = {
    "Hollin": ["06:10", "09:40", "13:10", "17:55"],
    "Port Sable": ["07:25", "12:00", "18:30"],
    "Cape Morrow": ["08:00 (not on Sundays)"],
}


@tool
def timetable(question: str, chat_history: list) -> str:
    """The departures to every harbour that was named, one a line; all of them where none was."""
    said = " ".join([*(turn["inputs"]["question"] for turn in chat_history), question]).lower()
    named = [harbour for harbour in DEPARTURES if harbour.lower() in said] or list(DEPARTURES)
    return "\n".join(f"{harbour}: {', '.join(DEPARTURES[harbour])}" for harbour in named)
