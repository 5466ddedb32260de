"""The git source as a process, on repositories that the tests make, against a store that keeps what it gets."""

import random
import signal
import subprocess
import time

import pytest
from support.collector import Collector
from support.fake_store import FakeStore
from support.git import Repository, manifest
from support.process import free_port


@pytest.fixture
def store():
    store = FakeStore(free_port()).start()
    yield store
    store.stop()


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def new_collector(tmp_path, store):
    made = []

    def make(url, **options):
        source = {"git": {"url": str(url), "poll_s": 1} | options}
        made.append(Collector(tmp_path, store, [source]))
        return made[-1]

    yield make
    for collector in made:
        if collector.daemon:
            collector.daemon.end(signal.SIGKILL)


def once(collector):
    done = collector.once(timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def commits(store) -> list[dict]:
    return store.of_type("commit.declared")


def ids(store) -> list[str]:
    return [commit["commit"] for commit in commits(store)]


def objects(commit) -> list[tuple]:
    return sorted((path["path"], item["kind"], item["namespace"], item["name"], item["change"])
                  for path in commit["paths"] for item in path["objects"])


def test_a_commit_says_who_when_why_and_what(repository, store, new_collector):
    first = repository.commit("Deploy fraud-scorer\n\nAs agreed.\n\nTicket: RISK-1\nticket: RISK-2\n"
                              "Approved-by: Carol <carol@example.com>\nCo-authored-by: Bob <bob@example.com>\n",
                              {"prod/fraud.yaml": manifest("fraud", "s3://m/1") + "---\n" + manifest("other", "s3://o/1")})
    second = repository.commit("Raise fraud to 2", {
        "prod/fraud.yaml": "# why\n" + manifest("fraud", "s3://m/2") + "---\n" + manifest("other", "s3://o/1"),
        "README.md": "hello", "chart/templates/x.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: '{{ .Name }}'}\n"},
        author="Bob <BOB@Example.com>")
    third = repository.commit("Away", {}, remove=["prod/fraud.yaml"])
    once(new_collector(repository.folder))
    store.check()
    one, two, three = commits(store)
    assert [one["commit"], two["commit"], three["commit"]] == [first, second, third]
    assert (one["cluster"], one["repository"], one["branch"]) == ("c1", str(repository.folder), "main")
    assert (one["parents"], two["parents"]) == ([], [first])
    assert one["author"] == {"name": "Alice Example", "email": "alice@example.com", "at": "2026-01-01T00:01:00Z"}
    assert two["author"]["email"] == two["committer"]["email"] == "BOB@Example.com"
    assert one["subject"] == "Deploy fraud-scorer"
    assert one["trailers"] == {"ticket": ["RISK-1", "RISK-2"], "approved_by": ["Carol <carol@example.com>"],
                               "co_authored_by": ["Bob <bob@example.com>"], "signed_off_by": []}
    assert (one["signature"], one["signer"], one["mainline"], one["brought"]) == ("none", None, True, [])
    assert objects(one) == [("prod/fraud.yaml", "SeldonDeployment", "risk-prod", name, "added")
                            for name in ("fraud", "other")]
    # The other document of the file stayed as it was.
    assert objects(two) == [("prod/fraud.yaml", "SeldonDeployment", "risk-prod", "fraud", "modified")]
    assert {path["path"]: (path["change"], path["rendered"]) for path in two["paths"]} == {
        "prod/fraud.yaml": ("modified", True), "README.md": ("added", False), "chart/templates/x.yaml": ("added", False)}
    assert [item[-1] for item in objects(three)] == ["removed", "removed"]
    assert two["paths"][0]["objects"] == [] or two["paths"][-1]["objects"][0]["group"] == "machinelearning.seldon.io"


def test_follows_a_mirror_and_goes_on_where_it_was(tmp_path, repository, store, new_collector):
    told = [repository.commit(f"number {n}", {"a.yaml": manifest("a", f"s3://a/{n}")}) for n in range(3)]
    collector = new_collector(f"file://{repository.folder}").start()
    collector.wait(lambda: ids(store) == told)
    told.append(repository.commit("one more", {"a.yaml": manifest("a", "s3://a/last")}))
    collector.wait(lambda: ids(store) == told)
    assert collector.stop() == 0
    told.append(repository.commit("while away", {"b.yaml": manifest("b", "s3://b")}))
    collector.start()
    collector.wait(lambda: ids(store) == told)
    assert collector.stop() == 0
    store.check()
    assert commits(store)[0]["repository"] == f"file://{repository.folder}"


def test_merges_bring_commits_and_differ_from_their_first_parent(repository, store, new_collector):
    base = repository.commit("base", {"a.yaml": manifest("a", "s3://a/1")})
    repository.run("checkout", "-q", "-b", "side")
    side = [repository.commit(f"side {n}", {"b.yaml": manifest("b", f"s3://b/{n}")}) for n in range(2)]
    repository.run("checkout", "-q", "main")
    main = repository.commit("main", {"c.yaml": manifest("c", "s3://c/1")})
    merge = repository.merge("side", "Merge side")
    once(new_collector(repository.folder))
    told = {commit["commit"]: commit for commit in commits(store)}
    assert set(told) == {base, *side, main, merge}
    assert ids(store)[-1] == merge and ids(store).index(side[0]) < ids(store).index(side[1])
    assert [name for name, commit in told.items() if commit["mainline"]] == [base, main, merge]
    assert told[merge]["brought"] == side and told[merge]["parents"] == [main, side[1]]
    assert objects(told[merge]) == [("b.yaml", "SeldonDeployment", "risk-prod", "b", "added")]
    assert all(told[name]["brought"] == [] for name in (base, main, *side))


@pytest.mark.parametrize("is_mirror", [False, True])
def test_rewritten_history_is_said_and_read_from_where_it_parts(repository, store, new_collector, is_mirror):
    base = repository.commit("base", {"a.yaml": manifest("a", "s3://a/1")})
    old = repository.commit("old", {"a.yaml": manifest("a", "s3://a/2")})
    collector = new_collector(f"file://{repository.folder}" if is_mirror else repository.folder).start()
    collector.wait(lambda: ids(store) == [base, old])
    repository.run("reset", "-q", "--hard", base)
    new = [repository.commit(f"new {n}", {"a.yaml": manifest("a", f"s3://a/new-{n}")}) for n in range(2)]
    collector.wait(lambda: ids(store) == [base, old, *new])
    assert [commit["rewrote"] for commit in commits(store)] == [None, None, old, old]
    assert collector.says("git history was rewritten")
    repository.run("reset", "-q", "--hard", base)  # back: nothing new
    time.sleep(2.5)
    last = repository.commit("last", {"z.yaml": manifest("z", "s3://z")})
    collector.wait(lambda: ids(store) == [base, old, *new, last])
    assert collector.stop() == 0
    store.check()


def test_folders_say_which_paths_count(repository, store, new_collector):
    repository.commit("all", {"overlays/prod/a.yaml": manifest("a", "s3://a"), "overlays/dev/a.yaml": manifest("a", "s3://a"),
                              "overlays/production.yaml": manifest("x", "s3://x")})
    once(new_collector(repository.folder, folders={"prod": "overlays/prod", "dev": "overlays/dev"}))
    [commit] = commits(store)
    assert {path["path"]: path["folder"] for path in commit["paths"]} == {
        "overlays/prod/a.yaml": "prod", "overlays/dev/a.yaml": "dev"}
    assert commit["paths_outside"] == 1


def moves(commit) -> list[tuple]:
    return sorted((path["path"], item["name"], item["change"], item.get("from"), item.get("to"))
                  for path in commit["paths"] for item in path["objects"])


def test_a_moved_object_is_not_touched(repository, store, new_collector):
    """Whoever renames, splits or joins files changed nothing that the cluster gets, unless it says something else."""
    one, two = manifest("one", "s3://one/1"), manifest("two", "s3://two/1")
    repository.commit("both in one file", {"prod/all.yaml": one + "---\n" + two, "dev/all.yaml": one})
    repository.run("mv", "prod/all.yaml", "prod/models.yaml")
    repository.commit("renamed")
    repository.commit("split, and two raised", {"prod/one.yaml": "# alone\n" + one, "prod/two.yaml": manifest("two", "s3://two/2")},
                      remove=["prod/models.yaml"])
    repository.run("mv", "prod/one.yaml", "dev/one.yaml")
    repository.commit("to another folder")
    repository.commit("copied", {"prod/one.yaml": one})
    repository.commit("away", remove=["prod/one.yaml"])
    once(new_collector(repository.folder))
    store.check()
    _, renamed, split, elsewhere, copied, away = commits(store)
    assert moves(renamed) == [("prod/all.yaml", name, "moved", None, "prod/models.yaml") for name in ("one", "two")] + [
        ("prod/models.yaml", name, "moved", "prod/all.yaml", None) for name in ("one", "two")]
    assert moves(split) == [("prod/models.yaml", name, "moved", None, f"prod/{name}.yaml") for name in ("one", "two")] + [
                            ("prod/one.yaml", "one", "moved", "prod/models.yaml", None),
                            ("prod/two.yaml", "two", "modified", "prod/models.yaml", None)]
    assert moves(elsewhere) == [("dev/one.yaml", "one", "moved", "prod/one.yaml", None),
                                ("prod/one.yaml", "one", "moved", None, "dev/one.yaml")]
    assert moves(copied) == [("prod/one.yaml", "one", "added", None, None)]
    assert moves(away) == [("prod/one.yaml", "one", "removed", None, None)]


def test_a_wide_move_is_a_move_though_not_all_fits(repository, store, new_collector):
    """Three thousand objects are more than an event tells: those that it tells are moved all the same."""
    files = {f"old/{n:04}.yaml": "---\n".join(manifest(f"m{n}-{part}", "s3://m") for part in range(3)) for n in range(1000)}
    repository.commit("base", files)
    repository.run("mv", "old", "new")
    repository.commit("renamed")
    once(new_collector(repository.folder))
    _, renamed = commits(store)
    told = [item["change"] for path in renamed["paths"] for item in path["objects"]]
    assert set(told) == {"moved"} and len(told) + renamed["objects_omitted"] >= 3000 and renamed["objects_omitted"] > 0


def test_signatures_are_good_only_with_a_trust_root(tmp_path, repository, store, new_collector):
    for name in ("alice", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    signers = tmp_path / "signers"
    signers.write_text("alice@example.com " + (tmp_path / "alice.pub").read_text())

    def signed(name):
        return ["-c", "gpg.format=ssh", "-c", f"user.signingkey={tmp_path / name}"]

    plain = repository.commit("plain", {"a": "1"})
    good = repository.commit("good", {"a": "2"}, sign=signed("alice"))
    unknown = repository.commit("unknown", {"a": "3"}, sign=signed("mallory"))
    raw = repository.run("cat-file", "commit", good).replace(b"\n\ngood", b"\n\nbad")
    bad = repository.run("hash-object", "-t", "commit", "-w", "--stdin", data=raw).decode().strip()
    once(new_collector(repository.folder))
    assert [commit["signature"] for commit in commits(store)] == ["none", "unverified", "unverified"]
    repository.run("branch", "signed", unknown)
    repository.run("branch", "spoilt", bad)
    collector = new_collector(repository.folder, branch="signed", allowed_signers=str(signers))
    once(collector)
    assert [(commit["commit"], commit["signature"], commit["signer"]) for commit in commits(store)[3:]] == [
        (plain, "none", None), (good, "good", "alice@example.com"), (unknown, "unknown_key", None)]
    once(new_collector(repository.folder, branch="spoilt", allowed_signers=str(signers)))
    assert [commit["signature"] for commit in commits(store)[6:]] == ["none", "bad"]


def test_hostile_names_stay_what_they_are(repository, store, new_collector):
    repository.commit("fine", {"a.yaml": manifest("a", "s3://a")})
    odd = [b"new\nline.yaml", b'quo"te\\.yaml', b"invalid-\xff\xfe.yaml", b":100644 x", b"\x01commit", b"-option.yaml",
           "ü‮gnp.yaml".encode()]
    repository.commit("odd paths\x01\x02 and token=hunter2secret https://u:p4ss@h/x?y=z",
                      {path: manifest("odd", "s3://x") for path in odd})
    tree = repository.head("HEAD^{tree}")
    raw = (f"tree {tree}\nparent {repository.head()}\n".encode() +
           b"author Mal\xff\xfe \x1b[31m <mal@x\x07ory\xe2\x80\xae> 99999999999999 +0000\n"
           b"committer <> 1767225600 +0000\n\nsub\xffject\n\nTicket: \xff\x1b]0;x\nTicket: " + b"x" * 100000 + b"\n")
    hostile = repository.run("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=raw).decode().strip()
    repository.run("update-ref", "refs/heads/main", hostile)
    once(new_collector(repository.folder))
    store.check()
    _, paths, last = commits(store)
    assert len(paths["paths"]) == len(odd)
    assert sum(len(path["objects"]) for path in paths["paths"]) == 5
    assert "hunter2" not in paths["subject"] and "p4ss" not in paths["subject"] and "y=z" not in paths["subject"]
    for text in [last["subject"], last["author"]["name"], last["author"]["email"], *[path["path"] for path in paths["paths"]], *last["trailers"]["ticket"]]:
        assert not any(ord(character) < 32 or character == "‮" for character in text), text
    assert last["commit"] == hostile and last["paths"] == []
    assert last["author"]["at"] is None and last["committer"]["name"] is None
    assert last["trailers"]["ticket"][0].startswith("\\xff") and len(last["trailers"]["ticket"][1]) <= 500


def test_a_repository_cannot_run_programs_here(tmp_path, repository, store, new_collector):
    """Neither its configuration nor its attributes, hooks, replaced objects or grafts count."""
    proof = tmp_path / "proof"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {proof}\ncat\n")
    script.chmod(0o755)
    told = [repository.commit("one", {"a.yaml": manifest("a", "s3://a/1"), ".gitattributes": "* diff=evil filter=evil\n",
                                      ".mailmap": "Mallory <m@x> Alice Example <alice@example.com>\n"}),
            repository.commit("two", {"a.yaml": manifest("a", "s3://a/2")})]
    other = repository.run("commit-tree", "-m", "forged", "HEAD^{tree}").decode().strip()
    repository.run("replace", told[0], other)
    for key in ("core.fsmonitor", "core.sshCommand", "diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.smudge",
                "gpg.program", "gpg.ssh.program", "core.pager", "core.alternateRefsCommand", "core.editor", "uploadpack.packObjectsHook"):
        repository.run("config", key, str(script))
    repository.run("config", "log.mailmap", "true")
    repository.run("config", "log.showSignature", "true")
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"):
        path = repository.folder / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(script.read_text())
        path.chmod(0o755)
    proof.unlink(missing_ok=True)
    grafts = repository.folder / ".git/info/grafts"
    grafts.write_text(f"{told[1]}\n")  # it has no parent any more
    once(new_collector(repository.folder))
    grafts.unlink()  # a server that has them hands out what is no history, and git refuses to fetch it
    once(new_collector(f"file://{repository.folder}"))
    assert not proof.exists()
    assert ids(store) == told * 2
    assert [commit["parents"] for commit in commits(store)] == [[], told[:1]] * 2
    assert {commit["author"]["name"] for commit in commits(store)} == {"Alice Example"}


@pytest.mark.parametrize("options, words", [
    ({"url": "-oProxyCommand=x"}, "not usable"), ({"url": "ext::sh -c x"}, "not usable"), ({"url": "https://-x/y"}, "not usable"),
    ({"url": "ssh://-oProxyCommand=x/y"}, "not usable"), ({"url": "git@-x:y"}, "not usable"), ({"url": "relative/path"}, "not usable"),
    ({"url": "https://u:secret@h/x"}, "no password"), ({"url": "https://h/a b"}, "not usable"), ({"branch": "--upload-pack=x"}, "no name"),
    ({"branch": "a..b"}, "no name"), ({"branch": ""}, "no name"), ({"ssh_key": "/k -oProxyCommand=x"}, "hint"), ({"since": "x"}, "since"),
    ({"credentials": "/c;touch x"}, "hint"), ({"folders": {"p": "/abs"}}, "not usable"), ({"poll_s": 0}, "poll_s"), ({"nonsense": 1}, "unknown key"),
    ({"url": "/nowhere/at/all"}, "cannot be found"),
])
def test_options_that_cannot_be_used_are_refused(repository, new_collector, options, words):
    done = new_collector(**({"url": repository.folder} | options)).once()
    assert done.returncode != 0 and words in done.stderr, done.stderr
    assert "secret" not in done.stderr.replace("no password", "") or options.get("url") != "https://u:secret@h/x"


def test_trouble_is_said_once_and_passes(tmp_path, store, new_collector):
    collector = new_collector(f"file://{tmp_path}/models").start()
    collector.wait(lambda: collector.says("git repository cannot be read"))
    repository = Repository(tmp_path / "models")
    told = [repository.commit("at last", {"a.yaml": manifest("a", "s3://a")})]
    collector.wait(lambda: ids(store) == told, timeout=30)
    assert collector.stop() == 0
    assert collector.log.read_text().count("cannot be read") <= 2


def test_a_spoilt_mirror_is_made_anew(tmp_path, repository, store, new_collector):
    told = [repository.commit("one", {"a.yaml": manifest("a", "s3://a/1")})]
    collector = new_collector(f"file://{repository.folder}")
    once(collector)
    [mirror] = tmp_path.glob("*.git")
    (mirror / "refs" / "heads" / "main.lock").write_text("")  # as a killed git leaves it
    told.append(repository.commit("two", {"a.yaml": manifest("a", "s3://a/2")}))
    collector.start()
    collector.wait(lambda: ids(store) == told, timeout=40)
    assert collector.says("mirror is made anew")
    assert collector.stop() == 0


def resident_mb(pid) -> float:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def test_large_files_and_wide_commits_are_bounded(repository, store, new_collector):
    with open(repository.folder / "huge.yaml", "wb") as huge:
        for _ in range(100):
            huge.write(b"# " + b"x" * (1024 * 1024 - 3) + b"\n")
    repository.commit("a huge one", {"a.yaml": manifest("a", "s3://a/1")})
    repository.commit("many", {f"many/{n:05}-{'x' * 150}.yaml": manifest(f"m{n}", "s3://m") for n in range(5000)})
    last = repository.commit("last", {"a.yaml": manifest("a", "s3://a/2"), "huge.yaml": "apiVersion: v1\n"})
    collector = new_collector(repository.folder).start()
    collector.wait(lambda: len(ids(store)) == 3, timeout=120)
    memory = resident_mb(collector.daemon.pid)
    assert collector.stop() == 0
    store.check()
    huge, many, final = commits(store)
    assert {path["path"]: path["rendered"] for path in huge["paths"]} == {"a.yaml": True, "huge.yaml": False}
    assert len(many["paths"]) + many["paths_omitted"] == 5000 and len(many["paths"]) > 1000
    assert objects(final) == [("a.yaml", "SeldonDeployment", "risk-prod", "a", "modified")] and final["commit"] == last
    assert memory < 400, memory


def import_commits(repository, count: int) -> list[str]:
    """Made by fast-import, which is quick: each changes one of a hundred manifests."""
    stream = []
    for number in range(count):
        message = f"commit {number}\n\nTicket: T-{number}\n"
        text = manifest(f"m{number % 100}", f"s3://m/{number}")
        stream.append(f"commit refs/heads/main\nmark :{number + 1}\nauthor A{number % 7} <a{number % 7}@x> {1767225600 + number} +0000\n"
                      f"committer C <c@x> {1767225600 + number} +0000\ndata {len(message)}\n{message}"
                      + f"M 100644 inline apps/m{number % 100}.yaml\ndata {len(text)}\n{text}\n")
    repository.run("fast-import", "--quiet", data="".join(stream).encode())
    return repository.run("rev-list", "--reverse", "main").decode().split()


def test_twenty_thousand_commits_in_time_and_bounds(repository, store, new_collector):
    told = import_commits(repository, 20000)
    collector = new_collector(repository.folder).start()
    began = time.monotonic()
    collector.wait(lambda: len(store.of_type("commit.declared")) == 20000 if time.monotonic() - began > 5 else False, timeout=240)
    seconds = time.monotonic() - began
    memory = resident_mb(collector.daemon.pid)
    assert collector.stop() == 0
    assert ids(store) == told
    store.check()
    assert commits(store)[777]["trailers"]["ticket"] == ["T-777"] and commits(store)[777]["author"]["email"] == "a0@x"
    print(f"20,000 commits in {seconds:.0f} s, {memory:.0f} MB")
    assert memory < 300, memory


def test_a_batch_that_is_too_large_is_read_in_parts(repository, store, new_collector):
    """Forty commits that touch a thousand paths each are more than is held at once."""
    stream = []
    for number in range(40):
        stream.append(f"commit refs/heads/main\nmark :{number + 1}\ncommitter C <c@x> {1767225600 + number} +0000\ndata 2\nx\n")
        stream += [f"M 100644 inline d/{n:04}-{'y' * 150}.txt\ndata {len(str(number))}\n{number}\n" for n in range(1000)]
    repository.run("fast-import", "--quiet", data="".join(stream).encode())
    once(new_collector(repository.folder))
    store.check()
    assert ids(store) == repository.run("rev-list", "--reverse", "main").decode().split()
    assert {len(commit["paths"]) + commit["paths_omitted"] for commit in commits(store)} == {1000}
    assert all(commit["paths_omitted"] == 0 for commit in commits(store))


@pytest.mark.parametrize("is_mirror", [False, True])
def test_kill_loses_and_doubles_nothing(repository, store, new_collector, is_mirror):
    told = import_commits(repository, 3000)
    chance = random.Random(11)
    collector = new_collector(f"file://{repository.folder}" if is_mirror else repository.folder)
    for _ in range(12):
        collector.start()
        time.sleep(chance.random() * 1.2)
        collector.daemon.end(signal.SIGKILL)
    told.append(repository.commit("last", {"a.yaml": manifest("a", "s3://a/2")}))
    once(collector)
    store.check()
    assert ids(store) == told


def test_no_git_is_left_behind(tmp_path, repository, store, new_collector):
    """kill -9 of the collector ends the program that it runs."""
    import_commits(repository, 3000)
    collector = new_collector(repository.folder).start()
    collector.wait(lambda: len(ids(store)) > 0)
    collector.daemon.end(signal.SIGKILL)
    time.sleep(0.5)
    running = subprocess.run(["pgrep", "-f", f"git-dir={repository.folder}"], capture_output=True, text=True).stdout
    assert running == ""
