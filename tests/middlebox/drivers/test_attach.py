"""Where a box may attach, and what it leaves in the kernel's tables."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from middlebox.drivers.attach import HARMLESS, AttachError, _interface, programs, refusal
from tests.middlebox.drivers.three_nodes import ThreeNodes

_RULES = """
import json, subprocess, sys
from middlebox.drivers.attach import Rules, programs
def listed():
    listing = [subprocess.run([p, "-t", "mangle", "-S"], capture_output=True, text=True).stdout for p in programs()]
    return [[rule for rule in text.splitlines() if rule.startswith("-A")] for text in listing]
before = listed()
left = Rules(3, fail_open=True, mark=0x70656e)
left.add()  # as by a box that is killed now
rules = Rules(3, fail_open=False, mark=0x70656e)
rules.add()
during = listed()
rules.remove()
print(json.dumps({"before": before, "during": during, "after": listed(), "wait": rules.wait_before}))
"""

_LOOK = """
import json
from middlebox.drivers.attach import interfaces, refusal
print(json.dumps({"interfaces": sorted(interfaces()), "refusal": refusal()}))
"""


def test_the_namespace_of_process_1_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ns").touch()
    said = refusal(own=str(tmp_path / "ns"), first=str(tmp_path / "ns"))
    assert said.startswith("refusing to attach to this network namespace: process 1 lives in it.")
    assert "\n" not in said


def test_a_namespace_of_process_1_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    said = refusal(first=str(tmp_path / "none"))
    assert "the namespace of process 1 cannot be read (No such file or directory), so it may be this one" in said


def _link(name: bytes, kind: bytes | None, device_type: int = 1) -> bytes:
    """The body of an RTM_NEWLINK as rtnetlink(7) and linux/if_link.h describe it."""

    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)

    body = struct.pack("=BxHiII", 0, device_type, 2, 0, 0) + attribute(3, name + b"\0")
    return body + (b"" if kind is None else attribute(18 | 0x8000, attribute(1, kind + b"\0")))


def test_a_device_without_a_kind_is_physical() -> None:
    assert _interface(_link(b"enp1s0", None)) == ("enp1s0", "")
    assert "" not in HARMLESS


def test_devices_that_sit_on_a_wire_are_not_harmless() -> None:
    for kind in ("macvlan", "ipvlan", "vlan", "bond", "wireguard"):
        assert _interface(_link(b"x0", kind.encode())) == ("x0", kind)
        assert kind not in HARMLESS


def test_the_loopback_is_known_by_its_type() -> None:
    assert _interface(_link(b"lo", None, device_type=772)) == ("lo", "loopback")


def test_iptables_is_found_outside_the_path_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [os.path.basename(path) for path in programs()][:1] == ["iptables"]


def test_a_missing_iptables_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("middlebox.drivers.attach.FOLDERS", str(tmp_path))
    with pytest.raises(AttachError, match="'iptables' is missing; on Debian: apt-get install iptables"):
        programs()


@pytest.mark.lab
def test_a_node_of_a_lab_is_not_refused(nodes: ThreeNodes) -> None:
    seen = nodes.python("box", _LOOK)
    listed = dict(seen["interfaces"])
    assert (listed["lo"], listed["west"], listed["east"]) == ("loopback", "veth", "veth")
    assert seen["refusal"] == ""


@pytest.mark.lab
def test_the_node_that_holds_the_lab_is_refused(nodes: ThreeNodes) -> None:
    inside = nodes.command("box", [sys.executable, "-c", _LOOK])
    holder = [word for word in inside if not word.startswith("--net=")]
    holder.insert(holder.index("--"), "--net")
    out, _ = nodes.finish(nodes.start_as(holder))
    assert "process 1 lives in it" in out


@pytest.mark.lab
def test_rules_replace_those_of_a_killed_box_and_go_without_a_trace(nodes: ThreeNodes) -> None:
    seen = nodes.python("box", _RULES)
    four, six = seen["during"]
    assert four == [
        "-A FORWARD -j NFQUEUE --queue-num 3",
        "-A OUTPUT -m mark --mark 0x70656e -j NFQUEUE --queue-num 4 --queue-bypass",
    ]
    assert six == ["-A FORWARD -j NFQUEUE --queue-num 3"]
    assert seen["before"] == seen["after"] == [[], []]
    assert seen["wait"] is False


@pytest.mark.lab
def test_rules_that_cannot_all_be_added_are_not_added_at_all(nodes: ThreeNodes, tmp_path: Path) -> None:
    (tmp_path / "ip6tables").write_text("#!/bin/sh\necho no table here >&2; exit 3\n")
    (tmp_path / "ip6tables").chmod(0o755)
    path = f"import os; os.environ['PATH'] = '{tmp_path}:' + os.environ['PATH']\n"
    _, errors = nodes.run(
        "box", [sys.executable, "-c", path + _RULES.replace("fail_open=True", "fail_open=False")], status=1
    )
    assert "ip6tables -w 10 -t mangle -S' failed: no table here" in errors
    assert "-A" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]


@pytest.mark.lab
def test_a_queue_that_packets_meet_before_the_box_is_noticed(nodes: ThreeNodes) -> None:
    nodes.run("box", ["iptables", "-t", "mangle", "-A", "PREROUTING", "-j", "NFQUEUE", "--queue-num", "1000"])
    seen = nodes.python("box", _RULES)
    assert seen["wait"] is True
    assert seen["after"] == seen["before"]


_WORKERS = _RULES.replace("left = Rules(3, fail_open=True,", "left = Rules(3, workers=3, fail_open=True,").replace(
    "rules = Rules(3, fail_open=False,", "rules = Rules(3, workers=2, let_by=0x1000000, fail_open=False,"
)


@pytest.mark.lab
def test_workers_have_queues_and_marks_of_their_own_and_take_over_from_more_of_them(nodes: ThreeNodes) -> None:
    seen = nodes.python("box", _WORKERS)
    four, six = seen["during"]
    assert [rule.partition("-m bpf")[0] for rule in four[:2]] == ["-A FORWARD -m mark --mark 0x0/0x1000000 "] * 2
    assert [rule.rpartition("-j ")[2] for rule in four] == [
        *("NFQUEUE --queue-num 3", "NFQUEUE --queue-num 5"),
        *("NFQUEUE --queue-num 4 --queue-bypass", "NFQUEUE --queue-num 6 --queue-bypass"),
    ]
    assert [rule.split()[5] for rule in four[2:]] == ["0x70656e", "0x70656f"]
    assert len(six) == 2
    assert seen["before"] == seen["after"] == [[], []]


@pytest.mark.lab
def test_without_the_match_that_shares_packets_out_workers_are_refused(nodes: ThreeNodes, tmp_path: Path) -> None:
    table = nodes.run("box", ["sh", "-c", "command -v iptables"])[0].strip()
    (tmp_path / "iptables").write_text(
        f'#!/bin/sh\ncase "$*" in *bpf*) echo "Couldn\'t load match \'bpf\'" >&2; exit 2;; esac\nexec {table} "$@"\n'
    )
    (tmp_path / "iptables").chmod(0o755)
    path = f"import os; os.environ['PATH'] = '{tmp_path}:' + os.environ['PATH']\n"
    _, errors = nodes.run("box", [sys.executable, "-c", path + _WORKERS], status=1)
    assert "packets cannot be shared out among workers, which needs iptables' match 'bpf' (xt_bpf): " in errors
    assert "Couldn't load match 'bpf'; use --workers 1" in errors
    assert "-A" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]
