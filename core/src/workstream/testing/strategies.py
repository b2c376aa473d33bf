"""Hypothesis strategies for plans, and for what fakes do; an optional extra.

::

    pip install 'workstream-engine[hypothesis]'
"""

from __future__ import annotations

from _workstream_testing.strategies import Acts as Acts
from _workstream_testing.strategies import acts as acts
from _workstream_testing.strategies import fakes as fakes
from _workstream_testing.strategies import plans as plans

__all__ = ["Acts", "acts", "fakes", "plans"]
