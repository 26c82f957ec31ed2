"""What clients say first, as real ones say it: TLS by Python's own OpenSSL, QUIC by aioquic. Nothing is sent."""

from __future__ import annotations

import ssl
from contextlib import suppress


def hello(name: str | None) -> bytes:
    """A ClientHello as Python's own TLS sends it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def flights(name: str, count: int) -> list[list[bytes]]:
    """The first datagrams of so many QUIC clients, each with keys of its own."""
    from aioquic.quic.configuration import QuicConfiguration  # here: it is large, and memory is measured
    from aioquic.quic.connection import QuicConnection

    made = []
    for _ in range(count):
        client = QuicConnection(
            configuration=QuicConfiguration(is_client=True, server_name=name, alpn_protocols=["h3"])
        )
        client.connect(("203.0.113.5", 443), now=0.0)
        made.append([data for data, _ in client.datagrams_to_send(now=0.0)])
    return made
