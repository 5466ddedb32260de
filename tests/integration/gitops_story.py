"""What Argo CD and Flux deployed from a Git repository, and what people did beside them: commits, syncs, writes.

It is told in several parts of one cluster at once (`levels`), and each change has what must be said of it beside it.
"""

import time
from typing import NamedTuple

import yaml
from integration.attribution_story import spec
from support import rbac
from support.git import Repository
from support.gitops_tools import CONTROLLER, FLUX, Application, Kustomization
from support.kube import ARGOCD

URL, ELSEWHERE = "https://git.example/models.git", "https://git.example/nobody-reads-it.git"
AUTHORS = {"alice": "Alice Example <Alice@corp.example>", "bob": "Bob <bob@corp.example>",
           "carol": "Carol <carol@users.noreply.example>"}
PEOPLE = {who: f"{who}@corp.example" for who in AUTHORS}
LEVELLED = "LEVEL"  # stands for the level's name in paths


def gitops_namespace(level: str) -> str:
    return f"{level}-gitops"


def homes(level: str) -> list[str]:
    """Of Argo CD and of Flux: each level has its own."""
    return [f"{level}-argocd", f"{level}-flux"]


class Says(NamedTuple):
    """What `changes` must say of a change, but for what follows from the level. `commit` is a key of `Story.commits`."""

    deployed_by: str
    deployed_by_kind: str
    applied_by: str
    chain_end: str
    chain_end_reason: str | None
    commit: str | None = None
    source_path: str | None = None
    ticket: str | None = None
    approved_by: str | None = None
    requested_by: str | None = None  # claimed, or who pressed the button
    reason: str | None = None
    evidence: str | None = None  # None: where the request was seen


class Row(NamedTuple):
    workload: str
    change: str
    version: str | None
    says: Says


def author(who, commit, path, applied_by=ARGOCD, **more) -> Says:
    """The chain reaches a commit."""
    return Says(PEOPLE[who], "human", applied_by, "commit", None, commit, f"{LEVELLED}/{path}", evidence="git", **more)


def service(why, commit, tool="argocd", applied_by=ARGOCD, **more) -> Says:
    """The chain ends at the revision that was synced: the tool's doing, as far as can be known."""
    return Says(tool, "gitops", applied_by, "revision", why, commit, evidence=tool, **more)


def by_hand(who, **more) -> Says:
    """Past the tool, with kubectl."""
    return Says(PEOPLE[who], "human", who, "request", None, **more)


class Write(NamedTuple):
    """One write and what is said of the change that it makes; version None: the object is pruned."""

    workload: str
    version: str | None
    change: str
    says: Says
    annotations: dict = {}


def _object(namespace, workload, version, annotations=(), labels=()) -> dict:
    kind, name = workload.split("/")
    api, wanted = spec(kind, name, version)
    return {"apiVersion": api, "kind": kind, "spec": wanted, "metadata": {
        "name": name, "namespace": namespace, "annotations": dict(annotations), "labels": dict(labels)}}


