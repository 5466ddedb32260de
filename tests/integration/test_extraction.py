"""What the collector's extractors make of whole objects, through their driver.

Own samples against expectations written by hand, published manifests against an independent
count, hostile objects and random damage against the promise that nothing crashes.
"""

import json
import os
import random
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from support import build

TESTS = Path(__file__).resolve().parents[1]
SAMPLES = TESTS / "samples"
SHARED = TESTS.parent.parent / "shared" / "kubernetes" / "samples"
UID = "0e8c236e-e5c1-4f2a-98a2-9c940134a89b"


def driver() -> str:
    folder = os.environ.get("MODELTRAIL_DRIVERS") or build.build_folder() / "drivers"
    return str(Path(folder) / "driver_collector_extract")


def run(lines: list[bytes], *args: str, timeout=60) -> list[dict]:
    done = subprocess.run([driver(), *args], input=b"".join(line + b"\n" for line in lines),
                          capture_output=True, timeout=timeout)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def observe(*objects: dict) -> list[dict]:
    return run([json.dumps(obj).encode() for obj in objects])


def living(manifest: dict) -> dict:
    """A manifest as an API server would give it back."""
    obj = json.loads(json.dumps(manifest, default=str))
    metadata = {"uid": UID, "resourceVersion": "7", "generation": 1, "namespace": "risk"}
    obj["metadata"] = metadata | obj["metadata"]
    return obj


def load(path: Path) -> list[dict]:
    return [living(doc) for doc in yaml.safe_load_all(path.read_text()) if doc]


def own_samples() -> dict[str, dict]:
    files = [path for path in sorted(SAMPLES.glob("*.yaml")) if path.name != "expected.yaml"]
    objects = [obj for path in files for obj in load(path)]
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in objects}


OWN = own_samples()
EXPECTED = yaml.safe_load((SAMPLES / "expected.yaml").read_text())

PLACEMENT = {
    "role": "live", "traffic_percent": None, "stopped": False, "replicas": None, "node": None,
    "uri": None, "artifact_version": None, "image": None, "digest": None, "labels": {},
    "revisioned": False,
}
OBSERVED = {
    "ready": None, "failed": False, "ready_since": None, "observed_generation": None,
    "placements": [], "routes": [], "revisions": None, "redacted": [],
}


def test_every_sample_is_expected_and_there_are_enough():
    assert OWN.keys() == EXPECTED.keys()
    assert sum("placements" in expected for expected in EXPECTED.values()) >= 40


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(name):
    data, = observe(OWN[name])
    expected = OBSERVED | EXPECTED[name]
    expected["placements"] = [PLACEMENT | placement for placement in expected["placements"]]
    assert {member: data[member] for member in expected} == expected
    assert (data["kind"], data["name"], data["uid"]) == (*name.split("/"), UID)


# What names a model in a manifest, found without knowing any form: by the key alone.
ARTIFACT_KEYS = {"modelUri", "storageUri"}
NO_MODELS = {"logger", "batcher", "workerSpec"}  # a storageUri there is none of a model


def cleaned(uri: str) -> str:
    """Without credentials and query: what is left is the artifact."""
    uri = re.sub(r"((?:token|access_key|access_key_id)=)[^,:]*?(?=[,:]|/(?!\d))", r"\1[redacted]", uri)
    return re.sub(r"^(\w+://)[^/@]*:[^/@]*@", r"\1", uri.partition("?")[0])


def artifacts_in(value) -> Counter:
    found = Counter()
    if isinstance(value, list):
        return sum(map(artifacts_in, value), found)
    if not isinstance(value, dict):
        return found
    for key, member in value.items():
        if isinstance(member, str) and member and (key in ARTIFACT_KEYS or (key == "uri" and "://" in member)):
            found[cleaned(member)] += 1
        elif key not in NO_MODELS:
            found += artifacts_in(member)
    if value.get("name") == "STORAGE_URI":
        found[cleaned(value["value"])] += 1
    return found


def without(value: dict, *keys) -> dict:
    return {key: member for key, member in value.items() if key not in keys}


