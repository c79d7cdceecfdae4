"""Where packages come from: what this machine tells pip, told to uv too; and no credentials in anything that is kept."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

# uv looks here for itself; where it is told, pip's configuration is none of its business.
_UVS_OWN = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
# pip's key → uv's variable. Lists are parted by blanks in both, but for places of files, which uv parts by commas.
_KEYS = {
    "index_url": "UV_DEFAULT_INDEX",
    "extra_index_url": "UV_INDEX",
    "find_links": "UV_FIND_LINKS",
    "no_index": "UV_NO_INDEX",
    "trusted_host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "default_timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
# To the last at-sign before the path: people write passwords with one in them.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")


def without_credentials(text: str) -> str:
    """``text`` without what stands before the host in its URLs."""
    return _CREDENTIALS.sub("******@", text)


def uv_variables(env: Mapping[str, str], files: tuple[Path, ...] | None = None) -> dict[str, str]:
    """What uv must be told beyond ``env`` to find packages where pip finds them.

    Args:
        env: The process environment; its ``PIP_…`` win over pip's files, its ``UV_…`` over both.
        files: pip's configuration files, the weakest first; those of this machine unless given.
    """
    if any(env.get(name) for name in _UVS_OWN):
        return {}
    told: dict[str, str] = {}
    for file in pip_files(env) if files is None else files:
        told |= _read(file)
    told |= {key: env[name] for key in _KEYS if env.get(name := f"PIP_{key.upper()}")}
    found: dict[str, str] = {}
    for key, variable in _KEYS.items():
        words = told.get(key, "").split()
        if not words or env.get(variable):
            continue
        found[variable] = ",".join(words) if key == "find_links" else " ".join(words)
    if found.get("UV_NO_INDEX", "").lower() in ("0", "false", "no", "off"):
        del found["UV_NO_INDEX"]
    if "UV_INDEX" in found:
        # pip takes the best version of all its indexes; uv would stop at the first that has any.
        found["UV_INDEX_STRATEGY"] = env.get("UV_INDEX_STRATEGY") or "unsafe-best-match"
    return found


def pip_files(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Configuration files of pip on this machine, the weakest first."""
    home = Path(env.get("HOME") or Path.home())
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    places = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    if sys.platform == "win32":
        places = [Path(env.get("APPDATA", "")) / "pip/pip.ini", home / "pip/pip.ini"]
    places.append(Path(sys.prefix) / ("pip.ini" if sys.platform == "win32" else "pip.conf"))
    if env.get("PIP_CONFIG_FILE"):
        places.append(Path(env["PIP_CONFIG_FILE"]))
    return tuple(places)


def _read(file: Path) -> dict[str, str]:
    import configparser  # only where something is built

    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}  # pip itself will say so
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found |= {key.replace("-", "_"): value for key, value in parser.items(section)}
    return found
