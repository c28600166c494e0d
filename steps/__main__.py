"""Chooses a tool for the four steps, out of the folder `tools`.

Run:       python3 steps [STEP]            the tour: all four steps, or one of them, played live
           python3 steps check [FOLDER]    checks a chat of yours: python3 steps check --help
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `python3 -m steps` does not do this by itself

from tools import tour
from tools.check import main as check

if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        sys.exit(check.run(sys.argv[2:]))
    sys.exit(tour.run(sys.argv[1:]))