def seldon_parts(predictor: dict):
    """Graph nodes, each without its children, with their images when they are no routers; the explainer."""
    name = predictor.get("name") or "predictor"
    images = {c.get("name"): c.get("image") for pod in predictor.get("componentSpecs") or []
              for c in pod.get("spec", {}).get("containers", [])}
    nodes = [predictor.get("graph") or {}]
    while nodes:
        node = nodes.pop()
        nodes.extend(node.get("children") or [])
        serves = node.get("type") not in ("ROUTER", "COMBINER") and images.get(node.get("name"))
        yield f"{name}/{node.get('name')}", without(node, "children"), [images[node["name"]]] if serves else []
    yield f"{name}/explainer", predictor.get("explainer") or {}, []


def kserve_parts(spec: dict):
    for number, canary in enumerate(spec.get("canary", []), 1):
        yield f"canary/{canary.get('name', number)}", canary["predictor"], []
    for part in ("predictor", "transformer", "explainer"):
        containers = spec.get(part, {}).get("containers", [])
        mine = [c for c in containers if c.get("name") == "kserve-container"] or containers[:1]
        mine = [c for c in mine if not (part == "predictor" and "model" in spec[part])]
        yield part, spec.get(part, {}), [container["image"] for container in mine]


def parts_of(obj: dict):
    """The components of an object as (name, what stands in it, its serving images)."""
    spec = obj["spec"]
    match obj["kind"]:
        case "SeldonDeployment":
            return [part for predictor in spec.get("predictors") or [] for part in seldon_parts(predictor)]
        case "InferenceService":
            return list(kserve_parts(spec))
        case "LLMInferenceService":
            model = spec.get("model") or {}
            adapters = model.get("lora", {}).get("adapters", [])
            return [("predictor", without(spec, "model") | {"model": without(model, "lora")}, []),
                    *((f"adapter/{adapter['name']}", adapter, []) for adapter in adapters)]
        case _:
            return [("model", spec, [])]


def wanted_of(obj: dict) -> Counter:
    wanted = Counter()
    for name, inside, images in parts_of(obj):
        for artifact, count in (artifacts_in(inside) + Counter(images)).items():
            wanted[name, artifact] += count
    return wanted


def reported_in(data: dict) -> Counter:
    """By part of the spec: its later placements have a number, and the new revision of a predictor is the canary."""
    found = Counter()
    for placement in data["placements"]:
        part = re.sub(r"#\d+$", "", re.sub("^canary$", "predictor", placement["component"]))
        found.update((part, placement[member]) for member in ("uri", "image") if placement[member])
    return found


def assert_no_model_missed(obj: dict, data: dict, name: str):
    """One by one: of two nodes with the same artifact each must be there."""
    assert "rejected" not in data, (name, data)
    wanted, reported = wanted_of(obj), reported_in(data)
    assert not wanted - reported, name
    everywhere = Counter()
    for (_, artifact), count in reported.items():
        everywhere[artifact] += count
    assert not artifacts_in(obj["spec"]) - everywhere, name  # in whatever part it stands
    components = [placement["component"] for placement in data["placements"]]
    assert len(set(components)) == len(components), name


def test_own_samples_lose_no_model():
    for (name, obj), data in zip(OWN.items(), observe(*OWN.values()), strict=True):
        assert_no_model_missed(obj, data, name)
    assert sum(sum(wanted_of(obj).values()) for obj in OWN.values()) > 60


def test_a_lost_duplicate_is_noticed():
    """The comparison itself: nodes that share an artifact, and one that is in another node's place."""
    node = {"modelUri": "s3://a/b"}
    obj = hostile(predictors=[{"name": "p", "graph": {"name": "x", **node, "children": [{"name": "y", **node}]}}])
    data, = observe(obj)
    assert_no_model_missed(obj, data, "whole")
    for broken in (data["placements"][:1], [data["placements"][0]] * 2):
        with pytest.raises(AssertionError):
            assert_no_model_missed(obj, data | {"placements": broken}, "broken")


@pytest.mark.skipif(not SHARED.is_dir(), reason="optional: published manifests are not beside the checkout")
def test_published_manifests_lose_no_model():
    objects = {path.name: load(path)[0] for path in sorted(SHARED.glob("*/*.yaml"))}
    assert len(objects) > 200
    placed = 0
    for (name, obj), data in zip(objects.items(), observe(*objects.values()), strict=True):
        assert_no_model_missed(obj, data, name)
        placed += len(data["placements"])
    assert placed > 200


