"""The scenarios, each against a server of its own; bounded in time and in counts."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

from .figures import KIB, MIB, Figure, honest, kib, latencies, left_behind, mib, none
from .process import Look, Server, Swarm


class Size(NamedTuple):
    """How large it is all to be; times in seconds.

    ``phase`` is how long honest clients are watched, alone and among others.
    """

    idle: int
    ping_frequency: float
    at_once: int
    cycles: int
    honest: int
    slow: int
    attackers: int
    phase: float


FULL = Size(10_000, 8, 2000, 100_000, 100, 100, 500, 7)
QUICK = Size(2000, 2, 500, 20_000, 50, 50, 100, 4)

#: What one idle connection may occupy, in bytes.
MOST_IDLE = 8 * KIB
#: What one may occupy that does its worst: a message of 64 KiB on its way in, in
#: pieces and joined, one unread, one on its way out, and what one read takes.
MOST_ATTACKER = 384 * KIB
#: What the same once more may occupy more: the heap is not compact.
MOST_MORE = 4 * MIB


@contextmanager
def serving(warming: int = 2000, **options: Any) -> Iterator[tuple[Server, Look]]:
    """A server that has seen every way to come and go, and what it holds then."""
    with Server(**options) as server:
        before = server.look()
        with Swarm(server, "cycles", 100, warming) as swarm:
            swarm.end()
        yield server, server.settled(before)


def idle(size: Size) -> Iterator[Figure]:
    """Connections that say nothing, and answer pings; some do not even that."""
    mute = size.idle // 100
    with ExitStack() as stack:
        options = {"ping_frequency": size.ping_frequency, "close_timeout": 2}
        server, before = stack.enter_context(serving(warming=100, **options))
        swarms: list[Swarm] = []
        for part in range(1, 5):
            swarm = Swarm(server, "honest", size.idle // 4, 0, 0)
            swarms.append(stack.enter_context(swarm).ready())
            held = server.look()
            count = size.idle * part // 4
            each = (held.memory - before.memory) / count
            yield kib(f"memory for each of {count:,}", each, MOST_IDLE)
        mutes = stack.enter_context(Swarm(server, "mute", mute)).ready()
        time.sleep(size.ping_frequency * 4)
        more = server.look().memory - held.memory
        yield mib("memory more, 4 pings later", more, MOST_MORE + size.idle * KIB)
        tallies = [swarm.end() for swarm in swarms]
        yield Figure("pings answered", sum(tally["pings"] for tally in tallies))
        fewest = min(tally["fewest_pings"] for tally in tallies)
        yield none("pings that one of them missed", max(3 - fewest, 0))
        yield none("dropped", size.idle - sum(tally["in_order"] for tally in tallies))
        yield none("mute ones kept", mute - mutes.end()["closed"].get("1011", 0))
        yield from left_behind(server, before)
        with Swarm(server, "honest", size.idle, 0, 0) as swarm:
            swarm.ready()
            more = server.look().memory - held.memory
            yield mib("memory more, as many held once more", more, MOST_MORE)
            swarm.end()


def at_once(size: Size) -> Iterator[Figure]:
    """All connect in the same moment, and each wants an answer; three times."""
    count, rounds = size.at_once, 3
    tallies: list[dict[str, Any]] = []
    left: list[int] = []
    with serving() as (server, before):
        for _ in range(rounds):
            with Swarm(server, "honest", count, 64, 0, window=count) as swarm:
                tallies.append(swarm.ready().end())
            left.append(server.settled(before).memory)
        for name in ("opened", "echoes", "in_order"):
            missing = rounds * count - sum(tally[name] for tally in tallies)
            yield none(f"lacking: {name.replace('_', ' ')}", missing)
        yield none("wrong echoes", sum(tally["wrong"] for tally in tallies))
        latency = [tally["latencies"][0] for tally in tallies]
        slowest = max(latency, key=lambda each: each["p99"])
        yield from latencies("from connecting to the echo", slowest)
        yield mib(
            "memory more than after the first time", left[-1] - left[0], MOST_MORE
        )
        yield from left_behind(server, before)


def cycles(size: Size) -> Iterator[Figure]:
    """They come and go, in seven ways in turn."""
    with serving(warming=size.cycles // 4) as (server, before):
        began = time.monotonic()
        with Swarm(server, "cycles", 100, size.cycles) as swarm:
            tally = swarm.end()
        rate = tally["visits"] / (time.monotonic() - began)
        yield Figure("connections", tally["visits"])
        yield Figure("connections per second", rate)
        yield Figure("ended in order", tally["in_order"])
        ended = tally["in_order"] + tally["left"]
        yield none("not begun", size.cycles - tally["visits"])
        yield none("ended otherwise than meant", tally["visits"] - ended)
        yield none("wrong echoes", tally["wrong"])
        yield from left_behind(server, before)


def among(roles: list[str], each: str, size: Size) -> Iterator[Figure]:
    """Honest clients, some of them silent, alone, then among others, then alone."""
    count = getattr(size, each)
    others: list[Swarm] = []
    patience = {"ping_frequency": size.ping_frequency, "open_timeout": size.phase / 2}
    with serving(**patience) as (server, before), ExitStack() as stack:
        swarms = [
            stack.enter_context(Swarm(server, "honest", size.honest, *message)).ready()
            for message in ((64, 0.1), (0, 0))
        ]
        watched, silent = swarms
        time.sleep(size.phase)
        alone = server.look()
        server.forget_peak()
        watched.look()
        for role in roles:
            swarm = Swarm(server, role, count, window=count)
            others.append(stack.enter_context(swarm))
        time.sleep(size.phase)
        watched.look()
        tallies = [other.end() for other in others]
        time.sleep(size.phase)
        tally = watched.end()
        yield from honest(size.honest, tally)
        kept = silent.end()["in_order"]
        yield none("silent ones dropped", size.honest - kept)
        first, second, third = tally["latencies"]
        yield from latencies("alone", first)
        yield from latencies("among them", second)
        yield from latencies("afterwards", third)
        yield Figure("p99 among them to alone", second["p99"] / first["p99"])
        present = count * len(roles)
        more = server.peak() - alone.memory
        yield mib("memory more at the worst", more, present * MOST_ATTACKER)
        for role, other in zip(roles, tallies, strict=True):
            yield from fate(f"{role}: " if len(roles) > 1 else "", other)
        yield from left_behind(server, before)


def fate(whose: str, tally: dict[str, Any]) -> Iterator[Figure]:
    """What became of the others."""
    yield mib(f"{whose}sent", tally["sent"])
    yield Figure(f"{whose}connections", tally["visits"])
    for code, number in tally["closed"].items():
        yield Figure(f"{whose}closed with {code}", number)
    for status, number in tally["refused"].items():
        yield Figure(f"{whose}refused with {status}", number)
    yield none(f"{whose}echoes that were wrong", tally["wrong"])


def few_files(size: Size) -> Iterator[Figure]:
    """More clients than descriptors: who is in stays, and who comes later gets in."""
    with serving() as (server, before), ExitStack() as stack:
        swarm = Swarm(server, "honest", size.honest, 64, 0.1)
        watched = stack.enter_context(swarm).ready()
        before_them = server.look()
        # Enough for those who are in, and for as many who come later.
        files = before_them.files + 2 * size.honest
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (files, hard))
        with Swarm(server, "honest", 2 * files, 0, 0) as crowd:
            inside = crowd.ready().look()["open"]
            time.sleep(size.phase)
            tally = crowd.end()
        server.settled(before_them, ["files"])
        turned_away = tally["hung_up"] + tally["was_reset"]
        yield Figure("descriptors", files)
        yield Figure("clients that got in", inside)
        yield Figure("clients turned away", turned_away)
        yield none("the limit was not reached", int(turned_away == 0))
        with Swarm(server, "honest", size.honest, 64, 0) as late:
            tally = late.ready().end()
        yield none("later ones not answered", size.honest - tally["echoes"])
        yield from honest(size.honest, watched.end())
        yield from left_behind(server, before)


class Scenario(NamedTuple):
    """A scenario: the table that it is a column of, its head there, what is done."""

    table: str
    column: str
    run: Callable[[Size], Iterator[Figure]]


FLOODS = ["pings", "unread-pings", "fragments", "bytes", "unread-echoes", "halves"]

SCENARIOS = {
    "idle": Scenario("Idle connections, pinged", "", idle),
    "at-once": Scenario("All connect at once", "", at_once),
    "cycles": Scenario("Coming and going", "", cycles),
    "slow": Scenario(
        "Slow readers and slow writers",
        "",
        partial(among, ["slow-readers", "slow-writers"], "slow"),
    ),
    **{
        name: Scenario("Floods", name, partial(among, [name], "attackers"))
        for name in FLOODS
    },
    "few-files": Scenario("Out of descriptors", "", few_files),
}
