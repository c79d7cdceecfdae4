"""Grades replies of a ferry office: made once, called for each reply, asked at the end what they were like as a whole."""

import re
from dataclasses import dataclass

from promptflow.tracing import trace


@dataclass
class Grade:
    """What one reply is like."""

    words: int
    on_topic: float
    verdict: str


class Grader:
    """Short and on topic is good."""

    def __init__(self, longest: int = 25, least_overlap: float = 0.5) -> None:
        self.longest = longest
        self.least_overlap = least_overlap

    def __call__(self, question: str, reply: str) -> Grade:
        words = len(reply.split())
        on_topic = overlap(question, reply)
        if words > self.longest:
            verdict = "too long"
        elif on_topic < self.least_overlap:
            verdict = "off topic"
        else:
            verdict = "good"
        return Grade(words, on_topic, verdict)

    def __aggregate__(self, grades: list) -> dict:
        good = [grade for grade in grades if grade.verdict == "good"]
        return {
            "good": round(len(good) / len(grades), 3),
            "words": round(sum(grade.words for grade in grades) / len(grades), 1),
        }


@trace
def overlap(question: str, reply: str) -> float:
    """The part of the question's longer words that the reply takes up."""
    asked, said = ({word for word in re.findall(r"\w+", text.lower()) if len(word) > 3} for text in (question, reply))
    return round(len(asked & said) / len(asked), 2) if asked else 1.0
