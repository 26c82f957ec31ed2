"""Which rule decides, what a driver may do with the rest of a flow, and a policy that changes while packets come."""

from __future__ import annotations

import pytest

from middlebox.policy import Key
from middlebox.residual import key_of
from middlebox.verdict import Disposition, Ends, Verdict
from tests.middlebox.dialogue import MS, NOON, Play, dropped, get, hello, passed, policy

CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((203, 0, 113, 5))

DROP = """
    name: drop
    rules:
      - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
"""
MEMORY = """
    name: memory
    rules:
      - name: sni
        match: {tls.sni: {under: blocked.example}}
        action: {drop: flow}
        memory: {for: 60 s, key: 3-tuple, delay: 5 s}
"""


def test_the_rest_of_a_flow_that_has_told_all_may_pass_without_being_shown() -> None:
    box = Play(DROP)
    client = box.connect()
    assert {one.disposition for one in box.decisions} == {Disposition.INSPECT}
    assert client.send(hello("innocent.example")).disposition is Disposition.PASS
    assert client.answer(b"x").disposition is Disposition.PASS


def test_the_rest_of_a_flow_that_is_dropped_may_be_dropped_without_being_shown() -> None:
    client = Play(DROP).connect()
    assert client.send(hello()).disposition is Disposition.DROP


def test_a_syn_on_a_flow_that_was_let_go_begins_a_new_one() -> None:
    """A driver need not show the end of a flow that passes."""
    box = Play(DROP)
    box.connect().send(hello("innocent.example"))
    again = box.connect(isn=70_000)
    assert dropped(again.send(hello()))


def test_a_syn_on_a_flow_that_is_struck_frees_nothing() -> None:
    box = Play(DROP)
    box.connect().send(hello())
    again = box.connect(isn=70_000)
    assert dropped(again.send(hello("innocent.example")))


def test_a_flow_that_one_rule_lets_go_is_still_asked_about_when_another_remembers_it() -> None:
    box = Play("""
        name: both
        rules:
          - name: sni
            match: {tls.sni: {under: blocked.example}}
            action: {drop: flow}
            memory: {for: 60 s, key: 2-tuple, start: data, delay: 1 s}
          - {name: spare, match: {tls.sni: {under: innocent.example}}, action: pass}
    """)
    assert box.connect().send(hello("innocent.example")).disposition is Disposition.PASS
    box.connect(sport=41_000).send(hello())
    spared = box.connect(sport=42_000)
    assert spared.send(hello("innocent.example")).disposition is Disposition.INSPECT
    box.wait(2)
    assert dropped(spared.send(b"more"))


def test_a_flow_that_is_let_go_while_a_drop_lies_on_it_is_not_left_to_the_driver_as_passing() -> None:
    box = Play("""
        name: both
        rules:
          - {name: one, match: {http.host: blocked.example}, action: {drop: to-client}}
          - {name: two, match: {http.host: innocent.example}, action: pass}
    """)
    client = box.connect(dport=80)
    client.send(get())
    assert client.send(get("innocent.example")).disposition is Disposition.INSPECT
    assert dropped(client.answer(b"HTTP/1.1 200 OK"))


def test_a_packet_that_is_dropped_while_the_flow_is_to_be_dropped_later_does_not_doom_the_flow() -> None:
    box = Play("""
        name: both
        rules:
          - {name: one, match: {http.host: blocked.example}, action: {drop: {what: flow, after: 3 packets}}}
          - {name: two, match: {http.host: innocent.example}, action: {drop: packet}}
    """)
    client = box.connect(dport=80)
    client.send(get())
    assert client.send(get("innocent.example")).disposition is Disposition.INSPECT
    assert [dropped(client.send(b"x")) for _ in range(3)] == [False, False, True]


