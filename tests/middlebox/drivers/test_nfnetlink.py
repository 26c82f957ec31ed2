"""The queue itself: batches, losses that are counted, and who has it already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.middlebox.drivers.three_nodes import ThreeNodes

_SINK = """
import json, socket, sys, threading
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
heard.bind(("203.0.113.5", 9))
print("ready", flush=True)
heard.settimeout(20)
count = 0
while True:
    if heard.recv(2000) == b"end":
        break
    count += 1
print(json.dumps(count))
"""

_FLOOD = """
import json, socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    out.sendto(b"x", ("203.0.113.5", 9))
print(json.dumps({}))
"""

#: counts packets; sleeps while the flood comes, with the smallest receive buffer there is
_COUNT = """
import json, select, socket, subprocess, sys
import middlebox.drivers.nfnetlink as nfnetlink
from middlebox.drivers.attach import Rules
nfnetlink.RECEIVE_BUFFER = 65536
fail_open = sys.argv[1] == "open"
ids, batches = [], []
def take(packet):
    ids.append(packet.id)
    packet.accept()
queue = nfnetlink.KernelQueue(5, take, fail_open=fail_open)
rules = Rules(5, fail_open=fail_open, mark=1)
rules.add()
print("ready", flush=True)
sys.stdin.readline()
while select.select([queue], [], [], 0.2)[0]:
    batches.append(queue.read(10))
rules.remove()
told = {"seen": len(ids), "last": ids[-1], "lost": queue.lost(), "overruns": queue.overruns, "most": max(batches)}
queue.close()
print(json.dumps({**told, "passes_when_full": queue.passes_when_full}))
"""

_TWICE = """
import json
from middlebox.drivers.attach import AttachError
from middlebox.drivers.nfnetlink import KernelQueue
first = KernelQueue(5, print, fail_open=False)
try:
    KernelQueue(5, print, fail_open=False)
except AttachError as error:
    print(json.dumps({"said": str(error)}))
first.close()
"""


def _overrun(nodes: ThreeNodes, fail: str, count: int) -> tuple[dict[str, Any], int]:
    """Flood a box that sleeps; what it told, and how many datagrams the server got."""
    import json
    import subprocess
    import sys

    server = nodes.serve(_SINK)
    box = subprocess.Popen(
        nodes.command("box", [sys.executable, "-c", _COUNT, fail]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert box.stdout is not None
    assert box.stdin is not None
    assert box.stdout.readline() == "ready\n"
    nodes.python("client", _FLOOD, str(count))
    out, _ = box.communicate("go\n", timeout=20)
    nodes.python("client", 'import socket; socket.socket(2, 2).sendto(b"end", ("203.0.113.5", 9)); print("{}")')
    got, _ = nodes.finish(server)
    told: dict[str, Any] = json.loads(out)
    return told, int(got)


@pytest.mark.lab
def test_a_box_that_fails_closed_drops_and_counts_what_overruns_it(nodes: ThreeNodes) -> None:
    told, got = _overrun(nodes, "closed", 2_000)
    assert got == told["seen"] < 2_000
    assert told["overruns"] >= 1
    assert sum(told["lost"]) == 2_000 - got
    assert told["most"] == 10


@pytest.mark.lab
def test_a_box_that_fails_open_lets_pass_what_overruns_it(nodes: ThreeNodes) -> None:
    told, got = _overrun(nodes, "open", 2_000)
    assert told["passes_when_full"] is True
    assert got == 2_000
    assert told["seen"] < 2_000
    assert told["lost"] == [0, 0]


@pytest.mark.lab
def test_a_queue_that_is_taken_is_refused_with_the_ways_out(nodes: ThreeNodes) -> None:
    said = nodes.python("box", _TWICE)["said"]
    assert said.startswith("queue 5 cannot be opened")
    assert "another process of this namespace listens on it (take another by --queue)" in said
