"""`modeltrail show` of changes and deployments: the chain link by link, and what differs from the reading before.

One workload: made by alice, patched by Argo CD for a commit of hers, changed again after generations that
nobody read, and deleted by the garbage collector for bob. Another one was found by a listing.
"""

import json

import pytest

from integration.test_cli import CORE2, HOSTILE, UIDS, Story, ago, apply, ask, items

ARGO = "system:serviceaccount:argocd:controller"
GC = "system:serviceaccount:kube-system:generic-garbage-collector"
OLD, NEW = "a" * 40, "b" * 40


def model(uri, **more):
    """A Model as the API server sends it; `more` goes into its spec."""
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
            "metadata": {"name": "fraud", "namespace": "risk-dev", "resourceVersion": uri, "managedFields": [uri]},
            "spec": {"storageUri": uri, "replicas": 9007199254740992} | more, "status": {"seen": uri}}


class ShowStory(Story):
    def reading(self, key, position, generation, obj, source="audit", removed=False, origin=None, at=None):
        data = {"cluster": "c1", "namespace": "risk-dev", "kind": "Model", "name": "fraud"}
        body = json.dumps({"specversion": "1.0", "data": data | ({"object": obj} if obj else {})})
        index = self.event("workload.observed", data, body=body, at=at)
        self.insert("state", cluster="c1", resource=CORE2, uid=UIDS[key], position=position, log_index=index,
                    at=at or ago(days=9), at_source=source, extractor=1, generation=generation,
                    removed=str(removed).lower(), detail={}, origin=origin)
        return index

    def asked(self, key, position, verb, principal, at, strength="exact", **more):
        """A request, credited with the position."""
        index = self.event(f"request.{'reviewed' if more.get('evidence') == 'admission' else 'audited'}",
                           {"cluster": "c1", "verb": verb, "kind": "Model", "name": "fraud"}, at=at)
        row = {"cluster": "c1", "audit_id": f"audit-{index}", "stage": "ResponseComplete", "verb": verb,
               "resource": CORE2, "kind": "Model", "namespace": "risk-dev", "name": "fraud", "uid": UIDS[key],
               "position": None if verb == "delete" or "stage" in more else position, "removes": "false", "code": 200,
               "dry_run": "false", "at": at, "principal": principal, "via": "audit_log", "evidence": "audit"}
        self.insert("request", log_index=index, **(row | more))
        if strength:
            self.insert("attribution", cluster="c1", resource=CORE2, uid=UIDS[key], position=position,
                        request_index=index, strength=strength)
        return index


