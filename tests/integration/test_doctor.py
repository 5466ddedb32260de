"""`modeltrail doctor`: each thing it names is made for real, seen by name, and ends with 1; a system in order ends
with 0."""

import json
import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest
from support.build import ROOT
from support.later import copy_later
from support.postgres import Postgres
from support.system import System
from support.wire import ZERO, WireCollector, chain_over, observed

OK, FAILED = 0, 1


def listens(host, port):
    try:
        socket.create_connection((host, port), 5).close()
        return True
    except OSError:
        return False


def ago(**span):
    return (datetime.now(timezone.utc) - timedelta(**span)).isoformat()


class Standby(Postgres):
    """A hot standby of another cluster."""

    def __init__(self, primary, settings):
        self.primary = primary
        super().__init__(settings=settings)

    def _init_cluster(self):
        argv = [self.bindir / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                "-h", self.primary.host, "-p", self.primary.port, "-U", "postgres"]
        subprocess.run(self._as_account([str(word) for word in argv]), cwd="/", check=True, capture_output=True)


class Site:
    """A store and a collector of the test's own that covers all of c1, and beats when it is told."""

    def __init__(self, folder, cluster, name):
        self.database = cluster.create_database(name)
        self.connections = []
        self.system = System(folder, self.database, {"eu-1": ("c1", None)})

    def start(self):
        self.system.start_store()
        self.collector = self.connect(1000)
        assert self.collector.hello()["kind"] == "welcome"
        self.beat()

    def connect(self, epoch):
        self.connections.append(WireCollector(self.system.endpoint, bytes.fromhex(self.system.store_key),
                                              self.system.secret("eu-1"), epoch=epoch))
        return self.connections[-1]

    def beat(self, **header):
        looks = [{"aspect": aspect, "cluster": "c1", "namespace": None, "resource": None,
                  "watched_since": ago(days=30), "through": ago(seconds=0)} for aspect in ("state", "actor")]
        self.collector.send({"kind": "beat", "epoch": str(self.collector.epoch), **header}, json.dumps(looks).encode())
        self.system.wait_for("SELECT count(*) > 0 FROM modeltrail.look WHERE through > now() - interval '5 seconds'", "t")

    def doctor(self, *words, code, database=None):
        """check_name -> row. A check that is not well says what to do next."""
        view = object.__new__(System)
        view.database = database or self.database
        done = view.ask("doctor", *words, "-o", "json", user="test_reader")
        assert done.stdout, done.stderr
        checks = {row["check_name"]: row for row in json.loads(done.stdout)["items"]}
        assert done.returncode == code, (done.returncode, checks)
        assert all(row["next_step"] for row in checks.values() if row["status"] != "ok"), checks
        return checks

    def only(self, name, *words, status="fail", database=None):
        """The detail of the one check that is not well."""
        checks = self.doctor(*words, code=FAILED if status == "fail" else OK, database=database)
        ill = {check: row["status"] for check, row in checks.items() if row["status"] != "ok"}
        assert ill == {name: status}, checks
        return checks[name]["detail"]

    def stop(self):
        for connection in self.connections:  # of a failed test too: ZeroMQ waits for a forgotten one for ever
            connection.close()
        self.system.stop()
        self.database.drop()


@contextmanager
def running(site):
    """Ends it whatever happens: no store of a failed test goes on."""
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture
def site(tmp_path, postgres):
    with running(Site(tmp_path, postgres, f"doctor_{os.getpid()}_{tmp_path.name}"[:60])) as made:
        yield made


def test_all_is_well(site):
    checks = site.doctor(code=OK)
    assert {row["status"] for row in checks.values()} == {"ok"}, checks
    assert list(checks) == ["connection", "schema", "stores", "coverage", "actors", "collectors", "clocks", "forks", "gaps", "allow-list",
                            "quarantine", "settings", "replication", "keys", "attribution", "gitops", "repositories"]


