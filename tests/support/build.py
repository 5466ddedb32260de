"""Where the built C programs are, and running them the way a user would."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("modeltrail", "modeltrail-collector", "modeltrail-store")


def build_folder() -> Path:
    """MODELTRAIL_BUILD, else build/dev, else build/release."""
    named = os.environ.get("MODELTRAIL_BUILD")
    candidates = [Path(named)] if named else [ROOT / "build" / name for name in ("dev", "release")]
    for folder in candidates:
        if all((folder / name).is_file() for name in PROGRAMS):
            return folder.resolve()
    places = ", ".join(map(str, candidates))
    raise FileNotFoundError(f"no built programs in {places}; hint: cmake --workflow --preset dev")


def program(name: str) -> str:
    return str(build_folder() / name)


def run(name: str, *args, database=None, user="postgres", env=None, timeout=60, **popen):
    """Runs one of our programs to its end; output is text, the exit code is not checked.

    `database` is a support.postgres.Database; `env` adds to or overrides what it gives.
    """
    variables = dict(database.env(user) if database else os.environ)
    variables.update(env or {})
    argv = [program(name), *map(str, args)]
    return subprocess.run(
        argv, env=variables, timeout=timeout, capture_output=True, text=True, **popen
    )


def modeltrail(*args, database, **options):
    """`modeltrail ARGS` against a database."""
    return run("modeltrail", *args, database=database, **options)
