"""The same history at four levels of access to a real API server (docs/attribution.md): whom each level names, row by
row."""

import time

import pytest
from integration import attribution_story as story
from support.attribution import install_policy
from support.process import free_port
from support.system import System
from support.webhook import Authority, admission_configuration

CHANGES = """
    SELECT c.namespace, c.workload, c.change_type, c.to_version, c.principal, c.attribution
    FROM modeltrail_v1.changes c
    JOIN (VALUES {order}) AS life (place, namespace, workload) USING (namespace, workload)
    ORDER BY life.place, c.happened_at, c.to_version NULLS LAST"""


def changes(system):
    lives = [(life[0].namespace, life[0].workload) for life in story.LIVES]
    order = ", ".join(f"({place}, '{namespace}', '{workload}')" for place, (namespace, workload) in enumerate(lives))
    return system.database.psql(CHANGES.format(order=order))


def differences(have, want):
    return [f"{h} is not {w}" for h, w in zip(have, want) if h != w] + [f"{len(have)} rows, not {len(want)}"] * (len(have) != len(want))


def kubernetes(cluster, folder):
    path = cluster.kubeconfig(folder / "kubeconfig")
    return f'kubernetes: {{kubeconfig: "{path}", namespaces: [{", ".join(story.NAMESPACES)}]}}'


def audit(cluster):
    return f'audit_log: {{path: "{cluster.audit_log}"}}'


def metadata_only(folder):
    path = folder / "metadata.yaml"
    path.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n")
    return path


def write_request_bodies(folder):
    """The levels that OpenShift's profile of that name has for our kinds (docs/attribution.md)."""
    path = folder / "write-request-bodies.yaml"
    path.write_text("""
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
omitStages: [RequestReceived]
rules:
  - {level: RequestResponse, verbs: [update, patch, create, delete, deletecollection]}
  - {level: Metadata}
""")
    return path


def install_webhook(cluster, configuration, system):
    """And waits until it is called: it takes a moment to be in force."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    code, body = cluster.client("admin").request("POST", path, configuration)
    assert code == 201, body
    alice, probe = cluster.client("alice"), story.manifest(story.STEPS[0])
    deadline = time.monotonic() + 30
    while system.database.psql("SELECT count(*) FROM modeltrail.request WHERE evidence = 'admission'") == [("0",)]:
        assert time.monotonic() < deadline, system.log("c1")
        alice.create(probe, dry_run=True)
        time.sleep(0.2)


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path / "system", database, {"c1": ("c1", list(story.NAMESPACES))})
    system.start_store()
    yield system
    system.stop()


def collect(system, sources):
    """The collector runs from before the history to its end; all that it saw is stored."""
    system.start_collector("c1", sources)
    system.wait_for("SELECT count(*) >= 3 FROM modeltrail.listing", "t")


def settle(system):
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes", len(story.STEPS), timeout=60)


@pytest.mark.slow
def test_request_response_names_everybody(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=[story.BOB])
    story.prepare(cluster)
    collect(system, [kubernetes(cluster, tmp_path), audit(cluster)])
    story.tell(cluster)
    settle(system)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'", len(story.STEPS))
    assert differences(changes(system), story.expected("exact")) == []
    # What the service account's manifests claim is told beside it, and makes it no person.
    assert system.database.psql(f"SELECT DISTINCT deployed_by, deployed_by_kind, requested_by, ticket, approved_by"
                                f" FROM modeltrail_v1.changes WHERE principal = '{story.CI}'") == [
        (story.CI, "service", "carol@corp.example", "RISK-7", None)]
    assert system.database.psql("SELECT DISTINCT requested_by FROM modeltrail_v1.changes"
                                " WHERE change_type = 'removed'") == [(None,)]
    assert system.database.psql("SELECT deployed_by, requested_by FROM modeltrail_v1.deployments WHERE namespace = 'risk-dev'"
                                " AND workload = 'InferenceService/credit'") == [(story.CI, "carol@corp.example")]


@pytest.mark.slow
def test_metadata_with_the_policy_names_everybody(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=[story.BOB], audit_policy=metadata_only(tmp_path))
    install_policy(cluster)
    story.prepare(cluster)
    collect(system, [kubernetes(cluster, tmp_path), audit(cluster)])
    story.tell(cluster)
    settle(system)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'", len(story.STEPS))
    assert differences(changes(system), story.expected("exact")) == []


@pytest.mark.slow
def test_openshift_with_write_request_bodies_names_everybody(new_cluster, system, tmp_path):
    """The log as `oc adm node-logs` prints it, read when all is over."""
    cluster = new_cluster("c1", extra_users=[story.BOB], audit_policy=write_request_bodies(tmp_path))
    story.prepare(cluster)
    collect(system, [kubernetes(cluster, tmp_path)])
    story.tell(cluster)
    settle(system)
    system.end("c1")
    log = tmp_path / "node-logs"
    log.write_text("".join(f"master-0 {line}\n" for line in cluster.audit_log.read_text().splitlines()))
    scope = ", ".join(story.NAMESPACES)
    system.collect_once("c1", [f'audit_log: {{path: "{log}", format: openshift, namespaces: [{scope}]}}'])
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'", len(story.STEPS))
    assert differences(changes(system), story.expected("exact")) == []
    assert system.database.psql("SELECT count(*) FROM modeltrail.event WHERE quarantined IS NOT NULL") == [("0",)]


def admission(folder):
    """The source, and the configuration that makes an API server call it."""
    authority, port = Authority(folder / "ca"), free_port()
    certificate, key = authority.issue("server")
    source = f'admission: {{listen: "127.0.0.1:{port}", tls_cert: "{certificate}", tls_key: "{key}"}}'
    return source, admission_configuration(port, authority)


@pytest.mark.slow
def test_admission_names_everybody(new_cluster, system, tmp_path):
    """No audit log can be read: the webhook sees who asks, the watch what came of it."""
    cluster = new_cluster("c1", extra_users=[story.BOB])
    story.prepare(cluster)
    source, configuration = admission(tmp_path)
    collect(system, [kubernetes(cluster, tmp_path), source])
    install_webhook(cluster, configuration, system)
    story.tell(cluster)
    settle(system)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'", len(story.STEPS))
    assert differences(changes(system), story.expected("exact")) == []


@pytest.mark.slow
def test_what_is_reviewed_and_audited_is_one_request(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=[story.BOB])
    story.prepare(cluster)
    source, configuration = admission(tmp_path)
    collect(system, [kubernetes(cluster, tmp_path), audit(cluster), source])
    install_webhook(cluster, configuration, system)
    story.tell(cluster)
    settle(system)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE evidence = 'audit'", len(story.STEPS))
    system.wait_for("SELECT count(*) >= 63 FROM modeltrail.request WHERE evidence = 'admission' AND NOT dry_run", "t")
    assert differences(changes(system), story.expected("exact")) == []
    assert system.database.psql("SELECT count(*), min(evidence) FROM modeltrail_v1.requests WHERE outcome IS DISTINCT FROM"
                                " 'dry_run'") == [(str(len(story.STEPS)), "audit")]


@pytest.mark.slow
def test_the_watch_alone_names_nobody(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=[story.BOB])
    story.prepare(cluster)
    collect(system, [kubernetes(cluster, tmp_path)])
    story.tell(cluster)
    settle(system)
    assert differences(changes(system), story.expected("not_collected", named=False)) == []
    assert system.database.psql("SELECT count(*) FROM modeltrail_v1.changes WHERE deployed_by IS NOT NULL"
                                " OR applied_by IS NOT NULL") == [("0",)]
