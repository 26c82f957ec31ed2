"""Speaks with whoever asks about a running box: JSON lines over Unix stream sockets, many clients at once.

It never blocks the packet path: sockets are non-blocking, and a reader that falls too far behind is dropped. What the
answers say is not decided here.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

Message = dict[str, object]

#: bytes of one request; the longest has the text of a policy (a longer one is given by its path)
MAX_REQUEST = 65_536
#: bytes that a client may be behind: some thousand decisions of a `watch`
MAX_BEHIND = 1 << 20
#: connections at once; more are closed as they come
MAX_CLIENTS = 64


class _Client:
    __slots__ = ("ending", "socket", "to_read", "to_write", "watching")

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self.to_read = b""
        self.to_write = bytearray()
        self.watching = False
        self.ending = False  #: it sends no more; to be closed once it has its answers

    def fileno(self) -> int:
        return self.socket.fileno()


class Control:
    """The control socket and its clients.

    `place`: a path to listen at, or the number of an inherited socket, listening or connected (of several, with commas
    between them); "": no control.
    `answer` gives the answer to one request; a ValueError that it raises is told to the client.
    """

    def __init__(self, place: str, answer: Callable[[Message], Message]) -> None:
        self._answer = answer
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._clients: list[_Client] = []
        self.dropped = 0  #: clients dropped because they did not read
        numbers = place.split(",")
        if all(number.isdigit() for number in numbers):
            for number in numbers:
                given = socket.socket(fileno=int(number))
                os.set_inheritable(given.fileno(), False)
                if given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    self._listener = given
                else:
                    self._clients.append(_Client(given))
        elif place:
            self._path = Path(place)
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(place)
            self._path.chmod(0o600)
            self._listener.listen(MAX_CLIENTS)
        if self._listener is not None:
            self._listener.setblocking(False)

    def readers(self) -> list[socket.socket | _Client]:
        """What `select` is to watch for reading."""
        listeners = [] if self._listener is None else [self._listener]
        return [*listeners, *(client for client in self._clients if not client.ending)]

    def writers(self) -> list[_Client]:
        """What `select` is to watch for writing."""
        return [client for client in self._clients if client.to_write]

    def serve(self, ready: object) -> None:
        """Serve one of `readers` or `writers` that `select` found ready."""
        if isinstance(ready, _Client):
            if ready in self._clients:
                self._read(ready)
                self._push(ready)
        elif self._listener is not None and ready is self._listener:
            self._accept(self._listener)

    def publish(self, line: bytes) -> None:
        """Send a line, its newline included, to every client that watches."""
        for client in [client for client in self._clients if client.watching]:
            client.to_write += line
            self._push(client)

    @property
    def watched(self) -> bool:
        return any(client.watching for client in self._clients)

    @property
    def deserted(self) -> bool:
        """True if nobody is there, and nobody can come."""
        return not self._clients and self._listener is None

    def close(self) -> None:
        """Send what can be sent at once, and close everything."""
        for client in list(self._clients):
            self._push(client)
            client.socket.close()
        self._clients.clear()
        if self._listener is not None:
            self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connected, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if len(self._clients) >= MAX_CLIENTS:
            connected.close()
        else:
            self._clients.append(_Client(connected))

    def _read(self, client: _Client) -> None:
        try:
            heard = client.socket.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except ConnectionError:
            self._drop(client)
            return
        if not heard:
            client.ending = True
        *lines, client.to_read = (client.to_read + heard).split(b"\n")
        if len(client.to_read) > MAX_REQUEST:
            lines, client.to_read, client.ending = [client.to_read], b"", True
        for said in lines:
            if said.strip():
                client.to_write += json.dumps(self._reply(client, said)).encode() + b"\n"

    def _reply(self, client: _Client, said: bytes) -> Message:
        if len(said) > MAX_REQUEST:
            return {"error": f"a request of more than {MAX_REQUEST} bytes"}
        try:
            request = json.loads(said)
            if not isinstance(request, dict):
                raise ValueError('a request is a JSON object such as {"do": "ping"}')
            if request.get("do") == "watch":
                client.watching = True
                return {"watching": True}
            return self._answer(request)
        except RecursionError:
            return {"error": "a request that is nested too deeply"}
        except ValueError as error:
            return {"error": str(error)}

    def _push(self, client: _Client) -> None:
        """Send what the client takes without waiting; drop it if it is gone, too far behind, or done."""
        try:
            if client.to_write:
                del client.to_write[: client.socket.send(client.to_write)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        if len(client.to_write) > MAX_BEHIND:
            self.dropped += 1
            self._drop(client)
        elif client.ending and not client.to_write:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        client.socket.close()
        if client in self._clients:
            self._clients.remove(client)