# Secrets of every shape; none may be in what is sent.

SECRETS = [f"planted-{number:02d}-x9" for number in range(1, 60)]


def with_secrets() -> dict:
    s = iter(SECRETS)
    container = {
        "name": "c", "image": "acme/c:1",
        "env": [{"name": "PASSWORD", "value": next(s)}, {"value": next(s), "name": "HARMLESS"},
                {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "kept-ref", "key": "k"}}}],
        "args": [f"--password={next(s)}", "--api-key", next(s), "--url", f"http://u:{next(s)}@h/p",
                 f"--header=Authorization: Bearer {next(s)}", "--max-tokens=4096"],
        "command": ["sh", "-c", f"export TOKEN='{next(s)} {next(s)}'; run --secret {next(s)} x"],
    }
    return living({
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
        "metadata": {
            "name": "secrets",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"a": next(s)}),
                "note": json.dumps({"db": {"password": next(s), "user": "kept-user"}}),
                "nested": json.dumps({"inner": json.dumps({"api_key": f'{next(s)}"{next(s)}'})}),
                "block": f"user: kept\npassword:\n  {next(s)}\nplace: kept-behind\n",
                "tight": f"user:kept\npassword:{next(s)}",
                "yaml": f"user: kept\npassword: |\n  {next(s)}\n",
            },
            "managedFields": [{"manager": "kept-manager", "time": "2026-01-01T00:00:00Z",
                               "fieldsV1": {"f:spec": {f'v:"{next(s)}"': {}}}}],
        },
        "spec": {
            "oauth_key": "kept-key", "oauth_secret": next(s), "apiKey": next(s),
            "Private_Key": [next(s), {"x": next(s)}], "credentials": {"user": next(s)},
            "dbPassword": int("9" * 8), "secretName": "kept-name", "tokenFile": "/kept/file",
            "accountKey": next(s), "AZURE_STORAGE_KEY": next(s), "encryptionKey": next(s), "signing_key": next(s),
            "jwt": next(s), "bearer": next(s), "client-key-data": next(s), ".dockerconfigjson": next(s),
            "auths": {"registry": {"auth": next(s)}}, "connect": f"AccountName=kept;AccountKey={next(s)}==;x",
            "ENV": {"A": next(s)}, "serverEnv": {"A": next(s)}, "env_variables": {"A": next(s)},
            "lists": [{"name": "password", "values": [next(s)]}, {"values": [next(s)], "name": "token"}],
            "commands": {"command": ["--password", f"-{next(s)}"], "args": [f"--password -{next(s)}"]},
            "parameters": [{"name": "hf_token", "value": next(s)},
                           {"value": next(s), "name": "client_secret"},
                           {"name": "max_tokens", "value": "4096"}],
            "envVars": {"ANY": next(s), "n": 5},
            "volumes": [{"name": "v", "secret": {"secretName": "kept-volume", "value": next(s)}}],
            "servers": [f"nats://b:{next(s)}@a:4222,nats://b:{next(s)}@b:4222",
                        f"s3://k:{next(s)}@a/x;gs://k:{next(s)}@b/y|s3://c/z"],
            "places": [f"s3://b/token={next(s)}/kept-version", "--uri",
                       f":s3,access_key_id={next(s)},secret_access_key={next(s)}:b/kept-path/v1"],
            "urls": [f"postgres://u:{next(s)}/a?b@db.example/x", f"https://h/p?sig={next(s)}",
                     f"see https://{next(s)}@h/ and 's3://kept/x?y={next(s)}'"],
            "predictors": [{
                "name": "p", "componentSpecs": [{"spec": {"containers": [container]}}],
                "graph": {"name": "c", "modelUri": f"s3://k:{next(s)}@kept-bucket/m/1?t={next(s)}"},
            }],
        },
    })


def resolve(value, pointer: str):
    """RFC 6901."""
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key) if isinstance(value, list) else key]
    return value


