"""One API server on which both stories are told at every level of access at once, and what was collected of each.

A level is a set of namespaces, and a collector with the sources of that level that speaks for a cluster of the level's
name. So one start of an API server serves all levels, and a second serves each of them.
"""

import json
import time

import yaml
from integration import attribution_story, gitops_story
from support import gitops_tools
from support.attribution import install_policy
from support.kube import ARGOCD, CI
from support.process import free_port
from support.system import System
from support.webhook import Authority, admission_configuration

LEVELS = ("answers", "metadata", "admission", "both", "watch")
BARE = "bare"  # Metadata, and told before the policy is there
AUDITED = {"answers": "RequestResponse", "both": "RequestResponse", "metadata": "Metadata", BARE: "Metadata"}
REVIEWED = ("admission", "both")
CHANGES = "SELECT count(*) FROM modeltrail_v1.changes WHERE cluster = '{}'"
BARE_CHANGES = 5
CENTRAL = {
    "environments": [{"name": stage, "order": place, "scopes": [f"{level}/{level}-{stage}" for level in LEVELS]}
                     for place, stage in enumerate(("dev", "gitops", "prod"), 1)],
    "people": [
        {"person": "alice@corp.example", "principals": ["alice"]},
        {"person": r"\1@corp.example", "rules": ["^arn:aws:sts::[0-9]+:assumed-role/MLPlatform/([^/]+)$"]},
        {"person": "carol@corp.example", "principals": ["carol", "carol@users.noreply.example"]},
        {"service": "ci-deployer", "kind": "ci", "principals": [CI]},
        {"service": "argocd", "kind": "gitops", "principals": [ARGOCD]},
        {"service": "flux", "kind": "gitops", "principals": [gitops_tools.FLUX]},
    ],
}


def namespaces_of(level) -> list[str]:
    if level == BARE:
        return [BARE]
    return [*attribution_story.namespaces(level), gitops_story.gitops_namespace(level), *gitops_story.homes(level)]


