"""The form of a request: RFC 9112, byte for byte."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import (
    LIMITS,
    Row,
    answer,
    assert_answer,
    gets,
    parse,
    request,
    same_outcome,
)
from txws_simple import handshake, headers
from txws_simple import request as request_module
from txws_simple.errors import HandshakeError
from txws_simple.headers import Headers
from txws_simple.request import Request, RequestParser

STATUSES = {400, 403, 405, 414, 426, 431, 505}
CONTROLS = [chr(c) for c in (*range(0x20), 0x7F) if chr(c) not in "\t\r\n"]


def line(text: str) -> bytes:
    """A valid request, but for its first line."""
    return request(text)


def target(text: str) -> bytes:
    """A valid request for a target."""
    return request(f"GET {text} HTTP/1.1")


def version(text: str) -> bytes:
    """A valid request but for its HTTP version."""
    return request(f"GET /chat {text}")


def header(text: str) -> bytes:
    """A valid request with one more header line."""
    return request(extra=(text,))


def sized(text: str, size: int) -> str:
    """The text, filled up to a size."""
    return text.ljust(size, "x")


def in_all(size: int) -> bytes:
    """A valid request of so many bytes."""
    lines = [sized("A: ", 8000), sized("B: ", 8000), "C: "]
    missing = size - len(request(extra=tuple(lines)))
    return request(extra=(*lines[:2], sized("C: ", 3 + missing)))


REQUEST_LINE = {
    "valid": gets(101, request()),
    "query": gets(101, target("/chat?a=b&c=%20?/")),
    "root": gets(101, target("/")),
    "two slashes": gets(101, target("//other.example/chat")),
    "POST": gets(405, line("POST /chat HTTP/1.1"), Allow="GET"),
    "CONNECT": gets(405, line("CONNECT example.com:80 HTTP/1.1"), Allow="GET"),
    "OPTIONS *": gets(405, line("OPTIONS * HTTP/1.1"), Allow="GET"),
    "get": gets(405, line("get /chat HTTP/1.1"), Allow="GET"),
    "method is no token": gets(400, line("G(T /chat HTTP/1.1")),
    "quoted method": gets(400, line('"GET" /chat HTTP/1.1')),
    "HTTP/1.0": gets(505, version("HTTP/1.0")),
    "HTTP/1.2": gets(505, version("HTTP/1.2")),
    "HTTP/2.0": gets(505, version("HTTP/2.0")),
    "HTTP/0.9": gets(505, version("HTTP/0.9")),
    "POST with HTTP/1.0": gets(505, line("POST /chat HTTP/1.0")),
    "http/1.1": gets(400, version("http/1.1")),
    "HTTP/1": gets(400, version("HTTP/1")),
    "HTTP/1.": gets(400, version("HTTP/1.")),
    "HTTP/.1": gets(400, version("HTTP/.1")),
    "HTTP/01.1": gets(400, version("HTTP/01.1")),
    "HTTP/1.10": gets(400, version("HTTP/1.10")),
    "HTTP/1.1.1": gets(400, version("HTTP/1.1.1")),
    "HTTP/a.b": gets(400, version("HTTP/a.b")),
    "HTTP 1.1": gets(400, version("HTTP 1.1")),
    "HTTP/": gets(400, version("HTTP/")),
    "other protocol": gets(400, version("HTTPS/1.1")),
    "no version": gets(400, line("GET /chat")),
    "empty version": gets(400, line("GET /chat ")),
    "two spaces before the target": gets(400, line("GET  /chat HTTP/1.1")),
    "two spaces before the version": gets(400, line("GET /chat  HTTP/1.1")),
    "tab before the target": gets(400, line("GET\t/chat HTTP/1.1")),
    "tab before the version": gets(400, line("GET /chat\tHTTP/1.1")),
    "leading space": gets(400, line(" GET /chat HTTP/1.1")),
    "leading tab": gets(400, line("\tGET /chat HTTP/1.1")),
    "trailing space": gets(400, line("GET /chat HTTP/1.1 ")),
    "trailing tab": gets(400, line("GET /chat HTTP/1.1\t")),
    "space in the target": gets(400, target("/chat room")),
    "only spaces": gets(400, line("   ")),
    "no target": gets(400, line("GET HTTP/1.1")),
    "empty target": gets(400, line("GET  HTTP/1.1")),
    "*": gets(400, target("*")),
    "authority form": gets(400, target("example.com:80")),
    "authority form without a port": gets(400, target("example.com")),
    "no leading slash": gets(400, target("chat")),
    "query alone": gets(400, target("?a=b")),
    "backslash": gets(400, target("\\chat")),
    "http, own host": gets(101, target("http://example.com/chat")),
    "https, own host": gets(101, target("https://example.com/chat")),
    "ws, own host": gets(101, target("ws://example.com/chat")),
    "wss, own host": gets(101, target("wss://example.com/chat")),
    "own host in capitals": gets(101, target("http://EXAMPLE.com/chat")),
    "own host alone": gets(101, target("http://example.com")),
    "own host and query": gets(101, target("http://example.com?a=/b")),
    "another host": gets(400, target("http://example.org/chat")),
    "own host as a prefix": gets(400, target("http://example.com.evil/chat")),
    "own host as a suffix": gets(400, target("http://an.example.com/chat")),
    "own host and another port": gets(400, target("http://example.com:81/chat")),
    "own host behind userinfo": gets(400, target("http://me@example.com/chat")),
    "own host before an at": gets(400, target("http://example.com@evil/chat")),
    "own host and a backslash": gets(400, target("http://example.com\\@evil/")),
    "absolute form without a host": gets(400, target("http:///chat")),
    "absolute form, Host missing": gets(
        400, request("GET http://example.com/ HTTP/1.1", without=("Host",))
    ),
    "absolute form, empty Host": gets(
        400,
        request("GET http:/// HTTP/1.1", Host=""),
    ),
    "other scheme": gets(400, target("ftp://example.com/chat")),
    "scheme alone": gets(400, target("ws:/chat")),
    "fragment": gets(400, target("/chat#room")),
    "empty fragment": gets(400, target("/chat#")),
    "fragment behind a query": gets(400, target("/chat?a#b")),
    "fragment in the absolute form": gets(400, target("ws://example.com/#b")),
    "Latin-1 in the target": gets(400, target("/caf\xe9")),
    "UTF-8 in the target": gets(400, target("/caf\xc3\xa9")),
    "non-ASCII in the method": gets(400, line("G\xcbT /chat HTTP/1.1")),
    "non-ASCII in the version": gets(400, version("HTTP/1.\xb9")),
    "%zz": gets(400, target("/%zz")),
    "%4": gets(400, target("/%4")),
    "%": gets(400, target("/%")),
    "%%41": gets(400, target("/%%41")),
    "% in the query": gets(400, target("/?50%")),
    "%00": gets(101, target("/a%00b")),
    "%C3%a9": gets(101, target("/caf%C3%a9")),
    "/../": gets(101, target("/../../etc/passwd")),
    "line over the limit": gets(414, target(sized("/", 8193 - 13))),
    "line at the limit": gets(101, target(sized("/", 8192 - 13))),
    "line over the limit, unfinished": gets(414, sized("GET /", 8193).encode()),
    "method over the limit": gets(414, sized("GET", 8193).encode()),
    "two lines over the limit": gets(414, b"\r\n" + sized("GET /", 8193).encode()),
    "line far over the limit": gets(414, target(sized("/", 20000))),
    **{f"{c!r} in the target": gets(400, target(f"/a{c}b")) for c in CONTROLS},
    **{f"{c!r} in the method": gets(400, line(f"G{c} / HTTP/1.1")) for c in CONTROLS},
}

HOST = {
    "missing": gets(400, request(without=("Host",))),
    "twice the same": gets(400, header("Host: example.com")),
    "twice, another": gets(400, header("host: example.org")),
    "twice, one empty": gets(400, header("Host:")),
    "empty": gets(400, request(Host="")),
    "blanks": gets(400, request(Host=" \t ")),
    "userinfo": gets(400, request(Host="me@example.com")),
    "userinfo with a password": gets(400, request(Host="me:pw@example.com")),
    "path": gets(400, request(Host="example.com/chat")),
    "only a slash more": gets(400, request(Host="example.com/")),
    "comma": gets(400, request(Host="example.com,example.org")),
    "comma and space": gets(400, request(Host="example.com, example.org")),
    "inner space": gets(400, request(Host="example.com example.org")),
    "query": gets(400, request(Host="example.com?a")),
    "fragment": gets(400, request(Host="example.com#a")),
    "scheme": gets(400, request(Host="http://example.com")),
    "port with letters": gets(400, request(Host="example.com:http")),
    "port with a sign": gets(400, request(Host="example.com:+80")),
    "negative port": gets(400, request(Host="example.com:-80")),
    "port with an underscore": gets(400, request(Host="example.com:8_0")),
    "port over 65535": gets(400, request(Host="example.com:65536")),
    "port of 5000 digits": gets(400, request(Host="example.com:" + "0" * 5000)),
    "port with other digits": gets(400, request(Host="example.com:8\xb2")),
    "two ports": gets(400, request(Host="example.com:80:80")),
    "port alone": gets(400, request(Host=":80")),
    "Latin-1": gets(400, request(Host="ex\xe4mple.com")),
    "UTF-8": gets(400, request(Host="ex\xc3\xa4mple.com")),
    "%zz": gets(400, request(Host="ex%zzmple.com")),
    "IPv6 without brackets": gets(400, request(Host="::1")),
    "IPv6 unclosed": gets(400, request(Host="[::1")),
    "IPv6 unopened": gets(400, request(Host="::1]")),
    "IPv6, nothing in it": gets(400, request(Host="[]")),
    "IPv6 with a zone": gets(400, request(Host="[fe80::1%25eth0]")),
    "IPv6 with another zone": gets(400, request(Host="[fe80::1%eth0]")),
    "IPv6 of nine groups": gets(400, request(Host="[1:2:3:4:5:6:7:8:9]")),
    "IPv6 with a prefix length": gets(400, request(Host="[::1/64]")),
    "IPv6 with more behind it": gets(400, request(Host="[::1]x")),
    "IPv6 with a bad port": gets(400, request(Host="[::1]:http")),
    "IPv4 in brackets": gets(400, request(Host="[127.0.0.1]")),
    "port": gets(101, request(Host="example.com:8080")),
    "port 65535": gets(101, request(Host="example.com:65535")),
    "empty port": gets(101, request(Host="example.com:")),
    "IPv4": gets(101, request(Host="127.0.0.1:8080")),
    "IPv6": gets(101, request(Host="[::1]")),
    "IPv6 and a port": gets(101, request(Host="[::1]:8080")),
    "IPv6 with IPv4 in it": gets(101, request(Host="[::ffff:127.0.0.1]")),
    "A-label": gets(101, request(Host="xn--exmple-cua.com")),
    "percent-encoded": gets(101, request(Host="ex%C3%A4mple.com")),
    "underscore": gets(101, request(Host="a_b")),
    "name in capitals": gets(101, request(without=("Host",), extra=("HOST: a",))),
    "surrounding blanks": gets(101, request(Host=" \texample.com \t")),
}

FIELDS = {
    "folded": gets(400, header("A: b\r\n c")),
    "folded with a tab": gets(400, header("A: b\r\n\tc")),
    "folded, with a colon": gets(400, header("A: b\r\n c: d")),
    "folded, the last line of all": gets(400, header(" ")),
    "space before the first header": gets(400, request().replace(b"\r\n", b"\r\n ", 1)),
    "tab before the first header": gets(400, request().replace(b"\r\n", b"\r\n\t", 1)),
    "space before the colon": gets(400, header("A : b")),
    "tab before the colon": gets(400, header("A\t: b")),
    "space in a name": gets(400, header("A B: c")),
    "no colon": gets(400, header("A")),
    "no colon, a value": gets(400, header("A b")),
    "empty name": gets(400, header(": b")),
    "colon alone": gets(400, header(":")),
    "separator in a name": gets(400, header("A(B): c")),
    "non-ASCII in a name": gets(400, header("\xc4: b")),
    "UTF-8 in a name": gets(400, header("\xc3\xa4: b")),
    "bare CR in a value": gets(400, header("A: b\rc")),
    "bare CR in a name": gets(400, header("A\rB: c")),
    "bare CR at the beginning": gets(400, header("\rA: b")),
    "two CR before the LF": gets(400, header("A: b\r")),
    "no space before the value": gets(101, header("A:b")),
    "empty value": gets(101, header("A:")),
    "tab in a value": gets(101, header("A: b\tc")),
    "colons in a value": gets(101, header("A: b:c::")),
    "every token character": gets(101, header("!#$%&'*+-.^_`|~09azAZ: b")),
    "Latin-1 in a value": gets(101, header("A: caf\xe9")),
    "UTF-8 in a value": gets(101, header("A: caf\xc3\xa9")),
    "bad UTF-8 in a value": gets(101, header("A: \xff\xfe\xc0\x80\xed\xa0\x80")),
    "C1 controls in a value": gets(101, header("A: \x80\x85\x9f\xa0")),
    "bare LF after the request line": gets(400, request().replace(b"\r\n", b"\n", 1)),
    "bare LF after a header": gets(400, header("A: b\nB: c")),
    "bare LF at the end": gets(400, request()[:-2] + b"\n"),
    "bare LF everywhere": gets(400, request().replace(b"\r\n", b"\n")),
    "bare LF before the request": gets(400, b"\n" + request()),
    "LF CR": gets(400, request().replace(b"\r\n", b"\n\r")),
    "bare CR after the request line": gets(400, request().replace(b"\r\n", b"\r", 1)),
    "bare CR before a control character": gets(400, b"GET /\r \0"),
    "bare CR behind a control character": gets(400, b"GET /\0 \r "),
    "bare CR at the end": gets(400, request()[:-2] + b"\rX"),
    "bare CR everywhere": gets(400, request().replace(b"\r\n", b"\r")),
    "bare CR before the request": gets(400, b"\r" + request()),
    "no headers": gets(400, b"GET /chat HTTP/1.1\r\n\r\n"),
    "one empty line before it": gets(101, b"\r\n" + request()),
    "two empty lines before it": gets(400, b"\r\n\r\n" + request()),
    "blank line before it": gets(400, b" \r\n" + request()),
    "TLS hello": gets(400, bytes.fromhex("16030100f5010000f10303")),
    "old TLS hello": gets(400, bytes.fromhex("802e0100020015")),
    "HTTP/2 preface": gets(400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "binary": gets(400, bytes(range(256))),
    "a masked frame": gets(400, bytes.fromhex("818537fa213d7f9f4d5158")),
    "BOM": gets(400, b"\xef\xbb\xbf" + request()),
    "UTF-16": gets(400, "GET / HTTP/1.1\r\n\r\n".encode("utf-16-le")),
    "a line at the limit": gets(101, header(sized("A: ", 8192))),
    "a line over the limit": gets(431, header(sized("A: ", 8193))),
    "a line over the limit, unfinished": gets(
        431, request()[:-2] + sized("A: ", 8193).encode()
    ),
    "a name over the limit": gets(431, request()[:-2] + sized("A", 8193).encode()),
    "a line far over the limit": gets(431, header(sized("A: ", 20000))),
    "100 headers": gets(101, request(extra=("A: b",) * 95)),
    "101 headers": gets(431, request(extra=("A: b",) * 96)),
    "101 headers, the last malformed": gets(431, request(extra=(*("A: b",) * 95, "A"))),
    "16 KiB in all": gets(101, in_all(16384)),
    "a byte over 16 KiB in all": gets(431, in_all(16385)),
    "16 KiB without an end": gets(431, in_all(16386)[:-2]),
    "16 KiB with an empty line before": gets(101, b"\r\n" + in_all(16382)),
    "over 16 KiB with an empty line before": gets(431, b"\r\n" + in_all(16383)),
    **{f"{c!r} in a name": gets(400, header(f"A{c}: b")) for c in CONTROLS},
    **{f"{c!r} in a value": gets(400, header(f"A: b{c}c")) for c in CONTROLS},
}


@pytest.mark.parametrize("row", REQUEST_LINE.values(), ids=REQUEST_LINE)
def test_request_line(row: Row) -> None:
    """RFC 9112, sections 2.3 and 3."""
    assert_answer(row)


@pytest.mark.parametrize("row", HOST.values(), ids=HOST)
def test_host(row: Row) -> None:
    """RFC 9112, section 3.2: one Host, and a valid one."""
    assert_answer(row)


@pytest.mark.parametrize("row", FIELDS.values(), ids=FIELDS)
def test_fields(row: Row) -> None:
    """RFC 9112, sections 2.2 and 5, and the limits."""
    assert_answer(row)


def test_head_is_refused_without_a_body() -> None:
    """RFC 9110, section 9.3.2; the length is that of what is left out."""
    result = same_outcome(line("HEAD /chat HTTP/1.1"), answer)
    post = answer([line("POST /chat HTTP/1.1")])
    assert result is not None and post is not None
    assert result == post._replace(body="")


EARLY = {
    "a TLS hello, by its first byte": (b"\x16", 400),
    "binary, by its first byte": (b"\x00", 400),
    "a BOM, by its first byte": (b"\xef", 400),
    "non-ASCII in an unfinished target": (b"GET /\xff", 400),
    "a control character in an unfinished method": (b"G\x07", 400),
    "a bare CR in an unfinished target": (b"GET /\rA", 400),
    "a bare CR in an unfinished header": (b"GET / HTTP/1.1\r\nA\rB", 400),
    "an HTTP/2 preface, by its first line": (b"PRI * HTTP/2.0\r\n", 400),
    "a method, by its line": (b"POST / HTTP/1.1\r\n", 405),
    "a version, by its line": (b"GET / HTTP/1.0\r\n", 505),
    "a name, by its line": (b"GET / HTTP/1.1\r\nA B: c\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n", 400),
    "the 101st header": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101, 431),
}


@pytest.mark.parametrize(("data", "status"), EARLY.values(), ids=EARLY)
def test_refused_at_once(data: bytes, status: int) -> None:
    """What cannot become valid is refused by the byte that shows it, not later."""
    result = answer([data])
    assert answer([data[:-1]]) is None
    assert result is not None and result.status == status


@pytest.mark.parametrize(
    ("begin", "status"), [(b"", 414), (b"\r\n", 414), (b"GET / HTTP/1.1\r\n", 431)]
)
def test_endless_line(begin: bytes, status: int) -> None:
    """A line is refused by its first byte over the limit, without its end."""
    data = begin + b"a" * 8192
    assert answer([data]) is None
    assert answer([data, b"\r"]) is None
    result = answer([data, b"a"])
    assert result is not None and result.status == status


def test_one_byte_too_long_and_no_cr() -> None:
    """The limit is met before the end that is wrong, however it is cut."""
    outcome = partial(answer, max_line_size=20)
    result = same_outcome(b"GET /" + b"x" * 16 + b"\n", outcome)
    assert result is not None and result.status == 414


def test_endless_headers() -> None:
    """Nothing is taken over the limit of all bytes together."""
    data = in_all(20000)
    assert answer([data[:16382]]) is None
    result = answer([data[:16383]])
    assert result is not None and result.status == 431


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"max_line_size": 46}, 101),  # Sec-WebSocket-Key's
        ({"max_line_size": 42}, 431),
        ({"max_line_size": 18}, 431),  # the request line's
        ({"max_line_size": 17}, 414),
        ({"max_header_lines": 5}, 101),
        ({"max_header_lines": 4}, 431),
        ({"max_header_lines": 0}, 431),
        ({"max_request_size": len(request())}, 101),
        ({"max_request_size": len(request()) - 1}, 431),
        ({"max_request_size": len(request()) - 2}, 431),
        ({"max_request_size": 20}, 431),
        ({"max_request_size": 19}, 414),
        ({"max_request_size": 1}, 414),
    ],
)
def test_limits(limits: dict[str, int], status: int) -> None:
    """Each limit, exactly met and missed by one."""
    assert_answer(gets(status, request()), **limits)


def test_no_room_left() -> None:
    """Lines that fill all the room leave none to look at, wherever they are cut."""
    full = b"GET / HTTP/1.1\r\nA: b\r\n"
    for behind in (b"A\rB\r\n", b"\r\n", b"\n", b"\0"):
        assert_answer(gets(431, full + behind), max_request_size=len(full))


@pytest.mark.parametrize("behind", [b"\x81\x80abcd", b"\r\n", request(), b"\xff" * 99])
def test_rest(behind: bytes) -> None:
    """What comes behind the request is handed on, whatever it is."""
    result = same_outcome(request() + behind, answer)
    assert result is not None
    assert (result.status, result.rest) == (101, behind)


def test_rest_is_not_limited() -> None:
    """Bytes behind the request don't count as its own."""
    behind = b"a" * 100_000
    result = answer([request() + behind])
    assert result is not None and result.rest == behind


