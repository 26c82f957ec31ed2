"""`./setup` and `./penstock`, the two scripts, in small checkouts of their own that need no library and no package."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROJECT = '[project]\nname = "small"\ndependencies = []\n[project.optional-dependencies]\nlab = []\ndev = []\n'
#: a command line in place of the real one: says where and with what it was started
TELL = "import os, sys\nprint(os.getcwd(), sys.argv[1:], sys.path[0])\nsys.exit(7)\n"
NOBODY = 65534


def _checkout(folder: Path, programs: str = "sh:dash", tools: str = "sh:dash") -> Path:
    """A checkout whose lab needs only `programs`, whose VPNs need only `tools`, and whose libraries are none."""
    checkout = folder / "a checkout"
    (checkout / "testbed" / "cli").mkdir(parents=True)
    (checkout / "testbed" / "cli" / "__init__.py").touch()
    (checkout / "testbed" / "cli" / "__main__.py").write_text(TELL)
    (checkout / "pyproject.toml").write_text(PROJECT)
    (checkout / "constraints.txt").touch()
    shutil.copy(ROOT / "penstock", checkout)
    script = (ROOT / "setup").read_text()
    for name, value in (("PROGRAMS", programs), ("TOOL_PROGRAMS", tools)):
        script = re.sub(f'^{name}="[^"]*"$', f'{name}="{value}"', script, flags=re.MULTILINE)
    (checkout / "tun").touch(0o666)
    script = re.sub(r"^TUN=.*$", 'TUN="$root/tun"', script, flags=re.MULTILINE)
    # no compiler is looked for: what only NetfilterQueue needs
    (checkout / "setup").write_text(script.replace("import netfilterqueue", "import sys"))
    (checkout / "setup").chmod(0o755)
    return checkout


def _run(*command: str | Path, cwd: Path | None = None, user: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        user=user if os.geteuid() == 0 else None,
        env=os.environ | {"HOME": str(cwd or "/"), "XDG_CACHE_HOME": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that was set up."""
    checkout = _checkout(tmp_path_factory.mktemp("ready"))
    done = _run(checkout / "setup")
    assert done.returncode == 0, done.stderr
    return checkout


def test_the_scripts_are_executable_and_parse() -> None:
    for name in ("setup", "penstock", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK)
        assert subprocess.run(["bash", "-n", ROOT / name], check=False).returncode == 0


def test_ci_runs_the_test_verb_and_nothing_else() -> None:
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "penstock" in line]
    assert commands == ["exec ./penstock test </dev/null"]


