"""Two PostgreSQL servers in streaming replication, reached like one by a list of hosts."""

import os
import signal
import subprocess
import time
from pathlib import Path

from .postgres import Postgres, PsqlError
from .tcp_proxy import TcpProxy

# A standby that lost its primary looks for it again at once, and tells often how far it is.
_SETTINGS = {"wal_retrieve_retry_interval": "200ms", "wal_receiver_status_interval": "1s",
             "wal_keep_size": "256MB"}


class Standby(Postgres):
    """A copy of a running server that follows it, through `port` when that is given."""

    def __init__(self, primary: Postgres, port: int | None = None, name: str = "standby"):
        self._primary, self._primary_port, self._name = primary, port or primary.port, name
        super().__init__(settings=_SETTINGS)

    def _init_cluster(self) -> None:
        source = f"host=127.0.0.1 port={self._primary_port} user=postgres application_name={self._name}"
        argv = [self.bindir / "pg_basebackup", "-D", self.data, "-d", source, "-R",
                "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        done = subprocess.run(self._as_account([str(word) for word in argv]), cwd="/",
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pg_basebackup failed: {done.stderr.strip()}")

    def promote(self) -> None:
        self.psql("SELECT pg_promote(true, 60)")


def descendants(pid: int) -> list[int]:
    """All processes below one, nearest first."""
    try:
        near = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return near + [far for child in near for far in descendants(child)]


def kill_all(cluster: Postgres) -> None:
    """`kill -9` of a server with all its processes, as if its machine had lost power: from the top down, so that
    none is started anew."""
    server, cluster._server = cluster._server, None
    below = descendants(server.pid)
    server.end(signal.SIGKILL)
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Pair:
    """A primary and its standby. The replication goes through a proxy, so that it can be cut."""

    def __init__(self, synchronous: bool):
        self.primary = Postgres(settings=_SETTINGS).start()
        self.replication = TcpProxy(self.primary.port)
        self.standby = Standby(self.primary, self.replication.port).start()
        self.wait_streaming(self.primary)
        self.on_promotion = []  # what else has to know of the new primary: each is called with it
        if synchronous:
            self.primary.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            self.primary.psql("SELECT pg_reload_conf()")

    def wait_streaming(self, primary: Postgres, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while primary.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == [("0",)]:
            assert time.monotonic() < deadline, "the standby does not stream"
            time.sleep(0.05)

    def cut_replication(self) -> None:
        """From here on what the primary commits stays with it."""
        self.replication.refusing = True
        self.replication.cut()

    def fail_over(self) -> None:
        """The primary dies at once and for good; the standby takes over."""
        kill_all(self.primary)
        self.standby.promote()
        for tell in self.on_promotion:
            tell(self.standby)

    def database(self, name: str) -> "PairDatabase":
        return PairDatabase([self.primary, self.standby], name)

    def remove(self) -> None:
        self.replication.close()
        self.standby.remove()
        self.primary.remove()


class PairDatabase:
    """One database on several servers: like support.postgres.Database, on whichever takes writes."""

    def __init__(self, clusters: list, name: str):
        self.clusters, self.name = clusters, name
        self._writable().psql(f'CREATE DATABASE "{name}"')

    def env(self, user: str = "postgres") -> dict:
        """PG* variables with a list of hosts. (A killed server's port is refused at once: no time is lost.)"""
        several = {"PGHOST": ",".join("127.0.0.1" for _ in self.clusters),
                   "PGPORT": ",".join(str(cluster.port) for cluster in self.clusters),
                   "PGTARGETSESSIONATTRS": "read-write"}
        return self.clusters[0].env(self.name, user) | several

    def _find_writable(self):
        for cluster in self.clusters:
            try:
                if cluster.psql("SHOW transaction_read_only") == [("off",)]:
                    return cluster
            except PsqlError:  # it is down
                continue
        return None

    def _writable(self, timeout: float = 60) -> Postgres:
        """While a failover is under way there is none: it is waited for."""
        deadline = time.monotonic() + timeout
        while (found := self._find_writable()) is None:
            assert time.monotonic() < deadline, "no server takes writes"
            time.sleep(0.1)
        return found

    def psql(self, sql: str, user: str = "postgres") -> list:
        return self._writable().psql(sql, self.name, user)

    def query(self, sql: str, user: str = "postgres") -> list[dict]:
        return self._writable().query(sql, self.name, user)