class Telling:
    """What is left when it is told: the system with all that was collected, the audit log, the expected rows."""

    def __init__(self, new_cluster, database, folder):
        self.folder = folder
        self.system = System(folder / "system", database, {name: (name, None) for name in (*LEVELS, BARE)} | {"git": ("answers", None)},
                             repositories={"git": [gitops_story.URL]})
        self.cluster = new_cluster("c1", extra_users=[attribution_story.BOB, gitops_tools.FLUX], audit_policy=self._audit_policy())
        self._clients = {}
        self.gitops = gitops_story.Story(LEVELS, self._client, folder / "models")

    def _client(self, user):
        return self._clients.setdefault(user, self.cluster.client(user))

    def _audit_policy(self):
        rules = [{"level": level, "namespaces": namespaces_of(name)} for name, level in AUDITED.items()]
        path = self.folder / "audit.yaml"
        # `default`: where it is seen that the policy is in force.
        path.write_text(yaml.safe_dump({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, *rules,
                      {"level": "Metadata", "namespaces": ["default"]}, {"level": "None"}]}))
        return path

    def tell(self) -> "Telling":
        self._prepare()
        self._start()
        created = self._bare_begins()
        attribution_story.prepare(self.cluster, LEVELS)
        self.gitops.prepare(self.cluster)
        self._bare_ends(created)
        install_policy(self.cluster)
        self._call_webhooks()
        attribution_story.tell(self.cluster, LEVELS)
        gitops_story.tell(self.gitops)
        self._settle()
        for name in list(self.system.daemons):
            if name != "store":
                self.system.end(name)
        return self

    def _prepare(self) -> None:
        gitops_tools.install(self.cluster)
        for level in (*LEVELS, BARE):
            for namespace in namespaces_of(level):
                self.cluster.create_namespace(namespace)
        self.cluster.grant("collector", gitops_tools.READER)

    # The collectors run from before the first change to the end.

    def _start(self) -> None:
        self.system.start_store()
        central = self.folder / "central.yaml"
        central.write_text(yaml.safe_dump(CENTRAL))
        self.system.apply(central)
        kubeconfig = str(self.cluster.kubeconfig(self.folder / "kubeconfig"))
        self.webhooks = []
        for level in (*LEVELS, BARE):
            sources = [{"kubernetes": {"kubeconfig": kubeconfig, "namespaces": namespaces_of(level)}}]
            if level in AUDITED:
                sources.append(self.audit(level))
            if level in REVIEWED:
                sources.append(self._admission(level))
            self.system.start_collector(level, [json.dumps(source) for source in sources])
        # Its commits are made later: it looks again every second.
        self.gitops.repository.commit("An empty repository", author=gitops_story.AUTHORS["alice"])
        self.system.start_collector("git", [json.dumps({"git": {
            "url": str(self.gitops.repository.folder), "repository": gitops_story.URL, "poll_s": 1}})])
        for level in (*LEVELS, BARE):
            self.system.wait_for(f"SELECT count(DISTINCT resource) >= 9 FROM modeltrail.listing WHERE cluster = '{level}'", "t")

    def audit(self, level) -> dict:
        return {"audit_log": {"path": str(self.cluster.audit_log), "namespaces": namespaces_of(level)}}

    def _admission(self, level) -> dict:
        authority, port = Authority(self.folder / f"ca-{level}"), free_port()
        certificate, key = authority.issue("server")
        configuration = admission_configuration(port, authority)
        configuration["metadata"]["name"] = f"{level}.modeltrail.io"
        self.webhooks.append((level, configuration))
        return {"admission": {"listen": f"127.0.0.1:{port}", "tls_cert": str(certificate), "tls_key": str(key),
                              "namespaces": namespaces_of(level)}}

    def _call_webhooks(self) -> None:
        """And waits until they are called: it takes a moment."""
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        for level, configuration in self.webhooks:
            code, body = self.cluster.client("admin").request("POST", path, configuration)
            assert code == 201, body
        for level, _ in self.webhooks:
            probe = attribution_story.manifest(level, attribution_story.STEPS[0])
            count = f"SELECT count(*) FROM modeltrail.request WHERE evidence = 'admission' AND cluster = '{level}'"
            deadline = time.monotonic() + 30
            while self.system.database.psql(count) == [("0",)]:
                assert time.monotonic() < deadline, self.system.log(level)
                self._client("alice").create(probe, dry_run=True)
                time.sleep(0.2)

    # Two models that are changed while nothing but name and time joins: one by one person, one by two at once.

    def _model(self, name, version) -> dict:
        api, wanted = attribution_story.spec("Model", name, version)
        return {"apiVersion": api, "kind": "Model", "metadata": {"name": name, "namespace": BARE}, "spec": wanted}

    def _bare_begins(self) -> float:
        for user in ("alice", "carol", attribution_story.BOB):
            self.cluster.grant(user, gitops_tools.rbac.WRITER, BARE)
        for user, name in (("carol", "alone"), ("alice", "contested")):
            assert self._client(user).create(self._model(name, "1.0.0"))[0] == 201
        return time.monotonic()

    def _bare_ends(self, created) -> None:
        """The windows of creation and change reach two seconds to either side, and must not meet."""
        time.sleep(max(0.0, created + 5.5 - time.monotonic()))
        for user, name, version in (("carol", "alone", "1.1.0"), ("alice", "contested", "1.1.0"),
                                    (attribution_story.BOB, "contested", "1.2.0")):
            assert self._client(user).apply(self._model(name, version))[0] == 200

    def _settle(self) -> None:
        """Everything that happened is stored."""
        wanted = len(attribution_story.STEPS) + len(self.gitops.rows)
        for level in LEVELS:
            self.system.wait_for(CHANGES.format(level), wanted, timeout=60)
            if level != "watch":
                self.system.wait_for(CHANGES.format(level) + " AND attribution = 'exact'", wanted)
        self.system.wait_for(CHANGES.format(BARE) + " AND attribution <> 'not_collected'", BARE_CHANGES)
        self.system.wait_for(CHANGES.format("both") + " AND evidence = 'admission'", 0)
        for level in REVIEWED:
            self.system.wait_for("SELECT count(*) FROM modeltrail.request WHERE evidence = 'admission' AND NOT dry_run"
                                 f" AND cluster = '{level}'", wanted + 1)  # and the create that failed
        for level in set(AUDITED) - {BARE}:
            self.system.wait_for(f"SELECT count(*) FROM modeltrail_v1.attempts WHERE cluster = '{level}' AND via = 'audit_log'"
                                 " AND outcome <> 'dry_run'", 2)
        self.system.wait_for("SELECT count(DISTINCT commit_id) FROM modeltrail.commit", len(self.gitops.commits))
        for level in LEVELS:  # the last sync of each application, and of the Kustomization
            self.system.wait_for("SELECT count(DISTINCT (resource, name, sync_id, revision)) FROM modeltrail.gitops_sync WHERE part = 'sync'"
                                 f" AND kind IN ('Application', 'Kustomization') AND cluster = '{level}'", self._syncs(level))

    @staticmethod
    def audited() -> list[str]:
        """The levels that have an audit log."""
        return list(AUDITED)

    def _syncs(self, level) -> int:
        return sum(len(tools[level].history) for tools in self.gitops.tools.values())
