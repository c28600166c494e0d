"""What a simulated user says to each kind of server, and what its recipients get, in bytes.

A message carries a payload, of 64 bytes if nothing else is said: `=`, a sequence number of 12
digits, dots, and a last byte that is a newline where messages are lines. `=` stands nowhere else
in the stream, so that a message is found whatever a server has put around it.
"""

import copy
import struct

import numpy as np

PAYLOAD = 64  # bytes
MARK = b"="
DIGITS = 12
POWERS = 10 ** np.arange(DIGITS - 1, -1, -1, dtype=np.int64)


class Raw:
    """Bytes in, the same bytes out: the forwarder."""

    size = PAYLOAD  # bytes of a payload
    end = b"\n"  # the last byte of a payload
    joins_at_once = 64  # users who may be on their way into the room
    whole = False  # True if recipients get whole messages of one fixed size
    glued = False  # True if a nickname stands before some messages only: newlines count them

    def sized(self, size: int) -> "Raw":
        """Return the same dialect with payloads of another size."""
        other = copy.copy(self)
        other.size = size
        return other

    def hello(self, nick: str) -> bytes:
        """Return what a newcomer sends to join."""
        return b""

    def welcome(self, nick: str) -> bytes:
        """Return bytes by which a newcomer knows that the server has let it in."""
        return b""

    def message(self, payload: bytes) -> bytes:
        """Return what a sender writes."""
        return payload

    def delivered(self, nick: str, payload: bytes) -> bytes:
        """Return what each recipient gets."""
        return payload

    def payload(self, number: int) -> bytes:
        """Return the payload with this sequence number."""
        return (MARK + b"%0*d" % (DIGITS, number)).ljust(self.size - 1, b".") + self.end


class LineDialect(Raw):
    """Step 3: a nickname, then lines. Two that come in one `recv` have one author."""

    glued = True
    joins_at_once = 1  # "joined" of two who come together may or may not reach both

    def hello(self, nick: str) -> bytes:
        """Return what a newcomer sends to join."""
        return f"{nick}\n".encode()

    def welcome(self, nick: str) -> bytes:
        """Return bytes by which a newcomer knows that the server has let it in."""
        return f"* welcome, {nick}\n".encode()

    def delivered(self, nick: str, payload: bytes) -> bytes:
        """Return what each recipient gets."""
        return f"{nick}: ".encode() + payload


class FrameDialect(Raw):
    """Step 4: a length of 4 bytes, then the text."""

    end = b"."
    whole = True

    def hello(self, nick: str) -> bytes:
        """Return what a newcomer sends to join."""
        return self.message(nick.encode())

    def welcome(self, nick: str) -> bytes:
        """Return bytes by which a newcomer knows that the server has let it in."""
        return self.message(f"* welcome, {nick}".encode())

    def message(self, payload: bytes) -> bytes:
        """Return what a sender writes."""
        return struct.pack("!I", len(payload)) + payload

    def delivered(self, nick: str, payload: bytes) -> bytes:
        """Return what each recipient gets."""
        return self.message(f"{nick}: ".encode() + payload)


class Irc(Raw):
    """ngIRCd: everybody joins one channel and speaks there. Its CloakHost is `bench`."""

    end = b"."
    whole = True

    def hello(self, nick: str) -> bytes:
        """Return what a newcomer sends to join."""
        return f"NICK {nick}\r\nUSER u 0 * :u\r\nJOIN &bench\r\n".encode()

    def welcome(self, nick: str) -> bytes:
        """Return bytes by which a newcomer knows that the server has let it in."""
        return f" 366 {nick} &bench ".encode()

    def message(self, payload: bytes) -> bytes:
        """Return what a sender writes."""
        return b"PRIVMSG &bench :" + payload + b"\r\n"

    def delivered(self, nick: str, payload: bytes) -> bytes:
        """Return what each recipient gets."""
        return f":{nick}!~u@bench PRIVMSG &bench :".encode() + payload + b"\r\n"


DIALECTS = {"raw": Raw(), "lines": LineDialect(), "frames": FrameDialect(), "irc": Irc()}


def messages(dialect: Raw, first: int, count: int) -> bytes:
    """Return `count` messages in a row, numbered from `first`."""
    block = np.frombuffer(dialect.message(dialect.payload(0)) * count, dtype=np.uint8)
    block = block.reshape(count, -1).copy()
    start = dialect.message(dialect.payload(0)).index(MARK) + 1
    numbers = np.arange(first, first + count, dtype=np.int64)
    block[:, start : start + DIGITS] = numbers[:, None] // POWERS % 10 + ord("0")
    return block.tobytes()


def find_messages(stream: np.ndarray, dialect: Raw) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of all whole payloads in a stream of bytes, and where each one ends."""
    starts = np.flatnonzero(stream == ord(MARK))
    starts = starts[starts + dialect.size <= len(stream)]
    starts = starts[stream[starts + dialect.size - 1] == dialect.end[0]]
    digits = stream[starts[:, None] + np.arange(1, DIGITS + 1)].astype(np.int64) - ord("0")
    sound = ((digits >= 0) & (digits <= 9)).all(axis=1)
    return (digits[sound] * POWERS).sum(axis=1), starts[sound] + dialect.size - 1
