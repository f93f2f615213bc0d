"""Standard input and output over a WebSocket: ``python tests/pipe.py URL``."""

import os
import sys
import threading

from websockets.sync.client import connect


def main(url: str) -> None:
    with connect(url, max_size=None) as client:

        def send() -> None:
            while data := os.read(0, 65536):
                client.send(data)
            client.close()

        threading.Thread(target=send, daemon=True).start()
        for message in client:
            os.write(1, message)


if __name__ == "__main__":
    main(sys.argv[1])
