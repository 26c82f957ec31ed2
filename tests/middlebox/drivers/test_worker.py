"""One worker, asked as its crew asks it: it decides on nothing while it is held, and ends when it is alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.middlebox.drivers.three_nodes import ThreeNodes
from tests.middlebox.drivers.traffic import CLIENT, FOUR, RESET

_CODE = """
import argparse, json, os, socket, subprocess, sys, threading, time
from middlebox.drivers.attach import Rules
from middlebox.drivers.box import Clock
from middlebox.drivers.hand import Hand
from middlebox.drivers.worker import Post, work
from middlebox.policy import Policy
policy = Policy.load(sys.argv[1])
options = argparse.Namespace(name="box", queue=4, out=sys.argv[2], seed=0, policy=sys.argv[1], phase="x", fail="closed",
                             data_plane="queue", control="")
clock = Clock()
def be(asked, watched):
    post = Post(number=1, asked=asked, watched=watched, policies=0, clock=clock)
    return work(policy, options, post, lambda: "as it is")
hand = Hand(1, be)
hand.wait_ready()
rules = Rules(6, fail_open=False, mark=1)  # its queue: two on from the first worker's
rules.add()
def ask(**request):
    hand.ask(request)
    return hand.heard()
print("ready", flush=True)
sys.stdin.readline()
held = ask(do="stats")
ask(do="phase", name="later", t_ns=clock.now())
ask(do="go")
sys.stdin.readline()
going = ask(do="stats")
rules.remove()
hand.close()
hand.end()
try:
    hand.wait_done()
except Exception as error:
    how = str(error)
print(json.dumps([held, going, how]), flush=True)
"""


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_while_it_is_held_packets_wait_and_it_ends_when_nobody_can_ask(nodes: ThreeNodes, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(RESET)
    words = [sys.executable, "-c", _CODE, str(tmp_path / "policy.yaml"), str(tmp_path)]
    with subprocess.Popen(
        nodes.command("box", words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as crew:
        assert crew.stdin is not None
        assert crew.stdout is not None
        assert crew.stdout.readline() == "ready\n"
        client = nodes.start("client", [sys.executable, "-c", CLIENT, "443", f"x.example@{FOUR}"])
        crew.stdin.write("go\n")
        crew.stdin.flush()
        out, _ = nodes.finish(client)
        assert json.loads(out)["told"][0][0] == "answer"
        crew.stdin.write("end\n")
        crew.stdin.flush()
        held, going, how = json.loads(crew.stdout.readline())
    assert held["packets"] == 0
    assert going["packets"] >= 4
    assert (held["box"], held["queue"], held["scheduling"]) == ("box.1", 6, "as it is")
    assert how.endswith("ended with status 3")
    said = json.loads((tmp_path / "box.1.json").read_text())
    assert [(phase["phase"], phase["before_packet"]) for phase in said["phases"]] == [("later", 0)]
