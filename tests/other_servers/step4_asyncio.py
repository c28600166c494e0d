"""Step 4 by its protocol alone, in another design: one thread, asyncio, no locks.

The tests run against it to show that they ask for no more than steps/PROTOCOL.md says.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import socket
import struct
import sys

LIMIT = 65_536
NAME = re.compile(r"[\w.-]{1,32}")
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Bad(Exception):
    """What a peer did wrong; the text is what it is told."""


def frame(text: str) -> bytes:
    payload = text.encode()
    return struct.pack("!I", len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> str | None:
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > LIMIT:
            raise Bad("your frame is longer than 65536 bytes")
        return (await reader.readexactly(length)).decode()
    except asyncio.IncompleteReadError as error:
        if error.partial or error.expected != 4:
            raise Bad("your last frame is not whole") from None
        return None
    except UnicodeDecodeError:
        raise Bad("your frame holds no UTF-8") from None


class AsyncioChat:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.everybody: set[asyncio.StreamWriter] = set()
        self.members: dict[str, tuple[str, asyncio.StreamWriter]] = {}
        self.ending: set[asyncio.Task] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.everybody) >= self.args.max_clients:
            writer.write(frame("* server is full"))
            await self.finish(reader, writer)
            return
        self.everybody.add(writer)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            with contextlib.suppress(AttributeError, OSError):  # this system does not have it
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        name, why = "", "bye"
        try:
            try:
                async with asyncio.timeout(self.args.login_timeout):
                    name = await self.log_in(reader, writer)
            except TimeoutError:
                raise Bad("you took too long to tell your nickname") from None
            if name:
                await self.talk(name, reader, writer)
        except Bad as error:
            why = str(error)
        except OSError:
            pass
        finally:
            if self.members.get(name.casefold(), ("", None))[1] is writer:
                self.drop(name)
            if not writer.transport.is_closing():
                writer.write(frame(f"* {why}"))
            await self.finish(reader, writer)
            self.everybody.discard(writer)

    async def log_in(self, reader, writer) -> str:
        for attempt in range(3):
            writer.write(frame("* enter your nickname"))
            text = await read_frame(reader)
            if text is None or text.split()[:1] == ["/quit"]:
                return ""
            name = text.strip()
            if not NAME.fullmatch(name):
                problem = "up to 32 letters, digits, _ - and . please"
            elif name.casefold() in self.members:
                problem = "this name has an owner"
            else:
                self.tell(frame(f"* {name} joined"), None)
                self.members[name.casefold()] = (name, writer)
                writer.write(frame(f"* welcome, {name}") + self.online())
                return name
            if attempt < 2:
                writer.write(frame(f"* {problem}"))
        raise Bad(problem)

    async def talk(self, name, reader, writer) -> None:
        while (text := await read_frame(reader)) is not None:
            if text.startswith("/"):
                word = text.split()[0]
                if word.lower() == "/quit":
                    return
                if word.lower() == "/who":
                    writer.write(self.online())
                elif word.lower() == "/help":
                    writer.write(frame("* you can say /help, /who or /quit"))
                else:
                    shown = HARMFUL.sub("\ufffd", word[:200])
                    writer.write(frame(f"* unknown command: {shown}, try /help"))
                await writer.drain()
            elif text.strip():
                text = HARMFUL.sub("\ufffd", text.replace("\t", " "))
                said = frame(f"{name}: {text}")
                if len(said) > LIMIT + 4:
                    writer.write(frame("* that was too long"))
                else:
                    self.tell(said, writer)
                    await self.slow_down(len(said))

    def tell(self, said: bytes, author) -> None:
        for name, writer in list(self.members.values()):
            if writer is not author:
                writer.write(said)
                if writer.transport.get_write_buffer_size() > self.args.max_pending:
                    if name.casefold() in self.members:
                        self.drop(name)
                    writer.transport.abort()

    def drop(self, name: str) -> None:
        del self.members[name.casefold()]
        self.tell(frame(f"* {name} left"), None)

    async def slow_down(self, size: int) -> None:
        """Wait for readers who are behind, as long as these bytes take at 1 MB/s."""
        loop = asyncio.get_running_loop()
        end = loop.time() + size / 1e6
        most = self.args.max_pending // 4

        def is_behind() -> bool:
            sizes = (w.transport.get_write_buffer_size() for _, w in self.members.values())
            return max(sizes, default=0) > most

        while is_behind() and loop.time() < end:
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0)

    def online(self) -> bytes:
        names = [name for name, _ in self.members.values()]
        parts = [names[start : start + 500] for start in range(0, len(names), 500)]
        return b"".join(frame("* online: " + ", ".join(part)) for part in parts)

    async def finish(self, reader, writer) -> None:
        """Let the last bytes arrive as long as the peer takes some; then close."""
        transport = writer.transport
        with contextlib.suppress(OSError, asyncio.TimeoutError, Bad, RuntimeError):
            loop = asyncio.get_running_loop()
            end, last = loop.time() + 30, -1.0
            size, progress = transport.get_write_buffer_size(), loop.time()
            while size and not transport.is_closing() and last != 0:
                await asyncio.sleep(0.02)
                now = transport.get_write_buffer_size()
                if now < size:
                    progress = loop.time()
                size = now
                if loop.time() > progress + 1 or loop.time() > end:
                    transport.abort()
            if not transport.is_closing():
                writer.write_eof()
                async with asyncio.timeout(1):
                    while await reader.read(65_536):
                        pass
        writer.close()
        if transport.get_write_buffer_size():
            transport.abort()

    async def goodbye(self) -> None:
        self.members.clear()
        for writer in self.everybody:
            if not writer.transport.is_closing():
                with contextlib.suppress(RuntimeError, OSError):
                    writer.write(frame("* server is shutting down"))
                    writer.write_eof()
        await asyncio.sleep(1 if self.everybody else 0)


async def run(args: argparse.Namespace) -> int:
    chat = AsyncioChat(args)
    try:
        server = await asyncio.start_server(
            chat.serve, args.host, args.port, limit=2 * LIMIT, reuse_address=os.name == "posix"
        )
    except (OSError, UnicodeError) as error:
        print(f"cannot listen on {args.host}:{args.port}: {error}".split("\n")[0], file=sys.stderr)
        return 1
    stop = asyncio.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), stop.set)
    with contextlib.suppress(OSError):
        print("listening on {}:{}".format(*server.sockets[0].getsockname()[:2]), flush=True)
    await stop.wait()
    server.close()
    await chat.goodbye()
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--login-timeout", type=float, default=30)
    parser.add_argument("--max-clients", type=int, default=1000)
    parser.add_argument("--max-pending", type=int, default=1_048_576)
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
