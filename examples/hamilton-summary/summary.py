"""Summarises a document: cut it up, summarise every piece, then the summaries. A Hamilton module like any other.

The version of the prompts and the type of the file are Hamilton's configuration, so that for Penstock they are variants.
"""

import os

import openai
from hamilton.function_modifiers import config, tag
from hamilton.htypes import Collect, Parallelizable

_PAGE_BREAK = "\f"


def client() -> openai.OpenAI:
    # Offline no key is looked at.
    return openai.OpenAI(api_key=os.environ.get("OPENAI_API_KEY", "none"))


@config.when(file_type="pdf")
def raw_text__pdf(document: str) -> str:
    from pypdf import PdfReader  # only who reads PDF files needs it

    return _PAGE_BREAK.join(page.extract_text() for page in PdfReader(document).pages)


@config.when_not(file_type="pdf")
def raw_text__plain(document: str) -> str:
    with open(document, encoding="utf-8") as file:
        return file.read()


def chunk(raw_text: str, words: int = 60) -> Parallelizable[str]:
    """Pieces of so many words; each is summarised by itself, side by side."""
    found = raw_text.split()
    for start in range(0, len(found), words):
        yield " ".join(found[start : start + words])


@tag(kind="prompt")
@config.when(version="v1")
def piece_prompt__v1(chunk: str) -> str:
    return f"Summarise this text:\n{chunk}"


@tag(kind="prompt")
@config.when(version="v2")
def piece_prompt__v2(chunk: str) -> str:
    return f"Give the one fact of this text that its reader must not miss, in one sentence:\n{chunk}"


def piece_summary(piece_prompt: str, client: openai.OpenAI, model: str = "gpt-4o-mini") -> str:
    return _asked(client, model, piece_prompt)


@tag(kind="prompt")
@config.when(version="v1")
def summary_prompt__v1(piece_summary: Collect[str]) -> str:
    return "Summarise these summaries:\n" + "\n".join(piece_summary)


@tag(kind="prompt")
@config.when(version="v2")
def summary_prompt__v2(piece_summary: Collect[str]) -> str:
    return "Write two sentences for somebody in a hurry. Facts:\n" + "\n".join(piece_summary)


def summary(summary_prompt: str, client: openai.OpenAI, model: str = "gpt-4o-mini") -> str:
    return _asked(client, model, summary_prompt)


def _asked(client: openai.OpenAI, model: str, prompt: str) -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content
