"""A JSON-RPC 2.0 server: ``python examples/json_rpc.py [tcp:8080]``.

Each text message is a call or a batch of calls, and gets one message in answer.
The calls of a connection are done one after another; while one is under way
nothing more is read, so a client that asks too fast is slowed down by TCP.
"""

import inspect
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater, react
from twisted.logger import Logger

from txws_simple import CloseCode, WebSocketFactory, WebSocketPeer

IDLE_TIMEOUT = 300.0  # seconds without a call, and then for the answer to leave
CALL_TIMEOUT = 5.0  # seconds that a call may take
MAX_MESSAGE = 64 * 1024  # bytes

Method = Callable[..., Coroutine[Any, Any, Any]]

log = Logger()


class RpcError(Exception):
    """A call that gets an error in answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class JsonRpc:
    """Serves these methods to every peer."""

    def __init__(self, methods: Mapping[str, Method], clock: IReactorTime) -> None:
        self._methods = methods
        self._clock = clock

    async def __call__(self, peer: WebSocketPeer) -> None:
        try:
            while (message := await peer.receive(IDLE_TIMEOUT)) is not None:
                if isinstance(message, bytes):
                    await peer.shutdown(CloseCode.UNSUPPORTED_DATA, "text only")
                    return
                answer = await self._answer(message)
                if answer is not None:
                    await peer.send(json.dumps(answer), IDLE_TIMEOUT)
        except TimeoutError:
            await peer.shutdown(reason="idle")

    async def _answer(self, text: str) -> Any:
        try:
            calls = json.loads(text)
        except (ValueError, RecursionError):
            return _error(None, -32700, "Parse error")
        if not isinstance(calls, list) or not calls:
            return await self._reply(calls)
        replies = [await self._reply(call) for call in calls]
        return [reply for reply in replies if reply is not None] or None

    async def _reply(self, call: Any) -> Any:
        """The answer to one call; None for one that wants none."""
        if not _is_call(call):
            return _error(None, -32600, "Invalid Request")
        try:
            result = await self._call(call["method"], call.get("params", []))
            reply = {"jsonrpc": "2.0", "result": result, "id": call.get("id")}
        except RpcError as error:
            reply = _error(call.get("id"), error.code, error.message)
        return reply if "id" in call else None

    async def _call(self, name: str, params: Any) -> Any:
        method = self._methods.get(name)
        if method is None:
            raise RpcError(-32601, "Method not found")
        args, kwargs = ((), params) if isinstance(params, dict) else (params, {})
        try:
            inspect.signature(method).bind(*args, **kwargs)
        except TypeError:
            raise RpcError(-32602, "Invalid params") from None
        running = Deferred.fromCoroutine(method(*args, **kwargs))
        try:
            return await running.addTimeout(CALL_TIMEOUT, self._clock)
        except defer.TimeoutError:
            raise RpcError(-32000, "Timed out") from None
        except RpcError:
            raise
        except Exception:
            log.failure("{name} failed", name=name)
            raise RpcError(-32603, "Internal error") from None


def _is_call(call: Any) -> bool:
    return (
        isinstance(call, dict)
        and call.get("jsonrpc") == "2.0"
        and isinstance(call.get("method"), str)
        and isinstance(call.get("params", []), (list, dict))
        and isinstance(call.get("id"), (str, int, float, type(None)))
    )


def _error(of: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": of}


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    async def add(a: float, b: float) -> float:
        return a + b

    async def sleep(seconds: float) -> float:
        await deferLater(reactor, seconds)
        return seconds

    async def divide(a: float, b: float) -> float:
        if b == 0:
            raise RpcError(1, "division by zero")
        return a / b

    methods: dict[str, Method] = {"add": add, "sleep": sleep, "divide": divide}
    factory = WebSocketFactory(
        JsonRpc(methods, reactor),
        max_frame_size=MAX_MESSAGE,
        max_message_size=MAX_MESSAGE,
    )
    port = await serverFromString(reactor, endpoint).listen(factory)

    async def stop() -> None:
        await port.stopListening()
        await factory.drain()

    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(stop())
    )
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
