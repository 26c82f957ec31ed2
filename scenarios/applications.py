"""What does a policy do to each application: pages, chat, photos, video, a call, a speed test?

It compares each with the control, from a slowed name and from an innocent one; it tries no circumvention.
"""

from __future__ import annotations

import sys

from testbed.scenario import Kind, Scenario
from testbed.workload import Target

SLOWED, INNOCENT = "blocked.example", "innocent.example"

#: name, what people do, its workload, bytes, seconds
_ACTIVITIES = (
    ("page", "a page with six objects", "web-object", 0, 0.0),
    ("page-h3", "a short page over HTTP/3", "web-h3", 0, 0.0),
    ("text", "a chat message there and another one back", "chat-text", 0, 0.0),
    ("photo", "a photo in a chat, fetched", "media-fetch", 200_000, 0.0),
    ("voice-note", "a voice note in a chat, sent", "media-send", 140_000, 0.0),
    ("video", "sixteen seconds of a video at adaptive bitrates", "video", 0, 16.0),
    ("call", "a voice call of eight seconds", "call", 0, 8.0),
    ("speed-test", "the download half of a speed test, five seconds", "speed-test-down", 0, 5.0),
)


def _all(who: str, about: str, host: str, *, listed: bool) -> tuple[Target, ...]:
    return tuple(
        Target(
            name=f"{who}-{name}",
            about=f"{what}, by way of {about}",
            host=host,
            workload=workload,
            listed=listed,
            size=size,
            seconds=seconds,
            skip_s=1.0 if workload == "speed-test-down" else 0.0,
        )
        for name, what, workload, size, seconds in _ACTIVITIES
    )


SCENARIO = Scenario(
    name="applications",
    question="What does a policy do to pages, chats, videos, calls and speed tests?",
    about=(
        "One subscriber with an ADSL line uses eight applications, each with the slowed name and with an innocent name "
        "at the same address; first without a policy (control), then under a policer and a freeze of the slowed name's "
        "flows. Calls and pages over HTTP/3 are datagrams, which these policies do not look at."
    ),
    policies=("throttle-police", "throttle-freeze"),
    kind=Kind.THROUGHPUT,
    topology="adsl",
    targets=(
        *_all("slowed", "the slowed name", SLOWED, listed=True),
        *_all("innocent", "an innocent name at the same address", INNOCENT, listed=False),
    ),
    attempts=3,
    limit_s=45.0,
    parallel=1,  # what fills the line of others is no policy
    residual_wait_s=0,
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