def test_cut_off() -> None:
    """A request that is not all there has no answer, and needs no byte more."""
    data = b"\r\n" + request()
    assert [answer([data[:end]]) for end in range(len(data))] == [None] * len(data)
    assert answer([b"", data[:9], b"", data[9:], b""]) is not None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/chat", "/chat", ""),
        ("/chat?", "/chat", ""),
        ("/chat?a=b&c", "/chat", "a=b&c"),
        ("/chat?a?b", "/chat", "a?b"),
        ("/a%00b%2F?%00", "/a%00b%2F", "%00"),
        ("/../a/./b", "/../a/./b", ""),
        ("//a/b", "//a/b", ""),
        ("/?http://b/c", "/", "http://b/c"),
        ("http://example.com", "/", ""),
        ("ws://example.com?a", "/", "a"),
        ("ws://example.com?a/b", "/", "a/b"),
        ("ws://example.com/a//b?c//d", "/a//b", "c//d"),
    ],
)
def test_target(target: str, path: str, query: str) -> None:
    """The path and the query are handed on as they came."""
    result = parse(request(f"GET {target} HTTP/1.1"))
    assert (result.path, result.query) == (path, query)


def test_method_is_known_early() -> None:
    """The answer to a HEAD depends on it."""
    parser = RequestParser(**LIMITS)
    assert parser.method == ""
    with pytest.raises(HandshakeError):
        parser.receive(b"HEAD / HTTP/1.1\r\n")
    assert parser.method == "HEAD"