def test_who_is_remembered_is_named_so_that_flows_that_were_let_go_are_shown_again() -> None:
    box = Play(MEMORY)
    bystander = box.connect(sport=41_000)
    assert bystander.send(hello("innocent.example")).disposition is Disposition.PASS
    struck = box.connect().send(hello())
    assert struck.revokes == (Ends(CLIENT, 0, SERVER, 443), Ends(SERVER, 443, CLIENT, 0))  # whoever began
    assert struck.revokes[0] == Ends(*key_of(Key.THREE, CLIENT, 40_000, SERVER, 443)[1:])
    soon = bystander.send(b"more")  # the memory begins in 5 s: until then the flow must be shown
    assert (soon.verdict, soon.disposition) == (Verdict.PASS, Disposition.INSPECT)
    box.wait(5)
    assert dropped(bystander.send(b"more"))
    box.wait(60)
    assert bystander.send(b"more").disposition is Disposition.PASS


def test_nobody_is_named_when_nothing_is_remembered() -> None:
    assert Play(DROP).connect().send(hello()).revokes == ()


def test_another_policy_decides_from_the_next_packet_on_and_known_connections_stay_known() -> None:
    box = Play(DROP)
    client = box.connect()
    box.censor.change(policy(DROP.replace("blocked.example", "innocent.example")), box.now_ns)
    assert dropped(client.send(hello("innocent.example")))
    assert passed(box.connect(sport=41_000).send(hello()))


def test_what_lies_on_a_flow_stays_if_the_rule_does_and_is_lifted_if_it_is_gone() -> None:
    box = Play(DROP)
    client = box.connect()
    client.send(hello())
    box.censor.change(policy(DROP.replace("drop: flow", "drop: to-client")), box.now_ns)
    assert dropped(client.answer(b"x"))
    box.censor.change(policy(DROP.replace("name: sni", "name: other")), box.now_ns)
    assert passed(client.answer(b"x"))


def test_a_rate_that_changes_holds_for_flows_that_are_policed_already() -> None:
    slow = """
        name: slow
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {police: {rate: 8 bit/s, burst: 2 kB}}}
    """
    box = Play(slow)
    client = box.connect()
    client.send(hello())
    assert [passed(client.answer(b"d" * 960)) for _ in range(3)] == [True, True, False]
    box.censor.change(policy(slow.replace("8 bit/s", "8 Mbit/s")), box.now_ns)
    assert all(passed(client.answer(b"d" * 960)) for _ in range(20))


def test_what_is_remembered_stays_under_a_policy_whose_rule_remembers_in_the_same_way() -> None:
    box = Play(MEMORY)
    box.connect().send(hello())
    box.wait(6)
    box.censor.change(policy(MEMORY.replace("60 s", "90 s")), box.now_ns)
    assert dropped(box.connect(sport=41_000).send(b"x"))
    box.censor.change(policy(MEMORY.replace("3-tuple", "2-tuple")), box.now_ns)
    assert passed(box.connect(sport=42_000).send(b"x"))


def test_the_phase_and_the_counters_go_on_under_another_policy() -> None:
    phased = DROP.replace("action:", "when: {phase: trial}, action:")
    box = Play(phased)
    box.censor.enter_phase("trial", NOON)
    box.connect().send(hello())
    box.censor.change(policy(phased), box.now_ns + MS)
    assert dropped(box.connect(sport=41_000).send(hello()))
    assert box.censor.counters()["rule:sni"] == 2


def test_a_rule_that_only_logs_is_silent_while_it_sleeps() -> None:
    box = Play(DROP.replace("{drop: flow}", "log").replace("action:", "when: {phase: trial}, action:"))
    assert passed(box.connect().send(hello()))


@pytest.mark.parametrize("name", ["sni", "other"])
def test_hits_are_kept_by_name(name: str) -> None:
    box = Play(DROP)
    box.connect().send(hello())
    box.censor.change(policy(DROP.replace("name: sni", f"name: {name}")), box.now_ns)
    assert box.censor.counters()[f"rule:{name}"] == (1 if name == "sni" else 0)
