"""A policy read back: nothing that changes what a box does may be left out, and the text is plain English."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from enum import Enum
from ipaddress import ip_network
from pathlib import Path

import pytest

from middlebox.ability import Ability, DnsInjector, Draw, Injector, Segment, fixed
from middlebox.action import (
    Action,
    AnswerDns,
    AnswerHttp,
    AnswerIcmp,
    Drop,
    Hold,
    Inject,
    Log,
    Pass,
    Rewrite,
    Scope,
)
from middlebox.forge import Unreachable
from middlebox.load import PROFILES, load
from middlebox.match import Is, Under
from middlebox.match import Test as Leaf
from middlebox.packet import ACK, FIN, RST
from middlebox.policy import Key, Memory, Policy, Rearm, Rule, Schedule, Start, Window
from middlebox.sentences import sentences
from middlebox.verdict import Direction

NAME = Leaf("tls.sni", Under(frozenset({"blocked.example"})))
RULE = Rule(name="one", match=NAME, actions=(Drop(),))


def policy(ability: Ability | None = None, *rules: Rule) -> Policy:
    return Policy(name="x", ability=ability or Ability(), rules=rules or (RULE,))


def said(*rules: Rule, ability: Ability | None = None) -> str:
    return "\n".join(sentences(policy(ability, *rules)))


def other(value: object) -> object:
    """Some other value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(one for one in type(value) if one is not value)
    if isinstance(value, int):
        return value + 5_000_000
    if isinstance(value, Draw):
        return Draw(value.low + 1_000_000, value.high + 2_000_000)
    if isinstance(value, bytes):
        return value + b"more"
    if isinstance(value, frozenset):
        whole: frozenset[object] = frozenset(Direction if value <= frozenset(Direction) and value else Segment)
        return whole - value or frozenset({Direction.TO_SERVER})
    if isinstance(value, tuple):
        return (*value, ip_network("192.0.2.0/24")) if value and hasattr(value[0], "version") else (*value, 1460)
    raise TypeError(f"no other value for {value!r}")


