"""A ``plan`` function as a click command: its parameters are options, given by ``-p``.

The command is made from the function's signature and docstring. click converts the values,
refuses wrong ones and lays out the help.
"""

from __future__ import annotations

import collections.abc
import difflib
import enum
import functools
import inspect
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import click

from .._secrets.references import HIDDEN, SecretRef
from .._secrets.scan import is_reference, looks_secret
from .._values.annotations import members
from .._values.display import display, shorten
from .._values.durations import duration_of
from .._values.errors import SecretError
from .._values.leaves import LEAVES, leaf_from
from .value_files import MARK, ValueFileError, Values, read_values

if TYPE_CHECKING:
    # Generic for type checkers alone: older versions of click know no arguments.
    Kind: TypeAlias = click.ParamType[Any, Any]
else:
    Kind = click.ParamType

_EMPTY = inspect.Parameter.empty
_EXAMPLES = {
    "datetime": ", such as 2031-05-01T18:00+02:00",
    "date": ", such as 2031-05-01",
    "time": ", such as 18:00",
}
_MANY: dict[Any, Callable[[Sequence[Any]], Any]] = {
    list: list,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    tuple: tuple,
    set: set,
    collections.abc.Set: frozenset,
    frozenset: frozenset,
}
"""The types that take several values, and how one is made of them."""


# -- From an annotation to a type of click's -------------------------------------------


class Told(Kind):
    """A value that one text stands for, of a type that click does not have."""

    def __init__(self, name: str, read: Callable[[str], Any], wanted: str) -> None:
        """Describe the type.

        Args:
            name: What the help shows in place of a value.
            read: Makes the value of a text; raises ValueError where it cannot.
            wanted: Goes on after "is not": ``a date, such as 2031-05-01``.
        """
        self.name = name
        self._read = read
        self._wanted = wanted

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """See click."""
        try:
            return self._read(value)
        except (ValueError, RuntimeError):  # of ~user, where there is no such home
            self.fail(f"{shorten(value)!r} is not {self._wanted}.", param, ctx)


def _reference(text: str) -> SecretRef:
    try:
        return SecretRef(text)
    except SecretError as error:
        raise ValueError(text) from error


_SIMPLE: dict[Any, Kind] = {
    str: click.STRING,
    bool: click.BOOL,
    int: click.INT,
    float: click.FLOAT,
    timedelta: Told(
        "DURATION", duration_of, "a length of time, such as 90, 1.5s, 10m or 1h30m"
    ),
    SecretRef: Told(
        "REFERENCE", _reference, "a reference to a secret, such as env:DEPLOY_TOKEN"
    ),
}


def kind_of(annotation: Any) -> Kind | None:
    """click's type for one value; None: no text can stand for it."""
    found = members(annotation)
    kinds = [kind for kind in map(_kind_of, found) if kind is not None]
    if len(found) < 2 or not kinds:
        return kinds[0] if kinds else None
    # A text is a text, whatever it looks like: so that is tried last.
    kinds.sort(key=lambda kind: kind is click.STRING)
    is_optional = types.NoneType in found and click.STRING not in kinds

    def read(text: str) -> Any:
        if is_optional and not text:
            return None
        for kind in kinds:
            try:
                return kind.convert(text, None, None)
            except click.BadParameter:
                continue
        raise ValueError(text)

    if len(kinds) == 1 and not is_optional:
        return kinds[0]
    name = "|".join(dict.fromkeys(map(_shown, kinds)))
    return Told(name, read, f"a value for {name}")


def _kind_of(member: Any) -> Kind | None:
    """The same of one member of a union."""
    if get_origin(member) is Literal:
        return _choice({str(each): each for each in get_args(member)})
    if member is Any:
        return click.STRING
    if not isinstance(member, type):
        return None
    if member in _SIMPLE:
        return _SIMPLE[member]
    if issubclass(member, enum.Enum):
        names = {each.name: each for each in member}
        values = {str(each.value): each for each in member}
        return _choice(
            names, values | {name.lower(): each for name, each in names.items()}
        )
    if member not in LEAVES:
        return None
    name = member.__name__
    article = "an" if name[0] in "AEIO" else "a"
    wanted = f"{article} {name}{_EXAMPLES.get(name, '')}"
    return Told(name.upper(), functools.partial(_leaf, member), wanted)


