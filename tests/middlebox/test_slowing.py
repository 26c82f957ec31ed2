"""What lies on a flow and slows it down, packet by packet."""

from __future__ import annotations

import pytest

from middlebox.policy import Policy
from middlebox.verdict import Direction, Disposition, Verdict
from tests.middlebox.dialogue import MS, Connection, Play, S, dropped, hello, passed

DATA = b"d" * 960  # with 40 bytes of headers a packet of 1,000


def play(action: str, *, rule: str = "", seed: int = 7) -> Play:
    return Play(
        f"""
        name: slow
        lists: {{banned: [blocked.example]}}
        rules:
          - {{name: slow, match: {{tls.sni: {{under: banned}}}}, action: {action}{rule}}}
        """,
        seed=seed,
    )


def struck(box: Play, name: str | None = "blocked.example", **where: object) -> Connection:
    """A connection that has said a name, or has said hello without one."""
    connection = box.connect(**where)
    connection.send(hello(name))
    return connection


def test_a_policer_passes_its_burst_and_then_its_rate_and_each_direction_has_a_bucket_of_its_own() -> None:
    box = play("{police: {rate: 80 kbit/s, burst: 10 kB}}")
    client = struck(box)
    down = [client.answer(DATA) for _ in range(30)]
    assert sum(map(passed, down)) == 10  # 30 ms earn 300 bytes
    box.wait(1)
    assert sum(passed(client.answer(DATA)) for _ in range(30)) == 10
    box.wait(1)
    assert sum(passed(client.send(DATA)) for _ in range(30)) == 10  # less the hello, more the second that went by


def test_what_a_policer_drops_is_told_with_its_rule_and_what_conforms_is_not() -> None:
    client = struck(play("{police: {rate: 8 kbit/s, burst: 2 kB}}"))
    first, second, third = (client.answer(DATA) for _ in range(3))
    assert passed(first)
    assert passed(second)
    assert (third.verdict, third.rule, third.action) == (Verdict.DROP, "slow", "police")
    assert third.reason == "lost, as 'police' of rule 'slow' lies on the flow"


def test_an_innocent_flow_is_not_policed() -> None:
    client = struck(play("{police: {rate: 8 kbit/s, burst: 2 kB}}"), "innocent.example")
    assert all(passed(client.answer(DATA)) for _ in range(50))


@pytest.mark.parametrize(
    ("per", "same", "other"),
    [("flow", 0, 0), ("client", 3, 0), ("server", 0, 3), ("2-tuple", 0, 0), ("class", 3, 3)],
)
def test_flows_share_a_bucket_as_the_policy_says(per: str, same: int, other: int) -> None:
    """`same`: packets that another flow loses which shares the client; `other`: one that shares the server."""
    box = play(f"{{police: {{rate: 8 bit/s, burst: 3 kB, per: {per}}}}}")
    first = struck(box)
    assert sum(map(dropped, (first.answer(DATA) for _ in range(3)))) == 0
    second = struck(box, server="203.0.113.9", sport=40001)
    assert sum(map(dropped, (second.answer(DATA) for _ in range(3)))) == same
    third = struck(box, client="10.0.0.2", sport=40002)
    assert sum(map(dropped, (third.answer(DATA) for _ in range(3)))) == other


def test_two_flows_of_one_pair_share_the_bucket_of_a_2_tuple() -> None:
    box = play("{police: {rate: 8 bit/s, burst: 3 kB, per: 2-tuple}}")
    assert not any(map(dropped, [struck(box).answer(DATA) for _ in range(1)]))
    second = struck(box, sport=40001)
    assert [dropped(second.answer(DATA)) for _ in range(3)] == [False, False, True]


