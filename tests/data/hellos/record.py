"""Record the ClientHellos of this folder anew: `unshare -Urn sh -c 'ip link set lo up; python record.py'`.

Listens on 127.0.0.1, lets each client connect, keeps what it sends before anything is answered, and hangs up.
Nothing here is run by the tests.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from curl_cffi import CurlError, CurlOpt
from curl_cffi.requests import Session

NAME = "blocked.example"
#: seconds that a client may stay silent after it has begun
_SILENCE = 1.0
BROWSERS = ("chrome120", "chrome133a", "firefox133", "firefox144", "safari155", "safari184", "tor145")


def record(client: Callable[[int], None]) -> bytes:
    """What a client that is told a port sends first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        asking = Thread(target=client, args=(server.getsockname()[1],))
        asking.start()
        server.settimeout(10)
        with server.accept()[0] as connection:
            connection.settimeout(_SILENCE)
            sent = b""
            with suppress(TimeoutError):
                while data := connection.recv(65_536):
                    sent += data
        asking.join()
    return sent


def python(change: Callable[[ssl.SSLContext], None], name: str | None = NAME) -> Callable[[int], None]:
    """A client made of Python's ssl module."""

    def ask(port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        change(context)
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
            context.wrap_socket(connection, server_hostname=name)

    return ask


def command(*words: str) -> Callable[[int], None]:
    """A client that is a command; PORT in its words becomes the port."""

    def ask(port: int) -> None:
        told = [word.replace("PORT", str(port)) for word in words]
        subprocess.run(told, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20)

    return ask


def browser(kind: str) -> Callable[[int], None]:
    """A client that curl_cffi makes look like a browser."""

    def ask(port: int) -> None:
        resolve = {CurlOpt.RESOLVE: [f"{NAME}:{port}:127.0.0.1"]}
        with suppress(CurlError), Session(curl_options=resolve) as session:
            session.get(f"https://{NAME}:{port}/", impersonate=kind, timeout=5)

    return ask


def _plain(context: ssl.SSLContext) -> None:
    pass


def _only_12(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _only_13(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def _alpn(context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["h2", "http/1.1"])


def main() -> None:
    address = "127.0.0.1:PORT"
    clients: dict[str, Callable[[int], None]] = {
        "python-default": python(_plain),
        "python-tls12": python(_only_12),
        "python-tls13": python(_only_13),
        "python-alpn": python(_alpn),
        "python-no-sni": python(_plain, None),
        "curl": command("curl", "-sk", "--resolve", f"{NAME}:PORT:127.0.0.1", f"https://{NAME}:PORT/"),
        "openssl-default": command("openssl", "s_client", "-connect", address, "-servername", NAME),
        "openssl-tls12-alpn": command(
            *("openssl", "s_client", "-connect", address, "-servername", NAME, "-tls1_2", "-alpn", "http/1.1")
        ),
        "openssl-many-groups": command(
            *("openssl", "s_client", "-connect", address, "-servername", NAME),
            *("-groups", "P-521:P-384:P-256:X25519:X448:ffdhe2048"),
        ),
        **{kind: browser(kind) for kind in BROWSERS},
    }
    folder = Path(__file__).parent
    for name, client in clients.items():
        sent = record(client)
        (folder / f"{name}.bin").write_bytes(sent)
        print(f"{name}: {len(sent)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
