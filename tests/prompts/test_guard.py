from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from penstock.errors import InputError
from penstock.prompts import guard
from penstock.prompts.guard import FetchRefused, fetch
from penstock.prompts.image import ImageRules, load_images, to_image

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 12


class Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        type(self).seen.append((self.path, self.headers["Host"]))
        kind, _, rest = self.path[1:].partition("/")
        match kind:
            case "to":
                self.send_response(302)
                self.send_header("Location", rest)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "big":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 2000)
            case "claims":
                self.send_response(200)
                self.send_header("Content-Length", "99999999")
                self.end_headers()
            case "gzip":
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.end_headers()
            case "slow":
                try:
                    for _ in range(100):
                        self.wfile.write(b"H")
                        self.wfile.flush()
                        time.sleep(0.05)
                except OSError:
                    pass
            case "missing":
                self.send_error(404)
            case _:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(PNG)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


REFUSED = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.1.1", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:808:808::", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a9fe:a9fe",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_of_no_public_machine_are_refused(address: str) -> None:
    assert guard.refusal(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert guard.refusal(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize("address", ["169.254.169.254", "168.63.129.16", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_metadata_services_are_refused_even_where_local_addresses_are_not(address: str) -> None:
    assert guard.refusal(ipaddress.ip_address(address), allow_local=True)
    assert guard.refusal(ipaddress.ip_address("127.0.0.1"), allow_local=True) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
    ],
)
def test_every_spelling_of_this_machine_is_refused(host: str, server: str) -> None:
    with pytest.raises(FetchRefused):
        fetch(f"http://{host}:{server.rpartition(':')[2]}/a.png")
    assert Handler.seen == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/a", "scheme"),
        ("gopher://example.com/a", "scheme"),
        ("http:///a", "no host"),
        ("http://user:pw@example.com/", "user name"),
        ("http://example.com\\@127.0.0.1/", "backslash"),
        ("http://exa mple.com/", "space"),
        ("http://example.com/\r\nHost: x", "control"),
        ("http://example.com:99999/", "malformed"),
        ("http://[::1/", "malformed"),
    ],
)
def test_odd_urls_are_refused_before_anything_is_resolved(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with pytest.raises(FetchRefused, match=reason):
        fetch(url)


def test_local_addresses_can_be_allowed(server: str, tmp_path: Path) -> None:
    rules = ImageRules(local_urls=True)
    image = to_image(f"{server}/a.png?x=1", tmp_path, rules=rules)
    assert (image, image.source_url, image.mime_type) == (PNG, f"{server}/a.png?x=1", "image/png")
    assert Handler.seen == [("/a.png?x=1", server.removeprefix("http://"))]
    assert load_images({"data:image/png;url": f"{server}/b"}, folder=tmp_path, rules=rules) == PNG
    vision = {"type": "image_url", "image_url": {"url": f"{server}/c"}}
    assert load_images(vision, folder=tmp_path, message_format="openai-vision", rules=rules) == PNG
    with pytest.raises(
        InputError, match=r"was not fetched: the host '127\.0\.0\.1' is refused: .* not a public address"
    ):
        to_image(f"{server}/a.png", tmp_path)


def test_redirects_are_followed_and_checked_again(server: str) -> None:
    assert fetch(f"{server}/to//b.png", allow_local=True) == PNG
    with pytest.raises(FetchRefused, match="metadata"):
        fetch(f"{server}/to/http://169.254.169.254/latest", allow_local=True)
    with pytest.raises(FetchRefused, match="scheme"):
        fetch(f"{server}/to/file:///etc/passwd", allow_local=True)
    with pytest.raises(FetchRefused, match="more than 5"):
        fetch(f"{server}/to/" * 7, allow_local=True)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("big", "larger"),
        ("claims", "larger"),
        ("gzip", "compressed"),
        ("missing", "answered 404"),
        ("slow", "too long"),
    ],
)
def test_what_is_too_large_too_slow_or_an_error_is_refused(server: str, path: str, reason: str) -> None:
    with pytest.raises(FetchRefused, match=reason):
        fetch(f"{server}/{path}", allow_local=True, max_bytes=1000, seconds=0.4 if path == "slow" else 20)


def test_a_name_is_resolved_once_and_all_its_addresses_count(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.rpartition(":")[2])
    answers = [["8.8.8.8", "127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(FetchRefused, match="not a public address"):
        fetch(f"http://rebind.example:{port}/a")
    assert fetch(f"http://rebind.example:{port}/a", allow_local=True) == PNG
    assert asked == ["rebind.example"] * 2
    assert Handler.seen == [("/a", f"rebind.example:{port}")]


def certificate_for(host: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{host}.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_the_certificate_is_that_of_the_name_not_of_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate_for("pictures.example", tmp_path)
    named: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    serving.sni_callback = lambda _socket, name, _context: named.append(name)
    Handler.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.socket = serving.wrap_socket(running.socket, server_side=True)
        port = running.server_port
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)
        trusting = ssl.create_default_context(cafile=file)
        with pytest.raises(FetchRefused, match="CertVerif"):
            fetch(f"https://pictures.example:{port}/a", allow_local=True)
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        with pytest.raises(FetchRefused, match="CertVerif"):
            fetch(f"https://other.example:{port}/a", allow_local=True)
        assert fetch(f"https://pictures.example:{port}/a", allow_local=True) == PNG
        running.shutdown()
        thread.join()
    assert named == ["pictures.example", "other.example", "pictures.example"]
    assert Handler.seen == [("/a", f"pictures.example:{port}")]
