"""How fast a lab is with a box and without: bulk, new TLS connections; and how exact the kernel's policer is.

    python -m experiments.benchmarks.data_plane [bulk] [connections] [workers] [policing] [--rounds N]

Two labs of six nodes stand at the same time, one with a box under a policy, one that only forwards; their turns
alternate, and the medians and their ratio are printed; of bulk also that of the quickest tenth of its slices of 20 ms.
`workers` asks for new connections to two servers, one for each of two workers, against a box of one process, both under
a policy that costs milliseconds a name; it has no bar, as that is a matter of cores. No captures are made and no link
is slow. Bars: bulk 0.95 with segments as the kernel makes them, connections 0.75, policing within 3 % of the rate. With
segments as on a wire there is no bar: a packet's whole way through six nodes takes 3.5 us then, and none of what a box
needs in the kernel is free (see DESIGN.md). Exit status 1 if a bar is missed, 3 if a box lost packets.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from middlebox.drivers.sharing import worker_of
from middlebox.policy import Policy
from testbed.lab import Lab

BULK_BAR = 0.95
CONNECTIONS_BAR = 0.75
#: of the rate in bytes of IP packets; a flow's payload is 1,448 of 1,500 of that
POLICING_ERROR = 0.03
_PAYLOAD = 1448 / 1500
#: bits a second, for each congestion control
RATES = (64_000, 128_000, 1_000_000, 8_000_000, 50_000_000)

#: begins as TLS does, and then as much as there is
SERVER = """
import socket, threading
def serve(connected):
    try:
        connected.recv(65536)
        connected.sendall(b"go")
        data = bytes(1 << 20)
        while True:
            connected.sendall(data)
    except OSError:
        connected.close()
listener = socket.create_server(("", 9443), backlog=256)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""
BULK = """
import json, socket, ssl, sys, time
address, name, lead, span = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
except ssl.SSLWantReadError:
    pass
with socket.create_connection((address, 9443), timeout=10) as connected:
    connected.sendall(outgoing.read())
    room, count, begin, first = bytearray(1 << 20), 0, None, time.monotonic()
    part, since, rates = 0, 0, []
    while True:
        got = connected.recv_into(room)
        now = time.monotonic()
        if begin is None:
            if now - first >= lead:
                begin = since = now
        else:
            count += got
            part += got
            if now - since >= 0.02:
                rates.append(part * 8 / (now - since))
                part, since = 0, now
            if now - begin >= span:
                break
print(json.dumps([count * 8 / (now - begin), rates]))
"""
CONNECTIONS = """
import json, multiprocessing, socket, ssl, sys, time
addresses, name, span, many = sys.argv[1].split(","), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
def run(counted, address):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    count, end = 0, time.monotonic() + span
    while time.monotonic() < end:
        with socket.create_connection((address, 443), timeout=5) as connected:
            context.wrap_socket(connected, server_hostname=name).close()
            count += 1
    counted.put(count)
counted = multiprocessing.Queue()
workers = [multiprocessing.Process(target=run, args=(counted, addresses[at % len(addresses)])) for at in range(many)]
begin = time.monotonic()
for worker in workers:
    worker.start()
total = sum(counted.get() for _ in workers)
print(json.dumps(total / (time.monotonic() - begin)))
"""

POLICE = """
name: benchmark-police
about: polices what names slow.example
rules:
  - name: slow
    match: {tls.sni: {under: [slow.example]}}
    action: {police: RATE bit/s}
"""
#: patterns that take some milliseconds a name, so that the box is what is waited for
COSTLY = """
name: benchmark-costly
rules:
  - {name: one, match: {tls.sni: {regex: "(a+|b+|[a-z0-9.-]+)*w[.]example"}}, action: {drop: flow}}
  - {name: two, match: {tls.sni: {regex: "(a+|b+|[a-z0-9.-]+)*x[.]example"}}, action: {drop: flow}}
  - {name: three, match: {tls.sni: {regex: "(a+|b+|[a-z0-9.-]+)*y[.]example"}}, action: {drop: flow}}
  - {name: four, match: {tls.sni: {regex: "(a+|b+|[a-z0-9.-]+)*z[.]example"}}, action: {drop: flow}}
"""


