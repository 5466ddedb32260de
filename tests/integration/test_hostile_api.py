"""The Kubernetes source against an API server that misbehaves: what follows from its events is the
truth, or it was said to be unknown."""

import json
import subprocess
import time

import pytest

from support import hostile_scenarios as scenarios
from support.fake_kube import FakeKube
from support.hostile_scenarios import SCENARIOS, SELDON, harm, seed
from support.kube_client import MODEL_KINDS
from support.kubernetes_driver import KubernetesDriver, driver_path

# Short times: what takes minutes in a cluster takes seconds here.
QUICK = {"watch_s": 3, "grace_ms": 500, "look_again_ms": 300, "watched_ms": 500, "page": 5}


@pytest.fixture
def fake():
    with FakeKube() as server:
        seed(server)
        yield server


@pytest.fixture
def kubeconfig(fake, tmp_path):
    return fake.write_kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def start(fake, kubeconfig, tmp_path):
    """A factory of drivers of one namespace, synced when they are given out."""
    def run(*namespaces, **options):
        driver = KubernetesDriver(kubeconfig, *(namespaces or ("risk",)),
                                  log=tmp_path / "driver.log", **(QUICK | options))
        return driver
    return run


def expect(driver, expectation):
    belief = driver.belief

    def gaps():
        return [gap for gap in belief.of("scope.gap") if gap["resource"] == SELDON]

    driver.wait_for_inventory(lambda: expectation.truth, timeout=40)  # several back-offs
    if expectation.gap is None:
        assert belief.of("scope.gap") == []
    else:
        driver.wait_until(lambda: any(expectation.gap in gap["reason"] for gap in gaps()),
                          what="a gap is said")
        assert all(gap["from"] for gap in gaps())
        if expectation.closed:
            driver.wait_until(lambda: not belief.open_gaps(), what="the gap is closed")
        else:
            assert SELDON in [gap["resource"] for gap in belief.open_gaps()]
    driver.wait_until(lambda: len(belief.of("input.rejected")) >= expectation.rejected)
    assert expectation.rejected or belief.of("input.rejected") == []


def play(fake, driver, scenario):
    def synced():
        driver.wait_for_inventory(fake.truth)

    synced()
    driver.wait_for_look(SELDON, "risk")
    expectation = scenario(fake, synced)
    expect(driver, expectation)
    whole = [path for _, verb, path, _ in fake.requests if verb == "list" and "?" not in path]
    assert len(whole) >= expectation.whole_lists


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_after_the_harm_the_truth_or_unknown(fake, start, scenario):
    with start() as driver:
        play(fake, driver, scenario)


@pytest.mark.parametrize("scenario", [
    scenarios.http_410, scenarios.cut_line, scenarios.mixed_pages, scenarios.went_back,
    scenarios.garbage_lines, scenarios.unusable_object,
], ids=lambda scenario: scenario.__name__)
def test_the_same_with_an_outbox_that_fails(fake, start, scenario):
    """Every third transaction is rolled back: nothing is lost, nothing moves past what was lost."""
    with start(fail_every=3) as driver:
        play(fake, driver, scenario)


def test_retry_after_is_honoured(fake, start):
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        fake.hold()
        fake.fail_next("watch", 429, "seldondeployments", Retry_After=2)
        fake.release()
        driver.wait_until(lambda: fake.count("watch", 429))
        refused = [when for when, _, path, code in fake.requests if code == 429][0]
        fake.create("after")
        driver.wait_for_inventory(fake.truth)
        again = [when for when, verb, path, code in fake.requests
                 if verb == "watch" and "seldondeployments" in path and when > refused]
        assert again[0] - refused >= 2


