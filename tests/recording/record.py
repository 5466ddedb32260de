#!/usr/bin/env python3
"""Records the audit logs of two real API servers while the story is acted out on them.

Writes c1/audit.log, c2/audit.log and steps.json beside itself. The content is the same at every
run but for uids, resourceVersions and times. Nothing in the logs is edited.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import story  # noqa: E402
from actors import Book  # noqa: E402
from support import kube  # noqa: E402


def record(work: Path, out: Path, pause: float) -> None:
    assets = kube.find_assets()
    c1 = kube.Cluster(assets, work / "c1", "c1")
    c2 = kube.Cluster(assets, work / "c2", "c2", extra_users=[story.CAROL_AT_C2])
    book = Book(pause)
    try:
        story.prepare_c1(c1.start())
        story.prepare_c2(c2.start())
        story.tell(story.Stage(c1, book), story.Stage(c2, book), book)
    finally:
        c1.stop()
        c2.stop()
    for cluster in (c1, c2):
        folder = out / cluster.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(cluster.audit_log, folder / "audit.log")
    (out / "steps.json").write_text(json.dumps(book.steps, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="where to write (default: here)")
    parser.add_argument("--pause", type=float, default=1.1, help="seconds between two steps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modeltrail-recording-") as work:
        record(Path(work), options.out, options.pause)


if __name__ == "__main__":
    main()
