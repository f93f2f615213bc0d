"""An echo server over TLS: ``python examples/tls.py CERT KEY [PORT]``.

CERT is a PEM file with the certificate and, behind it, the chain up to the root;
KEY is one with the private key.  Clients connect to ``wss://HOST:8443/``.
"""

import re
import sys
from pathlib import Path
from typing import Any

from OpenSSL.crypto import FILETYPE_PEM
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair
from twisted.internet.task import react

from txws_simple import WebSocketFactory, WebSocketPeer

CERTIFICATE = re.compile("-----BEGIN CERT.+?-----END CERTIFICATE-----", re.DOTALL)


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


def load(certificate: str, key: str) -> CertificateOptions:
    texts = CERTIFICATE.findall(Path(certificate).read_text())
    own, *chain = (Certificate.loadPEM(text).original for text in texts)
    pair = KeyPair.load(Path(key).read_bytes(), FILETYPE_PEM)
    return CertificateOptions(pair.original, own, extraCertChain=chain)


async def main(reactor: Any, certificate: str, key: str, port: str = "8443") -> None:
    endpoint = SSL4ServerEndpoint(reactor, int(port), load(certificate, key))
    listening = await endpoint.listen(WebSocketFactory(echo))
    print("listening on", listening.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
