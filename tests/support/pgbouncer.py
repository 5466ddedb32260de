"""PgBouncer in transaction mode before a server of a test: sessions are shared, so nothing may live in one."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .build import ROOT
from .postgres import Database, Postgres
from .process import Daemon, free_port
from .replication import PairDatabase

_USERS = ("postgres", "test_store", "test_reader", "test_auditor")


def _documented() -> str:
    """The settings that docs/operations.md tells to use."""
    return (ROOT / "docs" / "operations.md").read_text().split("```ini\n")[1].split("```")[0]


class PgBouncer:
    """One pooler on a port of its own. Its pool is small, so that clients do meet each other's sessions."""

    def __init__(self, server: Postgres):
        self.server, self.port = server, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="modeltrail-pgbouncer-"))
        (self.folder / "users.txt").write_text("".join(f'"{user}" ""\n' for user in _USERS))
        self.config = self.folder / "pgbouncer.ini"
        self._write_config(server.port)
        if server.account:
            for path in (self.folder, self.config, self.folder / "users.txt"):
                os.chown(path, server.account.pw_uid, server.account.pw_gid)
        self.daemon: Daemon | None = None

    def _write_config(self, port: int) -> None:
        self.config.write_text(f"""\
[databases]
* = host=127.0.0.1 port={port}
{_documented()}
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users.txt
admin_users = postgres
""")

    def point_at(self, port: int) -> None:
        """What an operator does after a failover: another address in the file, and a reload. Clients stay connected,
        and are not told."""
        self._write_config(port)
        self.daemon.send(signal.SIGHUP)

    def start(self) -> "PgBouncer":
        argv = self.server._as_account(["/usr/sbin/pgbouncer", str(self.config)])
        self.daemon = Daemon(argv, self.folder / "pgbouncer.log", cwd="/")
        self.daemon.wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        return subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def stop(self, *how) -> None:
        if self.daemon:
            self.daemon.end(*how)
            self.daemon = None

    def database(self, name: str) -> "PooledDatabase":
        return PooledDatabase(self, self.server.create_database(name))

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class PooledDatabase(Database):
    """A database that the programs reach through the pooler; the test itself asks the server."""

    def __init__(self, pooler: PgBouncer, direct: Database):
        super().__init__(direct.cluster, direct.name)
        self.pooler = pooler

    def env(self, user: str = "postgres") -> dict:
        return super().env(user) | {"PGHOST": "127.0.0.1", "PGPORT": str(self.pooler.port)}


class PooledPairDatabase(PairDatabase):
    """A database of a pair that the programs reach through poolers: one before each server, or one before whichever
    is the primary."""

    def __init__(self, poolers: list, direct: PairDatabase):
        self.poolers, self.clusters, self.name = poolers, direct.clusters, direct.name

    def env(self, user: str = "postgres") -> dict:
        return super().env(user) | {"PGHOST": ",".join("127.0.0.1" for _ in self.poolers),
                                    "PGPORT": ",".join(str(pooler.port) for pooler in self.poolers),
                                    "PGCONNECT_TIMEOUT": "3"}
