"""`penstock shell`: a running lab by hand; a line is a host and a command for it, or a word about the box.

Other terminals join it with `--join`. With input that is no terminal it reads commands line by line, for scripts.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from middlebox.drivers.log import decisions
from testbed.cli import NoResultError, UsageError
from testbed.cli.exec import add_lab_options, lab_from
from testbed.emulate.leader import END_OF_INPUT
from testbed.emulate.outside import LabError
from testbed.emulate.running import RunningLab, to_box
from testbed.emulate.terminal import run_here
from testbed.emulate.tools import MissingToolError
from testbed.lab import Lab, join

HELP = "the running lab, by hand; other terminals can join it"
PROMPT = "penstock> "

_HELP = """\
HOST COMMAND ...   run a command on a host, as in: client curl -sS https://blocked.example/
box watch [S]      the box's decisions as they are made, until Ctrl-C or for S seconds
box decisions      the decisions so far
box rules          the policy in sentences, how often each rule matched, and what the kernel did for it
box reload [P]     put policy P (without: the same file, as it is now) in its place; connections stay
box stats          what the box has measured of itself
policy [P]         give the box another policy ('none': only forward); without P: which it has
pcap [HOST]        where the captures are; with a host: its packets as they come, until Ctrl-C
hosts, sites       who is there
help, exit
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="take topology, sites and first policy from it")
    parser.add_argument("--join", nargs="?", const="", metavar="LAB", help="join a lab that runs in another terminal")
    add_lab_options(parser)


def main(args: argparse.Namespace) -> int:
    try:
        if args.join is not None:
            return Shell(join(args.join)).loop()
        with _lab(args) as lab:
            return Shell(lab).loop()
    except (LabError, MissingToolError) as error:
        raise NoResultError(str(error)) from error
    except ValueError as error:
        raise UsageError(str(error)) from error


def _lab(args: argparse.Namespace) -> Lab:
    if args.scenario is None:
        return lab_from(args)
    from testbed.scenario import find

    scenario = find(args.scenario)
    return lab_from(args, policy=scenario.policies[0], topology=scenario.topology, sites=scenario.sites)


