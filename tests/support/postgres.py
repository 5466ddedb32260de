"""A private PostgreSQL cluster for one test run: own data folder, own socket, own port.

PostgreSQL refuses to run as root, so as root it runs as another user. The folder lies under the
system's temporary folder, because a socket's path may have some hundred bytes only and the tests
must work from anywhere.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .process import Daemon, free_port

SUPERUSER = "postgres"
_FIELD, _NULL = "\x1f", "\x1d"


class PsqlError(Exception):
    """psql refused; the message is what it wrote to stderr."""


def find_bindir() -> Path:
    """The folder of the server's programs: PG_BINDIR, Debian's newest, or pg_config's."""
    named = os.environ.get("PG_BINDIR")
    if named:
        return Path(named)
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if debian:
        return debian[-1].parent
    return Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())


def _server_account():
    """The account the server runs as: our own, or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no unprivileged account for PostgreSQL; hint: useradd postgres")


class Postgres:
    """One cluster, from initdb to removal. Every role may log in: it listens on loopback only."""

    def __init__(self, fsync: bool = True, settings: dict | None = None):
        self.bindir = find_bindir()
        self.account = _server_account()
        self.folder = Path(tempfile.mkdtemp(prefix="modeltrail-pg-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.settings = {"fsync": "on" if fsync else "off", "max_connections": "60"}
        self.settings.update(settings or {})
        self._server: Daemon | None = None
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self._init_cluster()

    @property
    def host(self) -> str:
        """The folder of the unix socket; `127.0.0.1` with the same port works as well."""
        return str(self.folder)

    def _as_account(self, argv: list) -> list:
        if not self.account:
            return argv
        ids = [f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, *argv]

    def _init_cluster(self) -> None:
        argv = [self.bindir / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust",
                "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(self._as_account(argv), cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def start(self) -> "Postgres":
        """Starts the server and waits until it answers; after a crash this includes recovery."""
        flags = [f"--{name}={value}" for name, value in self.settings.items()]
        argv = [self.bindir / "postgres", "-D", self.data, "-k", self.folder, "-p", self.port,
                "-h", "127.0.0.1", *flags]
        self._server = Daemon(
            self._as_account([str(word) for word in argv]), self.folder / "server.log", cwd="/"
        )
        self._server.wait_until(self._answers, timeout=60)
        return self

    def _answers(self) -> bool:
        # Over TCP too: the socket exists a moment before the port listens.
        probe = [self.bindir / "pg_isready", "-q", "-p", str(self.port), "-h"]
        hosts = (self.host, "127.0.0.1")
        return all(subprocess.run([*probe, host]).returncode == 0 for host in hosts)

    def stop(self) -> None:
        """A clean end: fast shutdown, sessions are thrown out."""
        self._end(signal.SIGINT)

    def kill_immediate(self) -> None:
        """A crash, as `pg_ctl -m immediate` makes it: no checkpoint, recovery at the next start."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._server:
            self._server.end(how, timeout=60)
            self._server = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stops the server and deletes the cluster."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def env(self, dbname: str = "postgres", user: str = SUPERUSER) -> dict:
        """The PG* variables for a program of ours; the caller's own PG* never leak in."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return clean | {"PGHOST": self.host, "PGPORT": str(self.port), "PGDATABASE": dbname,
                        "PGUSER": user, "PGCONNECT_TIMEOUT": "10"}

    def dsn(self, dbname: str = "postgres", user: str = SUPERUSER, host: str | None = None) -> str:
        return f"host={host or self.host} port={self.port} dbname={dbname} user={user}"

    def psql(self, sql: str, dbname: str = "postgres", user: str = SUPERUSER) -> list[tuple]:
        """Runs SQL and returns rows of text, NULL as None. Any error raises PsqlError."""
        argv = ["psql", "-X", "-q", "-A", "-t", "-F", _FIELD, "-0", "-P", f"null={_NULL}",
                "-v", "ON_ERROR_STOP=1", "-f", "-"]
        done = subprocess.run(
            argv, input=sql, env=self.env(dbname, user), capture_output=True, text=True
        )
        if done.returncode != 0:
            raise PsqlError(done.stderr.strip())
        rows = [row.split(_FIELD) for row in done.stdout.split("\0")[:-1]]
        return [tuple(None if cell == _NULL else cell for cell in row) for row in rows]

    def query(self, sql: str, dbname: str = "postgres", user: str = SUPERUSER) -> list[dict]:
        """Runs one SELECT and returns its rows as dictionaries of JSON values, in its order."""
        wrapped = f"SELECT json_agg(row_to_json(q)) FROM ({sql.rstrip().rstrip(';')}) q;"
        (answer,), = self.psql(wrapped, dbname, user)
        return json.loads(answer) if answer else []

    def create_database(self, name: str) -> "Database":
        self.psql(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def drop_database(self, name: str) -> None:
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Database:
    """One database of a cluster, with the cluster's helpers bound to it."""

    def __init__(self, cluster: Postgres, name: str):
        self.cluster = cluster
        self.name = name

    def env(self, user: str = SUPERUSER) -> dict:
        return self.cluster.env(self.name, user)

    def dsn(self, user: str = SUPERUSER, host: str | None = None) -> str:
        return self.cluster.dsn(self.name, user, host)

    def psql(self, sql: str, user: str = SUPERUSER) -> list[tuple]:
        return self.cluster.psql(sql, self.name, user)

    def query(self, sql: str, user: str = SUPERUSER) -> list[dict]:
        return self.cluster.query(sql, self.name, user)

    def drop(self) -> None:
        self.cluster.drop_database(self.name)