def test_a_shaper_makes_packets_late_in_order_and_loses_what_finds_its_queue_full() -> None:
    box = play("{shape: {rate: 80 kbit/s, queue: 3 packets}}")
    client = struck(box)
    box.wait(5)
    decisions = [client.answer(DATA) for _ in range(5)]
    assert [one.verdict for one in decisions] == [Verdict.HOLD] * 3 + [Verdict.DROP] * 2
    start = decisions[0].t_ns
    assert [one.release_ns - start for one in decisions[:3]] == [100 * MS, 200 * MS, 300 * MS]
    assert [one.releases for one in box.censor.due(start + 250 * MS)][-2:] == [one.number for one in decisions[:2]]


def test_a_queue_may_be_measured_in_bytes() -> None:
    box = play("{shape: {rate: 8 kbit/s, queue: 2500 B}}")
    client = struck(box)
    box.wait(5)
    assert [client.answer(DATA).verdict for _ in range(3)] == [Verdict.HOLD, Verdict.HOLD, Verdict.DROP]


def test_a_delay_holds_every_later_packet_and_the_one_that_matched_and_keeps_their_order() -> None:
    box = play("{delay: {by: 100-300 ms}}")
    client = box.connect()
    first = client.send(hello())
    assert first.verdict is Verdict.HOLD
    assert first.rule == "slow"
    later = [client.answer(DATA) for _ in range(40)]
    assert all(one.verdict is Verdict.HOLD for one in later)
    assert all(one.release_ns - one.t_ns >= 100 * MS for one in later)
    releases = [one.release_ns for one in later]
    assert releases == sorted(releases)
    assert len({one.release_ns - one.t_ns for one in later}) > 5


def test_delayed_packets_overtake_each_other_if_the_policy_lets_them() -> None:
    client = struck(play("{delay: {by: 100-300 ms, reorder: true}}"))
    releases = [client.answer(DATA).release_ns for _ in range(40)]
    assert releases != sorted(releases)


@pytest.mark.parametrize(("words", "expected"), [("lose: 20 %", 400), ("degrade: 80", 400), ("degrade: 5", 1900)])
def test_loss_takes_its_share_at_random(words: str, expected: int) -> None:
    box = play(f"{{{words}}}")
    packet = bytes(struck(box).to_client(DATA))
    lost = sum(dropped(box.give(packet)) for _ in range(2000))
    assert abs(lost - expected) < 80  # four standard deviations: sqrt(2000 * 0.2 * 0.8) = 18


def test_the_same_seed_loses_the_same_packets_whatever_else_is_on_the_wire() -> None:
    def fates(disturbed: bool) -> list[bool]:
        box = play("{lose: 30 %}")
        client = struck(box)
        found = []
        for number in range(200):
            if disturbed and number % 3 == 0:
                box.ask("innocent.example", port=6000 + number)
            found.append(dropped(client.answer(DATA)))
        return found

    assert fates(False) == fates(True)


def test_acknowledgements_alone_can_be_lost() -> None:
    box = play("{lose: {share: 100 %, what: acks}}")
    client = struck(box)
    assert passed(client.send(b"more"))
    assert passed(client.answer(DATA))
    assert dropped(box.give(client.to_server(flags="A")))
    assert not dropped(box.give(client.to_server(flags="FA")))


def test_data_alone_can_be_lost() -> None:
    box = play("{lose: {share: 100 %, what: data, direction: to-client}}")
    client = struck(box)
    assert passed(box.give(client.to_client(flags="A")))
    assert dropped(client.answer(DATA))
    assert passed(client.send(DATA))


def test_a_freeze_lets_its_measure_pass_and_then_nothing_either_way_and_sends_no_reset() -> None:
    """As since June 2025: about 16 kB of the answer, then silence."""
    client = struck(play("{freeze: {after: 16 kB}}"))
    down = [client.answer(DATA) for _ in range(30)]
    assert [passed(one) for one in down] == [True] * 17 + [False] * 13  # the one that fills the measure still passes
    last = client.send(b"are you there?")
    assert (last.verdict, last.action, last.injected) == (Verdict.DROP, "freeze", ())
    assert last.disposition is Disposition.DROP


