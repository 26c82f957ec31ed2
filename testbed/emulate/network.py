"""Build the nodes and links of a topology with Mininet: addresses, routes, system settings, offloads, rates.

Runs inside the lab's fresh namespaces only. Starts no service and no censor. The delay line, where it is needed, is
described by `Network.delays`; `delayline` does it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mininet.link import Intf
from mininet.link import Link as MininetLink
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host

from testbed.emulate import links, offloads
from testbed.emulate.addressing import Delay, addressing, delays_of
from testbed.emulate.kernel import Place, fork, spawn, write_sysctl
from testbed.emulate.tools import find
from testbed.plugs import Plugs, plugs_of
from testbed.topology import Node, Role, Topology

#: node settings; "default" is what interfaces made later start with
_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": "0",  # asymmetric paths are wanted
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.icmp_ratelimit": "0",  # every traceroute probe is answered
    "net.ipv4.tcp_no_metrics_save": "1",  # no attempt learns from the one before
}
_SYSCTLS_6 = {
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.all.accept_dad": "0",  # addresses are usable at once
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.all.accept_ra": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.icmp.ratelimit": "0",
}
#: settings that old kernels lack and nothing depends on
_OPTIONAL = {"net.ipv6.icmp.ratelimit", "net.ipv4.tcp_no_metrics_save"}


class NetworkError(Exception):
    """The kernel refused a part of the network."""


class _Interface(Intf):  # type: ignore[misc]  # mininet has no types
    """An interface that is configured by us, all at once, and not by one `ifconfig` for each setting."""

    def config(self, **_ignored: object) -> dict[str, object]:
        return {}


class _Cable(MininetLink):  # type: ignore[misc]
    """A link whose pair of interfaces exists already: all pairs are made by one `ip -batch`."""

    @classmethod
    def makeIntfPair(cls, *_names: object, **_options: object) -> None:
        return None


@dataclass(slots=True, kw_only=True)
class Network:
    """The running network."""

    topology: Topology
    mininet: Mininet
    places: dict[str, Place]
    #: (link number, node) -> this end
    plugs: Plugs
    ipv6: bool
    #: what was used, for the manifest
    facts: dict[str, object] = field(default_factory=dict)
    #: what the delay line must do
    delays: list[Delay] = field(default_factory=list)

    def interface(self, name: str) -> str:
        """The first interface of a node."""
        return next(plug.interface for (_, owner), plug in self.plugs.items() if owner == name)


def build(topology: Topology, *, congestion: str, wire_packets: bool) -> Network:
    """Bring the whole network up; raises NetworkError.

    `congestion`: the TCP congestion control of all hosts. `wire_packets`: switch offloads off, so that captures and
    boxes meet packets as they would be on a wire.
    """
    setLogLevel("critical")
    logging.captureWarnings(True)
    find("mnexec")
    Mininet.inited = True  # or it would raise limits of the whole machine (mininet.util.fixLimits)
    Host.isSetup = True  # or it would ask for ifconfig, which is not used here
    mininet = Mininet(host=Host, link=_Cable, intf=_Interface, build=False, controller=None, switch=None)
    ipv6 = Path("/proc/sys/net/ipv6").exists()
    places = {node.name: Place(mininet.addHost(node.name, ip=None).pid) for node in topology.nodes}
    network = Network(topology=topology, mininet=mininet, places=places, plugs=plugs_of(topology), ipv6=ipv6)
    by_sysctl = [_settings(network, node, congestion) for node in topology.nodes]
    network.facts |= {
        "congestion_control": congestion,
        # see DESIGN: a control that the machine does not allow by sysctl can still be given by the routes
        "congestion_control_by": "sysctl" if all(by_sysctl) else "route",
        "ipv6": ipv6,
    }
    _cables(network)
    netem = _try_netem() if any(plug.way.impaired for plug in network.plugs.values()) else None
    network.facts["delay_means"] = {None: "none", True: "netem", False: "delay line"}[netem]
    if netem is False:
        try:
            network.delays = delays_of(topology, network.plugs)
        except ValueError as error:
            raise NetworkError(str(error)) from error
    by_route = "" if all(by_sysctl) else congestion

    def addresses(node: Node) -> str:
        return addressing(topology, network.plugs, node, ipv6=ipv6, congestion=by_route)

    _run_in_nodes(network, addresses, ["ip", "-batch", "-"])
    _run_in_nodes(network, lambda node: _rates(network, node, bool(netem)), ["tc", "-batch", "-"])
    for family in ["iptables-restore"] + ["ip6tables-restore"] * ipv6:
        _run_in_nodes(network, lambda node: _delay_table(network, node), [family, "-w"])
    network.facts["offloads"] = _offloads(network, wire_packets)
    return network


def _settings(network: Network, node: Node, congestion: str) -> bool:
    """Set a node's sysctls; False if the kernel does not allow the congestion control here by sysctl."""
    wanted = dict(_SYSCTLS)
    if network.ipv6:
        wanted |= _SYSCTLS_6 | {"net.ipv6.conf.all.forwarding": str(int(node.role.forwards))}
        # a subscriber may send from any address of its block (for IPv4 the local route is enough)
        wanted["net.ipv6.ip_nonlocal_bind"] = str(int(node.role is Role.SUBSCRIBER))
    wanted["net.ipv4.ip_forward"] = str(int(node.role.forwards))

    def write() -> None:
        network.places[node.name].enter()
        for name, value in wanted.items():
            try:
                write_sysctl(name, value)
            except OSError:
                if name not in _OPTIONAL:
                    raise
        try:
            write_sysctl("net.ipv4.tcp_congestion_control", congestion)
        except OSError:
            # a socket that starts under a pacing control (bbr) stays paced: start it under reno, and let the
            # route give it the wanted one before its connection is set up
            write_sysctl("net.ipv4.tcp_congestion_control", "reno")
            os._exit(3)

    try:
        pid = fork(write)
    except OSError as error:
        raise NetworkError(f"node '{node.name}': {error.filename or 'settings'}: {error.strerror}") from error
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _cables(network: Network) -> None:
    """Make all veth pairs, and tell Mininet of them."""
    lines = []
    nodes = {node.name: network.mininet.get(node.name) for node in network.topology.nodes}
    for number, link in enumerate(network.topology.links):
        a, b = network.plugs[number, link.a], network.plugs[number, link.b]
        lines.append(
            f"link add name {a.interface} address {a.mac} netns {nodes[link.a].pid}"
            f" type veth peer name {b.interface} address {b.mac} netns {nodes[link.b].pid}"
        )
    _finish([(_feed(["ip", "-batch", "-"], "\n".join(lines) + "\n", None), "the veth pairs")])
    for number, link in enumerate(network.topology.links):
        a, b = network.plugs[number, link.a], network.plugs[number, link.b]
        network.mininet.addLink(nodes[link.a], nodes[link.b], intfName1=a.interface, intfName2=b.interface)
        nodes[link.a].intf(a.interface).ip = a.ipv4
        nodes[link.b].intf(b.interface).ip = b.ipv4


