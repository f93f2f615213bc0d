#!/usr/bin/env python3
"""Where the time goes: system calls for each message, and shares of the CPU time.

    python3 benchmarks/profile.py [--out DIR]

System calls are counted by ``strace`` (which has to be installed); what the server's
CPU time is spent in is sampled by ``py-spy``, with the frames of C among those of
Python, and added up by whose code it is.  The results go to ``profile.rst``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from loads import FLOOR, LOADS, SERVERS
from prepare import HERE, PYTHON, VENV, prepare
from report import table

CALLS = {
    "rtt-100": [FLOOR, "each", "read, writes awaited", "picows"],
    "pipelined": [FLOOR, "each", "picows"],
    "64k": [FLOOR, "each", "picows"],
}
SHARES = {"rtt-100": "each", "pipelined": "each", "64k": "each", "handshakes": "each"}

#: Whose a sample is, by the innermost frame that tells.
OWNERS = {
    "the kernel": r"^(send|sendmsg|recv|__?send|__?recv|epoll_wait|accept4?|close"
    r"|setsockopt|shutdown|epoll_ctl|ioctl|fcntl|getpeername|getsockname)\b.*libc",
    "txws_simple, in C": r"_speedups",
    "txws_simple": r"\(txws_simple/",
    "Twisted": r"\(twisted/",
}
#: Seconds of sampling, and how often in each.
SECONDS, RATE = 4, 500


def system_calls(server: str, load: str) -> dict[str, float]:
    """How often each system call is made for one message."""
    from measure import Generator, serving

    with (
        serving(SERVERS[server]) as (pid, port),
        Generator(LOADS[load].arguments(SERVERS[server], port)) as generator,
    ):
        generator.stops("warm")
        with subprocess.Popen(
            ["strace", "-c", "-f", "-p", str(pid)], stderr=subprocess.PIPE, text=True
        ) as trace:
            assert trace.stderr is not None
            trace.stderr.readline()  # it is attached
            generator.go_on()
            count, _ = generator.stops("done")
            trace.send_signal(signal.SIGINT)
            text = trace.stderr.read()
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?(\w+)$", text, re.MULTILINE)
    calls = {name: int(number) / int(count) for number, name in rows}
    del calls["total"]
    return {name: number for name, number in calls.items() if number >= 0.001}


def samples(server: str, load: str) -> Counter[str]:
    """Samples of the server under a load, by whose code it was in."""
    from measure import Generator, serving

    # More than can be sent while the samples are taken.
    endless = LOADS[load]._replace(messages=LOADS[load].messages * 1000)
    path = VENV / "samples.txt"
    with (
        serving(SERVERS[server]) as (pid, port),
        Generator(endless.arguments(SERVERS[server], port)) as generator,
    ):
        if load != "handshakes":
            generator.stops("warm")
            generator.go_on()
        spy = [VENV / "bin" / "py-spy", "record", "--native", "--format", "raw"]
        spy += ["--rate", str(RATE), "--duration", str(SECONDS)]
        spy += ["--pid", str(pid), "--output", path]
        subprocess.run(spy, check=True, capture_output=True)
    counts: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, number = line.rpartition(" ")
        counts[owner(stack.split(";"))] += int(number)
    return counts


def owner(stack: list[str]) -> str:
    """Whose code this is, from the innermost frame outwards."""
    for frame in reversed(stack):
        for name, pattern in OWNERS.items():
            if re.search(pattern, frame):
                return name
    return "the rest"


def call_rows() -> Iterator[list[str]]:
    yield ["load", "server", "system calls for each message"]
    for load, servers in CALLS.items():
        for server in servers:
            calls = sorted(
                system_calls(server, load).items(), key=lambda call: -call[1]
            )
            text = ", ".join(f"{name} {number:.3g}" for name, number in calls)
            yield [LOADS[load].title, server, text]


def share_rows() -> Iterator[list[str]]:
    names = [*OWNERS, "the rest"]
    yield ["load", "server", *names]
    for load, server in SHARES.items():
        counts = samples(server, load)
        parts = [f"{counts[name] / counts.total():.0%}" for name in names]
        yield [LOADS[load].title, server, *parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    if shutil.which("strace") is None:
        sys.exit("needs strace")
    if Path(sys.prefix) != VENV:
        prepare()
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    options.out.mkdir(parents=True, exist_ok=True)
    text = table("System calls", call_rows())
    text += "\n" + table("Shares of the server's CPU time", share_rows())
    (options.out / "profile.rst").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
