"""The simulated web server over HTTP/3 (RFC 9114): the pages of `simulate.web`, at the same addresses.

Each address has one certificate, for itself and for all names that live there, so that a name which lives elsewhere
does not match. Neither Retry nor resumption.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from aioquic._buffer import Buffer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionIdIssued, ConnectionIdRetired, ConnectionTerminated, ProtocolNegotiated
from aioquic.quic.packet import QuicPacketType, encode_quic_version_negotiation, pull_quic_header
from aioquic.tls import load_pem_private_key, load_pem_x509_certificates

from testbed.simulate.certificates import site_pem
from testbed.simulate.clock import Clock
from testbed.simulate.quic.chance import QuicChance
from testbed.simulate.quic.end import Place, QuicEnd
from testbed.simulate.web import Answer

#: gives the answer to a request: name, path, the field Range, and who asks
Answering = Callable[[str, str, str, str], Answer]


class QuicServer:
    """What listens at one address."""

    def __init__(
        self,
        names: tuple[str, ...],
        addresses: tuple[str, ...],
        clock: Clock,
        random: Random,
        send: Callable[[bytes, Place], None],
        answer: Answering,
    ) -> None:
        self._clock, self._send, self._answer = clock, send, answer
        self._chance = QuicChance(random)
        self._ends: dict[bytes, _Serving] = {}  # by connection ID
        pem = site_pem(names, addresses).encode()
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        self._configuration.certificate = load_pem_x509_certificates(pem)[0]
        self._configuration.private_key = load_pem_private_key(pem)

    def take(self, data: bytes, remote: Place) -> None:
        """A datagram has come."""
        configuration = self._configuration
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=configuration.connection_id_length)
        except ValueError:
            return
        cid, version = header.destination_cid, header.version
        if version and version not in configuration.supported_versions:  # RFC 9000, 6.1
            with self._chance:
                self._send(
                    encode_quic_version_negotiation(
                        source_cid=cid,
                        destination_cid=header.source_cid,
                        supported_versions=configuration.supported_versions,
                    ),
                    remote,
                )
            return
        serving = self._ends.get(cid)
        if serving is None and header.packet_type is QuicPacketType.INITIAL and len(data) >= SMALLEST_MAX_DATAGRAM_SIZE:
            with self._chance:
                connection = QuicConnection(configuration=configuration, original_destination_connection_id=cid)
            serving = _Serving(QuicEnd(connection, self._clock, self._chance, self._send), self._answer, remote[0])
            serving.end.happened = partial(self._go_on, serving)
            self._ends[cid] = self._ends[connection.host_cid] = serving
        if serving is not None:
            serving.end.take(data, remote)

    def _go_on(self, serving: _Serving) -> None:
        """Answer what was asked, and know the connection by its IDs."""
        end, asked = serving.end, False
        while end.events:
            event = end.events.popleft()
            if isinstance(event, ConnectionIdIssued):
                self._ends[event.connection_id] = serving
            elif isinstance(event, ConnectionIdRetired):
                self._ends.pop(event.connection_id, None)
            elif isinstance(event, ConnectionTerminated):
                for cid in [cid for cid, one in self._ends.items() if one is serving]:
                    del self._ends[cid]
            elif isinstance(event, ProtocolNegotiated):
                serving.http = H3Connection(end.connection)
            if serving.http is not None:
                for told in serving.http.handle_event(event):
                    if isinstance(told, HeadersReceived):
                        serving.asked(told)
                        asked = True
        if asked:
            end.go_on()


class _Serving:
    """One connection."""

    def __init__(self, end: QuicEnd, answer: Answering, asker: str) -> None:
        self.end = end
        self.http: H3Connection | None = None
        self._answer = answer
        self._asker = asker

    def asked(self, request: HeadersReceived) -> None:
        """Send the answer to a request (RFC 9114, 4.1)."""
        assert self.http is not None
        said = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        name = said.get(":authority", "").partition(":")[0].lower()
        answer = self._answer(name, said.get(":path", "/"), said.get("range", ""), self._asker)
        fields = [(b":status", str(answer.status).encode()), (b"content-type", answer.kind.encode())]
        fields += [(b"content-length", str(len(answer.body)).encode())]
        fields += [(one.lower().encode(), value.encode()) for one, value in answer.fields.items()]
        self.http.send_headers(request.stream_id, fields)
        self.http.send_data(request.stream_id, answer.body, end_stream=True)