def test_no_planted_secret_is_sent():
    obj = with_secrets()
    data, = observe(obj)
    text = json.dumps(data)
    assert [secret for secret in SECRETS if secret in text] == []
    assert "99999999" not in text
    planted = json.dumps(obj)
    assert sum(secret in planted for secret in SECRETS) >= 28  # the test itself plants them
    for kept in ("kept-ref", "kept-user", "kept-manager", "kept-key", "kept-name", "/kept/file",
                 "kept-volume", "s3://kept/x", "s3://kept-bucket/m/1", "--max-tokens=4096", "kept-version",
                 "kept-path/v1", "kept-behind"):
        assert kept in text, kept
    assert data["placements"][0]["uri"] == "s3://kept-bucket/m/1"
    assert "/spec/oauth_secret" in data["redacted"]
    assert "/spec/predictors/0/componentSpecs/0/spec/containers/0/env/0/value" in data["redacted"]
    for pointer in data["redacted"]:
        assert resolve(obj, pointer) != resolve(data["object"], pointer), pointer


def test_the_rest_of_the_object_stays_byte_for_byte():
    obj = living({"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
                  "metadata": {"name": "bytes"}, "spec": {"storageUri": "s3://a/b"}})
    spec = b'"spec" : {\t"storageUri":"s3:\\/\\/a\\/b", "x":1.10e+02,"n":9007199254740993 }'
    obj.pop("spec")
    line = json.dumps(obj, separators=(",", ":")).encode()[:-1] + b"," + spec + b"}"
    done = subprocess.run([driver()], input=line + b"\n", capture_output=True, check=True)
    want = b'"spec":{"storageUri":"s3:\\/\\/a\\/b","x":1.10e+02,"n":9007199254740993}'
    assert want in done.stdout


# Hostile objects: used or refused with a reason, in bounded time, and the next line is read.

def hostile(**spec) -> dict:
    return living({"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
                   "metadata": {"name": "hostile"}, "spec": spec})


def deep_graph(levels: int) -> dict:
    node = {"name": "leaf", "modelUri": "s3://a/leaf"}
    for level in range(levels):
        node = {"name": f"n{level}", "children": [node]}
    return node


PREDICTOR = {"name": "p", "graph": {"name": "m", "modelUri": "s3://a/1"}}
MANY_NODES = [{"name": "m"} for _ in range(50_000)]
MANY_CONTAINERS = [{"spec": {"containers": [{"name": f"c{n}"} for n in range(20_000)]}}]
HOSTILE_OBJECTS = {
    "hundreds of thousands of predictors": (
        hostile(predictors=[PREDICTOR] * 200_000), "more than 1000 placements"),
    "hundreds of thousands of empty predictors": (hostile(predictors=[{}] * 300_000), None),
    "tens of thousands of nodes and containers": (
        hostile(predictors=[{"name": "p", "componentSpecs": MANY_CONTAINERS,
                             "graph": {"name": "r", "children": MANY_NODES}}]), "more than"),
    "a wide graph": (hostile(predictors=[
        {"graph": {"name": "r", "children": MANY_NODES}}]), "nodes"),
    "a graph of 100 levels": (hostile(predictors=[{"name": "p", "graph": deep_graph(100)}]), None),
    "a URI of 5 MB": (hostile(predictors=[
        {"graph": {"name": "m", "modelUri": "s3://a/" + "x" * 5_000_000}}]), "too long"),
    "a node name of 5 MB": (hostile(predictors=[
        {"graph": {"name": "m" * 5_000_000, "modelUri": "s3://a/b"}}]), "too long"),
    "a string of 5 MB elsewhere": (
        hostile(predictors=[PREDICTOR], note="token " * 800_000), None),
    "text full of names": (hostile(predictors=[PREDICTOR], note="token=$(" * 500_000), None),
    "five hundred thousand secrets": (
        hostile(predictors=[PREDICTOR], env=[{"name": "a", "value": "b"}] * 300_000), None),
    "wrong types everywhere": (hostile(predictors={"a": [1], "b": {"graph": []}, "c": None}), None),
}


@pytest.mark.parametrize("name", HOSTILE_OBJECTS)
def test_hostile_object(name):
    obj, reason = HOSTILE_OBJECTS[name]
    data, after = observe(obj, OWN["Model/iris"])
    assert after["placements"][0]["uri"] == "gs://lake/iris/v2"
    if reason is not None:
        assert reason in data["rejected"]
    else:
        assert "rejected" not in data, data
        assert len(json.dumps(data, separators=(",", ":"))) < 1024 * 1024


