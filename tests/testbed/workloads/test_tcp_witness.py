"""The program that asks a server's kernel about its connections, on this machine's own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import testbed.workloads

PROGRAM = Path(testbed.workloads.__file__).parent / "tcp_witness.py"


def test_it_tells_of_the_connections_with_the_peer_and_of_no_other() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    watched = socket.create_connection(listening.getsockname(), source_address=("127.0.0.9", 0))
    other = socket.create_connection(listening.getsockname(), source_address=("127.0.0.8", 0))
    port = watched.getsockname()[1]
    (peer, _), (beside, _) = listening.accept(), listening.accept()
    words = [sys.executable, "-I", str(PROGRAM), "127.0.0.9", "4", "0.02"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        time.sleep(0.3)
        peer.sendall(bytes(5_000))
        watched.recv(5_000)
        time.sleep(0.3)
        running.send_signal(signal.SIGTERM)
        (flow,) = json.loads(running.stdout.read())
    assert running.returncode == 0
    assert flow["port"] == port
    assert flow["acked"] >= 5_000
    assert flow["data_segments"] >= 1
    assert flow["retransmitted"] == 0
    assert 0 < flow["min_rtt_us"] < 1_000_000
    moments = [sample[0] for sample in flow["samples"]]
    assert moments == sorted(moments)
    for one in (watched, other, peer, beside, listening):
        one.close()
