"""Recorded hellos, made anew: what a browser keeps and what it draws."""

from __future__ import annotations

from random import Random

import pytest

from middlebox.dissect.hello import parse_hello
from testbed.simulate.hellos import known, make

#: JA4 of Chrome with its post-quantum key, as published by FoxIO (ja4plus-mapping)
CHROME = "t13d1516h2_8daaf6152771_02713d6af862"


@pytest.mark.parametrize("browser", ["chrome131", "firefox135"])
def test_a_hello_says_the_asked_name_and_is_longer_than_a_segment(browser: str) -> None:
    hello = make(browser, "innocent.example", Random(1)).record
    assert len(hello) > 1_460
    assert int.from_bytes(hello[3:5], "big") == len(hello) - 5
    found = parse_hello(hello, 9, len(hello))
    assert found is not None
    assert found.sni == "innocent.example"


def test_chrome_is_known_by_its_fingerprint_whatever_the_order() -> None:
    prints = set()
    for seed in range(5):
        hello = make("chrome131", "innocent.example", Random(seed)).record
        found = parse_hello(hello, 9, len(hello))
        assert found is not None
        prints.add(found.ja4)
    assert prints == {CHROME}


def test_chrome_shuffles_and_firefox_does_not() -> None:
    def places(browser: str) -> set[int]:
        return {make(browser, "innocent.example", Random(seed)).record.find(b"innocent") for seed in range(8)}

    assert len(places("chrome131")) > 3
    assert len(places("firefox135")) == 1


def test_one_seed_gives_one_hello() -> None:
    assert make("chrome131", "a.example", Random(1)).record == make("chrome131", "a.example", Random(1)).record
    assert make("chrome131", "a.example", Random(1)).record != make("chrome131", "a.example", Random(2)).record


def test_a_browser_that_was_not_recorded_is_refused() -> None:
    assert known() == ("chrome131", "firefox135")
    with pytest.raises(ValueError, match=r"no hello of 'lynx' was recorded \(there are: chrome131, firefox135\)"):
        make("lynx", "a.example", Random(1))
