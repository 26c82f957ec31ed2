"""The kernel's share of the work: which fates of flows it may carry out alone, and the table that tells it how.

Makes numbers and texts only: `kernel` loads them. A flow's fate is a number in its connection mark. A number that the
table does not know means nothing, so such a flow is asked about as if it had none; a changed table has fresh numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from middlebox.drivers.attach import LET_BY
from middlebox.drivers.prefilter import LET_BY_NOW, MAX_FRESH, bare, prefilter, pure_acks
from middlebox.interest import EVERYTHING, Interest
from middlebox.verdict import Direction, Disposition

#: bits of the packet mark and the connection mark that hold a flow's number. Others may use the rest
NUMBERS = 0x00FF_F000
_SHIFT = 12
#: bit of the packet mark that the box sets on a packet which is to be dropped once its number has been kept
DROP_NOW = 0x0200_0000
_OURS = NUMBERS | LET_BY | DROP_NOW
_NUMBERS_THERE_ARE = (NUMBERS >> _SHIFT) + 1

#: flows (or hosts, or pairs) that one rule polices at once: four times what connection tracking holds by default. What
#: finds no room is not policed; that it found none cannot be asked, as a look-up takes tokens too (nft_lookup.c)
MAX_POLICED = 1 << 20
#: seconds after which the bucket of a silent flow is forgotten, at the least; a full bucket is no loss
_BUCKET_S = 120
#: nft has no burst below what flows in this time (nft_limit.c: the bucket holds unit * (rate + burst) / rate)
_UNIT_S = 1
_MAX_BURST = 0xFFFF_FFFF

# The hook's order around the queue's rule, which stands in iptables' mangle table (-150)
_BEFORE, _AFTER = -151, -149
# ahead of nf_defrag (-400), which would put fragments together before the box has seen them
_FIRST = -450


@dataclass(frozen=True, slots=True, kw_only=True)
class Policing:
    """A token bucket that the kernel is to keep, one for each direction and each of `share`."""

    rate: int  #: bytes a second
    burst: int  #: bytes
    share: str  #: "flow", "client", "server", "2-tuple", or "class": all flows of the rule in one bucket
    directions: frozenset[Direction]

    @property
    def exact(self) -> bool:
        """True if the kernel does just that: its bucket holds at least what flows in one second."""
        return self.rate * _UNIT_S <= self.burst <= _MAX_BURST and self.rate > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a policy may leave to the kernel: rules whose disposition the engine may give, and what it ignores."""

    passed: Sequence[str] = ()
    dropped: Sequence[str] = ()
    policed: Mapping[str, Policing] = field(default_factory=dict)
    fates: bool = True  #: flows may be left to the kernel at all
    ends: bool = False  #: the box must see how a flow ends that passes
    needed: Interest = EVERYTHING  #: of the packets of flows that have no fate yet


class NoRoomError(Exception):
    """More rules than numbers."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a number stands for."""

    disposition: Disposition
    rule: str
    #: of POLICE: whether the flow's first packet, for the kernel, came from its client
    forward: bool = True


