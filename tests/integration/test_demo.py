"""scripts/demo as a new user meets it: a fresh clone in a path with spaces, as root and as an ordinary user; again; stop; clean."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.process import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def settings_of_another_database(folder: Path) -> dict[str, str]:
    """What a user may have set for a database of his own. The demo must neither write there nor trip over it."""
    service = folder / "pg_service.conf"
    service.write_text(f"[mine]\nhost={folder}/elsewhere\ndbname=mine\nuser=mine\n")
    (folder / ".psqlrc").write_text("\\echo from psqlrc\n")
    return {
        "PGSERVICE": "mine", "PGSERVICEFILE": str(service), "PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGDATABASE": "mine",
        "PGOPTIONS": "-c no_such_setting=1", "MODELTRAIL_DATABASE": f"host={folder}/elsewhere", "MODELTRAIL_DSN": "service=mine",
    }


class Demo:
    """A clone of the project and its demo, run as some user."""

    def __init__(self, folder: Path, user: str | None):
        self.clone = folder / "a clone"
        self.state = folder / "its state"
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(self.clone)], check=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "MODELTRAIL_DEMO_DIR": str(self.state),
            "MODELTRAIL_DEMO_PORT": str(free_port()),
            **settings_of_another_database(folder),
        }
        self.prefix = []
        if user:
            account = pwd.getpwnam(user)
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
            self.prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]

    def run(self, *flags):
        argv = [*self.prefix, "scripts/demo", *flags]
        done = subprocess.run(
            argv, cwd=self.clone, env=self.environment, capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout


@pytest.fixture(params=[None, "nobody"], ids=["as it is", "as nobody"])
def demo(request):
    if request.param and os.getuid() != 0:
        pytest.skip("optional: already an ordinary user")
    folder = Path(tempfile.mkdtemp(prefix="modeltrail demo ", dir="/var/tmp"))
    folder.chmod(0o755)
    demo = Demo(folder, request.param)
    yield demo
    demo.run("--clean")
    shutil.rmtree(folder)


def processes_of(folder):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found


def events_in(output):
    return int(re.search(r"^(\d+) events, 2 collectors$", output, re.M).group(1))


def test_the_demo_answers_and_goes(demo):
    first = demo.run()
    assert "$ modeltrail matrix" in first and "fraud-scorer" in first
    who = first.split("$ modeltrail who carol")[1]
    assert "rolled_back" in who and "dry_run" in who
    as_of = first.split("--as-of")[1]
    assert re.search(r"prod +c1 .* 1\.4\.0 +live", as_of)  # what carol rolled back a moment later
    assert processes_of(demo.state)
    asked = ["sh", "-c", '. "$1" && modeltrail where fraud-scorer -o json && psql -Xc "SELECT 1 FROM modeltrail_v1.matrix"',
             "sh", demo.state / "env"]
    done = subprocess.run([*demo.prefix, *asked], env=demo.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "1.4.0" in done.stdout, done.stderr
    # Again: nothing is stored twice but what the collectors' new look adds.
    again = demo.run()
    assert 0 <= events_in(again) - events_in(first) <= 20
    changes = [out.split("$ modeltrail history credit-risk")[1].count(" c-") for out in (first, again)]
    assert changes[0] == changes[1] > 0
    demo.run("--stop")
    assert processes_of(demo.state) == []
    assert demo.state.exists()
    demo.run("--clean")
    assert not demo.state.exists()
