"""The simulated relay: nobody's until somebody calls, and the same each time."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from testbed.calls.ends import PORT, Caller
from testbed.calls.packets import read_rtp, read_stun
from testbed.simulate.laboratory import SimulatedLab


def _heard(seed: int) -> list[tuple[int, bytes]]:
    """What comes from the relay in a second, after a request and one packet of voice."""
    lab = SimulatedLab(topology="small", seed=seed)
    address = next(site.ipv4 for site in lab.sites)
    socket = lab.client.datagrams(remote=(address, PORT))
    came: list[tuple[int, bytes]] = []
    caller = Caller(Random(1), 5.0, 5.0, 0.0)

    def heard(data: bytes, _: tuple[str, int]) -> None:
        came.append((lab.clock.now_ns, data))
        if len(came) == 1:
            caller.take(data, 0.0)
            for one in caller.due(0.0):
                socket.send(one)

    socket.heard = heard
    for data in caller.due(0.0):
        socket.send(data)
    lab.clock.run_for(1.0)
    return came


def test_it_answers_and_then_speaks_fifty_times_a_second() -> None:
    came = _heard(1)
    said = read_stun(came[0][1])
    assert said is not None
    assert said.mapped is not None
    assert said.mapped[0] == "10.0.0.1"
    voice = [when for when, data in came if read_rtp(data) is not None]
    assert 45 <= len(voice) <= 51
    assert all(abs(later - earlier - 20_000_000) <= 1 for earlier, later in pairwise(voice))


def test_what_it_says_follows_from_the_seed() -> None:
    assert _heard(1) == _heard(1)
    assert _heard(1) != _heard(2)
