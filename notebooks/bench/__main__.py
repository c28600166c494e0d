"""Measures the chat servers side by side and prints one table: `python notebooks/bench`.

About 9 minutes; with --quick, a minute and rough figures. Take the ratios, not the figures.
"""

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run as a folder: then the folder is on the path, and not what holds it
    sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.path.append(str(Path(__file__).resolve().parents[2] / "steps"))

from tools import entry

try:
    from tqdm import tqdm

    from bench import suite, tables
    from bench.measurement import put_load_on
    from bench.servers import SERVERS
except ModuleNotFoundError as error:
    sys.exit(entry.missing("bench", error, "notebooks"))


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> None:
        """Print one line and exit with status 2."""
        self.exit(2, f"bench: {message}\n")


def listed(known: dict) -> Callable[[str], list[str]]:
    """Return what turns `a,b` into a list of names that are known."""

    def names(text: str) -> list[str]:
        wanted = [name.strip() for name in text.split(",") if name.strip()]
        for name in wanted:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        if not wanted:
            raise argparse.ArgumentTypeError(f"give some of {', '.join(known)}")
        return [name for name in known if name in wanted]

    return names


def whole(most: int) -> Callable[[str], int]:
    """Return what turns text into a number from 1 to `most`."""

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {most}")
        return int(text)

    return convert


def writable(text: str) -> Path:
    """Return the path of a file that can be written as far as its folder goes."""
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"cannot write {text!r}")
    return path


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, once; a minute")
    parser.add_argument("--servers", type=listed(SERVERS), default=list(SERVERS), metavar="A,B")
    parser.add_argument("--modes", type=listed(suite.MODES), default=list(suite.MODES))
    parser.add_argument("--repeat", type=whole(100), help="repetitions (3; with --quick 1)")
    parser.add_argument("--rate", type=whole(100_000), default=3000, help="messages/s (3000)")
    parser.add_argument("--seed", type=int, default=1, help="for the order of the servers")
    parser.add_argument("--json", type=writable, metavar="FILE", help="keep all results")
    return parser.parse_args()


def run(args: argparse.Namespace) -> suite.CaseResults:
    """Measure everything, with a bar of progress where somebody watches."""
    sizes = dataclasses.replace(suite.QUICK if args.quick else suite.FULL, rate=args.rate)
    results = suite.CaseResults(sizes)
    repeat = args.repeat or (1 if args.quick else 3)
    cases = suite.plan(args.modes, args.servers, sizes, repeat, args.seed)
    quiet = not sys.stdout.isatty() or bool(os.environ.get("CI"))
    with tqdm(cases, file=sys.stdout, disable=quiet, unit="case", leave=False) as bar:
        for case in bar:
            bar.set_description(str(case))
            results.add(case, put_load_on(SERVERS[case.server], suite.settings(case, sizes)))
    return results


def interrupt(signum: int, frame: object) -> None:
    """Turn the first Ctrl-C or SIGTERM into KeyboardInterrupt, and ignore further ones."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Measure and report; return the exit status."""
    args = read_arguments()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    for name, why in suite.unavailable(args.servers).items():
        print(f"without {SERVERS[name].title}: {why}")
        args.servers.remove(name)
    try:
        results = run(args)
        print(tables.text(results, args.servers))
        if args.json:
            args.json.write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 1 if results.errors() else 0


if __name__ == "__main__":
    sys.exit(entry.run("bench", main))
