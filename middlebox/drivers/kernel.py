"""What the kernel carries out alone: loads the table of a policy, and tells what it did.

The fate of one packet stays the box's business; which mark a decision is, `marks` says. Where the kernel cannot do it,
the box asks about every packet and says so; nothing else changes then. Policing is left to the kernel only where its
bucket is the policy's.
"""

from __future__ import annotations

import contextlib

from middlebox.action import Drop, Freeze, Pass, Police, Scope, Share, Slow
from middlebox.drivers.conntrack import Conntrack, Settings
from middlebox.drivers.marks import Marks
from middlebox.drivers.plane import NoRoomError, Plan, Policing, Wanted
from middlebox.drivers.tables import TableError, counters, load, tables
from middlebox.interest import ends_matter, fates_last, interest
from middlebox.outlook import leaves
from middlebox.policy import Policy, Rule

#: protocols that have told all they can tell when their first message has been read
SETTLING = frozenset({"tls", "quic"})
_PREFIX = "penstock_"

Counts = dict[str, dict[str, dict[str, int]]]


def wanted_of(policy: Policy) -> Wanted:
    """What a policy's rules may leave to the kernel."""
    return Wanted(
        passed=tuple(rule.name for rule in policy.rules if any(isinstance(one, Pass) for one in rule.actions)),
        dropped=tuple(
            rule.name
            for rule in policy.rules
            if any(
                (isinstance(one, Drop) and one.scope is Scope.FLOW) or isinstance(one, Freeze) for one in rule.actions
            )
        ),
        policed={
            rule.name: policing
            for rule in policy.rules
            if leaves(policy, rule) and (policing := _policing(rule)) is not None
        },
        fates=fates_last(policy.ability),
        ends=ends_matter(policy),
        needed=interest(policy),
    )


def plan_of(policy: Policy, table: str = "", first: int = 1) -> Plan:
    """The numbers of a policy's fates from `first` on; raises NoRoomError."""
    return Plan(table, wanted_of(policy), first)


def _policing(rule: Rule) -> Policing | None:
    """The bucket of a rule that only polices, if the kernel's would be the only one."""
    slowing = [one for one in rule.actions if isinstance(one, Slow)]
    if len(slowing) != 1 or not isinstance(slowing[0], Police) or not slowing[0].plain:
        return None
    police = slowing[0]
    # flows share a bucket: then the engine must not go on with some of them, as it does with HTTP's later requests
    if police.per is not Share.FLOW and not rule.asks <= SETTLING:
        return None
    return Policing(rate=police.rate, burst=police.burst, share=police.per.value, directions=police.directions)


class Kernel:
    """The kernel's share of one box's work. `queue` is the box's own and names the table."""

    def __init__(self, queue: int) -> None:
        self.why_not = ""  #: why the kernel has no share; "" if it has
        self.marks: Marks | None = None  #: those of its flows, if it has a share
        self.settings: dict[str, int | str] = {}  #: of connection tracking, read back
        self._name = f"{_PREFIX}{queue}"
        self._plan: Plan | None = None
        self._conntrack: Conntrack | None = None
        self._settings: Settings | None = None
        self._retired: Counts = {}  # what counters of earlier plans had counted

    @property
    def works(self) -> bool:
        return self._plan is not None

    @property
    def first(self) -> int | None:
        """The lowest number of the policy's fates, by which `plan_of` makes the same plan; None: it has no share."""
        return None if self._plan is None else self._plan.first

    def install(self, policy: Policy) -> None:
        """Load the table; on failure the kernel has no share, and `why_not` says why."""
        try:
            others = [name for name in tables() if name.startswith(_PREFIX) and name != self._name]
            if others:
                raise TableError(f"another box of this namespace uses its connection marks (table {others[0]})")
            plan = plan_of(policy, self._name)
            conntrack = Conntrack()
        except (TableError, NoRoomError, OSError) as error:
            self.why_not = str(error)
            self.clean()
            return
        settings = Settings(policy.ability)
        try:
            conntrack.forget_all()  # the marks of an earlier box mean something else
            load(f"add table inet {self._name}\ndelete table inet {self._name}\n" + plan.text())
            self.settings = settings.apply()
        except (TableError, OSError) as error:
            self.why_not = str(error)
            conntrack.close()
            self.clean()
            return
        self._plan, self._conntrack, self._settings = plan, conntrack, settings
        self.marks = Marks(policy, plan, conntrack)

    def change(self, policy: Policy) -> None:
        """Replace the table: every flow is asked about again. Raises TableError or OSError; then the old one stays."""
        if self._plan is None or self._conntrack is None:
            return
        counted = self.counts()
        try:
            plan = plan_of(policy, self._name, self._plan.next)
        except NoRoomError:
            self._conntrack.forget_all()  # no flow has a number then, so all are fresh
            try:
                plan = plan_of(policy, self._name)
            except NoRoomError as error:
                raise TableError(str(error)) from error
        load(plan.text(self._plan))
        self._plan, self._retired = plan, counted
        if self.marks is not None:
            self.marks.change(policy, plan)
        if self._settings is not None:
            self._settings.restore()
        self._settings = Settings(policy.ability)
        self.settings = self._settings.apply()

    def remove(self) -> None:
        """Take the table away, and put back what was set."""
        if self._plan is None:
            return
        load(f"delete table inet {self._name}\n")
        self._plan = None
        if self._settings is not None:
            self._settings.restore()
        if self._conntrack is not None:
            with contextlib.suppress(OSError):
                self._conntrack.forget_all()
            self._conntrack.close()

    def clean(self) -> None:
        """Take away the table that a killed box with the same queue may have left, as far as that can be."""
        with contextlib.suppress(TableError):
            load(f"add table inet {self._name}\ndelete table inet {self._name}\n")

    # -- what it tells --------------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Rule -> what the kernel did to its flows -> packets and bytes; rule "": flows that no rule touched.

        "let by" counts what no rule of this policy could ever be interested in.
        """
        counted: Counts = {rule: {what: dict(one) for what, one in of.items()} for rule, of in self._retired.items()}
        plan = self._plan
        if plan is None:
            return counted
        found = counters(self._name)
        for name, (rule, what) in plan.counters.items():
            packets, size = found.get(name, (0, 0))
            one = counted.setdefault(rule, {}).setdefault(what, {"packets": 0, "bytes": 0})
            one["packets"] += packets
            one["bytes"] += size
        return counted

    def facts(self) -> dict[str, object]:
        """Who carries dispositions out, for the manifest."""
        told: dict[str, object] = {"data_plane": "kernel" if self.works else "queue", "data_plane_reason": self.why_not}
        if self._plan is not None:
            told["conntrack"] = self.settings
            told["policed_by_kernel"] = sorted(self._plan.buckets)
        return told
