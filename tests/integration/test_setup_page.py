"""docs/setup.md can be copied: its roles are those that the tests' collectors live with, its audit policy names all kinds."""

from pathlib import Path

import yaml
from support import rbac
from support.kube_client import MODEL_KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs/setup.md"


def manifests() -> dict[str, dict]:
    blocks = PAGE.read_text().split("```yaml\n")[1:]
    found = [each for block in blocks for each in yaml.safe_load_all(block.split("```")[0]) if isinstance(each, dict)]
    return {each["kind"]: each for each in found if "kind" in each}  # others are parts to be put into these


def rights(rules):
    return {
        (group, resource, verb)
        for rule in rules for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]
    }


def test_the_roles_are_those_of_the_tests():
    found = manifests()
    for kind in ("Role", "ClusterRole"):
        assert rights(found[kind]["rules"]) == rights(rbac.READER)
        binding = found[f"{kind}Binding"]
        assert binding["roleRef"] == {"apiGroup": rbac.RBAC, "kind": kind, "name": found[kind]["metadata"]["name"]}


def test_the_audit_policy_has_every_group_with_its_responses():
    rules = manifests()["Policy"]["rules"]
    [full] = [rule for rule in rules if rule["level"] == "RequestResponse"]
    groups = {entry["group"]: entry.get("resources") for entry in full["resources"]}
    assert groups == {resource.group: None for resource in MODEL_KINDS.values()} | {"": ["namespaces"]}
