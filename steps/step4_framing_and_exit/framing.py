"""Frames: how messages keep their bounds in a stream of bytes that has none.

A frame is a header, the length N of the payload as a 4-byte unsigned big-endian integer, and
the payload, N bytes of UTF-8 text; N is at most 65,536. The same frame is Erlang's `{packet, 4}`,
Twisted's `Int32StringReceiver` and Netty's 4-byte length field.
"""

import re
import socket
import struct

HEADER = struct.Struct("!I")  # 4 bytes, unsigned; "!" is the order of the network: big-endian
MAX_PAYLOAD = 65_536  # bytes
CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer

# What could move the cursor, colour the screen, forge a line or turn the direction of writing:
# the control characters C0, DEL and C1, U+2028 and U+2029, and Unicode's Bidi_Control.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class FrameError(ValueError):
    """What was received, or is to be sent, is not a frame."""


def safe(text: str) -> str:
    """Replace each character that controls a terminal by U+FFFD, and a tab by a space."""
    if text.isprintable():  # almost every text: this is faster than the expression
        return text
    return UNSAFE.sub("\ufffd", text.replace("\t", " "))


def encode(text: str) -> bytes:
    """Return `text` as a frame; raise FrameError if it is too long."""
    payload = text.encode(errors="replace")
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"a message of {len(payload)} bytes is over the limit of {MAX_PAYLOAD}")
    return HEADER.pack(len(payload)) + payload


def send_frame(connection: socket.socket, text: str) -> None:
    """Send `text` as one frame; raise FrameError as `encode` does, OSError as `sendall` does."""
    connection.sendall(encode(text))


class FrameReader:
    """Takes frames out of a connection. It does not matter how the bytes were split."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = bytearray()  # what has arrived and was not taken yet; it can shrink in place
        self.error: FrameError | None = None  # what `take_all` has met

    def receive(self) -> str | None:
        """Wait for a frame and return its text; return None at the end of the stream.

        Raises what `fill` and `next_frame` raise.
        """
        while (text := self.next_frame()) is None:
            if not self.fill():
                return None
        return text

    def fill(self) -> int:
        """Wait for bytes; return how many have come, 0 if the stream has ended instead.

        Raises FrameError if it ended inside a frame, OSError as `recv` does.
        """
        if self.error:
            raise self.error
        data = self.connection.recv(CHUNK)
        if not data and self.buffer:
            raise FrameError("the stream ended inside a frame")
        self.buffer += data
        return len(data)

    def take_all(self) -> list[str]:
        """Return the texts of all frames that have arrived. Never waits."""
        texts = []
        try:
            while (text := self.next_frame()) is not None:
                texts.append(text)
        except FrameError as error:
            self.error = error  # first return the good frames; the next `fill` raises the error
        return texts

    def next_frame(self) -> str | None:
        """Return the text of the next frame if all of it has arrived, else None. Never waits.

        Raises FrameError for a length over the limit and for a payload that is not UTF-8.
        """
        if len(self.buffer) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self.buffer)
        if length > MAX_PAYLOAD:
            raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_PAYLOAD}")
        end = HEADER.size + length
        if len(self.buffer) < end:
            return None
        try:
            text = self.buffer[HEADER.size : end].decode()
        except UnicodeDecodeError as error:
            raise FrameError("the text is not valid UTF-8") from error
        del self.buffer[:end]
        return text
