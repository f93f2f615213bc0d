"""What a target begins with: generated cases, and what earlier runs found.

The latter are the folder ``corpus``: a file for each module, a bytes literal on each
line.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from tests.differential import requests, streams

__all__ = ["MODULES", "generated", "keep", "kept"]

_CORPUS = Path(__file__).parent / "corpus"

#: How many cases are generated, and the longest of them, in bytes.
_COUNT = 200
_LONGEST = 1000


def _frames(random: Random) -> bytes:
    return b"".join(streams.generate(random).segments)


def _request(random: Random) -> bytes:
    return random.randbytes(2) + b"".join(requests.generate(random).segments)


def _decoder(random: Random) -> bytes:
    return random.randbytes(2) + _frames(random)


def _protocol(random: Random) -> bytes:
    choices = random.randbytes(1)
    arriving = _frames(random)
    if choices[0] & 8:
        arriving = b"".join(requests.generate(random).segments) + arriving
    return choices + random.randbytes(8) + arriving


_MAKERS: dict[str, Callable[[Random], bytes]] = {
    "request": _request,
    "decoder": _decoder,
    "protocol": _protocol,
}
MODULES = tuple(_MAKERS)


def generated(module: str) -> list[bytes]:
    """The same in each run: a mixture of what is valid and what is not."""
    cases = [_MAKERS[module](Random(number)) for number in range(_COUNT)]
    return [case for case in cases if len(case) <= _LONGEST]


def kept(module: str) -> list[bytes]:
    """What earlier runs found worth keeping."""
    lines = (_CORPUS / f"{module}.txt").read_text(encoding="ascii").splitlines()
    return [literal_eval(line) for line in lines]


def keep(module: str, inputs: Iterable[bytes]) -> None:
    """Keep these instead."""
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    text = "".join(f"{data!r}\n" for data in ordered)
    (_CORPUS / f"{module}.txt").write_text(text, encoding="ascii")
