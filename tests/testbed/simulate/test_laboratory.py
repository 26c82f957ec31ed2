"""The four policies of `sni-filtering` in virtual time, with the outcomes that they have in the emulated lab."""

from __future__ import annotations

import json
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from middlebox.censor import Censor
from middlebox.drivers.capture import Writer, read_packets
from middlebox.drivers.log import line
from middlebox.drivers.replay import replay
from middlebox.policy import Policy
from scenarios.sni_filtering import BLOCKED, INNOCENT, SCENARIO
from testbed import failure
from testbed.pages import wrong_page
from testbed.simulate.laboratory import SimulatedLab

#: what a client sees of the blocked name
SEEN = {
    "control": "",
    "sni-drop": failure.TIMEOUT,
    "gfw-like": failure.RESET,
    "tspu-like": failure.RESET,
    "dns-inject": failure.NETWORK_UNREACHABLE,
}
NAMES = {BLOCKED: True, f"www.{BLOCKED}": True, f"not{BLOCKED}": False, INNOCENT: False}


def visits(lab: SimulatedLab) -> Generator[Event, Any, dict[tuple[str, int], str]]:
    """Fetch each name over each family, each time from a fresh address."""
    addresses = lab.addresses("client")
    seen = {}
    for name in NAMES:
        for family in (4, 6):
            done = yield from lab.browser.fetch(name, family=family, source=addresses.fresh())
            seen[name, family] = done.failure or wrong_page(name, done.status, done.body.decode())
    return seen


@pytest.mark.parametrize("policy", ["control", *SCENARIO.policies])
def test_blocked_names_fail_as_in_emulation_and_innocent_ones_do_not(policy: str) -> None:
    lab = SimulatedLab(None if policy == "control" else policy, SCENARIO.topology, seed=7)
    (seen,) = lab.run(visits(lab))
    for (name, _), why in seen.items():
        assert why == (SEEN[policy] if NAMES[name] else ""), name
    assert bool(lab.log()) == (policy != "control")
    assert {json.loads(line)["box"] for line in lab.log()} <= {"box"}


def test_a_reset_comes_a_round_trip_to_the_box_and_its_reaction_after_the_hello() -> None:
    lab = SimulatedLab("gfw-like", seed=7)
    (done,) = lab.run(lab.browser.fetch(BLOCKED))
    assert done.connected_s is not None
    to_box = 2 * lab.topology.delay("client", "box")
    assert done.seconds - done.connected_s == pytest.approx(to_box + 0.001, abs=0.0005)


def test_a_hello_that_is_dropped_is_sent_again_as_by_linux() -> None:
    lab = SimulatedLab("sni-drop", seed=7)
    hellos: list[float] = []
    lab.network.watch(
        lambda name, way, t_ns, raw: (
            hellos.append(lab.clock.elapsed_s) if (name, way) == ("client", "out") and len(raw) > 500 else None
        )
    )
    (done,) = lab.run(lab.browser.fetch(BLOCKED, limit_s=4))
    assert done.connected_s is not None
    # by a real kernel in the emulated lab: 0, 0.240, 0.484, 0.988, 1.980, 3.932 s after the first
    waited = [at - hellos[0] for at in hellos]
    assert waited == pytest.approx([0, 0.240, 0.484, 0.988, 1.980, 3.932], rel=0.05)
    verdicts = [json.loads(one)["verdict"] for one in lab.log()]
    assert verdicts == ["drop"] * 6  # the end waits behind the hello, and nothing else leaves


def test_residual_censorship_hits_the_innocent_name_too() -> None:
    lab = SimulatedLab("gfw-like", seed=7)

    def person() -> Generator[Event, Any, list[str]]:
        said = []
        for name, wait_s in ((INNOCENT, 0), (BLOCKED, 0), (INNOCENT, 10), (INNOCENT, 180)):
            yield lab.clock.wait(wait_s)
            done = yield from lab.browser.fetch(name)
            said.append(done.failure)
        return said

    assert lab.run(person()) == [["", failure.RESET, failure.RESET, ""]]


@pytest.mark.parametrize("policy", SCENARIO.policies)
def test_a_replay_of_what_the_box_was_given_decides_the_same(policy: str, tmp_path: Path) -> None:
    lab = SimulatedLab(None, SCENARIO.topology, seed=7)
    told = Policy.load(policy)
    with Writer(tmp_path / "box.pcap") as capture:
        lab.network.install("box", told, capture=capture, ask_all=True)
        lab.run(visits(lab))
        lab.clock.run_for(1)
    decided = replay(Censor(told, seed=7), read_packets(tmp_path / "box.pcap"))
    again = [line(decision, "box") for decision in decided if not decision.simply_passed]
    assert again == lab.log()
    assert again


def trace(policy: str, seed: int) -> tuple[str, list[bytes]]:
    lab = SimulatedLab(policy, SCENARIO.topology, seed=seed)
    kept = sha256()
    lab.network.watch(lambda name, way, t_ns, raw: kept.update(f"{name}{way}{t_ns}".encode() + raw))
    lab.run(visits(lab))
    return kept.hexdigest(), lab.log()


@pytest.mark.parametrize("policy", SCENARIO.policies)
def test_a_seed_gives_the_same_packets_and_the_same_log(policy: str) -> None:
    if not SimulatedLab().entropy.fixed:
        pytest.xfail("this Python's OpenSSL draws from the system")
    first, again, other = trace(policy, 3), trace(policy, 3), trace(policy, 4)
    assert first == again
    assert first[0] != other[0]


def test_each_box_may_have_its_own_policy() -> None:
    lab = SimulatedLab({"box2": Policy.load("sni-drop")}, "two-boxes")
    (done,) = lab.run(lab.browser.fetch(BLOCKED, limit_s=2))
    assert done.failure == failure.TIMEOUT
    assert {json.loads(line)["box"] for line in lab.log()} == {"box2"}


def test_only_hosts_run_something() -> None:
    lab = SimulatedLab(topology="small")
    assert lab.host("web").name == "web"
    with pytest.raises(ValueError, match="'isp' of topology 'small' is a router"):
        lab.host("isp")
    with pytest.raises(ValueError, match="is no subscriber"):
        lab.addresses("web")


def test_what_does_not_end_is_told() -> None:
    lab = SimulatedLab(topology="small")

    def forever() -> Generator[Event, Any, None]:
        while True:
            yield lab.clock.wait(1)

    with pytest.raises(TimeoutError, match="after 5 simulated seconds something still runs"):
        lab.run(forever(), limit_s=5)
