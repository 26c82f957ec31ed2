"""What a policy means, whatever its box can see."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from middlebox.intent import intended
from tests.middlebox.dialogue import policy

SNI = policy("""
    name: sni
    box: {placement: on-path, reassembly: false}
    rules:
      - {name: sni, match: {initiator: inside, tls.sni: {under: blocked.example}}, action: reset, chance: 10 %}
""")
DNS = policy("""
    name: dns
    rules:
      - {name: dns, match: {dns.name: {under: blocked.example}}, action: {dns: {nxdomain: true}}}
""")
ADDRESS = policy("""
    name: address
    rules:
      - {name: spare, match: {server.port: 80}, action: pass}
      - {name: address, match: {server.ip: {in: 203.0.113.5}}, action: drop}
""")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("blocked.example", "blocked"), ("www.blocked.example", "blocked"), ("notblocked.example", "ok"), (None, "ok")],
)
def test_a_name_is_meant_or_not_whatever_the_box_is_able_to(name: str | None, meant: str) -> None:
    assert intended(SNI, name=name) == meant
    assert intended(DNS, name=name) == meant


def test_without_a_policy_everything_is_meant_to_work() -> None:
    assert intended(None, name="blocked.example") == "ok"


def test_a_name_rule_on_dns_does_not_mean_a_fetch_that_asks_no_dns() -> None:
    assert intended(DNS, name="blocked.example", resolves=False) == "ok"
    assert intended(DNS, name="blocked.example", protocol="dns") == "blocked"
    assert intended(SNI, name="blocked.example", protocol="http") == "ok"


QUIC = policy("""
    name: quic
    rules:
      - name: quic
        match: {quic.sni: {under: blocked.example}, quic.version: "1"}
        action: log
        memory: {for: 180 s, key: 3-tuple, action: {drop: to-server}}
""")


def test_a_name_over_quic_is_meant_even_if_only_the_memory_acts() -> None:
    assert intended(QUIC, name="www.blocked.example", protocol="h3") == "blocked"
    assert intended(QUIC, name="innocent.example", protocol="h3") == "ok"
    assert intended(QUIC, name="blocked.example") == "ok", "over TCP"
    assert intended(SNI, name="blocked.example", protocol="h3") == "ok"
    assert intended(DNS, name="blocked.example", protocol="h3") == "blocked"


def test_an_address_is_meant_and_a_pass_before_it_is_heard() -> None:
    address = ip_address("203.0.113.5").packed
    assert intended(ADDRESS, name="any.example", address=address) == "blocked"
    assert intended(ADDRESS, name="any.example", address=address, protocol="http", port=80) == "ok"
    assert intended(ADDRESS, name="any.example", address=ip_address("203.0.113.6").packed) == "ok"


@pytest.mark.parametrize(
    ("action", "size", "meant"),
    [
        ("{police: 128 kbit/s}", 0, "throttled"),
        ("{police: {rate: 128 kbit/s, burst: 16 kB}}", 2_000, "ok"),
        ("{police: {rate: 128 kbit/s, burst: 16 kB}}", 12_000, "throttled"),
        ("{police: {rate: 128 kbit/s, burst: 16 kB, per: client}}", 2_000, "throttled"),
        ("{shape: 128 kbit/s}", 0, "throttled"),
        ("{delay: 1 s}", 0, "degraded"),
        ("{lose: 10 %}", 0, "degraded"),
        ("{degrade: 5}", 0, "degraded"),
        ("{degrade: 0}", 0, "blocked"),
        ("{freeze: 16 kB}", 10_000, "ok"),
        ("{freeze: 16 kB}", 100_000, "blocked"),
        ("{freeze: 25 packets}", 10_000, "ok"),
        ("{freeze: 25 packets}", 1_000_000, "blocked"),
        ("[{delay: 1 s}, {police: 1 Mbit/s}]", 0, "throttled"),
        ("[log, {lose: 1 %}]", 0, "degraded"),
    ],
)
def test_what_slows_a_flow_is_meant_to_throttle_or_degrade_it(action: str, size: int, meant: str) -> None:
    slow = policy(f"""
        name: slow
        rules:
          - {{name: slow, match: {{tls.sni: {{under: blocked.example}}}}, action: {action}}}
    """)
    assert intended(slow, name="blocked.example", size=size) == meant
    assert intended(slow, name="innocent.example", size=size) == "ok"
