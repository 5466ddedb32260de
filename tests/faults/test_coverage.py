"""Coverage through faults (docs/rules.md 21 and 22): whatever happens to collector, store, PostgreSQL or source, a
"no" is said of an instant only when it is true and somebody had looked; else the answer is unknown, and names the
collector, since when, and why.

The truth is kept by the test and by nothing else: which object existed when, and in which time nobody can have
looked. In each fault an object comes and goes that nobody could see at the time."""

import itertools
import json
import re
import shutil
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest
from support.collector import audit_event
from support.fake_kube import FakeKube
from support.later import copy_later
from support.postgres import Postgres
from support.system import System
from support.watched import TIMING

FOUND, NO, UNREACHABLE, UNKNOWN = 0, 1, 3, 6
LATER = timedelta(minutes=4)
EDGE = timedelta(seconds=2.5)  # a beat a second, creation times of whole seconds, and the machine's own delays
HIDDEN, NEVER = "hidden", "never-there"
SEEN, BLIND, EITHER = "seen", "blind", "either"

_copies = itertools.count(1)


def now():
    return datetime.now(timezone.utc)


class World:
    """A fake API server, one collector `eu-1` of cluster c1, one store; and what is true of them."""

    def __init__(self, folder, database, fake):
        self.system = System(folder, database, {"eu-1": ("c1", ["risk"]), "eu-2": ("c2", None)})
        self.database, self.fake = database, fake
        self.lives = {}  # name -> [begin, end or None]
        self.learned = {}  # name -> when its end was learned of; until then it may be told as there
        self.periods = []  # (kind, begin, end, why): a pattern for the reason
        self.settings = {}

    # --- what happens

    def start(self, **settings):
        self.settings = settings
        self.system.start_store()
        kubeconfig = self.fake.write_kubeconfig(self.system.folder / "kubeconfig")
        self.source = json.dumps({"kubernetes": {
            "kubeconfig": str(kubeconfig), "namespaces": ["risk"], "timing": TIMING}})
        self.create("fraud")
        self.system.start_collector("eu-1", [self.source], **settings)
        self.synced()
        began = now()
        time.sleep(3 * EDGE.total_seconds())
        self.seen(began, self.looked_until_now())

    def create(self, name):
        self.fake.create(name)
        self.lives[name] = [now(), None]

    def delete(self, name):
        self.fake.delete(name)
        self.lives[name][1] = now()

    def come_and_go(self):
        """An object that lives for some seconds. The fault must hold all the while."""
        time.sleep(1)
        self.create(HIDDEN)
        time.sleep(2 * EDGE.total_seconds())
        self.delete(HIDDEN)
        time.sleep(1)

    def synced(self, timeout=30):
        """The inventory is the API server's."""
        self.system.wait_for("SELECT coalesce(string_agg(workload_uid, ',' ORDER BY workload_uid), '')"
                             " FROM modeltrail_v1.deployments WHERE cluster = 'c1'",
                             ",".join(sorted(self.fake.truth())), timeout)

    def recovered(self):
        """Something new is seen again, and for a while."""
        self.create("after")
        self.synced()
        began = self.looked_until_now()
        time.sleep(2 * EDGE.total_seconds())
        self.seen(began, self.looked_until_now())

    def looked_until_now(self, timeout=30):
        """Waits until every kind's look has reached now, which it returns: each watch comes back on its own, and a
        "no" rests on all of them."""
        at = now()
        self.system.wait_for("SELECT bool_and(coalesce(reached >= '%s', false)) FROM (SELECT max(covered_to) AS reached"
                             " FROM modeltrail_v1.coverage WHERE cluster = 'c1' AND aspect = 'state'"
                             " GROUP BY namespace, resource) AS scope" % at.isoformat(), "t", timeout)
        return at

    # --- what is known of the truth

    def seen(self, begin, end):
        self.periods.append((SEEN, begin, end, None))

    def blind(self, begin, end, why):
        self.periods.append((BLIND, begin, end, why))

    def existed(self, name, at):
        """True, False, or None where the creation's whole second leaves it open."""
        begin, end = self.lives.get(name, (None, None))
        if begin is None or at < begin - EDGE or (end and at > end + EDGE):
            return False
        return True if begin + EDGE < at and (end is None or at < end) else None

    def looked(self, at):
        for kind, begin, end, why in self.periods:
            if begin + EDGE <= at and (end is None or at <= end - EDGE):
                return kind, why
        return EITHER, None

    def allowed(self, name, at):
        """The exit codes that are no lie, and too timid none where somebody looked all the time."""
        exists, (looked, why) = self.existed(name, at), self.looked(at)
        codes = {True: {FOUND}, False: {NO}, None: {FOUND, NO}}[exists]
        if name in self.learned and self.lives[name][1] <= at <= self.learned[name]:
            codes = codes | {FOUND}  # an end that nobody saw is told by its upper bound
        if looked == BLIND:
            # What is true may be told by who learned of it later; that nothing is there may not.
            codes = {UNKNOWN}
        elif looked == EITHER:
            codes = codes | {UNKNOWN}
        return codes, why

    # --- asking

    def ask(self, database, name, *more):
        done = self.system_of(database).ask("where", name, "--cluster", "c1", "-o", "json", *more)
        assert done.returncode in (FOUND, NO, UNKNOWN), done
        told = json.loads(done.stdout)["coverage"]["unknown_scopes"]
        return done, [scope for scope in told if scope["aspect"] == "state"]

    def system_of(self, database):
        view = object.__new__(System)
        view.database = database
        return view

    def check(self, database, name, at, shift=timedelta(0)):
        done, told = self.ask(database, name, "--as-of", (at - shift).isoformat())
        codes, why = self.allowed(name, at)
        if done.returncode not in codes:
            spans = self.system_of(database).ask("list", "coverage", "-o", "wide").stdout
            raise AssertionError((name, at, codes, self.periods, self.lives, done), spans)
        if done.returncode == UNKNOWN:
            assert_told(done, told, why)
        return done.returncode

    def check_instants(self, database, shift=timedelta(0)):
        """From before the first look until now, for the hidden object and one that never was."""
        begin = self.periods[0][1] - timedelta(seconds=6)
        lived = self.lives[HIDDEN][0] + (self.lives[HIDDEN][1] - self.lives[HIDDEN][0]) * 0.7
        step = max(2.5, (now() - begin).total_seconds() / 16)
        count = int((now() - begin).total_seconds() / step)
        # However long the whole took, each time in which somebody looked is asked about.
        middles = [start + (end - start) / 2 for kind, start, end, _ in self.periods if kind == SEEN]
        codes = {}
        for at in [lived] + middles + [begin + timedelta(seconds=step * number) for number in range(1, count)]:
            for name in (HIDDEN, NEVER):
                code = self.check(database, name, at, shift)
                codes.setdefault((name, self.looked(at)[0]), set()).add(code)
        return codes

    def later(self, alive=()):
        return copy_later(self.database, f"{self.database.name}_later{next(_copies)}", LATER, alive)

    def check_later(self, why, alive=()):
        """Four minutes later, nothing having changed: now is unknown, and so is all behind the last look."""
        copy = self.later(alive)
        try:
            for name in (HIDDEN, NEVER):
                done, told = self.ask(copy, name)
                assert done.returncode == UNKNOWN, (name, done)
                assert_told(done, told, why)
            return self.check_instants(copy, LATER)
        finally:
            copy.drop()


