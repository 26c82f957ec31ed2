"""The phases of a connection."""

from __future__ import annotations

from testbed.simulate.tcp.phase import AFTER_FIN, AFTER_THEIRS, CLOSING, Phase


def test_every_way_of_closing_ends_in_one_of_two_phases() -> None:
    for begin in (Phase.ESTABLISHED, Phase.CLOSE_WAIT):
        phase = CLOSING[begin]
        for order in ((AFTER_FIN, AFTER_THEIRS), (AFTER_THEIRS, AFTER_FIN)):
            end = phase
            for step in order:
                end = step.get(end, end)
            assert end in (Phase.TIME_WAIT, Phase.CLOSED)