def test_a_rotated_token_is_read_again(fake, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(fake.token + "\n")
    config = fake.write_kubeconfig(tmp_path / "kubeconfig", token_file)
    with KubernetesDriver(config, "risk", **QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        fake.token = "second-token"
        token_file.write_text(fake.token)
        fake.cut_watches()
        harm(fake)
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.of("scope.gap") == []


def test_a_token_that_comes_late_is_waited_for(fake, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("not-yet")
    config = fake.write_kubeconfig(tmp_path / "kubeconfig", token_file)
    with KubernetesDriver(config, "risk", **QUICK) as driver:
        driver.wait_until(lambda: fake.count("discover", 401) >= 2)
        assert driver.belief.of("workload.observed") == []
        token_file.write_text(fake.token)
        driver.wait_for_inventory(fake.truth)


def test_a_refused_kind_is_a_gap_and_the_others_go_on(fake, start):
    fake.forbidden.add("models")
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: driver.belief.open_gaps())
        [gap] = driver.belief.open_gaps()
        assert (gap["resource"], gap["namespace"]) == ("models.mlops.seldon.io", "risk")
        assert "forbidden" in gap["reason"]
        assert driver.belief.look("models.mlops.seldon.io", "risk") is None
        harm(fake)
        driver.wait_for_inventory(fake.truth)
        fake.forbidden.clear()
        fake.create("late", plural="models")
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.open_gaps() == []
        driver.wait_for_look("models.mlops.seldon.io", "risk")


def test_kinds_in_trouble_do_not_hold_up_the_others(fake, start):
    troubled = ["experiments", "models", "pipelines", "servers"]
    for plural in troubled:
        fake.fail_next("list", 503, plural, times=1000)
    fake.create("served", plural="inferenceservices")
    fake.create("trained", plural="trainedmodels")
    with start() as driver:
        driver.wait_for_inventory(fake.truth, timeout=5)
        assert all(driver.belief.look(f"{plural}.mlops.seldon.io", "risk") is None
                   for plural in troubled)


def test_an_answer_that_is_no_watch_is_not_told_line_by_line(fake, start):
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        fake.hold()
        fake.babble = 1000
        fake.release()
        driver.wait_until(lambda: fake.babble == 0)
        harm(fake)
        driver.wait_for_inventory(fake.truth)
        assert 1 <= len(driver.belief.of("input.rejected")) < 20


def test_rights_taken_away_end_the_coverage(fake, start):
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        fake.forbidden.add("seldondeployments")
        fake.cut_watches()
        driver.wait_until(lambda: driver.belief.open_gaps())
        frozen = driver.belief.look(SELDON, "risk")["through"]
        time.sleep(1)
        assert driver.belief.look(SELDON, "risk")["through"] == frozen
        fake.delete("model-04")
        fake.forbidden.clear()
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.open_gaps() == []
        [ended] = [gap for gap in driver.belief.of("scope.gap") if gap["to"]]
        assert ended["from"] == frozen and ended["to"] > frozen


def test_a_kind_that_is_not_installed_is_covered_and_found_later(fake, start):
    fake.absent.add("mlops.seldon.io")
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: [seen for seen in driver.belief.of("scope.watched")
                                   if seen["resource"] == "models.mlops.seldon.io"])
        absent = [seen["installed"] for seen in driver.belief.of("scope.watched")
                  if seen["resource"] == "models.mlops.seldon.io"]
        assert absent[0] is False
        assert driver.belief.look("models.mlops.seldon.io", "risk")
        fake.absent.clear()
        fake.create("now-there", plural="models")
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.of("scope.gap") == []


def test_an_uninstalled_kind_leaves_nothing_behind(fake, start):
    fake.create("goes-away", plural="models")
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        with fake.lock:  # as when it happens while nobody watches: no DELETED is ever sent
            fake.absent.add("mlops.seldon.io")
            fake.missing.add("models")
            del fake.objects["models", "risk", "goes-away"]
            fake.rv += 1
        fake.cut_watches()
        driver.wait_until(lambda: "models.mlops.seldon.io" in [
            gap["resource"] for gap in driver.belief.of("scope.gap")])
        fake.create("later")  # its resourceVersion is one of the whole cluster
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: not driver.belief.open_gaps())