def test_the_program_runs_in_the_folder_of_its_caller_with_its_arguments(ready: Path, tmp_path: Path) -> None:
    done = _run(ready / "penstock", "exec", "--", "echo", "two words", "*", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith(f"{tmp_path} ['exec', '--', 'echo', 'two words', '*']")
    assert done.stderr == ""


def test_it_runs_through_a_symbolic_link(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "penstock").symlink_to(ready / "penstock")
    (tmp_path / "testbed.py").write_text("raise SystemExit('the file of the caller was taken for the module')\n")
    done = _run(tmp_path / "bin" / "penstock", "check", "x", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert "['check', 'x']" in done.stdout


def test_a_second_setup_has_nothing_to_do(ready: Path) -> None:
    done = _run(ready / "setup")
    assert (done.returncode, done.stderr) == (0, "")
    assert _run(ready / "setup", "--check").returncode == 0


def _least(*command: str | Path) -> float:
    """Seconds that a command takes when nothing disturbs it."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        _run(*command)
        times.append(time.perf_counter() - start)
    return min(times)


def test_starting_costs_little_when_all_is_there(ready: Path) -> None:
    over = _least(ready / "penstock") - _least(ready / ".venv/bin/python", "-E", "-P", "-m", "testbed.cli")
    assert over < max(0.05, 15 * _least("bash", "-c", ":"))  # the second is for emulated processors


def test_a_pythonpath_of_the_users_is_not_searched(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "testbed").mkdir()
    (tmp_path / "testbed" / "__init__.py").write_text("raise SystemExit('taken from PYTHONPATH')\n")
    done = _run("env", f"PYTHONPATH={tmp_path}", ready / "penstock", "check", "x")
    assert done.returncode == 7, done.stderr


def test_setup_leaves_nothing_but_the_virtual_environment(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    before = {path.name for path in checkout.iterdir()}
    assert _run(checkout / "setup", "--python-only").returncode == 0
    assert {path.name for path in checkout.iterdir()} == before | {".venv"}
    assert (checkout / ".venv" / "setup.log").read_text()


def test_a_setup_that_was_killed_is_made_anew_by_the_next_start(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    process = subprocess.Popen([checkout / "setup"], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 30
    while not (checkout / ".venv" / "pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = _run(checkout / "penstock", "run")
    assert done.returncode == 7, done.stderr
    assert "anew" in done.stderr


def test_two_at_once_make_one(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    both = [
        subprocess.Popen([checkout / "penstock", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [7, 7], said
    assert sorted("waiting for it" in errors for _, errors in said) == [False, True]
    assert sorted("ready after" in errors for _, errors in said) == [False, True]


def test_changed_requirements_are_installed_by_the_next_start(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    assert _run(checkout / "setup").returncode == 0
    (checkout / "pyproject.toml").write_text(PROJECT + "# changed\n")
    assert _run(checkout / "setup", "--check").returncode == 1
    done = _run(checkout / "penstock", "run")
    assert done.returncode == 7
    assert "ready after" in done.stderr
    assert "anew" not in done.stderr


def test_a_checkout_that_was_moved_is_set_up_anew(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    assert _run(checkout / "setup").returncode == 0
    moved = checkout.rename(tmp_path / "elsewhere")
    done = _run(moved / "penstock", "run")
    assert done.returncode == 7, done.stderr
    assert "anew" in done.stderr


def test_a_virtual_environment_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "mine").write_text("precious")
    done = _run(checkout / "penstock", "run")
    assert done.returncode == 2
    assert "was not made by this script; move it away or delete it" in done.stderr
    assert (checkout / ".venv" / "mine").read_text() == "precious"


def test_without_rights_the_one_line_to_run_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        checkout = _checkout(Path(folder), programs="sh:dash no-such-program:no-such-package")
        (checkout / "sudo").write_text("#!/bin/sh\nexit 1\n")
        (checkout / "sudo").chmod(0o755)
        shutil.chown(checkout, NOBODY if os.geteuid() == 0 else os.geteuid())
        done = _run(
            "env", f"PATH={checkout}:{os.environ['PATH']}", checkout / "penstock", "run", cwd=checkout, user=NOBODY
        )
    assert done.returncode == 2, done.stderr
    assert f"    {checkout}/setup --packages" in done.stderr
    assert "apt-get install --no-install-recommends no-such-package" in done.stderr


def test_a_checkout_of_somebody_else_is_set_up_in_the_users_cache() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        checkout = _checkout(Path(folder))
        home = Path(folder) / "home"
        home.mkdir()
        shutil.chown(home, NOBODY if os.geteuid() == 0 else os.geteuid())
        checkout.chmod(0o555)
        done = _run(checkout / "penstock", "check", cwd=home, user=NOBODY)
        checkout.chmod(0o755)
        assert done.returncode == 7, done.stderr
        assert not (checkout / ".venv").exists()
        assert list((home / ".cache" / "penstock").glob("*/stamp"))


def test_what_only_reads_files_needs_no_package(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path, programs="no-such-program:no-such-package")
    assert _run(checkout / "penstock", "check", "policy.yaml").returncode == 7
    assert _run(checkout / "penstock", "run", "--help").returncode == 7
    assert _run(checkout / "penstock", "run", "x", "--backend", "simulate").returncode == 7


def test_the_vpns_are_asked_for_only_by_what_measures_them(ready: Path, tmp_path: Path) -> None:
    assert _run(ready / "penstock", "run", "sni-filtering").returncode == 7
    checkout = _checkout(tmp_path, tools="no-such-vpn:no-such-package /no/such/library.so:no-such-library")
    path = f"PATH={_without_apt(tmp_path)}"  # else it would be asked for the packages
    for words in ("run --seed 3 vpn-disruption", "shell throttling", "run pakistan-2024-08", "test"):
        done = _run("env", path, checkout / "penstock", *words.split())
        assert done.returncode == 2, (words, done.stderr)
        assert "no-such-package no-such-library" in done.stderr
    checked = _run(checkout / "setup", "--check", "--tools")
    assert checked.returncode == 1
    assert "no-such-package no-such-library" in checked.stderr
    assert f"{checkout}/setup --tools installs it" in checked.stderr


def _without_apt(folder: Path) -> Path:
    """A PATH with everything but apt-get."""
    place = folder / "bin"
    place.mkdir()
    for path in [*Path("/usr/sbin").iterdir(), *Path("/usr/bin").iterdir()]:
        if path.name not in ("apt-get", "sudo") and not (place / path.name).is_symlink():
            (place / path.name).symlink_to(path)
    return place


def test_a_level_holds_those_below_it(ready: Path) -> None:
    assert _run(ready / "setup", "--tools").returncode == 0
    for words in (["run", "vpn-disruption"], ["run", "sni-filtering"], ["check", "x"]):
        done = _run(ready / "penstock", *words)
        assert (done.returncode, done.stderr) == (7, "")
    assert _run(ready / "setup", "--check", "--dev").returncode == 1


def test_a_sweep_needs_a_lab_only_if_its_cells_do(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path, programs="no-such-program:no-such-package")
    (tmp_path / "lab.yaml").write_text("name: mine\nbackend: emulate\n")
    (tmp_path / "none.yaml").write_text("name: mine\nbackend: replay\n")
    path = f"PATH={_without_apt(tmp_path)}"  # else it would be asked for the packages
    for words in (["sni-filtering", "--backend", "emulate"], ["--backend=emulate"], [str(tmp_path / "lab.yaml")]):
        done = _run("env", path, checkout / "penstock", "sweep", *words)
        assert done.returncode == 2, (words, done.stderr)
        assert "no-such-package" in done.stderr
    for words in ([str(tmp_path / "none.yaml")], ["--policy", "sni-drop"], ["report", "x"], ["--backend", "simulate"]):
        assert _run(checkout / "penstock", "sweep", *words).returncode == 7
    assert _run(checkout / "setup", "--check", "--sweep").returncode == 0
    assert _run(checkout / "setup", "--check").returncode == 1


def test_a_closed_tun_device_is_opened_by_the_administrator_and_named_to_others() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        checkout = _checkout(Path(folder))
        (checkout / "tun").chmod(0o000)
        (checkout / "sudo").write_text("#!/bin/sh\nexit 1\n")
        (checkout / "sudo").chmod(0o755)
        shutil.chown(checkout, NOBODY if os.geteuid() == 0 else os.geteuid())
        path = f"PATH={checkout}:{os.environ['PATH']}"
        done = _run("env", path, checkout / "penstock", "run", "vpn-disruption", cwd=checkout, user=NOBODY)
        assert done.returncode == 2, done.stderr
        assert f"{checkout}/tun is closed to this user" in done.stderr
        assert f"    {checkout}/setup --packages --tools\n" in done.stderr
        if os.geteuid() == 0:
            assert _run(checkout / "setup", "--packages", "--tools").returncode == 0
            assert (checkout / "tun").stat().st_mode & 0o777 == 0o666


def test_check_installs_nothing(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path, programs="no-such-program:no-such-package")
    done = _run(checkout / "setup", "--check")
    assert done.returncode == 1
    assert "Debian packages are missing: no-such-package" in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_engine_that_is_not_compiled_is_missing_only_to_who_asked_for_it(ready: Path) -> None:
    done = _run(ready / "setup", "--check", "--python-only", "--fast")
    assert done.returncode == 1
    assert "the engine is not compiled" in done.stderr
    assert "setup --python-only --fast installs it" in done.stderr
    assert _run(ready / "setup", "--check", "--python-only").returncode == 0


def test_an_unknown_option_is_refused() -> None:
    done = _run(ROOT / "setup", "--dve")
    assert done.returncode == 2
    assert "not '--dve'" in done.stderr


def test_help_tells_every_option() -> None:
    said = _run(ROOT / "setup", "--help").stdout
    for option in ("--check", "--dev", "--fast", "--packages", "--python-only", "--sweep", "--tools"):
        assert option in said
