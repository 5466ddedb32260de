"""docs/fleet.md, command by command, on a real API server: from nothing to attributed changes with three applies.

What a kubelet and a kube-proxy would do is done here by hand, and no more: files are put where the pod's volumes would
be, its commands are run as its service account, and the webhook's Service leads to this machine.
"""

import base64
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from integration.test_gitops import READER as READS
from integration.test_setup_page import rights
from support import kubectl, rbac
from support.build import ROOT, program, run
from support.kube_client import MODEL_KINDS, Client, write_kubeconfig
from support.process import Daemon, free_port
from support.system import System

MANIFESTS = ROOT / "deploy" / "kubernetes"
PLACE = "/api/v1/namespaces/modeltrail"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/modeltrail-collector"
STATEFUL_SET = "/apis/apps/v1/namespaces/modeltrail/statefulsets/modeltrail-collector"
NAME = "modeltrail-collector"


def commands() -> list[str]:
    """The page's shell: the variables, and the three applies."""
    return [block.split("```")[0] for block in (ROOT / "docs/fleet.md").read_text().split("```sh\n")[1:]]


class Enrolling(System):
    """A store that lets nobody in until somebody is enrolled."""

    def __init__(self, folder, database):
        self.enrolled = folder / "collectors.d"
        self.enrolled.mkdir(parents=True)
        super().__init__(folder, database, {})

    def write_store_config(self, without=()):
        self.config = self.folder / "store.yaml"
        self.config.write_text(f"listen: {self.endpoint}\nkey_file: {self.folder}/store.key\n"
                               f"collectors_folder: {self.enrolled}\n")

    def enrol(self, line: str) -> None:
        """Runs the printed command on the store's machine, and lets the store read it."""
        words = shlex.split(line)
        assert words[:2] == ["modeltrail-store", "enrol"]
        done = run(*words, "--config", self.config)
        assert done.returncode == 0, done.stderr
        os.kill(self.daemons["store"].pid, signal.SIGHUP)
        self.daemons["store"].wait_until(lambda: "allow-list reloaded" in self.log("store"))


class Pod:
    """The StatefulSet's pod, as far as a process is one."""

    def __init__(self, cluster, folder):
        self.admin = cluster.client("admin")
        self.cluster, self.folder, self.port = cluster, folder, free_port()
        self.template = self.get(STATEFUL_SET)["spec"]["template"]["spec"]
        for name in ("tls", "spool"):
            (folder / name).mkdir(parents=True)
        self.daemon = None

    def get(self, path):
        code, body = self.admin.request("GET", path)
        assert code == 200, body
        return body

    def service_account(self) -> Client:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        account = self.template["serviceAccountName"]
        code, body = self.admin.request("POST", f"{PLACE}/serviceaccounts/{account}/token", body)
        assert code == 201, body
        return Client(self.cluster.server, body["status"]["token"], self.cluster.ca_file)

    def mount(self) -> None:
        """The Secret's files, with the mode that a Secret's volume gives; the ConfigMap with the paths of here."""
        [secret] = [volume["secret"]["secretName"] for volume in self.template["volumes"] if "secret" in volume]
        for name, value in self.get(f"{PLACE}/secrets/{secret}")["data"].items():
            fresh = self.folder / "tls" / f"{name}.new"
            fresh.write_bytes(base64.b64decode(value))
            fresh.chmod(0o640)
            fresh.rename(self.folder / "tls" / name)
        [configuration] = [volume["configMap"]["name"] for volume in self.template["volumes"] if "configMap" in volume]
        self.told = self.get(f"{PLACE}/configmaps/{configuration}")["data"]["collector.yaml"]
        kubeconfig = write_kubeconfig(self.folder / "kubeconfig", self.cluster.server, self.cluster.ca_file,
                                      self.service_account().token, "c1", "collector")
        text = self.told
        for theirs, ours in {"/var/lib/modeltrail": f"{self.folder}/spool", " /tls/": f" {self.folder}/tls/",
                             "0.0.0.0:7463": f"127.0.0.1:{self.port}",
                             "kubernetes: {}": f"kubernetes: {{kubeconfig: {kubeconfig}}}"}.items():
            assert theirs in text
            text = text.replace(theirs, ours)
        (self.folder / "collector.yaml").write_text(text)

    def argv(self, container) -> list[str]:
        command = [word.replace("/etc/modeltrail", str(self.folder)) for word in container["command"]]
        return [program(command[0]), *command[1:]]

    def initialise(self) -> str:
        """What the log of the init container has."""
        [container] = self.template["initContainers"]
        done = subprocess.run(self.argv(container), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        [container] = self.template["containers"]
        self.daemon = Daemon(self.argv(container), self.folder / "log")

    def be_reached(self) -> None:
        """There is no kube-proxy: the Service leads here by name, and the port is the one that is free here."""
        service = self.get(f"{PLACE}/services/{NAME}")
        service["spec"] = {"type": "ExternalName", "externalName": "localhost"}
        code, body = self.admin.request("PUT", f"{PLACE}/services/{NAME}", service)
        assert code == 200, body
        configuration = self.get(WEBHOOK)
        configuration["webhooks"][0]["clientConfig"]["service"]["port"] = self.port
        code, body = self.admin.request("PUT", WEBHOOK, configuration)
        assert code == 200, body

    def shown(self) -> str:
        return ssl.get_server_certificate(("127.0.0.1", self.port))

    def log(self) -> str:
        return (self.folder / "log").read_text()


def model(name, version):
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": {"name": name, "namespace": "risk-prod"},
            "spec": {"storageUri": f"s3://models/{name}/{version}"}}


