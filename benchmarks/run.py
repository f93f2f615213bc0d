#!/usr/bin/env python3
"""Measure WebSocket servers beside each other: CPU time of the server per message.

    python3 benchmarks/run.py [--rounds 5] [--loads rtt-100 64k ...] [--out DIR]

It makes an environment of its own (``.venv-benchmarks``) with all servers, builds
the load generator (needs a C compiler), and runs every load against every server,
in turn, as often as ``--rounds`` says; server and load are each on a core of their
own.  What counts is the server's user and system time between two points at which
it is idle, as the kernel's scheduler accounts it, divided by the messages that came
back; of the rounds the median, and of the ratios to the bare Twisted echo of the
same round the median too.  Wall-clock rates are shown and decide nothing.

The results go to ``results.json``, ``results.md`` and one SVG per load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv-benchmarks"
PYTHON = VENV / "bin" / "python"
LOAD = VENV / "load"
PACKAGES = [
    "aiohttp",
    "autobahn",
    "matplotlib",
    "picows",
    "tqdm",
    "uvloop",
    "websockets",
]
PACKAGES += ["twisted[tls,websocket]"]

#: The core of the server, and that of the load.
SERVER_CORE, LOAD_CORE = "0", "1"

FLOOR = "twisted tcp"


class Server(NamedTuple):
    """A server: its script and arguments, and what of the environment it needs."""

    command: list[str]
    pure: bool = False
    raw: bool = False


SERVERS = {
    FLOOR: Server(["twisted_tcp.py"], raw=True),
    "asyncio tcp": Server(["asyncio_tcp.py"], raw=True),
    "each": Server(["ours.py", "each"]),
    "read": Server(["ours.py", "read"]),
    "each, pure": Server(["ours.py", "each"], pure=True),
    "read, pure": Server(["ours.py", "read"], pure=True),
    "each, asyncio reactor": Server(["ours.py", "each", "asyncio"]),
    "each, uvloop reactor": Server(["ours.py", "each", "uvloop"]),
    "picows": Server(["picows_server.py"]),
    "picows, uvloop": Server(["picows_server.py", "uvloop"]),
    "websockets": Server(["websockets_server.py"]),
    "aiohttp": Server(["aiohttp_server.py"]),
    "autobahn": Server(["autobahn_twisted.py"]),
    "twisted.web": Server(["twisted_web.py"]),
}


class Load(NamedTuple):
    """An echo load: see the head of load.c."""

    connections: int
    depth: int
    size: int
    messages: int
    kind: str = "binary"
    fragments: int = 1


LOADS = {
    "rtt-1": Load(1, 1, 64, 20_000),
    "rtt-100": Load(100, 1, 64, 60_000),
    "pipelined": Load(1, 64, 64, 200_000),
    "1k": Load(100, 1, 1024, 40_000),
    "64k": Load(4, 1, 65536, 4_000),
    "1m": Load(4, 1, 1 << 20, 300),
    "16m": Load(1, 1, 1 << 24, 15),
    "text": Load(100, 1, 1200, 40_000, "text"),
    "fragments": Load(1, 1, 64_000, 200, "binary", 1000),
}


def prepare() -> None:
    """The environment and the generator, if they are not there."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    environment = {**os.environ, "TXWS_SIMPLE_SPEEDUPS": "require"}
    subprocess.run([*install, *PACKAGES], check=True)
    subprocess.run(
        [*install, "--force-reinstall", "--no-deps", ROOT], env=environment, check=True
    )
    compiler = ["cc", "-O2", "-o", LOAD, HERE / "load.c"]
    subprocess.run(compiler, check=True)


def seconds_of(pid: int) -> float:
    """The CPU time of a process, by the scheduler's account."""
    times = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(times.split()[0]) / 1e9