def _tell(lab: Lab, code: str, *words: str) -> Any:  # noqa: ANN401  # what the client printed
    done = lab.client.run([sys.executable, "-c", code, *words], timeout=120)
    if done.status:
        raise SystemExit(f"a client ended with {done.status}: {done.stderr}")
    return json.loads(done.stdout)


def _number(lab: Lab, code: str, *words: str) -> float:
    return float(_tell(lab, code, *words))


def _serve(stack: ExitStack, lab: Lab) -> str:
    """Start the server at the lab's web host; its address."""
    host = lab.host("web")
    server = host.start([sys.executable, "-u", "-c", SERVER.replace('print("ready", flush=True)', "")], stderr=2)
    stack.callback(server.close)
    for _ in range(100):
        done = lab.client.run([sys.executable, "-c", f"import socket; socket.create_connection(('{host.ipv4}', 9443))"])
        if done.status == 0:
            return str(host.ipv4)
    raise SystemExit("the server did not start")


def _interleaved(what: str, rounds: int, measures: dict[str, Callable[[], float]], unit: float) -> dict[str, float]:
    """Take turns, and print each side's median."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(rounds):
        order = list(measures) if turn % 2 == 0 else list(reversed(measures))
        for name in order:
            taken[name].append(measures[name]() / unit)
    for name, values in taken.items():
        print(
            f"  {what:34} {name:12} median {median(values):9.1f}   least {min(values):9.1f}   most {max(values):9.1f}"
        )
    return {name: median(values) for name, values in taken.items()}


def bulk(rounds: int, *, wire_packets: bool) -> bool:
    """One allowed TLS-like flow through sni-drop against no box."""
    kind = "Mbit/s, segments as on a wire" if wire_packets else "Mbit/s, segments of up to 64 kB"
    with ExitStack() as stack:
        sides: dict[str, Callable[[], float]] = {}
        slices: dict[str, list[float]] = {"no box": [], "sni-drop": []}
        for name, policy in (("no box", None), ("sni-drop", "sni-drop")):
            lab = stack.enter_context(Lab(policy=policy, topology="small", wire_packets=wire_packets))
            address = _serve(stack, lab)

            def transfer(lab: Lab = lab, address: str = address, name: str = name) -> float:
                whole, rates = _tell(lab, BULK, address, "x.example", "0.3", "1")
                slices[name] += rates
                return float(whole)

            sides[name] = transfer
        found = _interleaved(kind, rounds, sides, 1e6)
    quick = {name: quantiles(rates, n=10)[-1] for name, rates in slices.items()}
    ratio = found["sni-drop"] / found["no box"]
    print(
        f"  ratio {ratio:.2f} ({'no bar' if wire_packets else f'bar {BULK_BAR}'}), "
        f"{quick['sni-drop'] / quick['no box']:.2f} of the quickest slices"
    )
    return wire_packets or ratio >= BULK_BAR


def connections(rounds: int) -> bool:
    """New TLS connections to nginx, two clients at once."""
    with ExitStack() as stack:
        sides: dict[str, Callable[[], float]] = {}
        labs = []
        for name, policy in (("no box", None), ("sni-drop", "sni-drop")):
            lab = stack.enter_context(Lab(policy=policy, topology="small"))
            labs.append(lab)
            address = lab.sites[-1].ipv4
            words = (address, lab.sites[-1].name, "3", "2")
            sides[name] = lambda lab=lab, words=words: _number(lab, CONNECTIONS, *words)  # type: ignore[misc]
        found = _interleaved("connections a second", rounds, sides, 1)
        stats = labs[1].box_stats() or {}
        print(f"  the box: {stats['packets']} packets, added p50 {stats['added_p50_s'] * 1e6:.0f} us, ", end="")
        print(f"p99 {stats['added_p99_s'] * 1e6:.0f} us, {stats['cpu_share']:.0%} of a core")
        if stats["queue_drops"]:
            raise SystemExit(3)
    ratio = found["sni-drop"] / found["no box"]
    print(f"  ratio {ratio:.2f} (bar {CONNECTIONS_BAR})")
    return ratio >= CONNECTIONS_BAR


def workers(rounds: int) -> None:
    """New TLS connections under a costly policy: a box of two processes against one of one, four clients at once."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "policy.yaml"
        path.write_text(COSTLY)
        sides: dict[str, Callable[[], float]] = {}
        labs = {}
        for count in (1, 2):
            sites = [f"site{number}.example" for number in range(8)]
            lab = labs[count] = stack.enter_context(Lab(path, "small", sites, workers=count))
            each: dict[int, str] = {}
            for site in lab.sites:
                pair = socket.inet_aton(lab.client.ipv4) + socket.inet_aton(site.ipv4)
                each.setdefault(worker_of(b"\x45" + bytes(11) + pair, 2), site.ipv4)
            words = (",".join(each.values()), sites[0], "3", "4")
            sides[f"workers {count}"] = lambda lab=lab, words=words: _number(lab, CONNECTIONS, *words)  # type: ignore[misc]
        found = _interleaved("connections a second", rounds, sides, 1)
        for count, lab in labs.items():
            stats = lab.box_stats() or {}
            each_of = [f"{one['packets']} packets" for one in stats.get("workers", [stats])]
            print(f"  workers {count}: {', '.join(each_of)}; added p99 {stats['added_p99_s'] * 1e6:.0f} us", end="")
            print(f", {stats['cpu_share']:.0%} of a core")
            if stats["queue_drops"]:
                raise SystemExit(3)
    print(f"  ratio {found['workers 2'] / found['workers 1']:.2f}")