def show_story():
    story = ShowStory()
    index = story.event("central.applied", {}, collector="_store")
    story.insert("central", log_index=index, applied_by="root", applied_at=ago(days=20), content={})
    for person, kind, principal in (("alice@corp.example", "human", "alice"), ("argocd", "gitops", ARGO),
                                    ("alice@corp.example", "human", "alice@users.example")):
        story.insert("person", log_index=index, person=person, kind=kind, principal=principal)
    story.statements.append(f"SELECT modeltrail.map_people(1::smallint, {index});")
    story.workload("fraud-dev", "risk-dev", "fraud")

    gitops = {"gitops": {"tool": "argocd", "kind": "Application", "application": "argocd/risk",
                         "evidence": "tracking_id"},
              "claims": {"ticket": "T-7", "requested_by": "carol"},
              "manager": {"name": "argocd-controller", "operation": "Update", "at": ago(days=5)}}
    made = story.reading("fraud-dev", 10, 1, model("s3://m/1"))
    patched = story.reading("fraud-dev", 20, 2, model("s3://m/2", replicas=9007199254740993), origin=gitops)
    later = story.reading("fraud-dev", 30, 5, model("s3://m/3"))
    large = story.reading("fraud-dev", 40, 6, None)
    gone = story.reading("fraud-dev", 50, 6, model("s3://m/3"), removed=True, origin=gitops)
    story.asked("fraud-dev", 10, "create", "alice", ago(days=9), code=201)
    story.asked("fraud-dev", 20, "patch", ARGO, ago(days=5), level="RequestResponse", user_agent="argocd/3")
    story.asked("fraud-dev", 20, "update", ARGO, ago(days=5), strength=None, evidence="admission",
                via="admission", stage="Review", code=None)
    story.asked("fraud-dev", 50, "delete", "bob", ago(days=1), strength="unique")
    story.asked("fraud-dev", 50, "delete", GC, ago(days=1), strength="executed")
    steps = (("deployed", 10, made, 9, None, "1"), ("upgraded", 20, patched, 5, "1", "2"),
             ("upgraded", 30, later, 4, "2", "3"), ("upgraded", 40, large, 3, "3", "4"), ("removed", 50, gone, 1, "4", None))
    for kind, position, event, days, before, after in steps:
        story.change("fraud-dev", kind, position, event, ago(days=days), "fraud", before, after)
    story.placement("fraud-dev", "fraud", "2", 20, patched, ago(days=5), ago(days=4), 30)

    for number, revision, days in ((0, OLD, 8), (1, NEW, 5)):
        index = story.event("gitops.observed", {"cluster": "c1"}, at=ago(days=days))
        story.insert("gitops_sync", log_index=index, ordinal=0, cluster="c1", tool="argocd", resource="applications.argoproj.io",
                     kind="Application", namespace="argocd", name="risk", uid=UIDS["gone"], position=index,
                     observed_at=ago(days=days), removed="false", part="sync", sync_id=str(number), revision=revision,
                     at=ago(days=days), started_at=ago(days=days), initiated_by="bob" if number else None, automated="false",
                     url="https://git.example/models", path="prod")
    for commit in (OLD, NEW):
        index = story.event("commit.declared", {"cluster": "c1"})
        story.insert("commit", log_index=index, cluster="c1", repository="https://git.example/models", branch="main",
                     commit_id=commit, parents=f"{{{OLD}}}" if commit == NEW else None, mainline="true", author_name="Alice", author_email="alice@users.example",
                     authored_at=ago(days=6), committer_name=HOSTILE, committer_email="x@example", committed_at=ago(days=6),
                     signature="none", subject="fraud 2", tickets="{T-7}", collector="eu-1")
        story.insert("commit_path", log_index=index, ordinal=0, cluster="c1", repository="https://git.example/models",
                     branch="main", commit_id=commit, path="prod/fraud.yaml", path_change="modified", rendered="true",
                     api_group="mlops.seldon.io", kind="Model", name="fraud", object_change="modified")

    story.workload("fraud-prod", "risk-prod", "fraud")
    manager = {"manager": {"name": "kubectl-edit", "operation": "Update", "at": ago(days=7)}}
    found = story.reading("fraud-prod", 12, 3, model("s3://m/1"), source="listing", origin=manager)
    story.change("fraud-prod", "deployed", 12, found, ago(days=7), "fraud", None, "1")
    story.reading("fraud-prod", 13, 3, model("s3://m/1") | {"status": {"seen": "more"}})
    same = story.reading("fraud-prod", 14, 4, model("s3://m/1") | {"status": {"seen": "most"}})
    story.change("fraud-prod", "reconfigured", 14, same, ago(days=6), "fraud", "1", "1")
    story.watch(ago(days=30), ago(), aspects=("state",))
    return story


@pytest.fixture(scope="module")
def shown(postgres):
    database = postgres.create_database("cli_show")
    apply(database, show_story())
    yield database
    database.drop()


def change_id(key, position):
    return f"c-{UIDS[key][-4:]}{position:012d}"


def page(database, key, position, *args, user="cli_auditor", **options):
    row, = items(database, "show", change_id(key, position), *args, user=user, **options)
    return row


def links(row):
    return [(link["step"], link["link"], link["person"], link["strength"], link["evidence"]) for link in row["chain"]]


def test_the_difference_is_told_by_path(shown):
    row = page(shown, "fraud-dev", 20)
    assert row["diff"] == [{"path": "spec.replicas", "from": 9007199254740992, "to": 9007199254740993},
                           {"path": "spec.storageUri", "from": "s3://m/1", "to": "s3://m/2"}]
    assert row["diff_left_out"] == ["metadata.managedFields", "metadata.resourceVersion", "status"]
    assert row["diff_note"] is None
    before, = items(shown, "show", row["diff_before"], user="cli_auditor")
    assert before["raw"]["data"]["object"]["spec"]["storageUri"] == "s3://m/1"
    text = ask(shown, "show", change_id("fraud-dev", 20), user="cli_auditor").stdout
    assert ("\ndiff\n  spec.replicas: 9007199254740992 -> 9007199254740993\n"
            "  spec.storageUri: \"s3://m/1\" -> \"s3://m/2\"\n") in text
    assert "\ndiff_left_out         metadata.managedFields, metadata.resourceVersion, status\n" in text


def test_all_of_it_when_asked(shown):
    row = page(shown, "fraud-dev", 20, "--full-diff")
    assert row["diff_left_out"] is None
    assert [item["path"] for item in row["diff"]] == [
        "metadata.managedFields[0]", "metadata.resourceVersion", "spec.replicas", "spec.storageUri", "status.seen"]


def test_a_deployment_is_compared_where_its_version_came(shown):
    deployment = next(row for row in items(shown, "show", f"d-{UIDS['fraud-dev'][-4:]}{20:012d}", user="cli_auditor"))
    change = page(shown, "fraud-dev", 20)
    assert deployment["diff"] == change["diff"] and deployment["chain"] == change["chain"]


