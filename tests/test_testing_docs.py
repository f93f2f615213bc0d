"""The examples of how to test an application, each run as a reader would run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "testing"
PATIENCE = 60  # seconds

PYTEST = ("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
#: How each file is run, and how many tests it has.
COMMANDS = {
    "test_with_pytest": ((*PYTEST, "-p", "no:twisted"), 8),
    "test_with_pytest_twisted": ((*PYTEST, "--reactor=default"), 1),
    "test_with_trial": (("-m", "twisted.trial"), 5),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The examples, out of reach of the settings of this project."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))


def run(folder: Path, name: str) -> tuple[int, str]:
    """The status of a run, and what it said."""
    command, _ = COMMANDS[name]
    target = name if "twisted.trial" in command else f"{name}.py"
    done = subprocess.run(
        [sys.executable, *command, target],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_file_has_its_command() -> None:
    assert {path.stem for path in EXAMPLES.glob("test_*.py")} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_they_pass(folder: Path, name: str) -> None:
    status, output = run(folder, name)
    count = COMMANDS[name][1]
    assert status == 0, output
    assert re.search(rf"\b{count} passed|Ran {count} tests", output), output
    assert "skip" not in output


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("test_with_pytest", "timeout=60", "timeout=61"),
        ("test_with_pytest", "self.guests.remove(peer)", "pass"),
        ("test_with_pytest", "guest.send(message)", "await guest.send(message)"),
        ("test_with_trial", "4000", "4001"),
    ],
)
def test_they_see_a_mistake(folder: Path, name: str, right: str, wrong: str) -> None:
    """One that is made in the application."""
    application = folder / "guestbook.py"
    text = application.read_text(encoding="utf-8")
    assert right in text
    application.write_text(text.replace(right, wrong), encoding="utf-8")
    status, output = run(folder, name)
    assert status != 0, output
    assert "failed" in output.lower()
