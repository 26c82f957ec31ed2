"""Everything that stands in a running lab: network, delay line, servers, captures and boxes.

Runs inside the lab's namespaces and is used by `holder`, which speaks with the outside.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from testbed.emulate import network, services, view
from testbed.emulate.channel import Message
from testbed.emulate.kernel import Place, fork
from testbed.emulate.processes import ProcessError, Processes, says
from testbed.emulate.setup import BoxPolicy, Setup
from testbed.emulate.tools import find
from testbed.emulate.trust import Authority
from testbed.sites import Site
from testbed.topology import Role

#: seconds that a server, a capture or a box may take until it is ready, on a machine that is itself emulated
_READY_S = 120.0
#: seconds that they may take to write what they hold
_STOP_S = 10.0
DELAY_LINE = "delay line"


class Laboratory:
    """The lab's inside."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.processes = Processes()
        self.out = -1  #: the run folder, open; the caller reads it through this
        self._env = view.environment(os.environ, setup.path) | {"PYTHONPATH": setup.python_path}
        self._logs = view.OUT / "logs"
        self._network: network.Network | None = None
        self._boxes: list[str] = []
        self._folder = ""  #: within the run folder: where the boxes write now

    @property
    def network(self) -> network.Network:
        if self._network is None:
            raise ProcessError("the network is not built yet")
        return self._network

    def place(self, name: str) -> Place:
        """A node as the kernel sees it; raises ValueError with the nearest name."""
        return self.network.places[self.setup.topology.node(name).name]

    def build(self) -> None:
        """Bring all up; raises NetworkError, ProcessError, MissingToolError or OSError."""
        setup, topology = self.setup, self.setup.topology
        view.open_private_folder(setup.out)
        self._logs.mkdir(exist_ok=True)
        self.out = os.open(view.OUT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        authority = Authority.make()
        resolvers = [node.ipv4 for node in topology.having(Role.DNS)]
        hosts = [(address, node.name) for node in topology.nodes for address in (node.ipv4, node.ipv6) if address]
        view.arrange(resolvers, hosts, authority)
        self._network = network.build(topology, congestion=setup.congestion, wire_packets=setup.wire_packets)
        signs = self._start_delay_line() | self._start_dns() | self._start_web(authority)
        if setup.capture:
            signs |= self._start_captures()
        signs |= self._start_boxes(setup.policies)
        self.processes.wait_ready(signs, _READY_S)

    def _start_delay_line(self) -> dict[str, Callable[[], bool]]:
        delays = self.network.delays
        if not delays:
            return {}
        nodes = []
        for name in dict.fromkeys(delay.node for delay in delays):
            ways = [
                {"name": delay.name, "queue": delay.queue, "way": dataclasses.asdict(delay.way)}
                for delay in delays
                if delay.node == name
            ]
            nodes.append({"namespace": self.network.places[name].network, "ways": ways})
        told = {"report": str(self._logs / "delayline.json"), "seed": str(self.setup.seed), "nodes": nodes}
        source = os.memfd_create("delays")
        os.write(source, json.dumps(told).encode())
        os.lseek(source, 0, os.SEEK_SET)
        process = self.processes.start(
            DELAY_LINE,
            [sys.executable, "-m", "testbed.emulate.delayline"],
            place=None,
            env=self._env,
            log=self._logs / "delayline.log",
            stdin=source,
            keep=[place.network for place in self.network.places.values()],
            urgent=True,
        )
        os.close(source)
        return {DELAY_LINE: says(process, "ready")}

    def _start_dns(self) -> dict[str, Callable[[], bool]]:
        signs = {}
        for node in self.setup.topology.having(Role.DNS):
            arguments = services.dns_arguments(view.HOME / node.name, self.setup.sites, ipv6=self.network.ipv6)
            place = self.place(node.name)
            self.processes.start(
                node.name, [find("dnsmasq"), *arguments], place=place, env=self._env, log=self._logs / "dnsmasq.log"
            )
            signs[node.name] = _probe(place, partial(_answers_dns, node.ipv4))
        return signs

    def _start_web(self, authority: Authority) -> dict[str, Callable[[], bool]]:
        signs = {}
        for node in self.setup.topology.having(Role.WEB):
            home = view.HOME / node.name
            path = services.write_web(home, self._logs, self.setup.sites, authority, ipv6=self.network.ipv6)
            place = self.place(node.name)
            network.add_addresses(place, [address for site in self.setup.sites for address in self._addresses(site)])
            log = self._logs / "nginx.log"
            argv = [find("nginx"), "-p", str(home), "-e", "stderr", "-c", str(path)]
            self.processes.start(node.name, argv, place=place, env=self._env, log=log)
            last = self.setup.sites[-1].ipv4
            signs[node.name] = _probe(place, partial(_answers_http, last))
        return signs

    def _addresses(self, site: Site) -> tuple[str, ...]:
        return (site.ipv4, site.ipv6) if self.network.ipv6 else (site.ipv4,)

    def _start_captures(self) -> dict[str, Callable[[], bool]]:
        """`client.pcap` at the first subscriber, `server.pcap` at the web server."""
        signs = {}
        topology = self.setup.topology
        for name, nodes in (("client", topology.having(Role.SUBSCRIBER)), ("server", topology.having(Role.WEB))):
            if not nodes:
                continue
            interface = self.network.interface(nodes[0].name)
            argv = [sys.executable, "-m", "testbed.emulate.capture", interface, str(view.OUT / f"{name}.pcap")]
            place, log = self.place(nodes[0].name), self._logs / f"capture-{name}.log"
            process = self.processes.start(f"capture {name}", argv, place=place, env=self._env, log=log)
            signs[process.name] = says(process, "ready")
        return signs

    def _start_boxes(self, policies: Mapping[str, BoxPolicy]) -> dict[str, Callable[[], bool]]:
        signs = {}
        for name, policy in policies.items():
            node = self.setup.topology.node(name)
            if node.role is not Role.BOX:
                raise ValueError(f"'{name}' is a {node.role.value}, not a box; a policy needs a box to run in")
            path = policy.path
            if policy.text:
                path = str(view.HOME / f"{name}.yaml")
                Path(path).write_text(policy.text)
            log = self._logs / (f"{name}.log" if not self._folder else f"{name}-{self._folder}.log")
            control = view.HOME / f"{name}.sock"
            control.unlink(missing_ok=True)
            (view.OUT / self._folder).mkdir(exist_ok=True)
            argv = [sys.executable, "-m", self.setup.box_module, "--policy", path, "--name", name]
            argv += ["--seed", str(self.setup.seed), "--out", str(view.OUT / self._folder)]
            argv += ["--fail", self.setup.fail, "--control", str(control), "--data-plane", self.setup.data_plane]
            argv += ["--workers", str(self.setup.workers)]
            process = self.processes.start(
                name, argv, place=self.place(name), env=self._env, log=log, urgent=True
            )  # fmt: skip
            self._boxes.append(name)
            signs[name] = says(process, "ready")
        return signs

    def set_policies(self, policies: Mapping[str, BoxPolicy], folder: str) -> None:
        """Stop the boxes and start them with other policies; they write to `folder` within the run folder."""
        self.processes.stop(self._boxes, _STOP_S)
        for name in self._boxes:
            self.processes.by_name.pop(name, None)
        self._boxes = []
        self._folder = folder
        self.processes.wait_ready(self._start_boxes(policies), _READY_S)

    def box_connection(self, name: str) -> int:
        """An open connection to a box's control socket, for the client to own."""
        if name not in self._boxes:
            there = ", ".join(self._boxes) or "none: this is a control run"
            raise ValueError(f"no box '{name}' runs (running: {there})")
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.connect(str(view.HOME / f"{name}.sock"))
        except OSError as error:
            connected.close()
            raise ProcessError(f"box '{name}' does not answer: {error.strerror}") from error
        return connected.detach()

    def about(self) -> Message:
        """What a client that joins needs to know."""
        topology = self.setup.topology
        return {
            "topology": topology.name,
            "hosts": {node.name: [node.role.value, node.ipv4, node.ipv6] for node in topology.nodes},
            "sites": [[site.name, site.ipv4, site.ipv6] for site in self.setup.sites],
            "boxes": self._boxes,
            "folder": self._folder,
            "out": self.setup.out,
        }

    def all_facts(self) -> Message:
        """What was used: for the manifest."""
        versions = {}
        for program, words in (("nginx", ["-v"]), ("dnsmasq", ["--version"])):
            said = subprocess.run([find(program), *words], capture_output=True, text=True, check=False)
            versions[program] = (said.stdout or said.stderr).strip().split("\n")[0]
        return {
            **self.network.facts,
            "data_plane": {name: self._data_plane(name) for name in self._boxes},
            "topology": self.setup.topology.name,
            "fail": self.setup.fail,
            "workers": self.setup.workers,
            "seed": self.setup.seed,
            "kernel": os.uname().release,
            "rootless": _rootless(),
            "python": sys.version.split()[0],
            "versions": versions,
        }

    def _data_plane(self, box: str) -> Message:
        """Who carries out what a box decides for the rest of a flow, and why; empty if the box does not answer."""
        try:
            with socket.socket(fileno=self.box_connection(box)) as asked, asked.makefile("rw") as lines:
                asked.settimeout(_STOP_S)
                lines.write('{"do": "ping"}\n')
                lines.flush()
                said: Message = json.loads(lines.readline())
        except (OSError, ProcessError, ValueError):
            return {}
        return {key: said[key] for key in ("workers", "data_plane", "data_plane_reason", "conntrack") if key in said}

    def stop(self) -> None:
        """Let boxes and captures write what they hold; the kernel ends the rest."""
        captures = [name for name in self.processes.by_name if name.startswith("capture ")]
        self.processes.stop([*self._boxes, *captures, DELAY_LINE], _STOP_S)


def _rootless() -> bool:
    """True if this namespace's root is not the machine's."""
    return Path("/proc/self/uid_map").read_text().split()[1:] != ["0", "4294967295"]


def _probe(place: Place, ask: Callable[[], bool]) -> Callable[[], bool]:
    """A sign of readiness that is looked for inside a node."""

    def probe() -> bool:
        def inside() -> None:
            place.enter()
            os._exit(0 if ask() else 1)

        return os.waitpid(fork(inside), 0)[1] == 0

    return probe


def _answers_dns(address: str) -> bool:
    """Whether the server answers a query, whatever it says (RFC 1035 section 4.1)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.05)
        try:
            asker.connect((address, 53))
            asker.send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01")
            return asker.recv(512).startswith(b"\x12\x34")
        except OSError:
            return False


def _answers_http(address: str) -> bool:
    try:
        with socket.create_connection((address, 80), 0.2) as asker:
            asker.sendall(b"GET / HTTP/1.0\r\nHost: ready\r\n\r\n")
            return asker.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
