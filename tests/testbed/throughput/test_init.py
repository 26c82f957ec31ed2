"""The package has no names of its own."""

import testbed.throughput


def test_it_says_what_it_is() -> None:
    assert testbed.throughput.__doc__