def test_clocks_that_agree_are_counted(site):
    agree = "{} live collectors agree with the database within 5 s"
    assert site.doctor(code=OK)["clocks"]["detail"] == agree.format("0 of 1") + "; 1 did not tell their time"
    site.database.psql("INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at, clock_skew)"
                       " VALUES ('eu-0', 1, 0, '', now(), '4 s')")
    assert site.doctor(code=OK)["clocks"]["detail"] == agree.format("1 of 2") + "; 1 did not tell their time"
    site.database.psql("UPDATE modeltrail.mark SET clock_skew = '5 s' WHERE collector = 'eu-1'")
    assert site.doctor(code=OK)["clocks"]["detail"] == agree.format("2 of 2")
    site.database.psql("UPDATE modeltrail.mark SET clock_skew = interval '-6 seconds' WHERE collector = 'eu-0'")
    checks = site.doctor(code=OK)
    assert (checks["clocks"]["status"], checks["clocks"]["detail"]) == ("warn", "off by more than 5 s: eu-0 (-00:00:06)")
    later = copy_later(site.database, f"{site.database.name}_l", alive=["_store"])
    try:
        checks = site.doctor(code=FAILED, database=later)
        assert (checks["clocks"]["status"], checks["clocks"]["detail"]) == ("ok", "no collector is live")
    finally:
        later.drop()


def test_which_server_the_connection_is_to(tmp_path):
    cluster = Postgres(settings={"listen_addresses": "127.0.0.1,::1"})
    try:
        with running(Site(tmp_path, cluster.start(), "doctor")) as site:
            told = {cluster.host: "on a unix socket, port", "127.0.0.1": "at 127.0.0.1:"}
            if listens("::1", cluster.port):  # a machine need not have IPv6
                told["::1"] = "at [::1]:"
            for host, where in told.items():
                detail = site.doctor("--dsn", cluster.dsn("doctor", "test_reader", host), code=OK)["connection"]["detail"]
                assert re.fullmatch(rf"PostgreSQL \S+( \(.*\))? {re.escape(where)} ?{cluster.port}, database doctor,"
                                    r" role test_reader", detail), detail
    finally:
        cluster.remove()


def test_a_silent_collector(site):
    later = copy_later(site.database, f"{site.database.name}_l", alive=["_store"])
    try:
        checks = site.doctor(code=FAILED, database=later)
        assert checks["collectors"]["status"] == checks["coverage"]["status"] == "fail"
        assert "silent: eu-1 (silent since 20" in checks["collectors"]["detail"]
        assert "c1 (eu-1: not observed since 20" in checks["coverage"]["detail"]
    finally:
        later.drop()


def test_a_collector_that_said_goodbye_and_one_in_trouble(site):
    site.beat(trouble="kubernetes waits: the spool is full")
    checks = site.doctor(code=OK)
    assert "in trouble: eu-1 (kubernetes waits: the spool is full)" in checks["collectors"]["detail"]
    site.beat(trouble="stopped")
    checks = site.doctor(code=FAILED)
    assert "silent: eu-1 (stopped at 20" in checks["collectors"]["detail"]
    assert "stopped at 20" in checks["coverage"]["detail"]


def test_no_store(site):
    site.system.end("store", signal.SIGKILL)
    later = copy_later(site.database, f"{site.database.name}_l")
    try:
        checks = site.doctor(code=FAILED, database=later)
        assert "eu-1 (no store has spoken since 20" in checks["collectors"]["detail"]
    finally:
        later.drop()


def hang_up(site, words, name="store"):
    before = site.system.log(name).count(words)
    os.kill(site.system.daemons[name].pid, signal.SIGHUP)
    site.system.daemons[name].wait_until(lambda: site.system.log(name).count(words) > before, 10)


def trouble_wanted(site, wanted):
    site.system.wait_for("SELECT store_trouble IS NOT NULL FROM modeltrail_v1.status", "t" if wanted else "f", 15)


def test_a_configuration_that_was_not_reloaded(site):
    """The key that was to be taken back is still welcome, until somebody mends the file and reloads it."""
    config = site.system.folder / "store.yaml"
    good = config.read_text()
    config.write_text(good.replace("eu-1, key", "eu-1, kye"))
    hang_up(site, "the old one stays")
    trouble_wanted(site, True)
    detail = site.only("stores")
    assert f"at tcp://127.0.0.1:{site.system.port}: configuration not reloaded: " in detail and "'kye'" in detail
    since = site.database.psql("SELECT since, told_at FROM modeltrail.store_trouble")
    site.system.wait_for(f"SELECT told_at > '{since[0][1]}' FROM modeltrail.store_trouble", "t", 20)
    assert site.database.psql("SELECT since FROM modeltrail.store_trouble") == [since[0][:1]]
    config.write_text(good)
    hang_up(site, "allow-list reloaded")
    trouble_wanted(site, False)
    site.beat()
    assert site.doctor(code=OK)["stores"]["detail"] == "none is in trouble"


