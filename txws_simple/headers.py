"""Header fields: their form (RFC 9110, section 5), and looking them up.

Nothing here knows what any of them means, and nothing here knows Twisted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "FIELD_BYTES",
    "TOKEN_BYTES",
    "Headers",
    "elements",
    "is_field",
    "is_token",
]

# RFC 9110, section 5.6.2.
_TOKEN = frozenset(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~"
)
# RFC 9110, section 5.5: visible characters, blanks and obs-text.
_FIELD = frozenset(map(chr, (9, *range(0x20, 0x7F), *range(0x80, 0x100))))
_BLANK = " \t"

#: The same as bytes, to be taken out of what has to consist of them: what is left
#: is wrong.  This takes a tenth of the time that looking at each byte takes.
TOKEN_BYTES = "".join(_TOKEN).encode()
FIELD_BYTES = "".join(_FIELD).encode("latin-1")


def is_token(text: str) -> bool:
    """Whether it is a token (RFC 9110, section 5.6.2)."""
    return bool(text) and _TOKEN.issuperset(text)


def is_field(text: str) -> bool:
    """Whether it can stand in a header's value (RFC 9110, section 5.5)."""
    return _FIELD.issuperset(text)


def elements(text: str, separator: str = ",") -> list[str]:
    """The elements of a list (RFC 9110, section 5.6.1), empty ones left out."""
    parts = (part.strip(_BLANK) for part in text.split(separator))
    return [part for part in parts if part]


class Headers:
    """The header fields of a request, in their order; names in any case.

    Values are text in which each character stands for the byte of the same
    number (ISO 8859-1), so nothing of what arrived is lost.

    Args:
        fields: Names and values.

    Raises:
        ValueError: For a name that is no token, or a value that can't stand in a
            header.
    """

    # One text for all fields, for as long as the connection lasts: it occupies a
    # fifth of what an object for each name and value would.
    __slots__ = ("_text",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        lines = []
        for name, value in fields:
            if not is_token(name) or not is_field(value):
                raise ValueError(f"header {name!r} is not valid")
            lines.append(f"{name}:{value}")
        self._keep(lines)

    @classmethod
    def parsed(cls, lines: Sequence[str]) -> Headers:
        """The fields of these lines, each a name, a colon and a value, and valid."""
        headers = cls.__new__(cls)
        headers._keep(lines)
        return headers

    def _keep(self, lines: Sequence[str]) -> None:
        # Nothing that is valid has a line end in it.
        self._text = "\n".join(("", *lines, ""))

    def all(self, name: str) -> list[str]:
        """The values of all fields with this name."""
        # In what is left of ISO 8859-1, no letter changes its length.
        text, lower, key = self._text, self._text.lower(), _key(name)
        values = []
        at = lower.find(key)
        while at >= 0:
            at += len(key)
            values.append(text[at : text.index("\n", at)].strip(_BLANK))
            at = lower.find(key, at)
        return values

    def get(self, name: str, default: str | None = None) -> str | None:
        """The values with this name, joined by ``", "``, or ``default``."""
        values = self.all(name)
        return ", ".join(values) if values else default

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._text.lower()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self._text.split("\n")[1:-1]:
            name, _, value = line.partition(":")
            yield name, value.strip(_BLANK)

    def __len__(self) -> int:
        return self._text.count("\n") - 1

    def __repr__(self) -> str:
        return f"Headers({tuple(self)!r})"


def _key(name: str) -> str:
    """What stands before a value in the text of `Headers`, in lower case."""
    # A name with a colon has none that it could be found by.
    return "\n\n" if ":" in name else f"\n{name.lower()}:"
