"""Which engine runs: the compiled one only while it is that of the sources as they are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from middlebox import build

ROOT = Path(build.__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which one module was compiled, as far as can be told: it is another one, which says so."""
    shutil.copytree(ROOT / "middlebox", tmp_path / "middlebox", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / build.FOLDER.relative_to(ROOT) / "middlebox"
    folder.mkdir(parents=True)
    source = (ROOT / "middlebox" / "chance.py").read_text()
    (folder / "chance.py").write_text(f"{source}\nCOMPILED = True\n")
    _run(tmp_path, "build.stamp()")
    return tmp_path


def _run(checkout: Path, code: str, **environment: str) -> str:
    words = [sys.executable, "-P", "-c", f"from middlebox import build, chance; {code}"]
    environment |= {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.strip()


USED = "print(hasattr(chance, 'COMPILED'))"


def test_compiled_modules_of_the_sources_as_they_are_go_first(checkout: Path) -> None:
    assert _run(checkout, USED) == "True"


def test_compiled_modules_of_other_sources_are_left_alone(checkout: Path) -> None:
    with (checkout / "middlebox" / "dissect" / "tls.py").open("a") as source:
        source.write("# changed\n")
    assert _run(checkout, USED) == "False"
    assert _run(checkout, "print(build.words())") == "plain Python: the compiled one is old"


def test_the_source_can_be_asked_for(checkout: Path) -> None:
    assert _run(checkout, USED, PENSTOCK_PLAIN="1") == "False"
    assert _run(checkout, "print(build.words())", PENSTOCK_PLAIN="1") == "plain Python, as PENSTOCK_PLAIN is set"


def test_a_checkout_in_which_nothing_was_compiled_runs_its_source(checkout: Path) -> None:
    shutil.rmtree(checkout / "build")
    assert _run(checkout, USED) == "False"
    assert _run(checkout, "print(build.words(), build.compiled())") == "plain Python False"


def test_what_is_compiled_is_the_engine_and_no_driver() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in build.sources()}
    assert {"middlebox/censor.py", "middlebox/dissect/__init__.py", "middlebox/dissect/tls.py"} <= names
    assert not any("drivers" in name or "grammar" in name for name in names)
    assert "middlebox/build.py" not in names


def test_mypyc_takes_every_module_of_the_engine(tmp_path: Path) -> None:
    """As far as C: what a C compiler makes of it, `./penstock test compiled` tries."""
    files = [path.relative_to(ROOT).as_posix() for path in build.sources()]
    code = "import sys; from mypyc.build import mypycify; mypycify(sys.argv[2:], target_dir=sys.argv[1])"
    words = [sys.executable, "-c", code, str(tmp_path), "--strict", f"--cache-dir={tmp_path / 'cache'}", *files]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("**/*.c"))
