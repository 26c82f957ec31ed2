"""When a flow needs no further look although it could tell more; that no fate changes by it, test_interest shows."""

from __future__ import annotations

import random

import pytest

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import FOUND, Course, Reads
from middlebox.interest import ends_matter
from middlebox.outlook import leaves, worth
from middlebox.verdict import TO_CLIENT, TO_SERVER, Decision, Disposition, Verdict
from tests.middlebox.dialogue import Play, hello, policy
from tests.middlebox.test_interest import _ip, _Tunnel

CLIENT, SERVER = "10.0.0.1", "203.0.113.5"


def _rules(*rules: str, box: str = "{placement: in-path}") -> str:
    lines = "".join(f"\n      - {{name: r{number}, {rule}}}" for number, rule in enumerate(rules))
    return f"name: p\nbox: {box}\nrules:{lines}\n"


def _wireguard(play: Play, data: int, *, server: str = SERVER, rekey: bool = False) -> list[Decision]:
    """A handshake and so many data packets of the client's."""
    tunnel = _Tunnel(random.Random(7))
    said = [(True, tunnel.wireguard(True, 1)[0]), (False, tunnel.wireguard(False, 1)[0])]
    tunnel.draw = random.Random(1)
    while len(said) < data + 2:
        one = tunnel.wireguard(True, 1)[0]
        if one[:1] == b"\x04":
            said.append((True, one))
    made = []
    for up, one in said:
        ends, ports = ((CLIENT, server), (40_000, 51_820)) if up else ((server, CLIENT), (51_820, 40_000))
        head = ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") + (8 + len(one)).to_bytes(2, "big") + bytes(2)
        made.append(play.give(_ip(*ends, 17, head + one)))
    return made


def _left(decisions: list[Decision]) -> int:
    """How many packets were given before the rest was left to the driver."""
    return [one.disposition is Disposition.PASS for one in decisions].index(True) + 1


BOTH = "{placement: in-path, inspect: {directions: [to-server, to-client]}}"


@pytest.mark.parametrize(
    ("match", "packets"),
    [
        ("{wireguard.message: initiation, not: {server.ip: {in: 203.0.113.0/24}}}", 1),  # a registered server
        ("{wireguard.handshake: true, server.port: 443}", 1),
        ("{wireguard.handshake: false, wireguard.message: data}", 2),  # it is done, and stays so
        ("{wireguard.data_packets: {below: 3}, wireguard.message: response, wireguard.handshake: false}", 2),
        ("{wireguard.data_packets: [1, 3], wireguard.message: cookie}", 6),
        ("{openvpn.message: {present: true}, server.port: 51820}", 1),  # it is WireGuard's flow
    ],
)
def test_a_tunnel_is_let_go_as_soon_as_no_rule_can_match(match: str, packets: int) -> None:
    also = "match: {wireguard.message: initiation, server.port: 1}, action: log"
    play = Play(_rules(f"match: {match}, action: {{drop: flow}}", also, box=BOTH))
    assert _left(_wireguard(play, 8)) == packets
    assert all(one.verdict is Verdict.PASS for one in play.decisions)


@pytest.mark.parametrize(
    "rule",
    [
        "match: {wireguard.message: cookie}, action: {drop: flow}",  # any message may be the next
        "match: {wireguard.data_packets: {above: 100}}, action: {drop: flow}",
        "match: {wireguard.message: cookie}, when: {phase: later}, action: {drop: flow}",  # it may wake
        "match: {wireguard.handshake: true}, when: {phase: later}, action: {drop: flow}",
        "match: {wireguard.message: data}, action: log",  # the log wants each of them
        "match: {payload.length: 1}, action: log",
    ],
)
def test_a_tunnel_that_a_rule_may_still_touch_is_looked_at(rule: str) -> None:
    never = "match: {wireguard.handshake: true, server.port: 1}, action: {drop: flow}"
    decisions = _wireguard(Play(_rules(never, rule, box=BOTH)), 8)
    assert {one.disposition for one in decisions} == {Disposition.INSPECT}


