"""HTTP/1.x: the head of a request, and how long its body is, so that the next request is found.

Reads no response, no body, no HTTP/0.9 and no HTTP/2. A request line or a header line that breaks the grammar makes
the whole no request: the box does not repair what a strict server would answer with 400.

After a request whose body has no length known in advance (Transfer-Encoding, a Content-Length that is no number or
contradicts itself) and after CONNECT, all that follows counts as body: later requests of that flow are not seen.

Sources: RFC 9112 sections 2.2, 3, 5, 6.3; RFC 9110 sections 5.5, 5.6.2, 7.2, 8.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from middlebox.dissect.base import ENDLESS, NOT_MINE, Fact, Field, Kind, Reading, Reads, found, need_more

#: bytes of a head beyond which the box gives up: what Node.js and h11 allow; browsers send 400 to 4,000
MAX_HEAD: Final = 16_384
#: header lines beyond which it gives up; Apache allows 100. It also bounds the work on a head that comes byte by byte
MAX_LINES: Final = 128
#: longest method; the longest registered one, UPDATEREDIRECTREF, has 17 letters. Without a bound, any run of letters
#: might still become a request
MAX_METHOD: Final = 32
#: RFC 9112, 2.2: a server should ignore at least one empty line before the request line
MAX_EMPTY_LINES: Final = 4
#: digits of a Content-Length that is believed: less than 2**63
_MAX_DIGITS: Final = 18

_TCHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110, 5.6.2
#: RFC 9112 wants printable ASCII in the target; servers take any byte from 0x80 on as well, and browsers have sent it
_TARGET_CHAR: Final = rb"[\x21-\x7e\x80-\xff]"
# the doubled plus and the plus behind a star forbid backtracking: the time stays linear in the bytes
_REQUEST: Final = re.compile(rb"(" + _TCHAR + rb"{1,32}) (" + _TARGET_CHAR + rb"++) HTTP/1\.([0-9])\r?\n")
_LINE: Final = re.compile(rb"(" + _TCHAR + rb"++):[ \t]*+([^\x00\r\n]*+)\r?\n")
_FOLD: Final = re.compile(rb"[ \t]++([^\x00\r\n]*+)\r?\n")  # RFC 9112, 5.2: a line folded by an old client
_TOKEN: Final = re.compile(_TCHAR + rb"*")
_TARGET: Final = re.compile(_TARGET_CHAR + rb"*")
_TEXT: Final = re.compile(rb"[^\x00\r\n]*")
_VERSION: Final = b"HTTP/1."
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)")
_AUTHORITY: Final = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]*))?")

_CR, _LF, _SP, _TAB, _COLON = 0x0D, 0x0A, 0x20, 0x09, 0x3A


@dataclass(slots=True, kw_only=True)
class HttpRequest(Fact):
    """The head of one request; text is as sent, each byte one Latin-1 character."""

    method: str
    target: str
    version: str  #: "1.1"
    headers: tuple[tuple[str, str], ...]  #: names and values in the order of the wire, no space around the values
    length: int  #: bytes of the head, its empty line included

    def header(self, name: str) -> str | None:
        """The value of the first header of this name; None if there is none."""
        wanted = name.lower()
        for one, value in self.headers:
            if one.lower() == wanted:
                return value
        return None

    @property
    def host_raw(self) -> str | None:
        """Whom the request is for, as sent, port included.

        The target's authority in absolute form and of CONNECT, which outranks the Host header (RFC 9112, 3.2.2);
        else the first Host header.
        """
        if self.method == "CONNECT":
            return self.target
        if not self.target.startswith("/"):
            absolute = _ABSOLUTE.match(self.target)
            if absolute is not None:
                return absolute.group(1)
        return self.header("host")

    @property
    def host(self) -> str | None:
        """The host name in lower case, without port, user, brackets, and dot at its end; None if there is none.

        What does not parse as HOST or HOST:PORT stays whole, in lower case.
        """
        raw = self.host_raw
        if raw is None:
            return None
        authority = _AUTHORITY.fullmatch(raw.rpartition("@")[2])
        name = raw if authority is None else authority.group(1) or authority.group(2) or ""
        name = _lower(name)
        return (name[:-1] if name.endswith(".") else name) or None

    @property
    def user_agent(self) -> str | None:
        return self.header("user-agent")

    @property
    def lines(self) -> tuple[str, ...]:
        """The headers as "Name: value"."""
        return tuple([f"{name}: {value}" for name, value in self.headers])

    @property
    def body(self) -> int:
        """Bytes of body that follow the head (RFC 9112, 6.3); `ENDLESS` if that cannot be known from the head."""
        if self.method == "CONNECT":
            return ENDLESS
        size = 0
        stated = ""
        for name, value in self.headers:
            word = name.lower()
            if word == "transfer-encoding":
                return ENDLESS
            if word == "content-length":
                digits = value.lstrip("0") or "0" if value else value
                if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_DIGITS:
                    return ENDLESS
                if stated and digits != stated:
                    return ENDLESS
                stated = digits
                size = int(digits)
        return size


def _lower(text: str) -> str:
    """ASCII letters in lower case, all else as it was."""
    return text.encode("latin-1").lower().decode("latin-1")


class Http:
    """The dissector."""

    __slots__ = ()

    name = "http"
    transports = frozenset({"tcp"})
    repeats = True
    claims = True
    fields = (
        Field(name="http.method", kind=Kind.TEXT, about='request method: "GET"', attribute="method"),
        Field(name="http.host", kind=Kind.NAME, about="host name that the request is for", attribute="host"),
        Field(name="http.target", kind=Kind.TEXT, about="request target, as sent", attribute="target"),
        Field(name="http.version", kind=Kind.TEXT, about='version: "1.1" or "1.0"', attribute="version"),
        Field(name="http.header", kind=Kind.TEXTS, about='all headers, each as "Name: value"', attribute="lines"),
        Field(name="http.user_agent", kind=Kind.TEXT, about="value of User-Agent", attribute="user_agent"),
    )

    def follow(self, transport: str, reads: Reads) -> None:
        """Each message stands for itself."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read one request's head; a line may end in CRLF or in LF alone (RFC 9112, 2.2)."""
        have = len(data)
        at = 0
        empty = 0
        while at < have and empty < MAX_EMPTY_LINES:
            size = _line_end(data, at)
            if size <= 0:
                break
            at += size
            empty += 1
        start = at
        request = _REQUEST.match(data, at)
        if request is None:
            return need_more(have + 1) if _may_become_request(data, at) else NOT_MINE
        at = request.end()
        headers: list[tuple[str, str]] = []
        for _ in range(MAX_LINES + 1):
            size = _line_end(data, at)
            if size > 0:
                return _whole(request, headers, start, at + size)
            line = _LINE.match(data, at)
            if line is not None:
                headers.append((line.group(1).decode("ascii"), line.group(2).rstrip(b" \t").decode("latin-1")))
                at = line.end()
                continue
            fold = _FOLD.match(data, at) if headers else None
            if fold is None:
                mine = have - start <= MAX_HEAD and _may_become_line(data, at, bool(headers))
                return need_more(have + 1) if mine else NOT_MINE
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {fold.group(1).rstrip().decode('latin-1')}".strip())
            at = fold.end()
        return NOT_MINE


