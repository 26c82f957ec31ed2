"""Changes what a lab's host sends: the program that runs there, and how it is started and ended from outside.

Usage, on a host of a lab: python -m testbed.changing NAME. The kernel's queue gives it the segments to port 443; what
`changers` makes of them leaves by raw sockets, whose mark the queue lets by. It prints `ready`, and takes its rules
away when it is told to end. It runs in a namespace without live interfaces only, as the box does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from middlebox.drivers.attach import AttachError, programs, refusal
from testbed.changers import CHANGERS, Changer
from testbed.tool import Command, Host, ToolError

if TYPE_CHECKING:
    from netfilterqueue import Packet

QUEUE = 443
#: of what has been changed already; a bit that neither box nor lab uses
MARK = 0x0200_0000
_ROOT = Path(__file__).resolve().parent.parent
#: seconds that the program may take until it is ready, on a machine that is itself emulated
_PATIENCE_S = 30.0
_RULE = f"-p tcp --dport 443 -m mark ! --mark {MARK}/{MARK} -j NFQUEUE --queue-num {QUEUE}"
_IPV6_HDRINCL = 36  # linux/in6.h


class Changing:
    """A changer that runs on a host; leaving it ends it. Raises `ToolError` if it does not start."""

    def __init__(self, host: Host, name: str) -> None:
        out, end = os.pipe()
        try:
            self._command: Command = host.start(
                [sys.executable, "-m", "testbed.changing", name], env={"PYTHONPATH": str(_ROOT)}, stdout=end, stderr=end
            )
        finally:
            os.close(end)
        said = b""
        try:
            while not said.endswith(b"ready\n"):
                if not select.select([out], [], [], _PATIENCE_S)[0] or not (part := os.read(out, 4096)):
                    self.close()
                    words = said.decode(errors="replace").strip() or self._command.error or "it says nothing"
                    raise ToolError(f"{name} did not start: {words[-200:]}")
                said += part
        finally:
            os.close(out)

    def close(self) -> None:
        """End it, and wait until its rules are gone."""
        self._command.signal(signal.SIGTERM)
        self._command.wait(_PATIENCE_S)
        self._command.close()

    def __enter__(self) -> Changing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class Sockets:
    """Raw sockets for both IP versions, whose packets have the mark."""

    def __init__(self) -> None:
        self._four = _raw(socket.AF_INET, socket.IPPROTO_IP, socket.IP_HDRINCL)
        self._six = _raw(socket.AF_INET6, socket.IPPROTO_IPV6, _IPV6_HDRINCL) if socket.has_ipv6 else None

    def send(self, raw: bytes) -> None:
        """Send one packet, whole from its IP header on."""
        if raw[0] >> 4 == 4:
            self._four.sendto(raw, (socket.inet_ntoa(raw[16:20]), 0))
        elif self._six is not None:
            self._six.sendto(raw, (socket.inet_ntop(socket.AF_INET6, raw[24:40]), 0))


def _raw(family: int, level: int, option: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    opened.setsockopt(level, option, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    return opened


def change(packet: Packet, changer: Changer, sockets: Sockets) -> None:
    """Let a packet go as it is, or send what has been made of it."""
    raw = packet.get_payload()
    made = changer(raw)
    if made == [raw]:
        packet.accept()
        return
    packet.drop()
    for one in made:
        sockets.send(one)


def main(words: Sequence[str]) -> int:
    if len(words) != 1 or words[0] not in CHANGERS:
        print(f"usage: python -m testbed.changing NAME (there are: {', '.join(CHANGERS)})", file=sys.stderr)
        return 2
    why = refusal()
    if why:
        print(why, file=sys.stderr)
        return 2
    from netfilterqueue import NetfilterQueue

    sockets = Sockets()
    queue = NetfilterQueue()
    queue.bind(QUEUE, lambda packet: change(packet, CHANGERS[words[0]], sockets))
    signal.signal(signal.SIGTERM, _end)
    try:
        tables = programs()
    except AttachError as error:
        print(error, file=sys.stderr)
        return 2
    with contextlib.ExitStack() as undo:
        for program in tables:
            _rule(program, "-A")
            undo.callback(_rule, program, "-D")
        print("ready", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            queue.run()
    return 0


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _rule(program: str, what: str) -> None:
    subprocess.run([program, "-w", "-t", "mangle", what, "OUTPUT", *_RULE.split()], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
