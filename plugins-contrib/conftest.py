"""No test of a plugin is skipped unseen."""

from no_unseen_skips import *  # noqa: F403
