"""A target as a process of its own: libFuzzer, and what it says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from .prepare import PYTHON, VENV, environment

__all__ = ["FINDINGS", "TARGETS", "Target"]

FINDINGS = VENV / "findings"

#: In bytes, and in seconds for one input.
_LIMITS = ("-max_len=4096", "-timeout=20", "-rss_limit_mb=4096")


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        name: How it is called.
        module: Where its ``check`` is.
        words: The dictionary of libFuzzer.
        is_sanitized: Whether the accelerator is in use, with sanitizers; else none.
    """

    name: str
    module: str
    words: str
    is_sanitized: bool = False

    @property
    def log(self) -> Path:
        return VENV / f"{self.name}.log"

    @property
    def corpus(self) -> Path:
        return VENV / "corpus" / self.name

    def run(self, *options: str | Path) -> int:
        """The exit status of libFuzzer; what it says is in the log."""
        command = [PYTHON, "-m", "fuzz.harness", self.module, *options]
        with self.log.open("wb") as log:
            return subprocess.run(
                command,
                cwd=VENV,
                env=environment(self.is_sanitized),
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

    def fuzz(self, seconds: int) -> int:
        """So long, or until it finds something; the exit status."""
        return self.run(
            f"-max_total_time={seconds}",
            f"-dict={Path(__file__).with_name(self.words)}",
            f"-artifact_prefix={FINDINGS}/{self.name}-",
            "-print_final_stats=1",
            *_LIMITS,
            self.corpus,
        )

    def summary(self, status: int) -> str:
        """What it came to, in one line; with a finding, all that is known of it."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        if status:
            return f"{self.name}: FINDING, status {status}\n{text[-6000:]}"
        executed = re.findall(r"number_of_executed_units: (\d+)", text)[-1]
        edges, features = re.findall(r"cov: (\d+) ft: (\d+)", text)[-1]
        return (
            f"{self.name}: {executed} executions, {edges} edges, {features} features, "
            "no finding"
        )

    def begin_with(self, inputs: Iterable[bytes]) -> None:
        """Add these to what it begins with."""
        self.corpus.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            name = sha1(data, usedforsecurity=False).hexdigest()
            (self.corpus / name).write_bytes(data)

    def least(self) -> list[bytes]:
        """The fewest of its inputs that cover what all of them do."""
        merged = VENV / "merged" / self.name
        merged.mkdir(parents=True, exist_ok=True)
        for path in merged.iterdir():
            path.unlink()
        if self.run("-merge=1", "-max_len=512", merged, self.corpus):
            raise RuntimeError(f"merging failed, see {self.log}")
        return [path.read_bytes() for path in merged.iterdir()]


TARGETS = {
    target.name: target
    for target in (
        Target("request", "request", "request.dict"),
        Target("decoder-python", "decoder", "frames.dict"),
        Target("decoder-c", "decoder", "frames.dict", is_sanitized=True),
        Target("protocol", "protocol", "frames.dict"),
    )
}
