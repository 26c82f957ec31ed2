"""DNS messages against scapy's, and look-ups in virtual time."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR
from simpy.events import Event

from testbed import failure
from testbed.simulate.host import Host
from testbed.simulate.names import AAAA, A, Found, look_up, query, question, read_reply, serve_names
from testbed.simulate.network import Network
from testbed.sites import DEFAULT
from testbed.topology import shipped


def test_a_question_is_read_by_scapy() -> None:
    seen = DNS(query("Blocked.example", AAAA, 77))
    assert (seen.id, seen.qr, seen.rd, seen.ad, seen.arcount) == (77, 0, 1, 1, 1)
    assert (seen.qd[0].qname, seen.qd[0].qtype) == (b"Blocked.example.", 28)
    assert question(query("Blocked.example", AAAA, 77)) == ("blocked.example", 28)


def test_an_answer_of_scapy_is_read() -> None:
    answer = DNS(
        id=5,
        qr=1,
        qd=DNSQR(qname="a.example"),
        an=[DNSRR(rrname="a.example", rdata="203.0.113.9"), DNSRR(rrname="a.example", type="TXT", rdata="x")],
    )
    read = read_reply(bytes(answer))
    assert read is not None
    assert (read.ident, read.code, read.name, read.addresses) == (5, "NOERROR", "a.example", ("203.0.113.9",))
    assert read_reply(query("a.example", A, 5)) is None


@given(st.binary(max_size=80))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    question(data)
    read_reply(data)
    read_reply(b"\0\0\x80\0\0\1\0\1\0\0\0\0" + data)


def test_pointers_in_a_circle_end() -> None:
    assert read_reply(b"\0\0\x80\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1") is None


class Asking:
    """A client and a resolver."""

    def __init__(self) -> None:
        self.network = Network(shipped("small"), seed=1)
        self.client, self.dns = Host(self.network, "client"), Host(self.network, "dns")
        serve_names(self.dns, DEFAULT)

    def ask(self, name: str, *, server: str = "198.51.100.53", **options: int) -> Found:
        asking = self.network.clock.process(
            look_up(self.client, server, name, random=Random(1), limit_s=2.0, **options)  # type: ignore[arg-type]
        )
        self.network.clock.run(until=asking)
        found = asking.value
        assert isinstance(found, Found)
        return found


def test_sites_have_their_addresses_and_other_names_none() -> None:
    asking = Asking()
    assert asking.ask("blocked.example").addresses == ("203.0.113.10",)
    assert asking.ask("BLOCKED.example", family=6).addresses == ("2001:db8:203::10",)
    assert asking.ask("nobody.example").failure == failure.DNS_NXDOMAIN


def test_silence_and_refusal_are_told_apart() -> None:
    asking = Asking()
    asked = asking.ask("blocked.example", server="198.51.100.54")
    assert (asked.failure, asked.seconds) == (failure.TIMEOUT, 2.0)
    Host(asking.network, "web")
    assert asking.ask("blocked.example", server="203.0.113.1").failure == failure.REFUSED
    assert asking.ask("blocked.example", server="8.8.8.8").failure == failure.NETWORK_UNREACHABLE


def test_an_answer_with_another_number_is_not_believed() -> None:
    asking = Asking()
    asking.client.incoming = lambda raw: [raw[:28] + b"\xff\xff" + raw[30:]]  # the checksum is then wrong as well
    assert asking.ask("blocked.example").failure == failure.TIMEOUT


@pytest.mark.parametrize("ident", [0, 77])
def test_the_first_answer_that_fits_wins(ident: int) -> None:
    asking = Asking()
    clock = asking.network.clock

    def forge() -> Generator[Event, Any, None]:
        """Answer before the resolver does, from its address."""
        yield clock.wait(0.000_001)
        socket = asking.client
        (port,) = (one for _, one in socket._sockets)
        name = "blocked.example"
        number = ident or Random(1).getrandbits(16)
        answer = DNS(id=number, qr=1, qd=DNSQR(qname=name), an=DNSRR(rrname=name, rdata="192.0.2.1"))
        socket._sockets[b"", port].take(bytes(answer), ("198.51.100.53", 53), "10.0.0.1")

    clock.process(forge())
    assert asking.ask("blocked.example").addresses == (("203.0.113.10",) if ident else ("192.0.2.1",))
