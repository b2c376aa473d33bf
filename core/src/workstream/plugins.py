"""For plugin authors: types of questions and answers, and helpers for plugins.

::

    from workstream.plugins import Preview, path_faults, refuse, temporary_name

The classes to inherit from are in ``workstream``.
"""

from ._authoring.contexts import FilteredContext, LookingContext, NoSignals
from ._authoring.errors import leaves_of
from ._authoring.faults import (
    argument_faults,
    environment_faults,
    flag_faults,
    number_faults,
    numbered,
    path_faults,
    refuse,
    text_faults,
    words_faults,
)
from ._authoring.mounts import is_mount
from ._authoring.names import is_temporary_name, temporary_name
from ._authoring.patterns import Pattern
from ._authoring.programs import python_interpreter
from ._authoring.timeouts import explained_timeout
from ._protocols.observer import Observation, Observer
from ._protocols.plugin import (
    NOT_DONE,
    PLUGIN_API,
    AnyPlugin,
    BasePlugin,
    NotDone,
    Plugins,
    Signal,
)
from ._protocols.preview import Preview, PreviewContext
from ._secrets.captured_output import CapturedOutput
from ._secrets.redactor import Redactor
from ._values.state import NoteValue
from .retries import RetryPolicy

__all__ = [
    "NOT_DONE",
    "PLUGIN_API",
    "AnyPlugin",
    "BasePlugin",
    "CapturedOutput",
    "FilteredContext",
    "LookingContext",
    "NoSignals",
    "NotDone",
    "NoteValue",
    "Observation",
    "Observer",
    "Pattern",
    "Plugins",
    "Preview",
    "PreviewContext",
    "Redactor",
    "RetryPolicy",
    "Signal",
    "argument_faults",
    "environment_faults",
    "explained_timeout",
    "flag_faults",
    "is_mount",
    "is_temporary_name",
    "leaves_of",
    "number_faults",
    "numbered",
    "path_faults",
    "python_interpreter",
    "refuse",
    "temporary_name",
    "text_faults",
    "words_faults",
]
