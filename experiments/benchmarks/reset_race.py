"""Race forged resets against real servers: how often they reach the client first, and how long they take.

    python -m experiments.benchmarks.reset_race [TIMES]

Each attempt is a real connection through a lab of six nodes whose box sits beside the path; the server sleeps before
it answers, as if it were that far away. Times are the kernel's at the client's interface: from the ClientHello that
leaves to the first RST that arrives. Every tenth connection names an innocent site and must be answered.
Exit status 1 if a race against a server 10 ms away is lost or an innocent is touched, 3 if the box lost packets.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from middlebox.policy import Policy
from testbed.lab import Lab

#: the servers' distances in milliseconds, each with the share of TIMES that it gets
DISTANCES = ((10.0, 1.0), (2.0, 0.5), (1.0, 0.5), (0.5, 0.5), (0.0, 0.5))
#: the distance at which every race must be won
MUST_WIN_MS = 10.0

POLICY = """
name: reset-race
about: three injectors that answer at once, without memory
box:
  placement: on-path
  injectors:
    first: {flags: RST, toward: both, ip_id: 0, df: false}
    second: {flags: RST+ACK, copies: 3, toward: both, df: true}
    third: {flags: RST+ACK, toward: both}
rules:
  - name: sni
    match: {tls.sni: {under: blocked.example}}
    action: {reset: {injectors: [first, second, third]}}
"""

#: one port for each distance; answers each request after it
SERVER = """
import socket, sys, threading, time
def serve(connected, seconds):
    try:
        while connected.recv(65536):
            if seconds:
                time.sleep(seconds)
            connected.sendall(b"answer")
    except OSError:
        pass
    connected.close()
def accept(listener, seconds):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], seconds), daemon=True).start()
for port, milliseconds in enumerate(sys.argv[1:], 9000):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    threading.Thread(target=accept, args=(listener, float(milliseconds) / 1000)).start()
print("ready", flush=True)
"""

CLIENT = """
import json, socket, ssl, struct, sys
times, port, addresses = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
def hello(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
blocked, innocent = hello("blocked.example"), hello("innocent.example")
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
wire.setblocking(False)
def seen():
    while True:
        try:
            packet, control, _, _ = wire.recvmsg(65535, 128)
        except BlockingIOError:
            return
        seconds, nanoseconds = struct.unpack("qq", control[0][2])
        tcp = packet[20:] if packet[0] >> 4 == 4 else packet[40:]
        yield seconds * 10**9 + nanoseconds, tcp[:4], tcp[13], packet
def attempt(address, said):
    with socket.create_connection((address, port), timeout=5) as connected:
        here = connected.getsockname()[1]
        connected.sendall(said)
        try:
            return here, connected.recv(100) == b"answer"
        except ConnectionResetError:
            return here, False
took, lost, touched, innocents = [], 0, 0, 0
for number in range(times):
    address = addresses[number % len(addresses)]
    list(seen())
    here, answered = attempt(address, blocked)
    lost += answered
    out, back = struct.pack("!HH", here, port), struct.pack("!HH", port, here)
    left = arrived = None
    for t_ns, ports, flags, packet in seen():
        if ports == out and left is None and b"blocked.example" in packet:
            left = t_ns
        if ports == back and flags & 4 and left and arrived is None:
            arrived = t_ns
    if left and arrived:
        took.append(arrived - left)
    if number % 10 == 9:
        innocents += 1
        touched += not attempt(address, innocent)[1]
print(json.dumps({"took": took, "lost": lost, "touched": touched, "innocents": innocents}))
"""


def _policy() -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(POLICY, encoding="utf-8")
        return Policy.load(path)


def _line(lab: Lab, number: int, distance: float, times: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Race at one distance: what the client told, and how the box did."""
    server = lab.host("web")
    lab.box_stats(reset=True)
    words = [sys.executable, "-c", CLIENT, str(times), str(9000 + number), server.ipv4, server.ipv6]
    done = lab.client.run(words, timeout=600)
    if done.status:
        raise SystemExit(f"the client at {distance} ms ended with {done.status}: {done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told, lab.box_stats() or {}


def main(words: list[str]) -> int:
    times = int(words[0]) if words else 1000
    print("server at   won             RST at the client after, us    innocents   the box adds, us   of a core")
    print("                            p50     p99     longest        answered    p50     p99")
    failed = lossy = False
    with Lab(policy=_policy(), topology="small") as lab:
        out, out_end = os.pipe()
        said = os.fdopen(out)
        distances = [f"{distance:g}" for distance, _ in DISTANCES]
        server = lab.host("web").start([sys.executable, "-c", SERVER, *distances], stdout=out_end, stderr=2)
        os.close(out_end)
        if said.readline() != "ready\n":
            raise SystemExit("the server did not start")
        for number, (distance, share) in enumerate(DISTANCES):
            count = max(1, round(times * share))
            told, box = _line(lab, number, distance, count)
            won, took = count - told["lost"], sorted(told["took"])
            middle, late, longest = (took[int(len(took) * part)] / 1000 for part in (0.5, 0.99, 1 - 1e-9))
            clean = told["innocents"] - told["touched"]
            print(
                f"{distance:6.1f} ms   {won:5} of {count:5}  {middle:6.0f}  {late:6.0f}  {longest:8.0f}"
                f"       {clean:4} of {told['innocents']:3}  {box['added_p50_s'] * 1e6:6.0f}  "
                f"{box['added_p99_s'] * 1e6:6.0f}       {box['cpu_share']:6.0%}"
            )
            failed = failed or told["touched"] > 0 or (distance >= MUST_WIN_MS and won < count)
            lossy = lossy or box["queue_drops"] > 0
        server.close()
        said.close()
    if lossy:
        print("the box lost packets: this machine is too busy for a result", file=sys.stderr)
        return 3
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
