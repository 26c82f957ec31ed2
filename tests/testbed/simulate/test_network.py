"""Packets through the shipped topologies: hop counts, times, boxes in series, one-sided views."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6TimeExceeded, IPv6

from middlebox.policy import Policy
from testbed.simulate.network import WIRE_NS, Network
from testbed.simulate.packet import Packet
from testbed.topology import Topology, shipped
from tests.middlebox.dialogue import policy


def packed(text: str) -> bytes:
    return ip_address(text).packed


class Nodes:
    """A network whose hosts keep what comes, with the milliseconds."""

    def __init__(self, topology: Topology | str = "national", **boxes: Policy) -> None:
        self.network = Network(shipped(topology) if isinstance(topology, str) else topology, seed=1)
        self.got: list[tuple[str, float, bytes]] = []
        for node in self.network.topology.nodes:
            if not node.role.forwards:
                self.network.attach(node.name, self._keeper(node.name))
        for name, told in boxes.items():
            self.network.install(name, told)

    def _keeper(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return lambda packet: self.got.append((name, self.network.clock.elapsed_s * 1_000, packet.raw))

    def send(self, name: str, raw: object) -> None:
        packet = Packet.of(bytes(raw))  # type: ignore[call-overload]
        assert packet is not None
        self.network.send(name, packet)

    def run(self) -> list[tuple[str, float, bytes]]:
        self.network.clock.run()
        return self.got


def question(ttl: int = 64, dst: str = "203.0.113.1", src: str = "10.0.0.1") -> object:
    return IP(src=src, dst=dst, ttl=ttl, id=7) / UDP(sport=40_000, dport=2_000) / b"question"


def test_a_packet_arrives_after_the_links_delays_with_its_ttl_lowered_by_each_router() -> None:
    nodes = Nodes()
    nodes.send("client", question())
    ((name, at, raw),) = nodes.run()
    topology = nodes.network.topology
    seen = IP(raw)
    assert name == "web"
    assert seen.ttl == 64 - topology.hops("client", "web")
    assert at == pytest.approx(1_000 * topology.delay("client", "web") + WIRE_NS / 1e6, abs=0.01)
    right = seen.chksum
    del seen.chksum
    assert IP(bytes(seen)).chksum == right


@pytest.mark.parametrize("ttl", range(1, 8))
def test_each_hop_answers_for_what_runs_out_in_it(ttl: int) -> None:
    nodes = Nodes()
    nodes.send("client", question(ttl))
    ((name, _, raw),) = nodes.run()
    path = nodes.network.topology.path("client", "web")
    if ttl > nodes.network.hops("client", "web"):
        assert name == "web"
        return
    seen = IP(raw)
    assert (name, seen[ICMP].type) == ("client", 11)
    assert nodes.network._routes.owner(packed(seen.src)) == path[ttl]
    assert seen.ttl == 64 - ttl + 1


@pytest.mark.parametrize("ttl", [1, 2, 3, 64])
def test_ipv6_does_the_same(ttl: int) -> None:
    nodes = Nodes()
    nodes.send("client", IPv6(src="2001:db8:1:1::5", dst="2001:db8:203::1", hlim=ttl) / UDP(dport=9) / b"six")
    ((name, _, raw),) = nodes.run()
    if ttl == 64:
        assert (name, IPv6(raw).hlim) == ("web", 64 - nodes.network.hops("client", "web"))
    else:
        assert name == "client"
        assert IPv6(raw)[ICMPv6TimeExceeded].type == 3


DROP_ALL = """
name: drop
rules: [{name: all, match: {transport: udp, server.port: 2000}, action: {drop: packet}}]
"""


def test_a_box_in_the_path_drops_and_logs_in_the_form_of_a_live_one() -> None:
    nodes = Nodes(box=policy(DROP_ALL))
    nodes.send("client", question())
    assert nodes.run() == []
    (line,) = nodes.network.log()
    said = json.loads(line)
    assert (said["box"], said["verdict"], said["rule"], said["packet"]) == ("box", "drop", "all", 0)
    assert said["flow"] == "udp 10.0.0.1:40000>203.0.113.1:2000"


def test_boxes_in_series_each_see_what_the_one_before_let_go() -> None:
    nodes = Nodes("two-boxes", box=policy("name: none\nrules: []"), box2=policy(DROP_ALL))
    nodes.send("client", question())
    nodes.send("web", question(dst="10.0.0.1", src="203.0.113.1"))
    nodes.run()
    assert {json.loads(line)["box"] for line in nodes.network.log()} == {"box2"}
    # the first one saw the question alone, the second one saw both and dropped both
    assert [nodes.network.boxes[name].packets for name in ("box", "box2")] == [1, 2]


def test_an_asymmetric_return_passes_beside_the_box() -> None:
    nodes = Nodes("asymmetric", box=policy("name: none\nrules: []"))
    nodes.send("client", question())
    nodes.send("web", question(dst="10.0.0.1", src="203.0.113.1"))
    assert sorted(name for name, _, _ in nodes.run()) == ["client", "web"]
    assert nodes.network.boxes["box"].packets == 1


def test_what_has_no_route_is_answered_by_the_first_router() -> None:
    nodes = Nodes()
    nodes.send("client", question(dst="192.0.2.213"))
    ((name, _, raw),) = nodes.run()
    assert (name, IP(raw)[ICMP].type, IP(raw)[ICMP].code) == ("client", 3, 0)
    assert nodes.network._routes.owner(packed(IP(raw).src)) == "isp"


def test_what_has_a_wrong_checksum_goes_nowhere() -> None:
    nodes = Nodes()
    nodes.send("client", IP(src="10.0.0.1", dst="203.0.113.1", chksum=1) / UDP(sport=1, dport=2) / b"x")
    assert nodes.run() == []
    assert nodes.network.unroutable == 1


def test_hosts_and_boxes_are_what_the_topology_calls_so() -> None:
    nodes = Nodes("small")
    for wrong in ("client", "isp", "box"):
        with pytest.raises(ValueError, match=f"'{wrong}' of topology 'small' is no host, or is attached"):
            nodes.network.attach(wrong, lambda _: None)
    with pytest.raises(ValueError, match="'isp' of topology 'small' is no box"):
        nodes.network.install("isp", policy(DROP_ALL))


def test_watchers_see_what_hosts_send_and_get() -> None:
    nodes = Nodes("small")
    seen: list[tuple[str, str, int]] = []
    nodes.network.watch(lambda name, way, t_ns, raw: seen.append((name, way, IP(raw).ttl)))
    nodes.send("client", question())
    nodes.run()
    assert seen == [("client", "out", 64), ("web", "in", 64 - nodes.network.hops("client", "web"))]