def variants(value: object, skip: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """The value with one field changed, for each field."""
    assert dataclasses.is_dataclass(value)
    assert not isinstance(value, type)
    for field in dataclasses.fields(value):
        if field.name not in skip:
            yield field.name, dataclasses.replace(value, **{field.name: other(getattr(value, field.name))})


def test_every_ability_that_is_changed_changes_the_sentences() -> None:
    log = dataclasses.replace(RULE, actions=(Log(),))
    whole = said(log)
    for name, ability in variants(
        Ability(), skip=("tcp", "reassembly", "inspect", "limits", "injectors", "dns_injectors")
    ):
        assert isinstance(ability, Ability)
        assert said(log, ability=ability) != whole, name


@pytest.mark.parametrize("part", ["tcp", "reassembly", "inspect", "limits"])
def test_every_part_of_an_ability_that_is_changed_changes_the_sentences(part: str) -> None:
    quic = Rule(name="quic", match=Leaf("quic.sni", Under(frozenset({"blocked.example"}))), actions=(Drop(),))
    whole = said(RULE, quic)  # what it does with QUIC is said if a rule asks about it
    for name, changed in variants(getattr(Ability(), part)):
        ability = dataclasses.replace(Ability(), **{part: changed})  # type: ignore[arg-type]
        assert said(RULE, quic, ability=ability) != whole, name


INJECTOR = Injector(name="one", flags=RST, reaction_ns=fixed(1_000_000), sequence=(0,))
ANSWERER = DnsInjector(
    name="one",
    a=(bytes([192, 0, 2, 1]),),
    aaaa=(bytes(16),),
    flags=0x8180,
    reaction_ns=fixed(1_000_000),
)


@pytest.mark.parametrize("named", [False, True])
def test_every_value_of_an_injector_that_is_changed_changes_the_sentences(named: bool) -> None:
    def told(injector: Injector) -> str:
        ability = Ability(injectors={"one": injector}) if named else Ability()
        return said(dataclasses.replace(RULE, actions=(Inject(injectors=(injector,)),)), ability=ability)

    for name, changed in variants(INJECTOR, skip=("name", "flags")):
        assert isinstance(changed, Injector)
        assert told(changed) != told(INJECTOR), name
    assert told(dataclasses.replace(INJECTOR, flags=RST | ACK)) != told(INJECTOR)


@pytest.mark.parametrize("named", [False, True])
def test_every_value_of_a_dns_injector_that_is_changed_changes_the_sentences(named: bool) -> None:
    match = Leaf("dns.name", Under(frozenset({"blocked.example"})))

    def told(injector: DnsInjector) -> str:
        ability = Ability(dns_injectors={"one": injector}) if named else Ability()
        return said(Rule(name="one", match=match, actions=(AnswerDns(injectors=(injector,)),)), ability=ability)

    for name, changed in variants(ANSWERER, skip=("name", "a", "aaaa", "flags", "rcode")):
        assert isinstance(changed, DnsInjector)
        assert told(changed) != told(ANSWERER), name
    for changes in ({"a": ()}, {"aaaa": ()}, {"flags": 0x8580}, {"flags": None}, {"a": (), "aaaa": (), "rcode": 3}):
        assert told(dataclasses.replace(ANSWERER, **changes)) != told(ANSWERER), changes


ACTIONS: list[Action] = [
    Pass(),
    Log(),
    *(Drop(scope=scope) for scope in Scope),
    *(Drop(scope=scope, after=Draw(5, 8)) for scope in (Scope.FLOW, Scope.TO_SERVER, Scope.TO_CLIENT)),
    Drop(scope=Scope.FLOW, after=Draw(5, 5)),
    Rewrite(flags=RST | ACK),
    Rewrite(flags=RST),
    Hold(delay_ns=Draw(1_000_000, 2_000_000)),
    Hold(delay_ns=fixed(1_000_000)),
    Inject(injectors=(INJECTOR,)),
    Inject(injectors=(INJECTOR, INJECTOR)),
    AnswerHttp(response=b"HTTP/1.1 403 Forbidden\r\n\r\n", injector=INJECTOR),
    AnswerHttp(response=b"HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\n", injector=INJECTOR),
    AnswerHttp(response=b"HTTP/1.1 403 Forbidden\r\n\r\nbody", injector=INJECTOR),
    AnswerHttp(response=b"HTTP/1.1 403 Forbidden\r\n\r\n", injector=dataclasses.replace(INJECTOR, flags=FIN)),
    *(AnswerIcmp(code=code, source=None, ttl=fixed(64)) for code in Unreachable),
    AnswerIcmp(code=Unreachable.HOST, source=bytes([192, 0, 2, 1]), ttl=fixed(64)),
    AnswerIcmp(code=Unreachable.HOST, source=None, ttl=fixed(9)),
]


def test_no_two_actions_read_alike() -> None:
    texts = [said(dataclasses.replace(RULE, actions=(action,))) for action in ACTIONS]
    assert len(set(texts)) == len(ACTIONS)


def test_every_word_of_a_rule_that_is_changed_changes_the_sentences() -> None:
    memory = Memory(duration_ns=10**9, key=Key.TWO, actions=(Drop(scope=Scope.FLOW),), coverage=0.5)
    rule = Rule(
        name="one",
        match=NAME,
        actions=(Drop(),),
        memory=memory,
        chance=0.5,
        when=Schedule(windows=(Window(begin_s=0, end_s=3600),), days=frozenset({0}), phases=frozenset({"a"})),
    )
    whole = said(rule)
    changed = [
        dataclasses.replace(rule, name="two"),
        dataclasses.replace(rule, chance=0.25),
        dataclasses.replace(rule, memory=None),
        dataclasses.replace(rule, match=Leaf("tls.sni", Is(frozenset({"blocked.example"})))),
    ]
    memories = [
        dataclasses.replace(memory, duration_ns=None),
        dataclasses.replace(memory, duration_ns=2 * 10**9),
        dataclasses.replace(memory, coverage=0.25),
        dataclasses.replace(memory, delay_ns=10**9),
        dataclasses.replace(memory, actions=(Drop(scope=Scope.TO_SERVER),)),
        *(dataclasses.replace(memory, key=key) for key in Key if key is not memory.key),
        *(dataclasses.replace(memory, rearm=rearm) for rearm in Rearm if rearm is not memory.rearm),
        *(dataclasses.replace(memory, start=start) for start in Start if start is not memory.start),
    ]
    schedules = [
        dataclasses.replace(rule.when, windows=()),
        dataclasses.replace(rule.when, windows=(Window(begin_s=0, end_s=7200),)),
        dataclasses.replace(rule.when, days=frozenset({1})),
        dataclasses.replace(rule.when, phases=frozenset()),
        dataclasses.replace(rule.when, utc_offset_s=3600),
    ]
    changed += [dataclasses.replace(rule, memory=one) for one in memories]
    changed += [dataclasses.replace(rule, when=one) for one in schedules]
    texts = [said(one) for one in changed]
    assert len({whole, *texts}) == len(changed) + 1


def test_hours_over_midnight_say_to_which_day_they_belong() -> None:
    night = Schedule(windows=(Window(begin_s=22 * 3600, end_s=2 * 3600),), days=frozenset({3}))
    assert (
        "is awake only at 22:00-02:00, on thu (UTC; hours over midnight belong to the day on which they begin)."
    ) in said(dataclasses.replace(RULE, when=night))
    assert "midnight" not in said(dataclasses.replace(RULE, when=dataclasses.replace(night, days=frozenset())))


def test_a_policy_is_read_back_in_full(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        """\
name: my-first-censor
about: resets connections that name a blocked site, from the side, and remembers for two minutes
box:
  placement: on-path
  reassembly: {segments: false}
lists: {banned: [blocked.example, other.example]}
rules:
  - name: sni
    match: {tls.sni: {under: banned}}
    action: {reset: {toward: both, copies: 3}}
    memory: {for: 120 s, key: 3-tuple, rearm: on-trigger}
    chance: 98 %
""",
        encoding="utf-8",
    )
    assert load(path).sentences() == [
        "my-first-censor: resets connections that name a blocked site, from the side, and remembers for two minutes.",
        "The box stands beside the path (on-path): it sees copies and can only inject. It acts at once.",
        "A TCP connection becomes known to it at a SYN, and it reads data once it has seen the client's SYN.",
        "It accepts data from the expected sequence number up to 65,536 bytes beyond.",
        "A RST or a RST+ACK at the expected sequence number of a connection makes it forget the connection.",
        "It forgets a connection that is silent for 600 s.",
        "It reads valid TCP headers, with or without options; it does not check checksums.",
        "It reads each TCP segment alone.",
        "It joins a TLS handshake message that comes in several records.",
        "It joins up to 64 IP fragments of a datagram and waits 30 s for them.",
        "It looks into what clients send.",
        "It remembers up to 200,000 TCP connections and as many other flows, 200,000 entries of residual "
        "censorship, 4,096 datagrams in pieces and 200,000 shared buckets; beyond that the oldest goes. It gives up a "
        "connection when 64,000,000 bytes of all connections wait to be read.",
        "Rule 1, 'sni': when the server name in a ClientHello is blocked.example or other.example, or a name below one "
        "of these, it injects 3 RST+ACK to each end (TTL 64, IP ID at random, DF not set, window 0) (in 98 % of flows, "
        "drawn for each flow).",
        "Rule 'sni' remembers: for 120 s afterwards, of flows from the same client to the same server and port, from "
        "the client's first packet after its SYN on, it injects the same; a new match starts that time anew.",
    ]


def test_a_policy_without_rules_says_so() -> None:
    assert sentences(Policy(name="x"))[-1] == "It has no rules: everything passes."


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_policies_read_as_sentences(path: Path) -> None:
    for sentence in load(path).sentences():
        assert re.fullmatch(r"[A-Za-z].*\.", sentence), sentence
        assert not re.search(r"  |\bNone\b|<|\(\)|\.\.", sentence), sentence
