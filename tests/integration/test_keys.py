"""The life of a key: made, enrolled, exchanged without loss, revoked within seconds, refused where it must not be used."""

import json
import os
import re
import shlex
import signal
import socket
import time

import pytest
import zmq
from faults.checker import check_log_is_dense, check_marks, check_requests
from faults.load import GrowingAuditLog
from support.build import run
from support.process import free_port
from support.system import System
from support.wire import WireCollector, assert_unheard, observed
from zmq.utils import z85

UID = "11111111-2222-4333-8444-555555555555"
# zmq_curve(7), TEST KEY VALUES: public and secret half of the client, then of the server.
MANUAL_KEYS = [
    z85.decode(key).hex()
    for key in (b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
                b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
]
KEY = "11" * 32


class Keys(System):
    """A system whose collectors are enrolled, and whose store may listen at several places."""

    def __init__(self, folder, database, collectors):
        self.enrolled = folder / "collectors.d"
        self.enrolled.mkdir(parents=True)
        super().__init__(folder, database, collectors)
        for name, (cluster, namespaces) in collectors.items():
            scope = ["--namespaces", ",".join(namespaces)] if namespaces else []
            self.store("enrol", name, self.keys[name], "--cluster", cluster, *scope)

    def write_store_config(self, listen=None, collectors="[]"):
        listen = listen or [(self.endpoint, self.folder / "store.key")]
        places = "".join(f'\n  - {{endpoint: "{at}", key_file: "{key}"}}' for at, key in listen)
        self.config = self.folder / "store.yaml"
        self.config.write_text(
            f'listen:{places}\ncollectors_folder: "{self.enrolled}"  # kept by hand\ncollectors: {collectors}\n'
        )

    def store(self, *words, code=0):
        """`modeltrail-store WORDS`; its standard output, or what it says when it must fail."""
        done = run("modeltrail-store", *words, "--config", self.config)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def reload(self):
        """SIGHUP, and waits until the store has read its configuration."""
        before = self.log("store").count("allow-list reloaded")
        os.kill(self.daemons["store"].pid, signal.SIGHUP)
        self.daemons["store"].wait_until(lambda: self.log("store").count("allow-list reloaded") > before, 10)


@pytest.fixture
def keys(tmp_path, database):
    system = Keys(tmp_path / "with space", database, {"eu-1": ("c1", ["dev", "prod"]), "eu-2": ("c2", None)})
    yield system
    system.stop()


@pytest.fixture
def connect(keys):
    opened = []

    def connect(name="eu-1", key=None, store_key=None, endpoint=None, **more):
        opened.append(WireCollector(endpoint or keys.endpoint, bytes.fromhex(store_key or keys.store_key),
                                    keys.secret(key or name), name=name, **more))
        return opened[-1]

    yield connect
    for collector in opened:
        collector.close()


def assert_refused(answers, at_least):
    assert {(answer["kind"], answer.get("reason")) for answer in answers} == {("nack", "not_allowed")}, answers
    assert len(answers) >= at_least


def stored(system):
    return int(system.database.psql("SELECT count(*) FROM modeltrail.event WHERE collector <> '_store'")[0][0])


# ---- enrol and revoke -----------------------------------------------------------------------------


def test_an_enrolled_collector_is_let_in_and_a_revoked_one_is_not(keys, connect):
    keys.start_store()
    new = keys._make_key("eu-3")
    said = keys.store("enrol", "eu-3", new, "--cluster", "c3")
    assert new in said and "SIGHUP" in said
    assert (keys.enrolled / "eu-3.yaml").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in keys.enrolled.iterdir()) == ["eu-1.yaml", "eu-2.yaml", "eu-3.yaml"]
    assert "kept by hand" in keys.config.read_text()
    keys.reload()
    collector = connect("eu-3")
    assert collector.hello()["kind"] == "welcome"
    assert collector.publish([("workload.observed", observed(UID, 1, cluster="c3"))], cluster="c3")["kind"] == "ack"
    keys.store("revoke", "eu-3")
    keys.reload()
    # Without having sent anything, and again to whoever connects anew.
    assert_unheard(collector, observed(UID, 2, cluster="c3"))
    assert connect("eu-3").hello(timeout=2) is None
    logged = keys.rows(
        "SELECT convert_from(b.body, 'UTF8')::json -> 'data' -> 'collectors' -> 0 -> 'keys' AS keys"
        " FROM modeltrail.event e JOIN modeltrail.event_body b USING (log, log_index)"
        " WHERE e.type = 'dev.modeltrail.allowlist.loaded.v1' ORDER BY e.log_index"
    )
    assert len(logged) == 3 and logged[0]["keys"] == [keys.keys["eu-1"]]


