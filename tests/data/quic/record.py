"""Record the datagrams of this folder anew: `unshare -Urn sh -c 'ip link set lo up; python record.py'`.

Listens on 127.0.0.1, lets each client ask by HTTP/3, keeps what it sends, and never answers.
Nothing here is run by the tests.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread

from curl_cffi import CurlError, CurlHttpVersion, CurlOpt
from curl_cffi.requests import Session

NAME = "blocked.example"
#: datagrams of the first flight: a hello with a post-quantum key share takes two
COUNT = 2
BROWSERS = ("chrome146", "firefox147", "safari2601")


def record(browser: str) -> list[bytes]:
    """The first datagrams of one client."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]

        def ask() -> None:
            options = {CurlOpt.RESOLVE: [f"{NAME}:{port}:127.0.0.1"]}
            with suppress(CurlError, OSError), Session(curl_options=options) as session:
                session.get(
                    f"https://{NAME}:{port}/",
                    impersonate=browser,
                    http_version=CurlHttpVersion.V3ONLY,
                    timeout=2,
                    verify=False,
                )

        asking = Thread(target=ask)
        asking.start()
        sent = [server.recv(65_535) for _ in range(COUNT)]
        asking.join()
    return sent


if __name__ == "__main__":
    for name in BROWSERS:
        for index, data in enumerate(record(name), 1):
            (Path(__file__).parent / f"{name}-{index}.bin").write_bytes(data)
