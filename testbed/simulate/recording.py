"""What a simulated lab leaves on disk, by the names that the emulated one gives: captures, decisions, sidecars.

It changes nothing of what happens, but that a box with a capture is shown every packet.
"""

from __future__ import annotations

from pathlib import Path

from middlebox.drivers.capture import Writer
from middlebox.drivers.log import DecisionLog, Sidecar
from middlebox.policy import Policy
from testbed.simulate.network import Network
from testbed.topology import Role


class Recording:
    """The files of one lab in a folder of their own, which is made; one that holds a run already is refused.

    `hosts`: also what the first subscriber and the first web server see.
    """

    def __init__(self, folder: Path, network: Network, *, hosts: bool = True) -> None:
        self.folder = folder
        self._network = network
        folder.mkdir(parents=True, exist_ok=True)
        used = sorted(path.name for path in folder.iterdir() if path.suffix in (".pcap", ".jsonl"))
        if used:
            raise FileExistsError(f"the folder {folder} holds a run already ({used[0]}): give a new one")
        self._boxes: dict[str, Writer] = {}
        self._hosts: dict[str, Writer] = {}  # by node
        self._sidecars: dict[str, Sidecar] = {}
        if not hosts:
            return
        for file, role in (("client", Role.SUBSCRIBER), ("server", Role.WEB)):
            there = network.topology.having(role)
            if there:
                self._hosts[there[0].name] = Writer(folder / f"{file}.pcap")
        network.watch(self._saw)

    def of_box(self, name: str, policy: Policy, seed: int) -> Writer:
        """The capture of a box, with the file beside it that a replay reads."""
        self._sidecars[name] = Sidecar(
            self.folder / f"{name}.json", box=name, seed=seed, policy=policy.name, policy_text=policy.source_text
        )
        self._boxes[name] = Writer(self.folder / f"{name}.pcap")
        return self._boxes[name]

    def entered(self, phase: str, now_ns: int) -> None:
        """Note for replays that the run has entered a phase."""
        for name, sidecar in self._sidecars.items():
            sidecar.enter(phase, before_packet=self._network.boxes[name].packets, t_ns=now_ns)

    def close(self) -> None:
        """Write what is left, and the decisions; what is closed already stays as it is."""
        for file in (*self._boxes.values(), *self._hosts.values()):
            file.close()
        if self._boxes:
            log = DecisionLog(self.folder / "decisions.jsonl")
            log.write(b"".join(self._network.log()))
            log.close()
        self._boxes, self._hosts = {}, {}

    def _saw(self, node: str, way: str, t_ns: int, raw: bytes) -> None:
        file = self._hosts.get(node)
        if file is not None:
            file.write(t_ns, raw)