def policing(seconds: float, congestions: list[str], rates: list[int]) -> bool:
    """Goodput of one flow that the kernel polices, against the rate."""
    good = True
    for congestion in congestions:
        for rate in rates:
            with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
                path = Path(folder) / "policy.yaml"
                path.write_text(POLICE.replace("RATE", str(rate)))
                lab = stack.enter_context(Lab(policy=Policy.load(path), topology="small", congestion=congestion))
                address = _serve(stack, lab)
                got = float(_tell(lab, BULK, address, "slow.example", "5", str(seconds))[0])
                with lab.box() as box:
                    kernel = box.ask({"do": "rules"})["kernel"]["slow"]
            error = got / (rate * _PAYLOAD) - 1
            who = "kernel" if kernel["passed"]["packets"] > 10 else "box"
            print(
                f"  {congestion:6} {rate / 1e6:7.3f} Mbit/s: {got / 1e6:8.4f} of payload, {error:+7.2%}   by the {who}"
            )
            good = good and abs(error) <= POLICING_ERROR
    return good


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.data_plane")
    parser.add_argument("what", nargs="*", help="bulk, connections, workers, policing (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of each policed transfer")
    parser.add_argument("--congestion", nargs="*", default=["cubic", "bbr", "reno"])
    parser.add_argument("--rate", nargs="*", type=int, default=list(RATES), help="bits a second")
    options = parser.parse_args(words)
    wanted = options.what or ["bulk", "connections", "workers", "policing"]
    good = True
    if "bulk" in wanted:
        print("one allowed flow")
        good = bulk(options.rounds, wire_packets=True) and good
        good = bulk(options.rounds, wire_packets=False) and good
    if "connections" in wanted:
        print("new TLS connections")
        good = connections(options.rounds) and good
    if "workers" in wanted:
        print("new TLS connections, by workers")
        workers(options.rounds)
    if "policing" in wanted:
        print("a policed flow")
        good = policing(options.seconds, options.congestion, options.rate) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