def test_the_collectors_own_line_enrols_it(keys, tmp_path):
    audit = tmp_path / "audit.log"
    audit.touch()
    (keys.folder / "eu-1.key").unlink()
    keys.write_collector_config("eu-1", [
        f'audit_log: {{path: "{audit}", namespaces: [dev, prod]}}', "kubernetes: {namespaces: [prod]}",
    ])
    done = run("modeltrail-collector", "enrol", "--config", keys.folder / "eu-1.yaml")
    name, *words = shlex.split(done.stdout)
    key = words[2]
    assert (name, words) == ("modeltrail-store", ["enrol", "eu-1", key, "--cluster", "c1", "--namespaces", "dev,prod"])
    # The file that it made is the one that it will use, and asking again changes nothing.
    assert (keys.folder / "eu-1.key").stat().st_mode & 0o777 == 0o600
    assert run("modeltrail-collector", "enrol", "--config", keys.folder / "eu-1.yaml").stdout == done.stdout
    keys.store(*words)
    keys.start_store()
    keys.start_collector("eu-1", [f'audit_log: {{path: "{audit}"}}'])
    keys.daemons["eu-1"].wait_until(lambda: "connected to store" in keys.log("eu-1"))


@pytest.mark.parametrize("words, says", [
    *[(["eu-3", key, "--cluster", "c3"], "test key") for key in MANUAL_KEYS],
    (["eu-3", "12ab", "--cluster", "c3"], "64 hex digits"),
    (["eu-3", "EU-1", "--cluster", "c3"], "this key is collector 'eu-1''s"),
    (["eu-3", KEY], "hint: --cluster NAME"),
    (["eu-3", KEY, "--cluster", "c3", "--namespaces", "a,,b"], "empty name"),
    (["eu-3", KEY, "--cluster", "c3", "--repositories", "/a,"], "hint: --repositories URL,URL"),
    (["eu-1", KEY, "--cluster", "c1", "--namespaces", "dev,prod", "--repositories", "*"], "enrolled for another scope"),
    (["eu-1", KEY, "--repositories", "*"], "enrolled for another scope"),
    (["../eu-3", KEY, "--cluster", "c3"], "has a character other than"),
    (["_store", KEY, "--cluster", "c3"], "'_' not first"),
    (["eu-1", KEY, "--cluster", "c1"], "enrolled for another scope"),
    (["by-hand", KEY], "configuration's own list"),
], ids=lambda value: " ".join(value)[:24] if isinstance(value, list) else "")
def test_what_enrol_refuses(keys, words, says):
    keys.write_store_config(collectors=f"[{{name: by-hand, key: {'22' * 32}, cluster: c9}}]")
    before = {path: path.read_bytes() for path in keys.enrolled.iterdir()}
    assert says in keys.store("enrol", *[word.replace("EU-1", keys.keys["eu-1"]) for word in words], code=1)
    assert {path: path.read_bytes() for path in keys.enrolled.iterdir()} == before