def _choice(names: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> Told:
    """One of these; other spellings are taken too."""
    spelt = {**(others or {}), **names}

    def read(text: str) -> Any:
        for each in (text, text.lower().replace("-", "_")):
            if each in spelt:
                return spelt[each]
        raise ValueError(text)

    return Told("|".join(names), read, f"one of {', '.join(names)}")


def _leaf(cls: type, text: str) -> Any:
    value = leaf_from(text, cls)
    return value.expanduser() if isinstance(value, Path) else value


def _shown(kind: Kind) -> str:
    return kind.name if isinstance(kind, Told) else kind.name.upper()


# -- Options ---------------------------------------------------------------------------


class Setting(click.Option):
    """One parameter of a plan function.

    Attributes:
        usage: How it is given: ``-p hosts=INTEGER``.
        default_text: The default for people; nothing where it must be given.
        description: What the function's docstring says of it.
        must_be_given: Whether it has no default.
        may_be_shown: Whether its text is no secret: its name tells of none, or a
            ``SecretRef`` is made of it.
    """

    def __init__(self, name: str, annotation: Any, default: Any, text: str) -> None:
        """Make the option."""
        many = next((each for each in members(annotation) if _is_many(each)), None)
        inner = [annotation]
        if many is not None:
            inner = [each for each in get_args(many) if each is not ...] or [str]
        # Several values of several types, as in tuple[int, str].
        is_mixed = get_origin(many) is tuple and get_args(many)[-1:] != (...,)
        self._make = _MANY.get(get_origin(many) or many)
        self._kinds = [None if _is_many(each) else kind_of(each) for each in inner]
        self.is_convertible = None not in self._kinds
        kinds = [each for each in self._kinds if each is not None]
        self._mixed = kinds if is_mixed else []
        names = dict.fromkeys(map(_shown, kinds)) if self.is_convertible else ["VALUE"]
        self.usage = f"-p {name}={'|'.join(names)}"
        self.default_text = "" if default is _EMPTY else _default_text(default)
        self.description = text
        # Not click's own word: its older versions take a text that means None for none.
        self.must_be_given = default is _EMPTY
        self.may_be_shown = is_reference(annotation) or not looks_secret(name)
        fact = "required" if default is _EMPTY else f"default: {self.default_text}"
        again = "" if many is None else "; again for another"
        super().__init__(
            [name, f"-p {name}"],
            type=click.STRING if is_mixed or not kinds else kinds[0],
            multiple=many is not None,
            callback=self._finish,
            help=f"{text}  [{fact}{again}]".lstrip(),
        )

    def _finish(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        """What is made of the values, once click has converted them."""
        if not self.is_convertible:
            message = (
                "no text can stand for its type: give it a default, and another "
                "parameter to choose by."
            )
            raise click.BadParameter(message)
        if self._mixed and len(value) != len(self._mixed):
            message = (
                f"it takes {len(self._mixed)} values, one -p each, not {len(value)}."
            )
            raise click.BadParameter(message)
        if self._mixed:
            pairs = zip(self._mixed, value, strict=True)
            return tuple(kind.convert(text, param, ctx) for kind, text in pairs)
        return value if self._make is None else self._make(value)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """See click."""
        return self.usage, self.help or ""


def _is_many(member: Any) -> bool:
    origin = get_origin(member) or member
    # A union's members may be anything, also what cannot be hashed.
    return any(origin is many for many in _MANY)


def _default_text(default: Any) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, enum.Enum):
        return default.name
    return shorten(repr(default) if isinstance(default, str) else str(default), 80)


# -- The command -----------------------------------------------------------------------


class PlanCommand(click.Command):
    """A plan function, its parameters as options."""

    params: list[Setting]  # type: ignore[assignment]

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the signature; ``*args`` and ``**kwargs`` are left out.

        Raises:
            ValueError: Its annotations cannot be read; the message says why.
        """
        self._signature = inspect.signature(function)
        self._files: dict[str, Values] = {}
        self._function = function
        try:
            hints = get_type_hints(function, include_extras=True)
        except Exception as error:
            message = f"its annotations cannot be read: {type(error).__name__}: {error}"
            raise ValueError(message) from error
        described = _described(inspect.getdoc(function) or "")
        settings = [
            Setting(
                name,
                hints.get(name, _guess(each.default)),
                each.default,
                described.get(name, ""),
            )
            for name, each in self._signature.parameters.items()
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        super().__init__("plan", params=cast("Any", settings), add_help_option=False)

    def values(self, settings: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """The value of each parameter that was given, and all that is wrong.

        Args:
            settings: Each a ``NAME=VALUE``, or a ``NAME=@FILE``.
        """
        known = [str(each.name) for each in self.params]
        given: dict[str, list[str]] = {}
        faults: list[str] = []
        for setting in settings:
            name, text = self._named(setting)
            given.setdefault(name, []).append(text)
            if "=" not in setting:
                faults.append(f"-p {shorten(setting)}: write it as -p NAME=VALUE")
            elif name not in known:
                faults.append(f"-p {shorten(name)}: {_unknown(name, known)}")
        context = click.Context(self, info_name="plan")
        for option in self.params:
            name = str(option.name)
            try:
                texts = self._read(given.get(name, []))
            except ValueFileError as error:
                faults.append(f"-p {name}: {error}")
                continue
            if len(texts) > 1 and not option.multiple:
                faults.append(f"-p {name}: it takes one value, not {len(texts)}")
            elif any(f"-p {name}:" in fault for fault in faults):
                continue
            elif texts:
                value = texts if option.multiple else texts[0]
                try:
                    option.handle_parse_result(context, {name: value}, [])
                except click.BadParameter as error:
                    faults.append(f"-p {name}: {error.message.rstrip('.')}")
            elif option.must_be_given:
                faults.append(f"-p {name} is missing: give {option.usage}")
        return {
            name: context.params[name] for name in given if name in context.params
        }, faults

    def _named(self, setting: str) -> tuple[str, str]:
        """The name of a setting, and its text."""
        name, _, text = setting.partition("=")
        name = name.strip()
        # `-p max-hosts=3` is how the name looks on a command line.
        known = any(each.name == name for each in self.params)
        return name if known else name.replace("-", "_"), text

    def _read(self, texts: Sequence[str]) -> list[str]:
        """The texts, with the values of a file in place of its name."""
        found: list[str] = []
        for text in texts:
            if not text.startswith(MARK):
                found.append(text)
            elif text.startswith(MARK * 2):
                found.append(text[len(MARK) :])
            else:
                values = self._files[text] = read_values(text[len(MARK) :])
                found += values.texts
        return found

    def shown(self, settings: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """The settings, each as its name and text; hidden where it may be secret."""
        secret = {each.name for each in self.params if not each.may_be_shown}
        found: list[tuple[str, str]] = []
        for name, text in map(self._named, settings):
            if text in self._files:
                found.append((name, f"{text} {self._files[text].digest}"))
            else:
                found.append((name, HIDDEN if name in secret else text))
        return tuple(found)

    def call_with(self, values: Mapping[str, Any]) -> Any:
        """Call the function, by position where it must be so."""
        bound = inspect.BoundArguments(self._signature, OrderedDict(values))
        bound.apply_defaults()
        return self._function(*bound.args, **bound.kwargs)

    def usage_lines(self, width: int = 10_000) -> list[str]:
        """The parameters, as the help shows them."""
        formatter = click.HelpFormatter(width=width, max_width=width)
        records = [(each.usage, each.help or "") for each in self.params]
        if records:
            formatter.write_dl(records, col_max=60)
        return formatter.getvalue().splitlines()


def _described(doc: str) -> dict[str, str]:
    """The description of each parameter, from the ``Args:`` of a docstring."""
    if "Args:" not in doc:
        return {}
    from .._registry.docstrings import entries

    return {name: display(text) for name, text in entries(doc, "Args").items()}


def _guess(default: Any) -> Any:
    """The type of a parameter that says none: that of its default, or text."""
    kind: type[Any] = default.__class__
    return kind if kind in (bool, int, float) else str


def _unknown(name: str, known: Sequence[str]) -> str:
    if not known:
        return "the plan function takes no parameters"
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"there is no such parameter; did you mean {near[0]}?"
    return f"there is no such parameter; there are {', '.join(known)}"
