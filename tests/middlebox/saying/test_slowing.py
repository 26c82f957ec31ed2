"""What slows a flow down, said in English."""

from __future__ import annotations

import pytest

from middlebox.grammar.doing import ACTION
from middlebox.saying.slowing import slowing_text
from tests.middlebox.grammar.reading import read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{police: 128 kbit/s}",
         "polices the flow to 128 kbit/s with a burst of 16,000 bytes: what exceeds it is lost "
         "(each flow for itself, each direction)"),
        ("{shape: {rate: 1 Mbit/s, per: client, direction: to-client, ramp: {from: 8 Mbit/s, over: 60 s}}}",
         "shapes the flow to 1 Mbit/s (from 8 Mbit/s within 60 s of waking): what exceeds it waits, up to 100 packets "
         "(all matching flows of a client together, toward the client only)"),
        ("{delay: {by: 100-300 ms, reorder: true, after: 10 packets, until: 4 kB}}",
         "delays the packets of the flow, which may overtake each other, by 100-300 ms "
         "(each direction, after the first 10 packets of a direction, until a direction has had 4 kB)"),
        ("{lose: {share: 5 %, what: acks}}",
         "loses 5 % of the flow's TCP acknowledgements without payload at random (each direction)"),
        ("{degrade: 5}",
         "degrades the flow to a capacity of 5: of 100 packets 5 pass, at random (each direction)"),
        ("{freeze: {after: 16 kB}}",
         "lets 16 kB of either direction pass, then drops all that follows in the flow, both ways, without a reset"),
    ],
)  # fmt: skip
def test_each_slowing_has_its_sentence(text: str, said: str) -> None:
    assert slowing_text(read(ACTION, text)) == said  # type: ignore[arg-type]
