"""What do eight ways of disturbing VPNs do to eight tools: while they are awake, and afterwards?

Every tool is up at the same time, each on a line of its own, beside a line without a tool. Nobody tries to evade: a
tool that is down is started again, as its user would.
"""

from __future__ import annotations

import sys

from testbed.result import Outcome
from testbed.timeline.values import Actor, Kind, Meant, Phase, Stream, Timeline, Transfer

#: tool -> the fact by which a box knows it, never a port
FACTS = {
    "wireguard": "the first byte and the lengths of WireGuard's messages",
    "openvpn-udp": "OpenVPN's opcodes and session IDs",
    "openvpn-tcp": "OpenVPN's opcodes and session IDs behind their two bytes of length",
    "openvpn-tls-crypt": "OpenVPN's opcodes and session IDs, which tls-crypt leaves in the clear",
    "ikev2": "IKEv2's header, whose lengths add up",
    "openconnect": (
        "the DTLS hello beside its TLS, which itself looks like any other; where that hello is lost, its client waits "
        "for longer than people wait here before it goes by TLS alone"
    ),
    "ssh": "the first line that both ends say",
    "shadowsocks": "nothing but that its first bytes look random, by the published rule on fully encrypted traffic",
}
DURING = "during"
#: those whose first messages name them; OpenConnect's TLS does not
KNOWN = tuple(tool for tool in FACTS if tool != "openconnect")
#: with a rule on DTLS the box meets OpenConnect's traffic as well, as long as it goes by UDP
WITH_DTLS = tuple(FACTS)
#: the two whose servers are registered in `vpn-allow-list`
REGISTERED = ("wireguard", "openvpn-tcp")


def _meant(policy: str, outcome: Outcome, tools: tuple[str, ...], *, by_chance: bool = False) -> tuple[Meant, ...]:
    return tuple(
        Meant(
            policy=policy,
            phase=DURING,
            outcome=outcome,
            by_chance=by_chance,
            tools=(tool,),
            why=f"{tool} by {FACTS[tool]}",
        )
        for tool in tools
    )


SCENARIO = Timeline(
    name="vpn-disruption",
    question="What do eight ways of disturbing VPNs do to the VPNs that people use?",
    about=(
        "Each tool is up on a line of its own and fetches 100 kB over and over, beside a line without a tool. A policy "
        "sleeps, is awake for a while and sleeps again. What is open when it wakes up stays open for some seconds "
        "more; "
        "then every tool connects anew, and again twelve seconds later, so that both are seen: what becomes of open "
        "tunnels, and whether new ones come up."
    ),
    kind=Kind.MATRIX,
    topology="many",
    phases=(
        Phase(name="before", seconds=8, about="no policy is awake; all tools connect"),
        Phase(name=DURING, seconds=28, about="the policy is awake", ruled=True),
        Phase(name="after", seconds=14, about="it sleeps again"),
    ),
    policies=(
        "vpn-handshake-block",
        "vpn-kill-after-data",
        "vpn-random",
        "vpn-police",
        "vpn-windows",
        "vpn-allow-list",
        "vpn-block-address",
        "vpn-erratic",
    ),
    transfers=(
        Transfer(
            name="object",
            about="a picture, or a second of video",
            host="innocent.example",
            bytes=100_000,
            limit_s=6,
        ),
    ),
    actors=tuple(
        Actor(
            name=tool or "direct",
            subscriber="client" if number == 1 else f"client{number}",
            tool=tool,
            streams=(Stream(transfers=("object",), pause_s=1.0),),
        )
        for number, tool in enumerate(("", *FACTS), 1)
    ),
    meant=(
        *_meant("vpn-handshake-block", Outcome.BLOCKED, WITH_DTLS),
        *_meant("vpn-kill-after-data", Outcome.BLOCKED, tuple(tool for tool in KNOWN if tool != "shadowsocks")),
        # each of its requests is a connection of its own: what is small is over before it is killed
        *_meant("vpn-kill-after-data", Outcome.DEGRADED, ("shadowsocks",)),
        *_meant("vpn-random", Outcome.DEGRADED, KNOWN, by_chance=True),
        *_meant("vpn-police", Outcome.THROTTLED, WITH_DTLS),
        *_meant("vpn-windows", Outcome.DEGRADED, WITH_DTLS),
        *_meant("vpn-allow-list", Outcome.BLOCKED, tuple(tool for tool in FACTS if tool not in REGISTERED)),
        *_meant("vpn-block-address", Outcome.DEGRADED, KNOWN),
        *_meant("vpn-erratic", Outcome.DEGRADED, WITH_DTLS),
    ),
    limits=(
        "Minutes are seconds here: a policy that reacts after 5 to 15 minutes reacts after a few seconds, and a tool"
        " that "
        "gives up after a minute is started again after some seconds. Times are to be compared with each other, not "
        "with a clock.",
        "The users are patient machines: they start a dead tool again at once, with the same settings, to the same "
        "server. Applications that change servers or protocols by themselves are another scenario.",
        "One server for each tool, near its clients' web server: the detour of a distant VPN server is left out.",
        "WireGuard runs in user space where the kernel has no module, and IKEv2 always; goodput depends on this "
        "machine.",
    ),
    connect_s=6.0,
    patience_s=6.0,
    left_open=("vpn-police", "vpn-windows", "vpn-erratic"),
    held_s=4.0,
    renew_s=12.0,
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