def assert_told(done, told, why):
    """Who, since when, and why, for machines and for people."""
    assert told, done
    if why is None:
        return
    for scope in told:
        assert scope["collector"] == "eu-1" and re.search(why, scope["reason"]), (why, scope)
        assert re.search(r"not observed (since|from) 20\d\d-", scope["reason"]), scope
    assert re.search(rf"not covered: .*eu-1: not observed .*{why}", done.stderr), done.stderr


@pytest.fixture
def world(tmp_path, database):
    with FakeKube() as fake:
        made = World(tmp_path, database, fake)
        yield made
        made.system.stop()


def in_blind(world, fault, why, alive=()):
    """Before, in the fault, and in it four minutes later. What happens then is the caller's business."""
    world.start()
    began = now()
    fault()
    world.come_and_go()
    # At once, not in three minutes: nobody had looked then. Why it will not come is not known yet.
    begin, end = world.lives[HIDDEN]
    for name in (HIDDEN, NEVER):
        done, told = world.ask(world.database, name, "--as-of", (begin + (end - begin) * 0.7).isoformat())
        assert done.returncode == UNKNOWN and told, (name, done)
    world.blind(began, None, why)
    codes = world.check_later(why, alive)
    assert UNKNOWN in codes[HIDDEN, BLIND] and NO in codes[NEVER, SEEN], codes
    world.periods.pop()


