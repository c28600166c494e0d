"""Step 1."""

from every_step import *  # noqa: F403

STEP = 1