class Plan:
    """The numbers and the table of one policy. `first`: the lowest number that is fresh."""

    def __init__(self, name: str, wanted: Wanted, first: int = 1) -> None:
        self.name = name  #: of the table
        self.wanted = wanted
        self.first = first
        self.numbers: dict[Fate, int] = {}
        fates = [Fate(Disposition.PASS, rule) for rule in ("", *wanted.passed) if wanted.fates]
        fates += [Fate(Disposition.DROP, rule) for rule in wanted.dropped if wanted.fates]
        fates += [
            Fate(Disposition.POLICE, rule, way)
            for rule, policing in wanted.policed.items()
            if policing.exact and wanted.fates
            for way in (True, False)
        ]
        if first + len(fates) > _NUMBERS_THERE_ARE:
            raise NoRoomError(f"{len(fates)} fates of flows, and {_NUMBERS_THERE_ARE - first} numbers for them")
        for fate in dict.fromkeys(fates):
            self.numbers[fate] = first + len(self.numbers)
        self.next = first + len(self.numbers)
        #: what the counters count, by their names in the table: (rule, "passed" or "dropped")
        self.counters: dict[str, tuple[str, str]] = {"let_by": ("", "let by")}
        #: a policed rule -> what its sets are called: kept with their buckets as long as the rule says the same
        self.buckets: dict[str, str] = {}

    def mark(self, disposition: Disposition, rule: str, *, forward: bool = True) -> int:
        """A fate's number, in its place within a mark; 0: the engine must go on."""
        return self.numbers.get(Fate(disposition, rule, forward), 0) << _SHIFT

    def text(self, before: Plan | None = None) -> str:
        """The table for `nft -f`: the whole, or what replaces that of the plan before it, buckets kept.

        One transaction either way: packets meet the old table or the new one.
        """
        old = {} if before is None else before.buckets
        kept = set()
        lines: list[str] = []
        objects: list[str] = []
        chains: list[str] = []
        for rule, policing in self.wanted.policed.items():
            if not (policing.exact and self.wanted.fates):
                continue
            number = self.numbers[Fate(Disposition.POLICE, rule)]
            name = f"rate{number}"
            if before is not None and rule in old and before.wanted.policed[rule] == policing:
                name = old[rule]
                kept.add(name)
            else:
                objects += _buckets(name, policing)
            self.buckets[rule] = name
            chains += self._policing(number, name, rule, policing)
        chains += self._plain()
        lines.append(f"add table inet {self.name}")
        if before is not None:
            lines.append(f"flush table inet {self.name}")
            lines += [f"delete chain inet {self.name} {chain}" for chain in before.chains()]
            lines.append(f"delete set inet {self.name} fresh")
            lines += [f"delete counter inet {self.name} {counter}" for counter in before.counters]
            for rule, name in old.items():
                if name not in kept:
                    lines += [f"delete {one} inet {self.name} {at}" for one, at in _names(name, before, rule)]
        lines.append(f"table inet {self.name} {{")
        lines += [f"  counter {counter} {{ }}" for counter in self.counters]
        lines += [f"  {line}" for line in (*objects, *chains, *self._hooks())]
        lines.append("}")
        return "\n".join([*lines, ""])

    def chains(self) -> list[str]:
        """All chains of the table, each before those that it leads to."""
        made = ["fragments", "own", "before", "after"]
        for fate, number in self.numbers.items():
            made += [f"fate{number}", f"keep{number}"]
            if fate.disposition is Disposition.POLICE and fate.forward:
                made += [f"up{number}", f"down{number}"]
        return [*made, "unmarked", "acks", "bare", "seen"]

    # -- what each number does ------------------------------------------------------------------------------------

    def _count(self, number: int, rule: str, what: str) -> str:
        name = f"{what}{number}"
        self.counters[name] = (rule, what)
        return f"counter name {name}"

    # Fates are those of TCP and UDP alone: for the kernel an ICMP error belongs to the flow that it tells of. Not so
    # for the box: it falls out of these chains and goes there.

    def _plain(self) -> Iterator[str]:
        """The chains of numbers that pass or drop, and those that keep a number in the connection mark."""
        yield f"chain seen {{ ct mark set ct mark & {~NUMBERS & 0xFFFF_FFFF:#010x}; }}"
        for fate, number in self.numbers.items():
            if fate.disposition is Disposition.PASS:
                count = self._count(number, fate.rule, "passed")
                # a SYN begins a new flow; FIN and RST of a flow that passes seldom tell the box anything
                looked_at = (
                    "tcp flags & (fin | syn | rst) != 0" if self.wanted.ends else "tcp flags & (syn | ack) == syn"
                )
                yield (
                    f"chain fate{number} {{ meta l4proto udp {count} {LET_BY_NOW}; {looked_at} goto seen; "
                    f"meta l4proto tcp {count} {LET_BY_NOW}; }}"
                )
            elif fate.disposition is Disposition.DROP:
                count = self._count(number, fate.rule, "dropped")
                yield (
                    f"chain fate{number} {{ tcp flags & (fin | syn | rst) != 0 goto seen; "
                    f"meta l4proto {{ tcp, udp }} {count} drop; }}"
                )
            mark = f"ct mark & {~NUMBERS & 0xFFFF_FFFF:#010x} | {number << _SHIFT:#010x}"
            # a flow may be over with this very packet
            yield f"chain keep{number} {{ tcp flags & (fin | rst) != 0 return; ct mark set {mark}; }}"

    def _policing(self, number: int, name: str, rule: str, policing: Policing) -> Iterator[str]:
        passed, dropped = self._count(number, rule, "passed"), self._count(number, rule, "dropped")
        for way, chain in ((Direction.TO_SERVER, "up"), (Direction.TO_CLIENT, "down")):
            steps = []
            let_by = f"{passed} {LET_BY_NOW}"
            if way not in policing.directions:
                steps.append(let_by)
            elif policing.share == "class":
                steps += [f"limit name {name}_{chain} {dropped} drop", let_by]
            else:
                for family, key in _keys(policing.share, way):
                    at = f"{name}_{chain}{family}"
                    steps.append(f"update @{at} {{ {key} {_limit(policing)} }} {dropped} drop")
                steps.append(let_by)
            yield f"chain {chain}{number} {{ {'; '.join(steps)}; }}"
        for forward in (True, False):
            one = self.numbers[Fate(Disposition.POLICE, rule, forward)]
            up = "original" if forward else "reply"
            yield (
                f"chain fate{one} {{ tcp flags & (fin | syn | rst) != 0 goto seen; "
                "meta l4proto != { tcp, udp } return; "
                f"ct direction {up} goto up{number}; goto down{number}; }}"
            )

    # -- where packets come by ------------------------------------------------------------------------------------

    def _hooks(self) -> Iterator[str]:
        yield from (
            f"chain fragments {{ type filter hook prerouting priority {_FIRST}; policy accept;",
            "  ip frag-off & 0x3fff != 0 notrack",
            "  meta nfproto ipv6 exthdr frag exists notrack",
            "}",
            # what the box injects is no part of the flows that it forwards
            f"chain own {{ type filter hook output priority {_FIRST}; policy accept; notrack; }}",
            # connections of which a packet was shown in this second
            f"set fresh {{ typeof ct id; size {MAX_FRESH}; flags dynamic, timeout; timeout 1s; }}",
            "chain bare {",
            *bare(),
            "}",
            "chain acks {",
            *pure_acks(),
            "}",
            "chain unmarked {",
            *prefilter(self.wanted.needed),
            "}",
            f"chain before {{ type filter hook forward priority {_BEFORE}; policy accept;",
            *self._look_up(),
            "  goto unmarked",
            "}",
            f"chain after {{ type filter hook forward priority {_AFTER}; policy accept;",
            f"  meta mark & {_OURS:#010x} == 0 accept",
            f"  meta mark {LET_BY:#010x} meta mark set 0 accept",  # most packets, and the shorter way for them
            *([f"  meta mark & {NUMBERS:#010x} vmap {self._map('jump', 'keep')}"] if self.numbers else []),
            f"  meta mark & {DROP_NOW:#010x} != 0 drop",
            f"  meta mark set meta mark & {~_OURS & 0xFFFF_FFFF:#010x}",
            "}",
        )

    def _look_up(self) -> Iterator[str]:
        """Find a flow's number; the shortest way is that of flows that simply pass, as most packets are theirs."""
        if self.numbers:
            first = min(self.numbers.values())
            yield f"  ct mark & {NUMBERS:#010x} == {first << _SHIFT:#010x} goto fate{first}"
            yield f"  ct mark & {NUMBERS:#010x} vmap {self._map('goto', 'fate')}"

    def _map(self, how: str, chain: str) -> str:
        entries = (f"{number << _SHIFT:#010x} : {how} {chain}{number}" for number in self.numbers.values())
        return f"{{ {', '.join(entries)} }}"


