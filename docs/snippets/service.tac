"""An echo server: ``twistd -ny service.tac``."""

from twisted.application.service import Application

from txws_simple import WebSocketFactory, WebSocketService

factory = WebSocketFactory(lambda peer: peer.each(peer.write))
application = Application("echo")
WebSocketService(factory, "tcp:8080", timeout=5).setServiceParent(application)
