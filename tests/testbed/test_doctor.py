"""The probes against what the same kernel says when asked by other means."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from testbed import doctor
from testbed.doctor import Features, Found, probe


def _host() -> tuple[list[str], str]:
    """The host's network interfaces and mounts."""
    interfaces = [line.partition(":")[0] for line in Path("/proc/net/dev").read_text().splitlines()]
    return interfaces, Path("/proc/self/mounts").read_text()


def test_found_is_true_or_false_by_itself() -> None:
    assert Found(True)
    assert not Found(False, "the kernel is too old")


def test_probing_changes_nothing_outside_its_namespaces() -> None:
    before = _host()
    probe.cache_clear()
    probe()
    assert _host() == before


def test_probing_twice_tries_once() -> None:
    assert probe() is probe()


@pytest.mark.lab
def test_a_kernel_with_network_namespaces_has_what_the_lab_needs() -> None:
    features = probe()
    for found in (features.namespaces, features.veth, features.nfqueue, features.tbf):
        assert found, found.detail
    assert features.namespaces.detail == ("as root" if os.geteuid() == 0 else "in a user namespace")


@pytest.mark.lab
def test_netem_is_found_exactly_where_tc_can_make_it() -> None:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = "PATH=$PATH:/usr/sbin:/sbin; tc qdisc add dev lo root netem delay 1ms"
    tried = subprocess.run(["unshare", *user, "--net", "sh", "-c", command], capture_output=True, check=False)
    assert bool(probe().netem) == (tried.returncode == 0)


@pytest.mark.lab
def test_the_congestion_controls_include_those_that_the_kernel_lists() -> None:
    listed = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    assert set(listed) - {"bbr1", "bpf_cubic"} <= set(probe().congestion.detail.split())
    assert probe().congestion_default.detail in listed


def test_without_namespaces_the_reason_is_told_and_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "forbidden", lambda: "run it with sudo")
    monkeypatch.setattr(doctor, "_try_all", lambda: pytest.fail("tried in a namespace that was refused"))
    features = probe.__wrapped__()
    assert isinstance(features, Features)
    assert features.namespaces == Found(False, "run it with sudo")
    assert not features.netem
