"""``penstock model``: a scripted model as a local endpoint."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from penstock.cli.arguments import add_common
from penstock.cli.output import plain, print_json
from penstock.errors import UsageError
from penstock.models.faults import Faults, parse_fault
from penstock.models.rules import read_rules
from penstock.models.script import Script
from penstock.models.serve import Service, serving

_LOOPBACK = ("localhost", "127.", "::1")


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of ``penstock model``."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    serve = verbs.add_parser(
        "serve",
        help="serve a rules file as an OpenAI-compatible endpoint",
        description="Serve a rules file as an OpenAI-compatible (and Azure-compatible) endpoint on this machine.",
        epilog="examples:\n  penstock model serve --rules offline.yaml --port 8010 --fault 429=0.1 --fault slow=0.1:2\n",
    )
    add_common(serve)
    serve.add_argument("--rules", required=True, metavar="FILE", help="rules file of the scripted model (YAML or JSON)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    serve.add_argument("--port", type=int, default=0, help="port to listen at (default: a free one)")
    serve.add_argument("--allow-remote", action="store_true", help="let other machines in; there is no password")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND=SHARE[:SECONDS]",
        help="go wrong in a share of the requests: an error status (SECONDS: its Retry-After), slow (SECONDS longer), "
        "malformed, cut (repeatable)",
    )
    serve.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds every answer takes at least")
    serve.add_argument("--seed", type=int, help="draw the same faults every time")
    serve.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        LoadError: The rules file is not well formed.
        UsageError: A fault that is none, a port that is taken, or a host that would let other machines in.
    """
    if not arguments.host.startswith(_LOOPBACK) and not arguments.allow_remote:
        raise UsageError(
            f"--host {arguments.host} would let other machines in, and there is no password; "
            "say --allow-remote if that is what you want."
        )
    service = Service(
        script=Script(read_rules(arguments.rules)),
        faults=Faults([parse_fault(text) for text in arguments.fault], arguments.seed),
        latency=arguments.latency,
        remote=arguments.allow_remote,
    )
    try:
        asyncio.run(_serve(service, arguments))
    except OSError as error:
        raise UsageError(f"Cannot listen at {arguments.host}:{arguments.port}: {error.strerror or error}.") from error
    return 0


async def _serve(service: Service, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:
            break  # Windows: Ctrl-C comes as KeyboardInterrupt, and leaving `serving` stops the server all the same
    async with serving(service, arguments.host, arguments.port) as url:
        if arguments.json:
            print_json({"url": f"{url}/v1", "rules": arguments.rules}, indent=None)
        else:
            sys.stdout.write(f"Serving {plain(arguments.rules)} at {url}/v1 (Azure: {url}). Ctrl-C stops.\n")
        sys.stdout.flush()
        await stop.wait()
