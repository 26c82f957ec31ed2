"""Fetch or send content over one TLS connection, and report it as JSON: when which byte came, and what TCP said.

A program of its own, run on a lab host: `transfer_client.py JOB`, with the job as JSON (see `transfer.Job`). It imports
nothing of this project, so that it runs wherever the interpreter does. TLS runs over memory buffers, so that a reset of
the connection is told from its orderly end, and a stall from both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import select
import socket
import ssl
import struct
import sys
import threading
import time
from typing import Any

#: what the lab's server has at /object/: this noise over and over (`testbed.emulate.services`)
NOISE_SEED, NOISE_BYTES = 1, 1_000_000
_CHUNK = 16_384  #: content of a TLS record, RFC 8446 section 5.1
_RECORD_EXTRA = 22  #: its header, content type and tag, with AES-GCM or ChaCha20-Poly1305
_LOWAT = 131_072  #: bytes that may wait unsent in the kernel: enough to fill any link here, too few to hide a stall

#: where `struct tcp_info` (linux/tcp.h) keeps what is asked here
_FIELDS = {
    "rtt_us": ("I", 68),
    "rcv_rtt_us": ("I", 92),
    "retransmitted": ("I", 100),
    "acked": ("Q", 120),
    "min_rtt_us": ("I", 148),
    "data_segments_in": ("I", 152),
    "data_segments": ("I", 156),
    "delivered": ("I", 192),
    "out_of_order": ("I", 224),
}


def tcp_info(data: bytes) -> dict[str, int]:
    """The fields that this kernel has."""
    found = {}
    for name, (kind, where) in _FIELDS.items():
        if len(data) >= where + struct.calcsize(kind):
            found[name] = int(struct.unpack_from(kind, data, where)[0])
    return found


class _EndError(Exception):
    """The transfer came to its end before its time; `stage` says in which part."""

    def __init__(self, stage: str, text: str) -> None:
        super().__init__(text)
        self.stage = stage


class _Transfer:
    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.noise = random.Random(NOISE_SEED).randbytes(NOISE_BYTES) * 2
        authorities = os.environ.get("CURL_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        self.context = ssl.create_default_context(cafile=authorities)  # takes 0.1 s: not the network's
        self.began = time.monotonic()
        self.end = self.began + float(job["limit_s"])
        self.stall_s = float(job["stall_s"])
        self.interval_s = float(job["interval_s"])
        self.report: dict[str, Any] = {"began_monotonic_s": self.began, "bytes": 0, "series": [], "status": 0}
        self.content = 0  #: bytes of content that have arrived, at either end
        self.sent = 0  #: bytes of content that were handed to TLS in this step
        self.came = 0  #: bytes that came on the connection, of TLS and all
        self.came_before = 0  #: `came`, `acked` and `content` when the step under way began, and its size, 0: unknown
        self.acked_before = 0
        self.content_before = 0
        self.wanted = 0
        self.counts_acks = False
        self.stop = 0.0  #: when enough time was spent on content; 0: never
        self.moved = self.began  #: when the last byte moved
        self.next_look = self.began
        self.received = b""
        self.to_send = b""
        self.raw: socket.socket | None = None

    # --- the connection ---

    def connect(self) -> None:
        job = self.job
        if job["proxy"]:
            host, _, port = str(job["proxy"]).partition("://")[2].rpartition(":")
            family: int = socket.AF_INET
            address: Any = (host, int(port))
        else:
            family, address = self.resolve()
        self.report["resolve_s"] = self.elapsed()
        raw = socket.socket(family, socket.SOCK_STREAM)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.IPPROTO_TCP, 25, _LOWAT)  # TCP_NOTSENT_LOWAT
        if job["source"]:
            raw.bind((job["source"], 0))
        raw.settimeout(max(0.001, self.end - time.monotonic()))
        try:
            raw.connect(address)
        except OSError as error:
            raise _EndError("connect", _words(error)) from None
        self.raw = raw
        if job["proxy"]:
            self.through_proxy(raw)
        self.report["connect_s"] = self.elapsed()
        self.report["local_port"] = raw.getsockname()[1]
        raw.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname=job["host"])
        self.moved = time.monotonic()
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.move("tls")
            except ssl.SSLError as error:
                with contextlib.suppress(OSError, _EndError):
                    self.flush("tls")  # the alert
                raise _EndError("tls", _words(error)) from None
        self.flush("tls")
        self.report["tls_s"] = self.elapsed()

    def resolve(self) -> tuple[int, Any]:
        """The first address; getaddrinfo cannot be interrupted, so it has a thread of its own."""
        found: list[Any] = []
        wanted = socket.AF_INET6 if self.job["family"] == 6 else socket.AF_INET

        def look() -> None:
            try:
                found.extend(socket.getaddrinfo(self.job["host"], self.job["port"], wanted, socket.SOCK_STREAM))
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(max(0.0, self.end - time.monotonic()))
        if not found:
            raise _EndError("resolve", "timed out")
        if isinstance(found[0], OSError):
            raise _EndError("resolve", _words(found[0]))
        return int(found[0][0]), found[0][4]

    def through_proxy(self, raw: socket.socket) -> None:
        """SOCKS 5 without a password, and the proxy looks the name up (RFC 1928)."""
        name = str(self.job["host"]).encode()
        try:
            raw.sendall(b"\x05\x01\x00")
            if _exactly(raw, 2) != b"\x05\x00":
                raise _EndError("proxy", "the proxy wants a password")
            raw.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack("!H", self.job["port"]))
            head = _exactly(raw, 4)
            length = {1: 4, 4: 16}.get(head[3]) or _exactly(raw, 1)[0]
            _exactly(raw, length + 2)
        except OSError as error:
            raise _EndError("proxy", _words(error)) from None
        if head[1]:
            raise _EndError("proxy", f"the proxy refused with code {head[1]}")

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def flush(self, stage: str) -> None:
        """Hand the kernel what it takes of what TLS has made."""
        assert self.raw is not None
        while True:
            if not self.to_send:
                self.to_send = self.outgoing.read()
            if not self.to_send:
                return
            try:
                count = self.raw.send(self.to_send)
            except BlockingIOError:
                return
            except OSError as error:
                raise _EndError(stage, _words(error)) from None
            self.to_send = self.to_send[count:]
            if not self.counts_acks:
                self.moved = time.monotonic()

    def move(self, stage: str, more_to_send: bool = False) -> None:
        """Wait for the socket, at most until the next look at it, and move bytes both ways."""
        assert self.raw is not None
        self.flush(stage)
        self.look()
        now = time.monotonic()
        if self.stop and now >= self.stop:
            raise _TimeIsOverError
        if now >= self.end:
            raise _EndError(stage, f"timed out: not over after {self.job['limit_s']:g} s")
        if now - self.moved >= self.stall_s:
            raise _EndError(stage, f"timed out: nothing moved for {self.stall_s:g} s")
        writes = [self.raw] if self.to_send or more_to_send else []
        readable, _, _ = select.select([self.raw], writes, [], max(0.0, min(self.next_look, self.end) - now))
        if readable:
            try:
                data = self.raw.recv(262_144)
            except BlockingIOError:
                return
            except OSError as error:
                raise _EndError(stage, _words(error)) from None
            if not data:
                raise _EndError(stage, "unexpected eof")
            self.moved = time.monotonic()
            self.came += len(data)
            self.incoming.write(data)

    def look(self, *, now: bool = False) -> None:
        """At intervals: note the bytes that have arrived, and what TCP says."""
        moment = time.monotonic()
        if self.raw is None or not (now or moment >= self.next_look):
            return
        try:
            info = tcp_info(self.raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256))
        except OSError:
            info = {}
        if self.counts_acks:
            acked = info.get("acked", 0) - self.acked_before
            content = self.content_before + min(self.sent, acked * _CHUNK // (_CHUNK + _RECORD_EXTRA))
            if content > self.content:
                self.content, self.moved = content, moment
        self.report["tcp"] = info
        # a record of 16 kB is content only when all of it has come; what has come of it is counted here already
        under_way = (self.came - self.came_before) * _CHUNK // (_CHUNK + _RECORD_EXTRA)
        arrived = max(self.content, self.content_before + min(self.wanted, under_way))
        trip_us, delivered = info.get("rtt_us", 0), info.get("delivered", 0)
        self.report["series"].append([round(moment - self.began, 4), arrived, trip_us, delivered])
        self.next_look = moment + self.interval_s

    # --- HTTP/1.1 ---

    def put_in(self, data: bytes) -> None:
        self.tls.write(data)

    def take(self) -> bytes:
        """The next bytes of the answer."""
        while True:
            try:
                data = self.tls.read(262_144)
            except ssl.SSLWantReadError:
                self.move("read")
                continue
            except ssl.SSLError as error:
                raise _EndError("read", _words(error)) from None
            if not data:
                raise _EndError("read", "unexpected eof")
            return data

    def request(self, step: dict[str, Any]) -> None:
        lines = [f"{step['method']} {step['path']} HTTP/1.1", f"Host: {self.job['host']}", "User-Agent: penstock"]
        if step["method"] == "PUT":
            lines.append(f"Content-Length: {step['size']}")
        elif step.get("size"):
            first = step.get("offset", 0)
            lines.append(f"Range: bytes={first}-{first + step['size'] - 1}")
        self.put_in(("\r\n".join(lines) + "\r\n\r\n").encode())

    def answer(self) -> tuple[int, int]:
        """Status and length of an answer; what came of its body stays in `received`."""
        while b"\r\n\r\n" not in self.received:
            self.received += self.take()
            if len(self.received) > 65_536:
                raise _EndError("read", "65536 bytes without the end of the headers")
        if "first_byte_s" not in self.report:
            self.report["first_byte_s"] = self.elapsed()
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        length = next((line.split(":", 1)[1] for line in lines if line.lower().startswith("content-length:")), "")
        if not length.strip().isdigit():
            raise _EndError("read", f"an answer without its length: {lines[0]}")
        words = lines[0].split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, int(length)

    def body(self, length: int, *, counts: bool, offset: int | None = None) -> bytes:
        """Read a body; count it as content, and compare it with the noise from `offset` on."""
        kept = hashlib.sha256()
        there = 0
        small = b""
        while True:
            part, self.received = self.received[: length - there], self.received[length - there :]
            if part:
                if offset is not None:
                    begin = (offset + there) % NOISE_BYTES
                    whole = self.noise[begin : begin + len(part)]
                    if len(whole) < len(part) or whole != part:
                        raise _EndError("content", "the content is not what the server has")
                kept.update(part)
                if length < 1000:
                    small += part
                there += len(part)
                if counts:
                    self.content += len(part)
            if there >= length:
                self.report["sha256"] = kept.hexdigest()
                return small
            self.received = self.take()

    def one(self, step: dict[str, Any]) -> None:
        if step["method"] == "PUT":
            self.send(step)
            return
        self.request(step)
        status, length = self.answer()
        self.report["status"] = status
        self.content_before, self.wanted = self.content, length
        self.came_before = self.came - len(self.received) - self.incoming.pending
        wanted = step.get("size")
        if status not in (200, 206):
            small = self.body(length, counts=False)
            raise _EndError("status", f"HTTP status {status}: {small[:100]!r}")
        if wanted and length != wanted:
            raise _EndError("content", f"the content has {length} bytes, not {wanted}")
        self.body(length, counts=True, offset=step.get("offset", 0) if wanted else None)
        self.wanted = 0
        if step.get("sha256") and self.report["sha256"] != step["sha256"]:
            raise _EndError("content", "the page is not that of the asked host")

    def send(self, step: dict[str, Any]) -> None:
        """PUT content; what counts is what the other end has acknowledged, and its answer to the whole."""
        size = int(step["size"])
        self.look(now=True)
        self.acked_before = self.report["tcp"].get("acked", 0)
        self.content_before, self.sent = self.content, 0
        self.request(step)
        self.counts_acks = True
        while self.sent < size:
            if self.outgoing.pending + len(self.to_send) < 4 * _CHUNK:
                begin = self.sent % NOISE_BYTES
                count = min(_CHUNK, size - self.sent)
                self.put_in(self.noise[begin : begin + count])
                self.sent += count
                self.flush("write")
                continue
            self.move("write", more_to_send=True)
            with contextlib.suppress(ssl.SSLWantReadError):  # nothing but session tickets came
                self.received += self.tls.read(262_144)
                break  # an answer before the end of the question
        status, length = self.answer()
        self.report["status"] = status
        said = self.body(length, counts=False).decode(errors="replace").strip()
        self.counts_acks = False
        if status != 200:
            raise _EndError("status", f"HTTP status {status}: {said[:100]}")
        if said != f"received {size}":
            raise _EndError("content", f"the server did not confirm {size} bytes: {said[:100]}")
        self.content = self.content_before + size

    def run(self) -> None:
        job = self.job
        self.connect()
        if job["where"]:
            self.request({"method": "GET", "path": "/where"})
            status, length = self.answer()
            self.report["where"] = self.body(length, counts=False).decode(errors="replace").strip()
            if status != 200:
                raise _EndError("status", f"/where: HTTP status {status}")
            del self.report["first_byte_s"]
        self.report["content_from_s"] = self.elapsed()
        if job["seconds"]:
            self.stop = time.monotonic() + float(job["seconds"])
        if job.get("video"):
            self.play(job["video"])
            return
        self.report["steps_s"] = []
        while True:
            for step in job["steps"]:
                asked = self.elapsed()
                self.one(step)
                self.report["steps_s"].append(round(self.elapsed() - asked, 6))
            if not job["again"]:
                return

    # --- video ---

    def play(self, video: dict[str, Any]) -> None:
        """Fetch segments of a video, each at the bitrate that the last ones' speed allows, and not too far ahead.

        What a viewer saw of it follows from `segments`: when each was asked for, when it had come, its bitrate.
        """
        player = Player(video)
        self.report["segments"] = player.segments
        while (wanted := player.wanted()) is not None:
            rate, size, offset = wanted
            asked = self.elapsed()
            self.one({"method": "GET", "path": video["path"], "size": size, "offset": offset})
            player.has(rate, size, asked, self.elapsed())
            while player.too_far_s(self.elapsed()) > 0:
                self.moved = time.monotonic()
                self.move("read")


class Player:
    """What a player of adaptive video asks for next: the bitrate that the last segments' speed allows."""

    def __init__(self, video: dict[str, Any]) -> None:
        self.segments: list[list[float]] = []  #: asked for and there (s), bit/s
        self._segment_s, self._count = float(video["segment_s"]), int(video["count"])
        self._ladder = [float(one) for one in video["ladder"]]
        self._most_ahead_s = float(video["most_ahead_s"])
        self._speeds: list[float] = []  # of the last three, bit/s
        self._ahead_s, self._at = 0.0, -1.0

    def wanted(self) -> tuple[float, int, int] | None:
        """The next segment's bitrate, its bytes, and where they begin; None at the end."""
        number = len(self.segments)
        if number >= self._count:
            return None
        likely = len(self._speeds) / sum(1 / one for one in self._speeds) if self._speeds else 0.0  # the harmonic mean
        rate = max((one for one in self._ladder if one <= 0.8 * likely), default=self._ladder[0])
        return rate, int(rate * self._segment_s / 8), number * 1000

    def has(self, rate: float, size: int, asked_s: float, came_s: float) -> None:
        """A segment has come."""
        if self._at < 0:
            self._at = asked_s
        self.segments.append([round(asked_s, 4), round(came_s, 4), rate])
        self._speeds = [*self._speeds[-2:], 8 * size / max(1e-6, came_s - asked_s)]
        self._ahead_s, self._at = max(0.0, self._ahead_s - (came_s - self._at)) + self._segment_s, came_s

    def too_far_s(self, now_s: float) -> float:
        """Seconds until the next one may be asked for: a player fetches only so far ahead of what is seen."""
        return self._ahead_s - (now_s - self._at) - self._most_ahead_s


class _TimeIsOverError(Exception):
    """Enough time was spent; that is an end like any other."""


def _exactly(raw: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = raw.recv(count - len(data))
        if not part:
            raise ConnectionResetError("the proxy closed the connection: unexpected eof")
        data += part
    return data


def _words(error: OSError) -> str:
    """What happened, in the words of the system or of the TLS library."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error.strerror or error)


def main(text: str) -> int:
    """Print the report; the exit status is 0 whatever the network did."""
    transfer = _Transfer(json.loads(text))
    report = transfer.report
    report["ended"], report["stage"], report["error"] = "all", "", ""
    try:
        transfer.run()
    except _TimeIsOverError:
        report["ended"] = "time"
    except _EndError as error:
        report["ended"], report["stage"], report["error"] = "failure", error.stage, str(error)
    transfer.look(now=True)
    report["seconds"] = transfer.elapsed()
    report["bytes"] = transfer.content
    if transfer.raw is not None:
        transfer.raw.close()
    print(json.dumps(report), flush=True)
    os._exit(0)  # a thread may still be looking a name up


if __name__ == "__main__":
    main(sys.argv[1])