def test_a_collector_has_two_keys_at_most(keys):
    for _ in range(2):  # the second time it has the key already
        keys.store("enrol", "eu-1", KEY)
    assert "hint: revoke the one" in keys.store("enrol", "eu-1", "33" * 32, code=1)
    assert "has no key" in keys.store("revoke", "eu-1", "33" * 32, code=1)
    keys.store("revoke", "eu-1", keys.keys["eu-1"])
    assert "only key" in keys.store("revoke", "eu-1", KEY, code=1)
    assert KEY in (keys.enrolled / "eu-1.yaml").read_text()
    keys.store("revoke", "eu-1")
    assert "no collector 'eu-1'" in keys.store("revoke", "eu-1", code=1)


def test_a_collector_of_git_repositories_enrols_them(keys, tmp_path):
    """The line that it prints names each once, as its commits will, whatever a shell makes of the characters."""
    odd = tmp_path / "it's & odd"
    odd.mkdir()
    keys.write_collector_config("eu-2", [
        "kubernetes:", 'git: {url: "https://bot@git.example/models.git?a=1", branch: main}',
        'git: {url: "https://git.example/models.git", branch: dev}', f"git: {{url: {json.dumps(str(odd))}}}",
        'git: {url: "git@git.example:other.git", repository: "https://git.example/other.git"}',
    ])
    done = run("modeltrail-collector", "enrol", "--config", keys.folder / "eu-2.yaml")
    words = shlex.split(done.stdout)[1:]
    names = ["https://git.example/models.git", str(odd), "https://git.example/other.git"]
    assert words[3:] == ["--cluster", "c2", "--repositories", ",".join(names)]
    assert "another scope" in keys.store(*words, code=1)
    keys.store("revoke", "eu-2")
    assert json.dumps(names) in keys.store(*words)
    assert json.dumps(names) in keys.store("enrol", "eu-2", KEY)  # a second key keeps them
    keys.store(*words)
    keys.write_collector_config("eu-2", ['git: {url: "https://git.example/a,b.git"}'])
    done = run("modeltrail-collector", "enrol", "--config", keys.folder / "eu-2.yaml")
    assert done.returncode != 0 and done.stdout == "" and "has a comma" in done.stderr


def test_names_that_yaml_would_read_otherwise_come_back(keys):
    keys.store("enrol", "yes", KEY, "--cluster", "a: b #c", "--namespaces", "null,010")
    keys.store("enrol", "yes", KEY, "--cluster", "a: b #c", "--namespaces", "null,010")
    assert "another scope" in keys.store("enrol", "yes", KEY, "--cluster", "a", "--namespaces", "null,010", code=1)


@pytest.mark.parametrize("name, text, says", [
    ("eu-3.yaml", f"{{name: eu-9, key: {KEY}, cluster: c}}", "hint: name it eu-9.yaml"),
    ("eu-3.yaml", f"{{name: eu-3, key: {MANUAL_KEYS[0]}, cluster: c}}", "test key"),
    ("eu-3.yaml", "{name: eu-3, cluster: c, key: [%s]}" % ", ".join(["11" * 32, "22" * 32, "33" * 32]), "the old and the next"),
    ("eu-3.yaml", f"{{name: eu-3, key: [{KEY}, {KEY}], cluster: c}}", "twice"),
    ("eu-1.yml", "{name: nonsense", None),
    ("eu-1.yaml.a1b2c3", "half a fi", None),
])
def test_a_folder_that_cannot_be_read_whole_ends_the_start(keys, name, text, says):
    (keys.enrolled / name).write_text(text)
    if says is None:  # another suffix is no collector's
        keys.start_store()
    else:
        assert says in keys.store("run", code=2)


# ---- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
@pytest.mark.parametrize("who", ["store", "eu-1"])
def test_a_key_file_that_others_can_read_is_refused(keys, who, mode):
    (keys.folder / f"{who}.key").chmod(mode)
    keys.write_collector_config("eu-1", ["kubernetes:"])
    name = "modeltrail-store" if who == "store" else "modeltrail-collector"
    done = run(name, "--config", keys.folder / f"{who}.yaml", database=keys.database)
    assert done.returncode == 1 and "can be read by others; hint: chmod 600" in done.stderr