def and_back(world, mend):
    """History was kept: what nobody saw at the time is known in the end, and the whole time covered."""
    mend()
    world.recovered()
    world.learned[HIDDEN] = now()
    world.periods = [(SEEN, world.periods[0][1], world.looked_until_now(), None)]
    codes = world.check_instants(world.database)
    assert codes[HIDDEN, SEEN] >= {FOUND, NO} and codes[NEVER, SEEN] == {NO}, codes


def test_collector_killed(world):
    in_blind(world, lambda: world.system.end("eu-1", signal.SIGKILL), "silent since 20", alive=["_store"])
    and_back(world, lambda: world.system.start_collector("eu-1"))


def test_collector_stopped_by_a_signal_that_leaves_its_connections_open(world):
    daemon = world.system.daemons
    in_blind(world, lambda: daemon["eu-1"]._child.send_signal(signal.SIGSTOP), "silent since 20", alive=["_store"])
    and_back(world, lambda: daemon["eu-1"]._child.send_signal(signal.SIGCONT))


def test_collector_ended_in_order_is_known_at_once(world):
    def fault():
        assert world.system.end("eu-1") == 0
        done, told = world.ask(world.database, NEVER)
        assert done.returncode == UNKNOWN, done
        assert_told(done, told, "stopped at 20")

    in_blind(world, fault, "stopped at 20", alive=["_store"])
    and_back(world, lambda: world.system.start_collector("eu-1"))


def test_store_killed(world):
    in_blind(world, lambda: world.system.end("store", signal.SIGKILL), "no store has spoken since 20")
    and_back(world, world.system.start_store)


def test_store_ended_in_order(world):
    in_blind(world, lambda: world.system.end("store"), "no store runs since 20")
    and_back(world, world.system.start_store)


def test_postgresql_down(tmp_path):
    cluster = Postgres()
    try:
        with FakeKube() as fake:
            world = World(tmp_path, cluster.start().create_database("down"), fake)
            try:
                world.start()
                cluster.kill_immediate()
                world.come_and_go()
                assert world.system.ask("where", NEVER, "--cluster", "c1").returncode == UNREACHABLE
                and_back(world, cluster.start)
            finally:
                world.system.stop()
    finally:
        cluster.remove()


def refuse(world, code):
    """Every answer is this one from now on; watches that run are cut."""
    if code == 401:
        world.fake.token = "another"
    elif code == 403:
        world.fake.forbidden.add("seldondeployments")
    else:
        for verb in ("watch", "list", "probe"):
            world.fake.fail_next(verb, code, plural="seldondeployments", times=100000)
    world.fake.cut_watches()


