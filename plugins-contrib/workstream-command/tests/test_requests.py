"""What a plan may ask for, and what is refused when it is submitted (V-19)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from workstream import SecretRef
from workstream_command import CheckCommand, Run, RunCommand, Shell


@pytest.mark.parametrize(
    "request_",
    [
        Run(("true",)),
        Run(["ls", "-l"]),
        Run(("./deploy",), cwd="/srv/app"),
        Run(("/opt/My Tool/tool", "x y", "")),
        Run(("true",), env={"TOKEN": SecretRef("env:TOKEN"), "A": ""}),
        Run(("cat",), stdin=SecretRef("file:/run/secrets/key")),
        Run(("true",), expected_exit_codes=(0, 255), keep=0, grace=0),
        Shell("echo hello"),
        Run(
            ("tar", "-xf", "a"), creates="/a", removes="/b", unless=["test", "-e", "c"]
        ),
        Run(("true",), env={"A": "x" * 131_000}, stdin="x" * 1_000_000),
        Shell("set -e\nls", args=["a", "b"], interpreter=["/bin/bash", "-x"]),
    ],
)
def test_what_can_work_is_accepted(request_: Run | Shell) -> None:
    """Both plugins take both kinds of request (V-19)."""
    RunCommand().validate(request_)
    CheckCommand().validate(
        attrs.evolve(request_, creates=None, removes=None, unless=None)
    )


def test_a_list_of_words_becomes_a_tuple() -> None:
    """A list is a slip that harms nobody; requests compare as if it were a tuple."""
    assert Run(["ls", "-l"]) == Run(("ls", "-l"))


def test_a_mapping_of_texts_will_do_for_env() -> None:
    """Variables are copied, so that a request never changes behind one's back."""
    variables: dict[str, str] = {"A": "1"}

    request = Run(("true",), env=variables)
    variables["A"] = "2"

    assert request.env == {"A": "1"}


def wrong(value: object) -> Any:
    """A value that the type checkers would not let pass."""
    return value


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Run(()), "argv must begin with the program to start"),
        (Run((" ",)), "argv must begin with the program"),
        (Run(wrong("ls -l")), "argv must be a tuple of words, not str"),
        (Run(wrong("ls -l")), "for a whole line use Shell"),
        (Run(wrong(("sleep", 5))), "argv[1] must be text, not int"),
        (Run(("ls -l",)), "write each word by itself, argv=('ls', '-l'), or use Shell"),
        (Run(("echo", "a\0b")), "argv[1] holds a NUL character"),
        (Run(("echo", "\ud800")), "argv[1] holds characters that cannot be encoded"),
        (Run(("./deploy",)), "argv[0] is the relative path './deploy'"),
        (Run(("true",), cwd="srv"), "cwd must be an absolute path, not 'srv'"),
        (Run(("true",), cwd="~/app"), "~ is not expanded"),
        (Run(("true",), cwd="/a\0"), "cwd holds a NUL character"),
        (Run(("true",), env={"A=B": ""}), "'A=B' in env is no name"),
        (Run(("true",), env={"": ""}), "'' in env is no name"),
        (Run(("true",), env={"A": "\0"}), "env['A'] holds a NUL character"),
        (Run(("true",), env=wrong({"A": 1})), "env['A'] must be text, not int"),
        (Run(("true",), env=wrong({1: "A"})), "the name 1 in env must be text"),
        (Run(("true",), env=wrong(["A"])), "env must be a dict, not list"),
        (Run(("true",), stdin=wrong(b"x")), "stdin must be text or a SecretRef"),
        (Run(("true",), stdin="\ud800"), "stdin holds characters"),
        (Run(("true",), expected_exit_codes=()), "at least one code"),
        (Run(("true",), expected_exit_codes=wrong(0)), "must be a tuple"),
        (Run(("true",), expected_exit_codes=(256,)), "256 in expected_exit_codes"),
        (Run(("true",), expected_exit_codes=(-9,)), "-9 in expected_exit_codes"),
        (Run(("true",), expected_exit_codes=(True,)), "True in expected_exit_codes"),
        (Run(("true",), keep=-1), "keep must be a whole number from 0 to 4,194,304"),
        (Run(("true",), keep=10**9), "keep must be a whole number"),
        (Run(("true",), grace=-1), "grace must be a number of seconds, 0 or more"),
        (Run(("true",), grace=float("inf")), "grace must be"),
        (
            Run(("true",), creates="made"),
            "creates must be an absolute path, not 'made'",
        ),
        (Run(("true",), removes="~/a"), "removes must be an absolute path, not '~/a'"),
        (Run(("true",), unless=()), "unless must begin with the program to start"),
        (Run(("true",), unless=" "), "unless is blank"),
        (Run(("true",), unless=("./look",)), "unless[0] is the relative path './look'"),
        (Run(("true",), unless=wrong(1)), "unless must be a tuple of words, not int"),
        (
            Run(("echo", "x" * 131_072)),
            "argv[1] has 131,072 bytes, more than the 131,071",
        ),
        (Run(("true",), env={"A": "x" * 131_072}), "env['A'] has 131,074 bytes"),
        (Shell("#" * 131_072), "script has 131,072 bytes, more than"),
        (Shell("ls", args=("x" * 131_072,)), "args[0] has 131,072 bytes, more than"),
        (Shell("ls", unless="#" * 131_072), "unless has 131,072 bytes, more than"),
        (
            Run(("true", *["x" * 100_000] * 63)),
            "hand them over in a file or in stdin",
        ),
        (Shell(" \n"), "script is blank"),
        (Shell("a\0b"), "script holds a NUL character"),
        (Shell(wrong(("ls", "-l"))), "script must be text, not tuple"),
        (Shell("ls", args=wrong("abc")), "args must be a tuple of words, not str"),
        (Shell("ls", interpreter=()), "interpreter must begin with the program"),
        (Shell("ls", interpreter=("bin/sh",)), "interpreter[0] is the relative path"),
    ],
)
def test_what_can_never_work_is_refused(request_: Run | Shell, fault: str) -> None:
    """The message names the field and says what to do (V-19)."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the text is compared below)
        RunCommand().validate(request_)

    assert fault in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    """One look shows all that has to be put right (V-1)."""
    with pytest.raises(ValueError, match=r"NUL.*cwd.*expected_exit_codes.*grace"):
        CheckCommand().validate(
            Run(("a\0",), cwd="b", expected_exit_codes=(), grace=-1)
        )
