"""Follow the guides to a server with PostgreSQL, as they stand, and run plans on it.

    python on_postgres.py FOLDER

FOLDER holds ``temporal-server`` and ``temporal-sql-tool``. Tests do not start it: to
build a server takes Go and a quarter of an hour. It needs PostgreSQL, openssl and PyJWT
too. All it starts is on free ports of this machine, in a directory of its own, and ends
with it. Each line that it prints is something that it saw.

The settings, scripts and units are those of ``docs/how-to/set-up-temporal.md``, with
other ports and paths; so are the variables of ``run-on-temporal.md``.
"""

from __future__ import annotations

import os
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs/how-to/set-up-temporal.md"
PROGRAMS = Path(sys.executable).parent
PORTS = (5432, 7233, 7234, 7235, 7236, 7239, 6933, 6934, 6935, 6936, 6939)
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)

PLAN = '''
from workstream import Block, OnInterrupt, Plan, Sequence
from workstream_command import Run, RunCommand


def plan(hosts: int = 10, zone: str = "eu-1", seconds: float = 0.3) -> Plan:
    """Work here and there."""
    act = RunCommand.action
    return Plan(name="secret-name", description="d", blocks=[
        Block(name="tier", description="d", concurrency=4, sequences=[
            Sequence(name=f"host-{n}", zone=zone if n % 2 else None, actions=[
                act(Run(("sleep", str(seconds))), name=name, on_interrupt=OnInterrupt.RERUN)
                for name in ("first", "second")
            ]) for n in range(hosts)])])
'''

