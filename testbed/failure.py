"""The names of failures: what a client's tool said, in the strings of OONI's data format df-007.

It names what the client saw and never guesses who caused it; that is said by comparing rows with the control.
The list is that of https://github.com/ooni/spec/blob/master/data-formats/df-007-errors.md (current probes, not
the legacy one), with `address_*` and the like left out: no client here can see them.
"""

from __future__ import annotations

import ipaddress
import re

ABORTED = "connection_aborted"
REFUSED = "connection_refused"
RESET = "connection_reset"
TIMEOUT = "generic_timeout_error"
EOF = "eof_error"
HOST_UNREACHABLE = "host_unreachable"
NETWORK_DOWN = "network_down"
NETWORK_RESET = "network_reset"
NETWORK_UNREACHABLE = "network_unreachable"
DNS_BOGON = "dns_bogon_error"
DNS_NO_ANSWER = "dns_no_answer"
DNS_NXDOMAIN = "dns_nxdomain_error"
DNS_REFUSED = "dns_refused_error"
DNS_SERVFAIL = "dns_servfail_error"
DNS_TEMPORARY = "dns_temporary_failure"
DNS_MISBEHAVING = "dns_server_misbehaving"
DNS_WRONG_ID = "dns_reply_with_wrong_query_id"
SSL_FAILED = "ssl_failed_handshake"
SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
HTTP_STATUS = "http_unexpected_status_code"
HTTP_REDIRECT = "http_unexpected_redirect_url"
INTERRUPTED = "interrupted"

KNOWN = frozenset(
    (
        ABORTED,
        REFUSED,
        RESET,
        TIMEOUT,
        EOF,
        HOST_UNREACHABLE,
        NETWORK_DOWN,
        NETWORK_RESET,
        NETWORK_UNREACHABLE,
        DNS_BOGON,
        DNS_NO_ANSWER,
        DNS_NXDOMAIN,
        DNS_REFUSED,
        DNS_SERVFAIL,
        DNS_TEMPORARY,
        DNS_MISBEHAVING,
        DNS_WRONG_ID,
        SSL_FAILED,
        SSL_INVALID_CERTIFICATE,
        SSL_INVALID_HOSTNAME,
        SSL_UNKNOWN_AUTHORITY,
        HTTP_STATUS,
        HTTP_REDIRECT,
        INTERRUPTED,
    )
)

UNKNOWN = "unknown_failure: "  #: what follows is the tool's own text

#: texts of errno (glibc) and of the TLS libraries, the more telling first; OpenSSL 3 and BoringSSL words both
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"connection reset by peer|ECONNRESET|errno 104", RESET),
    (r"connection refused", REFUSED),
    (r"no route to host|host is unreachable", HOST_UNREACHABLE),
    (r"network is unreachable", NETWORK_UNREACHABLE),
    (r"network is down", NETWORK_DOWN),
    (r"network dropped connection on reset", NETWORK_RESET),
    (r"software caused connection abort", ABORTED),
    (r"timed out|timeout", TIMEOUT),
    (r"unexpected eof|empty reply from server|SSL_ERROR_SYSCALL|SSL_ERROR_ZERO_RETURN|closed abruptly", EOF),
    (r"no alternative certificate subject name matches|subject name .* does not match", SSL_INVALID_HOSTNAME),
    (r"certificate has expired|certificate is not yet valid|certificate revoked", SSL_INVALID_CERTIFICATE),
    (r"self[- ]signed certificate|unable to get (local )?issuer|unable to verify the first", SSL_UNKNOWN_AUTHORITY),
    (r"CERTIFICATE_VERIFY_FAILED", SSL_INVALID_CERTIFICATE),
)
_COMPILED = tuple((re.compile(text, re.IGNORECASE), name) for text, name in _TEXTS)

#: what a code of curl means when the text does not say more (https://curl.se/libcurl/c/libcurl-errors.html)
_CURL_CODES: dict[int, str] = {
    28: TIMEOUT,  # CURLE_OPERATION_TIMEDOUT
    35: SSL_FAILED,  # CURLE_SSL_CONNECT_ERROR
    18: EOF,  # CURLE_PARTIAL_FILE: the body ended before its length
    52: EOF,  # CURLE_GOT_NOTHING
    51: SSL_INVALID_HOSTNAME,  # CURLE_PEER_FAILED_VERIFICATION before curl 7.62
    60: SSL_INVALID_CERTIFICATE,  # CURLE_PEER_FAILED_VERIFICATION
    42: INTERRUPTED,  # CURLE_ABORTED_BY_CALLBACK
}

#: bogons, as OONI's probe lists them: addresses that no public name may have (RFC 6890 and its like)
_BOGONS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "::/96",
        "100::/64",
        "2001:10::/28",
        "2001:db8::/32",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


def is_failure(text: str) -> bool:
    """Whether `text` may stand in a row: empty, one of `KNOWN`, or unknown with the tool's own words."""
    return text == "" or text in KNOWN or (text.startswith(UNKNOWN) and len(text) > len(UNKNOWN))


def unknown(text: str) -> str:
    """The name of a failure that OONI has none for, on one line."""
    return UNKNOWN + (" ".join(text.split())[:200] or "the tool said nothing")


def from_text(text: str) -> str:
    """The failure that an error text names, or "" if it names none."""
    for pattern, name in _COMPILED:
        if pattern.search(text):
            return name
    return ""


def from_curl(code: int, text: str) -> str:
    """The failure of one transfer by curl or libcurl; "" for code 0.

    `code`: CURLE_*, which is also the exit status. `text`: its error message, and where there is one the cause
    from the verbose log, because code 7 alone does not tell refused from unreachable. A name that did not resolve
    (code 6) is `dns_server_misbehaving`, OONI's general one: getaddrinfo's reason does not reach curl's user.
    """
    if code == 0:
        return ""
    if code == 28:  # the text repeats host names; "timed out" is all that matters
        return TIMEOUT
    if code == 6:
        return DNS_MISBEHAVING
    return from_text(text) or _CURL_CODES.get(code) or unknown(f"curl ({code}) {text}")


def from_quic(code: int, reason: str) -> str:
    """The failure that the end of a QUIC connection names; `code` and `reason` as aioquic tells them.

    An error of TLS is its alert behind 0x100 (RFC 9001, 4.8): 42, 45 and 48 are about certificates.
    """
    if "idle timeout" in reason.lower():
        return TIMEOUT
    alert = code - 0x100 if 0x100 <= code < 0x200 else -1
    if alert in (42, 45, 48):
        if "doesn't match" in reason:
            return SSL_INVALID_HOSTNAME
        unsigned = alert == 48 or "issuer" in reason or "self-signed" in reason or "self signed" in reason
        return SSL_UNKNOWN_AUTHORITY if unsigned else SSL_INVALID_CERTIFICATE
    return from_text(reason) or (SSL_FAILED if alert > 0 else unknown(f"QUIC ({code:#x}) {reason}"))


def from_dns(rcode: str) -> str:
    """The failure that a DNS response code (RFC 1035 section 4.1.1, in words, as dig prints it) names."""
    names = {"NOERROR": "", "NXDOMAIN": DNS_NXDOMAIN, "SERVFAIL": DNS_SERVFAIL, "REFUSED": DNS_REFUSED}
    return names.get(rcode, DNS_MISBEHAVING)


def is_bogon(address: str) -> bool:
    """Whether no public name may have this address. The lab's own servers are bogons too: ask about others only."""
    value = ipaddress.ip_address(address)
    return any(value.version == network.version and value in network for network in _BOGONS)
