"""How the kernel is told to slow a link: by netem where it has it, else by the delay line; the rate by TBF.

Makes texts only (batches of `tc`, tables of `iptables-restore`); who runs them is `network`. In both cases a packet
first takes its delay and then waits for the rate, so the two means differ in precision and not in kind.
"""

from __future__ import annotations

from testbed.topology import Way

#: the first queue number of the delay line; the boxes have the lower ones
FIRST_QUEUE = 1000
#: seconds of the rate that TBF may send at once; shorter, and a busy machine's timers cost goodput
_BURST = 0.004
_FRAME = 1514
#: room for what is under way on the link, not a queue that anybody waits in
_UNDER_WAY = 100_000


def _tbf(interface: str, parent: str, way: Way) -> list[str]:
    if way.rate is None or way.queue_packets is None:
        return []
    burst = max(2 * _FRAME + 100, round(way.rate / 8 * _BURST))
    limit = way.queue_packets * _FRAME
    return [f"qdisc add dev {interface} {parent} handle 10: tbf rate {way.rate:.0f}bit burst {burst} limit {limit}"]


def traffic_control(interface: str, way: Way, *, netem: bool) -> list[str]:
    """The lines of a `tc -batch` for one direction of a link; none for a link that slows nothing."""
    if not (way.impaired and netem):
        return _tbf(interface, "root", way)
    words = f"qdisc add dev {interface} root handle 1: netem limit {_UNDER_WAY} delay {way.delay * 1e6:.0f}us"
    if way.jitter:
        words += f" {way.jitter * 1e6:.0f}us"
    if way.loss:
        words += f" loss random {way.loss * 100:.6f}%"
    if way.jitter and not way.reorder:
        # netem sorts by the time of sending, so jitter reorders; with a rate it never sends before the last packet
        # (sch_netem.c, netem_enqueue), so one that costs nothing keeps the order
        words += " rate 100gbit"
    return [words, *_tbf(interface, "parent 1:1", way)]


def delay_rules(queues: dict[tuple[str, str], int]) -> str:
    """A table for `iptables-restore` and `ip6tables-restore`: ("-i" or "-o", interface) -> queue of the delay line."""
    chains = {"-i": "PREROUTING", "-o": "POSTROUTING"}
    rules = [
        f"-A {chains[side]} {side} {name} -j NFQUEUE --queue-num {queue}" for (side, name), queue in queues.items()
    ]
    return "\n".join(["*mangle", *rules, "COMMIT", ""])
