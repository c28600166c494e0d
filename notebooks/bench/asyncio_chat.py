"""A chat over asyncio streams that speaks the protocol of step 4, to compare with.

Run:       python3 asyncio_chat.py [--host 127.0.0.1] [--port 8080]
Written as the documentation of asyncio suggests: a coroutine for each connection, `readexactly`
for a frame, `write` for each recipient, `drain` where much waits. (asyncio sets TCP_NODELAY.)
Frames and texts are made by the code of step 4: only who sends, and how, is different.
It leaves out what is not measured: the limit of connections, /help, a farewell when it stops.
"""

import asyncio
import re
import socket
import sys
from pathlib import Path

import command

sys.path.append(str(Path(__file__).parents[2] / "steps" / "step4_framing_and_exit"))
from framing import HEADER, MAX_PAYLOAD, FrameError, encode, safe

NICK = re.compile(r"[\w.-]{1,32}")
LOGIN_TIMEOUT = 30  # seconds for the nickname
HIGH_WATER = 65_536  # bytes that may wait for one user before its author waits, too
DRAIN_TIMEOUT = 5  # seconds for which an author waits for one user, who is then cut off


class StreamUser:
    """One connection, and the nickname of the person behind it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.nick = ""

    async def receive(self) -> str | None:
        """Return the text of the next frame, or None at the end of the stream."""
        try:
            (length,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            if length > MAX_PAYLOAD:
                raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_PAYLOAD}")
            return (await self.reader.readexactly(length)).decode()
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise FrameError("the stream ended inside a frame") from None
            return None
        except UnicodeDecodeError:
            raise FrameError("the text is not valid UTF-8") from None

    def send(self, text: str) -> None:
        """Send `text` as one frame, or leave it to the event loop to send."""
        self.writer.write(encode(text))


class StreamRoom:
    """The users who have joined, by nickname in lower case, in this order."""

    def __init__(self) -> None:
        self.users: dict[str, StreamUser] = {}

    async def broadcast(self, author: StreamUser, text: str) -> None:
        """Send `text` to all users but its author; wait for those who are far behind."""
        frame = encode(text)
        behind = []
        for user in self.users.values():
            if user is not author:
                user.writer.write(frame)
                if user.writer.transport.get_write_buffer_size() > HIGH_WATER:
                    behind.append(user)
        for user in behind:
            await drain(user)


def online(users: dict) -> str:
    """Return the line that names all users."""
    return "* online: " + ", ".join(user.nick for user in users.values())


def reply(text: str, users: dict) -> str:
    """Return the answer to a command."""
    word = text.split()[0]
    return online(users) if word == "/who" else f"* unknown command: {safe(word)}"


async def drain(user: StreamUser) -> None:
    """Wait until less waits for a user; cut off who does not read."""
    try:
        await asyncio.wait_for(user.writer.drain(), DRAIN_TIMEOUT)
    except (OSError, TimeoutError):
        user.writer.transport.abort()


def fault(nick: str, users: dict) -> str | None:
    """Return what is wrong with a nickname, or None."""
    if not NICK.fullmatch(nick):
        return "a nickname has 1 to 32 letters, digits, _ . or -"
    return "this nickname is taken" if nick.casefold() in users else None


async def log_in(user: StreamUser, room: StreamRoom) -> bool:
    """Ask for a nickname until one fits and say who is new; False if the newcomer leaves."""
    user.send("* enter your nickname")
    while (text := await user.receive()) is not None and text.split()[:1] != ["/quit"]:
        user.nick = text.strip()
        if problem := fault(user.nick, room.users):
            user.send(f"* {problem}")
            user.send("* enter your nickname")
            continue
        room.users[user.nick.casefold()] = user
        user.send(f"* welcome, {user.nick}")
        user.send(online(room.users))
        await room.broadcast(user, f"* {user.nick} joined")
        return True
    return False


async def talk(user: StreamUser, room: StreamRoom) -> None:
    """Pass on what a user says, until `/quit` or the end of the stream."""
    while (text := await user.receive()) is not None:
        if text.split()[:1] == ["/quit"]:
            return
        if text.startswith("/"):
            user.send(reply(text, room.users))
        elif text and not text.isspace():
            await room.broadcast(user, f"{user.nick}: {safe(text)}")


async def handle(user: StreamUser, room: StreamRoom) -> None:
    """Serve one user from the nickname to the end of the stream."""
    try:
        if await asyncio.wait_for(log_in(user, room), LOGIN_TIMEOUT):
            await talk(user, room)
        user.send("* bye")
    except FrameError as error:
        user.send(f"* {error}")
    except (OSError, TimeoutError):
        pass
    finally:
        was_here = room.users.get(user.nick.casefold()) is user
        if was_here:
            del room.users[user.nick.casefold()]
        user.writer.close()
    if was_here:
        await room.broadcast(user, f"* {user.nick} left")


async def serve(host: str, port: int) -> None:
    """Accept clients for ever; OSError where it is impossible to listen on host:port."""
    room = StreamRoom()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle(StreamUser(reader, writer), room)

    # Given a socket of one's own that does not name its protocol, asyncio would leave
    # TCP_NODELAY off; so it makes the socket.
    async with await asyncio.start_server(accepted, host, port, backlog=socket.SOMAXCONN) as server:
        command.announce(server.sockets[0].getsockname())
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(command.run(lambda host, port: asyncio.run(serve(host, port)), __doc__))
