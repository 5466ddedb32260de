"""Secrets planted in objects and in audit events: from the API server to the answer they stand in no spool, no log,
no table, no dump and no output. What identifies a model, in the same places, does."""

import json
import re
import sqlite3
import subprocess
import time
import uuid

import pytest
from support import rbac
from support.collector import audit_event, time_of
from support.fake_kube import FakeKube
from support.kube import ARGOCD, CI
from support.system import System

PUBLIC = "public-marker"  # stands where no secret is: it proves that the search looks in the right places
TIMING = {"watch_s": 20, "look_again_ms": 300, "watched_ms": 500, "page_size": 5}


class Planted:
    """Objects full of secrets; every secret is a word of its own, so that a find says which one leaked."""

    def __init__(self):
        self.words: list[str] = []

    def word(self, where) -> str:
        self.words.append(f"s3cr3t{len(self.words):03}{where}")
        return self.words[-1]

    def metadata(self, name, **more):
        s = self.word
        applied = {"spec": {"env": [{"name": "X", "value": s("applied")}], "note": s("appliednote")}}
        annotations = {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied),
            "example.com/db-password": s("annotation"), "api_key": s("annotationkey"),
            "note": f'{PUBLIC} password={s("text")} and Authorization: Bearer {s("bearer")}',
            "nested": json.dumps({"client_secret": s("nested"), "token": [s("nestedlist")]}),
            "yaml": f"user: u\npassword:\n  {s('block')}\ntoken:{s('tight')}",
            "links": f"nats://b:{s('linkfirst')}@a:4222,nats://b:{s('linksecond')}@b:4222|x://{s('linkthird')}@c",
            "link": f"see https://u:{s('linkuser')}@host/x?sig={s('linkquery')} there",
        }
        return {"name": name, "namespace": "risk", "annotations": annotations,
                "labels": {"auth-token": s("label"), "team": PUBLIC}} | more

    def containers(self, name):
        s = self.word
        return [{
            "name": name, "image": f"registry.example/{PUBLIC}:1.0.0",
            "env": [
                {"name": "PLAIN", "value": s("env")}, {"value": s("envreverse"), "name": "PASSWORD"},
                {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "kept", "key": "kept"}}},
            ],
            "args": ["--token", s("arg"), "--password", f"-{s('argdash')}", "--jwt", s("argjwt"), f"--password={s('argequals')}", "--model", PUBLIC,
                     f"--db=postgres://u:{s('argurl')}@h/d"],
            "command": ["sh", "-c", f"export AWS_SECRET_ACCESS_KEY={s('command')}; exec serve"],
        }]

    def uri(self, name, version):
        s = self.word
        return f"s3://AKIA:{s('userinfo')}@bucket/{name}/{version}?X-Amz-Signature={s('signature')}&token={s('query')}"

    def seldon(self, name="seldon", version="v1"):
        s = self.word
        graph = {
            "name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": self.uri(name, version),
            "envSecretRefName": "kept",
            "parameters": [{"name": "password", "type": "STRING", "value": s("parameter")},
                           {"value": s("parameterreverse"), "type": "STRING", "name": "api-key"}],
        }
        predictor = {
            "name": "main", "replicas": 1, "graph": graph,
            "componentSpecs": [{"spec": {"containers": self.containers("classifier")}}],
            "svcOrchSpec": {"env": [{"name": "A", "value": s("orchestrator")}]},
            "explainer": {"type": "AnchorTabular", "modelUri": self.uri(f"{name}-explainer", version),
                          "env": [{"name": "B", "value": s("explainer")}]},
        }
        return {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
                "metadata": self.metadata(name),
                "spec": {"name": name, "oauth_secret": s("oauth"), "annotations": {
                    "account": f"AccountName={PUBLIC};AccountKey={s('accountkey')}==", "AZURE_STORAGE_KEY": s("azure"),
                    "client-key-data": s("clientkey"), "registry": json.dumps({"auths": {"r": {"auth": s("auths")}}}),
                    "signing_key": s("signing"), "encryptionKey": s("encryption"), "accountKey": s("account"),
                    "bearer": s("bearermember"), ".dockerconfigjson": s("dockerconfig")},
                         "predictors": [predictor]}}

    def kserve(self, name="kserve", version="v1"):
        s = self.word
        parameters = {"type": "s3", "bucket": PUBLIC, "access_key_id": "kept", "secret_access_key": s("storage"),
                      "session_token": s("storagetoken"), "credential": {"deep": [s("storagedeep")]}}
        predictor = {
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": self.uri(name, version),
                      "storage": {"key": "kept", "path": f"{name}/{version}", "parameters": parameters},
                      "env": [{"name": "HF_TOKEN", "value": s("hftoken")}]},
            "volumes": [{"name": "v", "csi": {"driver": "d", "volumeAttributes": {"accessKey": s("volume")}}}],
        }
        return {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
                "metadata": self.metadata(name),
                "spec": {"predictor": predictor, "transformer": {"containers": self.containers("transformer")}}}

    def core2(self, name="core2", version="v1"):
        s = self.word
        return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": self.metadata(name),
                "spec": {"storageUri": f"gs://u:{s('gs')}@bucket/{name}/{version}#{PUBLIC}", "secretName": "kept",
                         "requirements": ["sklearn"],
                         "parameters": [{"name": "hf_token", "value": s("core2parameter")}]}}

    def graph(self, name="graph"):
        s = self.word
        steps = [{"serviceUrl": f"http://u:{s('serviceurl')}@svc/{PUBLIC}?token={s('servicequery')}"},
                 {"serviceName": "kserve"}]
        return {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "InferenceGraph", "metadata": self.metadata(name),
                "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}}}

    def objects(self):
        return [self.seldon(), self.kserve(), self.core2(), self.graph()]


PLURALS = {"SeldonDeployment": "seldondeployments", "InferenceService": "inferenceservices", "Model": "models",
           "InferenceGraph": "inferencegraphs"}
# What a reader must still be told: the identity without what was secret in it.
ARTIFACTS = {"s3://bucket/seldon/v1", "s3://bucket/seldon-explainer/v1", "s3://bucket/kserve/v1"}


def status_of(planted, kind):
    """What a controller may write."""
    s = planted.word
    return {"state": "Failed", "description": f"cannot read s3://k:{s('statususer')}@b/x?sig={s('statusquery')}",
            "conditions": [{"type": "Ready", "status": "False", "reason": "Failed",
                            "message": f"{PUBLIC} {kind}: login with password: {s('condition')} failed"}]}


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path, database, {"c1": ("c1", None)})
    yield system
    system.stop()