def _rates(network: Network, node: Node, netem: bool) -> str:
    lines: list[str] = []
    for (_, owner), plug in network.plugs.items():
        if owner == node.name:
            lines += links.traffic_control(plug.interface, plug.way, netem=netem)
    return "\n".join([*lines, ""]) if lines else ""


def _delay_table(network: Network, node: Node) -> str:
    queues = {(delay.side, delay.interface): delay.queue for delay in network.delays if delay.node == node.name}
    return links.delay_rules(queues) if queues else ""


def _offloads(network: Network, wire_packets: bool) -> str:
    """Switch offloads in every node; what was reached is read back from the first interface."""
    for node in network.topology.nodes:
        mine = [plug.interface for (_, owner), plug in network.plugs.items() if owner == node.name]

        def switch(name: str = node.name, interfaces: list[str] = mine) -> None:
            network.places[name].enter()
            for interface in interfaces:
                offloads.switch(interface, not wire_packets)
                if wire_packets and any(offloads.state(interface).values()):
                    raise OSError(0, "an offload stays on", interface)

        try:
            os.waitpid(fork(switch), 0)
        except OSError as error:
            raise NetworkError(f"node '{node.name}': offloads of {error.filename}: {error.strerror}") from error
    return "off" if wire_packets else "on"


def add_addresses(place: Place, addresses: list[str]) -> None:
    """Give a host addresses beside its first one."""
    lines = []
    for address in dict.fromkeys(addresses):
        lines.append(f"addr add {address}/128 dev lo nodad" if ":" in address else f"addr add {address}/32 dev lo")
    _finish([(_feed(["ip", "-batch", "-"], "\n".join(lines) + "\n", place), "addresses")])


def _try_netem() -> bool:
    """Whether this kernel has netem: try it on the loopback of the lab's own base namespace."""
    report, null = os.memfd_create("netem"), os.open(os.devnull, os.O_RDWR)
    try:
        argv = [find("tc"), "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        return os.waitstatus_to_exitcode(os.waitpid(spawn(argv, stdio=(null, report, report)), 0)[1]) == 0
    finally:
        os.close(report)
        os.close(null)


def _feed(argv: list[str], text: str, place: Place | None) -> tuple[int, int]:
    """Start a program with a text as its input; its process id and the file with what it says."""
    source, said = os.memfd_create("input"), os.memfd_create("said")
    os.write(source, text.encode())
    os.lseek(source, 0, os.SEEK_SET)
    try:
        return spawn([find(argv[0]), *argv[1:]], place=place, stdio=(source, said, said)), said
    finally:
        os.close(source)


def _finish(started: list[tuple[tuple[int, int], str]]) -> None:
    """Wait for the programs; raises NetworkError with what the first that failed said."""
    failed = ""
    for (pid, said), what in started:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status and not failed:
            failed = f"{what}: {os.pread(said, 2000, 0).decode(errors='replace').strip() or f'status {status}'}"
        os.close(said)
    if failed:
        raise NetworkError(failed)


def _run_in_nodes(network: Network, text_for: Callable[[Node], str], argv: list[str]) -> None:
    """Feed each node's text to a program in that node, all at the same time."""
    started = []
    for node in network.topology.nodes:
        text = text_for(node)
        if text:
            started.append((_feed(argv, text, network.places[node.name]), f"node '{node.name}', {argv[0]}"))
    _finish(started)
