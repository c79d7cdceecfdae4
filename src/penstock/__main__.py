"""``penstock`` and ``python -m penstock``."""

from __future__ import annotations

import sys

from penstock import __version__


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"], ["-v"], ["version"]):
        # Before the parser is loaded: editors and scripts ask this often, and it must not cost anything.
        sys.stdout.write(f"penstock {__version__}\n")
        return 0
    from penstock.cli.main import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
