"""A secret that passes through every kind of contrib plugin is found nowhere (CL-8, WA-4).

One plan hands it to real programs, a real HTTP server, a real sshd and a real PostgreSQL,
each of which repeats it in every way it can, and mostly fails. Then all that the command
line says, the log, the JSON and the bytes of the store are searched: not for the secret
alone, but for its pieces between characters that are escaped, so that no escape hides it.
"""

from __future__ import annotations

import base64
import contextlib
import html
import importlib.util
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins-contrib"
NEEDED = ("command", "files", "git", "http", "postgres", "ssh", "webhook")

PIECES = ["q7Vx", "zK3mWe", "Pw9t", "Jr5Tq", "Ld2y", "Bn8Gx", "Hs4f", "Xc6u"]
SECRET = "q7Vx/zK3mWe\"Pw9t\\Jr5Tq'Ld2y+Bn8Gx&Hs4f%Xc6u"
"""With characters that URLs, JSON, quotes, HTML and shells change."""

PLAN = r'''
import json
import os

from workstream import Block, Checks, Plan, SecretRef, Sequence
from workstream_command import RunCommand, Shell
from workstream_files import (
    ContentRequest, FileContent, RenderTemplate, TemplateRequest, WriteFile, WriteRequest,
)
from workstream_git import CloneRequest, GitClone
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest
from workstream_postgres import (
    Database, Execute, PostgresCheck, PostgresExecute, Query, Statement,
)
from workstream_ssh import Host, ShellOn, SshRun
from workstream_webhook import Notification, WebhookMessage, WebhookNotify, WebhookPost

AT = json.loads(os.environ["SECRETS_AT"])
SECRET = SecretRef("env:A_SECRET")
BY_FILE = SecretRef("file:" + AT["file"])

TELLS = """
echo "told $T"; echo "told $T" >&2; echo "stdin $(cat)"
python3 - <<'END'
import base64, html, json, os, shlex, sys, urllib.parse
t = os.environ["T"]
print(repr(t), ascii(t), repr(t.encode()), json.dumps(t), json.dumps(json.dumps({"t": t})))
print(urllib.parse.quote(t), urllib.parse.quote(t, safe=""), urllib.parse.quote_plus(t))
print(shlex.quote(t), html.escape(t), t.replace("'", "''"))
print("Basic", base64.b64encode(f"robot:{t}".encode()).decode())
print("x" * 6000 + t + "y" * 6000)
for i in range(len(t)):
    sys.stdout.write(t[i]); sys.stdout.flush()
print()
raise ValueError(t)
END
set -x; : "$T"; set +x
i=0; while [ $i -lt 400 ]; do printf '%s' "$T"; i=$((i + 1)); done; echo
exit 3
"""


def told(kind, request, **options):
    return Sequence(name=kind, actions=[request(name="tell", **options)])


def plan():
    def command(code):
        return Shell(
            TELLS, env={"T": SECRET}, stdin=BY_FILE, keep=1000, expected_exit_codes=(code,)
        )

    def remote(code, detached):
        return ShellOn(
            Host(**AT["ssh"]), TELLS, env={"T": SECRET}, stdin=BY_FILE, keep=1000,
            expected_exit_codes=(code,), detached=detached,
        )

    shop = Database(
        host="127.0.0.1", port=AT["postgres"], name="postgres", user="deploy", password=SECRET
    )
    stranger = Database(
        host="127.0.0.1", port=AT["postgres"], name="postgres", user="nobody", password=SECRET
    )
    url = AT["http"]
    asked = dict(
        url=url + "/asked", params={"q": SECRET}, headers={"X-Token": BY_FILE}, bearer=SECRET
    )
    missing = AT["there"] + "/missing/a"
    actions = [
        ("command fails", RunCommand, command(0)),
        ("command ends well", RunCommand, command(3)),
        ("ssh fails", SshRun, remote(0, False)),
        ("ssh ends well", SshRun, remote(3, True)),
        ("http fails", HttpAction, HttpRequest(**asked, method="POST", body=SECRET)),
        ("http ends well", HttpAction, HttpRequest(**asked, status="500")),
        ("http is cut", HttpAction, HttpRequest(**asked, status="500", body_limit=75)),
        ("http login", HttpAction, HttpRequest(url=url, user="robot", password=SECRET)),
        ("http address", HttpAction, HttpRequest(url=SecretRef("env:SECRET_URL"))),
        ("http refused", HttpAction, HttpRequest(url=SecretRef("env:DEAD_URL"))),
        (
            "webhook fails",
            WebhookPost,
            WebhookMessage(url=url, json={}, secret=BY_FILE, headers={"X-Token": SECRET}),
        ),
        (
            "webhook address",
            WebhookPost,
            WebhookMessage(url=SecretRef("env:SECRET_URL"), json={}, secret=BY_FILE),
        ),
        (
            "apprise fails",
            WebhookNotify,
            Notification(services=(SecretRef("env:SERVICE_URL"), SECRET), body="Done"),
        ),
        (
            "git fails",
            GitClone,
            CloneRequest(url=AT["https"] + "/a.git", path=AT["there"] + "/tree", user="robot", password=SECRET),
        ),
        ("files no place", WriteFile, WriteRequest(path=missing, content=("x=", SECRET, "\n"))),
        (
            "files template",
            RenderTemplate,
            TemplateRequest(path=AT["there"] + "/t", template="{{ {}[t] }}", secrets={"t": SECRET}),
        ),
        (
            "postgres statement",
            PostgresExecute,
            Execute(shop, (Statement("SELECT CAST(%s AS int)", (SECRET,)),)),
        ),
        (
            "postgres raises",
            PostgresExecute,
            Execute(
                shop,
                (
                    Statement("SELECT set_config('a.b', %s, false)", (SECRET,)),
                    "DO $$ BEGIN RAISE NOTICE 'noticed %', current_setting('a.b'); "
                    "RAISE EXCEPTION 'raised %', to_json(current_setting('a.b')) "
                    "USING HINT = current_setting('a.b'), DETAIL = current_setting('a.b'); "
                    "END $$",
                ),
            ),
        ),
        (
            "postgres rows",
            PostgresExecute,
            Execute(
                shop,
                (
                    Statement(
                        "SELECT repeat('x', 9990) || %s, %s, to_json(%s::text)",
                        (SECRET, SECRET, SECRET),
                    ),
                ),
                keep_rows=9,
            ),
        ),
        ("postgres refuses", PostgresExecute, Execute(stranger, ("SELECT 1",))),
    ]
    checks = [
        FileContent.action(ContentRequest(path=AT["file"], contains=SECRET), name="content"),
        HttpCheck.action(HttpCheckRequest(**asked, status="500"), name="http"),
        PostgresCheck.action(
            Query(shop, "SELECT %s::text", (SECRET,), compare="!=", value="other"), name="query"
        ),
    ]
    return Plan(
        name="Tell",
        pre_checks=Checks(actions=checks),
        blocks=[
            Block(
                name="All",
                tolerated_failures=len(actions),
                concurrency=4,
                sequences=[
                    Sequence(name=name, actions=[plugin.action(request, name="tell", retries=0)])
                    for name, plugin, request in actions
                ],
            )
        ],
    )
'''


