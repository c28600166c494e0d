"""Frames: how messages keep their bounds in a stream of bytes that has none.

A frame is a header, the length N of the payload as a 4-byte unsigned big-endian integer, and
the payload, N bytes of UTF-8 text; N is at most 65,536. Erlang's `{packet, 4}`, Twisted's
`Int32StringReceiver` and Netty's 4-byte length field speak the same.
"""

import re
import socket
import struct
import time
from collections import deque

HEADER = struct.Struct("!I")  # "network order": big-endian
MAX_PAYLOAD = 65_536  # bytes
CHUNK = 16_384  # the most bytes that one `recv` may return; it may return fewer

# What could move the cursor, colour the screen, forge a line or turn the direction of writing:
# the control characters C0, DEL and C1, U+2028 and U+2029, and Unicode's Bidi_Control.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class FrameError(ValueError):
    """What was sent, or is to be sent, is not a frame."""


def safe(text: str) -> str:
    """Return `text` with U+FFFD in place of everything that a terminal would obey."""
    # What is printable holds none of these, and to ask first is faster.
    return text if text.isprintable() else UNSAFE.sub("\ufffd", text)


def encode(text: str) -> bytes:
    """Return `text` as a frame; raise FrameError where it is too long or is not Unicode."""
    try:
        payload = text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise FrameError("the text is not valid Unicode") from error
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"a message of {len(payload)} bytes is over the limit of {MAX_PAYLOAD}")
    return HEADER.pack(len(payload)) + payload


def send_frame(connection: socket.socket, text: str) -> None:
    """Send `text` as one frame; raise FrameError as `encode` does, OSError as `sendall` does."""
    connection.sendall(encode(text))


class FrameReader:
    """Takes frames out of a connection, however the stream was cut on its way."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = bytearray()  # what has arrived and is not yet a whole frame
        self.texts: deque[str] = deque()  # the whole frames that nobody has asked for yet
        self.fault: FrameError | None = None  # what is wrong with the frame after these

    def receive(self, deadline: float | None = None) -> str | None:
        """Wait for one frame and return its text; None if the stream ends between frames.

        Raises FrameError for a length over the limit, a payload that is not UTF-8 and a stream
        that ends inside a frame; OSError as `recv` does, and TimeoutError if the frame is not
        complete at `deadline` (a time of `time.monotonic()`).
        """
        return self.texts.popleft() if self._wait(deadline) else None

    def receive_all(self) -> list[str]:
        """Wait for one frame, return it and all that came with it; [] at the end of the stream.

        Raises what `receive` raises, but first returns the frames before the faulty one.
        """
        self._wait()
        texts = list(self.texts)
        self.texts.clear()
        return texts

    def _wait(self, deadline: float | None = None) -> bool:
        """Receive until there is a whole frame; return False if the stream ends instead."""
        while not self.texts:
            if self.fault:
                raise self.fault
            if deadline is not None:
                self.connection.settimeout(max(deadline - time.monotonic(), 1e-6))
            data = self.connection.recv(CHUNK)
            if not data and self.buffer:
                raise FrameError("the stream ended inside a frame")
            if not data:
                return False
            self.buffer += data
            try:
                self._take_frames()
            except FrameError as fault:  # to be raised when what came before it has been taken
                self.fault = fault
        return True

    def _take_frames(self) -> None:
        """Move the texts of all whole frames out of the buffer; FrameError at a faulty one."""
        while len(self.buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self.buffer)
            if length > MAX_PAYLOAD:
                raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_PAYLOAD}")
            end = HEADER.size + length
            if len(self.buffer) < end:
                return
            try:
                self.texts.append(self.buffer[HEADER.size : end].decode())
            except UnicodeDecodeError as error:
                raise FrameError("the text is not valid UTF-8") from error
            del self.buffer[:end]
