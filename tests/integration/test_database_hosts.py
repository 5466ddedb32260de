"""Several servers in one connection string: the first that suits is found, whatever the others do."""

import os
import socket
import subprocess
import time

import pytest
from support.build import build_folder, run
from support.process import free_port
from support.tcp_proxy import TcpProxy


@pytest.fixture(scope="module")
def schema(postgres):
    """A database with the schema, of this module's own."""
    database = postgres.create_database("hosts")
    done = run("modeltrail-store", "migrate", database=database)
    assert done.returncode == 0, done.stderr
    yield database
    database.drop()


@pytest.fixture
def silent():
    """A port whose connections are accepted by the kernel, and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def ask(database, hosts, env=None, **settings):
    """`modeltrail list clusters` with these (host, port) pairs; how long it took."""
    words = {"host": ",".join(host for host, _ in hosts), "port": ",".join(str(port) for _, port in hosts),
             "dbname": database.name, "user": "postgres"} | settings
    dsn = " ".join(f"{key}={value}" for key, value in words.items())
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    began = time.monotonic()
    done = run("modeltrail", "list", "clusters", "--dsn", dsn, env=clean | (env or {}))
    return done, time.monotonic() - began


def reached(done):
    # The database is empty: the answer is "no", but there is one.
    return done.returncode == 1 and "no cluster found" in done.stderr


def test_a_refused_host_is_passed_over(schema, postgres):
    done, took = ask(schema, [("127.0.0.1", free_port()), ("127.0.0.1", postgres.port)])
    assert reached(done), done.stderr
    assert took < 3


@pytest.mark.parametrize("silent_first", [True, False])
def test_a_silent_host_costs_its_share(schema, postgres, silent, silent_first):
    hosts = [("127.0.0.1", silent), ("127.0.0.1", postgres.port)]
    done, took = ask(schema, hosts if silent_first else hosts[::-1])
    assert reached(done), done.stderr
    # Half of the ten seconds that the program waits.
    assert 4.5 < took < 9 if silent_first else took < 3


def test_connect_timeout_bounds_each_host(schema, postgres, silent):
    done, took = ask(schema, [("127.0.0.1", silent)] * 2 + [("127.0.0.1", postgres.port)], connect_timeout=2)
    assert reached(done), done.stderr
    assert 3.9 < took < 7


def test_a_host_that_ends_the_connection_is_passed_over(schema, postgres):
    """libpq itself gives up when a server (a proxy before a dead one, say) takes the connection and drops it."""
    proxy = TcpProxy(postgres.port)
    proxy.refusing = True
    try:
        done, _ = ask(schema, [("127.0.0.1", proxy.port), ("127.0.0.1", postgres.port)])
    finally:
        proxy.close()
    assert reached(done), done.stderr


def test_all_hosts_are_named_when_none_answers(schema, silent):
    refused = free_port()
    done, took = ask(schema, [("127.0.0.1", silent), ("127.0.0.1", refused)], connect_timeout=2)
    assert done.returncode == 3 and took < 5
    assert f'server at "127.0.0.1" (127.0.0.1), port {silent} did not answer within 2000 ms' in done.stderr
    assert f"port {refused} failed" in done.stderr


def test_a_name_that_is_not_resolved_in_time_is_passed_over(schema, postgres):
    env = {"LD_PRELOAD": str(build_folder() / "shims" / "slow_resolver.so"),
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    hosts = [("db.slow", postgres.port), ("standby.test", postgres.port)]
    done, took = ask(schema, hosts, env, connect_timeout=2)
    assert reached(done), done.stderr
    assert 1.9 < took < 6
    done, took = ask(schema, hosts[:1], env, connect_timeout=2)
    assert done.returncode == 3 and took < 6
    assert 'cannot look up host "db.slow": no answer within 2000 ms' in done.stderr


def test_prefer_standby_takes_a_primary_when_there_is_no_standby(schema, postgres):
    hosts = [("127.0.0.1", postgres.port), ("127.0.0.1", free_port())]
    done, _ = ask(schema, hosts, target_session_attrs="prefer-standby")
    assert reached(done), done.stderr
    done, _ = ask(schema, hosts, target_session_attrs="standby")
    assert done.returncode == 3 and "is not for target_session_attrs=standby" in done.stderr
    done, _ = ask(schema, hosts, target_session_attrs="sometimes")
    assert done.returncode == 3 and "invalid target_session_attrs value" in done.stderr


def test_lists_that_do_not_fit_are_explained_by_libpq(schema, postgres):
    done, _ = ask(schema, [("127.0.0.1", postgres.port)] * 3, port="1,2")
    assert done.returncode == 3 and "could not match 2 port numbers to 3 hosts" in done.stderr


def test_a_service_file_may_name_the_hosts(schema, postgres, tmp_path):
    (tmp_path / "services").write_text(
        f"[audit]\nhost=127.0.0.1,127.0.0.1\nport={free_port()},{postgres.port}\ndbname={schema.name}\nuser=postgres\n")
    done = run("modeltrail", "list", "clusters", "--service", "audit",
               env={"PGSERVICEFILE": str(tmp_path / "services")})
    assert reached(done), done.stderr


@pytest.mark.parametrize("frozen", [False, True])
def test_a_large_statement_to_a_server_that_takes_nothing(postgres, frozen):
    """More than the sockets' buffers hold: sending must not wait longer than an answer may take."""
    proxy = TcpProxy(postgres.port)
    argv = [build_folder() / "drivers" / "driver_store_statement",
            f"host=127.0.0.1 port={proxy.port} user=postgres dbname=postgres", "3000", str(16 << 20)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout.readline() == "open\n"
            proxy.frozen = frozen
            said, _ = driver.communicate("\n", timeout=15)
            assert said == ("database did not answer in time\n" if frozen else "done\n")
        finally:
            driver.kill()
            proxy.close()
