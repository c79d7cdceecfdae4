"""``penstock run stream``: follow a run until it ends."""

from __future__ import annotations

import argparse
import sys
import time

from penstock.cli.arguments import add_common
from penstock.cli.output import interactive, note, plain, print_json
from penstock.cli.run_named import add_name, run_named
from penstock.cli.run_shown import shown, summary
from penstock.records import Run, Status
from penstock.settings import read_settings
from penstock.store.store import Store, open_store

EXAMPLES = """examples:
  penstock run stream -n base
"""

_LOOK_EVERY = 0.5


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags."""
    del verb
    parser.epilog = EXAMPLES
    add_name(parser)
    add_common(parser)
    parser.set_defaults(run=stream)


def stream(arguments: argparse.Namespace) -> int:
    """Print each failed line as it comes, then the summary; exit 1 unless the run completed."""
    with open_store(read_settings()) as store:
        run = _follow(store, run_named(arguments), quiet=arguments.json)
    if arguments.json:
        print_json(shown(run), strict=True)
    else:
        for said in run.properties.get("notes") or ():
            note(str(said))
        sys.stdout.write(summary(run))
        if run.failure is not None:
            note(run.failure.message)
        if not interactive(sys.stdout):
            print_json(shown(run))
    return 0 if run.status is Status.COMPLETED else 1


def _follow(store: Store, name: str, *, quiet: bool) -> Run:
    offset = 0
    with store.view_journal(name) as journal:
        while True:
            run = store.get_run(name)
            for entry in journal.scan(offset):
                offset = entry.end
                if entry.status == Status.FAILED and not quiet:
                    failure = entry.result().failure
                    said = failure.message if failure else "failed"
                    sys.stdout.write(plain(f"line {entry.index}: {said}") + "\n")
            if run.status not in (Status.RUNNING, Status.NOT_STARTED):
                return run
            sys.stdout.flush()
            time.sleep(_LOOK_EVERY)