def test_a_store_that_is_well_takes_back_no_others_trouble(site):
    site.system.add_store("other")
    site.system.start_store("other")
    (site.system.folder / "other.yaml").write_text("listen: [")
    hang_up(site, "the old one stays", "other")
    trouble_wanted(site, True)
    told = site.database.psql("SELECT seen_at FROM modeltrail.mark WHERE collector = '_store'")[0][0]
    hang_up(site, "allow-list reloaded")  # of the one that is well
    site.system.wait_for(f"SELECT seen_at > '{told}' FROM modeltrail.mark WHERE collector = '_store'", "t")
    assert f"at {site.system.stores['other']}: configuration not reloaded" in site.doctor(code=FAILED)["stores"]["detail"]
    # Anew, it has read what it was told to read.
    site.system.end("other", signal.SIGKILL)
    site.system.write_store_config()
    site.system.start_store("other")
    trouble_wanted(site, False)


def test_the_trouble_of_a_store_that_is_gone_is_over(site):
    (site.system.folder / "store.yaml").write_text("")
    hang_up(site, "the old one stays")
    trouble_wanted(site, True)
    later = copy_later(site.database, f"{site.database.name}_l", alive=["_store", "eu-1"])
    try:
        assert site.doctor(code=FAILED, database=later)["stores"]["status"] == "ok"
    finally:
        later.drop()


def test_a_listener_that_cannot_be_opened(site):
    taken = socket.create_server(("127.0.0.1", 0))
    config = site.system.folder / "store.yaml"
    good = config.read_text()
    port = taken.getsockname()[1]
    config.write_text(good.replace(f"listen: {site.system.endpoint}", f"listen: [{site.system.endpoint}, tcp://127.0.0.1:{port}]"))
    hang_up(site, "not all listeners are open")
    trouble_wanted(site, True)
    assert "not all listeners are open: " in site.only("stores")
    taken.close()


def gap(site, begin, end):
    site.collector.publish([("scope.gap", {"cluster": "c1", "aspect": "state", "namespace": "dev", "resource": None,
                                           "from": begin, "to": end, "reason": "HTTP 403"})])


def test_gaps(site):
    gap(site, ago(days=3), ago(days=2))
    assert site.only("gaps", status="warn") == "reported by eu-1 (1, none of the last day)"
    gap(site, ago(hours=3), ago(hours=2))
    assert site.only("gaps") == "reported by eu-1 (2, 1 open or of the last day)"
    # Told when it began and again when it ended: one gap, though three words.
    begin = ago(days=5)
    gap(site, begin, None)
    assert "(3, 2 open or of the last day)" in site.doctor(code=FAILED)["gaps"]["detail"]
    gap(site, begin, ago(days=4))
    assert "(4, 1 open or of the last day)" in site.only("gaps")


def test_a_fork(site):
    site.collector.publish([("namespace.observed", {"cluster": "c1", "namespace": "dev", "uid": "u", "position": "1",
                                                    "at": ago(days=1), "labels": {}, "removed": False})])
    clone = site.connect(1000)
    answer = clone.hello(next_seq=2, chain=chain_over(ZERO, [b"another history"]))
    assert answer["kind"] == "nack" and answer["reason"] == "fork", answer
    detail = site.only("forks")
    assert detail.startswith("refused: eu-1 as a fork since 20") and "two spools" in detail, detail
    # Asked again and again it is counted, and still one row that is seldom written.
    for _ in range(20):
        clone.hello(next_seq=2, chain=chain_over(ZERO, [b"another history"]))
    clone.close()
    assert site.database.query("SELECT collector, count FROM modeltrail.refusal") == [{"collector": "eu-1", "count": 1}]
    # Over when it is not repeated, and the collector is heard.
    later = copy_later(site.database, f"{site.database.name}_l", alive=["_store", "eu-1"])
    try:
        assert site.doctor(code=FAILED, database=later)["forks"]["status"] == "ok"
    finally:
        later.drop()


