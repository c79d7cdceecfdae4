"""What the network does to a call, in words."""

from __future__ import annotations

from penstock.models.policy import CallPolicy
from penstock.models.trouble import Trouble


def network_errors() -> tuple[type[Exception], ...]:
    """The exceptions by which aiohttp and the system tell of a failed connection."""
    import aiohttp

    return (aiohttp.ClientError, TimeoutError, OSError)


def network_trouble(error: Exception, base: str, policy: CallPolicy) -> Trouble:
    """The trouble of an attempt that the network ended; ``base`` is the endpoint's address."""
    import ssl

    import aiohttp

    if isinstance(error, TimeoutError):
        return _timeout(error, base, policy)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        return Trouble("APIConnectionError", f"the certificate of {base} is not trusted: {error}")
    if isinstance(error, aiohttp.InvalidURL):
        return Trouble("APIConnectionError", f"{base!r} is no address of an endpoint")
    if isinstance(error, aiohttp.ClientConnectorError):
        # Nobody listens, or no such name: seconds may mend it (a server that restarts), minutes hardly.
        return Trouble("APIConnectionError", f"cannot connect to {base}: {error.os_error}", tries=3)
    words = str(error) or type(error).__name__
    return Trouble("APIConnectionError", f"the connection to {base} broke: {words}", tries=None)


def _timeout(error: TimeoutError, base: str, policy: CallPolicy) -> Trouble:
    import aiohttp

    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Trouble("APITimeoutError", f"{base} cannot be reached in {policy.connect_timeout:g} s", tries=3)
    if isinstance(error, aiohttp.SocketTimeoutError):
        return Trouble("APITimeoutError", f"{base} sent nothing for {policy.stream_timeout:g} s", tries=None)
    return Trouble("APITimeoutError", f"{base} gave no answer in {policy.timeout:g} s", tries=None)
