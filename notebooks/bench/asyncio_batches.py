"""The asyncio chat with batches, to compare with: over `asyncio.Protocol`, without coroutines.

Run:       python3 asyncio_batches.py [--host 127.0.0.1] [--port 8080]
All that was said in one turn of the event loop goes to each user as one `write`: step 4 batches
in the same way, and its own code takes the frames apart here, too. While a user is far behind,
nobody is read from; who is behind for too long is cut off. It leaves out what `asyncio_chat.py`
leaves out, and the time limit for the nickname.
"""

import asyncio
import socket
import sys

import command
from asyncio_chat import DRAIN_TIMEOUT, fault, online, reply

from framing import FrameReader, encode, safe

HIGH_WATER = 1_048_576  # bytes that may wait for one user


class ProtocolRoom:
    """The users who have joined, by nickname in lower case, and what is not sent yet."""

    def __init__(self) -> None:
        self.users: dict[str, ProtocolUser] = {}
        self.said: list[tuple[ProtocolUser, bytes]] = []  # author and frame
        self.behind: set[ProtocolUser] = set()

    def say(self, author: "ProtocolUser", text: str) -> None:
        """Note what the others shall get; the next turn of the loop begins with sending it."""
        if not self.said:
            asyncio.get_running_loop().call_soon(self.deliver)
        self.said.append((author, encode(text)))

    def deliver(self) -> None:
        """Send each user what the others have said, joined to one piece."""
        said, self.said = self.said, []
        if not said:  # it was sent before its turn
            return
        everything = b"".join(frame for _, frame in said)
        authors = {author for author, _ in said}
        for user in self.users.values():
            if user not in authors:
                user.transport.write(everything)
            elif frames := [frame for author, frame in said if author is not user]:
                user.transport.write(b"".join(frames))

    def slow_down(self, user: "ProtocolUser") -> None:
        """Read from nobody until this user has caught up; cut it off if that takes too long."""
        self.behind.add(user)
        for other in self.users.values():
            other.transport.pause_reading()
        user.patience = asyncio.get_running_loop().call_later(DRAIN_TIMEOUT, user.transport.abort)

    def go_on(self, user: "ProtocolUser") -> None:
        """Read from all again when nobody is behind any more."""
        user.patience.cancel()
        self.behind.discard(user)
        if not self.behind:
            for other in self.users.values():
                other.transport.resume_reading()


class ProtocolUser(asyncio.Protocol):
    """One connection, and the nickname of the person behind it."""

    def __init__(self, room: ProtocolRoom) -> None:
        self.room = room
        self.nick = ""
        self.reader = FrameReader(None)  # fed by the event loop
        self.transport: asyncio.Transport
        self.patience: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Ask for a nickname."""
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self.send("* enter your nickname")

    def data_received(self, data: bytes) -> None:
        """Take all frames that are complete."""
        self.reader.buffer += data
        texts = self.reader.take_all()
        for text in texts:
            if not self.transport.is_closing():
                self.receive(text)
        if self.reader.error:
            self.leave(str(self.reader.error))

    def receive(self, text: str) -> None:
        """Take a nickname, a command or a message."""
        if text.split()[:1] == ["/quit"]:
            self.leave("bye")
        elif not self.nick:
            self.join(text.strip())
        elif text.startswith("/"):
            self.send(reply(text, self.room.users))
        elif text and not text.isspace():
            self.room.say(self, f"{self.nick}: {safe(text)}")

    def join(self, nick: str) -> None:
        """Join under this nickname if it fits; ask again if it does not."""
        if problem := fault(nick, self.room.users):
            self.send(f"* {problem}")
            self.send("* enter your nickname")
            return
        self.room.deliver()  # what was said before is not for the newcomer
        self.nick = nick
        self.room.users[nick.casefold()] = self
        self.send(f"* welcome, {nick}")
        self.send(online(self.room.users))
        self.room.say(self, f"* {nick} joined")

    def send(self, text: str) -> None:
        """Send `text` as one frame to this user, after all that was said before."""
        self.room.deliver()
        self.transport.write(encode(text))

    def leave(self, why: str) -> None:
        """Say goodbye and end the connection."""
        self.send(f"* {why}")
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the others who has left."""
        if self in self.room.behind:
            self.room.go_on(self)
        if self.room.users.get(self.nick.casefold()) is self:
            self.room.deliver()
            del self.room.users[self.nick.casefold()]
            self.room.say(self, f"* {self.nick} left")

    def pause_writing(self) -> None:
        """Hear from the transport that much waits for this user."""
        self.room.slow_down(self)

    def resume_writing(self) -> None:
        """Hear from the transport that little waits for this user any more."""
        self.room.go_on(self)


async def serve(host: str, port: int) -> None:
    """Accept clients for ever; OSError where it is impossible to listen on host:port."""
    room = ProtocolRoom()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(
        lambda: ProtocolUser(room), host, port, backlog=socket.SOMAXCONN
    ) as server:
        command.announce(server.sockets[0].getsockname())
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(command.run(lambda host, port: asyncio.run(serve(host, port)), __doc__))
