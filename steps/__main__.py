"""Chooses a tool for the four steps, out of the folder `tools`.

Run:       python3 steps [STEP]       the tour: all four steps, or one of them, played live
           python3 steps probe NAME   an experiment on a chat of step 3 or 4 that is running
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `python3 -m steps` does not do this by itself

from tools import entry, probe, tour

TOOLS = {"probe": probe.main}


def main(arguments: list[str]) -> int:
    """Run the tool that the first argument names, else the tour; return the exit status."""
    if arguments and arguments[0] in TOOLS:
        return TOOLS[arguments[0]](arguments[1:])
    return tour.main(arguments)


if __name__ == "__main__":
    sys.exit(entry.run("steps", lambda: main(sys.argv[1:])))
