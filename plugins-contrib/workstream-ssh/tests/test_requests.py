"""What requests refuse, all at once, before a plan is stored (V-19)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from workstream import SecretRef
from workstream_ssh import (
    Become,
    BecomeMethod,
    CopyFrom,
    CopyTo,
    Host,
    RunOn,
    ShellOn,
    SshCheck,
    SshCopy,
    SshRun,
)
from workstream_ssh._faults import command_faults, copy_faults


def wrong(value: object) -> Any:
    """A value that no type checker would let through."""
    return cast("Any", value)


def test_a_host_may_be_a_plain_text() -> None:
    """What is left out is as the user's ssh configuration says."""
    assert RunOn("web-1", ("true",)).host == Host("web-1")
    assert CopyTo("web-1", "/a", "/b").host == Host("web-1")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (Host("web-1"), "web-1"),
        (Host("web-1", user="deploy", port=2222), "deploy@web-1:2222"),
        (Host("::1", port=22), "[::1]:22"),
    ],
)
def test_a_host_shows_as_one_would_write_it(host: Host, shown: str) -> None:
    """In messages."""
    assert str(host) == shown


def test_valid_requests_have_no_faults() -> None:
    """Everything that is used at once."""
    host = Host("web", jump=Host("gate"), port=1, user="x", identity_file="/k")
    run = RunOn(
        host,
        ("ls", ""),
        cwd="~",
        env={"A": "1", "B": SecretRef("env:B")},
        stdin=SecretRef("env:C"),
        detached=True,
        directory="/var/lib/jobs",
    )

    assert command_faults(run) == []
    assert command_faults(ShellOn("web", "ls"), is_check=True) == []
    assert copy_faults(CopyTo(host, "/a", "~/b/", mode=0o644)) == []
    assert copy_faults(CopyFrom(host, "~/a", "/b")) == []