def test_headers_are_kept_as_they_came() -> None:
    """Each byte of a value is one character; only blanks around it go."""
    extra = ("A:  caf\xe9\xff \t", "a:b", "B:")
    result = parse(request(extra=extra))
    assert list(result.headers)[-3:] == [("A", "caf\xe9\xff"), ("a", "b"), ("B", "")]


def test_no_expression_backtracks() -> None:
    """Where there is no regular expression, none can."""
    for module in (headers, request_module, handshake):
        assert "re" not in vars(module)


class TestRequest:
    """What the application sees."""

    def test_origin(self) -> None:
        """RFC 6455, section 10.2."""
        assert Request("/").origin is None
        assert Request("/", headers=Headers([("origin", "null")])).origin == "null"

    def test_subprotocols(self) -> None:
        """In the client's order, over all lines."""
        name = "Sec-WebSocket-Protocol"
        offers = Headers([(name, "chat,, v2"), ("A", "b"), (name.lower(), " v1\t")])
        assert Request("/", headers=offers).subprotocols == ("chat", "v2", "v1")
        assert Request("/").subprotocols == ()

    def test_frozen(self) -> None:
        """It is what came, and stays so."""
        with pytest.raises(FrozenInstanceError):
            Request("/").path = "/other"  # type: ignore[misc]