@pytest.mark.parametrize("code", [401, 403, 500])
def test_the_api_server_refuses(world, code):
    token = world.fake.token
    in_blind(world, lambda: refuse(world, code), f"HTTP {code}", alive=["_store", "eu-1"])

    def mend():
        world.fake.token = token
        world.fake.forbidden.clear()
        world.fake._faults.clear()

    if code != 403:
        and_back(world, mend)
        return
    # A 403 ends the watch's history: what came and went in it is never known.
    blind_from = world.lives[HIDDEN][0]
    mend_at = now()
    mend()
    world.recovered()
    world.blind(blind_from - timedelta(seconds=1), mend_at, "HTTP 403")
    codes = world.check_instants(world.database)
    assert codes[HIDDEN, BLIND] == {UNKNOWN} and NO in codes[NEVER, SEEN], codes


def test_a_watch_that_says_nothing_more(world):
    """Deaf, and lists fail too: nothing can tell. With lists all is found by them."""
    def fault():
        world.fake.go_silent()
        refuse(world, 500)

    in_blind(world, fault, "HTTP 500|silent", alive=["_store", "eu-1"])

    def mend():
        world.fake._faults.clear()
        world.fake.speak()

    and_back(world, mend)


def test_history_lost_meanwhile_is_a_hole_for_ever(world):
    in_blind(world, lambda: world.system.end("eu-1", signal.SIGKILL), "silent since 20", alive=["_store"])
    begin = world.lives[HIDDEN][0] - timedelta(seconds=1)
    world.fake.compact()
    back_at = now()
    world.system.start_collector("eu-1")
    world.recovered()
    world.blind(begin, back_at, "410|resourceVersion")
    codes = world.check_instants(world.database)
    assert codes[HIDDEN, BLIND] == {UNKNOWN} and NO in codes[NEVER, SEEN], codes


def test_spool_lost_begins_anew_with_a_hole(world):
    def fault():
        world.system.end("eu-1", signal.SIGKILL)
        for file in world.system.folder.glob("eu-1.db*"):
            file.unlink()

    in_blind(world, fault, "silent since 20", alive=["_store"])
    begin = world.lives[HIDDEN][0] - timedelta(seconds=1)
    back_at = now()
    world.system.start_collector("eu-1")
    world.recovered()
    world.blind(begin, back_at, "its spool was lost; a new one began at 20")
    codes = world.check_instants(world.database)
    assert codes[HIDDEN, BLIND] == {UNKNOWN} and NO in codes[NEVER, SEEN], codes


def test_spool_cloned_is_refused_as_a_fork(world):
    """The clone is behind the store at first, and then beside it."""
    folder = world.system.folder

    def fault():
        world.system.end("eu-1")
        shutil.copy(folder / "eu-1.db", folder / "clone.db")
        world.system.start_collector("eu-1")
        world.create("only-the-first-saw-it")
        world.delete("only-the-first-saw-it")
        time.sleep(1)
        world.synced()
        world.system.end("eu-1", signal.SIGKILL)
        shutil.copy(folder / "clone.db", folder / "eu-1.db")
        for more in ("-wal", "-shm"):
            (folder / f"eu-1.db{more}").unlink(missing_ok=True)
        world.system.start_collector("eu-1")
        world.system.wait_for("SELECT kind FROM modeltrail.refusal WHERE collector = 'eu-1'", "fork")

    world.start()
    fault()
    began = now()
    world.come_and_go()
    world.blind(began, None, "refused as a fork since 20")
    codes = world.check_later("refused as a fork since 20", alive=["_store"])
    assert UNKNOWN in codes[HIDDEN, BLIND], codes
    doctor = world.system.ask("doctor")
    assert doctor.returncode == 1 and re.search(r"fail +forks +refused: eu-1 as a fork since 20", doctor.stdout), doctor
    # Started again it has made events of its own, so that only the chains differ: the store is told that too.
    # (A new store, since one notes the same refusal every ten seconds only.)
    world.system.end("eu-1", signal.SIGKILL)
    world.system.end("store")
    world.database.psql("DELETE FROM modeltrail.refusal")
    world.system.start_store()
    for _ in range(30):
        world.fake.update("fraud")
    world.system.start_collector("eu-1")
    world.system.wait_for("SELECT kind FROM modeltrail.refusal WHERE collector = 'eu-1'", "fork")


