"""Penstock's executor beside Hamilton's own on the same graphs, in one process, alternately.

usage: bench_hamilton.py [--repeats 5] [--json OUT]

Each figure is the median of the repeats with the smallest and the largest beside it, in milliseconds unless another unit is
given. Needs `pip install 'penstock[hamilton]'`.
"""

import argparse
import asyncio
import json
import logging
import statistics
import sys
import time

from hamilton.htypes import Collect, Parallelizable

from hamilton import ad_hoc_utils, base
from hamilton import async_driver as their_async
from hamilton import driver as theirs
from penstock.compat.hamilton import async_driver as our_async
from penstock.compat.hamilton import driver as ours

logging.disable(logging.CRITICAL)
MODEL_SECONDS = 0.25
REQUESTS = 4


# The summariser of a document, as a service holds it: plain functions that wait for a model.


def raw_text(document: str) -> str:
    return document * 40


def chunks(raw_text: str, size: int = 400) -> list:
    return [raw_text[start : start + size] for start in range(0, len(raw_text), size)]


def summaries_prompt(content_type: str = "an article") -> str:
    return f"Summarise this part of {content_type}."


def chunk_summaries(chunks: list, summaries_prompt: str) -> list:
    time.sleep(MODEL_SECONDS)  # one round: all pieces in a request
    return [f"{summaries_prompt} {len(chunk)}" for chunk in chunks]


def reduce_prompt(content_type: str = "an article") -> str:
    return f"Summarise these summaries of {content_type}."


def summary(chunk_summaries: list, reduce_prompt: str) -> str:
    time.sleep(MODEL_SECONDS)
    return f"{reduce_prompt} {len(chunk_summaries)}"


def item(count: int) -> Parallelizable[int]:
    yield from range(count)


def square(item: int) -> int:
    return item * item


def total(square: Collect[int]) -> int:
    return sum(square)


def chain(length):
    lines = ["def f0(x: int) -> int:", "    return x"]
    lines += [f"def f{i}(f{i - 1}: int) -> int:\n    return f{i - 1} + 1" for i in range(1, length)]
    return ad_hoc_utils.module_from_source("\n".join(lines))


def sleepers(count):
    def made(number):
        def sleep() -> int:
            time.sleep(0.05)
            return number

        sleep.__name__ = f"sleep{number}"
        return sleep

    return ad_hoc_utils.create_temporary_module(*(made(number) for number in range(count)))


async def requests(driver):
    """Seconds of four requests at once, and the longest time the event loop did not come round."""
    stall, done = 0.0, False

    async def watch():
        nonlocal stall
        while not done:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            stall = max(stall, time.perf_counter() - began - 0.001)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.02)
    stall, began = 0.0, time.perf_counter()
    found = await asyncio.gather(
        *(driver.execute(["summary"], inputs={"document": f"text {number} "}) for number in range(REQUESTS))
    )
    seconds = time.perf_counter() - began
    done = True
    await watching
    assert all(answer["summary"].startswith("Summarise these") for answer in found)
    return seconds, stall


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def or_error(work):
    try:
        return timed(work)
    except RecursionError:
        return None


def spread(values):
    return f"{statistics.median(values):8.1f} ({min(values):.1f} … {max(values):.1f})"


class Table:
    def __init__(self, repeats):
        self.repeats = repeats
        self.rows = []

    def row(self, name, mine, peer, scale=1000.0, target=None, peers=None):
        """``mine`` and ``peer`` give seconds, or None where they fail."""
        mine()  # the first one makes threads and programs
        found = [[], []]
        for turn in range(self.repeats):
            found[0].append(mine())
            if turn < (peers or self.repeats):
                found[1].append(peer())
        shown = [
            "fails" if any(value is None for value in side) else spread([v * scale for v in side]) for side in found
        ]
        print(f"{name:52} penstock {shown[0]:28} hamilton {shown[1]:28} target {target or ''}", flush=True)
        self.rows.append({"name": name, "penstock": shown[0].strip(), "hamilton": shown[1].strip(), "target": target})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table(options.repeats)

    summariser = ad_hoc_utils.create_temporary_module(
        raw_text, chunks, summaries_prompt, chunk_summaries, reduce_prompt, summary
    )
    makers = (our_async.AsyncDriver, their_async.AsyncDriver)
    served = [make({}, summariser, result_builder=base.DictResult()) for make in makers]
    table.row(
        f"{REQUESTS} requests at once, two model calls of 250 ms each",
        lambda: asyncio.run(requests(served[0]))[0],
        lambda: asyncio.run(requests(served[1]))[0],
        target="≤ 700 ms",
    )
    table.row(
        "  longest stall of the event loop meanwhile",
        lambda: asyncio.run(requests(served[0]))[1],
        lambda: asyncio.run(requests(served[1]))[1],
        target="≤ 20 ms",
    )
    built = [driver.Builder().with_modules(sleepers(10)).build() for driver in (ours, theirs)]
    names = [f"sleep{number}" for number in range(10)]
    table.row(
        "10 independent functions of 50 ms",
        lambda: timed(lambda: built[0].execute(names)),
        lambda: timed(lambda: built[1].execute(names)),
        target="≤ 80 ms",
    )
    mapped = ad_hoc_utils.create_temporary_module(item, square, total)
    mappers = [
        driver.Builder().with_modules(mapped).enable_dynamic_execution(allow_experimental_mode=True).build()
        for driver in (ours, theirs)
    ]
    table.row(
        "a map over 3,000 items",
        lambda: timed(lambda: mappers[0].execute(["total"], inputs={"count": 3000})),
        lambda: timed(lambda: mappers[1].execute(["total"], inputs={"count": 3000})),
        target="≤ 300 ms",
        peers=1,
    )
    short = chain(100)
    chained = [driver.Builder().with_modules(short).build() for driver in (ours, theirs)]
    table.row(
        "a chain of 100 functions, µs a function",
        lambda: timed(lambda: chained[0].execute(["f99"], inputs={"x": 0})) / 100,
        lambda: timed(lambda: chained[1].execute(["f99"], inputs={"x": 0})) / 100,
        scale=1e6,
        target="≤ 20 µs",
    )
    deep = chain(10_000)
    deeper = [driver.Builder().with_modules(deep).build() for driver in (ours, theirs)]
    table.row(
        "a chain of 10,000 functions",
        lambda: or_error(lambda: deeper[0].execute(["f9999"], inputs={"x": 0})),
        lambda: or_error(lambda: deeper[1].execute(["f9999"], inputs={"x": 0})),
        target="runs",
        peers=1,
    )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(table.rows, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
