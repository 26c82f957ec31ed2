"""What a chat program sends and fetches: text, and media as HTTP transfers on names of their own.

A message counts when all of it has arrived; half a photo is no photo. No chat protocol is spoken, only its traffic.
"""

from __future__ import annotations

from testbed.workload import Ask, Observation, Target
from testbed.workloads.transfer import Step, fetch, send, transfer

#: bytes of what people send (kB = 1000): a text with its keys and answer; the rest after a messenger's own compression
TEXT, VOICE, PHOTO, VIDEO = 1_000, 140_000, 200_000, 4_000_000


class ChatText:
    """A text goes to the server, and another one comes back."""

    name = "chat-text"
    about = "a chat message there and another one back, less than 2 kB in all"
    protocol = "https"
    says_name = True
    heavy = True
    fills = False

    def size(self, target: Target) -> int:
        return 2 * (target.size or TEXT)

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, text(ask.target), sends=True)


def text(target: Target) -> list[Step]:
    """A message there, and one back."""
    size = target.size or TEXT
    return [send(size), fetch(size)]


class MediaFetch:
    """A photo, voice note or video comes from the server; `Target.size` says how large it is."""

    name = "media-fetch"
    about = "a chat's photo, voice note or video is fetched"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return target.size or PHOTO

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, [fetch(self.size(ask.target))])


class MediaSend:
    """A photo, voice note or video goes to the server; `Target.size` says how large it is."""

    name = "media-send"
    about = "a chat's photo, voice note or video is sent"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return target.size or PHOTO

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, [send(self.size(ask.target))], sends=True)