PIECES = [bytes([c]) for c in b'\r\n \t:,;="\\%/[]@#?\0\xff']
PIECES += [b"\r\n", b"\r\n ", b"\r\n\r\n", b"A: b\r\n", b"GET ", b"HTTP/1.1"]
VALID = [
    request(),
    b"\r\n" + request("GET ws://[::1]:80/?a=%20 HTTP/1.1", Host="[::1]:80"),
    request(extra=("Origin: null", 'Sec-WebSocket-Extensions: a; b="c", d')),
    request(extra=("Sec-WebSocket-Protocol: a, b", "Content-Length: 0")) + b"rest",
]


@st.composite
def nearly_valid(draw: st.DrawFn) -> bytes:
    """A valid request, in which up to three places were replaced."""
    data = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3))
        data = data[:start] + piece + data[start + draw(st.integers(0, 4)) :]
    return data


anything = st.binary(max_size=300) | nearly_valid()
small_limits = st.fixed_dictionaries(
    {
        "max_line_size": st.integers(1, 60),
        "max_header_lines": st.integers(1, 7),
        "max_request_size": st.integers(2, 250),
    }
)


@settings(deadline=None, max_examples=300)
@given(anything, st.just(LIMITS) | small_limits)
def test_documented_outcomes_only(data: bytes, limits: dict[str, int]) -> None:
    """Any bytes are not enough, or a request, or refused with a known status."""
    parser = RequestParser(**limits)
    try:
        result = parser.receive(data)
    except HandshakeError as error:
        assert error.status in STATUSES
        assert error.reason.isascii() and error.reason.isprintable()
    else:
        assert result is None or data.endswith(parser.rest)
        assert result is None or result.path.startswith("/")


@settings(deadline=None, max_examples=300)
@given(anything, st.just(LIMITS) | small_limits, st.data())
def test_any_split(data: bytes, limits: dict[str, int], further: st.DataObject) -> None:
    """However the bytes are cut, the answer is the same."""
    outcome = partial(answer, **limits)
    whole = same_outcome(data, outcome)
    cuts = further.draw(st.lists(st.integers(0, len(data)), max_size=9))
    marks = [0, *sorted(cuts), len(data)]
    assert outcome(data[i:j] for i, j in pairwise(marks)) == whole
