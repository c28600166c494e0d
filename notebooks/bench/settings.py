"""What the load generator is to do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.dialects import DIALECTS, DIGITS, PAYLOAD

ATTACKS = ("storm", "flood", "paste")  # modes in which others do their worst beside the users
MODES = ("single", "rate", "stall", "saturation", "crowd", "idle", *ATTACKS)


@dataclass
class Settings:
    """What to do. Times in seconds."""

    mode: str
    port: int
    host: str = "127.0.0.1"
    dialect: str = "frames"
    users: int = 100
    senders: int = 10  # of the users; in mode "single" see `turns`
    messages: int = 200  # in mode "single"
    payload: int = PAYLOAD  # bytes of a message, without its header
    turns: bool = True  # in mode "single": all take turns; otherwise the first user speaks alone
    rate: float = 3000.0  # messages per second of all senders together, in mode "rate"
    seconds: float = 2.0  # for which load is offered, or silence is watched
    uncounted: float = 0.0  # at the beginning of mode "rate": messages due then do not count
    warm_up: float = 0.5  # before the counting in mode "saturation"
    drain: float = 2.0  # for which deliveries are awaited after the last message
    stall_at: float = 1.0  # when the last user stops reading, in mode "stall"
    joining: float = 60.0  # for all users to join
    attackers: int = 0  # programs of a storm, users of a flood, those who do not read a paste
    pasted: int = 20_000_000  # bytes, in mode "paste"
    pid: int | None = None  # of the server, to see its memory and its use of the processor
    processor: int | None = None  # on which to stay, without sleeping in mode "single"
    samples: str | None = None  # file for the latencies in milliseconds, float32, `.npy`; in
    # mode "stall" for the rows (due, arrived) of one healthy user, microseconds, int64

    def check(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        if self.mode not in MODES:
            raise ValueError(f"no such mode: {self.mode}")
        if self.dialect not in DIALECTS:
            raise ValueError(f"no such dialect: {self.dialect}")
        if not 2 <= self.users <= 8000:  # the names of more do not fit into one frame
            raise ValueError("users must be from 2 to 8000")
        if not 1 <= self.senders <= self.users:
            raise ValueError("senders must be from 1 to the number of users")
        if self.payload < DIGITS + 2:  # the mark before the digits, the end behind them
            raise ValueError(f"a payload has at least {DIGITS + 2} bytes")
        if self.mode == "stall" and self.users < 3:
            raise ValueError("mode stall needs a sender, a healthy reader and one who stops")
        if self.mode in ATTACKS and (self.users, self.senders) != (2, 1):
            raise ValueError("beside attackers, one user talks and one listens")
        if self.mode in ATTACKS and (self.attackers < 1 or self.pasted < 1):
            raise ValueError("no attack without attackers")
        waits = (self.drain, self.warm_up, self.uncounted)
        if min(self.messages, self.rate, self.seconds) <= 0 or min(waits) < 0:
            raise ValueError("numbers and times must be positive")
        if self.pid is None and self.mode in ("crowd", "idle"):
            raise ValueError(f"mode {self.mode} needs the pid of the server")

    def save(self, samples: np.ndarray) -> None:
        """Keep the single latencies, or a time line, if that is wanted."""
        if self.samples:
            np.save(Path(self.samples), samples)
