"""Step 3 by its protocol alone, in another design: a queue and two threads for each user.

The tests run against it to show that they ask for no more than steps/PROTOCOL.md says. One thread
handles all events of the room, in one order; a thread per user writes what waits in its queue.
"""

import argparse
import queue
import re
import signal
import socket
import sys
import threading

NAME = re.compile(r"[\w.-]{1,32}")
QUESTION = b"* enter your nickname\n"


class Member:
    """A connection, and the queue of what is to be written to it. None ends it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.outgoing: queue.Queue[bytes | None] = queue.Queue()
        self.name = ""

    def write(self) -> None:
        while (data := self.outgoing.get()) is not None:
            try:
                self.connection.sendall(data)
            except OSError:
                pass
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()


class Hub:
    """The thread that knows who is here. Others only put events into its inbox."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[tuple] = queue.Queue()
        self.members: dict[str, Member] = {}

    def run(self) -> None:
        while True:
            event, member, data = self.inbox.get()
            getattr(self, f"on_{event}")(member, data)

    def tell(self, data: bytes, author: Member) -> None:
        for member in self.members.values():
            if member is not author:
                member.outgoing.put(data)

    def on_connected(self, member: Member, data: bytes) -> None:
        member.outgoing.put(QUESTION)

    def on_data(self, member: Member, data: bytes) -> None:
        if member.name:
            self.tell(f"{member.name}: ".encode() + data, member)
            return
        name = data.decode(errors="replace").strip()
        if not NAME.fullmatch(name):
            member.outgoing.put(b"* letters, digits, _ - and . only, 32 at most\n" + QUESTION)
        elif name.casefold() in self.members:
            member.outgoing.put(b"* somebody else has this name\n" + QUESTION)
        else:
            member.name = name
            member.outgoing.put(f"* welcome, {name}\n".encode())
            self.tell(f"* {name} joined\n".encode(), member)
            self.members[name.casefold()] = member

    def on_end(self, member: Member, data: bytes) -> None:
        member.outgoing.put(None)
        if member.name:
            del self.members[member.name.casefold()]
            self.tell(f"* {member.name} left\n".encode(), member)


def read(member: Member, hub: Hub) -> None:
    try:
        while data := member.connection.recv(65_536):
            hub.inbox.put(("data", member, data))
    except OSError:
        pass
    hub.inbox.put(("end", member, b""))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((args.host, args.port))
    except (OSError, UnicodeError) as error:
        print(f"no way to listen on {args.host}:{args.port}, since {error}", file=sys.stderr)
        return 1
    listener.listen(100)
    try:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    except OSError:
        pass
    hub = Hub()
    threading.Thread(target=hub.run, daemon=True).start()
    while True:
        connection, _ = listener.accept()
        member = Member(connection)
        hub.inbox.put(("connected", member, b""))
        threading.Thread(target=read, args=(member, hub), daemon=True).start()
        threading.Thread(target=member.write, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