def unreadable(path, kind):
    """In the place of a file something that is none, and that only its owner may use."""
    path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir(0o700)
    else:
        os.mkfifo(path, 0o600)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
@pytest.mark.parametrize("who", ["store", "eu-1"])
def test_a_key_file_that_is_no_file_is_refused(keys, who, kind):
    """A pipe has no writer: who opens it as one opens a file waits for ever."""
    unreadable(keys.folder / f"{who}.key", kind)
    keys.write_collector_config("eu-1", ["kubernetes:"])
    name = "modeltrail-store" if who == "store" else "modeltrail-collector"
    done = run(name, "--config", keys.folder / f"{who}.yaml", database=keys.database, timeout=10)
    assert done.returncode == 1 and f"{who}.key is a {kind}; hint: name a regular file" in done.stderr


@pytest.mark.parametrize("which", ["store.key", "store.yaml", "collectors.d/eu-3.yaml"])
def test_a_store_that_rereads_a_pipe_goes_on(keys, connect, which):
    keys.start_store()
    unreadable(keys.folder / which, "pipe")
    os.kill(keys.daemons["store"].pid, signal.SIGHUP)
    keys.daemons["store"].wait_until(lambda: "is a pipe" in keys.log("store"), 10)
    assert "the old one stays" in keys.log("store")
    assert connect().hello()["kind"] == "welcome"


def test_a_collector_that_rereads_a_pipe_goes_on(keys):
    keys.start_store()
    (keys.folder / "audit.log").touch()
    keys.start_collector("eu-1", [f'audit_log: {{path: "{keys.folder}/audit.log"}}'])
    keys.daemons["eu-1"].wait_until(lambda: "connected to store" in keys.log("eu-1"))
    unreadable(keys.folder / "eu-1.key", "pipe")
    hang_up(keys, "eu-1", "key not reread, the old one stays")
    assert "is a pipe" in keys.log("eu-1")
    assert keys.end("eu-1") == 0


@pytest.mark.parametrize("key", MANUAL_KEYS)
@pytest.mark.parametrize("who", ["store", "eu-1"])
def test_a_key_of_the_zeromq_manual_is_no_key_of_ours(keys, who, key):
    (keys.folder / f"{who}.key").write_text(key + "\n")
    keys.write_collector_config("eu-1", ["kubernetes:"])
    name = "modeltrail-store" if who == "store" else "modeltrail-collector"
    done = run(name, "--config", keys.folder / f"{who}.yaml", database=keys.database)
    assert done.returncode == 1 and "test key of the ZeroMQ manual" in done.stderr


@pytest.mark.parametrize("key", MANUAL_KEYS)
def test_nor_is_it_one_that_we_trust(keys, key):
    keys.store_key = f"[{keys.store_key}, {key}]"
    keys.write_collector_config("eu-1", ["kubernetes:"])
    done = run("modeltrail-collector", "--config", keys.folder / "eu-1.yaml")
    assert done.returncode == 2 and "test key of the ZeroMQ manual" in done.stderr
    keys.write_store_config(collectors=f"[{{name: x, key: {key}, cluster: c}}]")
    assert "test key of the ZeroMQ manual" in keys.store("run", code=2)


def test_the_digits_of_a_secret_do_not_stay_in_memory(keys):
    keys.start_store()
    (keys.folder / "audit.log").touch()
    keys.start_collector("eu-1", [f'audit_log: {{path: "{keys.folder}/audit.log"}}'])
    keys.daemons["eu-1"].wait_until(lambda: "connected to store" in keys.log("eu-1"))
    for who, public in (("store", keys.store_key), ("eu-1", keys.keys["eu-1"])):
        memory = read_memory(keys.daemons[who].pid)
        digits = keys.secret(who).hex().encode()
        assert bytes.fromhex(public) in memory  # it is the right process, and was read
        assert digits[-40:] not in memory  # free() writes over the first bytes alone


