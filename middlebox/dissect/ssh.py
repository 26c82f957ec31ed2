"""SSH: the line with which each end begins.

Reads the line of whichever end comes first in a direction that the box reads, and nothing after it (key exchange). The
lines that a server may send before it (RFC 4253, 4.2) are not skipped: a flow that begins with them is not SSH here.

Source: RFC 4253 section 4.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from middlebox.dissect.base import NOT_MINE, Fact, Field, Kind, Reading, Reads, found, need_more

#: bytes of the line with its end, as RFC 4253 bounds it
MAX_LINE = 255

_START = b"SSH-"
#: version, software, comments; printable, the last two separated by a space. A minus inside a name is against the
#: letter of the RFC and occurs; CR is missing in old ones
_LINE = re.compile(rb"SSH-([0-9]{1,3}\.[0-9]{1,3})-([\x21-\x7e]+)(?: ([\x20-\x7e]*))?\r?\n")
#: any beginning of such a line, as far as one character tells
_MAY_BECOME = re.compile(rb"SSH-[0-9.]{0,7}(?:-[\x20-\x7e]*\r?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshBanner(Fact):
    """The line of one end."""

    banner: str  #: the whole line without its end
    version: str  #: "2.0", "1.99"
    software: str  #: "OpenSSH_9.2p1"


class Ssh:
    """The dissector."""

    __slots__ = ()

    name = "ssh"
    transports = frozenset({"tcp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="ssh.banner",
            kind=Kind.TEXT,
            about='first line: "SSH-2.0-OpenSSH_9.2p1 Debian-2"',
            attribute="banner",
            noun="the first line of an SSH connection",
        ),
        Field(
            name="ssh.software",
            kind=Kind.TEXT,
            about='software in it: "OpenSSH_9.2p1"',
            attribute="software",
            noun="the software that an SSH connection names",
        ),
        Field(
            name="ssh.version",
            kind=Kind.TEXT,
            about='protocol version in it: "2.0" or "1.99"',
            attribute="version",
            noun="the protocol version of an SSH connection",
        ),
    )

    def follow(self, transport: str, reads: Reads) -> None:
        """Each line stands for itself."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read one end's line."""
        start = data[:4]
        if start != _START[: len(start)]:
            return NOT_MINE
        line = _LINE.match(data, 0, MAX_LINE)
        if line is None:
            have = len(data)
            mine = have < MAX_LINE and (have < 4 or _MAY_BECOME.fullmatch(data) is not None)
            return need_more(have + 1) if mine else NOT_MINE
        version, software, _ = line.groups()
        fact = SshBanner(
            banner=line.group().rstrip(b"\r\n").decode("ascii"),
            version=version.decode("ascii"),
            software=software.decode("ascii"),
        )
        return found(fact, line.end())


DISSECTOR: Ssh = Ssh()
