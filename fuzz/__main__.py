"""The command: so many seconds for each target, then what that came to."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from .prepare import PYTHON, VENV, build, environment, prepare

_FINDINGS = VENV / "findings"


@dataclass(frozen=True)
class Target:
    """A module, and which accelerator it runs with: the sanitized one, or none."""

    name: str
    module: str
    dictionary: str
    is_sanitized: bool = False

    @property
    def corpus(self) -> Path:
        """Where its inputs are while it runs."""
        return VENV / "corpus" / self.name

    @property
    def log(self) -> Path:
        return VENV / f"{self.name}.log"

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

    def fuzz(self, seconds: int) -> str:
        """So long; what it came to, in one line or, with a finding, more."""
        dictionary = Path(__file__).parent / f"{self.dictionary}.dict"
        status = self.run(
            f"-max_total_time={seconds}",
            f"-dict={dictionary}",
            f"-artifact_prefix={_FINDINGS}/{self.name}-",
            "-print_final_stats=1",
            *("-max_len=4096", "-timeout=20", "-rss_limit_mb=4096"),
            self.corpus,
        )
        return summary(self, status)


TARGETS = {
    target.name: target
    for target in (
        Target("request", "request", "request"),
        Target("decoder-python", "decoder", "frames"),
        Target("decoder-c", "decoder", "frames", is_sanitized=True),
        Target("protocol", "protocol", "frames"),
    )
}


def summary(target: Target, status: int) -> str:
    """Executions, coverage and findings, from the log."""
    text = target.log.read_text(encoding="utf-8", errors="replace")
    executed = re.findall(r"number_of_executed_units: (\d+)", text)
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    if status == 0 and executed and reached:
        edges, features, inputs = reached[-1]
        return (
            f"{target.name}: {executed[-1]} executions, {edges} edges, "
            f"{features} features, {inputs} inputs kept, no finding"
        )
    return f"{target.name}: FINDING, status {status}\n{text[-6000:]}"


def lay_out(target: Target) -> None:
    """Its inputs as files, as libFuzzer wants them."""
    from .inputs import generated, kept

    target.corpus.mkdir(parents=True, exist_ok=True)
    for data in (*generated(target.module), *kept(target.module)):
        name = sha1(data, usedforsecurity=False).hexdigest()
        (target.corpus / name).write_bytes(data)


def keep(targets: list[Target]) -> None:
    """What covers all that is covered now goes to the repository."""
    from . import inputs

    for module in {target.module for target in targets}:
        found: list[bytes] = []
        for target in targets:
            if target.module == module:
                found += _least(target)
        inputs.keep(module, set(found) - set(inputs.generated(module)))


def _least(target: Target) -> list[bytes]:
    """The fewest inputs with the same coverage, those with a bug not among them."""
    merged = VENV / "merged" / target.name
    merged.mkdir(parents=True, exist_ok=True)
    for path in merged.iterdir():
        path.unlink()
    target.run("-merge=1", "-max_len=1024", merged, target.corpus)
    return [path.read_bytes() for path in merged.iterdir()]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m fuzz",
        description="Fuzz all targets or some, each for some time.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="how many targets at a time [default: as many as there are cores]",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep what was found in the repository"
    )
    parser.add_argument("--input", type=Path, help="only run this file, a finding's")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(unknown)}, but {', '.join(TARGETS)}")
    return options


def main() -> int:
    options = arguments()
    if Path(sys.prefix) != VENV:
        prepare()
        os.execv(PYTHON, [str(PYTHON), "-m", "fuzz", *sys.argv[1:]])
    targets = [TARGETS[name] for name in options.targets or TARGETS]
    if any(target.is_sanitized for target in targets):
        build()
    _FINDINGS.mkdir(exist_ok=True)
    if options.input is not None:
        statuses = [target.run(options.input.resolve()) for target in targets]
        print("\n".join(target.log.read_text() for target in targets))
        return int(any(statuses))
    for target in targets:
        lay_out(target)
    with ThreadPoolExecutor(options.jobs) as pool:
        summaries = pool.map(lambda target: target.fuzz(options.seconds), targets)
        failed = 0
        for text in summaries:
            print(text, flush=True)
            failed += "FINDING" in text
    if options.keep:
        keep(targets)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
