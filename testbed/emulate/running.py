"""A lab that runs, as its clients use it: hosts, boxes, decisions, facts.

For whoever has started it and for whoever has joined it alike. The inside of the lab is `laboratory`.
"""

from __future__ import annotations

import json
import os
import socket
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from middlebox.drivers.log import decisions
from middlebox.load import shipped as shipped_policies
from testbed.emulate.hosts import Conversation, Host
from testbed.emulate.outside import LabError, Line
from testbed.sites import Site
from testbed.topology import Role

if TYPE_CHECKING:
    import pandas

#: the columns of a decision, as in `middlebox.verdict.Decision.row`
DECISION = ("t_ns", "box", "flow", "packet", "rule", "action", "verdict", "injected", "reason")


class RunningLab:
    """A lab that runs, whoever has started it."""

    _open_line: Line | None = None
    _out = -1

    def __init__(self, line: Line) -> None:
        self._attach(line)

    def _attach(self, line: Line) -> None:
        answer, files = line.ask({"do": "about"})
        self._open_line = line
        self._out = files[0]
        self._out_path: str | None = answer["out"]
        self.hosts = {name: Host(line, name, *rest) for name, rest in answer["hosts"].items()}
        self.sites = tuple(Site(*site) for site in answer["sites"])

    @property
    def _line(self) -> Line:
        if self._open_line is None:
            raise LabError("this lab has not been started: use 'with Lab(...) as lab:'")
        return self._open_line

    @property
    def name(self) -> str:
        """What other terminals join it by."""
        return self._line.name

    @property
    def folder(self) -> Path:
        """The run folder: captures, decisions, logs; readable for as long as this object lives."""
        if self._out < 0:
            raise LabError("this lab has no run folder: it has not been started, or it has been closed")
        if self._out_path is not None:
            return Path(self._out_path)
        return Path(f"/proc/{os.getpid()}/fd/{self._out}")

    @property
    def client(self) -> Host:
        """The first subscriber."""
        return next(host for host in self.hosts.values() if host.role == Role.SUBSCRIBER.value)

    def host(self, name: str) -> Host:
        if name not in self.hosts:
            near = get_close_matches(name, self.hosts, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"no host '{name}'{hint} (there are: {', '.join(self.hosts)})")
        return self.hosts[name]

    @property
    def boxes(self) -> tuple[str, ...]:
        """The boxes that run a policy."""
        return tuple(self._about()["boxes"])

    @property
    def box_folder(self) -> Path:
        """Where the boxes write their decisions and captures now."""
        return self.folder / self._box_folder_name()

    def _box_folder_name(self) -> str:
        return str(self._about()["folder"])

    def _about(self) -> dict[str, Any]:
        answer, files = self._line.ask({"do": "about"})
        for file in files:
            os.close(file)
        return answer

    def box(self, name: str = "box") -> Conversation:
        """Speak with a box's control socket, in JSON lines."""
        _, files = self._line.ask({"do": "box", "box": name})
        return Conversation(socket.socket(fileno=files[0]))

    def box_stats(self, name: str = "box", *, reset: bool = False) -> dict[str, Any] | None:
        """What a box has measured of itself; `{"alive": False}` if it is dead, None if it has no policy.

        `reset`: begin a new window, so that two calls bracket an attempt.
        """
        if name not in self.boxes:
            return None
        try:
            with self.box(name) as conversation:
                return conversation.ask({"do": "stats", "reset": reset})
        except (LabError, OSError):
            return {"alive": False}

    def enter_phase(self, phase: str) -> None:
        """Tell all boxes of the run's phase, for rules with `when: {phase: ...}`."""
        for name in self.boxes:
            with self.box(name) as conversation:
                conversation.ask({"do": "phase", "name": phase})

    def reload(self, policy: str | Path) -> None:
        """Put a policy in the place of the one that runs in each box; flows stay, and so does what is remembered.

        A shipped name, a path, or a text. Raises LabError with what is wrong with it, and then nothing has changed.
        """
        source = to_box(policy)
        for name in self.boxes:
            with self.box(name) as conversation:
                conversation.ask({"do": "reload", "policy": source})

    def facts(self) -> dict[str, Any]:
        """What was used: means of delay, congestion control, offloads, kernel, versions."""
        return dict(self._line.ask({"do": "facts"})[0])

    def dead(self) -> list[str]:
        """The lab's own programs that have ended though nobody asked them to."""
        return list(self._line.ask({"do": "dead"})[0]["dead"])

    def last_words(self) -> dict[str, str]:
        """What those of `dead` that said why they ended have said of it, a line each."""
        return dict(self._line.ask({"do": "dead"})[0]["said"])

    def alive(self) -> bool:
        """True if the lab stands and all its programs run."""
        try:
            return not self.dead()
        except LabError:
            return False

    def link_stats(self) -> dict[str, Any] | None:
        """What the delay line did, at most half a second old: packets and losses by link, how late packets left."""
        path = self.folder / "logs" / "delayline.json"
        return json.loads(path.read_text()) if path.exists() else None

    def decisions(self) -> pandas.DataFrame:
        """The boxes' decisions so far, but for packets that were simply passed; also after the lab's end."""
        import pandas

        rows = decisions(self.box_folder)
        return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=list(DECISION))

    def close(self) -> None:
        """Let go of the run folder."""
        if self._out >= 0:
            os.close(self._out)
            self._out = -1

    def __del__(self) -> None:
        self.close()


def to_box(policy: str | Path) -> str:
    """A policy as a box is told of it: a shipped name or a text as it is, a path from the root on.

    A box works in a folder of its own, where a relative path of whoever speaks to it leads elsewhere.
    """
    if isinstance(policy, str) and ("\n" in policy or policy in shipped_policies()):
        return policy
    path = Path(policy)
    named = isinstance(policy, Path) or os.sep in policy or path.suffix in (".yaml", ".yml") or path.is_file()
    return str(path.absolute()) if named else str(policy)
