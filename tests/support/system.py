"""The whole of modeltrail for a test: schema, keys, configuration, a store and collectors as real processes."""

import json
import os
import signal
import time
from pathlib import Path

from support.build import program, run
from support.process import Daemon, free_port


class System:
    """One store and its collectors on one database. `collectors` maps a name to (cluster, namespaces or None)."""

    def __init__(self, folder: Path, database, collectors: dict, repositories: dict | None = None):
        """`repositories` maps a collector to those whose commits it may declare."""
        self.folder, self.database, self.collectors = Path(folder), database, collectors
        self.repositories = repositories or {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.stores = {"store": self.endpoint}
        self.store_key = self._make_key("store")
        self.keys = {name: self._make_key(name) for name in collectors}
        self.daemons: dict[str, Daemon] = {}
        self.programs = {}  # by collector, where it is not the one that was built
        done = run("modeltrail-store", "migrate", database=database)
        assert done.returncode == 0, done.stderr
        database.psql(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'test_store') THEN"
            " CREATE ROLE test_store LOGIN; CREATE ROLE test_reader LOGIN; CREATE ROLE test_auditor LOGIN;"
            " END IF; END $$;"
            "GRANT modeltrail_writer TO test_store; GRANT modeltrail_reader TO test_reader;"
            "GRANT modeltrail_auditor TO test_auditor"
        )
        self.write_store_config()

    def _make_key(self, name) -> str:
        done = run("modeltrail-store", "keygen", self.folder / f"{name}.key")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def secret(self, name) -> bytes:
        return bytes.fromhex((self.folder / f"{name}.key").read_text().strip())

    def add_store(self, name):
        """Another store with the same key on the same database; start_store(name) starts it."""
        self.stores[name] = f"tcp://127.0.0.1:{free_port()}"
        self.write_store_config()
        return self.stores[name]

    def write_store_config(self, without=()):
        for name, endpoint in self.stores.items():
            self._write_store_config(name, endpoint, without)

    def _write_store_config(self, store, endpoint, without):
        lines = [f"listen: {endpoint}", f'key_file: "{self.folder}/store.key"', "collectors:"]
        for name, (cluster, namespaces) in self.collectors.items():
            if name not in without:
                scope = f", namespaces: [{', '.join(namespaces)}]" if namespaces else ""
                if name in self.repositories:
                    scope += f", repositories: {json.dumps(self.repositories[name])}"
                lines.append(f"  - {{name: {name}, key: {self.keys[name]}, cluster: {cluster}{scope}}}")
        (self.folder / f"{store}.yaml").write_text("\n".join(lines) + "\n")

    def store_environment(self):
        return self.database.env("test_store")

    def start_store(self, name="store", env=None, wait=True):
        """`env` is added to its variables. A store that a test means to die at once is not waited for."""
        log = self.folder / f"{name}.log"
        argv = [program("modeltrail-store"), "run", "--config", self.folder / f"{name}.yaml"]
        before = log.read_text().count("listening") if log.exists() else 0
        daemon = Daemon(argv, log, env=self.store_environment() | (env or {}))
        self.daemons[name] = daemon
        if wait:
            daemon.wait_until(lambda: log.read_text().count("listening") > before)
        return daemon

    def apply(self, path):
        done = run("modeltrail-store", "apply", path, database=self.database, user="test_store")
        assert done.returncode == 0, done.stderr
        return done

    def write_collector_config(self, name, sources: list[str], store=None, **more):
        lines = [
            f"collector: {name}", f"cluster: {self.collectors[name][0]}",
            f"store: {json.dumps([store] if isinstance(store, str) else store or [self.endpoint])}", f"store_key: {self.store_key}",
            f'key_file: "{self.folder}/{name}.key"', f'spool: "{self.folder}/{name}.db"', "sources:",
        ]
        lines += [f"  - {source}" for source in sources]
        lines += [f"{key}: {value}" for key, value in more.items()]
        path = self.folder / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def collector_argv(self, name):
        return [self.programs.get(name) or program("modeltrail-collector"), "--config", self.folder / f"{name}.yaml"]

    def start_collector(self, name, sources: list[str] | None = None, env=None, **more):
        if sources is not None:
            self.write_collector_config(name, sources, **more)
        self.daemons[name] = Daemon(self.collector_argv(name), self.folder / f"{name}.log",
                                    env=dict(os.environ) | (env or {}))
        return self.daemons[name]

    def collect_once(self, name, sources: list[str], timeout=120):
        """Runs a collector with --once to its end."""
        self.write_collector_config(name, sources)
        done = run("modeltrail-collector", "--config", self.folder / f"{name}.yaml", "--once", timeout=timeout)
        (self.folder / f"{name}.log").open("a").write(done.stderr)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    def end(self, name, how=signal.SIGTERM):
        return self.daemons.pop(name).end(how)

    def ask(self, *words, user="test_auditor", env=None):
        """`modeltrail WORDS`, as a reader who may see raw events."""
        return run("modeltrail", *words, database=self.database, user=user, env=env)

    def rows(self, sql):
        return self.database.query(sql)

    def wait_for(self, sql, wanted, timeout=30):
        """Polls a one-value query until it gives `wanted`; fails with what it gave instead."""
        deadline = time.monotonic() + timeout
        while True:
            have = self.database.psql(sql)
            value = have[0][0] if have else None
            if value == str(wanted):
                return
            if time.monotonic() > deadline:
                logs = {n: d.log_tail(8) for n, d in self.daemons.items()}
                raise AssertionError(f"{sql}: {value!r}, wanted {wanted!r}\n{logs}")
            time.sleep(0.1)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def stop(self):
        for daemon in self.daemons.values():
            daemon.end()
        self.daemons.clear()
