"""Rules that act on the flows beyond so many."""

from __future__ import annotations

from middlebox.policy import Policy
from tests.middlebox.dialogue import Play, dropped, hello, passed

POLICING = """
    name: policing
    about: more than twelve TLS connections to one destination within a minute freeze (Russia, November 2025)
    rules:
      - name: many
        match: {tls.sni: {present: true}}
        threshold: {more_than: 3, within: 60 s, per: 2-tuple}
        action: {drop: flow}
"""


def test_connections_beyond_the_threshold_freeze_and_earlier_ones_go_on() -> None:
    box = Play(POLICING)
    connections = [box.connect(sport=40000 + number) for number in range(6)]
    fates = [dropped(one.send(hello(f"name{number}.example"))) for number, one in enumerate(connections)]
    assert fates == [False, False, False, True, True, True]
    assert passed(connections[0].send(b"more"))
    assert dropped(connections[4].answer(b"more"))


def test_each_pair_of_ends_is_counted_for_itself() -> None:
    box = Play(POLICING)
    for number in range(3):
        box.connect(sport=40000 + number).send(hello())
    assert passed(box.connect(client="10.0.0.2").send(hello()))
    assert passed(box.connect(server="203.0.113.9", sport=41000).send(hello()))
    assert dropped(box.connect(sport=42000).send(hello()))


def test_who_is_quiet_for_the_time_may_begin_anew_and_who_goes_on_trying_may_not() -> None:
    box = Play(POLICING)
    for number in range(4):
        box.connect(sport=40000 + number).send(hello())
    box.wait(61)
    assert passed(box.connect(sport=41000).send(hello()))
    for number in range(10):
        box.connect(sport=42000 + number).send(hello())
        box.wait(10)
    assert dropped(box.connect(sport=43000).send(hello()))


def test_a_flow_is_counted_once() -> None:
    box = Play(POLICING.replace("tls.sni: {present: true}", "http.host: {present: true}"))
    client = box.connect(dport=80)
    for _ in range(10):
        assert passed(client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"))


def test_the_story_says_which_flow_of_how_many_it_was() -> None:
    box = Play(POLICING)
    box.connect().send(hello())
    assert "rule 'many' matches, but this is flow 1 of the 3 that it spares" in box.told[-1]


def test_the_counts_are_bounded() -> None:
    box = Play(POLICING.replace("rules:", "box: {limits: {residual: 2}}\n    rules:"))
    for number in range(4):
        box.connect(sport=40000 + number).send(hello())
    for number in range(2, 5):
        box.connect(client=f"10.0.0.{number}").send(hello())
    assert passed(box.connect(sport=41000).send(hello()))  # its count has made room for others


def test_the_shipped_policy_spares_twelve_connections_a_minute_whatever_they_name() -> None:
    box = Play(Policy.load("tspu-connections"))
    fates = [dropped(box.connect(sport=40000 + number).send(hello(f"name{number}.example"))) for number in range(15)]
    assert fates == [False] * 12 + [True] * 3
    assert passed(box.connect(sport=42000, server="203.0.113.9").send(hello()))