def read_memory(pid):
    """All writable memory of a process."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            size = int(end, 16) - int(start, 16)
            if not rights.startswith("rw") or size > 1 << 30:
                continue
            try:
                memory.seek(int(start, 16))
                found.append(memory.read(size))
            except OSError:
                pass  # a page that is mapped and not there
    return b"".join(found)


def test_a_refused_handshake_is_counted_once(keys):
    keys.start_store()
    for _ in range(3):
        context = zmq.Context()
        stranger = context.socket(zmq.DEALER)
        stranger.linger, stranger.reconnect_ivl = 0, -1
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.curve_serverkey = z85.encode(bytes.fromhex(keys.store_key))
        stranger.connect(keys.endpoint)
        time.sleep(1.2)  # each has a line of its own
        stranger.close()
        context.term()
    keys.daemons["store"].wait_until(lambda: keys.log("store").count("handshake failed") >= 3, 5)
    lines = [line for line in keys.log("store").splitlines() if "handshake failed" in line]
    assert [re.search(r"count=(\d+)", line)[1] for line in lines] == ["1", "1", "1"]
    assert all('reason="key not allowed"' in line for line in lines)


# ---- revocation -----------------------------------------------------------------------------------

BITES_S = 5


def test_revocation_bites_on_a_connection_under_load(keys, connect):
    keys.start_store()
    collector = connect("eu-1")
    collector.hello()
    n = 0
    while n < 20:
        n += 1
        assert collector.publish([("workload.observed", observed(UID, n))])["kind"] == "ack"
    keys.store("revoke", "eu-1")
    began = time.monotonic()
    os.kill(keys.daemons["store"].pid, signal.SIGHUP)
    while True:
        n += 1
        answer = collector.publish([("workload.observed", observed(UID, n))])
        if answer["kind"] != "ack":
            break
    took = time.monotonic() - began
    assert (answer["kind"], answer["reason"]) == ("nack", "not_allowed")
    have = stored(keys)
    for _ in range(5):
        n += 1
        collector.send_lines(collector.next_lines([("workload.observed", observed(UID, n))]))
    collector.send_hello()
    assert_refused(collector.drain(), at_least=6)
    assert stored(keys) == have
    print(f"refused {took * 1000:.0f} ms after SIGHUP")
    assert took < BITES_S


def test_revocation_bites_while_postgresql_stands_still(keys, connect):
    """The batch under way is given up, and nothing of it comes to light when the server goes on."""
    keys.start_store()
    collector = connect("eu-1")
    collector.hello()
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    [(pid,)] = keys.database.psql("SELECT pid FROM pg_stat_activity WHERE application_name = 'modeltrail-store'"
                                  " AND datname = current_database()")
    os.kill(int(pid), signal.SIGSTOP)
    try:
        collector.send_lines(collector.next_lines([("workload.observed", observed(UID, 2))]))
        time.sleep(0.5)
        keys.store("revoke", "eu-1")
        began = time.monotonic()
        os.kill(keys.daemons["store"].pid, signal.SIGHUP)
        keys.daemons["store"].wait_until(lambda: "allow-list reloaded" in keys.log("store"), 10, 0.01)
        collector.send_lines(collector.next_lines([("workload.observed", observed(UID, 3))]))
        answer = collector.receive(20)  # to this event: the session went with the batch, without a word
        took = time.monotonic() - began
    finally:
        os.kill(int(pid), signal.SIGCONT)
    assert (answer["kind"], answer["reason"]) == ("nack", "not_allowed")
    collector.send_hello()
    assert_refused(collector.drain(), at_least=1)
    print(f"refused {took * 1000:.0f} ms after SIGHUP, PostgreSQL standing still")
    assert took < BITES_S
    honest = connect("eu-2")
    assert honest.hello(timeout=20)["kind"] == "welcome"
    assert honest.publish([("workload.observed", observed(UID[:-1] + "6", 1, cluster="c2"))], cluster="c2")["kind"] == "ack"
    assert stored(keys) == 2


def test_a_batch_job_whose_key_was_taken_back_ends(keys):
    keys.start_store()
    keys.store("revoke", "eu-1")
    keys.reload()
    (keys.folder / "audit.log").touch()
    keys.write_collector_config("eu-1", [f'audit_log: {{path: "{keys.folder}/audit.log"}}'])
    done = run("modeltrail-collector", "--config", keys.folder / "eu-1.yaml", "--once", timeout=30)
    assert done.returncode == 1
    assert "refused this collector's key" in done.stderr.splitlines()[-1]


def test_one_of_two_keys_is_taken_back(keys, connect):
    """Its collector stays in the allow-list, so the name alone would let the old key in."""
    old, new = keys.keys["eu-1"], keys._make_key("eu-1-new")
    keys.store("enrol", "eu-1", new)
    keys.start_store()
    collector = connect("eu-1")
    assert collector.hello()["kind"] == "welcome"
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    chain = collector.chain
    keys.store("revoke", "eu-1", old)
    keys.reload()
    assert_unheard(collector, observed(UID, 2))
    assert stored(keys) == 1
    assert connect("eu-1", key="eu-1-new").hello(next_seq=2, chain=chain)["kind"] == "welcome"


# ---- exchange without loss ------------------------------------------------------------------------


class Load:
    """Collector eu-1 follows an audit log that grows all the time."""

    def __init__(self, keys):
        self.keys, self.log = keys, GrowingAuditLog(keys.folder / "audit.log", seed=7, rate=200)
        keys.start_store()

    def start(self, **more):
        self.keys.start_collector("eu-1", [f'audit_log: {{path: "{self.log.path}"}}'], **more)
        self.log.start()
        self.flows()

    def flows(self):
        """Waits until something that is written from now on is committed."""
        wanted = len(self.log.audit_ids) + 1
        self.wait_for(wanted)

    def wait_for(self, count, timeout=40):
        deadline = time.monotonic() + timeout
        sql = "SELECT count(*) FROM modeltrail.request"
        while int(self.keys.database.psql(sql)[0][0]) < count:
            assert time.monotonic() < deadline, (self.keys.log("eu-1")[-2000:], self.keys.log("store")[-2000:])
            time.sleep(0.05)

    def check(self):
        self.log.stop()
        self.wait_for(len(self.log.audit_ids))
        check_log_is_dense(self.keys.database)
        check_marks(self.keys.database)
        count = check_requests(self.keys.database, "c1", self.log.audit_ids)
        assert "gap" not in self.keys.log("eu-1").replace("nack gap", "")
        assert self.keys.rows("SELECT count(*) AS n FROM modeltrail.mark WHERE collector = 'eu-1'") == [{"n": 1}]
        print(f"events {count}, lost 0, doubled 0")


@pytest.fixture
def load(tmp_path, database):
    keys = Keys(tmp_path / "load", database, {"eu-1": ("c1", None)})
    load = Load(keys)
    yield load
    load.log.stop()
    keys.stop()


def replace_key(keys, name):
    """A new key in the collector's key file; gives its public half."""
    public = keys._make_key(f"{name}.next")
    os.rename(keys.folder / f"{name}.next.key", keys.folder / f"{name}.key")
    return public


