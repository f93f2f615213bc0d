"""The rules of the opening handshake (RFC 6455, section 4), and the answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import (
    ACCEPT,
    KEY,
    Row,
    answer,
    assert_answer,
    gets,
    parse,
    parse_answer,
    request,
    same_outcome,
)
from txws_simple.errors import HandshakeError
from txws_simple.handshake import Response, accept, check, choose_subprotocol
from txws_simple.headers import Headers
from txws_simple.request import Request

VERSION = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
SERVED = ("v2", "v1")


def other_digits(text: str) -> str:
    """UTF-8, as a request carries it in Latin-1."""
    return text.encode().decode("latin-1")


def upgrade(value: str, *extra: str) -> bytes:
    """A request with another Upgrade."""
    return request(Upgrade=value, extra=extra)


def connection(value: str, *extra: str) -> bytes:
    """A request with another Connection."""
    return request(Connection=value, extra=extra)


def key(value: str) -> bytes:
    """A request with another key."""
    return request(Sec_WebSocket_Key=value)


def version(value: str) -> bytes:
    """A request with another version."""
    return request(Sec_WebSocket_Version=value)


def length(value: str) -> bytes:
    """A request with a Content-Length."""
    return request(Content_Length=value)


def with_line(*lines: str) -> bytes:
    """A request with more header lines."""
    return request(extra=lines)


def offers(*values: str) -> bytes:
    """A request with a line of subprotocols for each value."""
    return with_line(*(f"Sec-WebSocket-Protocol: {value}" for value in values))


def extends(*values: str) -> bytes:
    """A request with a line of extensions for each value."""
    return with_line(*(f"Sec-WebSocket-Extensions: {value}" for value in values))


UPGRADE = {
    "missing": gets(426, request(without=("Upgrade",)), Upgrade="websocket"),
    "empty": gets(426, upgrade(""), Upgrade="websocket"),
    "commas": gets(426, upgrade(",, ,"), Upgrade="websocket"),
    "without the token": gets(426, upgrade("h2c"), Upgrade="websocket"),
    "websockets": gets(426, upgrade("websockets"), Upgrade="websocket"),
    "web-socket": gets(426, upgrade("web-socket"), Upgrade="websocket"),
    "websocket/13": gets(426, upgrade("websocket/13"), Upgrade="websocket"),
    "plain request": gets(
        426, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Upgrade="websocket"
    ),
    "WebSocket": gets(101, upgrade("WebSocket")),
    "WEBSOCKET": gets(101, upgrade("WEBSOCKET")),
    "h2c, websocket": gets(101, upgrade("h2c, websocket")),
    "with a version of another": gets(101, upgrade("HTTP/2.0,websocket")),
    "empty elements": gets(101, upgrade(",, websocket ,")),
    "two lines": gets(101, upgrade("h2c", "Upgrade: websocket")),
    "two lines, the other way": gets(101, upgrade("websocket", "upgrade: h2c")),
    "quoted": gets(400, upgrade('"websocket"')),
    "long s": gets(400, upgrade(other_digits("web\u017focket"))),
    "Kelvin sign": gets(400, upgrade(other_digits("websoc\u212aet"))),
    "no-break space": gets(400, upgrade("websocket\xa0")),
    "space-separated": gets(400, upgrade("h2c websocket")),
    "version missing behind a slash": gets(400, upgrade("h2c/, websocket")),
    "name missing before a slash": gets(400, upgrade("/2, websocket")),
    "two slashes": gets(400, upgrade("a/b/c, websocket")),
    "parameter": gets(400, upgrade("websocket;a=b")),
}

CONNECTION = {
    "keep-alive, Upgrade": gets(101, connection("keep-alive, Upgrade")),
    "without a space": gets(101, connection("keep-alive,Upgrade")),
    "two lines": gets(101, connection("keep-alive", "Connection: Upgrade")),
    "two lines, the other way": gets(
        101, connection("Upgrade", "connection: keep-alive")
    ),
    "uPGRADE": gets(101, connection("uPGRADE")),
    ",, Upgrade ,": gets(101, connection(",, Upgrade ,")),
    "tabs": gets(101, connection("a\t,\tUpgrade")),
    "missing": gets(400, request(without=("Connection",))),
    "empty": gets(400, connection("")),
    "keep-alive": gets(400, connection("keep-alive")),
    "close": gets(400, connection("close")),
    "Upgradex": gets(400, connection("Upgradex")),
    "no-upgrade": gets(400, connection("no-upgrade")),
    "quoted": gets(400, connection('"Upgrade"')),
    "one quoted of two": gets(400, connection('"a", Upgrade')),
    "no-break space": gets(400, connection("keep-alive, \xa0Upgrade")),
    "space-separated": gets(400, connection("keep-alive Upgrade")),
    "semicolon-separated": gets(400, connection("keep-alive; Upgrade")),
}

KEYS = {
    "empty": gets(400, key("")),
    "15 bytes": gets(400, key("AQIDBAUGBwgJCgsMDQ4P")),
    "17 bytes": gets(400, key("AQIDBAUGBwgJCgsMDQ4PEBE=")),
    "18 bytes": gets(400, key("AQIDBAUGBwgJCgsMDQ4PEBES")),
    "unpadded": gets(400, key(KEY[:-2])),
    "half padded": gets(400, key(KEY[:-1])),
    "padded too far": gets(400, key(KEY + "=")),
    "padding in the middle": gets(400, key("dGhlIHNhbXB=ZSBub25jZQ==")),
    "URL-safe alphabet": gets(400, key("dGhl-HNh_XBsZSBub25jZQ==")),
    "URL-safe alphabet, the last digit": gets(400, key(KEY[:-3] + "-==")),
    "inner space": gets(400, key("dGhlIHNhbXBs ZSBub25jZQ==")),
    "inner space, right length": gets(400, key("dGhlIHNhbXB ZSBub25jZQ==")),
    "trailing junk": gets(400, key(KEY + "x")),
    "trailing comma": gets(400, key(KEY + ",")),
    "quoted": gets(400, key(f'"{KEY}"')),
    "non-ASCII": gets(400, key("\xe9" + KEY[1:])),
    "8 kB": gets(400, key("A" * 8000)),
    "8 kB, padded": gets(400, key("A" * 7998 + "==")),
    "missing": gets(400, request(without=("Sec-WebSocket-Key",))),
    "twice the same": gets(400, with_line(f"Sec-WebSocket-Key: {KEY}")),
    "twice, one empty": gets(400, with_line("sec-websocket-key:")),
    "underscores in the name": gets(
        400,
        request(without=("Sec-WebSocket-Key",), extra=(f"Sec_WebSocket_Key: {KEY}",)),
    ),
    "underscores in another name": gets(101, with_line("Sec_WebSocket_Key: x")),
    "non-canonical last bits": gets(
        101, key(KEY[:-3] + "R=="), Sec_WebSocket_Accept="Zgw8jYXtqX5qJr7MJ1Q/MqzeSRI="
    ),
    "surrounding blanks": gets(101, key(f" \t{KEY}\t ")),
    "all of the alphabet": gets(
        101,
        key("+/09azAZ+/09azAZ09az+w=="),
        Sec_WebSocket_Accept="BN67E4C53YWfzHxvSMdhSpVux8M=",
    ),
}

VERSIONS = {
    "missing": gets(426, request(without=("Sec-WebSocket-Version",)), **VERSION),
    "8": gets(426, version("8"), **VERSION),
    "12": gets(426, version("12"), **VERSION),
    "14": gets(426, version("14"), **VERSION),
    "empty": gets(426, version(""), **VERSION),
    "013": gets(426, version("013"), **VERSION),
    "+13": gets(426, version("+13"), **VERSION),
    "-13": gets(426, version("-13"), **VERSION),
    "13.0": gets(426, version("13.0"), **VERSION),
    "1_3": gets(426, version("1_3"), **VERSION),
    "1 3": gets(426, version("1 3"), **VERSION),
    "0xd": gets(426, version("0xd"), **VERSION),
    "quoted": gets(426, version('"13"'), **VERSION),
    "Arabic digits": gets(426, version(other_digits("\u0661\u0663")), **VERSION),
    "wide digits": gets(426, version(other_digits("\uff11\uff13")), **VERSION),
    "superscript digits": gets(426, version("\xb9\xb3"), **VERSION),
    "no-break space": gets(426, version("13\xa0"), **VERSION),
    "5000 digits": gets(426, version("0" * 4998 + "13"), **VERSION),
    "surrounding blanks": gets(101, version("\t 13 \t")),
    "twice": gets(400, with_line("Sec-WebSocket-Version: 8")),
    "twice the same": gets(400, with_line("sec-websocket-version: 13")),
    "13, 8": gets(400, version("13, 8")),
    "13, 13": gets(400, version("13, 13")),
    "13 and a comma": gets(400, version("13,")),
}

BODY = {
    "length 0": gets(101, length("0")),
    "another length": gets(400, length("5") + b"hello"),
    "length 1, nothing there": gets(400, length("1")),
    "huge": gets(400, length("9" * 5000)),
    "empty": gets(400, length("")),
    "00": gets(400, length("00")),
    "negative": gets(400, length("-1")),
    "negative zero": gets(400, length("-0")),
    "signed": gets(400, length("+0")),
    "underscored": gets(400, length("0_0")),
    "fraction": gets(400, length("0.0")),
    "hexadecimal": gets(400, length("0x0")),
    "letters": gets(400, length("none")),
    "other digits": gets(400, length(other_digits("\u0660"))),
    "list": gets(400, length("0, 0")),
    "two different": gets(400, with_line("Content-Length: 0", "Content-Length: 5")),
    "two the same": gets(400, with_line("Content-Length: 0", "content-length: 0")),
    "chunked": gets(400, with_line("Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    "identity": gets(400, with_line("Transfer-Encoding: identity")),
    "empty coding": gets(400, with_line("transfer-encoding:")),
    "coding and length 0": gets(
        400, with_line("Content-Length: 0", "Transfer-Encoding: gzip")
    ),
    "100-continue": gets(101, with_line("Expect: 100-continue")),
}

SUBPROTOCOLS = {
    "first of ours": gets(101, offers("v1, v2"), Sec_WebSocket_Protocol="v2"),
    "the other": gets(101, offers("v0, v1"), Sec_WebSocket_Protocol="v1"),
    "two lines": gets(101, offers("v1", "v2"), Sec_WebSocket_Protocol="v2"),
    "empty elements": gets(101, offers(",, v1 ,"), Sec_WebSocket_Protocol="v1"),
    "none in common": gets(101, offers("v3, v4")),
    "other case": gets(101, offers("V1")),
    "two cases": gets(101, offers("V1, v1"), Sec_WebSocket_Protocol="v1"),
    "none offered": gets(101, request()),
    "empty": gets(400, offers("")),
    "commas": gets(400, offers(", ,")),
    "space": gets(400, offers("v1 v2")),
    "quoted": gets(400, offers('"v1"')),
    "slash": gets(400, offers("v1, a/b")),
    "parameter": gets(400, offers("v1;a=b")),
    "Latin-1": gets(400, offers("v1, caf\xe9")),
    "UTF-8": gets(400, offers(other_digits("v1, caf\xe9"))),
    "twice the same": gets(400, offers("v1, v1")),
    "twice the same, apart": gets(400, offers("v1, v2, v1")),
    "twice the same, on two lines": gets(400, offers("v1", "v1")),
    "one that is not ours, twice": gets(400, offers("v3, v3")),
    "8 kB": gets(101, offers(",".join(map(str, range(1500))))),
}

EXTENSIONS = {
    "offered": gets(101, extends("permessage-deflate")),
    "parameters": gets(101, extends("a; b; c=1; d=e")),
    "browser": gets(101, extends("permessage-deflate; client_max_window_bits")),
    "several": gets(101, extends("a, b; c, d")),
    "two lines": gets(101, extends("a", "b; c")),
    "the same twice": gets(101, extends("a; b, a")),
    "quoted token": gets(101, extends('a; b="c"')),
    "quoted pair": gets(101, extends('a; b="\\c\\d"')),
    "blanks": gets(101, extends("a ; b = c ;\td")),
    "empty elements": gets(101, extends(",a,, b,")),
    "empty": gets(400, extends("")),
    "commas": gets(400, extends(",,")),
    "no name": gets(400, extends("; a=b")),
    "name is no token": gets(400, extends("a/b")),
    "two names": gets(400, extends("a b")),
    "name with a value": gets(400, extends("a=b")),
    "empty parameter": gets(400, extends("a;")),
    "empty parameter between": gets(400, extends("a;;b")),
    "parameter without a name": gets(400, extends("a; =b")),
    "parameter without a value": gets(400, extends("a; b=")),
    "two equals signs": gets(400, extends("a; b=c=d")),
    "two parameters without a semicolon": gets(400, extends("a; b c")),
    "non-ASCII": gets(400, extends("a; b=\xe9")),
    "quoted name": gets(400, extends('"a"')),
    "nothing quoted": gets(400, extends('a; b=""')),
    "quoted separator": gets(400, extends('a; b="c d"')),
    "quoted comma": gets(400, extends('a; b="c,d"')),
    "quoted semicolon": gets(400, extends('a; b="c;d"')),
    "escaped comma": gets(400, extends('a; b="c\\,d"')),
    "escaped quote": gets(400, extends('a; b="c\\"d"')),
    "escaped end": gets(400, extends('a; b="c\\"')),
    "inner quote": gets(400, extends('a; b="c"d"')),
    "quote unclosed": gets(400, extends('a; b="cd')),
    "quote alone": gets(400, extends('a; b="')),
    "quote unopened": gets(400, extends('a; b=c"')),
    "more behind the quotes": gets(400, extends('a; b="c"d')),
    "one of two malformed": gets(400, extends("a, b;")),
    "one of two lines malformed": gets(400, extends("a", "b;")),
    "capitals": gets(101, extends("X; X=X; X")),
    "a name behind another blank": gets(400, extends("a;\xa0b")),
    "a parameter before another blank": gets(400, extends("a; b\xa0=c")),
    "a value behind another blank": gets(400, extends("a; b=\xa0c")),
    "8 kB, well formed": gets(101, extends("a" + ";b=c" * 2000)),
    "8 kB of semicolons": gets(400, extends("a" + ";" * 8000)),
    "8 kB of quotes": gets(400, extends("a; b=" + '"' * 8000)),
    "8 kB of backslashes": gets(400, extends('a; b="' + "\\" * 8000 + '"')),
    "8 kB of blanks": gets(400, extends("a" + " " * 8000 + "b")),
    "8 kB of equals signs": gets(400, extends("a; b" + "=" * 8000)),
    "8 kB unclosed": gets(400, extends('a; b="' + "\\c" * 4000)),
}


@pytest.mark.parametrize("row", UPGRADE.values(), ids=UPGRADE)
def test_upgrade(row: Row) -> None:
    """RFC 6455, section 4.2.1, point 3; RFC 9110, section 7.8."""
    assert_answer(row)


@pytest.mark.parametrize("row", CONNECTION.values(), ids=CONNECTION)
def test_connection(row: Row) -> None:
    """RFC 6455, section 4.2.1, point 4."""
    assert_answer(row)


@pytest.mark.parametrize("row", KEYS.values(), ids=KEYS)
def test_key(row: Row) -> None:
    """RFC 6455, section 4.2.1, point 5: 16 bytes in base64."""
    assert_answer(row)


@pytest.mark.parametrize("row", VERSIONS.values(), ids=VERSIONS)
def test_version(row: Row) -> None:
    """RFC 6455, sections 4.2.1, point 6, and 4.4: the two bytes 13."""
    assert_answer(row)


@pytest.mark.parametrize("row", BODY.values(), ids=BODY)
def test_body(row: Row) -> None:
    """A request that has a body, or may have, is refused."""
    assert_answer(row)


@pytest.mark.parametrize("row", SUBPROTOCOLS.values(), ids=SUBPROTOCOLS)
def test_subprotocols(row: Row) -> None:
    """RFC 6455, sections 4.1, point 10, and 4.2.2."""
    assert_answer(row, subprotocols=SERVED)


@pytest.mark.parametrize("row", EXTENSIONS.values(), ids=EXTENSIONS)
def test_extensions(row: Row) -> None:
    """RFC 6455, section 9.1; none is accepted."""
    assert_answer(row)


OURS = ("https://example.com", "http://localhost:8080")
ORIGINS = {
    "ours": (with_line("Origin: https://example.com"), 101),
    "the other of ours": (with_line("origin: http://localhost:8080 "), 101),
    "null": (with_line("Origin: null"), 403),
    "missing": (request(), 403),
    "empty": (with_line("Origin:"), 403),
    "another": (with_line("Origin: https://example.org"), 403),
    "another scheme": (with_line("Origin: http://example.com"), 403),
    "another port": (with_line("Origin: https://example.com:8443"), 403),
    "capitals": (with_line("Origin: HTTPS://EXAMPLE.COM"), 403),
    "path": (with_line("Origin: https://example.com/"), 403),
    "prefix": (with_line("Origin: https://example.com.evil"), 403),
    "suffix": (with_line("Origin: https://evil-https://example.com"), 403),
    "subdomain": (with_line("Origin: https://an.example.com"), 403),
    "part": (with_line("Origin: https://example.co"), 403),
    "userinfo": (with_line("Origin: https://example.com@evil"), 403),
    "list": (with_line("Origin: https://example.com, https://evil"), 403),
    "two in one": (with_line("Origin: https://example.com https://evil"), 403),
    "non-ASCII": (with_line("Origin: https://example.com\xa0"), 403),
    "twice": (with_line("Origin: https://example.com", "Origin: https://evil"), 400),
    "twice the same": (with_line(*["Origin: https://example.com"] * 2), 400),
}


@pytest.mark.parametrize(("data", "status"), ORIGINS.values(), ids=ORIGINS)
def test_origin(data: bytes, status: int) -> None:
    """RFC 6455, section 10.2: one of the list, byte for byte."""
    assert_answer(gets(status, data), origins=OURS)


@pytest.mark.parametrize(("data", "status"), ORIGINS.values(), ids=ORIGINS)
def test_any_origin(data: bytes, status: int) -> None:
    """Where no list is set, any may connect, but not two at once."""
    assert_answer(gets(101 if status == 403 else status, data))


def test_no_origin_and_null() -> None:
    """An empty list allows none; null only where it is named."""
    null = with_line("Origin: null")
    assert_answer(gets(403, null), origins=())
    assert_answer(gets(101, null), origins=("null",))
    assert_answer(gets(403, request()), origins=("null", ""))


def test_expect_gets_no_100() -> None:
    """The one answer to a request that expects a 100 is the 101."""
    data = with_line("Expect: 100-continue")
    assert answer([data[:-1]]) is None
    assert answer([data]) == answer([request()])


def test_second_request() -> None:
    """It is no request any more, but what comes behind the first."""
    result = same_outcome(request() + request(), answer)
    assert result is not None
    assert (result.status, result.rest) == (101, request())


WORD = "Xyzzy"
TOLD = {
    "method": request(f"{WORD} /chat HTTP/1.1"),
    "malformed method": request(f"({WORD} /chat HTTP/1.1"),
    "target": request(f"GET {WORD} HTTP/1.1"),
    "fragment": request(f"GET /#{WORD} HTTP/1.1"),
    "percent-encoding": request(f"GET /%{WORD} HTTP/1.1"),
    "other host": request(f"GET http://{WORD}/ HTTP/1.1"),
    "version": request(f"GET / {WORD}"),
    "control character": request(f"GET /{WORD}\0 HTTP/1.1"),
    "long line": request(f"GET /{WORD * 2000} HTTP/1.1"),
    "long header": with_line(WORD * 2000),
    "name": with_line(f"{WORD} : a"),
    "value": with_line(f"A: {WORD}\0"),
    "bare CR": with_line(f"{WORD}\r{WORD}"),
    "Host": request(Host=f"{WORD}/"),
    "Upgrade": upgrade(WORD),
    "malformed Upgrade": upgrade(f'"{WORD}"'),
    "Connection": connection(WORD),
    "key": key(WORD),
    "Sec-WebSocket-Version": version(WORD),
    "Content-Length": length(WORD),
    "Transfer-Encoding": with_line(f"Transfer-Encoding: {WORD}"),
    "subprotocol": offers(f"({WORD}"),
    "subprotocol twice": offers(WORD, WORD),
    "extension": extends(f"{WORD};"),
    "origin": with_line(f"Origin: {WORD}"),
    "origin twice": with_line(f"Origin: {WORD}", f"ORIGIN: {WORD}"),
}


@pytest.mark.parametrize("data", TOLD.values(), ids=TOLD)
def test_refusal_repeats_nothing(data: bytes) -> None:
    """What a client made up does not come back to it, or to somebody else."""
    result = answer([data], origins=OURS)
    assert result is not None and result.status != 101
    assert WORD.lower() not in str(result).lower()


REASONS = {
    "request has a body": length("1"),
    "malformed Upgrade": upgrade("(websocket"),
    "this is a WebSocket": upgrade("h2c"),
    "Connection is not Upgrade": connection("close"),
    "more than one Sec-WebSocket-Version": version("13, 8"),
    "Sec-WebSocket-Version is not 13": version("8"),
    "Sec-WebSocket-Key is not 16 bytes in base64": key("a"),
    "more than one Sec-WebSocket-Key": with_line(f"Sec-WebSocket-Key: {KEY}"),
    "malformed Sec-WebSocket-Protocol": offers("("),
    "subprotocol offered twice": offers("a", "a"),
    "malformed Sec-WebSocket-Extensions": extends("a;"),
    "more than one Origin": with_line("Origin: null", "Origin: null"),
    "origin is not allowed": with_line("Origin: null"),
}


@pytest.mark.parametrize(("reason", "data"), REASONS.items(), ids=REASONS)
def test_a_refusal_says_why(reason: str, data: bytes) -> None:
    """To whoever looks at the response of a client that does not get in."""
    refused = answer([data], origins=OURS)
    assert refused is not None and refused.body == f"{reason}\n"


def test_accept() -> None:
    """RFC 6455, section 1.3, byte for byte."""
    assert accept(sample(), None) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_accept_with_more() -> None:
    """The subprotocol, then what the application adds, Latin-1 as it is."""
    raw = accept(sample(), "chat", [("Set-Cookie", "a=\xe9"), ("Set-Cookie", "b")])
    assert raw.endswith(
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"Set-Cookie: a=\xe9\r\n"
        b"Set-Cookie: b\r\n"
        b"\r\n"
    )


def sample(**fields: str) -> Request:
    """The valid request, but for some fields, as it was parsed."""
    return parse(request(**fields))


@pytest.mark.parametrize(
    ("ours", "chosen"),
    [
        (("a", "b", "c"), "b"),
        (("c", "b"), "c"),
        (("C", "b"), "b"),
        (("a",), None),
        ((), None),
    ],
)
def test_choose_subprotocol(ours: tuple[str, ...], chosen: str | None) -> None:
    """The server's order decides, whatever the client's."""
    assert choose_subprotocol(sample(Sec_WebSocket_Protocol="b, c"), ours) == chosen


def test_choose_none_of_none() -> None:
    """Where nothing is offered, nothing is chosen."""
    assert choose_subprotocol(sample(), ("a", "")) is None


class TestResponse:
    """What an application may answer."""

    def test_accepts(self) -> None:
        """A 101 accepts, anything else refuses."""
        assert Response().accepts
        assert Response(101, [("A", "b")]).accepts
        assert not Response(200).accepts

    @pytest.mark.parametrize("status", [-1, 0, 100, 102, 199, 600, 1101])
    def test_bad_status(self, status: int) -> None:
        """A status that ends no request, or none at all."""
        with pytest.raises(ValueError, match="is no status"):
            Response(status)

    @pytest.mark.parametrize("status", [200, 299, 404, 599])
    def test_status(self, status: int) -> None:
        """Any other final status refuses."""
        assert parse_answer(Response(status).refusal()).status == status

    def test_101_has_no_body(self) -> None:
        """What follows a 101 is frames."""
        with pytest.raises(ValueError, match=r"^a 101 has no body$"):
            Response(body="a")

    @pytest.mark.parametrize("status", [101, 403])
    @pytest.mark.parametrize(
        "name", ["", "A B", "A:", "A\r", "A\r\nB", "A\n", "\xc4", "A\0", " A", '"A"']
    )
    def test_bad_name(self, status: int, name: str) -> None:
        """A name is a token: nothing can be put in behind it."""
        with pytest.raises(ValueError, match="is not valid"):
            Response(status, [("A", "b"), (name, "c")])

    @pytest.mark.parametrize("status", [101, 403])
    @pytest.mark.parametrize(
        "value",
        ["\r\nA: b", "a\rb", "a\nb", "a\r\n\r\nb", "\0", "\x7f", "\u20ac", "\r"],
    )
    def test_bad_value(self, status: int, value: str) -> None:
        """A value ends no line, and is Latin-1."""
        with pytest.raises(ValueError, match="is not valid"):
            Response(status, [("A", value)])

    @pytest.mark.parametrize("status", [101, 403])
    @pytest.mark.parametrize(
        "name",
        [
            "Connection",
            "content-length",
            "SEC-WEBSOCKET-ACCEPT",
            "Sec-WebSocket-Extensions",
            "Sec-WebSocket-Protocol",
            "Transfer-Encoding",
            "Upgrade",
        ],
    )
    def test_own_header(self, status: int, name: str) -> None:
        """What the handshake says itself is not said twice."""
        with pytest.raises(ValueError, match="set by the handshake itself"):
            Response(status, [(name, "a")])

    def test_426_names_a_protocol(self) -> None:
        """RFC 9110, section 15.5.22: the one status that comes with an Upgrade."""
        response = Response(426, [("uPGRADE", "websocket")])
        assert b"\r\nuPGRADE: websocket\r\n" in response.refusal()
        with pytest.raises(ValueError, match="set by the handshake itself"):
            Response(426, [("Connection", "a")])

    def test_refusal(self) -> None:
        """One complete response, byte for byte."""
        response = Response(
            503, [("Retry-After", "9"), ("A", "\xe9\t")], "h\xe9 \u20ac"
        )
        assert response.refusal() == (
            b"HTTP/1.1 503 Service Unavailable\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 8\r\n"
            b"Connection: close\r\n"
            b"Retry-After: 9\r\n"
            b"A: \xe9\t\r\n"
            b"\r\n"
            b"h\xc3\xa9 \xe2\x82\xac\n"
        )

    def test_phrase(self) -> None:
        """Without a text, the body is the status' own phrase, if it has one."""
        assert parse_answer(Response(404).refusal()).body == "Not Found\n"
        assert parse_answer(Response(599).refusal()).body == "Unknown\n"
        assert Response(599).refusal().startswith(b"HTTP/1.1 599 Unknown\r\n")

    def test_head(self) -> None:
        """The same, without the body (RFC 9110, section 9.3.2)."""
        response = Response(403, body="no")
        assert response.refusal() == response.refusal("HEAD") + b"no\n"
        assert response.refusal("POST") == response.refusal()

    @pytest.mark.parametrize("status", [204, 205, 304])
    def test_status_without_a_body(self, status: int) -> None:
        """RFC 9112, section 6.3, point 1: it ends with its empty line."""
        raw = Response(status, body="no").refusal()
        assert raw.endswith(b"\r\n\r\n") and raw.count(b"\r\n\r\n") == 1
        assert raw.startswith(b"HTTP/1.1 %d " % status)
        assert b"Content-" not in raw

    def test_body_without_utf8(self) -> None:
        with pytest.raises(ValueError, match="surrogates"):
            Response(403, body="\ud800")

    def test_another_type_of_body(self) -> None:
        """What the application says of its body stands alone."""
        raw = Response(403, [("content-type", "text/html")], "<b>no</b>").refusal()
        assert raw.lower().count(b"content-type") == 1
        assert b"content-type: text/html\r\n" in raw


