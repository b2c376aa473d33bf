"""No test of the harness is skipped unseen."""

from no_unseen_skips import *  # noqa: F403
