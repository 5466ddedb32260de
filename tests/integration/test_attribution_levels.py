"""The same history at several levels of access to a real API server (docs/attribution.md): whom each level names, row by
row."""

import pytest
from integration import attribution_story as story
from integration import gitops_story

CHANGES = """
    SELECT c.namespace, c.workload, c.change_type, c.to_version, c.principal, c.attribution
    FROM modeltrail_v1.changes c
    JOIN (VALUES {order}) AS life (place, namespace, workload) USING (namespace, workload)
    WHERE c.cluster = '{level}'
    ORDER BY life.place, c.happened_at, c.to_version NULLS LAST"""
EVIDENCE = {"answers": "audit", "metadata": "audit", "both": "audit", "admission": "admission"}
pytestmark = pytest.mark.slow


@pytest.fixture
def system(telling):
    return telling.system


def changes(system, level):
    lives = [(f"{level}-{life[0].stage}", life[0].workload) for life in story.LIVES]
    order = ", ".join(f"({place}, '{namespace}', '{workload}')" for place, (namespace, workload) in enumerate(lives))
    return system.database.psql(CHANGES.format(order=order, level=level))


def differences(have, want):
    return [f"{h} is not {w}" for h, w in zip(have, want) if h != w] + [f"{len(have)} rows, not {len(want)}"] * (len(have) != len(want))


@pytest.mark.parametrize("level", EVIDENCE)
def test_everybody_is_named(system, level):
    """answers: RequestResponse. metadata: Metadata, with the policy. admission: no audit log can be read; the webhook sees
    who asks, the watch what came of it. both: what is reviewed and audited is one request."""
    assert len(story.STEPS) >= 60
    assert differences(changes(system, level), story.expected(level, "exact")) == []
    # Of what is of an application whose object nobody saw it is known that it is Argo CD's.
    rows = system.database.psql(f"SELECT DISTINCT applied_by = '{story.ARGOCD}', evidence, chain_end FROM modeltrail_v1.changes"
                                f" WHERE cluster = '{level}' AND namespace <> '{level}-gitops'")
    assert sorted(rows) == [("f", EVIDENCE[level], "request"), ("t", "argocd", "application")]


@pytest.mark.parametrize("level", EVIDENCE)
def test_a_claim_makes_no_person_of_a_service(system, level):
    """What the service account's manifests claim is told beside it."""
    columns = "deployed_by, deployed_by_kind, applied_by, requested_by, ticket, approved_by"
    of_ci = ("ci-deployer", "ci", story.CI, "carol@corp.example", "RISK-7", None)
    assert system.database.psql(f"SELECT DISTINCT {columns} FROM modeltrail_v1.changes"
                                f" WHERE principal = '{story.CI}' AND cluster = '{level}'") == [of_ci]
    assert system.database.psql("SELECT DISTINCT requested_by FROM modeltrail_v1.changes"
                                f" WHERE change_type = 'removed' AND cluster = '{level}'") == [(None,)]
    assert system.database.psql(f"SELECT {columns} FROM modeltrail_v1.deployments WHERE namespace = '{level}-dev'"
                                " AND workload = 'InferenceService/credit'") == [of_ci]


@pytest.mark.parametrize("level", EVIDENCE)
def test_people_are_who_the_central_file_says(system, level):
    people = {"alice": "alice@corp.example", story.BOB: "bob@corp.example", "carol": "carol@corp.example"}
    rows = system.database.psql("SELECT DISTINCT principal, deployed_by, deployed_by_kind, applied_by FROM modeltrail_v1.changes"
                                f" WHERE cluster = '{level}' AND namespace <> '{level}-gitops' AND deployed_by_kind = 'human'")
    assert sorted(rows) == sorted((who, person, "human", who) for who, person in people.items())


def test_what_is_reviewed_and_audited_is_one_request(telling, system):
    (count, evidence), = system.database.psql(
        "SELECT count(*), string_agg(DISTINCT evidence, ',') FROM modeltrail_v1.requests WHERE cluster = 'both'"
        " AND outcome = 'accepted'")
    assert (count, evidence) == (str(len(story.STEPS) + len(telling.gitops.rows)), "audit")


@pytest.mark.parametrize("level", ["answers", "metadata", "both"])
def test_attempts_are_told(system, level):
    rows = system.database.psql(f"SELECT DISTINCT outcome, applied_by FROM modeltrail_v1.attempts WHERE cluster = '{level}'")
    assert set(rows) == story.ATTEMPTS


