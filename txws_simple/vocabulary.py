"""The words of the protocol: what a frame is, and what a Close says."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .errors import ProtocolError

__all__ = ["MAX_CONTROL", "Close", "CloseCode", "Frame", "Opcode"]

#: The largest payload of a control frame, in bytes (RFC 6455, section 5.5).
MAX_CONTROL = 125


class Opcode(IntEnum):
    """What a frame is (RFC 6455, section 5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Why a connection is closed (RFC 6455, section 7.4, and IANA's registry)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    #: Stands for a Close frame without a code; never sent.
    NO_STATUS = 1005
    #: Stands for a connection that ended without a Close frame; never sent.
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014


class Frame(NamedTuple):
    """One data frame, as it came or as it is to be sent.

    Attributes:
        opcode: ``TEXT``, ``BINARY`` or ``CONTINUATION``.
        data: The payload.
        fin: Whether it is the last frame of its message.
    """

    opcode: Opcode
    data: bytes
    fin: bool = True


class Close(NamedTuple):
    """What a Close frame says (RFC 6455, section 5.5.1)."""

    code: int
    reason: str = ""

    @classmethod
    def parse(cls, payload: bytes) -> Close:
        """Read a payload; an empty one counts as code 1005.

        Raises:
            ProtocolError: 1002 for a code that must not be sent or a cut one,
                1007 for a reason that is not UTF-8.
        """
        if not payload:
            return cls(CloseCode.NO_STATUS)
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not _may_be_sent(code):
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "invalid close code")
        try:
            return cls(code, payload[2:].decode())
        except UnicodeDecodeError:
            raise ProtocolError(
                CloseCode.INVALID_DATA, "close reason is not UTF-8"
            ) from None

    def serialize(self) -> bytes:
        """The payload that says this.

        Raises:
            ValueError: For a code that must not be sent, or a reason of more
                than 123 bytes in UTF-8.
        """
        if not _may_be_sent(self.code):
            raise ValueError(f"close code {self.code!r} must not be sent")
        payload = int(self.code).to_bytes(2, "big") + self.reason.encode()
        if len(payload) > MAX_CONTROL:
            raise ValueError("close reason is over 123 bytes in UTF-8")
        return payload


def _may_be_sent(code: int) -> bool:
    # RFC 6455, section 7.4.2: 1004 to 1006 and 1015 never stand in a frame, the
    # rest up to 2999 is for the protocol itself, 3000 to 4999 for applications.
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
