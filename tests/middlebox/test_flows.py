"""The table of flows: who is who, silence, and its bounds."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.packet import Packet

from middlebox.ability import Ability, Limits, Tcp
from middlebox.flows import FlowTable
from middlebox.packet import PacketView, view
from middlebox.verdict import Direction

S = 1_000_000_000


def seen(packet: Packet) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


def datagram(sport: int, *, back: bool = False) -> PacketView:
    if back:
        return seen(IP(src="203.0.113.5", dst="10.0.0.1") / UDP(sport=53, dport=sport))
    return seen(IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=sport, dport=53))


def table(flows: int = 100, idle_s: int = 600) -> FlowTable:
    return FlowTable(Ability(limits=Limits(flows=flows), tcp=Tcp(idle_ns=idle_s * S)))


def test_both_directions_find_the_same_flow() -> None:
    flows = table()
    made = flows.make(datagram(1000), 0, from_server=False)
    assert flows.find(datagram(1000), 1) is made
    assert flows.find(datagram(1000, back=True), 2) is made
    assert flows.find(datagram(1001), 3) is None
    assert made.direction(datagram(1000)) is Direction.TO_SERVER
    assert made.direction(datagram(1000, back=True)) is Direction.TO_CLIENT


def test_a_flow_that_is_met_by_its_answer_first_has_the_same_client() -> None:
    flows = table()
    assert flows.make(datagram(1000, back=True), 0, from_server=True).text == "udp 10.0.0.1:1000>203.0.113.5:53"


def test_silence_beyond_the_limit_forgets_and_each_packet_begins_it_anew() -> None:
    flows = table(idle_s=60)
    flows.make(datagram(1000), 0, from_server=False)
    assert flows.find(datagram(1000), 59 * S) is not None
    assert flows.find(datagram(1000), 118 * S) is not None
    assert flows.find(datagram(1000), 179 * S) is None
    assert (len(flows), flows.expired) == (0, 1)


def test_the_flow_that_was_silent_longest_goes_first() -> None:
    flows = table(flows=3)
    for index in range(3):
        flows.make(datagram(1000 + index), index * 10 * S, from_server=False)
    assert flows.find(datagram(1000), 40 * S) is not None  # the oldest speaks again
    flows.make(datagram(2000), 50 * S, from_server=False)
    assert flows.find(datagram(1001), 51 * S) is None
    assert flows.find(datagram(1000), 51 * S) is not None
    assert flows.evicted == 1


def test_old_flows_are_swept_out_while_new_ones_come() -> None:
    flows = table(flows=1000, idle_s=10)
    for index in range(100):
        flows.make(datagram(1000 + index), 0, from_server=False)
    for index in range(60):
        flows.make(datagram(3000 + index), 20 * S, from_server=False)
    assert len(flows) == 60
