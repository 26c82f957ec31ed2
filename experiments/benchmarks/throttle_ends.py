"""The two ends of a transfer that `throttle_grid` measures, as programs for lab hosts.

They import nothing of this project. Offsets are those of the kernel's tcp_info (linux/tcp.h).
"""

from __future__ import annotations

#: PORT:CONGESTION-CONTROL ...; sends without end to whoever connects, and says when the connection is over:
#: [port, [[seconds, smoothed round trip in us, segments sent again, segments sent, least round trip in us], ...]]
SERVER = """
import json, socket, struct, sys, threading, time
def serve(connected):
    info, sent = [], b"d" * 65536
    connected.settimeout(0.25)
    begin = last = time.monotonic()
    try:
        while True:
            try:
                connected.send(sent)
            except TimeoutError:
                pass
            now = time.monotonic()
            if now - last > 0.25:
                last = now
                raw = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                rtt, = struct.unpack_from("I", raw, 68)
                again, = struct.unpack_from("I", raw, 100)
                segments, = struct.unpack_from("I", raw, 136)
                least, = struct.unpack_from("I", raw, 148)
                info.append((now - begin, rtt, again, segments, least))
    except OSError:
        pass
    with lock:
        print(json.dumps([connected.getsockname()[1], info]), flush=True)
    connected.close()
def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
lock = threading.Lock()
for word in sys.argv[1:]:
    port, control = word.split(":")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
    listener.bind(("0.0.0.0", int(port)))
    listener.listen(64)
    threading.Thread(target=accept, args=(listener,)).start()
print("ready", flush=True)
"""

#: ADDRESS PORT CONNECTIONS WARM-UP SECONDS; says at the first and the last arrival of the counted time:
#: [seconds, data segments that have come, bytes of payload of those that were new]
CLIENT = """
import json, select, socket, struct, sys, time
address, port, flows, (warm_up, seconds) = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), map(float, sys.argv[4:])
def came():
    raws = [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256) for one in every]
    return sum(struct.unpack_from("I", raw, 152)[0] for raw in raws)
every = []
for _ in range(flows):  # all at once: the queue of the first would hold the others up
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((address, port))
    every.append(one)
poller = select.poll()
numbers = {one.fileno(): one for one in every}
for number in numbers:
    poller.register(number, select.POLLIN)
begin, segments, new, said = time.monotonic(), 0, 0, []
while (now := time.monotonic() - begin) < warm_up + seconds:
    for number, _ in poller.poll(5):
        new += len(numbers[number].recv(1 << 20))
    if (count := came()) != segments:  # what came again wakes nobody up
        segments = count
        if now >= warm_up:
            said.append((time.monotonic() - begin, segments, new))
print(json.dumps([said[0], said[-1]] if said else None))
"""
