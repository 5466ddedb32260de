"""scripts/demo as a new user meets it: a fresh clone in a path with spaces, as root and as an ordinary user; again; stop; clean."""

import base64
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from support import rbac
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

    def attempt(self, *flags, **environment):
        return subprocess.run(
            [*self.prefix, "scripts/demo", *flags], cwd=self.clone, env=self.environment | environment, capture_output=True,
            text=True, timeout=400, stdin=subprocess.DEVNULL,
        )

    def run(self, *flags):
        done = self.attempt(*flags)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout


# One clone and its build for all tests of this file; each test leaves it as it came.
@pytest.fixture(scope="module", params=[None, "nobody"], ids=["as it is", "as nobody"])
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
    # The recordings' end is told as what it is: nothing is wrong with the collectors.
    assert re.search(r"incomplete: .*c1 .*not observed since 20\d\d-\S+; its audit log or webhook has shown no newer event", first)
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
    assert "no demo was running" in demo.run("--stop")
    demo.run("--clean")
    assert not demo.state.exists()


@pytest.mark.parametrize("flags, words", [
    (["--stop", "--foo"], "'--foo' is not known"),
    (["--clean", "--stop"], "stand alone"),
    (["--kubeconfig"], "--kubeconfig needs a value"),
    (["--kubeconfig", "/var/tmp"], "/var/tmp is not a file"),
    (["--kubeconfig", "/etc/passwd", "--context"], "--context needs a value"),
    (["--kubeconfig", "/etc/passwd", "--stop"], "--stop stands alone"),
    (["--context", "c1"], "--context goes with --kubeconfig"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_usage(demo, flags, words):
    done = demo.attempt(*flags)
    assert done.returncode == 2
    assert words in done.stderr and "Usage: scripts/demo" in done.stderr
    assert not demo.state.exists()


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "7461x"])
def test_a_port_is_a_number(demo, port):
    done = demo.attempt(MODELTRAIL_DEMO_PORT=port)
    assert done.returncode == 2 and f"not '{port}'" in done.stderr


def test_each_clone_has_its_own_folder(demo):
    other = demo.clone.parent / "other clone"
    (other / "scripts").mkdir(parents=True)
    shutil.copy(demo.clone / "scripts/demo", other / "scripts/demo")
    environment = {name: text for name, text in demo.environment.items() if name != "MODELTRAIL_DEMO_DIR"}
    said = [
        subprocess.run([clone / "scripts/demo", "--stop"], env=environment, capture_output=True, text=True, check=True).stdout
        for clone in (demo.clone, other)
    ]
    assert said[0].startswith("no demo was running in /") and said[0] != said[1]


def test_a_taken_port_is_told_and_nothing_stays(demo):
    with socket.create_server(("127.0.0.1", int(demo.environment["MODELTRAIL_DEMO_PORT"]))):
        done = demo.attempt()
    assert done.returncode == 1
    assert "is taken" in done.stderr and "set MODELTRAIL_DEMO_PORT" in done.stderr
    assert processes_of(demo.state) == []
    demo.run("--clean")


def test_a_cluster_that_cannot_be_reached_is_told_and_nothing_stays(demo):
    config = demo.clone.parent / "kubeconfig"
    config.write_text(f"""
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{free_port()}"}}}}]
users: [{{name: u, user: {{}}}}]
""")
    done = demo.attempt("--kubeconfig", config)
    assert done.returncode == 1
    assert "nothing could be listed" in done.stderr and "Failed to connect" in done.stderr  # the collector's own words
    assert processes_of(demo.state) == []
    demo.run("--clean")


def readable_kubeconfig(kube, path):
    """One that any user can read, with the authority's certificate in it, and with a current context that leads nowhere."""
    config = yaml.safe_load(kube.kubeconfig(path).read_text())
    path.unlink()
    authority = config["clusters"][0]["cluster"].pop("certificate-authority")
    config["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(Path(authority).read_bytes()).decode()
    config["current-context"] = "nowhere"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_live_cluster_is_watched(demo, new_cluster):
    kube = new_cluster("live")  # of its own: the right to see all of it would reach into other tests
    kube.create_namespace("demo-live")
    kube.grant("collector", rbac.READER)
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/churn-live/2.0.1"}
    kube.client("admin").apply({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "churn-live", "namespace": "demo-live"}, "spec": {"predictor": {"model": model}},
    })
    config = readable_kubeconfig(kube, demo.clone.parent / "live kubeconfig")
    shown = demo.run("--kubeconfig", config, "--context", kube.name)
    assert re.search(r"demo-live .*InferenceService/churn-live .* 2\.0\.1 ", shown), shown
    assert "The recordings" not in shown
    demo.run("--clean")
    assert processes_of(demo.state) == []


@pytest.mark.parametrize("code, ends", [(1, 0), (6, 0), (4, 1)])
def test_no_and_unknown_are_answers(demo, code, ends):
    program = demo.clone / "build/release/modeltrail"
    kept = program.with_suffix(".kept")
    program.rename(kept)
    try:
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
        done = demo.attempt()
        assert done.returncode == ends, done.stderr
        assert bool(processes_of(demo.state)) == (ends == 0)
    finally:
        program.unlink()
        kept.rename(program)
        demo.run("--clean")
