"""The lab's sites over HTTP/3, by aioquic: `h3_server.py FOLDER`, with the certificates that the lab has put there.

A program of its own, run on the lab host that serves, since Debian's nginx speaks no HTTP/3. It imports nothing of this
project. Each `*.quic.pem` is served at the addresses that stand in it, to the names that stand in it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from cryptography import x509

_PORT = 443
_READY = "ready"


class _Site(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *words: Any, address: str, names: set[str], folder: Path, **more: Any) -> None:
        super().__init__(*words, **more)
        self._address, self._names, self._folder = address, names, folder
        self._http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is not None:
            for told in self._http.handle_event(event):
                if isinstance(told, HeadersReceived):
                    self._answer(self._http, told)

    def _answer(self, http: H3Connection, request: HeadersReceived) -> None:
        said = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        name = said.get(":authority", "").partition(":")[0].lower()
        status, kind, body = self._content(name if name in self._names else "", said.get(":path", "/"))
        fields = {":status": str(status), "content-type": kind, "content-length": str(len(body))}
        http.send_headers(request.stream_id, [(one.encode(), value.encode()) for one, value in fields.items()])
        http.send_data(request.stream_id, body, end_stream=True)
        self.transmit()

    def _content(self, name: str, path: str) -> tuple[int, str, bytes]:
        """Status, type and body; `name`: "" for one that does not live here."""
        if path == "/":
            return 200, "text/plain", f"This is {name or 'the default site'} at {self._address}.\n".encode()
        if path == "/where":
            peer = self._quic._network_paths[0].addr[0]
            return 200, "text/plain", f"{str(peer).removeprefix('::ffff:')}\n".encode()
        if path == "/page":
            file = self._folder / f"{name or self._address}.html"
        else:
            file = self._folder / "object" / path.rpartition("/")[2]
        if path == "/page" or path.startswith("/object/"):
            try:
                return 200, "text/html" if path == "/page" else "application/octet-stream", file.read_bytes()
            except OSError:
                pass
        return 404, "text/plain", b"not found\n"


async def _serve(folder: Path) -> None:
    for file in sorted(folder.glob("*.quic.pem")):
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = set(said.get_values_for_type(x509.DNSName))
        for address in said.get_values_for_type(x509.IPAddress):
            configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
            configuration.load_cert_chain(file, folder / "site.key")

            def make(*words: Any, address: str = str(address), names: set[str] = names, **more: Any) -> _Site:
                return _Site(*words, address=address, names=names, folder=folder, **more)

            await serve(str(address), _PORT, configuration=configuration, create_protocol=make)
    print(_READY, flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
