"""`modeltrail where MODEL` on a log of 1 M events, beside `psql -c` of the same query.

Method: 4,000 models in five namespaces each (20,000 workloads); every version is three events: the request of a person, the new spec, and the
status that says ready. They are stored through the store's own code, the tables are analysed, and everything is warm. `where` of one model is asked
many times, in turn with psql, on a unix socket; both times are of the whole program, from its start to its end. What psql runs is what the CLI sent for its answer, taken from
the server's log, as PREPARE and EXECUTE with the same parameters. The CLI sends one more query before it, for instants and coverage; `both` is
psql running the two in one session. Collectors look all the time, so a mark is kept that says so."""

import argparse
import json
import random
import re
import subprocess
import time
import uuid

from common import median, spread, verdict

from support.build import build_folder, program, run
from support.postgres import Postgres
from support.wire import observed

NAMESPACES = ("dev", "test", "staging", "prod-eu", "prod-us")
PEOPLE = [f"person-{number}@corp.example" for number in range(40)]


def instant(second):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(second))


def request(uid, name, namespace, position, version, at, rng):
    return {
        "cluster": "c1", "audit_id": f"audit-{position}", "stage": "ResponseComplete", "verb": "create" if version == 1 else "patch",
        "resource": "models.mlops.seldon.io", "kind": "Model", "subresource": None, "namespace": namespace, "name": name, "uid": uid,
        "position": str(position), "generation": str(version), "removes": False, "code": 201 if version == 1 else 200, "dry_run": False, "at": at,
        "principal": rng.choice(PEOPLE), "groups": ["data-science"], "via": "audit_log", "user_agent": "kubectl/v1.34.4", "source_ip": "192.0.2.1",
    }


def events(count, models, seed):
    """`count` events over half a year; each workload's versions come in order."""
    rng = random.Random(seed)
    workloads = [(str(uuid.UUID(int=rng.getrandbits(128), version=4)), f"model-{number % models:04d}", NAMESPACES[number // models]) for number in range(models * len(NAMESPACES))]
    versions = [0] * len(workloads)
    begun = time.time() - 180 * 86400
    position = 0
    yield "scope.watched", {"cluster": "c1", "aspect": "state", "source": "kubernetes", "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": None,
                            "watched_since": instant(begun), "through": instant(time.time()), "installed": True}
    for number in range(count // 3):
        index = number if number < len(workloads) else rng.randrange(len(workloads))
        uid, name, namespace = workloads[index]
        versions[index] += 1
        version, at = versions[index], begun + number * 180 * 86400 / (count // 3)
        position += 2
        state = dict(name=name, namespace=namespace, uri=f"s3://models/{name}/{version}.0.0", generation=str(version))
        yield "request.audited", request(uid, name, namespace, position, version, instant(at), rng)
        yield "workload.observed", observed(uid, position, at=instant(at + 1), at_source="collector_clock", observed_generation=str(max(version - 1, 1)), ready=version > 1, **state)
        yield "workload.observed", observed(uid, position + 1, at=instant(at + 9), at_source="collector_clock", observed_generation=str(version), ready=True,
                                            ready_since=instant(at + 9), **state)


def fill(database, options):
    driver = build_folder() / "drivers" / "driver_store_ingest"
    child = subprocess.Popen([driver, database.dsn(), "--batch", "4000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for kind, data in events(options.events, options.models, 1):
        child.stdin.write(json.dumps({"type": f"dev.modeltrail.{kind}.v1", "data": data}, separators=(",", ":")) + "\n")
    out, _ = child.communicate()
    assert child.returncode == 0, out
    database.psql("ANALYZE")
    return json.loads(out)


def keep_live(database):
    """What the beat of a running collector would leave: it has looked at everything until now."""
    look = "'cluster', 'c1', 'namespace', NULL, 'resource', NULL, 'watched_since', now() - interval '180 days', 'through', now()"
    database.psql(f"UPDATE modeltrail.mark SET seen_at = now(), through = jsonb_build_array(jsonb_build_object('aspect', 'state', {look}), "
                  f"jsonb_build_object('aspect', 'actor', {look}))")


def timed(argv, env):
    begun = time.monotonic()
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    took = time.monotonic() - begun
    assert done.returncode == 0 and done.stdout, argv
    return took


def as_script(statement, parameters):
    """The same statement with the same parameters, as psql can send it."""
    values = [value for _, value in sorted((int(number), value) for number, value in re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", parameters))]
    return f"PREPARE asked AS {statement}; EXECUTE asked({', '.join(values)}); DEALLOCATE asked"


def sent_by(postgres, database, argv):
    """The statements that a program sends, from the server's log; the last is its answer."""
    log = postgres.folder / "server.log"
    database.psql(f"ALTER DATABASE {database.name} SET log_min_duration_statement = 0")
    before = log.stat().st_size
    timed(argv, database.env())
    database.psql(f"ALTER DATABASE {database.name} RESET log_min_duration_statement")
    text = log.read_bytes()[before:].decode()
    found = re.findall(r"execute <unnamed>: (.*?)\n[^\t]*?DETAIL:  parameters: (.*?)\n", text, re.S)
    return [as_script(statement.replace("\n\t", "\n"), parameters) for statement, parameters in found]


def compare(postgres, database, model, asks):
    """Medians in milliseconds of the CLI, of psql with its answer, and of psql with all that it sends."""
    env = database.env()
    keep_live(database)
    ask = [program("modeltrail"), "where", model]
    sent = sent_by(postgres, database, ask)
    assert len(sent) == 2, sent
    psql = [str(postgres.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    sides = {"cli": ask, "answer": [*psql, "-c", sent[1]], "both": [*psql, "-c", sent[0], "-c", sent[1]]}
    times = {name: [] for name in sides}
    for number in range(asks + 3):
        for name, argv in sides.items():
            took = timed(argv, env)
            if number >= 3:
                times[name].append(took * 1000)
    return {name: median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--asks", type=int, default=20, help="of each side in a round")
    parser.add_argument("--keep", action="store_true", help="wait for Enter before the database goes")
    options = parser.parse_args()
    postgres = Postgres(settings={"shared_buffers": "512MB", "max_wal_size": "4GB"}).start()
    try:
        database = postgres.create_database("wherebench")
        done = run("modeltrail-store", "migrate", database=database)
        assert done.returncode == 0, done.stderr
        print(f"filled: {fill(database, options)}", flush=True)
        rng = random.Random(2)
        ratios, with_coverage = [], []
        for number in range(options.rounds):
            model = f"model-{rng.randrange(options.models):04d}"
            ms = compare(postgres, database, model, options.asks)
            ratios.append(ms["cli"] / ms["answer"])
            with_coverage.append(ms["cli"] / ms["both"])
            print(f"round {number}: where {model} {ms['cli']:.1f} ms, psql of its answer {ms['answer']:.1f} ms, psql of both its queries {ms['both']:.1f} ms, "
                  f"ratio {ratios[-1]:.2f} and {with_coverage[-1]:.2f}", flush=True)
        if options.keep:
            input(f"{database.dsn()} ")
    finally:
        postgres.remove()
    print(f"median of {len(ratios)}: where over psql of its answer {spread(ratios)}, over psql of both its queries {spread(with_coverage)}")
    verdict("where", ratios)


if __name__ == "__main__":
    main()