def hang_up(keys, name, words="key reread"):
    before = keys.log(name).count(words)
    os.kill(keys.daemons[name].pid, signal.SIGHUP)
    keys.daemons[name].wait_until(lambda: keys.log(name).count(words) > before, 10)


def test_a_collectors_key_is_exchanged_with_an_overlap(load):
    keys = load.keys
    load.start()
    for _ in range(3):
        old = keys.keys["eu-1"]
        keys.keys["eu-1"] = replace_key(keys, "eu-1")
        keys.store("enrol", "eu-1", keys.keys["eu-1"])
        keys.reload()
        load.flows()  # under the old key, which the running collector still has
        hang_up(keys, "eu-1")
        load.flows()
        keys.store("revoke", "eu-1", old)
        keys.reload()
        load.flows()
    assert "nothing is sent" not in keys.log("eu-1")  # never refused
    load.check()


def test_a_collectors_key_is_exchanged_at_once(load):
    """The store hears of the new key first: the collector is refused, and sends again what it could not."""
    keys = load.keys
    load.start()
    public = replace_key(keys, "eu-1")
    keys.store("revoke", "eu-1")
    keys.store("enrol", "eu-1", public, "--cluster", "c1")
    keys.reload()
    keys.daemons["eu-1"].wait_until(lambda: "nothing is sent" in keys.log("eu-1"), 10)
    hang_up(keys, "eu-1")
    load.flows()
    load.check()


