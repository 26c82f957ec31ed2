"""What `tc` and `iptables-restore` are told."""

from __future__ import annotations

from testbed.emulate.links import delay_rules, traffic_control
from testbed.topology import Way


def test_a_link_that_slows_nothing_needs_no_line() -> None:
    assert traffic_control("a-eth0", Way(), netem=True) == []


def test_a_rate_alone_is_a_token_bucket_with_the_given_queue() -> None:
    (line,) = traffic_control("a-eth0", Way(rate=8e6, queue=10), netem=True)
    assert line == "qdisc add dev a-eth0 root handle 10: tbf rate 8000000bit burst 4000 limit 15140"


def test_without_netem_only_the_rate_is_for_tc() -> None:
    assert len(traffic_control("a-eth0", Way(rate=1e6, delay=0.02), netem=False)) == 1
    assert traffic_control("a-eth0", Way(delay=0.02, loss=0.1), netem=False) == []


def test_netem_delays_first_and_the_rate_comes_after() -> None:
    first, second = traffic_control("a-eth0", Way(rate=1e6, delay=0.02, loss=0.015), netem=True)
    assert first == "qdisc add dev a-eth0 root handle 1: netem limit 100000 delay 20000us loss random 1.500000%"
    assert second.startswith("qdisc add dev a-eth0 parent 1:1 handle 10: tbf")


def test_jitter_keeps_the_order_unless_reordering_is_asked_for() -> None:
    (kept,) = traffic_control("a-eth0", Way(delay=0.02, jitter=0.005), netem=True)
    (mixed,) = traffic_control("a-eth0", Way(delay=0.02, jitter=0.005, reorder=True), netem=True)
    assert kept.endswith("delay 20000us 5000us rate 100gbit")
    assert mixed.endswith("delay 20000us 5000us")


def test_packets_are_held_where_they_leave_a_router_or_come_from_a_host() -> None:
    assert delay_rules({("-o", "isp-eth1"): 1000, ("-i", "isp-eth0"): 1001}).splitlines() == [
        "*mangle",
        "-A POSTROUTING -o isp-eth1 -j NFQUEUE --queue-num 1000",
        "-A PREROUTING -i isp-eth0 -j NFQUEUE --queue-num 1001",
        "COMMIT",
    ]
