"""The command line of modeltrail-store: what it refuses, and the code it ends with."""

import os

import pytest
from support.build import run


@pytest.mark.parametrize("args, words", [
    ([], "run needs a configuration; hint: --config FILE"),
    (["run"], "run needs a configuration; hint: --config FILE"),
    (["run", "--config", "/nonexistent"], "cannot open /nonexistent"),
    (["migrate", "--config", "/nonexistent"], "cannot open /nonexistent"),
    (["run", "now"], "run takes 0 arguments, not 1; hint: --help"),
    (["keygen"], "keygen takes 1 argument, not 0; hint: --help"),
    (["apply"], "apply takes 1 argument, not 0; hint: --help"),
    (["foo"], "unknown command 'foo'; hint: --help"),
    (["--nonsense"], "unknown option '--nonsense'; hint: --help"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_usage_errors_exit_2(args, words):
    done = run("modeltrail-store", *args)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr and done.stderr.count("hint:") <= 1


def test_a_configuration_that_cannot_be_used_exits_2(tmp_path):
    config = tmp_path / "store.yaml"
    config.write_text("listen: tcp://127.0.0.1:1\nlisten_to: nobody\n")
    done = run("modeltrail-store", "run", "--config", config)
    assert done.returncode == 2 and "listen_to" in done.stderr


def test_a_configuration_that_is_read_again_is_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "store.yaml")
    done = run("modeltrail-store", "run", "--config", tmp_path / "store.yaml", timeout=10)
    assert done.returncode == 2 and "is a pipe; hint: name a regular file" in done.stderr


def test_a_central_file_may_come_through_a_pipe(database):
    assert run("modeltrail-store", "migrate", database=database).returncode == 0
    text = "people: [{person: alice, principals: [alice]}]\n"
    done = run("modeltrail-store", "apply", "/dev/stdin", database=database, input=text)
    assert done.returncode == 0, done.stderr
    assert database.psql("SELECT person FROM modeltrail_v1.people") == [("alice",)]


def test_a_central_file_that_is_a_pipe_of_nobody_is_empty(tmp_path, database):
    assert run("modeltrail-store", "migrate", database=database).returncode == 0
    os.mkfifo(tmp_path / "modeltrail.yaml")
    done = run("modeltrail-store", "apply", tmp_path / "modeltrail.yaml", database=database, timeout=10)
    assert done.returncode == 1 and "is empty" in done.stderr


def test_a_database_that_is_not_there_is_a_failure():
    done = run("modeltrail-store", "migrate", "--database", "host=/nonexistent")
    assert done.returncode == 1