def test_a_spool_that_is_behind_the_store_is_a_fork_too(site):
    site.collector.publish([("namespace.observed", {"cluster": "c1", "namespace": "dev", "uid": "u", "position": "1",
                                                    "at": ago(days=1), "labels": {}, "removed": False})])
    old = site.connect(1000)
    assert old.hello(next_seq=1)["kind"] == "welcome"  # which tells the collector that it is one
    old.close()
    assert "as a fork since" in site.doctor(code=FAILED)["forks"]["detail"]


def test_a_stranger_makes_no_rows(site):
    stranger = site.connect(1000)
    assert stranger.hello(name="eu-2")["reason"] == "not_allowed"
    stranger.close()
    assert [row["collector"] for row in site.database.query("SELECT collector FROM modeltrail.refusal")] == ["eu-1"]
    detail = site.only("forks")
    assert detail.startswith("refused: eu-1 since 20") and "another collector" in detail, detail


def test_a_beat_of_an_older_epoch_moves_nothing(site):
    """It comes by a connection that began before the newer epoch was there, as over another store."""
    site.database.psql("INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at)"
                       " VALUES ('eu-1', 2000, 0, '\\x00', now())")
    before = site.database.query("SELECT seen_at, through FROM modeltrail.mark WHERE epoch = 1000")
    site.collector.send({"kind": "beat", "epoch": "1000"}, b"[]")
    answer = site.collector.receive()
    assert answer["kind"] == "nack" and answer["reason"] == "fork", answer
    assert site.database.query("SELECT seen_at, through FROM modeltrail.mark WHERE epoch = 1000") == before


def test_quarantine(site):
    site.collector.publish([("workload.observed", {"cluster": "c1", "nonsense": True})])
    assert site.only("quarantine") == "events of eu-1 (1, 1 of the last day)"
    later = copy_later(site.database, f"{site.database.name}_l", by=timedelta(hours=25))
    try:
        row = site.doctor(code=FAILED, database=later)["quarantine"]
        assert (row["status"], row["detail"]) == ("warn", "events of eu-1 (1, none of the last day)")
    finally:
        later.drop()


def test_key_files(site, tmp_path):
    key, other = tmp_path / "eu-1.key", tmp_path / "other.key"
    assert site.doctor(str(key), code=OK)["keys"]["detail"] == "1 key file, private to the owner"
    other.write_text("not looked into")
    for mode in (0o640, 0o604, 0o660):
        other.chmod(mode)
        detail = site.only("keys", str(key), str(other))
        assert detail == f"{other} can be read by others (mode {mode:04o})"
    checks = site.doctor(str(key), str(other), code=FAILED)
    assert checks["keys"]["next_step"].startswith("chmod 600 FILE;"), checks
    # A missing file has no rights to mend, and nobody read it.
    checks = site.doctor(str(tmp_path / "missing.key"), code=FAILED)
    assert "No such file" in checks["keys"]["detail"] and "chmod" not in checks["keys"]["next_step"], checks
    assert checks["keys"]["next_step"].startswith("name the file where it lies"), checks
    both = site.doctor(str(tmp_path / "missing.key"), str(other), str(other), code=FAILED)["keys"]["next_step"]
    assert both.count("chmod 600") == both.count("name the file") == 1, both


@pytest.mark.parametrize("statement, named", [
    ("ALTER DATABASE {database} SET synchronous_commit = off", "synchronous_commit=off in database {database}"),
    ("ALTER ROLE test_store SET synchronous_commit = off", "synchronous_commit=off for role test_store"),
    ("ALTER ROLE test_store SET synchronous_commit = 'Off'", "synchronous_commit=Off for role test_store"),
    ("ALTER ROLE test_store IN DATABASE {database} SET synchronous_commit = off",
     "synchronous_commit=off for role test_store in database {database}")])
def test_settings_of_roles_and_databases(site, statement, named):
    name = f'"{site.database.name}"'
    site.database.psql(statement.format(database=name))
    try:
        assert named.format(database=site.database.name) in site.only("settings")
    finally:
        site.database.psql(statement.format(database=name).split(" SET ")[0] + " RESET ALL")