class Story:
    """`client` makes a client of a user; the repository is made in `folder`."""

    def __init__(self, levels, client, folder):
        self.levels, self.client = levels, client
        self.repository = Repository(folder)
        self.commits: dict[str, str] = {}
        self.rows: list[Row] = []

    def prepare(self, cluster) -> None:
        for level in self.levels:
            namespace = gitops_namespace(level)
            cluster.create_namespace(namespace)
            for user in ("alice", "carol", ARGOCD, FLUX):
                cluster.grant(user, rbac.WRITER, namespace)
            for user, home in zip((ARGOCD, FLUX), homes(level)):
                cluster.create_namespace(home)
                cluster.grant(user, CONTROLLER, home)
        argo, flux = self.client(ARGOCD), self.client(FLUX)
        places = {"risk": (URL, "prod"), "rendered": (URL, "rendered"), "foreign": (ELSEWHERE, "prod")}
        self.tools = {tool: {level: Application(argo, homes(level)[0], tool, url, f"{level}/{path}", gitops_namespace(level))
                             for level in self.levels} for tool, (url, path) in places.items()}
        self.tools["flux"] = {level: Kustomization(flux, homes(level)[1], "models", URL, f"{level}/flux", gitops_namespace(level))
                              for level in self.levels}

    def commit(self, key, who, message, files: dict) -> None:
        """`files`: for each path within a level's folder its objects, {workload: version or (version, annotations)},
        or its text."""
        texts = {f"{level}/{path}": content if isinstance(content, str) else self._manifests(level, path, content)
                 for path, content in files.items() for level in self.levels}
        self.commits[key] = self.repository.commit(message, texts, author=AUTHORS[who])

    @staticmethod
    def _manifests(level, path, objects) -> str:
        documents = []
        for workload, wanted in objects.items():
            version, annotations = wanted if isinstance(wanted, tuple) else (wanted, {})
            obj = _object(gitops_namespace(level), workload, version, annotations)
            if path.startswith("flux/"):
                del obj["metadata"]["namespace"]  # the Kustomization's targetNamespace gives it
            documents.append(yaml.safe_dump(obj))
        return "---\n".join(documents)

    def sync(self, tool, commit, *writes: Write, heal=False, slow=False, **operation) -> None:
        """One operation of a tool in each level. Its times are of whole seconds, so that it has its own; a slow one ends
        in a later second than it is noted in the history."""
        _next_second()
        tools = self.tools[tool]
        revision = self.commits.get(commit, commit)
        for level, it in tools.items():
            only = [_object(gitops_namespace(level), write.workload, write.version) for write in writes]
            it.begin(revision, **({"only": only} if heal else {}), **operation)
        for write in writes:
            for level, it in tools.items():
                self._apply(level, it, write)
            self._expect(write)
        for it in tools.values():
            it.synced()
        if slow:
            _next_second()
        for it in tools.values():
            it.finish()

    def _apply(self, level, tool, write) -> None:
        kind, name = write.workload.split("/")
        flux = isinstance(tool, Kustomization)
        client = self.client(FLUX if flux else ARGOCD)
        if write.version is None:
            return _accepted(client.delete(kind, gitops_namespace(level), name))
        obj = _object(gitops_namespace(level), write.workload, write.version, write.annotations, tool.labels() if flux else {})
        if not flux:
            obj["metadata"]["annotations"] |= tool.tracking(obj)
        if flux or kind == "Model":  # server-side apply, as Flux always does, and Argo CD if it is told to
            return _accepted(client.apply(obj, manager="kustomize-controller" if flux else "argocd-controller"))
        if write.change == "deployed":
            return _accepted(client.create(obj, manager="argocd-controller"))
        return _accepted(client.merge_patch(kind, gitops_namespace(level), name, {
            "spec": obj["spec"], "metadata": {"annotations": obj["metadata"]["annotations"]}}, manager="argocd-controller"))

    def edit(self, who, write: Write) -> None:
        kind, name = write.workload.split("/")
        patch = {"spec": spec(kind, name, write.version)[1]}
        for level in self.levels:
            _accepted(self.client(who).merge_patch(kind, gitops_namespace(level), name, patch))
        self._expect(write)

    def _expect(self, write) -> None:
        self.rows.append(Row(write.workload, write.change, write.version, write.says))


def _accepted(answer) -> None:
    code, body = answer
    assert code in (200, 201), body


def _next_second() -> None:
    time.sleep(1.02 - time.time() % 1)


CHURN, FRAUD, CREDIT, DRIFT = "Model/churn", "SeldonDeployment/fraud", "InferenceService/credit", "Model/drift"
SCORER, PARTNER = "Model/prod-scorer", "Model/partner"
KUSTOMIZATION = "resources: [base.yaml]\nnamePrefix: prod-\n"


def tell(story: Story) -> None:
    """All that happens, in order."""
    _begin(story)
    _two_commits_between_two_syncs(story)
    _healed(story)
    _synced_by_hand(story)
    _stops_at_the_revision(story)
    _pruned(story)


def _begin(story) -> None:
    story.commit("begin", "alice", "Deploy the models\n\nTicket: RISK-1\n", {
        "prod/churn.yaml": {CHURN: "1.0.0"}, "prod/serving.yaml": {FRAUD: "1.0.0", CREDIT: "1.0.0"},
        "flux/drift.yaml": {DRIFT: "1.0.0"},
        "rendered/base.yaml": {"Model/scorer": "1.0.0"}, "rendered/kustomization.yaml": KUSTOMIZATION})
    alice = [author("alice", "begin", f"{file}.yaml", ticket="RISK-1") for file in ("prod/churn", "prod/serving", "prod/serving")]
    story.sync("risk", "begin", *(Write(workload, "1.0.0", "deployed", says._replace(reason="initial"))
                                  for workload, says in zip((CHURN, FRAUD, CREDIT), alice)))
    story.sync("flux", "begin", Write(DRIFT, "1.0.0", "deployed", author(
        "alice", "begin", "flux/drift.yaml", FLUX, ticket="RISK-1", reason="initial")))
    story.sync("rendered", "begin", Write(SCORER, "1.0.0", "deployed", service("rendered", "begin", reason="initial")))


