"""Header fields: kept as they came, and found in any case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txws_simple.headers import Headers, is_field, is_token

NAMES = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=4)
VALUES = st.text([chr(c) for c in range(256) if is_field(chr(c))], max_size=8)


class TestHeaders:
    """A mapping of names in any case, which forgets nothing."""

    headers = Headers([("Host", "a"), ("Via", "b"), ("VIA", "c"), ("Empty", "")])

    def test_all(self) -> None:
        """Each value, in order."""
        assert self.headers.all("via") == ["b", "c"]
        assert self.headers.all("absent") == []

    def test_get(self) -> None:
        """Several values are one list."""
        assert self.headers.get("vIa") == "b, c"
        assert self.headers.get("empty") == ""
        assert self.headers.get("absent") is None
        assert self.headers.get("absent", "d") == "d"

    def test_getitem(self) -> None:
        """As get, but what is absent is an error."""
        assert self.headers["HOST"] == "a"
        assert self.headers["Empty"] == ""
        with pytest.raises(KeyError, match="absent"):
            self.headers["absent"]

    def test_contains(self) -> None:
        """A name, with or without a value."""
        assert "hOST" in self.headers and "empty" in self.headers
        assert "absent" not in self.headers
        assert 1 not in self.headers and ("Host", "a") not in self.headers

    def test_sequence(self) -> None:
        """All fields, as they came."""
        assert len(self.headers) == 4
        assert list(self.headers)[1:3] == [("Via", "b"), ("VIA", "c")]
        assert not Headers()

    def test_repr(self) -> None:
        """It shows what there is."""
        assert repr(Headers([("A", "b")])) == "Headers((('A', 'b'),))"

    @pytest.mark.parametrize(
        "field", [("", "b"), ("a b", "c"), ("a:", "b"), ("a", "b\n"), ("a", "\u0100")]
    )
    def test_what_is_no_field(self, field: tuple[str, str]) -> None:
        """Nothing gets in that would be read as something else."""
        with pytest.raises(ValueError, match="not valid"):
            Headers([field])

    def test_every_byte_of_a_value(self) -> None:
        """Also those that end a line elsewhere."""
        value = "".join(chr(c) for c in range(33, 256) if c != 127)
        headers = Headers([("A", value), ("B", "c")])
        assert list(headers) == [("A", value), ("B", "c")]
        assert headers["a"] == value and headers["b"] == "c"

    def test_a_name_is_not_found_within_a_value(self) -> None:
        """Nor by what isn't a name."""
        headers = Headers([("A", "b:c"), ("D", "\x85e:f")])
        for name in ("b", "a:b", "A: b", "e", "", "\nA", "d:\x85e"):
            assert name not in headers and headers.all(name) == []


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), NAMES)
def test_as_a_list_of_pairs(fields: list[tuple[str, str]], name: str) -> None:
    """All that it says is what the list of its fields would say."""
    kept = [(key, value.strip(" \t")) for key, value in fields]
    headers = Headers(fields)
    assert list(headers) == kept
    assert len(headers) == len(kept)
    assert bool(headers) is bool(kept)
    for wanted in (name, *(key.swapcase() for key, _ in kept)):
        values = [value for key, value in kept if key.lower() == wanted.lower()]
        assert headers.all(wanted) == values
        assert (wanted in headers) is bool(values)


def test_tokens() -> None:
    """RFC 9110, section 5.6.2."""
    assert is_token("a!#$%&'*+-.^_`|~0")
    for text in ("", "a b", "a:", "a\n", "\x80", '"a"', "a/b", "\u0130"):
        assert not is_token(text)
