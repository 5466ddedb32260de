"""An API server that sends bytes as nobody should: what it costs us stays bounded and grows no faster than
what was sent, trouble is said, and what can be known is."""

import json
import statistics
import time
import uuid

import pytest

from support.fake_kube import FakeKube, endless, gzip_bomb
from support.hostile_scenarios import SELDON, harm, seed
from support.kube_client import MODEL_KINDS
from support.kubernetes_driver import KubernetesDriver

QUICK = {"watch_s": 3, "grace_ms": 500, "look_again_ms": 300, "watched_ms": 500, "page": 5}
# Nothing is done but what the bytes ask for.
QUIET = {"watch_s": 600, "look_again_ms": 600000, "watched_ms": 600000, "page": 100000}
MODELS = "models.mlops.seldon.io"
MIB = 1024 * 1024
LIST_HEAD = b'{"items": [{"metadata": {"name": "'
LINE_HEAD = b'{"type": "ADDED", "object": {"metadata": {"name": "'


@pytest.fixture
def fake():
    with FakeKube() as server:
        seed(server)
        yield server


@pytest.fixture
def start(fake, tmp_path, monkeypatch):
    # Freed memory that ASan keeps back is not what is measured.
    monkeypatch.setenv("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=1:quarantine_size_mb=1")
    kubeconfig = fake.write_kubeconfig(tmp_path / "kubeconfig")

    def run(**options):
        return KubernetesDriver(kubeconfig, "risk", log=tmp_path / "driver.log", **options)
    return run


def log_of(tmp_path) -> str:
    return (tmp_path / "driver.log").read_text(errors="replace")


def peak_bytes(driver) -> int:
    """The most memory that the process ever had."""
    with open(f"/proc/{driver.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    peak = int(line.split()[1]) * 1024
    print(f"at most {peak // MIB} MiB")
    return peak


def cpu_seconds(driver) -> float:
    """The processor time of all its threads: clock_getcpuclockid(3)."""
    return time.clock_gettime((~driver.pid << 3) | 2)


def rejected(driver) -> list[str]:
    return [one["reason"] for one in driver.belief.of("input.rejected")]


def others_go_on(fake, driver) -> None:
    harm(fake)
    driver.wait_for_inventory(fake.truth)


def test_one_byte_at_a_time(fake, start):
    fake.one_byte_chunks = True
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        harm(fake)
        driver.wait_for_inventory(fake.truth)
        assert rejected(driver) == [] and driver.belief.of("scope.gap") == []


@pytest.mark.parametrize("one_byte", [False, True], ids=["", "one-byte-chunks"])
def test_objects_of_three_megabytes(fake, start, one_byte):
    """Larger than an event may be: what they say is sent, they themselves are named by their digest."""
    fake.one_byte_chunks = one_byte
    listed = fake.create("listed", pad="x" * 3 * MIB, predictors=[{"name": "p", "graph": {
        "name": "g", "modelUri": "s3://models/listed/1"}}])
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth, timeout=60)
        watched = fake.create("watched", pad="\u00e4" * MIB, predictors=[])
        driver.wait_for_inventory(fake.truth, timeout=60)
        seen = {one["uid"]: one for one in driver.belief.of("workload.observed")}
        for obj in (listed, watched):
            one = seen[obj["metadata"]["uid"]]
            assert "object" not in one and one["object_bytes"] > 2 * MIB
        assert seen[listed["metadata"]["uid"]]["placements"][0]["uri"] == "s3://models/listed/1"
        assert rejected(driver) == []


def test_an_object_of_nothing_but_numbers(fake, start):
    """What costs most memory for its bytes: a tree of four million numbers, one at a time."""
    spec = json.dumps({"predictors": [{"name": "p", "graph": {"name": "g", "modelUri": "s3://m/1"}}],
                       "pad": [0] * 4_000_000}, separators=(",", ":"))
    fake.replaced = {b'"NUMBERS"': spec.encode()}
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        fake.put({"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
                  "metadata": {"name": "numbers"}, "spec": "NUMBERS"})
        driver.wait_for_inventory(fake.truth, timeout=60)
        assert rejected(driver) == []
        assert peak_bytes(driver) < 640 * MIB


def test_a_gzip_bomb_in_a_list(fake, start, tmp_path):
    """256 MiB from a quarter of one: they pass through and are not kept."""
    bomb = gzip_bomb(256, LIST_HEAD, b'"}}], "metadata": {"resourceVersion": "1"}}')
    assert len(bomb()[1][0]) < MIB
    fake.hostile["list", "models"] = bomb
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth, timeout=60)
        driver.wait_until(lambda: "object is too long" in rejected(driver), 90)
        others_go_on(fake, driver)
        assert driver.belief.look(MODELS, "risk") is None or driver.belief.open_gaps()
        assert peak_bytes(driver) < 64 * MIB
        fake.hostile.clear()
        fake.create("late", plural="models")
        driver.wait_for_inventory(fake.truth, timeout=60)


def test_a_gzip_bomb_where_an_answer_is_kept_whole(fake, start, tmp_path):
    fake.hostile["discover", None] = gzip_bomb(64, b'{"versions": [{"version": "')
    with start(**QUICK) as driver:
        driver.wait_until(lambda: "answer is too long" in log_of(tmp_path))
        assert peak_bytes(driver) < 48 * MIB
        fake.hostile.clear()
        driver.wait_for_inventory(fake.truth)


