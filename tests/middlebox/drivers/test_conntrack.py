"""Connection tracking: settings that follow the ability, and flows whose marks are taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from middlebox.ability import SECOND, Ability, Tcp
from middlebox.drivers.conntrack import Settings
from tests.middlebox.drivers.three_nodes import ThreeNodes


def _folder(tmp_path: Path, **values: int) -> Path:
    for name, value in values.items():
        (tmp_path / f"nf_conntrack_{name}").write_text(f"{value}\n")
    return tmp_path


def test_settings_follow_the_ability_are_read_back_and_put_back(tmp_path: Path) -> None:
    folder = _folder(tmp_path, checksum=1, tcp_timeout_established=432_000, tcp_timeout_fin_wait=120, udp_timeout=30)
    ability = Ability(tcp=Tcp(idle_ns=90 * SECOND))
    settings = Settings(ability, folder)
    said = settings.apply()
    assert said["checksum"] == 0
    assert said["tcp_timeout_established"] == said["udp_timeout"] == said["tcp_timeout_fin_wait"] == 90
    assert said["tcp_be_liberal"] == "No such file or directory"
    settings.restore()
    assert (folder / "nf_conntrack_tcp_timeout_established").read_text() == "432000"
    assert Settings(Ability(verify_checksums=True), folder).apply()["checksum"] == 1


_FLOWS = """
import json, socket, subprocess
from middlebox.drivers.conntrack import Conntrack, Tuple
from middlebox.drivers.tables import counters, load
load('''table inet t {
  counter marked { }
  counter kept { }
  chain g { type filter hook forward priority 1; ct mark 0 ct mark set 0x80001000; }
  chain h { type filter hook forward priority 2; meta l4proto != udp accept;
    ct mark & 0x00fff000 == 0x1000 counter name marked
    ct mark 0x80000000 counter name kept
  }
}''')
print("ready", flush=True)
input()
conntrack = Conntrack()
four = lambda text: socket.inet_aton(text)
flow = Tuple(17, four("10.0.0.1"), 5000, four("203.0.113.5"), 7)
back = Tuple(17, four("203.0.113.5"), 7, four("10.0.0.1"), 5000)
other = Tuple(17, four("10.0.0.1"), 5001, four("203.0.113.5"), 7)
six = Tuple(17, socket.inet_pton(10, "2001:db8:1::1"), 5000, socket.inet_pton(10, "2001:db8:2::5"), 7)
first = [conntrack.first_source(one) for one in (flow, back, six, other)]
conntrack.unmark([other, *[flow] * 250, six], 0x00fff000)
print(json.dumps({"first": [one and [one[0].hex(), one[1]] for one in first]}), flush=True)
input()
print(json.dumps([counters("t")[name][0] for name in ("marked", "kept")]), flush=True)
conntrack.forget_all()
print(json.dumps(conntrack.first_source(flow)))
"""
_SEND = """
import socket
for family, address, here in ((2, "203.0.113.5", "10.0.0.1"), (10, "2001:db8:2::5", "2001:db8:1::1")):
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.bind((here, 5000))
        out.sendto(b"x", (address, 7))
print("{}")
"""


@pytest.mark.lab
def test_marks_are_taken_back_from_either_side_and_the_other_bits_stay(nodes: ThreeNodes) -> None:
    box = subprocess.Popen(
        nodes.command("box", [sys.executable, "-c", _FLOWS]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert box.stdin is not None
    assert box.stdout is not None
    assert box.stdout.readline() == "ready\n"
    nodes.python("client", _SEND)
    box.stdin.write("\n")
    box.stdin.flush()
    told = json.loads(box.stdout.readline())
    assert told["first"] == [["0a000001", 5000], ["0a000001", 5000], ["20010db8000100000000000000000001", 5000], None]
    nodes.python("client", _SEND)
    out, _ = box.communicate("\n", timeout=20)
    marked, forgotten = out.splitlines()
    assert json.loads(marked) == [2, 2]  # the first packet of each flow, and the second
    assert json.loads(forgotten) is None
