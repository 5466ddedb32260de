"""The attribution policy on a test's API server, and audit lines at a lower level than they were written."""

import json
import time

import yaml

from .build import ROOT

POLICY = ROOT / "deploy" / "kubernetes" / "attribution-policy.yaml"
PLURALS = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies",
           "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings"}


def install_policy(cluster, timeout: float = 30) -> None:
    """Applies the policy as shipped, and waits until it is in force: the API server reads it a little later."""
    admin = cluster.client("admin")
    for manifest in yaml.safe_load_all(POLICY.read_text()):
        path = f"/apis/admissionregistration.k8s.io/v1/{PLURALS[manifest['kind']]}/{manifest['metadata']['name']}"
        code, body = admin.request("PATCH", path, manifest, "application/apply-patch+yaml", fieldManager="test", force="true")
        assert code in (200, 201), body
    probe = {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": {"name": "probe", "namespace": "default"},
             "spec": {"storageUri": "s3://a/b"}}
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        code, body = admin.create(probe, dry_run=True)
        assert code == 201, body
        if "attribution.modeltrail.io/created-uid" in audit_of(cluster, admin.audit_id).get("annotations", {}):
            return
    raise AssertionError("the policy did not come into force")


def audit_of(cluster, audit_id: str, timeout: float = 20) -> dict:
    """The final audit event of one request, once it is written."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for line in cluster.audit_log.read_text().splitlines():
            if audit_id in line and '"ResponseComplete"' in line:
                return json.loads(line)
        time.sleep(0.02)
    raise AssertionError(f"no audit event {audit_id}")


def at_metadata(event: dict) -> dict:
    """The event as an API server writes it at level Metadata."""
    return {key: value for key, value in event.items() if key not in ("requestObject", "responseObject")} | {"level": "Metadata"}
