"""Ordinary traffic that is no VPN: first datagrams and first payloads of what else is on a network.

Built by scapy or written down from the specification that is named; random parts come from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from struct import pack

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.netbios import NBNSHeader, NBNSQueryRequest
from scapy.layers.ntp import NTP
from scapy.layers.radius import Radius
from scapy.layers.snmp import SNMP, SNMPget, SNMPvarbind
from scapy.layers.tftp import TFTP, TFTP_RRQ

from tests.middlebox.dialogue import get, hello
from tests.middlebox.dissect.recorded import HELLOS

#: payload lengths that mean something to a dissector, and their neighbours
LENGTHS = sorted(
    {length + step for length in (14, 26, 32, 42, 54, 64, 66, 72, 80, 92, 148, 232, 353) for step in (-1, 0, 1)}
)
#: first bytes that mean something to one
STARTS = (
    *(b"\x01\0\0\0", b"\x02\0\0\0", b"\x03\0\0\0", b"\x04\0\0\0"),
    *(b"\0\0\0\0", b"\x38", b"\x40", b"\x50", b"\x48", b"\x20", b"\x28"),
    *(b"\x16\xfe\xff", b"\x16\xfe\xfd", b"\0\x01\0\0\x21\x12\xa4\x42", b"\xff"),
)


def datagrams(seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """What each protocol sends first, several times with other values."""
    chance = random.Random(seed)
    some = chance.randbytes
    for _ in range(40):
        name = f"{some(5).hex()}.example"
        query = DNS(id=chance.randrange(65_536), rd=1, qd=DNSQR(qname=name, qtype=chance.choice(["A", "AAAA", "TXT"])))
        yield "dns", bytes(query)
        yield "dns answer", bytes(DNS(qr=1, qd=query.qd, an=DNSRR(rrname=name, rdata="192.0.2.1")))
        yield "mdns", bytes(DNS(id=0, qd=DNSQR(qname="_ipp._tcp.local", qtype="PTR")))
        # RFC 9000, 17.2: long header, version, both connection IDs, token, length; the rest is encrypted
        ids = b"\x08" + some(8) + b"\x00"
        for version in (b"\0\0\0\x01", b"\x6b\x33\x43\xcf"):
            yield "quic initial", bytes([0xC0 | chance.randrange(16)]) + version + ids + b"\0\x44\x9e" + some(1_182)
        yield "quic short header", bytes([0x40 | chance.randrange(64)]) + some(chance.randrange(24, 1_300))
        yield "stun", b"\0\x01\0\0\x21\x12\xa4\x42" + some(12)  # RFC 8489, 5
        yield "turn channel", b"\x40\x01" + pack(">H", 160) + some(160)  # RFC 8656, 12.4
        yield "ntp", bytes(NTP(version=4, mode=3))
        yield "ntp answer", b"\x24\x02\x06\xe9" + some(44)  # RFC 5905, 7.3
        # RFC 3550, 5.1 and 6.4.1
        yield (
            "rtp",
            b"\x80"
            + bytes([chance.choice((0, 8, 96, 111, 0x80 | 96))])
            + some(10)
            + some(chance.choice((160, 20, 980))),
        )
        yield "rtcp", b"\x80\xc8\0\x06" + some(24)
        yield "srtp with zeros", b"\x90\x6f" + some(10) + bytes(chance.choice((20, 42, 136, 80)))
        yield "sip", b"OPTIONS sip:a@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n"
        yield "ssdp", b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\n\r\n'
        yield "dht", b"d1:ad2:id20:" + some(20) + b"e1:q4:ping1:t2:" + some(2) + b"1:y1:qe"  # BEP 5
        yield "utp", b"\x41\0" + some(18)  # BEP 29: SYN, version 1
        yield "utp data", b"\x01\0" + some(18) + some(130)
        yield (
            "dhcp",
            bytes(BOOTP(chaddr=some(6), xid=chance.randrange(2**32)) / DHCP(options=[("message-type", 1), "end"])),
        )
        yield "snmp", bytes(SNMP(PDU=SNMPget(varbindlist=[SNMPvarbind(oid="1.3.6.1.2.1.1.1.0")])))
        yield "tftp", bytes(TFTP() / TFTP_RRQ(filename="boot.img"))
        yield "netbios", bytes(NBNSHeader() / NBNSQueryRequest(QUESTION_NAME="HOST"))
        yield "radius", bytes(Radius(code=1, id=chance.randrange(256), authenticator=some(16)))
        yield "syslog", b"<34>1 2024-08-15T12:00:00Z host.example su - ID47 - failed for root"
        yield "coap", b"\x44\x01" + some(2) + some(4) + b"\xbbcore.example"  # RFC 7252, 3
        yield "source engine", b"\xff\xff\xff\xffTSource Engine Query\0"
        yield "raknet", b"\x01" + some(8) + bytes.fromhex("00ffff00fefefefefdfdfdfd12345678") + some(8)
        yield "quake", b"\xff\xff\xff\xffgetchallenge 0 \n"
        yield "kcp", some(4) + b"\x51\0" + pack("<HIII", 128, chance.randrange(2**32), 0, 0) + pack("<I", 40) + some(40)
        yield "vxlan", b"\x08\0\0\0\0\0\x01\0" + some(120)  # RFC 7348, 5
        yield "gtp", b"\x32\xff" + some(6) + some(100)
        yield "l2tp", b"\xc8\x02" + some(60)
        yield "ikev1", some(8) + bytes(8) + b"\x01\x10\x02\0" + bytes(4) + pack(">I", 100) + some(72)
        yield "wake on lan", b"\xff" * 6 + some(6) * 16
        # little-endian structures: a type, zeros, a table; as games and industrial protocols send them
        for kind, size in ((1, 148), (2, 92), (3, 64), (4, 64), (4, 96)):
            yield "structure", bytes([kind, 0, 0, 0]) + b"".join(pack("<I", n & 31) for n in range(size // 4 - 1))
        yield "fastd", b"\x01\0\0\x94" + some(148)
        for size in LENGTHS:
            yield "random", some(size)
        for start in STARTS:
            yield "random behind a known beginning", start + some(chance.choice((30, 61, 90, 150, 200)))


def payloads(seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """What a client says first over TCP."""
    chance = random.Random(seed)
    some = chance.randbytes
    for name, recorded in HELLOS.items():
        yield f"tls of {name}", recorded
    yield "tls", hello()
    for _ in range(20):
        yield "http", get("a.example", f"/{some(9).hex()}")
        yield "http post", b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 400\r\n\r\n" + some(400)
        yield "http/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0" + bytes(18)
        query = bytes(DNS(id=chance.randrange(65_536), rd=1, qd=DNSQR(qname="a.example")))
        yield "dns", pack(">H", len(query)) + query
        yield "smtp", b"EHLO mail.example\r\n"
        yield "imap", b"a001 CAPABILITY\r\n"
        yield "ftp", b"USER anonymous\r\n"
        yield "socks5", b"\x05\x01\0"
        yield "socks4", b"\x04\x01\x01\xbb\xc6\x33\x64\x07\0"
        yield "rdp", b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=user\r\n\x01\0\x08\0\x03\0\0\0"  # MS-RDPBCGR
        yield "smb", b"\0\0\0\x45\xffSMB\x72" + bytes(64)
        yield "postgresql", b"\0\0\0\x08\x04\xd2\x16\x2f"
        yield "redis", b"*1\r\n$4\r\nPING\r\n"
        yield "mqtt", b"\x10\x16\0\x04MQTT\x04\x02\0\x3c\0\x0aclient-abc"
        yield "bittorrent", b"\x13BitTorrent protocol" + bytes(8) + some(40)
        yield "xmpp", b"<?xml version='1.0'?><stream:stream to='a.example' xmlns='jabber:client'>"
        yield "git", b"0032git-upload-pack /project.git\0host=a.example\0"
        yield "telnet", b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23"
        yield "ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"
        yield "modbus", some(2) + b"\0\0\0\x06\x01\x03\0\0\0\x0a"
        yield "zeros", bytes(chance.choice((16, 28, 56, 100)))
        yield "short frames", b"\0\x0e" + some(14)
