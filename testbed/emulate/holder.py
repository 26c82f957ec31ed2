"""The lab itself: process 1 of fresh namespaces, which builds the network, starts everything and serves requests.

It is alone there: what it and its children make ends with it, because the kernel takes namespaces away when their
process 1 is gone, for whatever reason. It ends when the caller says so, closes its line, or dies.
"""

from __future__ import annotations

import os
import pickle
import resource
import selectors
import signal
import socket
import struct
import sys
import traceback
from types import FrameType

from testbed.emulate.channel import Channel, Message
from testbed.emulate.jobs import Jobs
from testbed.emulate.kernel import MS_PRIVATE, MS_REC, Place, mount
from testbed.emulate.laboratory import Laboratory
from testbed.emulate.network import NetworkError
from testbed.emulate.processes import ProcessError
from testbed.emulate.setup import BoxPolicy, Setup
from testbed.emulate.tools import MissingToolError
from testbed.emulate.view import environment

#: a client that connects says at once what it wants
_PATIENCE_S = 30.0


class Holder:
    """Serves the lab's clients until its caller ends."""

    def __init__(self, laboratory: Laboratory, line: Channel, listener: socket.socket, caller: int) -> None:
        self._laboratory = laboratory
        self._jobs = Jobs()
        self._line = line
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(line.socket, selectors.EVENT_READ, "line")
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        if caller >= 0:
            self._selector.register(caller, selectors.EVENT_READ, "caller")
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        self._selector.register(read, selectors.EVENT_READ, "children")
        self._children = read

    def serve(self) -> None:
        """Serve until the caller says `stop`, closes its line, or dies."""
        self._reap()
        while True:
            for key, _ in self._selector.select():
                if key.data in ("line", "caller"):
                    return
                if key.data == "listener":
                    self._accept()
                elif key.data == "children":
                    os.read(self._children, 4096)
                    self._reap()
                elif isinstance(key.data, Channel) and key.data in self._jobs.channels():
                    self._hear(key.data)

    def end(self) -> None:
        """End the commands, let captures and boxes write what they hold."""
        self._jobs.end()
        self._laboratory.stop()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            if not self._laboratory.processes.reaped(pid, code):
                channel = self._jobs.reaped(pid, code)
                if channel is not None:
                    self._selector.unregister(channel.socket)
                    channel.close()

    def _hear(self, channel: Channel) -> None:
        if not self._jobs.heard(channel):
            self._selector.unregister(channel.socket)
            channel.close()

    def _accept(self) -> None:
        connected, _ = self._listener.accept()
        channel = Channel(connected)
        _, uid, _ = struct.unpack("iII", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != 0:  # in these namespaces the caller's own user is 0 and every other one 65534
            channel.close()
            return
        connected.settimeout(_PATIENCE_S)
        try:
            got = channel.receive()
            connected.settimeout(None)
            if got is None or not self._answer(channel, *got):
                channel.close()
        except OSError:  # a client that went away, or never said a word
            channel.close()

    def _answer(self, channel: Channel, request: Message, files: list[int]) -> bool:
        """Serve one request; True if its connection is to be kept."""
        try:
            if request["do"] == "run":
                place = self._laboratory.place(str(request["host"]))
                files, passed = [], files  # the job closes them
                return self._run(channel, request, passed, place)
            answer, passed = self._do(request)
            channel.send(answer, passed)
            if request["do"] == "box":
                os.close(passed[0])
        except (KeyError, ValueError, ProcessError, NetworkError, MissingToolError) as error:
            channel.send({"error": str(error)})
        finally:
            for file in files:
                os.close(file)
        return False

    def _run(self, channel: Channel, request: Message, files: list[int], place: Place) -> bool:
        env = environment({str(key): str(value) for key, value in request["env"].items()}, self._laboratory.setup.path)
        if not self._jobs.start(channel, request, files, place, env):
            return False
        self._selector.register(channel.socket, selectors.EVENT_READ, channel)
        return True

    def _do(self, request: Message) -> tuple[Message, list[int]]:
        laboratory = self._laboratory
        match request["do"]:
            case "facts":
                return laboratory.all_facts(), []
            case "dead":
                return {"dead": laboratory.processes.dead(), "said": laboratory.processes.last_words()}, []
            case "policy":
                policies = {box: BoxPolicy(*policy) for box, policy in request["policies"].items()}
                laboratory.set_policies(policies, str(request["folder"]))
                return {}, []
            case "box":
                return {}, [laboratory.box_connection(str(request["box"]))]
            case "about":
                return laboratory.about(), [laboratory.out]
            case other:
                raise ValueError(f"no request '{other}'")


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Python's wakeup file needs a handler."""


def main(words: list[str]) -> int:
    """`LINE LISTENER CALLER`: numbers of inherited files; the setup is on standard input."""
    files = [int(word) for word in words]
    for file in files:
        if file >= 0:
            os.set_inheritable(file, False)
    line = Channel(socket.socket(fileno=files[0]))
    with os.fdopen(0, "rb", closefd=False) as source:
        setup = pickle.load(source)
    if not isinstance(setup, Setup):
        raise TypeError("a setup is expected on standard input")
    line.send({"started": True})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else soft, hard))
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    laboratory = Laboratory(setup)
    try:
        laboratory.build()
    except (NetworkError, ProcessError, MissingToolError) as error:
        line.send({"error": str(error)})
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        line.send({"error": f"{where}{error.strerror or error}", "trace": traceback.format_exc()})
        return 1
    holder = Holder(laboratory, line, socket.socket(fileno=files[1]), files[2])
    line.send({"ready": True})
    holder.serve()
    holder.end()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # process 1: everything else in these namespaces ends now
