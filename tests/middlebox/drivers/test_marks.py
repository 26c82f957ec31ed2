"""Flows that have a mark: found again by their ends, and not more of them than there is room for."""

from __future__ import annotations

import socket

from middlebox.drivers.conntrack import Tuple
from middlebox.drivers.marks import Marked, flow_of
from middlebox.verdict import Ends


def test_a_flows_text_gives_its_ends() -> None:
    assert flow_of("tcp 10.0.0.1:40000>203.0.113.5:443") == Tuple(
        6, bytes([10, 0, 0, 1]), 40000, bytes([203, 0, 113, 5]), 443
    )
    six = flow_of("udp [2001:db8::1]:5000>[2001:db8::5]:53")
    assert six is not None
    assert (six.proto, six.src_port, six.dst_port) == (17, 5000, 53)
    assert socket.inet_ntop(socket.AF_INET6, six.dst) == "2001:db8::5"
    assert flow_of("ip-47 10.0.0.1>10.0.0.2") is None
    assert flow_of("") is None


def _flow(client: int, port: int, server: int) -> Tuple:
    return Tuple(6, bytes([10, 0, 0, client]), port, bytes([203, 0, 113, server]), 443)


def test_flows_are_found_again_by_the_ends_that_count() -> None:
    marked = Marked()
    flows = [_flow(1, 1000, 5), _flow(1, 1001, 5), _flow(1, 1000, 6), _flow(2, 1000, 5)]
    for flow in flows:
        assert marked.add(flow) is None
    one, five = bytes([10, 0, 0, 1]), bytes([203, 0, 113, 5])
    assert marked.take(Ends(one, 0, five, 80)) == []
    assert marked.take(Ends(one, 1001, five, 443)) == [flows[1]]
    assert marked.take(Ends(one, 0, five, 443)) == [flows[0]]
    assert marked.take(Ends(b"", 0, five, 0)) == [flows[3]]
    assert marked.take(Ends(one, 0, b"", 0)) == [flows[2]]
    assert len(marked) == 0


def test_the_flow_that_was_marked_first_goes_when_there_are_too_many() -> None:
    marked = Marked(2)
    flows = [_flow(1, port, 5) for port in (1, 2, 3)]
    assert [marked.add(flow) for flow in flows] == [None, None, flows[0]]
    assert marked.take(Ends(b"", 0, b"", 0)) == flows[1:]
