"""Step 2: a chat for two. What one user sends goes to the other, both ways at once.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  two connections, and a thread for each direction.
Cannot do: answer a third person before one of the two has left, keep a user who stops
           reading.
"""

import signal

# Ctrl-C ends the program at once, also on Windows, and also while the modules are imported.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import queue
import socket
import sys
import threading

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer
STALL = 1.0  # seconds; a user who reads nothing of what is sent for so long counts as gone
FAREWELL = 0.4  # seconds that the last words of a pair may take
HERE = "the second user is here"


def listen(listener: socket.socket, host: str, port: int) -> None:
    """Bind `listener` to host:port: clients can connect from now on. Raises OSError if not."""
    if os.name == "posix":
        # Old connections stay in TIME_WAIT for a minute and would keep the port taken.
        # (On Windows this option would let two servers share one port.)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(socket.SOMAXCONN)  # the backlog: clients that may wait for `accept`


def announce(listener: socket.socket) -> None:
    """Print the address at which the server listens."""
    try:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    except OSError:  # a closed pipe, a full disk: the server works without this line
        pass


def tell(user: socket.socket, line: str) -> None:
    """Send a line of the server's own."""
    try:
        user.sendall(f"* {line}\n".encode())
    except OSError:  # this user has gone; the thread that receives from it says so
        pass


def shut_down(user: socket.socket, how: int) -> None:
    """End one or both directions of a connection that may be broken already."""
    try:
        user.shutdown(how)
    except OSError:
        pass


def receive(user: socket.socket) -> bytes:
    """Wait for bytes and return them, b"" at the end of the stream; a reset is an end, too."""
    while True:
        try:
            return user.recv(CHUNK)
        except TimeoutError:  # STALL is meant for sending: this user is just silent
            continue
        except OSError:
            return b""


class Pair:
    """Two users. The first one waits for the second; until then its words wait, too."""

    def __init__(self) -> None:
        self.users: list[socket.socket] = []
        self.threads: list[threading.Thread] = []  # one for each of the users
        self.second_came = False
        self.complete = threading.Event()  # set when both are here: their words may go
        self.gone: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()  # users who have left

    def add(self, user: socket.socket) -> None:
        """Take a user in, and start a thread for what this user sends."""
        self.users.append(user)
        self.threads.append(threading.Thread(target=self.relay, args=(user,), daemon=True))
        self.threads[-1].start()

    def relay(self, source: socket.socket) -> None:
        """Pass on all that `source` sends to the other user. Runs in a thread of its own."""
        while data := receive(source):
            self.complete.wait()
            if len(self.users) == 1:  # the pair was closed, nobody came
                break
            target = self.users[1] if source is self.users[0] else self.users[0]
            try:
                while data:  # not `sendall`: here STALL begins anew after each part that is taken
                    data = data[target.send(data) :]
            except OSError:  # the target has gone, or has read nothing for STALL seconds
                self.gone.put(target)  # and go on, to notice when `source` leaves
        self.gone.put(source)
        if not self.second_came:  # nobody to tell: let this client see the end of its stream
            shut_down(source, socket.SHUT_RDWR)

    def greet_first(self) -> bool:
        """Tell the first user that the second one is here; return False if the first has gone."""
        self.second_came = True
        try:
            self.users[0].sendall(f"* {HERE}\n".encode())
            # If the first client has ended, its system answers this line with a reset (RST).
            # When the RST has arrived, even an empty `send` fails.
            self.users[0].send(b"")
        except OSError:
            return False
        return self.gone.empty()

    def talk(self) -> None:
        """Let the two users talk until one leaves, or takes nothing; tell the other one."""
        self.complete.set()
        gone = self.gone.get()
        stays = 1 - self.users.index(gone)
        self.users[stays].settimeout(FAREWELL)
        tell(self.users[stays], "the other user has left")
        shut_down(self.users[stays], socket.SHUT_WR)
        self.threads[stays].join(FAREWELL)  # the last words of the one who stays may still go

    def close(self) -> None:
        """Disconnect the users: a thread that still sends or receives for them gets an error."""
        for user in self.users:
            shut_down(user, socket.SHUT_RDWR)
            user.close()
        self.complete.set()  # a first user's thread waits no longer, and ends


def serve(listener: socket.socket) -> None:
    """Bring users together, two by two, for ever."""
    pair = Pair()
    while True:
        try:
            user, _ = listener.accept()
            # Send small messages at once, do not collect them (Nagle's algorithm).
            user.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # this client has gone: continue with the next one
            continue
        user.settimeout(STALL)
        if pair.users and pair.greet_first():
            tell(user, HERE)
            pair.add(user)
            pair.talk()
            pair.close()
            pair = Pair()
        else:  # this is the first one, or the first one has gone
            pair.close()
            pair = Pair()
            tell(user, "waiting for the second user")
            pair.add(user)


def main() -> int:
    """Read the command line and serve; return the exit status if that is impossible."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    args = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listen(listener, args.host, args.port)
        except (OSError, OverflowError, TypeError, ValueError) as error:
            print(f"cannot listen on {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
        announce(listener)
        serve(listener)


if __name__ == "__main__":
    sys.exit(main())
