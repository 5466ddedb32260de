"""A formation of pg_auto_failover: a monitor and two servers, which decides by itself who is the primary. All of
it runs as the unprivileged account of support.postgres."""

import os
import time

from .postgres import Postgres
from .process import Daemon
from .replication import PairDatabase, kill_all

# A dead primary is noticed in a few seconds instead of some twenty.
_MONITOR_SETTINGS = {
    "pgautofailover.health_check_period": "500ms", "pgautofailover.health_check_timeout": "1s",
    "pgautofailover.health_check_retry_delay": "200ms", "pgautofailover.health_check_max_retries": "1",
    "pgautofailover.node_considered_unhealthy_timeout": "3s", "pgautofailover.startup_grace_period": "1s",
    "pgautofailover.primary_demote_timeout": "3s",
}


class _Kept(Postgres):
    """A server that pg_autoctl creates, starts and keeps."""

    def __init__(self, words: list):
        self._words = words
        super().__init__()

    @property
    def host(self) -> str:
        return "127.0.0.1"

    def _init_cluster(self) -> None:
        (self.folder / "run").mkdir(mode=0o700)
        if self.account:
            os.chown(self.folder / "run", self.account.pw_uid, self.account.pw_gid)

    def _environment(self) -> dict:
        return {"HOME": str(self.folder), "PATH": f"{self.bindir}:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                **{f"XDG_{what}": str(self.folder / "run")
                   for what in ("RUNTIME_DIR", "DATA_HOME", "CONFIG_HOME")}}

    def start(self) -> "_Kept":
        new = ["create", *self._words, "--pgport", str(self.port), "--hostname", "127.0.0.1", "--auth",
               "trust", "--no-ssl", "--run"]
        words = ["run"] if self.data.exists() else new
        argv = self._as_account(["pg_autoctl", *words, "--pgdata", str(self.data)])
        self._server = Daemon(argv, self.folder / "server.log", cwd="/", env=self._environment())
        self._server.wait_until(self._answers, timeout=60)
        return self

    def remove(self) -> None:
        if self._server:
            kill_all(self)
        super().remove()


class AutoFailover:
    """The monitor and its two nodes, replicating synchronously."""

    def __init__(self):
        self.nodes = []
        self.monitor = _Kept(["monitor"]).start()
        self._wait(self._has_extension, "the monitor is not ready")
        for name, value in _MONITOR_SETTINGS.items():
            self.monitor.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.monitor.psql("SELECT pg_reload_conf()")
        uri = f"postgres://autoctl_node@127.0.0.1:{self.monitor.port}/pg_auto_failover"
        for name in ("n1", "n2"):
            node = _Kept(["postgres", "--name", name, "--monitor", uri])
            self.nodes.append(node.start())
            self.wait_states({0: ["single"], 1: ["primary", "secondary"]}[len(self.nodes) - 1])
            # pg_autoctl copies a server that it could not rewind, and the copy waits for a checkpoint: not for minutes.
            node.psql("ALTER SYSTEM SET checkpoint_completion_target = 0")
            node.psql("SELECT pg_reload_conf()")

    def _has_extension(self) -> bool:
        found = self.monitor.psql("SELECT count(*) FROM pg_database WHERE datname = 'pg_auto_failover'")
        return found == [("1",)] and self.monitor.psql(
            "SELECT count(*) FROM pg_extension WHERE extname = 'pgautofailover'", "pg_auto_failover") == [("1",)]

    def states(self) -> list[str]:
        """What the nodes say that they are, sorted."""
        rows = self.monitor.psql(
            "SELECT reportedstate FROM pgautofailover.node WHERE reportedstate = goalstate", "pg_auto_failover")
        return sorted(row[0] for row in rows)

    def wait_states(self, wanted: list[str], timeout: float = 90) -> None:
        self._wait(lambda: self.states() == sorted(wanted), f"the nodes are not {wanted}", timeout)

    def _wait(self, is_so, message: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not is_so():
            if time.monotonic() > deadline:
                logs = "\n".join(kept._server.log_tail(6) for kept in [self.monitor, *self.nodes] if kept._server)
                raise AssertionError(f"{message}\n{logs}")
            time.sleep(0.2)

    def primary(self) -> _Kept:
        """The one that takes writes; while a node is promoted none does."""
        return next(node for node in self.nodes
                    if node._server and node.psql("SHOW transaction_read_only") == [("off",)])

    def database(self, name: str) -> PairDatabase:
        return PairDatabase(self.nodes, name)

    def remove(self) -> None:
        for kept in [*self.nodes, self.monitor]:
            kept.remove()
