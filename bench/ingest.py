"""Events per second through the wire into log, facts and fold, beside `psql \\copy` of the same log rows.

Method: one run has several rounds. A round sends the same number of generated observations (2,000 workloads, 40 % of
the observations move a placement, the others are status writes) through one CURVE connection into a real store on a fresh database with fsync on, and
measures from the first frame sent to the last one acknowledged. Then the rows of `event` and `event_body` are written out and loaded with
\\copy into the same tables of another fresh database, one transaction. The ratio is \\copy's time over the ingest's time."""

import argparse
import random
import subprocess
import time
import uuid

from common import median, spread, temporary_folder, verdict

from support.postgres import Postgres
from support.system import System
from support.wire import WireCollector, observed

FRAME = 2000
LOG_TABLES = ("event", "event_body")


def generate(count, workloads, seed):
    rng = random.Random(seed)
    uids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(workloads)]
    state = {uid: [1, 0, 1] for uid in uids}  # version, position, generation
    for number in range(count):
        uid = uids[number % workloads] if number < workloads else rng.choice(uids)
        own = state[uid]
        if rng.random() < 0.4:
            own[0] += 1
            own[2] += 1
        at = f"2026-01-01T{number // 3600000 % 24:02d}:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z"
        name = f"model-{uid[:6]}"
        yield "workload.observed", observed(
            uid, number + 1, uri=f"s3://models/{name}/{own[0]}.0.0", name=name, generation=str(own[2]),
            observed_generation=str(own[2]), ready=True, at=at,
            object={"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
                    "metadata": {"name": name, "namespace": "dev", "uid": uid, "resourceVersion": str(number + 1), "generation": own[2],
                                 "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"team": "risk", "tier": "gold"}},
                    "spec": {"storageUri": f"s3://models/{name}/{own[0]}.0.0", "requirements": ["sklearn"], "memory": "1Gi", "replicas": 1},
                    "status": {"conditions": [{"type": "ModelReady", "status": "True", "lastTransitionTime": at}], "replicas": 1}},
        )


def make_frames(collector, events):
    """All frames with their lines made ahead, so that Python's work is not measured."""
    frames, batch = [], []
    for event in events:
        batch.append(event)
        if len(batch) == FRAME:
            frames.append(batch)
            batch = []
    if batch:
        frames.append(batch)
    prepared = []
    for batch in frames:
        lines = collector.next_lines(batch)
        prepared.append((collector.seq, collector.chain, lines))
        collector.seq += len(lines)
        from support.wire import chain_over
        collector.chain = chain_over(collector.chain, lines)
    return [
        (first + 1, chain.hex(), b"".join(line + b"\n" for line in lines), len(lines)) for first, chain, lines in prepared
    ]


def ingest(collector, frames, total):
    """Seconds from the first frame to the last acknowledgement, two frames under way as a collector has."""
    begun = time.monotonic()
    acked = sent = 0
    while acked < total:
        while sent < len(frames) and frames[sent][0] - 1 - acked < 2 * FRAME:
            first, chain, body, count = frames[sent]
            collector.send({"kind": "data", "epoch": str(collector.epoch), "first": str(first), "n": count, "chain": chain}, body)
            sent += 1
        answer = collector.receive(60)
        assert answer and answer["kind"] == "ack", answer
        acked = int(answer["acked"])
    return time.monotonic() - begun


def copy_out(database, folder):
    for table in LOG_TABLES:
        database.psql(f"\\copy (SELECT * FROM modeltrail.{table} WHERE log_index > 0) TO '{folder}/{table}.copy'")


def copy_in(database, folder):
    script = "BEGIN;\n" + "".join(f"\\copy modeltrail.{t} FROM '{folder}/{t}.copy'\n" for t in LOG_TABLES) + "COMMIT;\n"
    begun = time.monotonic()
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", "-"], input=script, text=True, env=database.env(), check=True)
    return time.monotonic() - begun


def one_round(postgres, number, events):
    folder = temporary_folder()
    database = postgres.create_database(f"ingest_{number}")
    system = System(folder, database, {"eu-1": ("c1", None)})
    system.start_store()
    collector = WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret("eu-1"))
    assert collector.hello()["kind"] == "welcome"
    frames = make_frames(collector, generate(events, 2000, number))
    took = ingest(collector, frames, events)
    placements = database.psql("SELECT count(*) FROM modeltrail.placement")[0][0]
    copy_out(database, folder)
    collector.close()
    system.stop()
    other = postgres.create_database(f"copy_{number}")
    System(folder / "other", other, {"eu-1": ("c1", None)})
    copied = copy_in(other, folder)
    database.drop()
    other.drop()
    print(f"round {number}: wire {events / took:,.0f} events/s, \\copy {events / copied:,.0f} rows/s, ratio {copied / took:.2f}, {placements} placement rows")
    return events / took, events / copied, copied / took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    postgres = Postgres(settings={"shared_buffers": "512MB", "max_wal_size": "4GB"}).start()
    try:
        rounds = [one_round(postgres, n, options.events) for n in range(options.rounds)]
    finally:
        postgres.remove()
    wire, copied, ratio = zip(*rounds)
    print(f"median of {len(rounds)}: wire {median(wire):,.0f} events/s, \\copy {median(copied):,.0f} rows/s, ratio {spread(ratio)}")
    verdict("ingest", ratio)


if __name__ == "__main__":
    main()