def test_what_cannot_be_compared_says_why(shown):
    made = page(shown, "fraud-dev", 10)
    assert made["diff"] is None and made["diff_note"] == "the object was created: there was nothing before"
    found = page(shown, "fraud-prod", 12)
    assert found["diff"] is None and "the first reading that was collected" in found["diff_note"]
    large = page(shown, "fraud-dev", 40)
    assert large["diff"] is None and large["diff_note"] == f"not compared: event {large['event_id']} has no raw object"
    assert page(shown, "fraud-dev", 30)["diff_note"] == (
        "generations 3 to 4 were not read: several requests may have made the difference")
    same = page(shown, "fraud-prod", 14)
    assert same["diff"] == [] and same["diff_note"] == "no difference but in what was left out"


def test_readers_get_the_chain_without_the_difference(shown):
    done = ask(shown, "show", change_id("fraud-dev", 20), "-o", "json", code=4)
    row, = json.loads(done.stdout)["items"]
    assert "hint:" in done.stderr and "modeltrail_auditor" in done.stderr
    assert row["diff"] is None and row["diff_note"] == "not compared: raw objects are for auditors"
    assert row["diff_before"] and row["chain"] == page(shown, "fraud-dev", 20)["chain"]
    row = page(shown, "fraud-dev", 20, "--no-raw", user="cli_reader")
    assert row["diff_note"] == "not compared: --no-raw" and "raw" not in row


def test_the_chain_goes_to_the_commits_author(shown):
    row = page(shown, "fraud-dev", 20)
    assert links(row) == [
        (1, "object", None, "exact", "audit"), (2, "request", None, "exact", "audit"),
        (3, "person", "argocd", "stated", "principal"), (4, "application", None, "exact", "tracking_id"),
        (5, "sync", None, "unique", "argocd"), (6, "commit", None, "exact", "git"),
        (7, "person", "alice@corp.example", "stated", "principal"), (8, "claim", None, "claim", "annotation"),
        (9, "claim", None, "claim", "annotation"), (10, "end", None, None, None)]
    chain = {link["step"]: link for link in row["chain"]}
    assert chain[1]["subject"] == "c1/risk-dev/Model/fraud at position 20, generation 2"
    assert chain[1]["event_id"] == row["event_id"] and chain[2]["event_id"] == row["request_event_id"]
    assert chain[2]["subject"] == f"patch Model/fraud by {ARGO}, audit id {row['audit_id']}"
    assert "level RequestResponse; answered 200; argocd/3; reviewed as eu-1:" in chain[2]["note"]
    assert chain[5]["subject"] == f"revision {NEW}, before it {OLD}"
    assert "started by bob, as the tool says" in chain[5]["note"]
    assert chain[6]["subject"] == f"{NEW} prod/fraud.yaml of https://git.example/models"
    assert "signature none" in chain[6]["note"] and "ticket T-7" in chain[6]["note"]
    assert "no signature proves" in chain[7]["note"] and chain[7]["subject"] == "alice@users.example"
    assert [chain[8]["subject"], chain[9]["subject"]] == ["requested by carol", "ticket T-7"]
    assert chain[10]["note"] == "ends at the commit's author"
    assert row["deployed_by"] == "alice@corp.example"
    for link in row["chain"]:
        assert link["link"] == "end" or items(shown, "show", link["event_id"], "--no-raw")


def test_a_deletion_for_somebody_has_two_requests(shown):
    row = page(shown, "fraud-dev", 50)
    assert links(row) == [(1, "object", None, "exact", "audit"), (2, "request", None, "executed", "audit"),
                          (3, "request", None, "unique", "audit"), (4, "person", "bob", "verbatim", "none"),
                          (5, "end", None, None, None)]
    assert GC in row["chain"][1]["subject"] and " by bob," in row["chain"][2]["subject"]
    assert row["chain"][3]["event_id"] is None
    assert row["chain"][4]["note"] == "ends at the person who sent the request"


def test_without_a_request_the_tool_is_named(shown):
    row = page(shown, "fraud-prod", 12)
    assert links(row) == [(1, "object", None, "exact", "audit"), (2, "tool", None, "weak", "managed_fields"),
                          (3, "end", None, None, None)]
    assert row["chain"][1]["subject"] == "kubectl-edit Update"
    assert row["chain"][2]["note"] == "ends at the object: requests of then were not collected"


def test_the_page_shows_the_chain_as_a_table(shown):
    text = ask(shown, "show", change_id("fraud-dev", 20), user="cli_auditor").stdout
    table = text.split("\nchain\n")[1].split("\n\n")[0].splitlines()
    assert table[0].split() == ["STEP", "LINK", "SUBJECT", "PERSON", "AT", "STRENGTH", "EVIDENCE", "EVENT", "NOTE"]
    assert len(table) == 11 and table[10].split()[:2] == ["10", "end"]
    assert "\x1b" not in text and "\u202e" not in text and "\\u202e" in text
    assert ask(shown, "show", change_id("fraud-dev", 20), "--columns", "chain", "-o", "csv", user="cli_auditor").stdout