class Fleet:
    def __init__(self, cluster, folder, system):
        self.cluster, self.folder, self.system = cluster, folder, system
        self.env = os.environ | {"PATH": kubectl.put_on_path(folder / "bin"),
                                 "KUBECONFIG": str(cluster.kubeconfig(folder / "admin", "admin"))}

    def shell(self, text) -> str:
        """Runs commands of the page in a checkout, with the values of here."""
        values = f'IMAGE=registry.example/modeltrail:1 CLUSTER=prod-eu STORE={self.system.endpoint} STORE_KEY={self.system.store_key}\n'
        text = text.replace(" webhook-ca ", f" {self.folder}/webhook-ca ")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", values + text], cwd=ROOT, env=self.env,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def fleet(new_cluster, database, tmp_path):
    system = Enrolling(tmp_path / "store", database)
    system.start_store()
    cluster = new_cluster("prod-eu")
    cluster.create_namespace("risk-prod")
    for user in ("alice", "bob"):
        cluster.grant(user, rbac.WRITER, "risk-prod")
    yield Fleet(cluster, tmp_path, system)
    system.stop()


def wait_until_called(fleet, pod):
    """The webhook's configuration takes a moment to be in force."""
    alice, deadline = fleet.cluster.client("alice"), time.monotonic() + 30
    while fleet.system.database.psql("SELECT count(*) FROM modeltrail.request") == [("0",)]:
        assert time.monotonic() < deadline, pod.log()
        alice.create(model("probe", 1), dry_run=True)
        time.sleep(0.2)


@pytest.mark.slow
def test_three_applies_lead_to_attributed_changes(fleet, tmp_path):
    variables, applies = commands()
    assert variables.split("=")[0] == "IMAGE" and {"CLUSTER=", "STORE=", "STORE_KEY="} < set(
        word.split("=")[0] + "=" for word in shlex.split(variables))
    assert applies.count("kubectl apply") == 3 == applies.count("kubectl")
    fleet.shell(applies)
    pod = Pod(fleet.cluster, tmp_path / "pod")
    pod.mount()
    for word in ("CLUSTER-NAME", "STORE-ADDRESS", "STORE-KEY", "IMAGE"):
        assert word not in pod.told and word not in str(pod.template)
    fleet.system.enrol(pod.initialise())
    pod.be_reached()
    pod.start()
    try:
        attribute(fleet, pod)
        exchange_the_certificate(fleet, pod, applies)
        is_let_read_alone(pod)
    finally:
        pod.daemon.end()


def attribute(fleet, pod):
    alice, bob = fleet.cluster.client("alice"), fleet.cluster.client("bob")
    fleet.system.wait_for("SELECT count(DISTINCT resource) FROM modeltrail.listing", len(MODEL_KINDS))
    wait_until_called(fleet, pod)
    for _ in range(3):  # the readiness probe
        socket.create_connection(("127.0.0.1", pod.port)).close()
    assert alice.create(model("fraud", 1))[0] == 201
    assert bob.merge_patch("Model", "risk-prod", "fraud", {"spec": {"storageUri": "s3://models/fraud/2"}})[0] == 200
    assert alice.create(model("churn", 1))[0] == 201
    assert bob.delete("Model", "risk-prod", "churn")[0] == 200
    fleet.system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'", 4)
    assert fleet.system.database.psql(
        "SELECT workload, change_type, deployed_by, evidence, cluster FROM modeltrail_v1.changes"
        " ORDER BY workload DESC, happened_at") == [
            ("Model/fraud", "deployed", "alice", "admission", "prod-eu"),
            ("Model/fraud", "upgraded", "bob", "admission", "prod-eu"),
            ("Model/churn", "deployed", "alice", "admission", "prod-eu"),
            ("Model/churn", "removed", "bob", "admission", "prod-eu")]
    for words, shown in (("list clusters", "prod-eu"), ("list changes --cluster prod-eu", "alice")):  # as the page says
        done = fleet.system.ask(*words.split())
        assert done.returncode == 0 and shown in done.stdout, done
    assert "refused" not in pod.log()


