"""Three namespaces in a row for tests of the live box: client (10.0.0.1), box, server (203.0.113.5), IPv6 as well.

It needs no root: without it everything lies in a user namespace. All of it ends with the process that holds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"
ROOT = Path(__file__).resolve().parents[3]

_BUILD = """
set -e
mount -t tmpfs tmpfs /run
for node in client box server; do ip netns add $node; ip -n $node link set lo up; done
set_on() { nsenter --net=/run/netns/$1 sh -c "echo $3 > /proc/sys/net/$2"; }
for node in client box server; do
  set_on $node ipv6/conf/all/accept_dad 0; set_on $node ipv6/conf/default/accept_dad 0
done
mac=02:00:00:00:00
ip link add eth0 netns client address $mac:01 type veth peer name west netns box address $mac:02
ip link add eth0 netns server address $mac:05 type veth peer name east netns box address $mac:04
ip -n client addr add 10.0.0.1/24 dev eth0;    ip -n client addr add 2001:db8:1::1/64 dev eth0 nodad
ip -n box addr add 10.0.0.2/24 dev west;       ip -n box addr add 2001:db8:1::2/64 dev west nodad
ip -n box addr add 203.0.113.1/24 dev east;    ip -n box addr add 2001:db8:2::1/64 dev east nodad
ip -n server addr add 203.0.113.5/24 dev eth0; ip -n server addr add 2001:db8:2::5/64 dev eth0 nodad
for at in client/eth0 box/west box/east server/eth0; do ip -n ${at%/*} link set ${at#*/} up; done
ip -n client route add default via 10.0.0.2;    ip -n client -6 route add default via 2001:db8:1::2
ip -n server route add default via 203.0.113.1; ip -n server -6 route add default via 2001:db8:2::1
# no wait for neighbours to be found
know() { ip -n $1 neigh replace $3 dev $2 lladdr $mac:$4 nud permanent; }
know client eth0 10.0.0.2 02;    know client eth0 2001:db8:1::2 02
know box west 10.0.0.1 01;       know box west 2001:db8:1::1 01
know box east 203.0.113.5 05;    know box east 2001:db8:2::5 05
know server eth0 203.0.113.1 04; know server eth0 2001:db8:2::1 04
set_on box ipv4/ip_forward 1; set_on box ipv6/conf/all/forwarding 1
echo up
exec sleep infinity
"""


def _child(process: int) -> int:
    """The first child of a process; waits until there is one."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        children = listed.read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.002)
    raise TimeoutError(f"process {process} has started nothing")


class ThreeNodes:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        unshare = shutil.which("unshare", path=PATH)
        assert unshare is not None
        self._holder = subprocess.Popen(
            [unshare, *self.user, *spaces, "sh", "-c", _BUILD],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": PATH},
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "up\n":
            raise RuntimeError("the three namespaces could not be built")
        self._inside = _child(self._holder.pid)
        self._started: list[subprocess.Popen[str]] = []
        self.closing = contextlib.ExitStack()  #: what is to be closed with the nodes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.close()
        self._holder.kill()
        self._holder.wait()
        for process in [self._holder, *self._started]:
            process.wait(timeout=10)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def command(self, node: str, arguments: list[str]) -> list[str]:
        """The command line that runs another one on a node."""
        enter = ["nsenter", "--target", str(self._inside)]
        if self.user:
            enter += ["--user", "--preserve-credentials"]
        enter += ["--mount", "--pid", f"--net=/proc/{self._inside}/root/run/netns/{node}", f"--wd={ROOT}"]
        return [*enter, "--", *arguments]

    def start(self, node: str, arguments: list[str], *, quiet: bool = True) -> subprocess.Popen[str]:
        """Start a program on a node; its output is read by pipes, its errors too if it is to be `quiet`."""
        return self.start_as(self.command(node, arguments), quiet=quiet)

    def start_as(self, command: list[str], *, quiet: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PATH": PATH, "PYTHONPATH": str(ROOT)},
        )
        self._started.append(process)
        return process

    def run(self, node: str, arguments: list[str], *, status: int | None = 0) -> tuple[str, str]:
        """Run a program on a node; its output and its errors. `status`: what it must exit with; None: anything."""
        return self.finish(self.start(node, arguments), status=status)

    def finish(self, process: subprocess.Popen[str], *, status: int | None = 0) -> tuple[str, str]:
        """Wait for a program to end; its output and its errors."""
        out, errors = process.communicate(timeout=60)
        assert status is None or process.returncode == status, f"exit status {process.returncode}: {errors}"
        return out, errors

    def python(self, node: str, code: str, *arguments: str) -> dict[str, Any]:
        """Run Python code on a node; the JSON object that it prints."""
        printed: dict[str, Any] = json.loads(self.run(node, [sys.executable, "-c", code, *arguments])[0])
        return printed

    def serve(self, code: str) -> subprocess.Popen[str]:
        """Start Python code on the server and wait for its first line."""
        process = self.start("server", [sys.executable, "-c", code], quiet=False)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process


class LiveBox:
    """The box's process on the middle node; `nodes` end it if nothing else does."""

    def __init__(self, nodes: ThreeNodes, folder: Path, policy: str, *options: str) -> None:
        self.folder = folder
        self.control = folder / "control"
        folder.mkdir(exist_ok=True)
        policy_file = folder / "policy.yaml"
        policy_file.write_text(policy, encoding="utf-8")
        words = ["--policy", str(policy_file), "--out", str(folder), "--control", str(self.control), *options]
        self.process = nodes.start("box", [sys.executable, "-m", "middlebox.drivers.nfqueue", *words])
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(self.process.stderr.read())
        self.pid = _child(self.process.pid)
        self._socket = nodes.closing.enter_context(socket.socket(socket.AF_UNIX))
        self._socket.connect(str(self.control))
        self._lines = nodes.closing.enter_context(self._socket.makefile("rw", encoding="utf-8"))

    def ask(self, **request: object) -> dict[str, Any]:
        """Ask the box by its control socket."""
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        answer: dict[str, Any] = json.loads(self._lines.readline())
        return answer

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit status, once the process has ended."""
        self._lines.close()
        self._socket.close()
        return self.process.wait(timeout=20)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def decisions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "decisions.jsonl").read_text().splitlines()]
