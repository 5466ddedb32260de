"""Fixtures of every test: a private PostgreSQL, fresh databases, a real API server."""

import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import kube as kube_support  # noqa: E402
from support.postgres import Postgres  # noqa: E402

SHARED_PACKAGES = ("property",)  # its modules are one share: pytest sets a package up as a whole

_database_numbers = itertools.count(1)
_without_apiserver: list[str] = []
_needed_skips: list[str] = []


@pytest.fixture(scope="session")
def postgres():
    """A running private PostgreSQL cluster, shared by the session."""
    cluster = Postgres()
    try:
        yield cluster.start()
    finally:
        cluster.remove()


@pytest.fixture
def database(postgres):
    """A fresh, empty database of the session's cluster."""
    fresh = postgres.create_database(f"test_{next(_database_numbers)}")
    yield fresh
    fresh.drop()


@pytest.fixture(scope="session")
def kube_assets():
    """The folder with kube-apiserver and etcd; without one tests skip, and fail under CI."""
    try:
        return kube_support.find_assets()
    except kube_support.Unavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a real API server: {reason}", pytrace=False)
        _without_apiserver.append(str(reason))
        pytest.skip(f"no API server: {reason}")


@pytest.fixture
def new_cluster(kube_assets):
    """A factory of API servers of a test's own: new_cluster("c2", extra_flags=[...]) is running."""
    folder = Path(tempfile.mkdtemp(prefix="modeltrail-kube-"))
    clusters = []

    def start(name="c1", **options):
        clusters.append(kube_support.Cluster(kube_assets, folder / name, name, **options))
        return clusters[-1].start()

    yield start
    for cluster in clusters:
        cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kube(kube_assets):
    """A running API server with our kinds installed, shared by the session: cluster `c1`.

    Use namespaces of your own; for killing and restarting take `new_cluster`.
    """
    folder = Path(tempfile.mkdtemp(prefix="modeltrail-kube-"))
    cluster = kube_support.Cluster(kube_assets, folder)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def pytest_addoption(parser):
    parser.addoption("--share", metavar="FOLDER", help="run beside others that were given the same empty folder: each"
                     " test file is run by whoever comes to it first")


def pytest_collection_finish(session):
    """What there is to run, so that whoever started the runs can see that nothing was left out."""
    folder = session.config.getoption("--share")
    if folder:
        Path(folder, f"collected.{os.getpid()}").write_text("".join(f"{item.nodeid}\n" for item in session.items))


def _is_ours(folder: Path, item, _taken={}) -> bool:
    """Claims the item's file, once. The name of a claim can be made by one process only."""
    path = item.path.relative_to(Path(__file__).parent)
    share = path.parts[0] if path.parts[0] in SHARED_PACKAGES else str(path)
    if share not in _taken:
        try:
            (folder / f"claim.{share.replace('/', '.')}").touch(exist_ok=False)
            _taken[share] = True
        except FileExistsError:
            _taken[share] = False
    return _taken[share]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Passes over what another process has claimed: True says that it has been dealt with."""
    folder = item.config.getoption("--share")
    if not folder:
        return None
    if not _is_ours(Path(folder), item):
        return True
    with open(Path(folder, f"ran.{os.getpid()}"), "a") as ran:
        ran.write(f"{item.nodeid}\n")
    return None


def pytest_terminal_summary(terminalreporter):
    """A missing API server must not hide in a dot."""
    if _without_apiserver:
        terminalreporter.section("NOT TESTED: no API server", red=True, bold=True)
        terminalreporter.write_line(_without_apiserver[0])
    if _needed_skips:
        terminalreporter.section("FAILED: skipped under CI", red=True, bold=True)
        terminalreporter.write_line("\n".join(_needed_skips))


def pytest_sessionfinish(session, exitstatus):
    """Under CI a skip is a failure: it says that something is not there which CI should have. Only what a
    test itself calls optional may be missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])]
    needed = [reason for reason in skipped if "optional: " not in reason]
    if needed and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        _needed_skips.extend(needed)