def exchange_the_certificate(fleet, pod, applies):
    """The second command once more: the collector shows the new certificate, and the API server believes it at once."""
    old, authority = pod.shown(), (fleet.folder / "webhook-ca" / "ca.crt").read_bytes()
    [again] = [line for line in applies.splitlines() if "webhook-certificate" in line]
    fleet.shell(again)
    pod.mount()
    pod.be_reached()
    pod.daemon.wait_until(lambda: pod.shown() != old)
    assert (fleet.folder / "webhook-ca" / "ca.crt").read_bytes() == authority
    alice = fleet.cluster.client("alice")
    for version in range(3, 8):
        assert alice.merge_patch("Model", "risk-prod", "fraud", {"spec": {"storageUri": f"s3://models/fraud/{version}"}})[0] == 200
    fleet.system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact' AND deployed_by = 'alice'", 7)


def is_let_read_alone(pod):
    account = pod.service_account()
    assert account.list("Model")[0] == account.list("Namespace")[0] == 200
    assert account.request("GET", "/apis/argoproj.io/v1alpha1/applications")[0] == 404  # allowed, and not installed
    for kind in ("Secret", "ConfigMap", "ClusterRole", "CustomResourceDefinition"):
        assert account.list(kind)[0] == 403, kind
    assert account.create(model("own", 1))[0] == account.delete("Model", "risk-prod", "fraud")[0] == 403
    assert account.merge_patch("Model", "risk-prod", "fraud", {"spec": {"storageUri": "s3://x"}})[0] == 403
    assert account.delete("Namespace", None, "risk-prod")[0] == 403
    assert account.get("Secret", "modeltrail", "modeltrail-webhook-tls")[0] == 403


def test_the_pod_passes_the_restricted_standard(fleet):
    """The namespace enforces it, and a real API server says what it would let in."""
    _, applies = commands()
    fleet.shell(applies.split("deploy/kubernetes/webhook-certificate")[0])
    admin = fleet.cluster.client("admin")
    code, found = admin.request("GET", STATEFUL_SET)
    assert code == 200
    spec = found["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "spool", "emptyDir": {}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "modeltrail"}, "spec": spec}
    code, body = admin.request("POST", f"{PLACE}/pods", pod, dryRun="All")
    assert code == 201, body
    for part in (spec, spec["containers"][0], spec["initContainers"][0]):
        kept = part.pop("securityContext")
        code, body = admin.request("POST", f"{PLACE}/pods", pod, dryRun="All")
        assert code == 403 and "restricted" in body["message"], body
        part["securityContext"] = kept


CONFINED = """
set -e
mount --bind "$1/lib" "$1/lib"
mount -o remount,bind,ro /
mount -o remount,bind,ro "$(stat -c %m "$1")" 2>/dev/null || true
if touch "$1/elsewhere" 2>/dev/null; then echo "not read-only"; exit 9; fi
as_pod="setpriv --reuid 10001 --regid 10001 --groups 10001 --no-new-privs --bounding-set=-all --inh-caps=-all"
$as_pod "$1/modeltrail-collector" enrol --config "$1/collector.yaml"
exec timeout --preserve-status 4 $as_pod "$1/modeltrail-collector" --config "$1/collector.yaml"
"""


def can_confine() -> bool:
    return os.geteuid() == 0 and shutil.which("setpriv") and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_confine(), reason="optional: needs to be root, and mount namespaces")
