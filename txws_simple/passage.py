"""The fragments of a message passing by, in one direction (RFC 6455, section 5.4).

Their order, their number and size, and whether text is UTF-8 as far as it came.
Nothing here knows Twisted.
"""

from __future__ import annotations

from codecs import getincrementaldecoder

from .errors import ProtocolError
from .vocabulary import CloseCode, Opcode

__all__ = ["Passage", "State", "passage_of"]

_Utf8 = getincrementaldecoder("utf-8")

State = tuple[int, int, "tuple[bytes, int] | None"]


class Passage:
    """A message of which the last fragment has not passed yet.

    Args:
        opcode: That of its first frame.

    Attributes:
        opcode: The same.
        size: The length of the payloads so far, in bytes.
        fragments: How many frames there were so far.
    """

    __slots__ = ("_utf8", "fragments", "opcode", "size")

    def __init__(self, opcode: Opcode) -> None:
        self._utf8 = _Utf8() if opcode is Opcode.TEXT else None
        self.opcode = opcode
        self.size = 0
        self.fragments = 0

    def add(self, length: int) -> None:
        """The header of one more frame has passed."""
        self.size += length
        self.fragments += 1

    def check(self, data: bytes, last: bool) -> None:
        """Payload has passed; ``last`` where the message ends with it.

        Raises:
            ProtocolError: 1007 for text that is not UTF-8 (section 8.1).
        """
        utf8 = self._utf8
        if utf8 is None:
            return
        try:
            utf8.decode(data, last)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        # RFC 3629, section 3: no surrogates.  The second byte shows one, and yet
        # the decoder waits for the third.
        if not last and b"\xed\xa0" <= utf8.getstate()[0] < b"\xee":
            raise _not_utf8()

    def state(self) -> State:
        """All there is to know, to be restored."""
        utf8 = self._utf8
        return self.size, self.fragments, utf8.getstate() if utf8 is not None else None

    def restore(self, state: State) -> None:
        """Be as it was then."""
        self.size, self.fragments, utf8 = state
        if self._utf8 is not None and utf8 is not None:
            self._utf8.setstate(utf8)


def passage_of(opcode: Opcode, begun: Passage | None) -> Passage:
    """The message that the next frame belongs to.

    Args:
        opcode: That of the frame.
        begun: The message of which fragments have passed, if there is one.

    Raises:
        ProtocolError: 1002 for a frame out of order.
    """
    if opcode is not Opcode.CONTINUATION:
        if begun is not None:
            raise _violation("new message inside a fragmented one")
        return Passage(opcode)
    if begun is None:
        raise _violation("continuation of nothing")
    return begun


def _violation(reason: str) -> ProtocolError:
    return ProtocolError(CloseCode.PROTOCOL_ERROR, reason)


def _not_utf8() -> ProtocolError:
    return ProtocolError(CloseCode.INVALID_DATA, "text is not UTF-8")