field_text = st.text(
    st.sampled_from([chr(c) for c in (9, *range(0x20, 0x7F), *range(0x80, 0x100))]),
    max_size=20,
).map(lambda text: text.strip(" \t"))
likely_text = st.text(st.sampled_from('a1,;= \t"\\/\xe9'), max_size=12) | field_text
judged = st.sampled_from(
    [
        "Connection",
        "Content-Length",
        "Origin",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Version",
        "Transfer-Encoding",
        "Upgrade",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(judged, likely_text), max_size=3))
def test_documented_outcomes_only(fields: list[tuple[str, str]]) -> None:
    """Any values are accepted with an answer of one head, or refused in order."""
    usual = [field for field in sample().headers if field[0] not in dict(fields)]
    parsed = Request("/", headers=Headers([*usual, *fields]))
    try:
        check(parsed, ("a",))
    except HandshakeError as error:
        assert error.status in {400, 403, 426}
        assert error.reason.isascii() and error.reason.isprintable()
    else:
        chosen = choose_subprotocol(parsed, ("a", "1"))
        assert parse_answer(accept(parsed, chosen)).status == 101


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 15))
def test_any_key(nonce: bytes, bits: int) -> None:
    """Any 16 bytes are a key, whatever the last four bits are."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    number = int.from_bytes(nonce, "big") << 4 | bits
    text = "".join(digits[number >> shift & 63] for shift in range(126, -6, -6))
    check(sample(Sec_WebSocket_Key=text + "=="))