@pytest.mark.parametrize("chunk", [None, (7, 0)], ids=["", "slow"])
def test_compressed_lists(fake, start, chunk):
    fake.gzip_lists, fake.chunk = True, chunk
    with start(page=500) as driver:
        driver.wait_for_inventory(fake.truth)


def test_slow_chunks_cut_anywhere(fake, start):
    fake.chunk = (100, 0.001)
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        harm(fake)
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.of("input.rejected") == []


@pytest.mark.parametrize("gzip", [False, True], ids=["", "gzip"])
def test_more_than_the_queue_holds(fake, start, gzip):
    """Transfers are paused while the outbox is behind, and go on at once when it is not."""
    fake.gzip_lists, fake.bookmarks = gzip, False
    for number in range(500):
        fake.create(f"large-{number}", predictors=[{"name": "p", "graph": {"name": "g"}}],
                    pad="x" * 30000)
    with start(page=1000, look_again_ms=60000, watched_ms=60000, watch_s=600) as driver:
        driver.wait_for_inventory(fake.truth, timeout=40)
        fake.hold()
        for number in range(100):
            fake.update(f"large-{number}")
        fake.release()
        driver.wait_for_inventory(fake.truth)


def test_a_listing_in_uid_ranges(fake, start):
    with start(listing_uids=5, relist_ms=500) as driver:
        def listed():
            return [one for one in driver.belief.of("scope.listed") if one["resource"] == SELDON]

        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: len(listed()) >= 3)
        ranges = listed()
        assert [len(one["members"]) for one in ranges[:3]] == [5, 5, 2]
        assert ranges[0]["uid_from"] is None and ranges[2]["uid_to"] is None
        uids = [uid for one in ranges[:3] for uid in one["members"]]
        assert uids == sorted(fake.truth())
        for left, right in zip(ranges[:2], ranges[1:3]):  # no uid lies between two ranges
            low, high = (int(uid.replace("-", ""), 16)
                         for uid in (left["uid_to"], right["uid_from"]))
            assert high - low == 1
        fake.cut_watches()
        harm(fake)
        driver.wait_for_inventory(fake.truth)


def test_the_reconcile_finds_what_the_watch_missed(fake, start):
    with start(relist_ms=700) as driver:
        driver.wait_for_inventory(fake.truth)
        with fake.lock:  # etcd has had such bugs: no event is ever sent
            for entry in [("seldondeployments", "risk", "model-07")]:
                del fake.objects[entry]
            fake.rv += 1
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.of("scope.gap") == []


def test_unchanged_objects_are_sent_once(fake, start):
    with start(relist_ms=300) as driver:
        driver.wait_for_inventory(fake.truth)
        lists = fake.count("list")
        driver.wait_until(lambda: fake.count("list") > lists + 40)
        assert len(driver.belief.of("workload.observed")) == len(fake.truth())


def test_a_restart_resumes_where_it_ended(fake, start, tmp_path):
    state = tmp_path / "state"
    with start(state=state) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: len(driver.belief.looks) == len(MODEL_KINDS))
    harm(fake)
    lists = fake.count("list")
    with start(state=state) as again:
        again.wait_until(lambda: len(again.belief.of("workload.observed")) >= 5)
        seen = {(event["name"], event["removed"])
                for event in again.belief.of("workload.observed")}
        assert seen == {("model-01", False), ("model-02", True), ("model-03", True),
                        ("model-03", False), ("new-one", False)}
        assert fake.count("list") == lists
        assert again.belief.of("scope.gap") == []


