"""Certificates and callers for the collector's webhooks: what an API server does, and what it never would."""

import base64
import http.client
import json
import socket
import ssl
import subprocess
import uuid
from pathlib import Path

import yaml

from .build import ROOT


class Authority:
    """A CA of a test's own, in `folder`."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate,
                      "-addext", "basicConstraints=critical,CA:TRUE")

    @staticmethod
    def _openssl(*args) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def issue(self, name: str, usage: str = "serverAuth") -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and localhost, and its key."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extensions = self.folder / f"{name}.crt", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={usage}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key


class Caller:
    """One kept-alive HTTPS connection to a webhook."""

    def __init__(self, port: int, ca_file, client=None, token: str | None = None, timeout: float = 30):
        self.port = port
        self.timeout = timeout
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.tls = ssl.create_default_context(cafile=str(ca_file))
        if client:
            self.tls.load_cert_chain(*map(str, client))
        self._connection = None

    def post(self, path: str, body, **headers):
        """(code, parsed answer or text)."""
        payload = body if isinstance(body, (bytes, str)) else json.dumps(body)
        if self._connection is None:
            self._connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=self.timeout,
                                                           context=self.tls)
        try:
            self._connection.request("POST", path, payload, self.headers | headers)
            answer = self._connection.getresponse()
            text = answer.read()
            self.answer_headers = answer.headers
            if answer.will_close:
                self.close()
        except BaseException:
            self.close()
            raise
        return answer.status, json.loads(text) if text.startswith(b"{") else text.decode()

    def serial(self) -> str:
        """The serial number of the certificate that is shown to a new connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            with self.tls.wrap_socket(plain, server_hostname="127.0.0.1") as channel:
                return channel.getpeercert()["serialNumber"]

    def raw(self) -> ssl.SSLSocket:
        """A TLS connection to write anything to."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1")

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def model(name: str, uid: str | None = None, generation: int = 1, namespace: str = "dev", **meta) -> dict:
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
            "metadata": {"name": name, "namespace": namespace, "uid": uid or str(uuid.uuid4()),
                         "generation": generation} | meta,
            "spec": {"storageUri": f"s3://models/{name}"}}


def review(number=None, operation: str = "CREATE", **changes) -> dict:
    """The review of one create of a Model, as a 1.34 API server sends it."""
    uid = str(uuid.uuid4()) if number is None else str(uuid.uuid5(uuid.NAMESPACE_URL, f"review-{number}"))
    name = f"model-{number}"
    resource = {"group": "mlops.seldon.io", "version": "v1alpha1", "resource": "models"}
    kind = {"group": "mlops.seldon.io", "version": "v1alpha1", "kind": "Model"}
    request = {"uid": uid, "kind": kind, "resource": resource, "requestKind": kind,
               "requestResource": resource, "name": name, "namespace": "dev", "operation": operation,
               "userInfo": {"username": "alice", "groups": ["data-science", "system:authenticated"]},
               "object": model(name), "oldObject": None, "dryRun": False,
               "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request | changes}


def event_list(events: list[dict]) -> dict:
    """A list as the API server writes it: its items do not say what they are."""
    events = [{key: value for key, value in event.items() if key not in ("kind", "apiVersion")} for event in events]
    return {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}


def admission_configuration(port: int, authority: Authority) -> dict:
    """The manifest that we ship; a URL stands in for the Service, which no controller serves in tests."""
    _, config = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "admission-webhook.yaml").read_text())
    (hook,) = config["webhooks"]
    hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}/admission",
                            "caBundle": base64.b64encode(authority.certificate.read_bytes()).decode()}
    return config
