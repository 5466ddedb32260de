"""docker-compose.yml brings up a whole modeltrail that answers; nothing in it runs as root."""

import json
import os
import tempfile
import time
from pathlib import Path

import pytest
from containers.engine import LIMITS, Engine, missing_programs

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "docker-compose.yml", ROOT / "tests/containers/override.yml"]
PROJECT = "modeltrail-test"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine():
    missing = missing_programs()
    if missing or os.getuid() != 0:
        reason = f"no container engine: {missing or 'not root'}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="modeltrail-compose-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        engine = Engine(Path(folder))
        engine.import_base("docker.io/library/debian:bookworm-slim")
        engine.build("docker.io/library/postgres:15", ROOT / "tests/containers/postgres.Dockerfile", ROOT / "tests/containers")
        engine.build("docker.io/library/modeltrail:local", ROOT / "deploy/image/Dockerfile", ROOT)
        engine.start()
        yield engine
        engine.stop()
        # Images and layers belong to other ids than ours: podman itself takes them away.
        engine.podman("system", "reset", "--force", check=False)


@pytest.fixture(scope="module")
def stack(engine):
    up = engine.compose(PROJECT, FILES, "up", "--no-build", "-d")
    logs = engine.compose(PROJECT, FILES, "logs", "--no-color").stdout if up.returncode else ""
    assert up.returncode == 0, up.stderr[-3000:] + logs[-6000:]
    yield engine
    down = engine.compose(PROJECT, FILES, "down", "-v")
    assert down.returncode == 0, down.stderr
    assert engine.podman("ps", "--all", "--quiet").stdout.strip() == ""


def ask(stack, *words):
    """Asks in a container of its own, as the compose file's comment tells users to."""
    return stack.compose(PROJECT, FILES, "run", "--rm", "-T", "modeltrail", *words)


def wait_for_answer(stack):
    for _ in range(60):
        done = ask(stack, "where", "fraud-scorer", "-o", "json")
        items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        # c1 and c2 replay side by side: the answer is whole when both have spoken.
        if {item["cluster"] for item in items} == {"c1", "c2"}:
            return items
        time.sleep(1)
    logs = stack.compose(PROJECT, FILES, "logs", "--no-color").stdout
    raise AssertionError(done.stdout + done.stderr + logs[-6000:])


def test_where_answers_from_both_clusters(stack):
    items = wait_for_answer(stack)
    expected = json.loads((ROOT / "tests/recording/expected.json").read_text())["deployments"]
    # The replay may still be under way at the first whole answer: ask until it stands still at the end.
    want = sorted(
        (d["cluster"], d["namespace"], d["component"], d["version"]) for d in expected if d["model"] == "fraud-scorer"
    )
    for _ in range(30):
        have = sorted((i["cluster"], i["namespace"], i["component"], i["version"]) for i in items)
        if have == want:
            break
        time.sleep(1)
        items = json.loads(ask(stack, "where", "fraud-scorer", "-o", "json").stdout)["items"]
    assert have == want


def test_nothing_of_ours_runs_as_root(stack):
    for service in ("store", "collector-c1", "collector-c2"):
        done = stack.compose(PROJECT, FILES, "exec", "-T", service, "id", "-u")
        assert done.stdout.strip() == "10001", service


def test_keys_are_private_and_not_in_the_image(stack):
    done = stack.compose(PROJECT, FILES, "exec", "-T", "store", "stat", "-c", "%a", "/etc/modeltrail/store.key")
    assert done.stdout.strip() == "600"
    image = stack.podman("run", "--rm", *LIMITS, "modeltrail:local", "ls", "-A", "/etc/modeltrail")
    assert image.stdout.strip() == ""
