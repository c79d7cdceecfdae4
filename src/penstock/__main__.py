"""``penstock`` and ``python -m penstock``."""

from __future__ import annotations

import sys

from penstock import __version__


def main() -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:]
    # Before the parser is loaded: editors and scripts ask this often, and it must not cost anything.
    if words in (["--version"], ["-V"]):
        sys.stdout.write(f"penstock {__version__}\n")
        return 0
    if words in (["-v"], ["version"], ["version", "--json"]):
        sys.stdout.write(_versions(as_json="--json" in words))
        return 0
    from penstock.cli.main import main as run

    return run(words)


def _versions(*, as_json: bool) -> str:
    """What prompt flow's ``-v`` prints: the package's version as JSON, the executable, Python."""
    import json

    if as_json:
        return json.dumps({"penstock": __version__, "executable": sys.executable, "python": sys.version}) + "\n"
    python = " ".join(sys.version.split())
    packages = json.dumps({"penstock": __version__}, indent=2)
    return f"{packages}\n\nExecutable {sys.executable!r}\nPython ({sys.platform.capitalize()}) {python}\n"


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # `python -m` puts the working directory first, where a stranger's flow may lie; `penstock` does not either.
        del sys.path[0]
    sys.exit(main())
