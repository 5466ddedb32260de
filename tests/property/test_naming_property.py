"""Names by the fold against the oracle's: the examples of docs/naming.md, and anything at all."""

import random
import re
from pathlib import Path

from oracle.facts import RawPlacement
from oracle.naming import name_placement
from property.checking import disagreement, driver
from property.kinds import draw_odd_version, placement

ROOT = Path(__file__).resolve().parents[2]
LABELS = {
    "model": "modeltrail.io/model",
    "version": "modeltrail.io/version",
    "digest": "modeltrail.io/digest",
    "name": "modelregistry.kubeflow.org/name",
    "registered-model-id": "modelregistry.kubeflow.org/registered-model-id",
    "model-version-id": "modelregistry.kubeflow.org/model-version-id",
}
MEMBERS = {"n": "node", "a": "artifact_version", "i": "image", "d": "digest"}
PATTERN = "s3://models-{environment}/{model}/{version}"
PATTERNS = (
    PATTERN,
    "s3://b/{model}",
    "S3A://Models-Dev/{model}/{version}/",
    "{scheme}://host.example/{model}-{version}",
    "https://host/{a}/{b}/{model}/{version}",
    "gs://{model}-{version}",
    "hf://{model}@{version}",
    "{model}/{version}",
    "oci://{environment}/{model}:{version}",
    "http://host/{version}/{model}/{model}",
    "pvc://b/{1}{2}{3}{4}{5}{6}{7}{model}{version}",
    "file:{model}",
    "no placeholder",
    "s3://b/{unclosed",
    "",
)


def _example(given):
    """(uri, members, labels) of a cell like "`s3://b/x` `a=2` `model=credit`"."""
    uri, members, labels = None, {}, {}
    for part in re.findall(r"`([^`]+)`", given):
        key, equals, value = part.partition("=")
        if equals and key in MEMBERS:
            members[MEMBERS[key]] = value
        elif equals and key in LABELS:
            labels[LABELS[key]] = value
        else:
            uri = part
    return uri, members, labels


def test_oracle_gives_the_documented_examples():
    text = (ROOT / "docs" / "naming.md").read_text()
    rows = [line.strip("| \n").split(" | ") for line in text.split("## Examples")[1].splitlines()
            if line.startswith("| ") and not line.startswith("| ---")][1:]
    assert len(rows) >= 20
    for given, model, version, artifact, digest, source in rows:
        uri, members, labels = _example(given)
        empty = dict.fromkeys(("node", "artifact_version", "image", "digest"))
        raw = RawPlacement(
            component="m", role="live", traffic=None, stopped=False, replicas=None, uri=uri,
            labels=tuple(sorted(labels.items())), revisioned=False, **{**empty, **members},
        )
        is_ours = re.match("s3a?://models-", uri or "", re.IGNORECASE)
        patterns = [PATTERN] if is_ours else []
        named = name_placement(raw, "fraud", patterns)
        found = [named.model, named.version, named.artifact, named.artifact_digest]
        wanted = [model, version, artifact, digest]
        if version == "~":
            assert re.fullmatch("[0-9a-f]{12}", named.version), given
            found[1] = "~"
        found = ["-" if value is None else value for value in found]
        assert (found, named.identity_source) == (wanted, source), given


def _world(seed, placements=500):
    """One central file and many workloads of one placement each."""
    rng = random.Random(seed)
    patterns = rng.sample(PATTERNS, rng.randrange(12))
    central = {"environments": [], "artifacts": patterns, "people": [], "applied_by": "admin"}
    entries = [{"type": "dev.modeltrail.central.applied.v1", "data": central}]
    for number in range(placements):
        raw = placement("m", "live", None, draw_odd_version(rng), node=rng.choice((None, "node")))
        entries.append({"type": "dev.modeltrail.workload.observed.v1", "data": {
            "cluster": "c1", "namespace": "n", "name": "fraud", "resource": "r.g", "kind": "K",
            "uid": f"{number:08x}-0000-4000-8000-000000000000", "position": "1", "generation": "1",
            "extractor": 1, "at": "2026-01-01T00:00:00.000000Z", "at_source": "audit",
            "placements": [raw],
        }})
    return entries


def test_fold_names_as_the_oracle_does():
    for seed in range(8):
        failure = disagreement(driver("driver_fold_run"), _world(seed))
        assert not failure, f"seed {seed}: {failure}"