def test_a_restart_behind_compacted_history_says_the_gap(fake, start, tmp_path):
    state = tmp_path / "state"
    with start(state=state) as driver:
        driver.wait_for_inventory(fake.truth)
        through = driver.wait_for_look(SELDON, "risk")["through"]
        earlier = list(driver.belief.events)
    harm(fake)
    fake.compact()
    with start(state=state) as again:
        again.belief.events[:0] = earlier
        again.wait_for_inventory(fake.truth)

        def gaps():
            return [gap for gap in again.belief.of("scope.gap") if gap["resource"] == SELDON]

        # The belief may be right before the gap of this kind is told, and then its new look.
        again.wait_until(gaps, what="a gap")
        assert gaps()[0]["from"] >= through and gaps()[0]["to"] > gaps()[0]["from"]
        again.wait_until(lambda: again.belief.look(SELDON, "risk")["watched_since"] == gaps()[0]["to"], what="a look since the gap")


def test_a_restored_cluster_is_covered_again_when_all_is_in_order(fake, start):
    before = fake.snapshot()
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        for _ in range(3):
            fake.update("model-01")
        driver.wait_for_inventory(fake.truth)
        fake.hold()
        fake.restore(before)
        fake.release()
        driver.wait_until(lambda: SELDON in [gap["resource"] for gap in driver.belief.open_gaps()])
        frozen = driver.belief.look(SELDON, "risk")["through"]
        for number in range(5):
            fake.update(f"model-{number + 2:02}")
        time.sleep(2)  # model-01 still stands at an older resourceVersion than the known one
        assert driver.belief.look(SELDON, "risk")["through"] == frozen
        fake.update("model-01")
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: not driver.belief.open_gaps())
        assert driver.belief.look(SELDON, "risk")["watched_since"] > frozen


def test_through_moves_while_nothing_happens(fake, start):
    with start() as driver:
        driver.wait_for_inventory(fake.truth)
        before = driver.wait_for_look(SELDON, "risk")["through"]
        driver.wait_until(lambda: driver.belief.look(SELDON, "risk")["through"] > before)
        driver.wait_until(lambda: len([seen for seen in driver.belief.of("scope.watched")
                                       if seen["resource"] == SELDON]) >= 3)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy-elsewhere"])
def test_through_moves_without_bookmarks(fake, start, busy):
    """Real servers send none while a kind is quiet: whether that is silence or deafness is asked."""
    fake.bookmarks = False
    with start(watch_s=60) as driver:
        driver.wait_for_inventory(fake.truth)
        before = driver.wait_for_look(SELDON, "risk")["through"]
        for _ in range(3):
            if busy:
                fake.create(f"{time.monotonic()}", namespace="elsewhere", plural="models")
            driver.wait_until(lambda: driver.belief.look(SELDON, "risk")["through"] > before)
            before = driver.belief.look(SELDON, "risk")["through"]
        assert driver.belief.of("scope.gap") == []


def test_a_large_quiet_scope_is_not_listed_for_a_proof(fake, start):
    fake.bookmarks, fake.bookmarks_after_selection = False, True
    with start(watch_s=600, page=2) as driver:
        driver.wait_for_inventory(fake.truth)
        before = driver.wait_for_look(SELDON, "risk")["through"]
        driver.wait_until(lambda: len(driver.belief.looks) == len(MODEL_KINDS))

        def lists():
            return [path for _, verb, path, _ in fake.requests
                    if verb == "list" and "seldondeployments" in path]

        earlier = len(lists())
        fake.create("model", namespace="elsewhere", plural="models")  # the server moves on
        driver.wait_until(lambda: driver.belief.look(SELDON, "risk")["through"] > before)
        assert len(lists()) == earlier


def test_a_watch_that_outlives_its_timeout_is_abandoned(fake, start):
    with start(watch_s=2, grace_ms=300, look_again_ms=60000) as driver:  # nothing is probed
        driver.wait_for_inventory(fake.truth)
        driver.wait_for_look(SELDON, "risk")
        fake.go_silent()
        time.sleep(fake.bookmark_every * 2)
        harm(fake)
        fake.speak()
        driver.wait_for_inventory(fake.truth, timeout=10)