def test_the_watch_alone_names_nobody(system):
    assert differences(changes(system, "watch"), story.expected("watch", "not_collected", named=False)) == []
    assert system.database.psql("SELECT DISTINCT deployed_by, deployed_by_kind, applied_by, impersonated, attribution"
                                " FROM modeltrail_v1.changes WHERE cluster = 'watch'") == [(None, None, None, None, "not_collected")]


def test_name_and_time_join_one_person_and_never_one_of_two(system):
    """Metadata without the policy: two within a second are ambiguous, whoever came last."""
    rows = system.database.psql("SELECT workload, change_type, to_version, deployed_by, applied_by, principal, attribution"
                                " FROM modeltrail_v1.changes WHERE cluster = 'bare' ORDER BY workload, to_version")
    assert rows == [
        ("Model/alone", "deployed", "1.0.0", "carol@corp.example", "carol", "carol", "unique"),
        ("Model/alone", "upgraded", "1.1.0", "carol@corp.example", "carol", "carol", "unique"),
        ("Model/contested", "deployed", "1.0.0", "alice@corp.example", "alice", "alice", "unique"),
        ("Model/contested", "upgraded", "1.1.0", None, None, None, "ambiguous"),
        ("Model/contested", "upgraded", "1.2.0", None, None, None, "ambiguous")]
    assert system.database.psql("SELECT deployed_by, attribution FROM modeltrail_v1.deployments WHERE cluster = 'bare'"
                                " ORDER BY workload") == [("carol@corp.example", "unique"), (None, "ambiguous")]
    assert system.database.psql("SELECT DISTINCT level FROM modeltrail.request WHERE cluster = 'bare'") == [("Metadata",)]


# What GitOps tools deployed.

GITOPS = ("workload", "change_type", "to_version", "reason", "deployed_by", "deployed_by_kind", "applied_by", "requested_by",
          "approved_by", "ticket", "source_revision", "source_path", "evidence", "attribution", "chain_end", "chain_end_reason")


def told(system, level, view="changes", columns=GITOPS, order="happened_at, workload"):
    rows = system.database.psql(f"SELECT {', '.join(columns)} FROM modeltrail_v1.{view} WHERE cluster = '{level}'"
                                f" AND namespace = '{level}-gitops' ORDER BY {order}")
    return [dict(zip(columns, row)) for row in rows]


def wanted(telling, level, row):
    says = row.says
    path = says.source_path and says.source_path.replace(gitops_story.LEVELLED, level)
    return dict(zip(GITOPS, (
        row.workload, row.change, row.version, says.reason, says.deployed_by, says.deployed_by_kind, says.applied_by,
        says.requested_by,
        says.approved_by, says.ticket, telling.gitops.commits.get(says.commit), path, says.evidence or EVIDENCE[level],
        "exact", says.chain_end, says.chain_end_reason)))


@pytest.mark.parametrize("level", EVIDENCE)
def test_gitops_leads_to_the_author_or_says_where_it_ends(telling, system, level):
    have = told(system, level)
    want = [wanted(telling, level, row) for row in telling.gitops.rows]
    wrong = [f"{h['workload']} {h['to_version']}: {key} is {h[key]!r}, not {w[key]!r}"
             for h, w in zip(have, want) for key in GITOPS if h[key] != w[key]]
    assert (wrong, len(have)) == ([], len(want))


@pytest.mark.parametrize("level", EVIDENCE)
def test_deployments_have_the_same_chain(telling, system, level):
    """Of what runs at the end, and of what ran: the change that brought the version says it."""
    columns = ("workload", "version", *GITOPS[4:])
    brought = {}
    for row in telling.gitops.rows:
        brought[row.workload, row.version] = wanted(telling, level, row)
    for view in ("deployments", "deployment_history"):
        rows = told(system, level, view, columns, "valid_from, workload")
        assert rows
        for row in rows:
            if row["version"] in ("1.0.0", "9.9.0") or view == "deployments":  # others were brought twice
                want = brought[row["workload"], row["version"]]
                assert row == {key: want.get(key, row["version"]) for key in columns}, view


def test_a_repository_names_nobody_where_nobody_saw_the_request(system):
    """The objects, the syncs and the commits are all known at the watch alone, and no request."""
    rows = told(system, "watch")
    assert len(rows) == len(told(system, "answers"))
    named = ("deployed_by", "deployed_by_kind", "applied_by", "approved_by")
    assert {tuple(row[key] for key in named) for row in rows} == {(None,) * len(named)}
    assert {row["attribution"] for row in rows} == {"not_collected"}