def test_settings_of_another_database_are_its_own_business(site):
    site.database.psql("ALTER DATABASE template1 SET synchronous_commit = off")
    try:
        site.doctor(code=OK)
    finally:
        site.database.psql("ALTER DATABASE template1 RESET ALL")


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_settings_of_the_server(tmp_path, setting):
    cluster = Postgres(settings={setting: "off"})
    try:
        with running(Site(tmp_path, cluster.start(), "unsafe")) as site:
            assert site.only("settings") == f"unsafe: {setting} = off"
    finally:
        cluster.remove()


def test_a_hot_standby(tmp_path):
    """It tells of the same collectors, and of its own settings."""
    primary = Postgres(settings={"wal_level": "replica"})
    try:
        with running(Site(tmp_path, primary.start(), "doctor")) as site:
            standby = Standby(primary, {"full_page_writes": "off"})
            try:
                standby.start()
                copy = type(site.database)(standby, "doctor")
                assert copy.psql("SELECT pg_is_in_recovery()") == [("t",)]
                site.only("settings", database=copy)
                standby.settings["full_page_writes"] = "on"
                standby.restart()
                site.beat()
                site.system.wait_for("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()", 1)
                site.doctor(code=OK, database=copy)
            finally:
                standby.remove()
    finally:
        primary.remove()


def wait_for_names(site, names):
    """`names` as synchronous_standby_names. No COMMIT is needed for it, so that none waits."""
    site.database.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    site.database.psql("SELECT pg_reload_conf()")
    site.system.wait_for("SHOW synchronous_standby_names", names)


def test_a_synchronous_standby_that_nobody_is(tmp_path):
    primary = Postgres(settings={"wal_level": "replica"})
    try:
        with running(Site(tmp_path, primary.start(), "doctor")) as site:
            try:
                wait_for_names(site, "gone")
                assert site.only("replication") == "COMMIT waits for gone: 1 must confirm, 0 can"
            finally:
                wait_for_names(site, "")
    finally:
        primary.remove()


def test_synchronous_standbys_of_which_one_is_there(tmp_path):
    """Which standby is connected only a role with pg_monitor may know."""
    primary = Postgres(settings={"wal_level": "replica"})
    try:
        with running(Site(tmp_path, primary.start(), "doctor")) as site:
            standby = Standby(primary, {})
            try:
                standby.start()
                site.system.wait_for("SELECT state FROM pg_stat_replication WHERE application_name = 'walreceiver'",
                                     "streaming")
                site.beat()
                assert "1 asynchronous" in site.only("replication", status="warn")
                for names, reader, monitor in [("gone", 1, 0), ("walreceiver", 1, 1), ("FIRST 2 (walreceiver, gone)", 1, 1),
                                               ("any 1 (gone, walreceiver)", 1, 1), ("2 (gone, walreceiver)", 1, 1)]:
                    needed = 2 if "2" in names else 1
                    wait_for_names(site, names)
                    site.system.wait_for("SELECT sync_priority > 0 FROM pg_stat_replication", "t" if "wal" in names else "f")
                    for confirming, right in ((reader, "REVOKE pg_monitor FROM"), (monitor, "GRANT pg_monitor TO")):
                        site.database.psql(f"SET synchronous_commit = local; {right} test_reader")
                        if confirming < needed:
                            told = f"COMMIT waits for {names}: {needed} must confirm, {confirming} can"
                            assert told == site.only("replication")
                        else:
                            told = site.doctor(code=OK)["replication"]["detail"]
                            assert told == f"1 fed from here, COMMIT waits for {names}"
                copy = type(site.database)(standby, "doctor")
                assert copy.psql("SHOW synchronous_standby_names") == [("",)]
                standby.settings["synchronous_standby_names"] = "gone"
                standby.restart()
                assert copy.psql("SHOW synchronous_standby_names") == [("gone",)]
                # It commits nothing, whatever it waits for.
                assert site.doctor(code=OK, database=copy)["replication"]["detail"] == "no standby is fed from here"
            finally:
                wait_for_names(site, "")
                standby.remove()
    finally:
        primary.remove()


def asked(number, generation=None, **changes):
    """A patch as an audit log at level Metadata tells it; with a generation, as the attribution policy adds to it."""
    return ("request.audited", {
        "cluster": "c1", "audit_id": f"a-{number}", "stage": "ResponseComplete", "level": "Metadata", "verb": "patch",
        "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": "dev", "name": "fraud",
        "uid": generation and UID, "position": None, "generation": generation, "removes": False, "code": 200, "dry_run": False,
        "at": ago(minutes=60 - number), "principal": "alice", "via": "audit_log"} | changes)


