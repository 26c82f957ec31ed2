"""The kernel's side of the network: routes, hops, addresses, settings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from testbed.lab import Lab
from testbed.topology import SHIPPED, Role, shipped

pytestmark = pytest.mark.lab

#: send UDP with rising TTL from an address, print who answers: a router (time exceeded) or the target (port closed)
TRACE = """
import json, select, socket, sys
target, source = sys.argv[1:3]
six = ":" in target
found = []
for ttl in range(1, 20):
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0))
    s.setsockopt(41 if six else 0, 25 if six else 11, 1)  # RECVERR
    s.setsockopt(41 if six else 0, 16 if six else 2, ttl)
    s.sendto(b"x", (target, 33434))
    poll = select.poll()
    poll.register(s, 0)  # POLLERR is always reported
    if not poll.poll(5000):
        found.append(None)
        break
    error = s.recvmsg(100, 1000, socket.MSG_ERRQUEUE)[1][0][2]
    where = error[16:][8:24] if six else error[16:][4:8]
    found.append(socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, where))
    if found[-1] == target:
        break
print(json.dumps(found))
"""


def trace(lab: Lab, host: str, target: str, source: str) -> list[str]:
    done = lab.host(host).run([sys.executable, "-c", TRACE, target, source], timeout=30)
    assert done.status == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module", params=[name for name in SHIPPED if name != "small"])
def network(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(topology=request.param) as lab:
        yield lab


def test_ttl_limited_packets_die_at_the_hop_that_the_topology_says(network: Lab) -> None:
    topology = network.topology
    for target in ("203.0.113.10", "2001:db8:203::10"):
        six = ":" in target
        client = topology.having(Role.SUBSCRIBER)[0]
        found = trace(network, client.name, target, client.ipv6 if six else client.ipv4)
        assert None not in found
        assert len(found) == topology.hops(client.name, "web") + 1
        assert found[-1] == target
        assert len(set(found)) == len(found)


def test_subscribers_send_from_any_address_of_their_block(lab: Lab) -> None:
    assert trace(lab, "client", "203.0.113.10", "10.0.3.200")[-1] == "203.0.113.10"
    assert trace(lab, "client", "2001:db8:203::10", "2001:db8:1:1::abcd")[-1] == "2001:db8:203::10"


def test_packets_to_subscribers_bypass_the_box_of_an_asymmetric_network() -> None:
    with Lab(topology=shipped("asymmetric")) as lab:
        count = "cat /sys/class/net/box-eth{0,1}/statistics/rx_packets"
        before = lab.host("box").run(["bash", "-c", count]).stdout.split()
        assert lab.client.run(["curl", "-sS", "http://203.0.113.10/object/100k", "-o", "/dev/null"]).status == 0
        after = lab.host("box").run(["bash", "-c", count]).stdout.split()
        towards_server, towards_client = (int(b) - int(a) for a, b in zip(before, after, strict=True))
        assert towards_server > 10
        assert towards_client < 10  # nothing but what the kernel says for itself


#: print the congestion control of a connection; "serve" prints that of the first one that is accepted
CONTROL = """
import socket, sys
if sys.argv[1] == "serve":
    s = socket.create_server(("203.0.113.10", 5001))
    print("ready", flush=True)
    s = s.accept()[0]
else:
    s = socket.create_connection(("203.0.113.10", 5001), 5)
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).strip(b"\\0").decode())
s.recv(1)
"""


def controls(lab: Lab) -> tuple[str, str]:
    """The congestion control of both ends of a connection."""
    read, write = os.pipe()
    server = lab.host("web").start([sys.executable, "-c", CONTROL, "serve"], stdout=write)
    os.close(write)
    with os.fdopen(read) as said:
        assert said.readline() == "ready\n"
        client = lab.client.run([sys.executable, "-c", CONTROL.replace("s.recv(1)", ""), "ask"], timeout=10)
        at_server = said.readline().strip()
    server.close()
    return client.stdout.strip(), at_server


def test_connections_have_the_congestion_control_that_the_facts_name(lab: Lab) -> None:
    assert lab.facts()["congestion_control"] == "cubic"
    assert controls(lab) == ("cubic", "cubic")


def test_another_congestion_control_can_be_asked_for() -> None:
    with Lab(topology="small", congestion="reno") as lab:
        assert controls(lab) == ("reno", "reno")


def test_nodes_keep_nothing_between_attempts_and_check_no_reverse_path(lab: Lab) -> None:
    for host in lab.hosts.values():
        said = host.run(
            ["sh", "-c", "cd /proc/sys/net/ipv4; cat tcp_no_metrics_save conf/all/rp_filter icmp_ratelimit"]
        )
        assert said.stdout.split() == ["1", "0", "0"]


def test_there_is_no_way_out_of_the_lab(lab: Lab) -> None:
    said = lab.host("web").run(["sh", "-c", "ip -br link | cut -d' ' -f1 | cut -d@ -f1"]).stdout.split()
    assert "web-eth0" in said
    assert not [name for name in said if name.startswith(("eth", "en", "wl", "docker"))]
