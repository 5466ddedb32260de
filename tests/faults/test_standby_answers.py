"""A hot standby answers every question, and says how fresh the answer is."""

import json

import pytest
from support.build import ROOT, run
from support.replication import Pair
from support.system import System

RECORDING = ROOT / "tests" / "recording"


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The recorded story on a primary, and its standby."""
    pair = Pair(synchronous=True)
    pair.primary.psql("ALTER SYSTEM SET synchronous_commit = 'remote_apply'; ")
    pair.primary.psql("SELECT pg_reload_conf()")
    database = pair.database("story")
    system = System(tmp_path_factory.mktemp("standby"), database, {"c1": ("c1", None), "c2": ("c2", None)})
    system.start_store()
    system.apply(RECORDING / "modeltrail.yaml")
    for name in ("c1", "c2"):
        system.collect_once(name, [f'audit_log: {{path: "{RECORDING}/{name}/audit.log", complete: true}}'])
    yield pair, system
    system.stop()
    pair.remove()


def ask(cluster, *words, user="test_auditor"):
    return run("modeltrail", *words, env=cluster.env("story", user))


QUESTIONS = [["list", noun, "-o", "json"] for noun in (
    "models", "versions", "deployments", "changes", "events", "people", "environments", "attempts", "requests")]


@pytest.mark.parametrize("words", QUESTIONS, ids=lambda words: words[1])
def test_a_standby_gives_the_primarys_answers(story, words):
    pair, _ = story
    there, here = ask(pair.standby, *words), ask(pair.primary, *words)
    assert there.returncode == here.returncode == 0, there.stderr
    told, wanted = json.loads(there.stdout), json.loads(here.stdout)
    assert told["items"] == wanted["items"]
    assert told["standby"]["replayed_until"] and "standby" not in wanted
    assert "answered by a standby, whose last transaction is of 20" in there.stderr
    assert "standby" not in here.stderr


def test_where_matrix_doctor_and_show(story):
    pair, _ = story
    change = json.loads(ask(pair.primary, "list", "changes", "-o", "json").stdout)["items"][0]
    for words in (["matrix"], ["where", change["model"]], ["history", change["model"]], ["show", change["change_id"]]):
        there, here = ask(pair.standby, *words), ask(pair.primary, *words)
        assert there.returncode == here.returncode, there.stderr
        assert there.stdout == here.stdout or words[0] == "where"  # ages move on
    checks = {check["check_name"]: check for check in json.loads(ask(pair.standby, "doctor", "-o", "json").stdout)["items"]}
    assert "; a standby, its last transaction is " in checks["connection"]["detail"]
    checks = {check["check_name"]: check for check in json.loads(ask(pair.primary, "doctor", "-o", "json").stdout)["items"]}
    assert checks["replication"]["status"] == "ok" and "COMMIT waits for standby" in checks["replication"]["detail"]


def test_writers_are_refused_with_the_reason(story):
    pair, system = story
    done = run("modeltrail-store", "apply", RECORDING / "modeltrail.yaml", env=pair.standby.env("story", "test_store"))
    assert done.returncode == 1 and "is not for target_session_attrs=read-write" in done.stderr


def test_a_standby_that_lags_answers_unknown(story, tmp_path):
    """Coverage is replicated like everything else: what the standby has not received it has not looked at."""
    pair, system = story
    words = ["where", "nothing-of-this-name", "--cluster", "c1"]
    # As of a collector that is there; the one of the story has ended and said so.
    look = ("UPDATE modeltrail.mark SET trouble = NULL, seen_at = now(), through = jsonb_build_array(jsonb_build_object('aspect', 'state', 'cluster', 'c1',"
            " 'namespace', null, 'resource', null, 'watched_since', now() - interval '1 hour', 'through', now() - interval '{}'))"
            " WHERE collector = 'c1'")
    system.database.psql(look.format("4 minutes"))
    assert ask(pair.standby, *words).returncode == 6
    pair.standby.psql("SELECT pg_wal_replay_pause()")
    pair.primary.psql("ALTER SYSTEM SET synchronous_commit = 'on'")
    pair.primary.psql("SELECT pg_reload_conf()")
    system.database.psql(look.format("1 second"))
    fresh, lagging = ask(pair.primary, *words), ask(pair.standby, *words)
    assert (fresh.returncode, lagging.returncode) == (1, 6), (fresh, lagging)
    assert "not observed since" in lagging.stderr and "answered by a standby" in lagging.stderr
    pair.standby.psql("SELECT pg_wal_replay_resume()")