UID = "00000001-0000-4000-8000-000000000000"


def test_how_well_a_cluster_can_tell_who(site):
    row = site.doctor(code=OK)["attribution"]
    assert row["detail"].startswith("c1: not known yet: a who-source is read") and row["detail"].endswith("; no change in 30 days")
    assert row["next_step"].startswith("change an object, or wait for a change")
    site.collector.publish([asked(1)])
    row = site.doctor(code=OK)["attribution"]
    assert "c1: audit log without the attribution policy: unique or ambiguous, by name and time; last write 20" in row["detail"]
    assert row["next_step"] == ("kubectl apply -f deploy/kubernetes/attribution-policy.yaml"
                                " (docs/attribution.md, The attribution policy)")
    site.collector.publish([("workload.observed", observed(UID, 100, "s3://models/fraud/0.9.0", at=ago(minutes=59))), asked(2, "2"),
                            ("workload.observed", observed(UID, 200, generation="2", at=ago(minutes=57)))])
    row = site.doctor(code=OK)["attribution"]
    assert "audit log with the attribution policy: exact by uid and generation" in row["detail"]
    assert "changes of 30 days: 1 exact (50 %), " in row["detail"]
    # Somebody takes the policy away.
    site.collector.publish([asked(3)])
    detail = site.only("attribution", status="warn")
    assert "; less than before: Model in dev: the policy was there until 20" in detail


def test_what_leads_from_a_gitops_tool_to_a_person(site):
    account = "system:serviceaccount:argocd:argocd-application-controller"
    application = {"cluster": "c1", "tool": "argocd", "resource": "applications.argoproj.io", "kind": "Application", "namespace": "argocd",
                   "name": "risk", "uid": UID, "position": "7", "at": ago(minutes=50), "at_source": "collector_clock", "removed": False,
                   "repositories": [{"url": "https://git.example/models.git", "path": "prod"}], "syncs": [], "operation": None}
    gitops = {"tool": "argocd", "kind": "Application", "application": "argocd/risk", "evidence": "tracking_id"}
    site.collector.publish([
        ("workload.observed", observed(UID, 100, "s3://models/fraud/0.9.0", at=ago(minutes=59))),
        asked(2, "2", principal=account), ("workload.observed", observed(UID, 200, generation="2", at=ago(minutes=57), gitops=gitops,
                                                                            manager={"name": "argocd-controller"})),
        ("gitops.observed", application)])
    checks = site.doctor(code=OK)
    assert checks["gitops"]["detail"] == f"c1: {account} (argocd/risk)"
    assert f'- {{service: argocd, kind: gitops, principals: ["{account}"]}}' in checks["gitops"]["next_step"]
    assert checks["repositories"]["detail"] == "c1: https://git.example/models.git (Application/argocd/risk)"
    assert '- git: {url: "https://git.example/models.git", branch: BRANCH}' in checks["repositories"]["next_step"]
    # Both lines are written.
    central = site.system.folder / "central.yaml"
    central.write_text(f"people:\n  - {{service: argocd, kind: gitops, principals: [\"{account}\"]}}\n")
    site.system.apply(central)
    site.database.psql("INSERT INTO modeltrail.commit (log_index, cluster, repository, branch, commit_id, mainline, signature, collector)"
                       " VALUES (999, 'c1', 'https://git.example/models', 'main', 'c0', true, 'none', 'eu-1')")
    checks = site.doctor(code=OK)
    assert checks["gitops"]["detail"].startswith("every service account") and checks["gitops"]["next_step"] is None
    assert checks["repositories"]["detail"].startswith("commits of every") and checks["repositories"]["next_step"] is None


def test_every_step_names_what_there_is(site):
    """Files and parts of the page that the steps send people to."""
    page = (ROOT / "docs" / "attribution.md").read_text()
    steps = [step for (step,) in site.database.psql("SELECT next_step FROM modeltrail.attribution_rung") if step]
    assert len(steps) == 5
    for step in steps:
        for path in re.findall(r"deploy/\S+\.yaml", step):
            assert (ROOT / path).is_file(), step
        for part in re.findall(r"docs/attribution.md, ([^)]+)\)", step):
            assert f"\n## {part}\n" in page or part == "table of levels" and "\n| level |" in page, step