def test_a_line_without_end(fake, start, tmp_path):
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        fake.hold()
        fake.hostile["watch", "models"] = endless(LINE_HEAD)
        fake.release()
        driver.wait_until(lambda: "watch line is too long" in rejected(driver), 60)
        others_go_on(fake, driver)
        assert MODELS in [gap["resource"] for gap in driver.belief.of("scope.gap")]
        assert "a watch line was too long" in log_of(tmp_path)
        assert peak_bytes(driver) < 64 * MIB
        fake.hostile.clear()
        fake.create("late", plural="models")
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: not driver.belief.open_gaps())


def test_an_item_without_end(fake, start, tmp_path):
    """Four kinds' lists never end, which is one more than may run at once."""
    troubled = ["experiments", "models", "pipelines", "servers"]
    for plural in troubled:
        fake.hostile["list", plural] = endless(LIST_HEAD, every=0.01)
    fake.create("served", plural="inferenceservices")
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_for_look("inferenceservices.serving.kserve.io", "risk")
        others_go_on(fake, driver)
        assert all(driver.belief.look(f"{plural}.mlops.seldon.io", "risk") is None
                   for plural in troubled)
        assert peak_bytes(driver) < 64 * MIB


def test_a_watch_that_drips(fake, start):
    """One byte now and then is no sign of life: the watch ends when its time is over."""
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        fake.hold()
        fake.hostile["watch", "seldondeployments"] = endless(LINE_HEAD, b"x", every=0.05)
        fake.release()
        time.sleep(1)
        through = driver.belief.look(SELDON, "risk")["through"]
        others = driver.belief.look(MODELS, "risk")["through"]
        driver.wait_until(lambda: driver.belief.look(MODELS, "risk")["through"] > others)
        assert driver.belief.look(SELDON, "risk")["through"] >= through
        harm(fake)  # which only a list can tell
        driver.wait_for_inventory(fake.truth)


@pytest.mark.slow
def test_lists_that_drip_are_given_up(fake, start, tmp_path):
    """A list that brings a few bytes each second is trouble after half a minute, and no other has to wait for it."""
    troubled = ["experiments", "models", "pipelines", "servers"]
    for plural in troubled:
        fake.hostile["list", plural] = endless(LIST_HEAD, b"x", every=0.1)
    fake.create("served", plural="inferenceservices")
    with start(**QUICK) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: all(f"resource={plural}.mlops.seldon.io" in log_of(tmp_path)
                                      for plural in troubled), 90, "trouble is said")
        assert "Operation too slow" in log_of(tmp_path)
        fake.hostile.clear()
        fake.create("late", plural="models")
        driver.wait_for_inventory(fake.truth, timeout=90)


def watched_line(bytes_wanted: int) -> tuple[str, dict]:
    uid = str(uuid.uuid4())
    return uid, {"type": "ADDED", "object": {
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
        "metadata": {"name": f"m-{uid}", "namespace": "risk", "uid": uid},
        "spec": {"pad": "x" * bytes_wanted}}}


def cost_of_line(fake, driver, size: int) -> float:
    """Seconds of processor time for one line of that many bytes, which comes in chunks of one."""
    uid, event = watched_line(size)
    event["object"]["metadata"]["resourceVersion"] = str(fake.rv + 1)
    before = cpu_seconds(driver)
    fake.send_raw("seldondeployments", event)
    driver.wait_until(lambda: driver.belief.events and any(
        one["uid"] == uid for one in driver.belief.of("workload.observed")), 120, f"{size} bytes")
    return cpu_seconds(driver) - before


def assert_linear(costs: list[float], sizes: list[int]) -> None:
    """Eight times the bytes may cost sixteen times as much; a quadratic reader would need 64 times."""
    told = ", ".join(f"{size}: {cost:.3f} s" for size, cost in zip(sizes, costs))
    print(told)
    assert costs[0] > 0.002, f"too little to measure: {told}"
    assert costs[-1] / costs[0] <= 16, told


def test_a_lines_cost_grows_with_its_length(fake, start):
    fake.bookmarks, fake.one_byte_chunks = False, True
    sizes = [900_000 * times for times in (1, 2, 4, 8)]
    with start(**QUIET) as driver:
        driver.wait_for_inventory(fake.truth)
        driver.wait_until(lambda: len(driver.belief.looks) == len(MODEL_KINDS))
        costs = [statistics.median(cost_of_line(fake, driver, size) for _ in range(3))
                 for size in sizes]
        assert peak_bytes(driver) < 96 * MIB
    assert_linear(costs, sizes)


def cost_of_list(fake, start, count: int) -> float:
    """Seconds of processor time from the start until that many objects were listed."""
    with fake.lock:
        fake.objects.clear()
    for number in range(count):
        fake.create(f"m-{number}", pad="x" * 300)
    with start(**QUIET) as driver:
        driver.wait_until(lambda: driver.belief.look(SELDON, "risk"), 120)
        driver.wait_until(lambda: len(driver.belief.looks) == len(MODEL_KINDS))
        assert len(driver.belief.of("workload.observed")) == count
        return cpu_seconds(driver)


def test_a_lists_cost_grows_with_its_items(fake, start):
    fake.bookmarks, fake.one_byte_chunks = False, True
    sizes = [250 * times for times in (1, 2, 4, 8)]
    nothing = cost_of_list(fake, start, 0)
    costs = [statistics.median(cost_of_list(fake, start, size) for _ in range(3)) - nothing
             for size in sizes]
    assert_linear(costs, sizes)
