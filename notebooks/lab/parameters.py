"""How much is measured: the parameters of the notebook, each settable by the environment."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace

PREFIX = "LAB_"
OTHERS = {f"{PREFIX}QUICK", f"{PREFIX}RESULTS", f"{PREFIX}PROGRESS"}
SWITCHES = {"": False, "0": False, "1": True}
LEAST = {"seed": 0, "bootstrap": 10, "sizes": 2, "stall_users": 3}  # else: more than 0
LEAST |= {"rate_users": 2, "nagle_users": 2, "cost_users": 2, "control_users": 2}
LEAST |= {"price_users": 2, "stall_bytes": 14, "message_bytes": 14, "stall_at": 0.1}
USERS = 8000  # so many names fit into one frame of step 4
MOST = {"sizes": USERS, "rate_users": USERS, "stall_users": USERS, "nagle_users": USERS}
MOST |= {"cost_users": USERS, "control_users": USERS, "price_users": USERS}
MOST |= {"stall_bytes": 65_000, "message_bytes": 65_000}  # a frame of step 4 holds 65 536


class ParameterError(ValueError):
    """A variable of the environment that makes no sense."""


@dataclass(frozen=True)
class Parameters:
    """The parameters of one run of the notebook. `sizes` and `users` count all clients."""

    seed: int  # of the order of runs and of the bootstrap
    repeats: int  # of every measurement, each with a server process of its own
    rounds: int  # the same for rooms of all sizes, from which the line is drawn; at least
    seconds: float  # the time that is left until then goes to more of these rounds
    bootstrap: int  # resamplings for an interval
    message_bytes: int  # of a message, where nothing else is said
    sizes: tuple[int, ...]  # numbers of clients
    messages: int  # in a run, at most
    deliveries: int  # in a run, about: with more clients there are fewer messages
    control_users: int  # in the room that is measured without pinning, too
    rates: tuple[int, ...]  # messages per second, of all clients together
    rate_users: int
    rate_seconds: float
    uncounted_seconds: float  # before the counting under load
    drain_seconds: float  # for which deliveries are awaited after the last message
    limit_ms: float  # a server whose p99 is over it has broken
    batch_rate: int  # messages per second in the section on batches
    saturation_seconds: float
    stall_rate: int  # messages per second
    stall_bytes: int  # of a message
    stall_users: int
    stall_at: float  # seconds after which one client stops reading
    stall_seconds: float
    stall_drain: float
    nagle_users: int
    nagle_messages: int
    cost_users: int
    cost_messages: int
    price_users: tuple[int, ...]  # rooms in which the calls of `send` are timed, besides

    def check(self) -> None:
        """Raise ParameterError where a value makes no sense."""
        for field in fields(self):
            value = getattr(self, field.name)
            for one in value if isinstance(value, tuple) else (value,):
                enough = one >= LEAST[field.name] if field.name in LEAST else one > 0
                if not enough or not math.isfinite(one) or one > MOST.get(field.name, one):
                    raise ParameterError(f"{PREFIX}{field.name.upper()}: {one} is out of range")
        if len(set(self.sizes)) < 3:
            raise ParameterError(f"{PREFIX}SIZES: a line needs at least three sizes")
        if self.stall_seconds <= self.stall_at:
            raise ParameterError(f"{PREFIX}STALL_SECONDS: one stops after {self.stall_at:g} s")


def from_environment(
    full: Parameters, quick: Parameters, environment: Mapping[str, str] = os.environ
) -> Parameters:
    """Return `full`, or `quick` with LAB_QUICK=1, changed by variables such as LAB_SIZES=2,5,10.

    Raises ParameterError for a value that is none.
    """
    known = {PREFIX + field.name.upper() for field in fields(Parameters)} | OTHERS
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise ParameterError(f"{name}: there is no such parameter")
    switch = environment.get(f"{PREFIX}QUICK", "")
    if switch not in SWITCHES:
        raise ParameterError(f"{PREFIX}QUICK: {switch!r} is neither 0 nor 1")
    chosen = quick if SWITCHES[switch] else full
    parameters = replace(chosen, **changes(environment))
    parameters.check()
    return parameters


def changes(environment: Mapping[str, str]) -> dict:
    """Return the parameters that the environment sets."""
    found = {}
    for field in fields(Parameters):
        text = environment.get(PREFIX + field.name.upper())
        if text is not None:
            convert, kind = CONVERTERS[field.type]
            try:
                found[field.name] = convert(text)
            except ValueError:
                raise ParameterError(
                    f"{PREFIX}{field.name.upper()}: {text!r} is no {kind}"
                ) from None
    return found


def numbers(text: str) -> tuple[int, ...]:
    """Return `2,5,10` as sorted numbers, each once."""
    return tuple(sorted({int(word) for word in text.split(",")}))


CONVERTERS: dict[type, tuple[Callable, str]] = {
    int: (int, "whole number"),
    float: (float, "number"),
    tuple[int, ...]: (numbers, "whole number, nor several like 2,10,100"),
}


def as_dict(parameters: Parameters) -> dict:
    """Return the parameters as JSON can hold them."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(parameters).items()}