def everything_said(system):
    """The output of every command that shows something, raw objects included."""
    said = []

    def ask(*words):
        done = system.ask(*words)
        assert done.returncode in (0, 1, 6), (words, done.stderr)
        said.append(done.stdout + done.stderr)
        return done.stdout

    for noun in ("models", "versions", "deployments", "changes", "events", "people", "attempts", "coverage"):
        for form in ("wide", "json", "csv"):
            ask("list", noun, "-o", form, "--limit", "9999")
    for words in (["matrix"], ["doctor"], ["who", "alice", "-o", "wide"]):
        ask(*words)
    for view, key in (("deployments", "deployment_id"), ("changes", "change_id"), ("events", "event_id")):
        for number, row in enumerate(system.rows(f"SELECT {key} AS id FROM modeltrail_v1.{view}")):
            ask("show", row["id"], "-o", "json" if number % 2 else "table")
    for row in system.rows("SELECT DISTINCT model, artifact FROM modeltrail_v1.deployments"):
        ask("history", row["model"])
        ask("where", row["model"], "-o", "wide")
        if row["artifact"]:
            ask("where", row["artifact"], "-o", "json")
    return "\n".join(said).encode()


def dump(database):
    """pg_dump, and every bytea of it decoded."""
    done = subprocess.run([database.cluster.bindir / "pg_dump", "--no-owner"], env=database.env(), capture_output=True,
                          check=True)
    decoded = [bytes.fromhex(found.decode()) for found in re.findall(rb"\\\\x((?:[0-9a-f]{2})+)", done.stdout)]
    return done.stdout, b"\n".join(decoded)


