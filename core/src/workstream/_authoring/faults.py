"""Find faults in the fields of a request, for ``validate`` (V-19).

Each function yields clauses that begin with the field's name. A plugin joins them, so
that its user sees every fault at once.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from .._secrets.references import SecretRef

LONGEST_NAME = 255
LONGEST_PATH = 4095
LONGEST_ARGUMENT = 32 * 4096
"""Linux's MAX_ARG_STRLEN with pages of 4 KiB, the zero byte at the end included. A plan
may be validated on another machine than the one that runs the command."""
MOST_ARGUMENTS = 6 * 1024 * 1024
"""Linux lets all arguments and variables together have no more, whatever the stack."""
POINTER = 8
SHOWN = 80


def refuse(faults: Iterable[str]) -> None:
    """Raise one error with every fault, if there is any.

    Raises:
        ValueError: There are faults; its text is all of them, joined by ``"; "``.
    """
    found = list(faults)
    if found:
        raise ValueError("; ".join(found))


def text_faults(
    field: str, text: object, *, empty: bool = False, purpose: str = "no command"
) -> Iterator[str]:
    """Find faults in a text that the operating system is to be given.

    Args:
        field: The field's name.
        text: Its value.
        empty: Whether it may be empty.
        purpose: For the message: ``"no path"``, ``"no command"``.
    """
    if not isinstance(text, str):
        yield f"{field} must be text, not {type(text).__name__}"
    elif not text and not empty:
        yield f"{field} is empty"
    elif "\0" in text:
        verb = "can have" if purpose == "no path" else "can be given"
        yield f"{field} holds a NUL character, which {purpose} {verb}"
    else:
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            yield f"{field} holds characters that cannot be encoded"


def words_faults(field: str, words: object) -> Iterator[str]:
    """Find faults in a tuple of words, such as the arguments of a program.

    Args:
        field: The field's name.
        words: Its value. A single text is refused: it would fall apart into letters.
    """
    if not isinstance(words, tuple):
        hint = ""
        if isinstance(words, str):
            hint = (
                f" ({field}=({_short(words)},) is one word; for a whole line use Shell)"
            )
        yield f"{field} must be a tuple of words, not {type(words).__name__}{hint}"
        return
    for index, word in enumerate(cast("tuple[object, ...]", words)):
        yield from text_faults(f"{field}[{index}]", word, empty=True)


def path_faults(
    field: str, path: object, *, plain: bool = False, home: bool = False
) -> Iterator[str]:
    """Find faults in the absolute path of a file or directory.

    Args:
        field: The field's name.
        path: Its value.
        plain: Whether it must name one place plainly: not the root, without ``.`` and
            ``..``, without a slash at its end. Ask for it where the path is changed.
        home: Whether it may begin with ``~/``, because the plugin expands that.
    """
    wrong = list(text_faults(field, path, purpose="no path"))
    if wrong:
        yield from wrong
        return
    text = cast("str", path)
    if home and (text == "~" or text.startswith("~/")):
        text = text[1:] or "/"
    elif not text.startswith("/"):
        if home:
            yield f"{field} must be an absolute path or begin with ~/, not {_short(text)}"
        else:
            yield (
                f"{field} must be an absolute path, not {_short(text)} (~ is not expanded)"
            )
        return
    if any(len(os.fsencode(name)) > LONGEST_NAME for name in text.split("/")):
        yield f"{field} has a name of more than {LONGEST_NAME} bytes"
    elif len(os.fsencode(text)) > LONGEST_PATH:
        yield f"{field} has more than {LONGEST_PATH:,} bytes, which no path can have"
    if not plain:
        return
    if not text.strip("/"):
        yield f"{field} is the root of the file system"
    elif text.endswith("/") or {".", ".."} & set(text.split("/")):
        yield (
            f"{field} must name one place plainly, without '.', '..' or a '/' at its "
            f"end: {os.path.normpath(text)!r} rather than {_short(text)}"
        )


def number_faults(
    field: str,
    value: object,
    *,
    least: float = 0.0,
    most: float = math.inf,
    whole: bool = False,
    unit: str = "seconds",
) -> Iterator[str]:
    """Find faults in a number: another type, not finite, out of bounds.

    Args:
        field: The field's name.
        value: Its value. True and False are no numbers.
        least: The smallest that is allowed.
        most: The largest that is allowed.
        whole: Whether it must be an ``int``.
        unit: For the message: ``"seconds"``, ``"bytes"``; "": it has none.
    """
    kinds = int if whole else (int, float)
    good = (
        isinstance(value, kinds)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and least <= value <= most
    )
    if not good:
        kind = "a whole number" if whole else "a number"
        kind += f" of {unit}" if unit else ""
        if math.isinf(most):
            yield f"{field} must be {kind}, {least:,g} or more, not {value!r}"
        else:
            yield f"{field} must be {kind} from {_plain(least)} to {_plain(most)}, not {value!r}"


def flag_faults(request: object, *fields: str) -> Iterator[str]:
    """Find the fields of a request that must be True or False and are neither."""
    for field in fields:
        value: object = getattr(request, field)
        if not isinstance(value, bool):
            yield f"{field} must be True or False, not {value!r}"


def environment_faults(field: str, variables: object) -> Iterator[str]:
    """Find faults in the variables that a command is to get.

    Args:
        field: The field's name.
        variables: Its value: a dict of texts, or of texts and ``SecretRef`` objects.
    """
    if not isinstance(variables, dict):
        yield f"{field} must be a dict, not {type(variables).__name__}"
        return
    for name, value in cast("dict[object, object]", variables).items():
        wrong = list(text_faults(f"the name {name!r} in {field}", name, empty=True))
        if wrong:
            yield from wrong
        elif not name or "=" in str(name):
            yield (
                f"{name!r} in {field} is no name: it must have characters, none of them "
                "'='"
            )
        if not isinstance(value, SecretRef):
            yield from text_faults(f"{field}[{name!r}]", value, empty=True)


def argument_faults(
    words: Mapping[str, str], variables: Mapping[str, str | SecretRef]
) -> Iterator[str]:
    """Find arguments and variables that Linux would refuse for their length.

    One may have 131,071 bytes, all together 6 MiB. The texts are valid otherwise:
    ``words_faults`` and ``environment_faults`` have found nothing.

    Args:
        words: The arguments, each with the name to call it in the message, for example
            ``argv[2]``.
        variables: Those that the command is given; the lengths of secrets are unknown.
    """
    sizes = {field: len(os.fsencode(word)) + 1 for field, word in words.items()}
    for name, value in variables.items():
        length = 0 if isinstance(value, SecretRef) else len(os.fsencode(value))
        sizes[f"env[{name!r}]"] = len(os.fsencode(name)) + length + 2
    for field, size in sizes.items():
        if size > LONGEST_ARGUMENT:
            yield (
                f"{field} has {size - 1:,} bytes, more than the {LONGEST_ARGUMENT - 1:,} "
                "that Linux lets one argument or variable have: hand it over in a file "
                "or in stdin"
            )
    total = sum(size + POINTER for size in sizes.values())
    if total > MOST_ARGUMENTS:
        yield (
            f"arguments and env have {total:,} bytes together, more than the "
            f"{MOST_ARGUMENTS:,} that Linux lets a command have: hand them over in a "
            "file or in stdin"
        )


def numbered(field: str, words: Sequence[str]) -> dict[str, str]:
    """The words of a field, each with its name: ``argv[0]``, ``argv[1]`` ..."""
    return {f"{field}[{index}]": word for index, word in enumerate(words)}


def _short(text: str) -> str:
    """A text for a message, not all of it where it is long."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,g}"
