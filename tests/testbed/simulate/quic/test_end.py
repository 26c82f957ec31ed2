"""One end of a connection: timers that fire when they should, and an end of time."""

from __future__ import annotations

from random import Random

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated

from testbed.simulate.clock import Clock
from testbed.simulate.quic.chance import QuicChance
from testbed.simulate.quic.end import QuicEnd


def test_what_is_not_answered_is_sent_again_and_given_up() -> None:
    clock, chance = Clock(), QuicChance(Random(1))
    sent: list[tuple[float, int]] = []
    with chance:
        connection = QuicConnection(configuration=QuicConfiguration(alpn_protocols=["h3"], idle_timeout=3.0))
    end = QuicEnd(connection, clock, chance, lambda data, remote: sent.append((clock.elapsed_s, len(data))))
    told: list[float] = []
    end.happened = lambda: told.append(clock.elapsed_s)
    end.connect(("203.0.113.10", 443))
    clock.run_for(10.0)
    times = [when for when, _ in sent]
    assert times[0] == 0.0
    assert {size for _, size in sent[:2]} == {1200}
    # twice the initial round trip of 0.1 s that aioquic takes, then twice as long each time (RFC 9002, 6.2)
    assert [round(one, 3) for one in times if one > 0][:1] == [0.2]
    assert any(isinstance(event, ConnectionTerminated) for event in end.events)
    assert 3.0 <= told[-1] < 3.5
    assert times[-1] < 3.5