def test_a_flow_that_chance_spares_is_let_go_and_the_explanation_says_so() -> None:
    play = Play(_rules("match: {wireguard.message: data}, chance: 0.0001 %, action: {drop: flow}"))
    assert _left(_wireguard(play, 1)) == 1
    assert "whatever comes, chance spares this flow from rule 'r0'" in play.told[0]
    assert "no rule can match in this flow any more, whatever comes" in play.told[0]


def test_a_tunnel_that_is_policed_may_be_policed_by_the_driver_when_no_other_rule_can_match() -> None:
    slow = "match: {wireguard.handshake: true}, action: {police: {rate: 1 Mbit/s, burst: 200 kB}}"
    decisions = _wireguard(Play(_rules(slow, box=BOTH)), 3)
    assert [one.disposition for one in decisions[2:]] == [Disposition.POLICE] * 3
    other = "match: {wireguard.message: cookie}, action: {drop: flow}"
    decisions = _wireguard(Play(_rules(slow, other, box=BOTH)), 3)
    assert {one.disposition for one in decisions} == {Disposition.INSPECT}


def test_a_connection_to_another_address_than_the_listed_ones_is_let_go_at_its_first_packet() -> None:
    play = Play(_rules("match: {server.ip: {in: 198.51.100.0/24}}, action: {drop: packet}"))
    client = play.connect(dport=4_443)
    assert play.decisions[0].disposition is Disposition.PASS
    assert client.send(hello()).disposition is Disposition.PASS
    assert play.connect(server="198.51.100.7", sport=41_000).send(b"x").verdict is Verdict.DROP


def test_only_its_end_tells_that_a_syn_begins_another_connection_than_one_that_was_let_go_early() -> None:
    text = _rules(
        "match: {initiator: outside}, action: {drop: packet}", box="{placement: in-path, inside: [10.0.0.0/8]}"
    )
    assert ends_matter(policy(text))
    play = Play(text)
    client = play.connect()
    assert play.give(client.to_client(flags="S")).verdict is Verdict.PASS  # no end was seen: still the client's
    client.send(b"", flags="R")
    assert play.give(client.to_client(flags="S")).verdict is Verdict.DROP


def test_a_policy_that_changes_goes_on_with_a_tunnel_that_was_let_go() -> None:
    play = Play(_rules("match: {wireguard.handshake: true, server.port: 1}, action: {drop: flow}", box=BOTH))
    _wireguard(play, 3)
    play.censor.change(
        policy(_rules("match: {wireguard.handshake: true}, action: {drop: flow}", box=BOTH)), play.now_ns
    )
    data = _Tunnel(random.Random(7))
    data.said = 9
    one = b"\x04\0\0\0" + data.down[:4] + bytes(8) + bytes(32)
    head = (40_000).to_bytes(2, "big") + (51_820).to_bytes(2, "big") + (8 + len(one)).to_bytes(2, "big") + bytes(2)
    assert play.give(_ip(CLIENT, SERVER, 17, head + one)).verdict is Verdict.DROP


def test_protocols_that_the_next_policy_does_not_ask_for_keep_no_flow_from_being_let_go() -> None:
    play = Play(_rules("match: {wireguard.message: cookie}, action: {drop: flow}"))
    _wireguard(play, 1)
    play.censor.change(
        policy(_rules("match: {tls.sni: {under: [blocked.example]}}, action: {drop: flow}")), play.now_ns
    )
    assert _left(_wireguard(play, 1)) == 1


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        (("match: {tls.sni: {under: [blocked.example]}}, action: log",), False),
        (("match: {tls.sni: {under: [blocked.example]}, server.port: 443}, action: log",), True),
        (("match: {server.ip: 198.51.100.7}, action: log", "match: {dns.name: blocked.example}, action: log"), True),
        (("match: {tcp.flags: SYN}, action: log", "match: {server.ip: 198.51.100.7}, action: log"), False),
        # those to other servers
        (("match: {server.ip: 198.51.100.7}, action: {police: {rate: 1 Mbit/s, per: client}}",), True),
    ],
)
def test_a_policy_under_which_no_flow_can_be_let_go_early_pays_nothing_for_it(
    rules: tuple[str, ...], answer: bool
) -> None:
    assert worth(policy(_rules(*rules))) is answer


