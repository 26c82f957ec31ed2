"""`Lab`: a censored network with real servers, for scripts, notebooks and tests alike.

The caller's process stays as it is; the lab is elsewhere, in namespaces of its own, and ends with the caller. What a
client sees comes from commands run on the lab's hosts; what the box did is in `decisions`. The two are not mixed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from middlebox.policy import Policy
from testbed import sites as sites_of
from testbed import workers as workers_of
from testbed.emulate.hosts import Done, Host
from testbed.emulate.outside import Holding, LabError, Line, running
from testbed.emulate.running import RunningLab
from testbed.emulate.setup import BoxPolicy, Setup
from testbed.emulate.tools import MissingToolError, search_path
from testbed.topology import Role, Topology, shipped

#: a shipped name, a path, or a policy that has been loaded; None: the box only forwards
PolicyLike: TypeAlias = str | Path | Policy | None

#: names that a policy's lists bring into the lab's DNS and web server
MAX_LISTED = 50


class Lab(RunningLab):
    """A lab; use it with `with`.

    `policy`: a shipped name, a path, a Policy, or a mapping from box to one of these; None for a control run, in which
    the box only forwards. `topology`: a shipped name or a Topology. `sites`: host names to serve beside the default
    ones. `out`: the run folder, which is made, and in which captures, decisions and logs are kept; None keeps
    decisions and logs in memory for as long as the Lab object lives, and captures no packets. `fail`: what happens to
    packets if a box dies, "closed" (dropped) or "open". `wire_packets`: offloads are off, so captures and boxes
    meet packets as on a wire; False lets bulk transfers be many times faster. `data_plane`: "kernel" leaves flows
    that are decided to the kernel where it can do as the policy says; "queue" shows every packet to the box.
    `workers`: processes of each box, or "auto", as many as cores; a policy that they cannot share is refused.
    """

    def __init__(
        self,
        policy: PolicyLike | Mapping[str, PolicyLike] = None,
        topology: str | Topology | None = None,
        sites: Iterable[str] = (),
        seed: int = 0,
        out: str | Path | None = None,
        *,
        fail: str = "closed",
        capture: bool | None = None,
        congestion: str = "cubic",
        wire_packets: bool = True,
        data_plane: str = "kernel",
        workers: int | str = 1,
    ) -> None:
        if data_plane not in ("kernel", "queue"):
            raise ValueError(f"data_plane '{data_plane}': 'kernel' or 'queue' is expected")
        if fail not in ("closed", "open"):
            raise ValueError(f"fail '{fail}': 'closed' or 'open' is expected")
        self.topology = shipped(topology or "national") if not isinstance(topology, Topology) else topology
        self.out = Path(out).absolute() if out is not None else None
        self._workers = workers_of.count(workers)
        policies = self._for_boxes(policy)
        named = list(sites)
        for each in policies.values():
            named += listed_names(each)
        self._setup = Setup(
            topology=self.topology,
            sites=sites_of.place(dict.fromkeys(named)),
            seed=seed,
            out=str(self.out) if self.out is not None else None,
            policies={name: _for_setup(each) for name, each in policies.items()},
            fail=fail,
            capture=self.out is not None if capture is None else capture,
            congestion=congestion,
            wire_packets=wire_packets,
            data_plane=data_plane,
            workers=self._workers,
            path=search_path(),
            python_path=str(Path(__file__).resolve().parent.parent),
        )
        self._holding: Holding | None = None
        self._folder = ""
        self._changes = 0

    def _for_boxes(self, policy: PolicyLike | Mapping[str, PolicyLike]) -> dict[str, Policy]:
        """Which box gets which policy; one policy alone goes to every box of the topology."""
        boxes = [node.name for node in self.topology.having(Role.BOX)]
        if isinstance(policy, Mapping):
            for name in policy:
                if name not in boxes:
                    raise ValueError(
                        f"no box '{name}' in topology '{self.topology.name}' (there are: {', '.join(boxes)})"
                    )
            wanted = dict(policy)
        else:
            wanted = dict.fromkeys(boxes, policy)
        loaded = {name: load(each) for name, each in wanted.items() if each is not None}
        workers_of.check(self._workers, loaded.values())
        return loaded

    def start(self) -> Lab:
        """Bring it up; raises LabError."""
        if self._holding is not None:
            raise LabError("this lab runs already")
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            used = sorted(path.name for path in self.out.iterdir() if path.suffix in (".pcap", ".jsonl"))
            if used:
                raise LabError(f"the folder {self.out} holds a run already ({used[0]}): give a new one")
        self._holding = Holding(self._setup)
        try:
            self._attach(self._holding)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Take it down; `folder`, `decisions` stay readable."""
        if self._holding is not None:
            self._holding.stop()
            self._holding = None

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def set_policy(self, policy: PolicyLike | Mapping[str, PolicyLike], folder: str = "") -> None:
        """Restart the boxes with other policies, or with none; hosts and their connections stay.

        What the boxes write goes to `folder` within the run folder (by itself `policy-2`, `policy-3`, ...), since a
        box's capture and decisions belong together. Names in the policy's lists must have been given as `sites`.
        """
        self._changes += 1
        wanted = {name: _for_setup(each) for name, each in self._for_boxes(policy).items()}
        self._folder = folder or f"policy-{self._changes + 1}"
        if "/" in self._folder:
            raise ValueError(f"folder '{folder}': one name is expected, not a path")
        pairs = {name: [each.path, each.text] for name, each in wanted.items()}
        self._line.ask({"do": "policy", "policies": pairs, "folder": self._folder})

    @property
    def pid(self) -> int:
        """The process that stands for the whole lab: if it is killed, the lab is gone."""
        if self._holding is None:
            raise LabError("this lab does not run")
        return self._holding.pid

    def _box_folder_name(self) -> str:
        return self._folder


def load(policy: str | Path | Policy) -> Policy:
    """A policy, loaded if it is not yet; raises `middlebox.load.LoadError`."""
    return policy if isinstance(policy, Policy) else Policy.load(policy)


def listed_names(policy: Policy) -> list[str]:
    """The host names in a policy's lists, the first `MAX_LISTED`: the lab serves them."""
    found: dict[str, None] = {}
    for entries in policy.lists.values():
        for entry in entries:
            if sites_of.is_name(entry.lower()):
                found[entry.lower()] = None
            if len(found) == MAX_LISTED:
                return list(found)
    return list(found)


def _for_setup(policy: Policy) -> BoxPolicy:
    """By path if the file still says what was loaded, so that its list files are found; by text otherwise."""
    if policy.path is not None:
        path = policy.path.absolute()
        try:
            if path.read_text() == policy.source_text:
                return BoxPolicy(str(path))
        except OSError:
            pass  # it has been taken away: the text is what was meant
    return BoxPolicy("", policy.source_text)


def join(name: str = "") -> RunningLab:
    """Join a lab of the same user that runs in another terminal; the only one there is, if no name is given.

    Raises `LabError` if it does not run, and `ValueError` if none is named and several run.
    """
    there = running()
    if not there:
        raise LabError("no lab of this user runs; start one with 'penstock shell'")
    if not name and len(there) > 1:
        raise ValueError(f"several labs run; name one of them: {', '.join(there)}")
    if name and name not in there:
        raise LabError(f"no lab '{name}' runs (running: {', '.join(there)})")
    return RunningLab(Line(name or there[0]))


__all__ = ["Done", "Host", "Lab", "LabError", "MissingToolError", "PolicyLike", "RunningLab", "join", "listed_names"]
