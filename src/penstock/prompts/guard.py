"""Fetching a URL that came with the data: only from public addresses, only so much, only so long.

A name is resolved once, every address it has is checked, and the connection goes to the very address that was checked,
so a name server that answers differently the second time gains nothing. Proxies from the environment are not used:
they would resolve the name again.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

if TYPE_CHECKING:
    from http.client import HTTPResponse

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Services that hand a virtual machine its credentials: refused also where local addresses are allowed.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"))
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


class FetchRefused(Exception):
    """Why a URL was not fetched, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str  # as the certificate and the Host header name it
    port: int
    path: str
    address: str  # the one that was checked
    family: int


def fetch(url: str, *, allow_local: bool = False, max_bytes: int = 20_000_000, seconds: float = 20.0) -> bytes:
    """The body of ``url``, redirects followed.

    Args:
        url: An http or https URL.
        allow_local: Also addresses of this machine and its networks.
        max_bytes: The most the body may have.
        seconds: The most it may take, all redirects together.

    Raises:
        FetchRefused: The URL must not be fetched, or cannot be.
    """
    deadline = time.monotonic() + seconds
    for _ in range(MAX_REDIRECTS + 1):
        target = _check(url, allow_local)
        location, body = _request(target, deadline, max_bytes)
        if location is None:
            return body
        url = urljoin(url, location)
    raise FetchRefused(f"it redirects more than {MAX_REDIRECTS} times")


def refusal(address: Address, *, allow_local: bool = False) -> str | None:
    """Why a connection to ``address`` is refused, or None. IPv4 addresses inside IPv6 ones are looked at as well."""
    for inner in _unwrapped(address):
        if inner in _METADATA:
            return f"{address} is a cloud's metadata service"
        if inner.is_multicast or inner.is_unspecified:
            return f"{address} is no address of one machine"
        if not allow_local and not inner.is_global:
            return f"{address} is not a public address"
    # 6to4 relays are gone, and Python's versions do not agree whether the range is public.
    tunnel = isinstance(address, ipaddress.IPv6Address) and address.sixtofour is not None
    if (tunnel or address in _NAT64_LOCAL) and not allow_local:
        return f"{address} is not a public address"
    return None


def _unwrapped(address: Address) -> list[Address]:
    """The address and every IPv4 address that a network might read in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    found: list[Address] = [address]
    if address in _NAT64:
        found = [low]  # the range is not "global" by the registry, but what it leads to may be
    elif address in _NAT64_LOCAL or (address in _IPV4_COMPATIBLE and int(address) > 1):
        found.append(low)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if (int(address) >> 32) & 0xFFFFFFFF in {0x00005EFE, 0x02005EFE}:  # ISATAP
        found.append(low)
    return found


def _check(url: str, allow_local: bool) -> _Target:
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise FetchRefused("its URL has a space, a backslash or a control character")
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchRefused(f"its URL is malformed ({error})") from None
    if parts.scheme not in {"http", "https"}:
        raise FetchRefused(f"its scheme is {parts.scheme!r}; only http and https are fetched")
    if not host:
        raise FetchRefused("its URL names no host")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("its URL carries a user name")
    port = port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    family, address = _resolve(host, port, allow_local)
    return _Target(parts.scheme, host, port, path, address, family)


def _resolve(host: str, port: int, allow_local: bool) -> tuple[int, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchRefused(f"the host {host!r} cannot be resolved ({error})") from None
    for entry in found:
        text = str(entry[4][0]).partition("%")[0]
        reason = refusal(ipaddress.ip_address(text), allow_local=allow_local)
        if reason is not None:
            raise FetchRefused(f"the host {host!r} is refused: {reason}")
    if not found:
        raise FetchRefused(f"the host {host!r} has no address")
    return int(found[0][0]), str(found[0][4][0])


def _request(target: _Target, deadline: float, max_bytes: int) -> tuple[str | None, bytes]:
    """One exchange: where it redirects to, or the body."""
    import http.client  # 20 ms, and most flows fetch nothing

    default = 443 if target.scheme == "https" else 80
    name = f"[{target.host}]" if ":" in target.host else target.host
    connection = http.client.HTTPConnection(name, target.port)
    plain: socket.socket | None = None
    try:
        plain = _connect(target, deadline)
        connection.sock = _DeadlineSocket(plain, deadline)
        connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", name if target.port == default else f"{name}:{target.port}")
        connection.putheader("Accept", "image/*,*/*;q=0.5")
        connection.putheader("Accept-Encoding", "identity")
        connection.putheader("User-Agent", "penstock")
        connection.endheaders()
        response = connection.getresponse()
        if response.status in _REDIRECTS and (location := response.getheader("Location")):
            return location, b""
        if response.status != 200:
            raise FetchRefused(f"the server answered {response.status}")
        return None, _read(response, max_bytes)
    except TimeoutError:
        raise FetchRefused("it took too long") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchRefused(f"{type(error).__name__}: {error}") from None
    finally:
        if plain is not None:
            plain.close()


def _read(response: HTTPResponse, max_bytes: int) -> bytes:
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise FetchRefused("the server compressed what was asked for uncompressed")
    if int(response.getheader("Content-Length") or 0) > max_bytes:
        raise FetchRefused(f"it is larger than {max_bytes:,} bytes")
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise FetchRefused(f"it is larger than {max_bytes:,} bytes")
    return body


def _connect(target: _Target, deadline: float) -> socket.socket:
    plain = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        plain.settimeout(_left(deadline))
        plain.connect((target.address, target.port))
        if target.scheme == "https":
            import ssl  # 15 ms, and most flows fetch nothing

            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise
    return plain


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _DeadlineSocket:
    """A socket whose every wait ends at one deadline: a server that drips bytes gains no time."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._socket = plain
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._socket, self._deadline))

    def close(self) -> None:
        """Nothing yet: http.client closes as soon as it has the headers, while the body is still to be read."""


class _DeadlineReader(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: float) -> None:
        super().__init__()
        self._socket = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)