def _limit(policing: Policing) -> str:
    return f"limit rate over {policing.rate} bytes/second burst {policing.burst - policing.rate * _UNIT_S} bytes"


def _keys(share: str, way: Direction) -> list[tuple[str, str]]:
    """(suffix of the set's name, expression) for the keys of a share: one, or one for each IP version."""
    if share == "flow":
        return [("", "ct id")]
    up = way is Direction.TO_SERVER
    client, server = ("saddr", "daddr") if up else ("daddr", "saddr")
    keys = {"client": "{0} {1}", "server": "{0} {2}", "2-tuple": "{0} {1} . {0} {2}"}[share]
    return [(version, keys.format(family, client, server)) for version, family in (("4", "ip"), ("6", "ip6"))]


def _names(name: str, plan: Plan, rule: str) -> Iterator[tuple[str, str]]:
    """The kinds and names of all objects of a policed rule."""
    policing = plan.wanted.policed[rule]
    for way, chain in ((Direction.TO_SERVER, "up"), (Direction.TO_CLIENT, "down")):
        if way not in policing.directions:
            continue
        if policing.share == "class":
            yield "limit", f"{name}_{chain}"
        else:
            for family, _ in _keys(policing.share, way):
                yield "set", f"{name}_{chain}{family}"


def _buckets(name: str, policing: Policing) -> Iterator[str]:
    for way, chain in ((Direction.TO_SERVER, "up"), (Direction.TO_CLIENT, "down")):
        if way not in policing.directions:
            continue
        if policing.share == "class":
            yield f"limit {name}_{chain} {{ {_limit(policing).removeprefix('limit ')}; }}"
            continue
        forget = max(_BUCKET_S, 2 * policing.burst // policing.rate)
        for family, key in _keys(policing.share, way):
            kind = f"typeof {key}; size {MAX_POLICED}; flags dynamic, timeout; timeout {forget}s;"
            yield f"set {name}_{chain}{family} {{ {kind} }}"