def test_the_stores_key_is_exchanged_at_one_endpoint(load):
    """Collectors know both keys before; the store changes its key file."""
    keys = load.keys
    old, new = keys.store_key, keys._make_key("new")
    keys.store_key = f"[{old}, {new}]"
    load.start()
    for key in ("new", "store", "new"):
        keys.write_store_config(listen=[(keys.endpoint, keys.folder / f"{key}.key")])
        keys.reload()
        load.flows()
    assert f"store_key={new}" in keys.log("store")
    load.check()


def test_the_stores_key_is_exchanged_with_two_listeners(load):
    """Both keys are served; collectors move one by one; then the old listener is closed."""
    keys = load.keys
    load.start()
    new, other = keys._make_key("new"), f"tcp://127.0.0.1:{free_port()}"
    places = [(keys.endpoint, keys.folder / "store.key"), (other, keys.folder / "new.key")]
    keys.write_store_config(listen=places)
    keys.reload()
    load.flows()
    assert keys.log("eu-1").count("connected to store") == 1  # a new listener disturbs nobody
    keys.end("eu-1")
    keys.store_key = new
    keys.start_collector("eu-1", [f'audit_log: {{path: "{load.log.path}"}}'], store=other)
    load.flows()
    keys.write_store_config(listen=places[1:])
    keys.reload()
    load.flows()
    assert keys.log("eu-1").count("connected to store") == 2  # nor does closing the one that it left
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", keys.port), 2).close()
    load.check()


def test_a_listener_that_closes_sends_its_collectors_on(load):
    """The collector knows both addresses and both keys, and is moved while it sends."""
    keys = load.keys
    other = f"tcp://127.0.0.1:{free_port()}"
    old, new = keys.store_key, keys._make_key("new")
    places = [(keys.endpoint, keys.folder / "store.key"), (other, keys.folder / "new.key")]
    keys.write_store_config(listen=places)
    keys.reload()
    keys.store_key = f"[{old}, {new}]"
    load.start(store=[keys.endpoint, other])
    for kept in (places[1:], places[:1], places[1:]):
        keys.write_store_config(listen=kept)
        keys.reload()
        load.flows()
    # That it is heard cannot be had for sure: a connection that closes behind it may take it along unread.
    assert 'reason="the store no longer listens here" told=yes' in keys.log("store")
    load.check()


def test_a_reload_that_cannot_be_had_whole_changes_nothing(keys, connect):
    keys.start_store()
    collector = connect("eu-1")
    collector.hello()
    (keys.folder / "bad.key").write_text("12")
    (keys.folder / "bad.key").chmod(0o600)
    keys.store("revoke", "eu-1")
    keys.write_store_config(listen=[(keys.endpoint, keys.folder / "bad.key")])
    os.kill(keys.daemons["store"].pid, signal.SIGHUP)
    keys.daemons["store"].wait_until(lambda: "the old one stays" in keys.log("store"), 10)
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    keys.write_store_config()
    keys.reload()
    assert collector.receive()["reason"] == "not_allowed"
