"""How fresh namespaces are made, as an ordinary user or as root, and why they cannot where they cannot.

Makes none for this process itself. Changes no setting of the system: it names the one that would have to change.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from testbed.emulate.tools import find

_CAP_SYS_ADMIN = 21  # linux/capability.h
#: what `unshare` says when its child was killed by SIGKILL and it wants to die of the same signal (util-linux 2.38)
_CHILD_KILLED = "unshare: sigprocmask unblock failed"


def _user_may_not() -> str:
    """Why user namespaces are refused to this user, and the way on; "" if no setting that is known forbids them."""
    for setting, refuses, allow in (
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("user/max_user_namespaces", "0", "15000"),
        ("user/max_mnt_namespaces", "0", "15000"),
        ("user/max_net_namespaces", "0", "15000"),
        ("user/max_pid_namespaces", "0", "15000"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ):
        try:
            value = Path("/proc/sys", setting).read_text().strip()
        except OSError:
            continue
        if value == refuses:
            name = setting.replace("/", ".")
            return (
                f"ordinary users may not make the namespaces that the lab needs on this system ({name} is {value}): "
                f"run it with sudo, or allow them with 'sudo sysctl -w {name}={allow}'"
            )
    return ""


def _is_admin() -> bool:
    """True if this process may make namespaces without a user namespace of its own."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return os.geteuid() == 0 and bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    return False


def forbidden() -> str:
    """Why a lab cannot be made here, in one line with the ways on; "" if it can. Tries it, which takes a moment."""
    tried = subprocess.run(
        [*unshare_command(), find("true")], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return why_ended(tried.returncode, tried.stderr) if tried.returncode else ""


def why_ended(status: int, said: str) -> str:
    """Why a command of `unshare_command` ended with this status (-n: by signal n); `said`: what it wrote.

    That namespaces are refused is concluded only from `unshare`'s own words.
    """
    lines = said.strip().splitlines()
    if status < 0:
        last = f": {lines[-1]}" if lines else ""
        return f"the lab's first process was killed while it came up, by {signal.Signals(-status).name}{last}"
    if lines and lines[-1].startswith(_CHILD_KILLED):
        last = f": {lines[-2]}" if lines[1:] else ""
        return f"the lab's first process was killed while it came up{last}"
    if any(line.startswith("unshare: ") for line in lines):
        return why_refused(said)
    return f"the lab's holder ended while it built the lab: {said.strip() or f'exit status {status}'}"


def why_refused(said: str) -> str:
    """Why `unshare` failed, in one line with the ways on; `said`: what it wrote."""
    known = "" if _is_admin() else _user_may_not()
    said = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
    if known:
        return known
    if _is_admin():
        return f"namespaces cannot be made here, even by root ({said}): in a container, start it with --privileged"
    return (
        f"namespaces cannot be made here ({said}): run it with sudo; in a container, start that with --privileged, "
        "or with seccomp and AppArmor profiles that allow user namespaces"
    )


def unshare_command() -> list[str]:
    """The command that starts another one as process 1 of fresh namespaces, which end with either process."""
    user = [] if _is_admin() else ["--user", "--map-root-user"]
    return [find("unshare"), *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
