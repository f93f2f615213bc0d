"""Requests of an opening handshake: valid, slightly invalid, and random."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from .streams import cut, damage

__all__ = ["BLEMISHES", "Arrival", "generate"]

_NAMES = ("Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
_TARGETS = [
    "/",
    "/chat",
    "/a/b?c=d&e",
    "/?",
    "/%20%C3%A9",
    "/..//x",
    "/a:b@c;d",
    "//x/y",
]
_HOSTS = ["example.com", "localhost:8080", "127.0.0.1", "[::1]:8080", "a-b.c", "x:"]
_MORE = [
    *("User-Agent: somebody/1.0", "Cookie: a=b; c=d", "Accept: */*", "X-Empty:"),
    *("Pragma: no-cache", "Cache-Control:no-cache", "X-Tab:\ta\tb\t", "DNT: 1"),
    *("Origin: http://example.com", "X-Latin: \xa0caf\xe9\x85", "Expect: 100-continue"),
    *("Content-Length: 0", 'X-Quoted: "a, b"', "!#$%&'*+-.^_`|~: every sign"),
]
_OFFERS = [
    *("chat", "chat, superchat", "other", "other,chat", "superchat , other", "x-y.z"),
]
_EXTENSIONS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=10, x-other",
    'x-other; name="token"',
]


class Arrival(NamedTuple):
    """What a server receives, and what it serves."""

    kind: str
    segments: list[bytes]
    origins: list[str] | None
    subprotocols: list[str]


@dataclass
class Draft:
    """A request to be, with all that can be wrong with it."""

    method: str = "GET"
    target: str = "/"
    version: str = "HTTP/1.1"
    space: str = " "
    first: str = ""
    lines: list[str] = field(default_factory=list)
    end: str = "\r\n"

    def serialize(self) -> bytes:
        request = self.space.join((self.method, self.target, self.version))
        lines = [self.first + request, *self.lines, "", ""]
        return self.end.join(lines).encode("latin-1")

    def find(self, name: str) -> int | None:
        """Where the first line with this name is."""
        for number, line in enumerate(self.lines):
            if line.lower().startswith(name.lower() + ":"):
                return number
        return None

    def put(self, name: str, value: str) -> None:
        """This value in place of that which is there."""
        number = self.find(name)
        if number is None:
            self.lines.append(f"{name}: {value}")
        else:
            self.lines[number] = f"{name}: {value}"


# What is valid


def _any_case(random: Random, text: str) -> str:
    return random.choice((text, text, text.lower(), text.upper(), text.swapcase()))


def _valid(random: Random) -> Draft:
    host = random.choice(_HOSTS)
    values = {
        "Host": host,
        "Upgrade": _any_case(random, "websocket"),
        "Connection": _any_case(
            random, random.choice(("Upgrade", "keep-alive, Upgrade"))
        ),
        "Sec-WebSocket-Key": b64encode(random.randbytes(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    lines = [
        _any_case(random, name)
        + random.choice((": ", ": ", ":", ":\t "))
        + values[name]
        for name in _NAMES
    ]
    if random.random() < 0.3:
        lines.append("Sec-WebSocket-Protocol: " + random.choice(_OFFERS))
    if random.random() < 0.3:
        lines.append("Sec-WebSocket-Extensions: " + random.choice(_EXTENSIONS))
    lines += random.sample(_MORE, random.randint(0, 4))
    random.shuffle(lines)
    draft = Draft(target=random.choice(_TARGETS), lines=lines)
    if random.random() < 0.05:
        draft.target = f"http://{host}/absolute"
    if random.random() < 0.05:
        draft.first = "\r\n"
    return draft


# What is not, or hardly

Blemish = Callable[[Random, Draft], None]


def _put(name: str, *values: str) -> Blemish:
    return lambda random, draft: draft.put(name, random.choice(values))


def _set(name: str, *values: str) -> Blemish:
    return lambda random, draft: setattr(draft, name, random.choice(values))


def _add(*lines: str) -> Blemish:
    def add(random: Random, draft: Draft) -> None:
        at = random.randint(0, len(draft.lines))
        draft.lines.insert(at, random.choice(lines))

    return add


def leave_out(random: Random, draft: Draft) -> None:
    number = draft.find(random.choice(_NAMES))
    if number is not None:
        del draft.lines[number]


def say_twice(random: Random, draft: Draft) -> None:
    if draft.lines:
        draft.lines.append(random.choice(draft.lines))


def fold(random: Random, draft: Draft) -> None:
    if draft.lines:
        at = random.randrange(len(draft.lines))
        draft.lines[at] += random.choice(("\r\n ", "\r\n\t", "\r\n x"))


def one_bad_end(random: Random, draft: Draft) -> None:
    if draft.lines:
        at = random.randrange(len(draft.lines))
        draft.lines[at] += random.choice(("\n", "\r", "\0")) + "X-More: 1"


def other_key(random: Random, draft: Draft) -> None:
    size = random.choice((0, 1, 14, 15, 17, 18, 32))
    key = b64encode(random.randbytes(size)).decode()
    good = b64encode(random.randbytes(16)).decode()
    bad = (key, good[:-1], good[:-2], good + "=", good + "A", good[:5] + " " + good[6:])
    strange = (
        good[:5] + "_" + good[6:],
        good[:5] + "\xe9" + good[6:],
        good[:21] + "Z==",
    )
    draft.put("Sec-WebSocket-Key", random.choice((*bad, *strange)))


def long_line(random: Random, draft: Draft) -> None:
    draft.lines.append("X-Long: " + "x" * random.choice((8000, 8183, 8184, 8185, 9000)))


def long_target(random: Random, draft: Draft) -> None:
    draft.target = "/" + "x" * random.choice((8000, 8177, 8178, 9000))


def many_lines(random: Random, draft: Draft) -> None:
    draft.lines += [f"X-{i}: y" for i in range(random.choice((80, 95, 110, 130, 200)))]


def many_bytes(random: Random, draft: Draft) -> None:
    draft.lines += [f"X-{i}: " + "y" * 4000 for i in range(random.choice((3, 5)))]


def old_version(random: Random, draft: Draft) -> None:
    draft.version = "HTTP/1.0"
    draft.target = random.choice(("/", "/\x7f", "/\x00"))


BLEMISHES: tuple[Blemish, ...] = (
    *(leave_out, say_twice, fold, one_bad_end, other_key, long_line, long_target),
    *(many_lines, many_bytes, old_version),
    _set("method", "POST", "HEAD", "PUT", "CONNECT", "get", "GET ", "G\xc9T", ""),
    _set("version", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1", ""),
    _set("version", "HTTP/01.1", "HTTP/1.1 ", "HTTP/1.\xb9", "HTTPS/1.1", "HTTP/1.1\t"),
    _set("space", "  ", "\t", "\x0b"),
    _set("first", "\r\n\r\n", "\n", " ", "\xef\xbb\xbf", "\0"),
    _set("end", "\n", "\r", "\n\r"),
    _set("target", "", "*", "chat", "example.com:80", "/#part", "/ /", "/%zz", "/%"),
    _set("target", "/\x00", "/\x7f", "/\xe9", "http://other/", "ftp://example.com/"),
    _put("Host", "", "a, b", "user@host", "host/path", "host:port", "host:99999"),
    _put("Host", "[::1", "[::g]", "a b", "%zz", "xn--zz--", "a..b", "x:1:2", "\xe9"),
    _put("Upgrade", "websockets", "h2c, websocket", "websocket, h2c", "websocket/13"),
    _put("Upgrade", '"websocket"', "web socket", ",websocket,", "web\xc5\xbfocket", ""),
    _put("Connection", "keep-alive", "Upgradex", "no-upgrade", '"Upgrade"', "", ","),
    _put("Connection", ",, Upgrade ,", "keep-alive Upgrade", "Upgrade;q=1", "\xe9"),
    _put("Sec-WebSocket-Version", "8", "12", "14", "", "013", "+13", "13.0", "13, 8"),
    _put("Sec-WebSocket-Protocol", "", ",", "a b", "chat;q=1", "chat, chat", "\xe9"),
    _put("Sec-WebSocket-Extensions", "", ",", "a b", "a; b=c d", 'a; b="c d"', "a; =c"),
    _put("Sec-WebSocket-Extensions", 'a; b="c', "a;", "a; b=", "a, , b", "\xe9"),
    _put("Origin", "http://other.example", "null", "", "http://example.com:80"),
    _add("Origin: http://example.com", "Origin: http://example.com.evil.example"),
    _add("Content-Length: 5", "Content-Length: -1", "Content-Length: 0, 0"),
    _add("Content-Length: 00", "Content-Length: x", "Transfer-Encoding: chunked"),
    _add("Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked"),
    _add("No colon", ": no name", "Space : before", " Space: first", "X\xe9: y"),
    _add("X-Nul: a\0b", "X-Control: a\x01b", "X-Del: a\x7fb", "X-Esc: \x1b[31m"),
    _add("Connection: close", "Upgrade: h2c", "Host: other", "Sec_WebSocket_Key: x"),
    # Fields said twice, where it matters what is made of that.
    _add("Content-Length: 0\r\nContent-Length: 0"),
    _add("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: ,", "Connection:"),
    _add("Upgrade:", 'Upgrade: "websocket"', "Upgrade: websocket", "Connection: ,"),
)


# Put together


def generate(random: Random) -> Arrival:
    """One request, perhaps with frames behind it."""
    kind = random.choices(("valid", "blemished", "damaged", "random"), (3, 5, 2, 1))[0]
    draft = _valid(random)
    if kind == "blemished":
        for _ in range(random.choice((1, 1, 1, 2))):
            random.choice(BLEMISHES)(random, draft)
    data = draft.serialize()
    if kind == "damaged":
        data = damage(random, data)
    elif kind == "random":
        data = _noise(random, data)
    if random.random() < 0.1:
        kind += ", cut off"
        data = data[: random.randint(0, len(data))]
    else:
        data += random.choice(
            (b"", b"", b"\x82\x80\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n")
        )
    origins = random.choice((None, None, None, ["http://example.com"]))
    subprotocols = random.choice(([], [], ["superchat", "chat"]))
    return Arrival(kind, cut(random, data), origins, subprotocols)


def _noise(random: Random, data: bytes) -> bytes:
    """What other protocols say first, or lines in disorder, or random bytes."""
    lines = data.split(b"\r\n")
    random.shuffle(lines)
    return random.choice(
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(30),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"SSH-2.0-somebody\r\n",
            b"\r\n".join(lines),
            random.randbytes(random.randint(1, 100)),
            random.randbytes(20) + data,
        )
    )
