"""Rates and amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlebox.action import Amount
from middlebox.grammar.rates import AMOUNT, LEAST, MOST, RATE, amount_text, rate_text
from tests.middlebox.grammar.reading import read, refusal


@pytest.mark.parametrize(
    ("text", "rate"),
    [("128 kbit/s", 16_000), ("600 B/s", 600), ("100 Mbit/s", 12_500_000), ("0.15 Mbit/s", 18_750), ("16kB/s", 16_000),
     ("1 Gbit/s", 125_000_000), ("8 bit/s", 1), ("4800 bit/s", 600), ("1 MB/s", 1_000_000)],
)  # fmt: skip
def test_a_rate_is_bytes_a_second(text: str, rate: int) -> None:
    assert read(RATE, text) == rate


@pytest.mark.parametrize(
    ("text", "hint"),
    [("128", "which unit? write it like: 128 kbit/s"), ("128 kbps", "which unit? write it like: 128 kbit/s"),
     ("5 Mbps", "which unit? write it like: 5 Mbit/s"), ("fast", "write it like: 128 kbit/s"),
     ("1 bit/s", "a rate from 8 bit/s to 10 Gbit/s"), ("0 kbit/s", "a rate from 8 bit/s to 10 Gbit/s"),
     ("11 Gbit/s", "a rate from 8 bit/s to 10 Gbit/s"), ("5 furlongs", "write it like: 128 kbit/s"),
     ("-5 kbit/s", "write it like: 128 kbit/s")],
)  # fmt: skip
def test_what_is_no_rate_is_refused_with_what_to_write(text: str, hint: str) -> None:
    assert refusal(RATE, text).suggestion == hint


@given(st.integers(LEAST, MOST))
def test_every_rate_is_read_back_as_it_was(rate: int) -> None:
    assert read(RATE, rate_text(rate)) == rate


@pytest.mark.parametrize(
    ("text", "amount"),
    [("25 packets", Amount(packets=25)), ("1 packet", Amount(packets=1)), ("16 kB", Amount(bytes=16_000)),
     ("600 bytes", Amount(bytes=600))],
)  # fmt: skip
def test_an_amount_is_packets_or_bytes(text: str, amount: Amount) -> None:
    assert read(AMOUNT, text) == amount
    assert read(AMOUNT, amount_text(amount)) == amount


@pytest.mark.parametrize("text", ["25", "0 packets", "0 B", "many", "5-8 packets", "16 KiB"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert refusal(AMOUNT, text).expected == AMOUNT.expected


def test_an_amount_of_both_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="one of the two"):
        Amount(packets=1, bytes=1)
