"""Actions that can never have an effect are told from those that might; compared with what the censor does."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.censor import Censor
from middlebox.effect import possible
from middlebox.grammar.matching import MATCH
from middlebox.load import load, load_whole, shipped
from middlebox.policy import Policy
from tests.middlebox.grammar.reading import read

RULE = "name: x\nrules:\n  - name: one\n    match: MATCH\n    action: ACTION\n"


def warnings(folder: Path, match: str, action: str, more: str = "") -> list[str]:
    path = folder / "policy.yaml"
    path.write_text(RULE.replace("MATCH", match).replace("ACTION", action) + more, encoding="utf-8")
    return [str(one) for one in load_whole(path).warnings]


@pytest.mark.parametrize(
    ("match", "transports"),
    [
        ("{}", "tcp udp icmp other"),
        ("{transport: udp}", "udp"),
        ("{not: {transport: udp}}", "tcp icmp other"),
        ("{tls.sni: a.example}", "tcp"),
        ("{not: {tls.sni: a.example}}", "tcp udp icmp other"),
        ("{dns.name: a.example}", "tcp udp"),
        ("{any: [{quic.sni: a.example}, {dns.name: a.example}]}", "tcp udp"),
        ("{tcp.flags: SYN}", "tcp"),
        ("{server.port: 53}", "tcp udp"),
        ("{server.ip: 192.0.2.1}", "tcp udp icmp other"),
        ("{tls.sni: a.example, transport: udp}", ""),
    ],
)
def test_a_match_leaves_open_what_it_does_not_settle(match: str, transports: str) -> None:
    found = [one for one in ("tcp", "udp", "icmp", "other") if possible(read(MATCH, match), one)]
    assert " ".join(found) == transports


@pytest.mark.parametrize(
    ("match", "action", "warned"),
    [
        ("{dns.name: a.example}", "reset", True),
        ("{dns.name: a.example}", "[log, rewrite]", True),
        ("{dns.name: a.example, transport: tcp}", "reset", False),
        ("{dns.name: a.example}", "[reset, {dns: {nxdomain: true}}]", False),
        ("{any: [{dns.name: a.example}, {tls.sni: a.example}]}", "reset", False),
        ("{server.ip: 192.0.2.1}", "reset", False),
    ],
)
def test_a_reset_for_dns_is_warned_of_unless_more_is_done_or_tcp_is_meant(
    tmp_path: Path, match: str, action: str, warned: bool
) -> None:
    found = warnings(tmp_path, match, action)
    assert bool(found) is warned
    assert all("for DNS, which most clients ask over UDP; expected drop, dns or icmp" in one for one in found)


def test_a_reset_of_datagrams_may_be_meant_for_the_later_flows_of_a_memory(tmp_path: Path) -> None:
    memory = "    memory: {for: 1 min, key: client}\n"
    (warning,) = warnings(tmp_path, "{transport: udp}", "reset", memory)
    assert "'reset' in a rule whose own flows it leaves alone" in warning


def test_no_shipped_policy_has_an_action_without_effect() -> None:
    for name in shipped():
        assert not [one for one in load_whole(name).warnings if "alone" in str(one)], name


def test_what_is_refused_has_indeed_no_effect() -> None:
    """The same rule, built by hand, changes nothing about a datagram."""
    from middlebox.action import Inject, Rewrite
    from middlebox.packet import RST
    from middlebox.policy import Rule
    from middlebox.verdict import Verdict

    injectors = next(action for action in load("gfw-tls").rules[0].actions if isinstance(action, Inject))
    rule = Rule(name="one", match=read(MATCH, "{transport: udp}"), actions=(injectors, Rewrite(flags=RST)))
    censor = Censor(Policy(name="x", rules=(rule,)), seed=1)
    datagram = bytes.fromhex("4500002000010000401100000a000001c000020104000035000c0000") + b"\1\2\3\4"
    decision = censor.decide(datagram, 0)
    assert decision.rule == "one"
    assert (decision.verdict, decision.injected, decision.rewritten) == (Verdict.PASS, (), None)