def test_all_faults_of_a_command_are_told_at_once() -> None:
    """Each as a clause that names the field."""
    request = RunOn(
        Host("-oProxyCommand=x", port=0, jump=Host("a@b")),
        ("list files",),
        cwd="relative",
        env={"A-B": "x", "C": "nul\0"},
        stdin="\udcff",
        expected_exit_codes=(256,),
        keep=-1,
        grace=float("nan"),
        detached=True,
        directory="x",
        creates="/x",
        unless="x",
    )

    faults = command_faults(request, is_check=True)

    begins = [
        "host.address is '-oProxyCommand=x': it would be taken for an option",
        "host.port must be a number from 1 to 65535, not 0",
        "host.jump.address is 'a@b': write Host('b', user='a')",
        "argv[0] is 'list files': write each word by itself",
        "cwd must be an absolute path or begin with ~/, not 'relative'",
        "directory must be an absolute path or begin with ~/, not 'x'",
        "'A-B' in env is no name",
        "env['C'] holds a NUL character",
        "stdin holds characters that cannot be encoded",
        "256 in expected_exit_codes must be a number from 0 to 255",
        "keep must be a whole number from 0 to 4,194,304, not -1",
        "grace must be a number of seconds, 0 or more, not nan",
        "a check is run again as often as need be, and cannot be detached",
        "creates: a check looks each time: leave it out",
        "unless: a check looks each time: leave it out",
    ]
    assert len(faults) == len(begins)
    for fault, begin in zip(faults, begins, strict=True):
        assert fault.startswith(begin)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (RunOn(wrong(7), ("true",)), "host must be a Host or its address, not int"),
        (RunOn("", ("true",)), "host.address must be a text, not ''"),
        (RunOn("a b", ("true",)), "host.address is 'a b': it holds characters"),
        (
            RunOn("ssh://web", ("true",)),
            "host.address is 'ssh://web': it must be a name",
        ),
        (RunOn(Host("w", user="-l"), ("true",)), "host.user is '-l': it would be"),
        (RunOn("w", wrong("ls -l")), "argv must be a tuple of words, not str"),
        (RunOn("w", ()), "argv must begin with the program"),
        (RunOn("w", ("-c",)), "argv[0] is '-c', which is an option and no program"),
        (RunOn("w", wrong((1,))), "argv[0] must be text, not int"),
        (RunOn("w", ("x", "y" * 131_072)), "argv[1] has 131,072 bytes, more than the"),
        (
            ShellOn("w", "y" * 140_000),
            "script has 140,000 bytes, more than the 131,071",
        ),
        (ShellOn("w", "x", args=("y" * 140_000,)), "args[0] has 140,000 bytes"),
        (RunOn("w", ("x",), env={"A": "y" * 140_000}), "env['A'] has 140,0"),
        (RunOn("w", ("x",), unless="y" * 140_000), "unless has 140,000 bytes"),
        (
            RunOn("w", ("x", *["y" * 130_000] * 50)),
            "arguments and env have 6,500,",
        ),
        (RunOn("w", ("x",), unless=" "), "unless is blank"),
        (RunOn("w", ("x",), unless=()), "unless must begin with the program"),
        (
            RunOn("w", ("x",), unless=("ls -l",)),
            "unless[0] is 'ls -l': write each word",
        ),
        (RunOn("w", ("x",), creates="x"), "creates must be an absolute path or begin"),
        (RunOn("w", ("x",), removes=""), "removes is empty"),
        (RunOn("w", ("x",), become="a b"), "become.user is 'a b': it holds characters"),
        (RunOn("w", ("x",), become=wrong(True)), "become must be a Become or a user's"),
        (
            RunOn("w", ("x",), become=Become(password=wrong("secret"))),
            "become.password must be a SecretRef, not str",
        ),
        (
            RunOn("w", ("x",), become=Become(method=wrong("su"))),
            "become.method must be a BecomeMethod, not 'su'",
        ),
        (
            RunOn(
                "w",
                ("x",),
                become=Become(method=BecomeMethod.DOAS, password=SecretRef("env:A")),
            ),
            "become.password is for sudo only: doas asks at a terminal",
        ),
        (ShellOn("w", "  "), "script is blank"),
        (ShellOn("w", wrong(None)), "script must be text, not NoneType"),
        (ShellOn("w", "x", interpreter=()), "interpreter must begin with"),
        (RunOn("w", ("x",), env=wrong(1)), "env must be a dict, not int"),
        (RunOn("w", ("x",), stdin=wrong(b"")), "stdin must be text or a SecretRef"),
        (RunOn("w", ("x",), detached=wrong(1)), "detached must be True or False"),
        (RunOn("w", ("x",), expected_exit_codes=()), "expected_exit_codes must be"),
        (RunOn("w", ("x",), cwd="/a\nb"), "cwd holds a line break"),
        (
            RunOn(Host("w", identity_file="~/k"), ("x",)),
            "host.identity_file must be an",
        ),
        (RunOn(Host("w", config_file='/a"b'), ("x",)), "host.config_file holds"),
        (RunOn(Host("w", known_hosts=wrong("no")), ("x",)), "host.known_hosts must be"),
        (RunOn(Host("w", connect_timeout=0), ("x",)), "host.connect_timeout must be"),
    ],
)
def test_each_fault_of_a_command(request_: RunOn | ShellOn, fault: str) -> None:
    """One at a time."""
    [found] = command_faults(request_)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (CopyTo("w", "a", "/b"), "source must be an absolute path, not 'a'"),
        (CopyTo("w", "~/a", "/b"), "source must be an absolute path, not '~/a' (~ is"),
        (CopyTo("w", "/a", "b"), "target must be an absolute path or begin with ~/"),
        (CopyTo("w", "/a", "/"), "target must be the copy's own path, name included"),
        (CopyTo("w", "/a", "~/"), "target must be the copy's own path, name included"),
        (CopyTo("w", "/a", "/b/.."), "target must be the copy's own path"),
        (CopyTo("w", "/a", "/b", mode=0o1777), "mode must be a number such as 0o644"),
        (CopyTo("w", "/a", "/b", make_parents=wrong(1)), "make_parents must be True"),
        (CopyTo("w", "/a", "/b", owner="-R"), "owner is '-R': it would be taken for"),
        (CopyTo("w", "/a", "/b", group=""), "group must be a text, not ''"),
        (CopyTo("w", "/a", "/b", exclude=wrong("*.pyc")), "exclude must be a tuple of"),
        (
            CopyTo("w", "/a", "/b", exclude=("/",)),
            "exclude has '/': a pattern is a name",
        ),
        (
            CopyTo("w", "/a", "/b", exclude=("../x",)),
            "exclude has '../x': a pattern is",
        ),
        (CopyFrom("w", "/a", "/b", become=wrong(0)), "become must be a Become or a"),
        (CopyFrom("w", "a", "/b"), "source must be an absolute path or begin with ~/"),
        (CopyFrom("w", "/a", "~/b"), "target must be an absolute path, not '~/b' (~"),
        (CopyFrom("w", wrong(1), "/b"), "source must be text, not int"),
        (CopyFrom("", "/a", "/b"), "host.address must be a text, not ''"),
    ],
)
def test_each_fault_of_a_copy(request_: CopyTo | CopyFrom, fault: str) -> None:
    """One at a time."""
    [found] = copy_faults(request_)
    assert found.startswith(fault)


def test_hosts_behind_too_many_others_are_refused() -> None:
    """A chain that long is a loop in somebody's program."""
    host = Host("w")
    for _ in range(9):
        host = Host("w", jump=host)

    assert command_faults(RunOn(host, ("x",))) == [
        "host goes through more than 8 hosts"
    ]


def test_plugins_refuse_what_has_faults() -> None:
    """With all faults in one sentence (V-19)."""
    bad = RunOn("", (), detached=True)
    with pytest.raises(ValueError, match=r"host\.address .*; argv must begin"):
        SshRun().validate(bad)
    with pytest.raises(ValueError, match="cannot be detached"):
        SshCheck().validate(bad)
    with pytest.raises(ValueError, match=r"source .*; target "):
        SshCopy().validate(CopyTo("w", "", ""))