def test_key_taken_out_of_the_allow_list(world):
    def fault():
        world.system.write_store_config(without=["eu-1"])
        world.system.daemons["store"]._child.send_signal(signal.SIGHUP)
        world.system.wait_for("SELECT is_allowed FROM modeltrail_v1.collectors WHERE collector = 'eu-1'", "f")

    def mend():
        world.system.write_store_config()
        world.system.end("store")
        world.system.start_store()
        world.system.end("eu-1", signal.SIGKILL)
        world.system.start_collector("eu-1")

    in_blind(world, fault, "not in the allow-list since 20", alive=["_store"])
    and_back(world, mend)


def test_spool_full(world):
    """With the store away a small spool is soon full: then nothing is read, and nothing lost."""
    world.start(spool_max_bytes=8 * 1024 * 1024)
    began = now()
    world.system.end("store", signal.SIGKILL)
    big = {"predictors": [{"name": "main", "graph": {"name": "classifier", "modelUri": "s3://models/big/1"}}],
           "note": "x" * 400000}
    for number in range(30):
        world.fake.create(f"big-{number}", **big)
    world.system.daemons["eu-1"].wait_until(lambda: "nothing more can be accepted" in world.system.log("eu-1"))
    world.come_and_go()
    world.blind(began, None, "no store has spoken since 20")
    world.check_later("no store has spoken since 20")
    world.periods.pop()
    and_back(world, world.system.start_store)


def test_audit_log_rotated_away_with_a_hole(tmp_path, database):
    """Who acted between the last line that was read and the first one of the next file is unknown, for ever."""
    system = System(tmp_path, database, {"eu-2": ("c2", None)})
    log = tmp_path / "audit.log"
    day = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def write(numbers):
        log.write_text("".join(json.dumps(audit_event(number)) + "\n" for number in numbers))

    def who(since, until):
        done = system.ask("list", "attempts", "--cluster", "c2", "--since", (day + timedelta(seconds=since)).isoformat(),
                          "--until", (day + timedelta(seconds=until)).isoformat(), "-o", "json")
        return done, [s for s in json.loads(done.stdout)["coverage"]["unknown_scopes"] if s["aspect"] == "actor"]

    try:
        system.start_store()
        write(range(0, 100))
        system.start_collector("eu-2", [f'audit_log: {{path: "{log}"}}'])
        requests = "SELECT count(*) FROM modeltrail.request"
        system.wait_for(requests, 100)
        system.end("eu-2")
        log.unlink()
        write(range(200, 300))  # 100 to 199 were in a file that is gone
        system.start_collector("eu-2")
        system.wait_for(requests, 200)
        system.wait_for("SELECT count(*) FROM modeltrail.gap", 1)
        time.sleep(2)
        assert who(10, 90)[0].returncode == NO and who(210, 290)[0].returncode == NO
        for span in ((10, 150), (120, 130), (150, 290), (98, 101)):
            done, told = who(*span)
            assert done.returncode == UNKNOWN, (span, done)
            assert [(s["collector"], "rotated away" in s["reason"]) for s in told] == [("eu-2", True)], told
        done, told = who(210, 400)  # behind the last event
        assert done.returncode == UNKNOWN and told[0]["collector"] == "eu-2", (done, told)
        ended = "; its audit log or webhook has shown no newer event"
        assert told[0]["reason"].endswith(ended) and ended in done.stderr, (done, told)
        gap_reason = system.rows("SELECT gap_reason FROM modeltrail_v1.coverage WHERE cluster = 'c2' AND aspect = 'actor'"
                                 " ORDER BY covered_to DESC LIMIT 1")[0]["gap_reason"]
        assert gap_reason == ended[2:]
    finally:
        system.stop()