@contextmanager
def serving(server: Server) -> Iterator[tuple[int, str]]:
    """A running server: its process, its port."""
    environment = dict(os.environ)
    environment["TXWS_SIMPLE_SPEEDUPS"] = "forbid" if server.pure else "require"
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, PYTHON, *server.command],
        cwd=HERE / "servers",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{server.command} does not start")
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


def measure(server: Server, load: Load) -> tuple[float, float]:
    """Microseconds of CPU per message, and messages per second."""
    kind = "raw" if server.raw else load.kind
    with serving(server) as (pid, port):
        generator = subprocess.Popen(
            [
                *("taskset", "-c", LOAD_CORE, LOAD, "echo", port),
                *map(str, (load.connections, load.depth, load.size)),
                *(kind, str(load.fragments), str(load.messages)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert generator.stdin is not None
        assert generator.stdout is not None
        try:
            if not generator.stdout.readline().startswith("warm"):
                raise RuntimeError(f"{server.command} fails under {load}")
            before = seconds_of(pid)
            generator.stdin.write("\n")
            generator.stdin.flush()
            _, count, seconds = generator.stdout.readline().split()
            spent = seconds_of(pid) - before
            return spent / int(count) * 1e6, int(count) / float(seconds)
        finally:
            generator.kill()
            generator.wait()


def run(loads: list[str], servers: list[str], rounds: int) -> dict[str, Any]:
    """All figures: load, server, then one per round."""
    from tqdm import tqdm

    results: dict[str, Any] = {
        name: {server: {"cpu": [], "rate": []} for server in servers} for name in loads
    }
    with tqdm(total=len(loads) * len(servers) * rounds) as bar:
        for name in loads:
            for _ in range(rounds):
                for server in servers:
                    bar.set_description(f"{name}, {server}")
                    cpu, rate = measure(SERVERS[server], LOADS[name])
                    results[name][server]["cpu"].append(cpu)
                    results[name][server]["rate"].append(rate)
                    bar.update()
    return results


def summary(
    figures: dict[str, Any],
) -> Iterator[tuple[str, float, float, float, float]]:
    """Server, median CPU, median, lowest and highest ratio to the floor."""
    floor = figures[FLOOR]["cpu"]
    for server, each in figures.items():
        ratios = [cpu / base for cpu, base in zip(each["cpu"], floor, strict=True)]
        median = statistics.median(ratios)
        yield server, statistics.median(each["cpu"]), median, min(ratios), max(ratios)


def table(results: dict[str, Any]) -> str:
    lines = []
    for name, figures in results.items():
        lines += [f"## {name}: {LOADS[name]}", ""]
        lines += ["| server | CPU us per message | ratio | spread | per second |"]
        lines += ["|---|---|---|---|---|"]
        for server, cpu, ratio, low, high in summary(figures):
            rate = statistics.median(figures[server]["rate"])
            lines.append(
                f"| {server} | {cpu:.2f} | {ratio:.2f} | {low:.2f}-{high:.2f} "
                f"| {rate:.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def plot(results: dict[str, Any], folder: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    for name, figures in results.items():
        rows = sorted(summary(figures), key=lambda row: row[2], reverse=True)
        figure, axes = pyplot.subplots(figsize=(7, 0.35 * len(rows) + 1))
        axes.barh([row[0] for row in rows], [row[2] for row in rows])
        axes.axvline(1, color="black", linewidth=0.5)
        axes.set_xlabel("CPU time of the server per message, bare Twisted echo = 1")
        axes.set_title(name)
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    if Path(sys.prefix) != VENV:
        prepare()
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    servers = [FLOOR, *(name for name in options.servers if name != FLOOR)]
    results = run(options.loads, servers, options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.machine()}
    text = json.dumps({"about": about, "results": results}, indent=1)
    (options.out / "results.json").write_text(text, encoding="utf-8")
    (options.out / "results.md").write_text(table(results), encoding="utf-8")
    plot(results, options.out)
    print(table(results))


if __name__ == "__main__":
    main()