NEWER = """
import sys
from workstream_temporal import _names
_names.VERSION += 1
from workstream.__main__ import main
sys.exit(main())
"""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on; the server takes none above 32767."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 12_000):
        with socket.socket() as each, suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def told(what: str) -> None:
    """Say what was seen."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


class Guide:
    """The guide, followed in a directory."""

    def __init__(self, place: Path, programs: Path, stack: ExitStack) -> None:
        """Take an empty directory, and where the server's programs are."""
        self.place, self.stack = place, stack
        self.etc = place / "etc"
        self.etc.mkdir()
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.store = f"temporal:localhost:{self.ports[7233]}/deploys"
        self.settings = {
            "/etc/temporal": str(self.etc),
            "/usr/local/bin/temporal-server": str(programs / "temporal-server"),
            "temporal.example.org": "localhost",
            "0.0.0.0": "127.0.0.1",  # nobody else is to reach it
            **{str(port): str(free) for port, free in self.ports.items()},
        }
        path = [str(PROGRAMS), str(programs), os.environ["PATH"]]
        self.env = {**os.environ, "PATH": os.pathsep.join(path)}
        for name, text in FILE.findall(GUIDE.read_text()):
            for shown, real in self.settings.items():
                text = text.replace(shown, real)
            (self.etc / name).write_text(text)

    def run(
        self,
        command: str,
        *,
        status: int = 0,
        says: str = "",
        wait: float = 100,
        **env: str,
    ) -> str:
        """Run a command in the settings' directory; what it printed."""
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.etc,
            env={**self.env, **env},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=wait,
        )
        if done.returncode != status or says.lower() not in done.stdout.lower():
            sys.exit(f"{command}\nended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def background(self, command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on; it is killed at the end."""
        log = (self.place / "log").open("ab")
        process = subprocess.Popen(
            shlex.split(command),
            cwd=self.etc,
            env={**self.env, **env},
            stdout=log,
            stderr=log,
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    # --- what the guide sets up -------------------------------------------------------

    def postgres(self) -> None:
        """A PostgreSQL of its own, with the guide's databases and tables."""
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        found = shutil.which("initdb")
        binaries = Path(found).resolve().parent if found else programs[-1]
        home = self.place / "postgres"
        home.mkdir()
        as_whom = ""
        if os.geteuid() == 0:  # whom PostgreSQL refuses
            nobody = pwd.getpwnam("nobody")
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
            as_whom = f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups "
        self.run(
            f"cd {home}; {as_whom}{binaries}/initdb -D data -U postgres -A trust -E UTF8"
        )
        options = f"-k {home} -h 127.0.0.1 -p {self.ports[5432]}"
        self.background(f"{as_whom}{binaries}/postgres -D {home}/data {options}")
        psql = f"{binaries}/psql -q -h 127.0.0.1 -p {self.ports[5432]} -U postgres"
        self.run(f"until {psql} -c 'select 1'; do sleep 0.5; done", wait=30)
        self.run(f"{psql} -v ON_ERROR_STOP=1 -f databases.sql; bash -eu tables.sh")
        told("PostgreSQL has the tables")

    def secrets(self) -> None:
        """Certificates and keys."""
        self.run("bash -eu certificates.sh")
        # The address of a machine that has no name.
        self.run(
            "openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key "
            "-CAcreateserial -extfile <(echo subjectAltName=DNS:localhost) -out server.pem"
        )
        self.run("openssl ecparam -name prime256v1 -genkey -noout -out signing.key")
        for who, may in {
            "admin": "temporal-system:admin",
            "ana": "deploys:write",
            "reader": "deploys:read",
            "stranger": "other:write",
        }.items():
            self.run(f"python api_key.py {who} {may} > {who}.token")
        self.run("openssl rand -base64 32 > temporal.key")

    def server(self) -> subprocess.Popen[bytes]:
        """The server, by the unit."""
        unit = (self.etc / "temporal.service").read_text().replace("\\\n", " ")
        [command] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        return self.background(command)

    def connect(self) -> None:
        """The settings of workers and people: TLS, a key, encryption."""
        self.env |= {
            "WORKSTREAM_STORE": self.store,
            "TEMPORAL_ADDRESS": self.store.split(":", 1)[1].partition("/")[0],
            "TEMPORAL_NAMESPACE": "deploys",
            "TEMPORAL_TLS": "true",
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.etc / "authority.pem"),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.etc / "client.pem"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.etc / "client.key"),
            "TEMPORAL_API_KEY": self.key("ana"),
            "WORKSTREAM_TEMPORAL_KEYS": f"2026-11=file:{self.etc}/temporal.key",
            "WORKSTREAM_PLUGINS": "workstream-command,workstream-temporal",
            "NO_COLOR": "1",
        }

    def key(self, who: str) -> str:
        """Somebody's API key."""
        return (self.etc / f"{who}.token").read_text().strip()

    @contextmanager
    def worker(
        self, *words: str, newer: bool = False
    ) -> Generator[subprocess.Popen[str]]:
        """A worker while the body runs."""
        program = (
            [sys.executable, "-c", NEWER] if newer else [str(PROGRAMS / "workstream")]
        )
        process = subprocess.Popen(
            [*program, "worker", "--engine", self.store, *words],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("at work for the Temporal cluster"), said
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def use(guide: Guide) -> None:
    """Run plans, and look who gets in and what can be read."""
    run = guide.run
    run("workstream list", status=2, TEMPORAL_API_KEY=guide.key("stranger"))
    run("workstream list", status=2, TEMPORAL_API_KEY="", says="unauthorized")
    run("workstream list", status=2, TEMPORAL_TLS_CLIENT_CERT_PATH="")
    told("nobody gets in without a certificate, a key, and a right to the namespace")
    with guide.worker(), guide.worker("--zone", "eu-1"):
        run("workstream run rollout.py", says="COMPLETED")
        run("workstream list", says="secret-name")
        run("workstream show", says="secret-name", TEMPORAL_API_KEY=guide.key("reader"))
        seen = run("temporal workflow list") + run(
            "temporal workflow show -o json --workflow-id $(temporal workflow list "
            "-o json | grep -o 'workstream-plan-[0-9a-f-]*' | head -n 1)"
        )
        assert "workstream-plan-" in seen
        assert "secret-name" not in seen
        run("workstream show", status=2, says="2026-11", WORKSTREAM_TEMPORAL_KEYS="")
        told("a plan ran in two zones; others see it encrypted")

        run("timeout -s INT 20 workstream run rollout.py -p zone=eu-2 || true")
        run("workstream show", says="waits for a worker in eu-2")
        run("workstream stop --now last; workstream watch last", status=4)
        run("timeout -s INT 20 workstream retry last || true")
        with guide.worker("--zone", "eu-2"):
            run("workstream watch last", says="COMPLETED")
        told("a plan waited for a zone, was stopped, and retried")


def break_off(guide: Guide, server: subprocess.Popen[bytes]) -> None:
    """Kill a worker in the middle of a plan, then the server."""
    long = "workstream run rollout.py -p hosts=20 -p seconds=1"
    with ExitStack() as workers, guide.worker("--zone", "eu-1"):
        first = workers.enter_context(guide.worker())
        plan = guide.background(long)
        guide.run("until workstream show last | grep -qi running; do :; done")
        first.kill()
        with guide.worker():
            server.kill()
            server.wait()
            guide.server()
            plan.wait(timeout=300)
            assert plan.returncode == 0, plan.returncode
            guide.run("workstream show last", says="COMPLETED")
            told("a plan outlived a worker and the server")


def upgrade(guide: Guide) -> None:
    """Put a newer worker beside an old one, and go back, by the guide's commands."""
    describe = (
        "temporal worker deployment describe-version --deployment-name workstream "
        "--build-id {}"
    )
    current = int(
        re.findall(
            r"CurrentVersionBuildID\s+(\d+)",
            guide.run("temporal worker deployment describe --name workstream"),
        )[0]
    )
    with guide.worker("--zone", "eu-1"):
        with guide.worker():
            plan = guide.background("workstream run rollout.py -p seconds=3")
            guide.run("until workstream show last | grep -qi running; do :; done")
            with guide.worker(newer=True) as newer:
                assert newer.stdout is not None
                said = newer.stdout.readline()
                assert said == f"new plans begin with version {current + 1}\n", said
                guide.run(describe.format(current), says="draining")
                assert plan.wait(timeout=200) == 0
                guide.run("workstream run rollout.py", says="COMPLETED")
                drained = f"until {describe.format(current)} | grep -q drained; do sleep 5; done"
                guide.run(drained, wait=600)
                told("an old worker finished its plan, and its version drained")
        with guide.worker(newer=True), guide.worker():
            guide.run(
                "temporal worker deployment set-current-version --yes --deployment-name "
                f"workstream --build-id {current}"
            )
            guide.run("workstream run rollout.py", says="COMPLETED")
            told("new plans begin with the old version again")


def main(programs: str) -> None:
    """See the module."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    try:
        with ExitStack() as stack:
            guide = Guide(place, Path(programs).resolve(), stack)
            guide.postgres()
            guide.secrets()
            server = guide.server()
            guide.run("until bash -eu namespace.sh; do sleep 1; done", wait=120)
            told("the server has the namespace")
            guide.connect()
            (guide.etc / "rollout.py").write_text(PLAN)
            use(guide)
            break_off(guide, server)
            upgrade(guide)
    except BaseException:
        print(
            "\n".join(e[:300] for e in (place / "log").read_text().splitlines()[-20:])
        )
        raise
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