@pytest.mark.parametrize(
    ("count", "down", "frozen"),
    [("either", 24, False), ("either", 25, True), ("both", 23, False), ("both", 24, True), ("to-client", 25, True),
     ("to-server", 200, False)],
)  # fmt: skip
def test_a_freeze_counts_the_packets_that_it_is_told_to(count: str, down: int, frozen: bool) -> None:
    client = struck(play(f"{{freeze: {{after: 25 packets, count: {count}}}}}"))  # the hello is the client's first
    for _ in range(down):
        assert passed(client.answer(b"d"))
    assert dropped(client.answer(b"d")) is frozen


def test_slow_start_passes_a_measure_and_then_polices() -> None:
    client = struck(play("{police: {rate: 8 bit/s, burst: 2 kB, after: 50 kB, direction: to-client}}"))
    assert sum(passed(client.answer(DATA)) for _ in range(80)) == 53 + 2  # 53 x 960 bytes are the first 50 kB


def test_only_the_handshake_can_be_slowed() -> None:
    client = struck(play("{delay: {by: 2 s, until: 4 kB}}"))
    assert [client.answer(b"h" * 1000).verdict for _ in range(6)] == [Verdict.HOLD] * 4 + [Verdict.PASS] * 2


def test_the_shipped_slowings_do_what_they_say() -> None:
    client = struck(Play(Policy.load("throttle-slow-start")))
    assert all(passed(client.answer(DATA)) for _ in range(256 + 32))  # 256 kB, and the burst
    assert 12 <= sum(passed(client.answer(DATA)) for _ in range(100)) <= 16  # what 0.4 s earn

    box = Play(Policy.load("throttle-handshake"))
    client = struck(box)
    assert [client.answer(DATA).verdict for _ in range(5)] == [Verdict.HOLD] * 5
    assert passed(client.send(DATA))
    box.wait(4)
    assert passed(client.answer(DATA))
    assert passed(struck(box, "innocent.example", sport=41000).answer(DATA))


def test_a_ramp_leads_from_one_rate_to_the_other() -> None:
    box = play("{police: {rate: 80 kbit/s, burst: 2 kB, ramp: {from: 800 kbit/s, over: 10 s}}}")
    client = struck(box)

    packet = bytes(client.to_client(DATA))

    def passing(seconds: float) -> int:
        return sum(passed(box.give(packet)) for _ in range(int(seconds * 1000)))

    assert 88 <= passing(1) <= 100  # from 100 a second down to 91, and what the bucket held
    box.wait(8)
    assert 10 <= passing(1) <= 21  # from 19 down to 10
    assert 9 <= passing(1) <= 11


def test_a_slowing_acts_in_its_phase_also_on_flows_that_began_before_and_not_after_it() -> None:
    box = play("{police: {rate: 8 bit/s, burst: 2 kB}}", rule=", when: {phase: trial}")
    client = struck(box)
    assert all(passed(client.answer(DATA)) for _ in range(5))
    box.censor.enter_phase("trial", box.now_ns)
    assert [passed(client.answer(DATA)) for _ in range(4)] == [True, True, False, False]
    box.censor.enter_phase("after", box.now_ns)
    assert all(passed(client.answer(DATA)) for _ in range(5))


def test_good_and_bad_minutes_come_in_turn() -> None:
    box = play("{degrade: 0}", rule=", when: {cycle: {awake: 60 s, asleep: 30 s}}")
    client = struck(box)
    begin = box.now_ns
    for second, lost in ((30, True), (58, True), (61, False), (88, False), (91, True), (149, True), (152, False)):
        box.now_ns = begin + second * S
        assert dropped(client.answer(DATA)) is lost, second


def test_memory_slows_later_flows_to_the_same_server() -> None:
    """As in Turkey: after one listed name, flows to the same address without a name are slow too."""
    box = play("{police: {rate: 8 bit/s, burst: 2.2 kB}}", rule=", memory: {for: 60 s, key: 2-tuple}")
    struck(box)
    box.wait(1)
    nameless = struck(box, None, sport=40001)
    assert [dropped(nameless.answer(DATA)) for _ in range(4)] == [False, False, True, True]
    box.wait(61)
    later = struck(box, None, sport=40002)
    assert not any(dropped(later.answer(DATA)) for _ in range(4))


