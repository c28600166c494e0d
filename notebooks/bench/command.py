"""The command line of the servers to compare with: `[--host 127.0.0.1] [--port 8080]`."""

import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable


def run(serve: Callable[[str, int], None], what: str) -> int:
    """Have `serve` serve on a host and a port until Ctrl-C; return the exit status."""
    parser = ArgumentParser(description=what.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        serve(args.host, args.port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"cannot listen on {args.host}:{args.port}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def announce(address: tuple) -> None:
    """Print where a server listens, as the servers of the steps do."""
    print("listening on {}:{}".format(*address), flush=True)
