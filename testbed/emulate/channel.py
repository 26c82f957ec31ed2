"""Messages between the lab's holder and its clients: JSON over a Unix stream socket, with open files beside it.

Each message is four bytes of length, then JSON in UTF-8; the files travel with the length. Says nothing about what
the messages mean: that is `holder` on the one end, `outside` on the other.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
#: more than any command line and environment that the kernel would accept (ARG_MAX is 2 MiB here)
MAX_MESSAGE = 16 << 20
MAX_FILES = 8


class Channel:
    """One connection; blocking, and not shared between threads."""

    __slots__ = ("socket",)

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Message, files: Sequence[int] = ()) -> None:
        """Send one message; raises OSError if the other end is gone."""
        body = json.dumps(message).encode()
        head = _LENGTH.pack(len(body))
        if files:
            socket.send_fds(self.socket, [head], list(files))
            self.socket.sendall(body)
        else:
            self.socket.sendall(head + body)

    def receive(self) -> tuple[Message, list[int]] | None:
        """Wait for one message and its open files, which the caller now owns; None if the other end is gone."""
        files: list[int] = []
        try:
            head = self._read(_LENGTH.size, files)
            body = self._read(_LENGTH.unpack(head)[0], files) if head else b""
        except ConnectionError:
            body = b""
        if not body:
            for file in files:
                os.close(file)
            return None
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("a message is a JSON object")
        return message, files

    def _read(self, size: int, files: list[int]) -> bytes:
        if size > MAX_MESSAGE:
            raise ValueError(f"a message of {size} bytes; {MAX_MESSAGE} at most are allowed")
        parts = bytearray()
        while len(parts) < size:
            # not socket.recv_fds: it forgets its flags, and the files would be inherited by every child
            part, ancillary, _, _ = self.socket.recvmsg(
                min(size - len(parts), 1 << 16), socket.CMSG_SPACE(MAX_FILES * 4), socket.MSG_CMSG_CLOEXEC
            )
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    files += struct.unpack(f"{len(data) // 4}i", data)
            if not part:
                return b""
            parts += part
        return bytes(parts)

    def close(self) -> None:
        self.socket.close()