def test_a_deaf_watch_is_found_out(fake, start):
    fake.bookmarks = False
    with start(watch_s=600) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_for_look(SELDON, "risk")
        fake.go_silent()
        harm(fake)
        driver.wait_for_inventory(fake.truth)


def test_nothing_is_asked_outside_of_the_namespaces(fake, start):
    fake.create("elsewhere", namespace="other")
    with start("risk") as driver:
        driver.wait_until(lambda: len(driver.belief.inventory()) == 12)
        harm(fake)
        driver.wait_until(lambda: driver.belief.of("workload.observed")[-1]["name"] == "new-one")
        assert {seen["namespace"] for seen in driver.belief.of("workload.observed")} == {"risk"}
        for _, verb, path, _ in fake.requests:
            assert verb == "discover" or "/namespaces/risk" in path, path


def test_insecure_and_exec_are_refused(tmp_path):
    def attempt(cluster, user):
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps({
            "current-context": "c", "contexts": [
                {"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"} | cluster}],
            "users": [{"name": "u", "user": user}]}))
        done = subprocess.run([driver_path(), f"--kubeconfig={path}"], capture_output=True,
                              text=True, timeout=20)
        assert done.returncode == 1
        return done.stderr

    assert "insecure-skip-tls-verify" in attempt({"insecure-skip-tls-verify": True}, {})
    assert "'exec' credentials are not supported" in attempt({}, {"exec": {"command": "aws"}})


UNUSABLE = "an object could not be used"


def unusable_gaps(driver) -> list[dict]:
    return [gap for gap in driver.belief.open_gaps() if gap["reason"] == UNUSABLE]


def test_an_unusable_object_uncovers_its_scope_until_a_list_is_all_right(fake, start):
    with start(relist_ms=1000) as driver:
        driver.wait_for_inventory(fake.truth)
        fake.poison("model-06")
        driver.wait_until(lambda: unusable_gaps(driver), what="the list finds it")
        [gap] = unusable_gaps(driver)
        assert (gap["resource"], gap["namespace"], gap["aspect"]) == (SELDON, "risk", "state")
        # The others go on, and the next lists say nothing new.
        fake.update("model-05")
        rejected = len(driver.belief.of("input.rejected"))
        driver.wait_until(lambda: len(driver.belief.of("input.rejected")) > rejected + 1)
        assert unusable_gaps(driver) == [gap]
        fake.delete("model-06")
        driver.wait_until(lambda: not unusable_gaps(driver), what="it is gone")
        driver.wait_for_inventory(fake.truth)
        assert driver.belief.of("scope.gap")[-1]["to"] > gap["from"]


def test_an_unusable_object_of_the_watch_uncovers_at_once_and_across_a_restart(fake, start,
                                                                               tmp_path):
    state = tmp_path / "state"
    with start(state=state) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: len(driver.belief.looks) == len(MODEL_KINDS))
        covered = driver.belief.look(SELDON, "risk")["watched_since"]
        fake.send_raw("seldondeployments", {"type": "MODIFIED", "object": {
            "metadata": {"name": "odd", "namespace": "risk", "uid": "no-uuid",
                         "resourceVersion": str(fake.rv + 1)}}})
        driver.wait_until(lambda: unusable_gaps(driver), what="a gap")
        [gap] = unusable_gaps(driver)
        assert gap["from"] >= covered
        harm(fake)
        driver.wait_for_inventory(fake.truth)
    with start(state=state, relist_ms=500) as driver:
        driver.wait_until(lambda: [one for one in driver.belief.of("scope.gap")
                                   if one["from"] == gap["from"] and one["to"]], what="its end")


def test_a_first_list_with_an_unusable_object_covers_nothing(fake, start):
    fake.poison("model-06")
    with start() as driver:
        driver.wait_until(lambda: unusable_gaps(driver), what="a gap")
        driver.wait_until(lambda: driver.belief.look(SELDON, "risk"))
        [gap] = unusable_gaps(driver)
        assert gap["from"] == driver.belief.look(SELDON, "risk")["watched_since"]
