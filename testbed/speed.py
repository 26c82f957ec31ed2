"""How fast this machine is, and by how much a network must be slowed down for it to keep up.

A box in Python on a machine that is twenty times slower adds twenty times the delay, and a real network does not wait.
So on such a machine (one that is itself emulated, say) all of the network is slowed down alike: delays, rates and the
patience of clients keep their proportions to each other and to the box. It measures no network.
"""

from __future__ import annotations

import dataclasses
import struct
import time

from testbed.topology import Topology, Way

#: seconds that `_work` takes with Python 3.11 on one core of a current server, where a box adds 0.5 to 3 ms to one
#: packet in a hundred
REFERENCE_S = 0.0001
#: how many times slower a machine may be before its network is slowed down: 3 ms become 24, which is more than the half
#: round trip that a row's fidelity allows in the shipped networks, but that is the worst of a run and not its rule
MOST_TIMES_SLOWER = 8
#: what a network is slowed down by; beyond 20 the round trip passes the second after which TCP sends a SYN again
STEPS = (5, 10, 20)
#: trials in groups with a pause between: a group is so short that some have a whole core to themselves (one that shares
#: it with a busy one takes twice as long), and on a slow machine long enough for a clock that moves by 4 ms
_GROUPS, _TRIALS, _APART_S = 8, 10, 0.06


def slowdown() -> int:
    """By how much to slow a network down on this machine: 1 on an ordinary one. Takes half a second.

    What else the machine does changes nothing: the time is the processor's alone, and the quickest group counts.
    """
    took_s = []
    for _ in range(_GROUPS):
        begin_s = time.thread_time()
        for _ in range(_TRIALS):
            _work()
        took_s.append((time.thread_time() - begin_s) / _TRIALS)
        time.sleep(_APART_S)
    return step(min(took_s))


def step(work_s: float) -> int:
    """The factor for a machine on which the work takes `work_s`."""
    times_slower = work_s / REFERENCE_S
    if times_slower <= MOST_TIMES_SLOWER:
        return 1
    return next((one for one in STEPS if times_slower <= 2 * one), STEPS[-1])


def slowed(topology: Topology, factor: int) -> Topology:
    """The same network with every delay `factor` times longer and every rate as many times lower."""
    if factor == 1:
        return topology
    links = [
        dataclasses.replace(link, to_a=_slowed(link.to_a, factor), to_b=_slowed(link.to_b, factor))
        for link in topology.links
    ]
    return dataclasses.replace(topology, links=tuple(links))


def _slowed(way: Way, factor: int) -> Way:
    return dataclasses.replace(
        way,
        delay=way.delay * factor,
        jitter=way.jitter * factor,
        rate=None if way.rate is None else way.rate / factor,
        queue=way.queue_packets,  # as many packets as before
    )


def _work() -> None:
    """Do a fixed amount of what a box does."""
    packet = bytes(range(64))
    read = struct.Struct("!BBHHHBBH4s4sHHII").unpack_from
    seen: dict[tuple[bytes, int], int] = {}
    for number in range(500):
        values = read(packet, number & 15)
        key = (values[8], values[10])
        seen[key] = seen.get(key, 0) + values[2]
