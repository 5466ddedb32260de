"""Running worlds through the fold's driver, and comparing its rows with the oracle's."""

import difflib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from oracle import COLUMNS, fold_world
from oracle.facts import instant, share
from support import build

from .cases import cases_of
from .histories import BORDER, draw_world, numbered

INSTANTS = {
    "valid_from", "valid_from_after", "valid_to", "valid_to_after", "deployed_at",
    "deployed_after", "ready_at", "happened_at", "happened_after",
}
SHARES = {"traffic_percent", "percent", "from_traffic_percent", "to_traffic_percent"}
INTEGERS = {
    "from_position", "to_position", "position", "deployed_position", "recorded_index",
    "revised_index", "request_index", "replicas",
}


def driver(name):
    """The path of a built driver; MODELTRAIL_DRIVERS names another folder than the build's."""
    folder = os.environ.get("MODELTRAIL_DRIVERS") or build.build_folder() / "drivers"
    return str(Path(folder) / name)


def as_lines(entries):
    """What the driver reads: events with their log index, and borders."""
    lines, log_index = [], 0
    for entry in entries:
        if entry is not BORDER:
            log_index += 1
            entry = {"log_index": str(log_index), **entry}
        lines.append(json.dumps(entry) + "\n")
    return "".join(lines)


def entries_of(lines):
    """A world as kept in a file: what as_lines wrote."""
    entries = [json.loads(line) for line in lines.splitlines() if line.strip()]
    return [
        BORDER if entry == BORDER else {"type": entry["type"], "data": entry["data"]}
        for entry in entries
    ]


def comparable(column, value):
    """A value of the driver or of the database as the oracle writes it."""
    if value is None:
        return None
    if column in INSTANTS:
        return instant(value)
    if column in SHARES:
        return share(float(value))
    if column in INTEGERS:
        return int(value)
    return value


def read_rows(text):
    """The driver's output as tables of rows."""
    tables = {name: [] for name in COLUMNS}
    for line in text.splitlines():
        row = json.loads(line)
        name = row.pop("table")
        if name == "checkpoint":
            continue
        tables[name].append({column: comparable(column, row[column]) for column in COLUMNS[name]})
    return tables


class DriverFailed(Exception):
    pass


@dataclass(frozen=True)
class Answer:
    """What the driver printed: sorted JSON lines of rows and checkpoints, and its counts."""

    text: str
    resumed: int
    full: int

    @property
    def tables(self):
        return read_rows(self.text)


def run_fold(program, entries, *flags):
    """The fold's answer to a world."""
    argv = [program, "--checkpoints", *flags]
    lines = as_lines(entries)
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise DriverFailed(f"exit {done.returncode}: {done.stderr[-2000:]}")
    counts = re.search(r"resumed=(\d+) full=(\d+)", done.stderr)
    return Answer(done.stdout, int(counts.group(1)), int(counts.group(2)))


def sorted_rows(name, rows):
    return sorted([tuple(row[column] for column in COLUMNS[name]) for row in rows], key=repr)


def differences(expected, found, limit=6):
    """Lines that tell how two sets of tables differ; none when they do not."""
    lines = []
    for name, columns in COLUMNS.items():
        wanted = sorted_rows(name, expected[name])
        got = sorted_rows(name, found[name])
        if wanted == got:
            continue
        lines += [f"{name}: {len(wanted)} rows wanted, {len(got)} found"]
        lines += _row_differences(columns, wanted, got)[:limit]
    return lines


def _row_differences(columns, wanted, got):
    """Rows of only one side; where a row of the same key is on the other, only what differs."""
    missing = [row for row in wanted if row not in got]
    extra = [row for row in got if row not in wanted]
    lines = []
    for row in missing:
        twins = [other for other in extra if other[:5] == row[:5]]
        if not twins:
            lines.append(f"  missing {dict(zip(columns, row))}")
            continue
        extra.remove(twins[0])
        parts = [
            f"{column}: wanted {a!r}, found {b!r}"
            for column, a, b in zip(columns, row, twins[0])
            if a != b
        ]
        lines.append(f"  row {row[:7]}: " + "; ".join(parts))
    return lines + [f"  extra {dict(zip(columns, row))}" for row in extra]


def disagreement(program, entries):
    """How the fold differs from the oracle, or from itself when resumed; "" if it does not."""
    return _try(program, entries)[0]


def _try(program, entries):
    """(disagreement, the resumed fold's answer)."""
    try:
        full = run_fold(program, entries, "--full")
        resumed = run_fold(program, entries)
    except (DriverFailed, subprocess.TimeoutExpired) as reason:
        return f"the driver failed: {reason}", None
    lines = differences(fold_world(numbered(entries)), full.tables)
    if lines:
        return "fold and oracle differ:\n" + "\n".join(lines), resumed
    if resumed.text != full.text:
        diff = difflib.unified_diff(
            full.text.splitlines(), resumed.text.splitlines(), "in full", "resumed", n=0,
            lineterm="",
        )
        return "resumed and full fold differ:\n" + "\n".join(list(diff)[:8]), resumed
    return "", resumed


@dataclass(frozen=True)
class Trial:
    """What became of one seed's world."""

    seed: int
    failure: str
    cases: dict
    histories: int
    resumed: int  # folds that went on from a checkpoint
    full: int


def try_world(program, seed):
    entries = draw_world(seed)
    failure, answer = _try(program, entries)
    resumed, full = (answer.resumed, answer.full) if answer else (0, 0)
    histories = len(clusters_of(entries))
    return Trial(seed, failure, cases_of(entries), histories, resumed, full)


def shrink(entries, fails, rounds=400):
    """A world that still fails and from which (within so many trials) nothing can be taken away."""
    size = max(len(entries) // 2, 1)
    while size >= 1 and rounds > 0:
        start, shrunk = 0, False
        while start < len(entries) and rounds > 0:
            smaller = entries[:start] + entries[start + size:]
            rounds -= 1
            if smaller and fails(smaller):
                entries, shrunk = smaller, True
            else:
                start += size
        if size == 1 and not shrunk:
            break
        size = max(size // 2, 1) if size > 1 else 1
    return entries


def clusters_of(entries):
    data = [entry["data"] for entry in entries if entry is not BORDER]
    return sorted({each["cluster"] for each in data if "cluster" in each})


def by_cluster(entries):
    """The world's clusters one by one, each with the central files that concern all."""
    for name in clusters_of(entries):
        yield [
            entry
            for entry in entries
            if entry is BORDER or entry["data"].get("cluster", name) == name
        ]


def report(program, entries, seed):
    """The smallest world found that shows the failure of this one, ready to be read and kept."""

    def fails(some):
        return bool(disagreement(program, some))

    for alone in by_cluster(entries):
        if fails(alone):
            entries = alone
            break
    smallest = shrink(entries, fails)
    return (
        f"seed {seed}, shrunk to {sum(e is not BORDER for e in smallest)} events:\n"
        + as_lines(smallest)
        + disagreement(program, smallest)
    )
