"""What would people in Pakistan have noticed in August 2024 if a box had policed the media of a chat on mobile data?

One hypothesis, made to run: nobody outside has seen the boxes. It shows what would follow, not what happened.
"""

from __future__ import annotations

import sys

from testbed.pakistan import OPERATORS
from testbed.result import Outcome
from testbed.timeline.values import Actor, Claim, Kind, Meant, Phase, Stream, Timeline, Transfer

POLICY = "pakistan-2024-08"
THROTTLE, TRIAL = "media-throttle", "vpn-trial"
CHAT, MEDIA = "chat.example", "media.chat.example"
MEDIA_TRANSFERS = ("voice-note", "photo", "video-message")
OTHERS = ("chat-text", "web-page", "video-segment", "speed-test")
#: which VPN stands at which operator's second line
VPN = {"jazz": "wireguard", "zong": "openvpn-udp", "ptcl": "wireguard", "nayatel": "openvpn-udp"}
_STREAMS = (
    Stream(transfers=MEDIA_TRANSFERS, pause_s=2.0),
    Stream(transfers=("chat-text", "web-page", "video-segment", "chat-text", "speed-test"), pause_s=1.0),
)


def _claim(text: str, phase: str, transfers: tuple[str, ...], **bounds: object) -> Claim:
    return Claim(text=text, policy=POLICY, phase=phase, transfers=transfers, **bounds)  # type: ignore[arg-type]


SCENARIO = Timeline(
    name="pakistan-2024-08",
    question="What would people in Pakistan have noticed if a box had slowed the media of a chat on mobile data?",
    about=(
        "In the summer of 2024 people in Pakistan could not send voice notes, photos and videos over mobile data while "
        "text still went through; fixed lines were said to be unaffected, monthly speed tests showed nothing, and a "
        "VPN helped. Here a small model of the country's networks plays this through in minutes, with real transfers "
        "through a real censor of our own making, to see whether one simple policy is enough to explain all of it at "
        "once."
    ),
    kind=Kind.SYMPTOMS,
    topology="pakistan",
    phases=(
        Phase(name="before", seconds=40, about="the box only watches"),
        Phase(
            name=THROTTLE,
            seconds=80,
            about="connections that name the chat's media servers are policed on mobile lines (July and August)",
            ruled=True,
        ),
        Phase(
            name=TRIAL,
            seconds=70,
            about="the same, and VPNs are disturbed by turns on all lines (the trials of November)",
            ruled=True,
        ),
        Phase(name="after", seconds=40, about="the box only watches again"),
    ),
    policies=(POLICY,),
    transfers=(
        Transfer(name="chat-text", about="a text message with its receipt", host=CHAT, bytes=1_000, limit_s=10),
        Transfer(name="voice-note", about="about 40 s of speech", host=MEDIA, bytes=100_000, limit_s=10),
        Transfer(name="photo", about="a photo as chats compress it", host=MEDIA, bytes=250_000, limit_s=10),
        Transfer(name="video-message", about="a short video", host=MEDIA, bytes=1_000_000, limit_s=10),
        Transfer(name="web-page", about="the text of an article", host="news.example", bytes=60_000, limit_s=10),
        Transfer(
            name="video-segment", about="4 s of video at 1 Mbit/s", host="video.example", bytes=500_000, limit_s=10
        ),
        Transfer(
            name="speed-test", about="a download as fast as it goes", host="speed.example", bytes=2_000_000, limit_s=15
        ),
    ),
    actors=tuple(
        Actor(
            name=f"{name}, VPN" if tool else name,
            subscriber=f"{name}vpn" if tool else name,
            tool=tool,
            streams=_STREAMS,
        )
        for name in OPERATORS
        for tool in ("", VPN[name])
    ),
    meant=(
        *(
            Meant(
                policy=POLICY,
                phase=phase,
                outcome=Outcome.THROTTLED,
                access="mobile",
                tools=("",),
                transfers=MEDIA_TRANSFERS,
            )
            for phase in (THROTTLE, TRIAL)
        ),
        Meant(
            policy=POLICY,
            phase=TRIAL,
            outcome=Outcome.DEGRADED,
            by_chance=True,
            tools=tuple(dict.fromkeys(VPN.values())),
        ),
    ),
    claims=(
        _claim(
            "photos, voice notes and videos fail on mobile lines",
            THROTTLE,
            MEDIA_TRANSFERS,
            access="mobile",
            through=False,
            at_most=0.2,
        ),
        _claim(
            "text messages still pass on mobile lines",
            THROTTLE,
            ("chat-text",),
            access="mobile",
            through=False,
            at_least=0.95,
        ),
        _claim(
            "fixed lines hardly notice",
            THROTTLE,
            (*MEDIA_TRANSFERS, *OTHERS),
            access="fixed",
            through=False,
            at_least=0.95,
            times=(0.0, 2.0),
        ),
        _claim(
            "the median of the speed test does not move, on any line",
            THROTTLE,
            ("speed-test",),
            through=False,
            at_least=0.9,
            times=(0.5, 1.5),
        ),
        _claim(
            "with a VPN the media pass on mobile lines as well",
            THROTTLE,
            MEDIA_TRANSFERS,
            access="mobile",
            through=True,
            at_least=0.95,
        ),
        _claim(
            "in the VPN trial the VPN is erratic itself, for everybody who uses one",
            TRIAL,
            (*MEDIA_TRANSFERS, *OTHERS),
            through=True,
            at_least=0.05,
            at_most=0.85,
        ),
        _claim("afterwards everything is as before", "after", (*MEDIA_TRANSFERS, *OTHERS), at_least=0.9),
    ),
    limits=(
        "It shows that one policy is enough to produce what people reported. It does not show that this policy was "
        "there: "
        "nobody has published what the boxes did, and other causes may produce the same.",
        "No throttle rate was ever published for Pakistan. The rate and the burst here are assumptions (see above); "
        "with a "
        "rate of a few hundred kbit/s the same media would be slow and not fail.",
        "Weeks are minutes here. How long people wait before they give up (10 s) is our choice, and real "
        "applications try "
        "again in the background.",
        "The cuts of submarine cables (SMW-4, AAE-1), the outage of 31 July and the load of VPN users, which the "
        "authorities named as causes, are not in this version; so it cannot weigh them against each other.",
        "Reports disagree: providers spoke of speeds 30 to 40 % lower, AP of almost half, while the monthly medians "
        "of speed "
        "tests did not fall; the ministry said that fixed lines were unaffected, while users on fixed lines "
        "complained. Here "
        "only names of media are policed, and only on mobile lines.",
        "The VPN trials were in November and lasted for hours to two days; here they follow the throttle at once, "
        "and it "
        "stays on, so that both are seen together. No packet-level rule against VPNs in Pakistan has been published.",
        "Four lines stand for four operators; these are not measurements of Jazz, Zong, PTCL or Nayatel.",
        "Photos and videos are received, not sent, and stand for both; calls are not made.",
    ),
    sites=(),
    connect_s=4.0,
    patience_s=4.0,
    probe_s=1.0,
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