def _two_commits_between_two_syncs(story) -> None:
    """The author is the last who touched the object, not whose commit is the branch's head."""
    story.commit("churn 1.1", "bob", "Raise churn\n\nTicket: RISK-11\nApproved-by: Carol <carol@corp.example>\n",
                 {"prod/churn.yaml": {CHURN: "1.1.0"}})
    story.commit("fraud 1.1", "carol", "Raise fraud", {"prod/serving.yaml": {FRAUD: "1.1.0", CREDIT: "1.0.0"}})
    story.sync("risk", "fraud 1.1",
               Write(CHURN, "1.1.0", "upgraded", author("bob", "churn 1.1", "prod/churn.yaml", ticket="RISK-11",
                                                        approved_by="Carol <carol@corp.example>")),
               Write(FRAUD, "1.1.0", "upgraded", author("carol", "fraud 1.1", "prod/serving.yaml")), slow=True)
    story.commit("credit 1.1", "alice", "Raise credit\n\nTicket: RISK-12\n",
                 {"prod/serving.yaml": {FRAUD: "1.1.0", CREDIT: "1.1.0"}})
    story.commit("credit 1.2", "bob", "Raise credit further",
                 {"prod/serving.yaml": {FRAUD: "1.1.0", CREDIT: "1.2.0"}, "flux/drift.yaml": {DRIFT: "1.1.0"}})
    story.commit("readme", "carol", "Explain", {"prod/README.md": "What runs in production.\n"})
    story.sync("risk", "readme", Write(CREDIT, "1.2.0", "upgraded", author("bob", "credit 1.2", "prod/serving.yaml")))
    story.sync("flux", "readme", Write(DRIFT, "1.1.0", "upgraded", author("bob", "credit 1.2", "flux/drift.yaml", FLUX)))


def _healed(story) -> None:
    """What somebody changed past the tool, and the tool took back: by itself, and when somebody pressed the button."""
    story.edit("carol", Write(CHURN, "9.9.0", "upgraded", by_hand("carol")))
    story.sync("risk", "readme", Write(CHURN, "1.1.0", "rolled_back", service("self_heal", "readme", reason="self_heal")), heal=True)
    story.edit("alice", Write(FRAUD, "9.9.0", "upgraded", by_hand("alice")))
    story.sync("risk", "readme", Write(FRAUD, "1.1.0", "rolled_back", service(
        "self_heal", "readme", reason="self_heal", requested_by="bob")), by="bob")


def _synced_by_hand(story) -> None:
    """Whose hand it was does not make it his change. What the commit does not say the object's annotation claims."""
    ticket = {"modeltrail.io/ticket": "RISK-99"}
    story.commit("churn 1.2", "alice", "Raise churn again\n\nApproved-by: Bob <bob@corp.example>\n",
                 {"prod/churn.yaml": {CHURN: ("1.2.0", ticket)}})
    story.sync("risk", "churn 1.2", Write(CHURN, "1.2.0", "upgraded", author(
        "alice", "churn 1.2", "prod/churn.yaml", ticket="RISK-99", requested_by="bob",
        approved_by="Bob <bob@corp.example>"), ticket), by="bob")


def _stops_at_the_revision(story) -> None:
    story.commit("scorer 1.1", "alice", "Raise scorer", {"rendered/base.yaml": {"Model/scorer": "1.1.0"}})
    story.sync("rendered", "scorer 1.1", Write(SCORER, "1.1.0", "upgraded", service("rendered", "scorer 1.1")))
    elsewhere = "0123456789abcdef0123456789abcdef01234567"  # of a repository that no collector reads
    story.commits[elsewhere] = elsewhere
    story.sync("foreign", elsewhere, Write(PARTNER, "1.0.0", "deployed",
                                           service("commits_not_collected", elsewhere, reason="initial")))
    # A new revision that has nothing of this object, and what a hand did to it is gone all the same.
    story.edit("carol", Write(CREDIT, "9.9.0", "upgraded", by_hand("carol")))
    story.commit("readme again", "carol", "Explain more", {"prod/README.md": "What runs in production, and why.\n"})
    story.sync("risk", "readme again", Write(CREDIT, "1.2.0", "rolled_back", service("not_touched", "readme again")))


def _pruned(story) -> None:
    story.commit("without fraud", "carol", "Fraud is gone\n\nTicket: RISK-14\n", {"prod/serving.yaml": {CREDIT: "1.2.0"}})
    story.sync("risk", "without fraud", Write(FRAUD, None, "removed", author(
        "carol", "without fraud", "prod/serving.yaml", ticket="RISK-14", reason="deleted")))
