"""Embeddings without a model: equal texts get equal vectors, texts that share words get near ones."""

from __future__ import annotations

import hashlib
import math
import re

DIMENSIONS = 64
_WORD = re.compile(r"\w+")


def vector_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector of length 1 that depends on the text alone.

    Every word adds to a few places that its hash chooses (feature hashing), and the text as a whole a little to one, so
    that word order makes a small difference.
    """
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(0, 16, 4):
            place = int.from_bytes(digest[at : at + 4], "big") % dimensions
            vector[place] += 1.0 if digest[16 + at] & 1 else -1.0
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    vector[int.from_bytes(digest[:4], "big") % dimensions] += 0.25
    length = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [round(x / length, 8) for x in vector]
