"""Make a call, and report it as JSON: `call_client.py HOST FAMILY SECONDS LIMIT_S SOURCE`.

A program of its own, run on a lab host; what it says and when, `testbed.calls.ends` says. SOURCE is the address to come
from; "" leaves it to the system.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import sys
import threading
import time
from typing import Any

from testbed.calls.ends import PORT, Caller


def _resolve(host: str, family: int, limit_s: float) -> tuple[Any, str]:
    """The first address, or why there is none; getaddrinfo cannot be interrupted, so it has a thread of its own."""
    found: list[Any] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, PORT, family, socket.SOCK_DGRAM))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(limit_s)
    if not found:
        return None, "timed out"
    return (None, str(found[0].strerror)) if isinstance(found[0], OSError) else (found[0][4], "")


def _call(host: str, family: int, seconds: float, limit_s: float, source: str) -> dict[str, Any]:
    began_s = time.monotonic()
    address, why = _resolve(host, family, limit_s)
    if address is None:
        return {"ended": "resolve", "reason": why, "seconds": time.monotonic() - began_s}
    resolved_s = time.monotonic() - began_s
    line = socket.socket(family, socket.SOCK_DGRAM)
    try:
        line.bind((source, 0))
        line.connect(address)  # what ICMP says is heard then
    except OSError as error:
        return {"ended": "error", "reason": str(error.strerror), "seconds": time.monotonic() - began_s}
    line.setblocking(False)
    caller = Caller(random.Random(), seconds, limit_s - resolved_s, time.monotonic())
    reason = ""
    while not caller.over:
        try:
            readable, _, _ = select.select([line], [], [], max(0.0, caller.next_s - time.monotonic()))
            if readable:
                caller.take(line.recv(2_048), time.monotonic())
        except OSError as error:
            reason = str(error.strerror)
        for data in caller.due(time.monotonic()):
            try:
                line.send(data)
            except OSError as error:
                reason = str(error.strerror)
    told = caller.told(time.monotonic())
    for name in ("connect_s", "first_voice_s"):
        if told.get(name) is not None:
            told[name] += resolved_s
    return told | {"ended": "all", "reason": reason, "seconds": time.monotonic() - began_s}


def main(host: str, family: str, seconds: str, limit_s: str, source: str) -> int:
    """Print the report; the exit status is 0 whatever the network did."""
    kind = socket.AF_INET6 if family == "6" else socket.AF_INET
    print(json.dumps(_call(host, kind, float(seconds), float(limit_s), source)), flush=True)
    os._exit(0)  # a thread may still be looking a name up


if __name__ == "__main__":
    main(*sys.argv[1:])
