"""Roles and bindings for the test users. What is not granted is refused with 403."""

from .kube_client import MODEL_KINDS, RBAC

_GROUPS = sorted({resource.group for resource in MODEL_KINDS.values()})
_PLURALS = sorted({resource.plural for resource in MODEL_KINDS.values()})

_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete", "deletecollection"]

# What a collector needs and no more; `namespaces` lets it read the labels of its own namespace.
READER = [
    {"apiGroups": _GROUPS, "resources": _PLURALS, "verbs": _READ},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": _READ},
]

# What people and deployers need: model objects and their scale, never their status.
WRITER = [
    {"apiGroups": _GROUPS, "resources": _PLURALS, "verbs": _READ + _WRITE},
    {"apiGroups": _GROUPS, "resources": [f"{plural}/scale" for plural in _PLURALS],
     "verbs": ["get", "update", "patch"]},
]

# What the serving controllers need: they rewrite objects and own the status.
CONTROLLER = [
    {"apiGroups": _GROUPS, "resources": _PLURALS, "verbs": _READ + ["update", "patch"]},
    {"apiGroups": _GROUPS, "resources": [f"{plural}/status" for plural in _PLURALS],
     "verbs": ["get", "update", "patch"]},
]


def grant(user: str, rights: list[dict], *namespaces: str) -> list[dict]:
    """The manifests that give `user` the rights in namespaces, or in the whole cluster without."""
    name = user.replace(":", "-").replace("/", "-")
    if not namespaces:
        return _pair("Cluster", name, user, rights, {"name": name})
    return [manifest for namespace in namespaces
            for manifest in _pair("", name, user, rights, {"name": name, "namespace": namespace})]


def _pair(scope: str, name: str, user: str, rights: list[dict], metadata: dict) -> list[dict]:
    role = {"apiVersion": f"{RBAC}/v1", "kind": f"{scope}Role", "metadata": metadata,
            "rules": rights}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{scope}RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": f"{scope}Role", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    return [role, binding]
