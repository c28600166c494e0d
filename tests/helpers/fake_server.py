"""A server that a test plays itself, byte by byte, for a client program."""

import os
import socket
import struct

from tools.harness import Story


class FakeServer:
    """Listens on a port of its own; `accept` returns the connection of a client."""

    def __init__(self, story: Story) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(story.deadline)
        self.port = self.listener.getsockname()[1]
        self.deadline = story.deadline
        self.server = self  # stands for a Chat: `run_client` asks it for `server.port`

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(self.deadline)
        return connection

    def close(self) -> None:
        self.listener.close()


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    """Receive until these bytes have come; b"" stands for the end of the stream."""
    data = b""
    while not (end and data.endswith(end)):
        piece = connection.recv(65_536)
        if not piece:
            assert not end, f"the stream ended after {data[-60:]!r}, before {end!r}"
            break
        data += piece
    return data


def reset(connection: socket.socket) -> None:
    """Break a connection off."""
    size = "ii" if os.name == "posix" else "hh"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(size, 1, 0))
    connection.close()
