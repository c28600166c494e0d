"""The load generator: simulated users in one thread, in a process apart from the server's.

Run in `notebooks/`:  echo '{"mode": "single", "port": 8080, "users": 10}' | python -m bench.load
It reads its settings as JSON (see `settings`), prints its results as JSON, and saves the latencies
as an array where "samples" names a file. One clock (`time.perf_counter_ns`) stamps both ends of a
delivery.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable

import psutil

from bench.attacks import run_pair
from bench.dialects import DIALECTS
from bench.processors import pin
from bench.rate import run_rate, run_stall
from bench.saturation import run_saturation
from bench.settings import ATTACKS, Settings
from bench.single import run_crowd, run_idle, run_single
from bench.users import Gathering, LoadError, gather

RUN: dict[str, Callable[[Gathering, Settings], dict]] = {
    "single": run_single,
    "rate": run_rate,
    "stall": run_stall,
    "saturation": run_saturation,
    "crowd": run_crowd,
    "idle": run_idle,
    **dict.fromkeys(ATTACKS, run_pair),
}


def joined(settings: Settings) -> tuple[Gathering, dict]:
    """Return the users, and what their joining cost: seconds, and memory of the server."""
    server = psutil.Process(settings.pid) if settings.pid else None
    before = server.memory_info().rss if server else 0
    start = time.perf_counter()
    dialect = DIALECTS[settings.dialect].sized(settings.payload)
    gathering = gather((settings.host, settings.port), dialect, settings.users, settings.joining)
    result = {"join_seconds": time.perf_counter() - start}
    if server:
        memory = server.memory_info().rss - before
        result["server_kb_per_user"] = memory / 1000 / settings.users
    return gathering, result


def raise_file_limit() -> int:
    """Allow this process and its children as many open files as the system does; say how many."""
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return sys.maxsize
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS: the hard limit may be more than the system grants
        hard = soft
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def main() -> int:
    """Read the settings from standard input, print the results; return the exit status."""
    try:
        values = json.load(sys.stdin)
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
        settings = Settings(**values)
        settings.check()
    except (TypeError, ValueError) as error:
        print(f"bad settings: {error}", file=sys.stderr)
        return 2
    raise_file_limit()
    if settings.processor is not None:
        pin(os.getpid(), settings.processor)
    gc.disable()  # a collection in the middle of a run would look like a slow server
    try:
        gathering, result = joined(settings)
        result |= RUN[settings.mode](gathering, settings)
        gathering.close()
        print(json.dumps(result))
        return 0
    except (LoadError, OSError, psutil.Error) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
