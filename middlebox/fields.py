"""The closed set of fields that a policy may match on: those of a packet and its flow, and each dissector's facts."""

from __future__ import annotations

from dataclasses import dataclass

from middlebox.dissect import FIELDS as FACT_FIELDS
from middlebox.dissect.base import Kind


@dataclass(frozen=True, slots=True)
class PacketField:
    """A field that each packet has by itself or by its place in its flow."""

    name: str
    kind: Kind
    about: str
    words: tuple[str, ...] = ()  #: the only values, if they are a closed set


PACKET_FIELDS: dict[str, PacketField] = {
    one.name: one
    for one in (
        PacketField("client.ip", Kind.ADDRESS, "address of the flow's initiator"),
        PacketField("server.ip", Kind.ADDRESS, "address of the flow's other end"),
        PacketField("client.port", Kind.NUMBER, "port of the flow's initiator"),
        PacketField("server.port", Kind.NUMBER, "port of the flow's other end"),
        PacketField("src.ip", Kind.ADDRESS, "the packet's source address"),
        PacketField("dst.ip", Kind.ADDRESS, "the packet's destination address"),
        PacketField("any.ip", Kind.ADDRESS, "either address of the packet"),
        PacketField("src.port", Kind.NUMBER, "the packet's source port"),
        PacketField("dst.port", Kind.NUMBER, "the packet's destination port"),
        PacketField("any.port", Kind.NUMBER, "either port of the packet"),
        PacketField(
            "port.order",
            Kind.TEXT,
            "the packet's source port against its destination port",
            ("src-above", "equal", "src-below"),
        ),
        PacketField("ip.version", Kind.NUMBER, "4 or 6", ("4", "6")),
        PacketField("ip.ttl", Kind.NUMBER, "TTL or hop limit"),
        PacketField("ip.length", Kind.NUMBER, "length of the IP packet in bytes"),
        PacketField("ip.fragment", Kind.FLAG, "the packet came in IP fragments"),
        PacketField("transport", Kind.TEXT, "transport protocol", ("tcp", "udp", "icmp", "other")),
        PacketField("tcp.flags", Kind.TEXTS, "flags that are set", ("FIN", "SYN", "RST", "PSH", "ACK", "URG")),
        PacketField("payload.length", Kind.NUMBER, "bytes above TCP or UDP in this packet"),
        PacketField("payload", Kind.TEXT, "bytes above TCP or UDP in this packet, each byte one character (Latin-1)"),
        PacketField("direction", Kind.TEXT, "which way the packet goes", ("to-server", "to-client")),
        PacketField("initiator", Kind.TEXT, "on which side the flow began", ("inside", "outside")),
    )
}

#: every field, by name
NAMES: tuple[str, ...] = tuple(sorted((*PACKET_FIELDS, *FACT_FIELDS)))


def kind_of(name: str) -> Kind:
    """The type of a field; raises KeyError for a name that is none."""
    found = PACKET_FIELDS.get(name)
    return found.kind if found is not None else FACT_FIELDS[name].kind


def about(name: str) -> str:
    found = PACKET_FIELDS.get(name)
    return found.about if found is not None else FACT_FIELDS[name].about


def noun(name: str) -> str:
    """A dissector's field as a noun, if it has one; else ""."""
    found = FACT_FIELDS.get(name)
    return found.noun if found is not None else ""


def protocol_of(name: str) -> str:
    """The dissector that tells a field ("tls"), or "" for a packet field."""
    return "" if name in PACKET_FIELDS else name.partition(".")[0]