def test_the_programs_run_as_confined_as_the_pod_is():
    """Not root, no capability, all files read-only but for the volume's, which its group may write."""
    folder = Path(tempfile.mkdtemp(prefix="modeltrail-pod-"))  # others may enter it, unlike pytest's
    try:
        folder.chmod(0o755)
        shutil.copy(program("modeltrail-collector"), folder)
        for name, mode in (("lib", 0o2775), ("tls", 0o755)):
            (folder / name).mkdir()
            os.chown(folder / name, 0, 10001)
            (folder / name).chmod(mode)
        secret = next(yaml.safe_load_all(certificate([folder / "ca"]).stdout))
        for name, value in secret["data"].items():
            (folder / "tls" / name).write_bytes(base64.b64decode(value))
            os.chown(folder / "tls" / name, 0, 10001)
            (folder / "tls" / name).chmod(0o640)
        [told] = [part["data"]["collector.yaml"] for part in yaml.safe_load_all((MANIFESTS / "collector.yaml").read_text())
                  if part["kind"] == "ConfigMap"]
        told = told.replace("CLUSTER-NAME", "c1").replace("STORE-ADDRESS", f"tcp://127.0.0.1:{free_port()}")
        told = told.replace("STORE-KEY", run("modeltrail-store", "keygen", folder / "key").stdout.strip())
        told = told.replace("/var/lib/modeltrail", f"{folder}/lib").replace(" /tls/", f" {folder}/tls/")
        told = told.replace("0.0.0.0:7463", f"127.0.0.1:{free_port()}").replace("  - kubernetes: {}\n", "")
        (folder / "collector.yaml").write_text(told)
        done = subprocess.run(["unshare", "-m", "bash", "-c", CONFINED, "pod", folder], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("modeltrail-store enrol c1 ") and "webhook listens" in done.stderr
        key = (folder / "lib" / "collector.key").stat()
        assert (key.st_uid, key.st_mode & 0o777) == (10001, 0o600)
    finally:
        shutil.rmtree(folder)


def test_the_parts_fit_together():
    parts = {each["kind"]: each for each in yaml.safe_load_all((MANIFESTS / "collector.yaml").read_text())}
    service, webhook = yaml.safe_load_all((MANIFESTS / "admission-webhook.yaml").read_text())
    assert rights(parts["ClusterRole"]["rules"]) == rights(READS)
    assert parts["ClusterRoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": NAME, "namespace": parts["Namespace"]["metadata"]["name"]}]
    template = parts["StatefulSet"]["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"] == parts["StatefulSet"]["spec"]["selector"]["matchLabels"]
    [container] = template["spec"]["containers"]
    [port] = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["containerPort"] == 7463
    client = webhook["webhooks"][0]["clientConfig"]["service"]
    assert (client["name"], client["namespace"], client["port"]) == (
        service["metadata"]["name"], service["metadata"]["namespace"], service["spec"]["ports"][0]["port"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in template["spec"]["volumes"] + [
        claim["metadata"] for claim in parts["StatefulSet"]["spec"]["volumeClaimTemplates"]]}
    assert set(mounts) == volumes
    configuration = yaml.safe_load(parts["ConfigMap"]["data"]["collector.yaml"])
    for path in (configuration["spool"], configuration["key_file"]):
        assert path.startswith(mounts["spool"] + "/")
    assert configuration["sources"][1]["admission"]["tls_key"] == mounts["tls"] + "/tls.key"


def certificate(folder):
    return subprocess.run([MANIFESTS / "webhook-certificate", *folder], capture_output=True, text=True, timeout=60)


def test_the_certificate_is_for_the_service_and_of_the_ca(tmp_path):
    done = certificate([tmp_path / "ca"])
    assert done.returncode == 0, done.stderr
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "ca").iterdir()} == {"ca.key": 0o600, "ca.crt": 0o600}
    secret, _, webhook = yaml.safe_load_all(done.stdout)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(base64.b64decode(secret["data"][name]))
    bundle = tmp_path / "bundle"
    bundle.write_bytes(base64.b64decode(webhook["webhooks"][0]["clientConfig"]["caBundle"]))
    assert bundle.read_bytes() == (tmp_path / "ca" / "ca.crt").read_bytes()
    checked = subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", f"{NAME}.modeltrail.svc",
                              "-CAfile", bundle, tmp_path / "tls.crt"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    ssl.create_default_context().load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")  # they are a pair


@pytest.mark.parametrize("words, code", [([], 2), (["-h"], 2), (["a", "b"], 2)])
def test_the_certificate_wants_a_folder(words, code):
    done = certificate(words)
    assert (done.returncode, done.stdout) == (code, "") and "usage:" in done.stderr


def test_half_a_ca_is_not_replaced(tmp_path):
    """A new CA under the old name would make every cluster's webhook fail in silence."""
    (tmp_path / "ca.key").write_text("")
    done = certificate([tmp_path])
    assert (done.returncode, done.stdout) == (1, "") and "ca.crt" in done.stderr
    (tmp_path / "ca.crt").write_text("")
    done = certificate([tmp_path])
    assert (done.returncode, done.stdout) == (1, "") and "openssl" in done.stderr