def spool_rows(path):
    """What a reader of the spool gets: pages may hold a row in pieces."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as spool:
        tables = [name for name, in spool.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [cell for table in tables for row in spool.execute(f'SELECT * FROM "{table}"') for cell in row]
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


class Places:
    """Everywhere where a secret must not be, collected while the programs run and after they ended."""

    def __init__(self, system):
        self.system, self.found = system, {}

    def look_at_spool(self, when):
        for path in self.system.folder.glob("*.db*"):
            self.found[f"{when} {path.name}"] = path.read_bytes()
        for path in self.system.folder.glob("*.db") if when == "ended" else ():  # it locks its spool
            self.found[f"rows of {path.name}"] = spool_rows(path)

    def look_at_rest(self):
        system = self.system
        self.found["output"] = everything_said(system)
        self.found["dump"], self.found["bytes of the dump"] = dump(system.database)
        for path in system.folder.glob("*.log"):
            if not path.name.startswith("audit"):
                self.found[path.name] = path.read_bytes()
        self.found["PostgreSQL's log"] = (system.database.cluster.folder / "server.log").read_bytes()

    def assert_free_of(self, words):
        leaks = {}
        for place, text in self.found.items():
            for word in words:
                if word.encode() in text or word.encode().hex().encode() in text:
                    leaks.setdefault(word, []).append(place)
        assert not leaks, "\n".join(f"{word}: {', '.join(places)}" for word, places in leaks.items())

    def assert_hold(self, word, *places):
        """The control: what is not secret is found in these places."""
        for place in places:
            assert word.encode() in self.found[place], place


def own_keys(system):
    """Keys of the programs themselves: they are in no other place either."""
    return [(system.folder / f"{name}.key").read_text().strip() for name in ("store", "c1")]


def test_planted_secrets_from_the_watch(system):
    """Listed, watched, changed, deleted; with managedFields and status, which a test's API server lets us write."""
    planted = Planted()
    system.start_store()
    places = Places(system)
    with FakeKube(token="s3cr3tapitoken") as fake:
        def put(obj):
            s = planted.word
            fields = {f'k:{{"name":"{s("fieldkey")}"}}': {".": {}, f'v:"{s("fieldvalue")}"': {}}, "f:team": PUBLIC}
            obj["metadata"]["managedFields"] = [{
                "manager": "kubectl", "operation": "Update", "apiVersion": obj["apiVersion"],
                "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}]
            obj["status"] = status_of(planted, obj["kind"])
            obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
            return fake.put(obj, PLURALS[obj["kind"]])

        for obj in planted.objects():
            put(obj)
        fake.namespace_labels["risk"] = {"db-password": planted.word("namespace"), "team": PUBLIC}
        kubeconfig = fake.write_kubeconfig(system.folder / "kubeconfig")
        source = {"kubeconfig": str(kubeconfig), "namespaces": ["risk"], "timing": TIMING}
        system.start_collector("c1", [json.dumps({"kubernetes": source})])
        system.wait_for("SELECT count(*) FROM modeltrail.state", 4)
        uid = {plural: next(obj["metadata"]["uid"] for (its, _, _), obj in fake.objects.items() if its == plural)
               for plural in PLURALS.values()}
        for obj in (planted.seldon(version="v2"), planted.kserve(version="v2")):
            plural = PLURALS[obj["kind"]]
            obj["metadata"] |= {"uid": uid[plural], "generation": 2}
            put(obj)
        fake.delete("core2", plural="models")
        bad = planted.seldon("unusable")
        bad["spec"]["note"] = "\0"
        put(bad)
        too_large = planted.seldon("too-large")
        too_large["spec"]["note"] = [planted.word("large")] + ["x" * 1000] * 1500
        too_large["spec"]["predictors"][0]["password"] = planted.word("largepassword")
        planted.words.remove(next(word for word in planted.words if word.endswith("large")))  # a value like any other
        put(too_large)
        system.wait_for("SELECT count(*) FROM modeltrail.state", 8)
        system.wait_for("SELECT count(*) FROM modeltrail_v1.events WHERE is_quarantined", 1)
        places.look_at_spool("running")
        system.end("c1")
    places.look_at_spool("ended")
    places.look_at_rest()
    places.assert_hold(PUBLIC, "rows of c1.db", "dump", "bytes of the dump", "output")
    places.assert_free_of(planted.words + own_keys(system) + ["s3cr3tapitoken"])
    artifacts = {row["artifact"] for row in system.rows("SELECT artifact FROM modeltrail_v1.deployment_history")}
    assert artifacts >= ARTIFACTS | {uri.replace("/v1", "/v2") for uri in ARTIFACTS}
    names = system.rows(
        "SELECT body FROM modeltrail_v1.raw_events WHERE body LIKE '%secretKeyRef%' AND body LIKE '%\"redacted\"%'"
    )
    assert names and all('"key":"kept"' in row["body"] for row in names)  # where a secret is may be known


def test_planted_secrets_from_an_audit_log(system):
    """In requests and responses, accepted, refused, dry, and cut in the middle of a line."""
    planted = Planted()
    s = planted.word
    lines = []
    for number, obj in enumerate(planted.objects()):
        response = json.loads(json.dumps(obj))
        response["metadata"] |= {"uid": str(uuid.uuid4()), "resourceVersion": str(100 + number), "generation": 1,
                                 "creationTimestamp": time_of(0)[:19] + "Z"}
        event = audit_event(
            number, obj["metadata"]["name"], requestObject=planted.objects()[number], responseObject=response,
            objectRef={"resource": PLURALS[obj["kind"]], "namespace": "risk", "name": obj["metadata"]["name"],
                       "apiGroup": obj["apiVersion"].split("/")[0], "apiVersion": obj["apiVersion"].split("/")[1]},
            requestURI=f"/apis/x?token={s('requesturi')}",
            user={"username": "alice", "groups": [PUBLIC], "extra": {"example.com/token": [s("extra")]}},
            userAgent=f"{PUBLIC} --token={s('agent')}", annotations={"reason": s("auditannotation")},
        )
        lines.append(event)
    message = (f'admission webhook denied: spec.oauth_secret: Invalid value: "{s("invalid")}": {PUBLIC} '
               f'Unsupported value: "x\\"{s("unsupported")}" password={s("message")} '
               f's3://k:{s("messageurl")}@b/x?sig={s("messagequery")}')
    refused = audit_event(50, "refused", requestObject=planted.seldon("refused"), responseStatus={
        "code": 422, "reason": "Invalid", "status": "Failure", "message": message})
    refused["responseObject"] = {"kind": "Status", "apiVersion": "v1", "code": 422, "message": message}
    dry = audit_event(51, "dry", requestObject=planted.seldon("dry"), requestURI="/apis/x?dryRun=All")
    dry["responseObject"] |= {"spec": planted.seldon("dry")["spec"]}
    cut = json.dumps(audit_event(52, "cut", responseObject=planted.seldon("cut")))
    text = "".join(json.dumps(event) + "\n" for event in lines + [refused, dry]) + cut[:len(cut) - 40] + "\n"
    (system.folder / "audit-c1.json").write_text(text)
    system.start_store()
    places = Places(system)
    system.collect_once("c1", [f'audit_log: {{path: "{system.folder}/audit-c1.json", complete: true}}'])
    places.look_at_spool("ended")
    places.look_at_rest()
    places.assert_hold(PUBLIC, "rows of c1.db", "dump", "bytes of the dump", "output")
    places.assert_free_of(planted.words + own_keys(system))
    artifacts = {row["artifact"] for row in system.rows("SELECT artifact FROM modeltrail_v1.deployments")}
    assert artifacts >= ARTIFACTS
    attempts = system.rows("SELECT outcome, message FROM modeltrail_v1.attempts ORDER BY attempted_at")
    assert [row["outcome"] for row in attempts] == ["failed", "dry_run"]
    assert PUBLIC in attempts[0]["message"] and "Unsupported value" in attempts[0]["message"]
    assert len(system.rows("SELECT 1 AS x FROM modeltrail_v1.events WHERE is_quarantined")) == 1


def test_planted_secrets_in_a_real_cluster(new_cluster, system):
    """Watch and audit log of a real API server together: what it adds by itself (managedFields, messages) too."""
    planted = Planted()
    cluster = new_cluster("c1")
    cluster.create_namespace("risk", {"team": PUBLIC, "password": planted.word("namespace")})
    for user in ("alice", CI, ARGOCD):
        cluster.grant(user, rbac.WRITER, "risk")
    cluster.grant("collector", rbac.READER, "risk")
    system.start_store()
    kubeconfig = cluster.kubeconfig(system.folder / "kubeconfig")
    system.start_collector("c1", [
        json.dumps({"kubernetes": {"kubeconfig": str(kubeconfig), "namespaces": ["risk"]}}),
        json.dumps({"audit_log": {"path": str(cluster.audit_log), "complete": True}}),
    ])
    alice = cluster.client("alice")
    for number, obj in enumerate(planted.objects()):
        code, body = alice.apply(obj) if number % 2 else alice.create(obj)
        assert code == 201, body
    for obj in (planted.seldon(version="v2"), planted.kserve(version="v2")):
        assert alice.apply(obj)[0] == 200
        admin = cluster.client("admin")
        code, body = admin.patch_status(obj["kind"], "risk", obj["metadata"]["name"], status_of(planted, obj["kind"]))
        assert code == 200, body
    refused = planted.seldon("refused")
    refused["metadata"]["labels"]["password"] = planted.word("invalidlabel") + " is no label"
    assert alice.create(refused)[0] == 422
    assert alice.apply(planted.seldon("dry"), dry_run=True)[0] in (200, 201)
    assert alice.delete("Model", "risk", "core2")[0] == 200
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE change_type = 'removed'"
                    " AND attribution = 'exact'", 1)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.attempts", 2)
    time.sleep(0.5)
    places = Places(system)
    places.look_at_spool("running")
    system.end("c1")
    places.look_at_spool("ended")
    places.look_at_rest()
    places.assert_hold(PUBLIC, "rows of c1.db", "dump", "bytes of the dump", "output")
    tokens = [cluster.token(user) for user in ("collector", "alice")]
    places.assert_free_of(planted.words + own_keys(system) + tokens)
    artifacts = {row["artifact"] for row in system.rows("SELECT artifact FROM modeltrail_v1.deployment_history")}
    assert artifacts >= ARTIFACTS | {uri.replace("/v1", "/v2") for uri in ARTIFACTS}
