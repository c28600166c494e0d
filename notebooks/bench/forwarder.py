"""The yardstick: one thread that forwards each chunk it reads to all other connections.

Run:       python3 forwarder.py [--host 127.0.0.1] [--port 8080]
It knows no users and no messages: what it costs is `recv`, `send` and the interpreter around
them. A chat in Python that is near it wastes little.
"""

import selectors
import socket
import sys

import command

CHUNK = 65_536  # the most bytes that one `recv` may return
MAX_WAITING = 16_777_216  # bytes that wait for all together; past that nothing more is read


class Link:
    """One connection, and what its socket did not take at once."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.waiting = bytearray()


class Forwarder:
    """All connections, served by the one thread that calls `serve`."""

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.peers: dict[socket.socket, Link] = {}
        self.waiting = 0  # bytes, of all peers
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Accept, receive and send for ever."""
        while True:
            for key, events in self.selector.select():
                if key.data is None:
                    self.accept()
                    continue
                if events & selectors.EVENT_WRITE:
                    self.flush(key.data)
                if events & selectors.EVENT_READ:
                    self.receive(key.data)
            if self.waiting > MAX_WAITING:
                self.let_readers_catch_up()

    def accept(self) -> None:
        """Take the connections that wait in the backlog."""
        try:
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = self.peers[connection] = Link(connection)
                self.selector.register(connection, selectors.EVENT_READ, peer)
        except OSError:  # none is left, or no file descriptor is
            pass

    def receive(self, author: Link) -> None:
        """Read one chunk and forward it."""
        try:
            chunk = author.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.drop(author)
            return
        for peer in self.peers.values():
            if peer is not author:
                self.send(peer, chunk)

    def send(self, peer: Link, chunk: bytes) -> None:
        """Send what the socket takes, keep the rest."""
        sent = 0
        if not peer.waiting:
            try:
                sent = peer.connection.send(chunk)
            except OSError:  # it is full; or broken, which `receive` will notice
                pass
            if sent == len(chunk):
                return
            self.watch(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
        peer.waiting += memoryview(chunk)[sent:]
        self.waiting += len(chunk) - sent

    def flush(self, peer: Link) -> None:
        """Send more of what waits for a peer."""
        try:
            sent = peer.connection.send(peer.waiting)
        except BlockingIOError:
            return
        except OSError:  # nobody will read it
            sent = len(peer.waiting)
        del peer.waiting[:sent]
        self.waiting -= sent
        if not peer.waiting:
            self.watch(peer, selectors.EVENT_READ)

    def watch(self, peer: Link, events: int) -> None:
        """Say which events of a peer are of interest."""
        if peer.connection in self.peers:
            self.selector.modify(peer.connection, events, peer)

    def let_readers_catch_up(self) -> None:
        """Only send, until no more than half of the limit waits: back-pressure on all senders."""
        with selectors.DefaultSelector() as writable:
            for peer in self.peers.values():
                if peer.waiting:
                    writable.register(peer.connection, selectors.EVENT_WRITE, peer)
            while self.waiting > MAX_WAITING // 2:
                for key, _ in writable.select():
                    self.flush(key.data)
                    if not key.data.waiting:
                        writable.unregister(key.fileobj)

    def drop(self, peer: Link) -> None:
        """Forget a connection that has ended."""
        self.waiting -= len(peer.waiting)
        peer.waiting.clear()
        self.selector.unregister(peer.connection)
        del self.peers[peer.connection]
        peer.connection.close()


def serve(host: str, port: int) -> None:
    """Forward for ever; OSError where it is impossible to listen on host:port."""
    # On POSIX, `create_server` sets SO_REUSEADDR.
    with socket.create_server((host, port), backlog=socket.SOMAXCONN) as listener:
        command.announce(listener.getsockname())
        Forwarder(listener).serve()


if __name__ == "__main__":
    sys.exit(command.run(serve, __doc__))
