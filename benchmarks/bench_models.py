"""What a model call costs our own process: Penstock's client beside plain aiohttp and the official SDK, in one run.

usage: bench_models.py [--calls N] [--at-once N] [--repeats N] [--json OUT]

The endpoint is a process of its own on this machine that answers at once: nearly all time is the client's. CPU time is
that of the client's process alone. Each way is run `repeats` times in turn; the median is shown, with the range.
Needs the `openai` package for the comparison; without it only the other two are timed.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from penstock.connections.kinds import OpenAIConnection
from penstock.models.model import Request
from penstock.models.pool import Models
from penstock.settings import read_settings

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "An answer. " * 20},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 80, "completion_tokens": 60, "total_tokens": 140},
}
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. " * 10},
    {"role": "user", "content": "What does a call cost? " * 5},
]
PARAMS = {"messages": MESSAGES, "temperature": 0.0, "max_tokens": 64}
Call = Callable[[], Awaitable[str | None]]


def serve() -> None:
    body = json.dumps(ANSWER).encode()

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", chat)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


async def timed(call: Call, calls: int, at_once: int) -> dict[str, float]:
    """Wall and CPU microseconds a call, over `calls` calls by `at_once` callers; connections are warm."""

    async def caller(count: int) -> None:
        for _ in range(count):
            if not await call():
                raise RuntimeError("The endpoint gave no text.")

    async def crowd(count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(caller(count))

    await crowd(2)
    wall, cpu = time.perf_counter(), time.process_time()
    await crowd(calls // at_once)
    done = calls // at_once * at_once
    return {"wall_us": (time.perf_counter() - wall) / done * 1e6, "cpu_us": (time.process_time() - cpu) / done * 1e6}


async def plain(url: str, calls: int, at_once: int) -> dict[str, float]:
    headers = {"Authorization": "Bearer benchmark-key"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def call() -> str:
            body = {"model": "gpt-4o", **PARAMS}
            async with session.post(f"{url}/chat/completions", json=body) as response:
                return str((await response.json())["choices"][0]["message"]["content"])

        return await timed(call, calls, at_once)


async def penstock(url: str, calls: int, at_once: int) -> dict[str, float]:
    async with Models(read_settings({})) as models:
        model = models.get(OpenAIConnection("benchmark-key", base_url=url, name="bench"))

        async def call() -> str | None:
            return (await model.complete(Request("chat", "gpt-4o", PARAMS))).text

        return await timed(call, calls, at_once)


async def sdk(url: str, calls: int, at_once: int) -> dict[str, float]:
    import openai

    async with openai.AsyncOpenAI(api_key="benchmark-key", base_url=url, max_retries=0) as client:

        async def call() -> str | None:
            answer = await client.chat.completions.create(model="gpt-4o", **PARAMS)
            return answer.choices[0].message.content

        return await timed(call, calls, at_once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    ways = {"plain aiohttp": plain, "penstock": penstock}
    try:
        import openai

        ways[f"openai {openai.__version__}"] = sdk
    except ImportError:
        print("The openai package is not installed: no comparison with it.")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None, "it was asked for"
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for _ in range(arguments.repeats):
            for name, way in ways.items():
                found[name].append(asyncio.run(way(url, arguments.calls, arguments.at_once)))
    finally:
        server.terminate()
        server.wait()
    report(found, arguments)


def report(found: dict[str, list[dict[str, float]]], arguments: argparse.Namespace) -> None:
    print(f"{arguments.calls} calls, {arguments.at_once} at once, median of {arguments.repeats} (least to most)")
    medians = {}
    for name, runs in found.items():
        cpu, wall = (sorted(run[key] for run in runs) for key in ("cpu_us", "wall_us"))
        medians[name] = statistics.median(cpu)
        print(
            f"  {name:<16} CPU {statistics.median(cpu):7.0f} us a call ({cpu[0]:.0f} to {cpu[-1]:.0f})"
            f"   wall {statistics.median(wall):7.0f} us ({wall[0]:.0f} to {wall[-1]:.0f})"
        )
    ours = medians["penstock"]
    for name, value in medians.items():
        if name != "penstock":
            print(f"  {name} : penstock = {value / ours:.2f} : 1 (CPU a call, {value - ours:+.0f} us)")
    if arguments.json:
        arguments.json.write_text(json.dumps({"python": sys.version, "runs": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