def load(name: str) -> Any:
    """What a distribution's own tests start its real thing with."""
    path = PLUGINS / f"workstream-{name}" / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"real_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Parrot(BaseHTTPRequestHandler):
    """Answers 500, and repeats all that it was sent in every way it knows."""

    def answer(self) -> None:
        """Answer."""
        size = int(self.headers.get("content-length", "0"))
        sent = self.rfile.read(size).decode(errors="replace")
        login = self.headers.get("authorization", "")
        status = 500
        if self.path.startswith("/a.git"):
            status = 403 if login else 401
        if login.startswith("Basic "):
            login += " " + base64.b64decode(login[6:]).decode()
        heard = f"{login} {self.headers.get('x-token')} {self.path} {unquote(self.path)} {sent}"
        body = f"{heard}\n{json.dumps(heard)}\n{html.escape(heard)}\n{quote(heard)}\n"
        self.send_response(status, "Parrot")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="parrot"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Echo", self.headers.get("x-token") or "none")
        data = body.encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = answer  # noqa: N815 (the names are the base class's)
    do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def served(context: ssl.SSLContext | None = None) -> Generator[str]:
    """The address of an HTTP server that repeats what it is sent."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def parrot() -> Iterator[str]:
    """The URL of such a server."""
    with served() as address:
        yield f"http://{address}"


@pytest.fixture
def safe_parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of one that speaks TLS, and that git trusts."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "ca.pem"))
    with served(context) as address:
        yield f"https://{address}"


@pytest.fixture
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL whose user's password is the secret."""
    real = load("postgres")
    programs = real._programs()
    if programs is None:
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    with tempfile.TemporaryDirectory(prefix="workstream-secrets-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        server = real.Server(programs, Path(name), port)
        server.make()
        server.start()
        try:
            password = SECRET.replace("'", "''")
            server.sql("postgres", f"CREATE ROLE deploy LOGIN PASSWORD '{password}'")
            yield port
        finally:
            server.stop()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[dict[str, object]]:
    """How to come to a real sshd."""
    real = load("ssh")
    for name in ("ssh", "setsid", "sshd"):
        real.program(name)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
    key, host_key = (real.make_keys(tmp_path / name) for name in ("id", "host"))
    home, known = tmp_path / "home", tmp_path / "known_hosts"
    home.mkdir()
    port = real.free_port()
    known.write_text(f"[127.0.0.1]:{port} {host_key.with_suffix('.pub').read_text()}")
    machine = real.Machine(home, port, host_key, key, known, "")
    machine.start()
    yield {
        "address": "127.0.0.1",
        "port": port,
        "identity_file": str(key),
        "known_hosts_file": str(known),
    }
    machine.crash()


def dead_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def plan_file(
    tmp_path: Path,
    parrot: str,
    safe_parrot: str,
    postgres: int,
    sshd: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The plan, and the environment it is to be run in."""
    for name in NEEDED:
        pytest.importorskip(f"workstream_{name}")
    pytest.importorskip("apprise")
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "secret").write_text(SECRET + "\n")
    at = {
        "file": str(tmp_path / "secret"),
        "http": parrot,
        "https": safe_parrot,
        "postgres": postgres,
        "ssh": sshd,
        "there": str(there),
    }
    host = parrot.removeprefix("http://")
    in_url = quote(SECRET, safe="")
    variables = {
        "A_SECRET": SECRET,
        "SECRET_URL": f"{parrot}/hook/{in_url}?t={in_url}",
        "DEAD_URL": f"http://127.0.0.1:{dead_port()}/hook/{in_url}",
        "SERVICE_URL": f"json://robot:{in_url}@{host}/{in_url}",
        "SECRETS_AT": json.dumps(at),
        "WORKSTREAM_STORE": str(tmp_path / "store"),
        "WORKSTREAM_PLUGINS": ",".join(f"workstream-{name}" for name in NEEDED),
        "PYTHONWARNINGS": "default",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "tell.py"
    path.write_text(PLAN)
    return path


def said(*arguments: object, wide: bool = False) -> str:
    """What a command writes: to pipes, or on a terminal of that width."""
    command = [sys.executable, "-X", "dev", "-m", "workstream", *map(str, arguments)]
    if not wide:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode in (0, 3), done.stdout
        return done.stdout
    ours, theirs = os.openpty()
    drawn: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # so ends a terminal on Linux
            while data := os.read(ours, 65536):
                drawn.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    subprocess.run(
        command,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    return b"".join(drawn).decode()


IN_BASE64 = [
    base64.b64encode(b"\0" * shift + SECRET.encode()).decode()[(0, 2, 3)[shift] :][:12]
    for shift in range(3)
]


def shown(text: str) -> list[str]:
    """The places where a piece of the secret can be read."""
    return [
        f"{piece}: ...{text[max(0, found.start() - 150) : found.end() + 50]!r}"
        for piece in (*PIECES, *IN_BASE64)
        for found in re.finditer(re.escape(piece), text)
    ]


@pytest.mark.slow
def test_a_secret_is_found_nowhere(plan_file: Path, tmp_path: Path) -> None:
    """Not in what is printed, drawn or exported, not in the log, not in the store."""
    told = {
        "run": said("run", plan_file),
        "terminal": said("run", plan_file, wide=True),
    }
    told["run --json"] = said("run", plan_file, "--json")
    first, *_ = [plan["id"] for plan in json.loads(said("list", "--json"))]
    told["show on a terminal"] = said("show", first, wide=True)
    for words in (
        ["show"],
        ["show", "--json"],
        ["watch"],
        ["watch", "--json"],
        ["export"],
    ):
        told[" ".join(words)] = said(words[0], first, *words[1:])
    told["validate"] = said("validate", plan_file)
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    told["the store"] = b"".join(path.read_bytes() for path in files).decode(
        errors="replace"
    )

    found = {where: places for where, text in told.items() if (places := shown(text))}

    assert not found, json.dumps({where: p[:3] for where, p in found.items()}, indent=1)


@pytest.mark.slow
def test_the_plan_did_what_it_was_made_for(plan_file: Path) -> None:
    """Each plugin was really handed the secret, and something repeated it."""
    said("run", plan_file)
    (plan,) = json.loads(said("list", "--json"))
    text = said("show", plan["id"], "--json") + said("show", plan["id"])

    for expected in (
        "told [secret hidden]",
        "stdin [secret hidden]",
        "noticed [secret hidden]",
        "the end of its stderr",
        'raised \\"[secret hidden]',
        "expected the status",
        "did not take it",
        'invalid input syntax for type integer: \\"[secret hidden]',
        "password authentication failed",
        "git clone failed",
    ):
        assert expected in text, expected
