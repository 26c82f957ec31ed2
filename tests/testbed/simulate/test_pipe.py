"""One direction of a link."""

from __future__ import annotations

import pytest

from middlebox.forge import udp
from testbed.simulate.chance import stream
from testbed.simulate.clock import START_NS, Clock
from testbed.simulate.packet import Packet
from testbed.simulate.pipe import Pipe
from testbed.topology import Way


def packet(number: int, length: int = 1_000) -> Packet:
    raw = udp(src=b"\1" * 4, dst=b"\2" * 4, sport=number, dport=2, payload=bytes(length - 28))
    made = Packet.of(raw)
    assert made is not None
    return made


class Line:
    """A pipe and what came out of it, with the seconds."""

    def __init__(self, way: Way, seed: int = 1) -> None:
        self.clock = Clock()
        self.out: list[tuple[int, float]] = []
        self.pipe = Pipe(self.clock, way, stream(seed, "link"), self._come)

    def _come(self, packet: Packet) -> None:
        self.out.append((packet.seen().src_port, (self.clock.now_ns - START_NS) / 1e9))

    def send(self, count: int, every_s: float = 0.0, length: int = 1_000) -> Line:
        for number in range(count):
            self.pipe.carry(packet(number, length))
            if every_s:
                self.clock.run_for(every_s)
        self.clock.run()
        return self


def test_a_delay_is_the_same_for_each_packet() -> None:
    assert Line(Way(delay=0.02)).send(3).out == [(0, 0.02), (1, 0.02), (2, 0.02)]


def test_jitter_varies_the_delay_and_keeps_the_order() -> None:
    line = Line(Way(delay=0.02, jitter=0.01)).send(200, 0.001)
    late = [at - number * 0.001 for number, at in line.out]
    assert [number for number, _ in line.out] == list(range(200))
    assert 0.01 <= min(late) < 0.02
    assert 0.025 < max(late) <= 0.0301


def test_jitter_that_may_reorder_does() -> None:
    line = Line(Way(delay=0.02, jitter=0.01, reorder=True)).send(200, 0.001)
    numbers = [number for number, _ in line.out]
    assert sorted(numbers) == list(range(200)) != numbers


@pytest.mark.parametrize("reorder", [False, True])
def test_a_rate_lets_through_what_it_says(reorder: bool) -> None:
    line = Line(Way(rate=1e6, queue=1_000, delay=0.01, jitter=0.001, reorder=reorder)).send(500)
    # 1,014 bytes with the frame's header; the bucket's first 3,128 bytes leave at once
    assert line.out[-1][1] == pytest.approx(0.01 + (500 * 1_014 - 3_128) * 8 / 1e6, abs=0.002)


def test_what_finds_the_queue_full_is_lost() -> None:
    line = Line(Way(rate=1e6, queue=10)).send(100, length=1_500)
    # 2 frames leave at once, 10 wait
    assert len(line.out) == 12
    assert line.pipe.overflown == 88


def test_the_queue_takes_more_when_it_has_served_some() -> None:
    line = Line(Way(rate=1e6, queue=10)).send(100, every_s=1_514 * 8 / 1e6, length=1_500)
    assert len(line.out) == 100


def test_loss_is_a_share_and_the_same_for_one_seed() -> None:
    lines = [Line(Way(loss=0.1), seed).send(2_000) for seed in (1, 1, 2)]
    assert all(150 < line.pipe.lost < 250 for line in lines)
    assert lines[0].out == lines[1].out != lines[2].out
