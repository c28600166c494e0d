"""A chat over asyncio streams that speaks the protocol of step 4, to compare with.

Run:       python3 asyncio_chat.py [--host 127.0.0.1] [--port 8080]
Written as the documentation of asyncio suggests: a coroutine for each connection, `readexactly`
for a frame, `write` for each recipient, `drain` where much waits. (asyncio sets TCP_NODELAY.)
It leaves out what is not measured: the limit of connections, /help, a farewell when it stops.
"""

import asyncio
import re
import signal
import socket
import struct
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable

HEADER = struct.Struct("!I")
MAX_PAYLOAD = 65_536  # bytes
NICK = re.compile(r"[\w.-]{1,32}")
ATTEMPTS = 3  # nicknames that a newcomer may try
LOGIN_TIMEOUT = 30  # seconds for the nickname
HIGH_WATER = 65_536  # bytes that may wait for one user before its author waits, too
DRAIN_TIMEOUT = 5  # seconds for which an author waits for one user, who is then cut off
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class FrameError(ValueError):
    """What arrived is not a frame."""


class User:
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


def encode(text: str) -> bytes:
    """Return `text` as a frame."""
    payload = text.encode()
    return HEADER.pack(len(payload)) + payload


class Room:
    """The users who have joined, by nickname in lower case, in this order."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}

    async def broadcast(self, author: User, text: str) -> None:
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


def online(users: dict[str, User]) -> str:
    """Return the line that names all users."""
    return "* online: " + ", ".join(user.nick for user in users.values())


async def drain(user: User) -> None:
    """Wait until less waits for a user; cut off who does not read."""
    try:
        await asyncio.wait_for(user.writer.drain(), DRAIN_TIMEOUT)
    except (OSError, TimeoutError):
        user.writer.transport.abort()


def fault(nick: str, users: dict[str, User]) -> str | None:
    """Return what is wrong with a nickname, or None."""
    if not NICK.fullmatch(nick):
        return "a nickname has 1 to 32 letters, digits, _ . or -"
    return "this nickname is taken" if nick.casefold() in users else None


async def log_in(user: User, room: Room) -> bool:
    """Ask for a nickname until one fits and say who is new; False if the newcomer leaves."""
    problem = None
    for _ in range(ATTEMPTS):
        if problem:
            user.send(f"* {problem}")
        user.send("* enter your nickname")
        text = await user.receive()
        if text is None or text.split()[:1] == ["/quit"]:
            return False
        user.nick = text.strip()
        problem = fault(user.nick, room.users)
        if not problem:
            room.users[user.nick.casefold()] = user
            user.send(f"* welcome, {user.nick}")
            user.send(online(room.users))
            await room.broadcast(user, f"* {user.nick} joined")
            return True
    raise FrameError(problem)


async def talk(user: User, room: Room) -> None:
    """Pass on what a user says, until `/quit` or the end of the stream."""
    while (text := await user.receive()) is not None:
        if text.startswith("/"):
            word = text.split()[0]
            if word == "/quit":
                return
            unknown = f"* unknown command: {UNSAFE.sub(chr(0xFFFD), word)}"
            user.send(online(room.users) if word == "/who" else unknown)
        elif text and not text.isspace():
            await room.broadcast(user, f"{user.nick}: {UNSAFE.sub(chr(0xFFFD), text)}")


async def handle(user: User, room: Room) -> None:
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
    room = Room()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle(User(reader, writer), room)

    # Given a socket of one's own that does not name its protocol, asyncio would leave
    # TCP_NODELAY off; so it makes the socket.
    server = await asyncio.start_server(accepted, host, port, backlog=socket.SOMAXCONN)
    await serve_forever(server)


async def serve_forever(server: asyncio.Server) -> None:
    """Say where a server listens, and let it serve."""
    host, port = server.sockets[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


def main(serve: Callable[[str, int], Awaitable[None]]) -> int:
    """Read the command line, serve until Ctrl-C; return the exit status."""
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda signum, frame: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(serve(args.host, args.port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"cannot listen on {args.host}:{args.port}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(serve))