@pytest.mark.parametrize("name", ["wireguard", "openvpn", "ikev2"])
def test_what_a_dissector_says_of_its_fields_courses_is_true(name: str) -> None:
    dissector = DISSECTORS[name]
    courses = {field: field.course for field in dissector.fields if field.course is not Course.CHANGES}
    assert courses
    grown = set()
    for seed in range(400):
        draw = random.Random(f"{name} {seed}")
        follower = dissector.follow("udp", Reads())
        assert follower is not None
        tunnels = [_Tunnel(draw), _Tunnel(draw)]  # the second one is foreign to the first
        before: dict[object, object] = {}
        for _ in range(60):
            up = draw.random() < 0.5
            say = getattr(tunnels[draw.random() < 0.1], name if draw.random() < 0.95 else "wireguard")
            for data in say(up, draw.randrange(1, 4)):
                found = follower.take(data, TO_SERVER if up else TO_CLIENT)
                if found.state is not FOUND or found.fact is None:
                    continue
                for field, course in courses.items():
                    value = field.get(found.fact)
                    assert isinstance(value, int)
                    last = before.get(field)
                    if isinstance(last, int):
                        assert value == last if course is Course.STAYS else value >= last
                        if value != last:
                            grown.add(field)
                    before[field] = value
    assert grown == {field for field, course in courses.items() if course is Course.GROWS}


def _tcp(play: Play, server: str, port: int) -> list[Disposition]:
    client = play.connect(server=server, dport=port)
    return [client.answer(b"d" * 900).disposition for _ in range(3)]


def test_a_flow_that_suffers_a_policer_for_its_address_is_left_to_the_driver() -> None:
    police = "match: {server.ip: 203.0.113.5}, action: {police: 1 Mbit/s}"
    play = Play(
        _rules(police, "match: {tls.sni: {under: [slow.example]}, server.port: 443}, action: {police: 2 Mbit/s}")
    )
    assert _tcp(play, SERVER, 80)[-1] is Disposition.POLICE
    assert _tcp(play, "203.0.113.9", 80)[-1] is Disposition.PASS


def test_a_bucket_that_flows_share_for_an_address_stays_in_one_place_and_other_flows_are_let_go() -> None:
    play = Play(_rules("match: {server.ip: 203.0.113.5}, action: {police: {rate: 1 Mbit/s, per: client}}"))
    assert _tcp(play, SERVER, 80)[-1] is Disposition.INSPECT
    assert _tcp(play, "203.0.113.9", 80)[-1] is Disposition.PASS


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (("match: {tls.sni: {under: [blocked.example]}}, action: {police: 1 Mbit/s}",), True),
        (("match: {tls.sni: {under: [blocked.example]}}, action: {police: {rate: 1 Mbit/s, per: client}}",), True),
        (("match: {server.ip: 198.51.100.7}, action: {police: 1 Mbit/s}",), True),
        (("match: {server.ip: 198.51.100.7}, action: {police: {rate: 1 Mbit/s, per: client}}",), False),
        (("match: {tls.sni: {under: [blocked.example]}}, action: {police: 1 Mbit/s}, when: {phase: x}",), False),
        (("match: {tcp.flags: SYN}, action: {police: 1 Mbit/s}",), False),
        (
            (
                "match: {tls.sni: {under: [a.example]}}, action: {police: 1 Mbit/s}",
                "match: {tcp.flags: FIN}, action: log",
            ),
            False,
        ),
    ],
)
def test_which_rules_slowings_can_be_left_to_a_driver_is_known_beforehand(rules: tuple[str, ...], left: bool) -> None:
    made = policy(_rules(*rules))
    assert leaves(made, made.rules[0]) is left