class Shell:
    """One terminal on a running lab."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self._status = 0
        self._ahead = bytearray()  #: typed while a command ran that did not read it
        self._words: dict[str, Callable[[list[str]], int]] = {
            "help": self._help,
            "hosts": self._hosts,
            "sites": self._sites,
            "policy": self._policy,
            "pcap": self._pcap,
        }

    def loop(self) -> int:
        """Serve lines until `exit` or the end of the input; return a script's last status."""
        talks = sys.stdin.isatty()
        if talks:
            print(f"lab {self._lab.name} is up; 'help' lists what can be said; join it with: penstock shell --join")
        for line in self._lines(talks):
            try:
                words = shlex.split(line, comments=True)
            except ValueError as error:
                self._status = self._complain(f"{error}: {line}")
                continue
            if words and words[0] in ("exit", "quit"):
                break
            if words:
                self._status = self._one(words)
        return 0 if talks else self._status

    def _lines(self, talks: bool) -> Iterator[str]:
        if not talks:
            yield from iter(sys.stdin.readline, "")
            return
        while not self._ahead.startswith(END_OF_INPUT):
            line, end, rest = self._ahead.partition(b"\n")
            try:
                if end:  # a whole line was typed ahead
                    self._ahead[:] = rest
                    print(PROMPT + (text := line.decode(errors="replace")), flush=True)
                else:
                    self._ahead.clear()
                    text = _prompt(line.decode(errors="replace"))
                yield from text.splitlines()  # several, if they were pasted
            except EOFError:
                break
            except KeyboardInterrupt:
                print()
        print()

    def _one(self, words: list[str]) -> int:
        try:
            if words[0] in self._words:
                return self._words[words[0]](words[1:])
            if words[0] in self._lab.hosts:
                if words[1:2] and words[1] in _BOX_WORDS and self._lab.hosts[words[0]].role == "box":
                    return _BOX_WORDS[words[1]](self, words[0], words[2:])
                return self._run(words[0], words[1:])
        except (ValueError, OSError) as error:
            return self._complain(str(error))
        except LabError as error:
            if not self._stands():
                raise
            return self._complain(str(error))
        except KeyboardInterrupt:
            print()
            return 130
        near = get_close_matches(words[0], [*self._lab.hosts, *self._words, "exit"], 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return self._complain(f"no host or command '{words[0]}'{hint} ('help' lists them)")

    def _stands(self) -> bool:
        try:
            self._lab.dead()
        except LabError:
            return False
        return True

    def _complain(self, text: str) -> int:
        print(text, file=sys.stderr, flush=True)
        return 2

    def _run(self, host: str, argv: list[str]) -> int:
        if not argv:
            return self._complain(f"what shall {host} run? For example: {host} ip address")
        ended = run_here(self._lab.hosts[host], argv, takes_input=sys.stdin.isatty(), ahead=self._ahead)
        if ended.error:
            self._complain(ended.error)
        return ended.status or 0

    def _help(self, _words: list[str]) -> int:
        print(_HELP, end="", flush=True)
        return 0

    def _hosts(self, _words: list[str]) -> int:
        for host in self._lab.hosts.values():
            print(f"{host.name:<10} {host.role:<11} {host.ipv4:<16} {host.ipv6}".rstrip(), flush=True)
        return 0

    def _sites(self, _words: list[str]) -> int:
        for site in self._lab.sites:
            print(f"{site.name:<30} {site.ipv4:<16} {site.ipv6}", flush=True)
        return 0

    def _policy(self, words: list[str]) -> int:
        if not words:
            for name in self._lab.boxes:
                print(f"{name}: {self._rules_of(name)['policy']}", flush=True)
            if not self._lab.boxes:
                print("none: packets are only forwarded", flush=True)
            return 0
        if not isinstance(self._lab, Lab):
            return self._complain("only the terminal that started the lab can change its policy")
        self._lab.set_policy(None if words[0] == "none" else words[0])
        return 0

    def _pcap(self, words: list[str]) -> int:
        if words:
            host = self._lab.host(words[0])
            return self._run(host.name, ["tcpdump", "-l", "-n", "-i", f"{host.name}-eth0", *words[1:]])
        found = sorted({*self._lab.folder.glob("*.pcap"), *self._lab.box_folder.glob("*.pcap")})
        for path in found:
            print(f"{path} ({path.stat().st_size} bytes)", flush=True)
        if not found:
            print(
                "no captures: start the shell with --out DIR to keep them; 'pcap HOST' shows packets live", flush=True
            )
        return 0

    def _rules_of(self, box: str) -> dict[str, Any]:
        with self._lab.box(box) as conversation:
            return conversation.ask({"do": "rules"})

    def _rules(self, box: str, _words: list[str]) -> int:
        answer = self._rules_of(box)
        for sentence in answer["sentences"]:
            print(sentence, flush=True)
        for line in counted(answer["hits"], answer.get("kernel") or {}):
            print(f"  {line}", flush=True)
        return 0

    def _reload(self, box: str, words: list[str]) -> int:
        with self._lab.box(box) as conversation:
            request = {"do": "reload"} | ({"policy": to_box(words[0])} if words else {})
            print(f"{box}: {conversation.ask(request)['policy']}", flush=True)
        return 0

    def _stats(self, box: str, _words: list[str]) -> int:
        for key, value in (self._lab.box_stats(box) or {"policy": None}).items():
            print(f"{key}: {json.dumps(value)}", flush=True)
        return 0

    def _decisions(self, box: str, _words: list[str]) -> int:
        for decision in decisions(self._lab.box_folder):
            if decision["box"] == box or decision["box"].startswith(f"{box}."):
                print(told(decision), flush=True)
        return 0

    def _watch(self, box: str, words: list[str]) -> int:
        end = time.monotonic() + float(words[0]) if words else None
        with self._lab.box(box) as conversation:
            conversation.ask({"do": "watch"})
            while end is None or time.monotonic() < end:
                left = None if end is None else max(0.0, end - time.monotonic())
                if not conversation.waiting(left):
                    break
                print(told(conversation.hear()), flush=True)
        return 0


#: what can be asked of a box; any other word after a box's name is a command to run there
_BOX_WORDS: dict[str, Callable[[Shell, str, list[str]], int]] = {
    "reload": Shell._reload,
    "rules": Shell._rules,
    "stats": Shell._stats,
    "watch": Shell._watch,
    "decisions": Shell._decisions,
}


def counted(hits: Mapping[str, int], kernel: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    """How often each rule matched, and what the kernel did to its flows; last, to flows that no rule touched."""
    named = dict.fromkeys([*hits, *(rule for rule in kernel if rule)])
    for rule in [*named, *([""] if "" in kernel else [])]:
        times = hits.get(rule, 0)
        parts = [f"{times} time{'' if times == 1 else 's'}"] if rule else []
        did = [
            f"{what} {one['packets']} packet{'' if one['packets'] == 1 else 's'} of {one['bytes']} bytes"
            for what, one in kernel.get(rule, {}).items()
        ]
        parts += [f"the kernel: {', '.join(did)}"] if did else []
        yield f"{rule or 'flows that no rule can touch'}: {'; '.join(parts)}"


def told(decision: dict[str, Any]) -> str:
    """A decision as one line for people."""
    clock = time.strftime("%H:%M:%S", time.localtime(decision["t_ns"] // 1_000_000_000))
    done = decision["verdict"] + (f", {decision['injected']} injected" if decision["injected"] else "")
    parts = [f"{clock}.{decision['t_ns'] // 1_000_000 % 1000:03}", decision["box"], decision["flow"], done]
    parts += [text for text in (f"[{decision['rule']}]" if decision["rule"] else "", decision["reason"]) if text]
    return " ".join(parts)


def _prompt(begun: str) -> str:
    """A line that a person types at the prompt; `begun`: what stands there already."""
    import readline

    readline.set_startup_hook((lambda: readline.insert_text(begun)) if begun else None)
    return input(PROMPT)
