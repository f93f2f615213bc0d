"""The cases of peer and protocol once more, over scripted sockets.

What holds over memory and over real sockets holds here too: so what is scripted
elsewhere stands for what happens.
"""

from __future__ import annotations

from . import test_peer, test_protocol
from .ledger import WatchedCase
from .scripted import ScriptedWire


def scripted(case: type[WatchedCase]) -> type[WatchedCase]:
    """The same cases over scripted sockets."""
    return type(f"{case.__name__}Scripted", (case,), {"wire_class": ScriptedWire})


Reading = scripted(test_peer.Reading)
Each = scripted(test_peer.Each)
Writing = scripted(test_peer.Writing)
Pinging = scripted(test_peer.Pinging)
Ending = scripted(test_peer.Ending)
Pausing = scripted(test_peer.Pausing)
EndedByOthers = scripted(test_peer.EndedByOthers)
Handshake = scripted(test_protocol.Handshake)
Asking = scripted(test_protocol.Asking)
Handling = scripted(test_protocol.Handling)
Draining = scripted(test_protocol.Draining)
TakingOver = scripted(test_protocol.TakingOver)
