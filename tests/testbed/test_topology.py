"""The shipped networks: paths, hops and addresses."""

from __future__ import annotations

import pytest

from testbed.topology import SHIPPED, Link, Node, Role, Topology, Way, national, shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_every_host_reaches_every_host_both_ways(name: str) -> None:
    topology = shipped(name)
    hosts = [node.name for node in topology.nodes if not node.role.forwards]
    for a in hosts:
        for b in hosts:
            if a != b:
                assert topology.path(a, b)[-1] == b


@pytest.mark.parametrize("name", SHIPPED)
def test_addresses_are_for_documentation_or_private_and_lie_in_their_blocks(name: str) -> None:
    from ipaddress import ip_address, ip_network

    allowed4 = [ip_network(n) for n in ("10.0.0.0/8", "203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")]
    for node in shipped(name).nodes:
        if not node.role.forwards:
            assert any(ip_address(node.ipv4) in net for net in allowed4)
            assert ip_address(node.ipv6) in ip_network("2001:db8::/32")
            assert node.block4 is not None
            assert ip_address(node.ipv4) in node.block4
            assert node.block6 is not None
            assert ip_address(node.ipv6) in node.block6


def test_the_first_client_is_ten_zero_zero_one() -> None:
    assert national().node("client").ipv4 == "10.0.0.1"
    assert national().node("client2").ipv4 == "10.0.4.1"


def test_hops_count_routers_and_the_box() -> None:
    topology = national(transit=3)
    assert topology.path("client", "web") == (
        "client", "isp", "box", "gateway", "transit1", "transit2", "transit3", "web"
    )  # fmt: skip
    assert topology.hops("client", "web") == 6
    assert topology.hops("client", "box") == 1
    assert topology.hops("box", "web") == 4


def test_boxes_stand_at_the_chosen_hops() -> None:
    topology = national(transit=3, boxes=(1, 3))
    assert topology.path("client", "web")[1:6] == ("isp", "box", "gateway", "transit1", "box2")


def test_an_asymmetric_network_bypasses_the_box_towards_the_subscriber_only() -> None:
    topology = shipped("asymmetric")
    assert "box" in topology.path("client", "web")
    assert "box" not in topology.path("web", "client")


def test_six_nodes_are_small() -> None:
    assert len(shipped("small").nodes) == 6


def test_the_delay_of_a_path_is_the_sum_of_its_links() -> None:
    assert national().delay("client", "web") == pytest.approx(0.004 + 0.015)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: national(boxes=(2, 1)), r"boxes at \[2, 1\]: rising places from 1 to 5"),
        (lambda: national(boxes=(9,)), "rising places from 1 to 5"),
        (lambda: national(subscribers=0), "0 subscribers: 1 to 60"),
        (lambda: national(access=("dialup",)), "access 'dialup': one of fixed, mobile, direct"),
        (lambda: national(boxes=(2,), asymmetric=True), "no box behind the ISP's router"),
        (lambda: shipped("nationl"), "no topology 'nationl'; did you mean 'national'?"),
        (lambda: national().node("clint"), "no host 'clint' in topology 'national'; did you mean 'client'?"),
        (lambda: Way(delay=0.01, jitter=0.02), "0 <= jitter <= delay"),
        (lambda: Way(rate=10), "at least 8000"),
        (lambda: Way(loss=1), "a share from 0"),
        (lambda: Node(name="much-too-long", role=Role.ROUTER), "1 to 10 letters and digits"),
        (lambda: Node(name="web", role=Role.WEB), "needs an IPv4 and an IPv6 address"),
        (lambda: Topology(name="t", nodes=(), links=(Link(a="a", b="b"),)), "there is no node 'a'"),
    ],
)
def test_a_wrong_network_cannot_be_built(wrong: object, message: str) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=message):
        wrong()


def test_a_queue_that_is_not_given_holds_a_tenth_of_a_second() -> None:
    assert Way().queue_packets is None
    assert Way(rate=100e6).queue_packets == 826
    assert Way(rate=1e6).queue_packets == 50
    assert Way(rate=1e6, queue=7).queue_packets == 7