def test_several_slowings_are_met_in_their_order() -> None:
    client = struck(play("[{delay: 100 ms}, {lose: {share: 100 %, direction: to-client}}]"))
    assert dropped(client.answer(DATA))
    up = client.send(DATA)
    assert (up.verdict, up.release_ns - up.t_ns) == (Verdict.HOLD, 100 * MS)


@pytest.mark.parametrize(
    ("action", "rule", "left"),
    [
        ("{police: 128 kbit/s}", "", Disposition.POLICE),
        ("{police: {rate: 128 kbit/s, per: class}}", "", Disposition.POLICE),
        ("{police: {rate: 128 kbit/s, after: 1 packet}}", "", Disposition.INSPECT),
        ("{police: 128 kbit/s}", ", when: {phase: trial}", Disposition.INSPECT),
        ("{shape: 128 kbit/s}", "", Disposition.INSPECT),
        ("[{police: 128 kbit/s}, {lose: 1 %}]", "", Disposition.INSPECT),
    ],
)
def test_a_driver_may_police_what_is_policed_and_in_no_other_way_touched(
    action: str, rule: str, left: Disposition
) -> None:
    box = play(action, rule=rule)
    if "phase" in rule:
        box.censor.enter_phase("other", box.now_ns)
    client = struck(box)
    client.answer(b"x")
    decision = client.send(b"y")
    if decision.verdict is Verdict.PASS:
        assert decision.disposition is left
        assert decision.policed_by == ("slow" if left is Disposition.POLICE else "")
        assert passed(decision)


def test_a_retransmitted_hello_does_not_lay_a_second_slowing() -> None:
    box = play("{police: {rate: 8 bit/s, burst: 3 kB}}")
    client = struck(box)
    box.give(client.to_server(hello(), seq=client.seq - len(hello())))
    assert sum(passed(client.answer(DATA)) for _ in range(10)) == 3


def test_flows_that_end_take_their_buckets_with_them_and_shared_ones_are_bounded() -> None:
    box = Play("""
        name: bounded
        box: {limits: {buckets: 10}}
        rules:
          - {name: slow, match: {transport: udp}, action: {police: {rate: 8 kbit/s, per: client}}}
    """)
    for number in range(50):
        box.ask("innocent.example", client=f"10.0.1.{number}")
    counters = box.censor.counters()
    assert (counters["buckets"], counters["buckets_evicted"]) == (10, 40)


def test_what_slows_by_every_packet_is_told_once_a_flow() -> None:
    box = Play("""
        name: address
        rules:
          - {name: slow, match: {server.ip: 203.0.113.5}, action: {police: {rate: 1 Mbit/s}}}
    """)
    client = box.connect()
    assert [decision.rule for decision in box.decisions] == ["slow", "", ""]
    assert passed(client.answer(DATA))
    assert box.censor.counters()["rule:slow"] == 1


def test_the_counters_tell_what_was_lost_and_delayed_by_each_rule() -> None:
    box = play("[{delay: {by: 1 s, direction: to-server}}, {lose: {share: 100 %, direction: to-client}}]")
    client = struck(box)
    client.send(DATA)
    client.answer(DATA)
    counters = box.censor.counters()
    assert (counters["lost:slow"], counters["delayed:slow"]) == (1, 2)


def test_a_story_tells_why_a_packet_was_late() -> None:
    box = play("{delay: 1 s}")
    client = struck(box)
    client.answer(DATA)
    assert "late, as 'delay' of rule 'slow' lies on the flow" in box.told[-1]


def test_both_directions_are_named_in_the_decision_of_a_held_packet() -> None:
    client = struck(play("{delay: 1 s}"))
    held = client.answer(DATA)
    assert held.reason == "late, as 'delay' of rule 'slow' lies on the flow, for 1000.000 ms"
    assert Direction.TO_CLIENT.reverse is Direction.TO_SERVER
