"""Chooses a tool for the four steps, out of the folder `tools`.

Run:       python3 steps [STEP]       the tour: all four steps, or one of them, played live
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `python3 -m steps` does not do this by itself

from tools import entry, tour

if __name__ == "__main__":
    sys.exit(entry.run("steps", lambda: tour.main(sys.argv[1:])))