def test_an_object_too_large_for_an_event_is_named_by_digest_and_size():
    data, = observe(hostile(predictors=[PREDICTOR], note="x" * 2_000_000))
    assert "object" not in data
    assert data["object_bytes"] > 2_000_000
    assert len(data["object_digest"]) == 64
    assert data["placements"][0]["component"] == "p/m"


HEAD = b'{"apiVersion":"mlops.seldon.io/v1alpha1","kind":"Model","metadata":{"name":"h","uid":"%s",' \
       b'"resourceVersion":"%s"},"spec":{"storageUri":%s}}'


@pytest.mark.parametrize("uid, version, uri, reason", [
    (UID, "12", b'"s3://a/\\u0000b"', "\\u0000"),
    (UID, "12", b'"s3://a/\xff\xfe"', "UTF-8"),
    (UID, "12", b'"s3://a/\\ud800"', "surrogate"),
    (UID, "12", b"1e1000000", "exponent"),
    (UID, "12", b"[" * 10_000 + b"]" * 10_000, "nested too deeply"),
    (UID, "12", b'"s3://a', "ends inside a string"),
    (UID, "0x12", b'"s3://a"', "not a positive integer"),
    (UID, "-5", b'"s3://a"', "not a positive integer"),
    (UID, "9223372036854775807", b'"s3://a"', "not a positive integer"),
    (UID, "9" * 200, b'"s3://a"', "too long"),
    ("no-uuid", "12", b'"s3://a"', "UUID"),
])
def test_unusable_bytes(uid, version, uri, reason):
    lines = [HEAD % (uid.encode(), version.encode(), uri), json.dumps(OWN["Model/iris"]).encode()]
    answers = run(lines, "all")
    of_each_kind, after = answers[: len(answers) // 2], answers[len(answers) // 2:]
    assert all(reason in answer["rejected"] for answer in of_each_kind)
    assert any(answer["placements"] for answer in after)


def test_a_graph_too_deep_to_send_is_refused():
    line = json.dumps(hostile(predictors=[{"name": "p", "graph": deep_graph(300)}])).encode()
    assert all("nested too deeply" in answer["rejected"] for answer in run([line], "all"))


def test_hostile_strings_stay_data():
    evil = "'; DROP TABLE x; --\u202e\x1b[31m=cmd|' /C calc'!A0\n</script>"
    obj = hostile(predictors=[{"name": evil, "graph": {"name": "m", "modelUri": f"s3://{evil}"}}])
    data, = observe(obj)
    assert data["placements"][0]["component"] == f"{evil}/m"
    assert data["placements"][0]["uri"] == f"s3://{evil}"


def damaged(line: bytes, dice: random.Random) -> bytes:
    """The line with a few bytes changed, doubled, cut or swapped with another part of it."""
    line = bytearray(line)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(line))
        length = min(dice.choice((1, 1, 1, 2, 8, 60)), len(line) - at)
        match dice.randrange(5):
            case 0:
                line[at] = dice.choice(b'"{}[]:,\\u0e-9tfn\x00\xff ' + bytes([dice.randrange(256)]))
            case 1:
                del line[at:at + length]
            case 2:
                line[at:at] = line[at:at + length]
            case 3:
                other = dice.randrange(len(line))
                line[at:at + length] = line[other:other + length]
            case 4:
                line[at:at] = dice.choice((b"null", b"{}", b"[]", b"-1", b'""', b"1e999", b"://",
                                           b'"token":', b"\\", b"\\ud83d\\ude00"))
        if not line:
            line = bytearray(b" ")
    return bytes(line).replace(b"\n", b" ")


def test_random_damage_crashes_nothing():
    seed = int(os.environ.get("MODELTRAIL_SEED", random.randrange(1 << 30)))
    rounds = int(os.environ.get("MODELTRAIL_TORTURE", 40))
    print(f"MODELTRAIL_SEED={seed}")
    dice = random.Random(seed)
    lines = [json.dumps(obj).encode() for obj in (*OWN.values(), with_secrets())]
    for _ in range(rounds):
        batch = [damaged(line, dice) for line in lines]
        answers = run(batch, "all")
        assert len(answers) % len(batch) == 0
        assert all("rejected" in answer or "placements" in answer for answer in answers)
