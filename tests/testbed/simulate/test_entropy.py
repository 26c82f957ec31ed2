"""TLS draws from the seed while a simulated end speaks, and never else."""

from __future__ import annotations

import ssl
from contextlib import suppress
from random import Random

import pytest

from testbed.simulate.entropy import Entropy


def hello(entropy: Entropy | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="blocked.example")
    with suppress(ssl.SSLWantReadError):
        if entropy is None:
            tls.do_handshake()
        else:
            with entropy:
                tls.do_handshake()
    return outgoing.read()


def test_the_same_seed_says_the_same_hello() -> None:
    if not Entropy(Random(1)).fixed:
        pytest.xfail("this Python's OpenSSL does not show its switch")
    assert hello(Entropy(Random(1))) == hello(Entropy(Random(1))) != hello(Entropy(Random(2)))


def test_nothing_else_draws_from_it() -> None:
    entropy = Entropy(Random(1))
    with pytest.raises(KeyError), entropy:
        raise KeyError
    assert hello(None) != hello(None)
    assert len(hello(None)) == len(hello(entropy))


def test_without_the_switch_hellos_differ_in_their_bytes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.simulate.entropy._library", lambda: None)
    entropy = Entropy(Random(1))
    assert not entropy.fixed
    first, second = hello(entropy), hello(entropy)
    assert first != second
    assert len(first) == len(second)
