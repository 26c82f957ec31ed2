"""What tests of the live box share: policies, a server, a client, and the capture and the log read back.

The server answers after 10 ms; the client tells what came of each request.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scapy.utils import RawPcapReader

from middlebox.censor import Censor
from middlebox.drivers.log import line
from middlebox.policy import Policy
from tests.middlebox.drivers.three_nodes import LiveBox, ThreeNodes

RESET = """
name: live-reset
box: {placement: on-path}
rules:
  - name: sni
    match: {tls.sni: {under: [blocked.example]}}
    action: {reset: {toward: both, flags: RST, ttl: 55, ip_id: 0, df: false, copies: 2}}
"""

IN_PATH = """
name: live-in-path
rules:
  - name: gone
    match: {http.host: gone.example}
    action: {drop: flow}
  - name: late
    match: {http.host: late.example}
    action: {hold: 60 ms}
  - name: turned
    match: {http.host: turned.example}
    action: rewrite
  - name: sleeping
    match: {http.host: phased.example}
    when: {phase: during}
    action: {drop: flow}
"""

#: answers each request after 10 ms, in both IP versions
SERVER = """
import socket, threading, time
def serve(connected):
    try:
        while asked := connected.recv(65536):
            time.sleep(0.01)
            connected.sendall(b"answer")
    except OSError:
        pass
def accept(listener):
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
for port in (80, 443):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    threading.Thread(target=accept, args=(listener,)).start()
print("ready", flush=True)
"""

#: sends each request by a new connection; tells what came of it and how long it took
CLIENT = """
import json, socket, ssl, sys, time
def request(port, name):
    if port == 80:
        return f"GET / HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
told = []
port = int(sys.argv[1])
for word in sys.argv[2:]:
    name, address = word.split("@")
    with socket.create_connection((address, port), timeout=1) as connected:
        connected.settimeout(0.4)
        said = request(port, name)
        begin = time.perf_counter()
        connected.sendall(said)
        try:
            outcome = connected.recv(100).decode() or "end"
        except OSError as error:
            outcome = type(error).__name__
        told.append([outcome, time.perf_counter() - begin])
print(json.dumps({"told": told}))
"""

FOUR, SIX = "203.0.113.5", "2001:db8:2::5"


def fetch(nodes: ThreeNodes, port: int, *wanted: str) -> list[str]:
    """What came of requests, each "name@address"."""
    return [outcome for outcome, _ in nodes.python("client", CLIENT, str(port), *wanted)["told"]]


def captured(folder: Path, name: str = "box") -> list[tuple[int, bytes]]:
    """The packets of a box's, or a worker's, capture with their times, read by scapy."""
    reader = RawPcapReader(str(folder / f"{name}.pcap"))
    assert reader.nano
    packets = [(when.sec * 1_000_000_000 + when.usec, packet) for packet, when in reader]
    reader.close()
    return packets


def replayed(box: LiveBox, name: str = "box") -> bytes:
    """The decision log that the box's, or a worker's, capture gives when a fresh engine is given it."""
    said: dict[str, Any] = json.loads((box.folder / f"{name}.json").read_text())
    again = box.folder / "again.yaml"
    again.write_text(said["policy_text"])
    censor = Censor(Policy.load(again), seed=said["seed"])
    lines = b""
    for number, (t_ns, packet) in enumerate(captured(box.folder, name)):
        for phase in said["phases"]:
            if phase["before_packet"] == number:
                censor.enter_phase(phase["phase"], phase["t_ns"])
        censor.due(t_ns)
        decision = censor.decide(packet, t_ns)
        if not decision.simply_passed:
            lines += line(decision, said["box"])
    return lines
