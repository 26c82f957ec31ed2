"""Connecting: how long it takes, whom a failure blames, and a login over TLS before DTLS."""

from __future__ import annotations

from pathlib import Path

from testbed import failure
from tests.testbed.simulate.tunnels.made import told, used_once


def test_a_server_that_cannot_be_reached_is_a_timeout_after_the_limit(tmp_path: Path) -> None:
    rule = "  - {name: gone, match: {server.port: 51820}, action: {drop: {}}}\n"
    _, used = used_once("wireguard", rule, tmp_path)
    assert used.error is not None
    assert (used.error.failure, used.error.seconds) == (failure.TIMEOUT, 6.0)
    assert "wireguard was not up after 6.0 s" in str(used.error)


def test_a_reset_is_named_as_one(tmp_path: Path) -> None:
    rule = "  - {name: cut, match: {ssh.banner: {present: true}}, action: reset}\n"
    _, used = used_once("ssh", rule, tmp_path)
    assert used.error is not None
    assert used.error.failure == failure.RESET


def test_anyconnect_logs_in_over_tls_by_a_name_and_goes_on_over_dtls(tmp_path: Path) -> None:
    rules = "  - {name: login, match: {tls.sni: vpn.example}, action: log}\n"
    rules += "  - {name: data, match: {dtls.hello: true}, action: log}\n"
    lab, used = used_once("openconnect", rules, tmp_path)
    assert used.got is not None
    assert [one["rule"] for one in told(lab)][:2] == ["login", "data"]
