"""What peers do that no well-behaved client does."""

import random

from tools.harness import Chat, Frames

KINDS = [
    *["reset", "half-close", "inside a frame", "4 GB", "no UTF-8", "HTTP", "random", "at once"],
    *["nameless", "unread"],
]


def misbehave(chat: Chat, kind: str, chance: random.Random) -> None:
    """Connect, do something of this kind, and go."""
    peer = chat.connect(kind)
    chat.people.remove(peer)
    try:
        if kind == "reset":
            peer.say("reset", "one")
            peer.reset()
            return
        if kind == "half-close":
            peer.half_close()
            peer.skip_to_end()
        elif kind == "inside a frame":
            peer.send(Frames.encode("never complete")[: chance.randrange(1, 10)])
        elif kind == "4 GB":
            peer.send(b"\xff\xff\xff\xff")
        elif kind == "no UTF-8":
            peer.send(b"\0\0\0\2\xff\xfe")
        elif kind == "HTTP":
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        elif kind == "nameless":  # each refused name is answered, and no answer is read
            peer.send(Frames.encode("no name") * chance.randrange(1000, 5000))
        elif kind == "unread":
            peer.say("unread", *["/who"] * chance.randrange(1000, 5000))
        elif kind == "random":
            peer.send(chance.randbytes(chance.randrange(1, 5000)))
    except OSError:  # the server was quicker
        pass
    peer.close()