def _whole(request: re.Match[bytes], headers: list[tuple[str, str]], start: int, end: int) -> Reading:
    """The answer for a head at these places."""
    if end - start > MAX_HEAD:
        return NOT_MINE
    fact = HttpRequest(
        method=request.group(1).decode("ascii"),
        target=request.group(2).decode("latin-1"),
        version=f"1.{request.group(3).decode('ascii')}",
        headers=tuple(headers),
        length=end - start,
    )
    return found(fact, min(end + fact.body, ENDLESS))


def _line_end(data: bytes, at: int) -> int:
    """Bytes of the line end at this place: 2, 1, or 0 if there is none."""
    if at >= len(data):
        return 0
    if data[at] == _LF:
        return 1
    return 2 if data[at] == _CR and at + 1 < len(data) and data[at + 1] == _LF else 0


def _ends_here(data: bytes, at: int) -> bool:
    """True if only a line end, or the beginning of one, stands between this place and the end of the bytes."""
    left = len(data) - at
    return left == 0 or (left == 1 and data[at] == _CR)


def _may_become_request(data: bytes, at: int) -> bool:
    """True if more bytes may turn these into a request line."""
    have = len(data)
    if have - at > MAX_HEAD:
        return False
    if _ends_here(data, at):
        return True
    end = _after(_TOKEN.match(data, at), at)
    if end - at > MAX_METHOD:
        return False
    if end == have:
        return True
    if end == at or data[end] != _SP:
        return False
    at = end + 1
    end = _after(_TARGET.match(data, at), at)
    if end == have:
        return True
    if end == at or data[end] != _SP:
        return False
    at = end + 1
    seen = bytes(data[at : at + len(_VERSION)])
    if len(seen) < len(_VERSION):
        return _VERSION.startswith(seen)
    at += len(_VERSION)
    if seen != _VERSION:
        return False
    return at == have or (0x30 <= data[at] <= 0x39 and _ends_here(data, at + 1))


def _may_become_line(data: bytes, at: int, folds: bool) -> bool:
    """True if more bytes may turn these into a header line or the empty line."""
    have = len(data)
    if _ends_here(data, at):
        return True
    if not (folds and data[at] in (_SP, _TAB)):
        end = _after(_TOKEN.match(data, at), at)
        if end == have:
            return True
        if end == at or data[end] != _COLON:
            return False
        at = end + 1
    return _ends_here(data, _after(_TEXT.match(data, at), at))


def _after(matched: re.Match[bytes] | None, at: int) -> int:
    """Where a match ends; these patterns match nothing at the least."""
    return at if matched is None else matched.end()


DISSECTOR: Http = Http()
