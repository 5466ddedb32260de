"""Simulated objects: what extractors report of them while owners and controllers change them."""

URIS = (
    "s3://models-dev/fraud/v1",
    "s3://models-dev/fraud/v2",
    "s3://models-prod/fraud/v1",
    "s3://models-prod/churn/1.4.0",
    "s3://lake/teams/risk/churn/2025-11-30/",
    "gs://seldon-models/sklearn/iris",
    "gs://seldon-models//sklearn/iris/",
    "hf://acme/scorer@0a1b2c3d",
    "oci://registry.example/models/fraud@sha256:" + "ab" * 32,
    "oci://registry.example/models/fraud:v7",
    "models:/fraud/3",
    "model-registry://fraud/3",
    "pvc://disk/fraud/v1",
    "HTTPS://Files.Example/m/fraud-v2.tar.gz",
    "s3://models-dev/" + "long-" * 700 + "/v1",
)
IMAGES = (
    None,
    "registry.example/fraud:1.2",
    "registry.example:5000/risk/scorer@sha256:" + "cd" * 32,
)
LABELS = (
    {},
    {},
    {},
    {"modeltrail.io/model": "fraud"},
    {"modeltrail.io/model": "fraud", "modeltrail.io/version": "v1"},
    {"modeltrail.io/version": "v2"},
    {"modeltrail.io/digest": "sha256:" + "ef" * 32},
    {"modelregistry.kubeflow.org/registered-model-id": "fraud",
     "modelregistry.kubeflow.org/model-version-id": "3"},
)


def placement(component, role, traffic, version, **others):
    """One placement of an event; `version` is what a drawn version looks like on the object."""
    return {
        "component": component,
        "role": role,
        "traffic_percent": traffic,
        "stopped": False,
        "replicas": None,
        "node": None,
        "uri": None,
        "artifact_version": None,
        "image": None,
        "digest": None,
        "labels": {},
        "revisioned": False,
        **version,
        **others,
    }


def draw_uri(rng):
    """A URI out of parts that mean something to the ladder of names, or nearly do."""
    scheme = rng.choice((
        "s3", "S3A", "gs", "gcs", "http", "https", "pvc", "file", "hf", "models", "model-registry",
        "oci", "oci+native", "docker", "abfss", "x-odd",
    ))
    authority = rng.choice((
        "models-prod", "Models-Dev", "b", "user:secret@Host.Example", "host:443", "host:80", "",
        "registry.ns:8080", "localhost",
    ))
    segments = rng.choices((
        "fraud", "Fraud", "v1", "V2", "v3.1-rc1", "1.4.0", "1.4.0-beta.2", "17", "resnet-50",
        "fraud-v3.tar.gz", "model.onnx", "model.joblib", "2026-01-31", "20260131T1000Z",
        "2026_13_01", "4f3c2a91d0", "deadbeef", "1234567", "fraud_2025-12-24", "latest", "",
        "fraud@champion", "fraud:7", "fraud@sha256:" + "9f" * 32, "fraud:1.4@sha256:" + "9f" * 32,
        "fraud:latest", "a-b_c-v9.2+build.7", "0b5a3d0e-9da7-42cf-9a1d-596e45f37208", "5rc1",
        "v5rc1",
        "\u00fc-v2", "x" * 130 + "-v4",
    ), k=rng.choice((0, 1, 1, 2, 2, 3, 4)))
    slashes = rng.choice(("//", "//", "//", "//", "/", ""))
    rest = slashes + "/".join(([authority] if slashes == "//" else []) + segments)
    tail = rng.choice(("", "", "", "/", "//"))
    return rng.choice((f"{scheme}:{rest}{tail}",) * 8 + (rest + tail, f"{scheme}:")) or "x"


def draw_image(rng):
    return rng.choice((
        None, "nginx", "acme/fraud:2.1", "registry.example/fraud:1.2", "localhost/fraud",
        "index.docker.io/acme/fraud:latest", "registry.local:5000/fraud",
        "registry.example:5000/risk/scorer@sha256:" + "cd" * 32, "Acme/Fraud:V2",
    ))


def draw_labels(rng):
    """Some of the labels that name a model, empty ones too."""
    values = {
        "modeltrail.io/model": ("fraud", "credit", ""),
        "modeltrail.io/version": ("v1", "v2", "2026.1", ""),
        "modeltrail.io/digest": ("sha256:" + "ef" * 32,),
        "modelregistry.kubeflow.org/registered-model-id": ("4", ""),
        "modelregistry.kubeflow.org/model-version-id": ("12", ""),
        "modelregistry.kubeflow.org/name": ("churn",),
    }
    return {key: rng.choice(some) for key, some in values.items() if rng.random() < 0.3}


def draw_odd_version(rng):
    """Any raw identity at all."""
    return {
        "uri": draw_uri(rng) if rng.random() < 0.8 else rng.choice((None, "")),
        "image": draw_image(rng) if rng.random() < 0.4 else None,
        "artifact_version": rng.choice((None, None, None, "3", 3, "")),
        "digest": rng.choice((None, None, "sha256:11", "")),
        "labels": draw_labels(rng) if rng.random() < 0.4 else {},
    }


def draw_version(rng):
    """Raw identity fields of some model version: mostly of a few, so that versions come back."""
    if rng.random() < 0.15:
        return draw_odd_version(rng)
    labels = rng.choice(LABELS)
    if rng.random() < 0.15:  # no artifact: an image, or not even that
        return {"image": rng.choice(IMAGES), "labels": labels}
    version = {"uri": rng.choice(URIS), "labels": labels}
    if rng.random() < 0.15:
        version["artifact_version"] = rng.choice(["1", "2"])
    if rng.random() < 0.15:
        version["image"] = rng.choice(IMAGES)
    return version


class Object:
    """A Kubernetes object; subclasses know one kind's spec, controllers and extractor."""

    resource = kind = None

    def __init__(self, rng, name):
        self.rng = rng
        self.name = name
        self.generation = 1
        self.observed_generation = None
        self.ready = None
        self.failed = False
        self.ready_since = None
        self.versions = [draw_version(rng) for _ in range(rng.choice((1, 2, 2, 3)))]
        self.status_is_stale = rng.random() < 0.2
        self.start()

    def draw(self):
        """A version of the object's few, so that old ones come back."""
        if self.rng.random() < 0.15:
            self.versions.append(draw_version(self.rng))
        return self.rng.choice(self.versions)

    def start(self):
        raise NotImplementedError

    def change_spec(self):
        """Some owner's change of the spec; the caller raises the generation."""
        raise NotImplementedError

    def scale(self):
        """Replicas, through the scale subresource."""

    def relabel(self):
        """A change of labels or annotations: identity may change, the generation does not."""

    def reconcile(self, now):
        """The controller writes status."""
        if self.rng.random() < 0.8:
            self.observed_generation = None if self.status_is_stale else self.generation
        was_ready = self.ready
        self.ready = self.rng.choice((True, True, True, False, None))
        self.failed = not self.ready and self.rng.random() < 0.3
        if not self.ready:
            self.ready_since = None
        elif not was_ready or self.ready_since is None:
            self.ready_since = now if self.rng.random() < 0.7 else None

    def placements(self):
        return []

    def revisions(self):
        return None

    def routes(self):
        return []


class SeldonDeployment(Object):
    resource, kind = "seldondeployments.machinelearning.seldon.io", "SeldonDeployment"

    def start(self):
        nodes = self.rng.choice((1, 1, 2))
        self.main = [self.draw() for _ in range(nodes)]
        self.side = None  # (role, traffic, version)
        self.explainer = self.draw() if self.rng.random() < 0.2 else None
        self.replicas = 1
        self.repeats_name = self.rng.random() < 0.2

    def change_spec(self):
        act = self.rng.choice(("upgrade", "upgrade", "side", "side", "promote", "traffic", "both"))
        if act in ("upgrade", "both"):
            self.main[self.rng.randrange(len(self.main))] = self.draw()
        if act in ("side", "both"):
            if self.side is None:
                role = self.rng.choice(("canary", "canary", "shadow"))
                self.side = (role, self.rng.choice((5, 12.5, 33.333333)), self.draw())
            else:
                self.side = None
        if act == "promote" and self.side:
            self.main[0], self.side = self.side[2], None
        if act == "traffic" and self.side:
            self.side = (self.rng.choice((self.side[0], "canary")), 50, self.side[2])
        if self.rng.random() < 0.15:
            self.explainer = self.draw() if self.explainer is None else None

    def scale(self):
        self.replicas = self.rng.choice((0, 1, 3))

    def relabel(self):
        labels = self.rng.choice(LABELS)
        self.main = [{**version, "labels": labels} for version in self.main]

    def placements(self):
        shadowed = self.side is not None and self.side[0] == "shadow"
        rest = 100 if self.side is None or shadowed else 100 - self.side[1]
        scaled = {"replicas": self.replicas, "stopped": self.replicas == 0}
        placed = []
        for number, version in enumerate(self.main):
            node = f"node-{number}" if len(self.main) > 1 else None
            component = f"default/node-{number}"
            if number and self.repeats_name:
                component = f"default/node-0#{number + 1}"
            placed.append(placement(component, "live", rest, version, node=node, **scaled))
        if self.side is not None:
            role, traffic, version = self.side
            percent = None if role == "shadow" else traffic
            placed.append(placement("second/node-0", role, percent, version, replicas=1))
        if self.explainer is not None:
            placed.append(placement("default/explainer", "explainer", None, self.explainer))
        return placed


class Model(Object):
    """Seldon Core 2: one artifact, no traffic of its own."""

    resource, kind = "models.mlops.seldon.io", "Model"

    def start(self):
        self.version = self.draw()
        self.replicas = None

    def change_spec(self):
        self.version = self.draw()

    def scale(self):
        self.replicas = self.rng.choice((0, 1, 2))

    def relabel(self):
        self.version = {**self.version, "labels": self.rng.choice(LABELS)}

    def placements(self):
        scaled = {"replicas": self.replicas, "stopped": self.replicas == 0}
        return [placement("model", "live", None, self.version, **scaled)]


class OtherModel(Model):
    """A kind of the same name in another API group."""

    resource = "models.kubeai.org"


class Experiment(Object):
    resource, kind = "experiments.mlops.seldon.io", "Experiment"

    def start(self):
        self.targets = [("fraud-a", "candidate", 50), ("fraud-b", "candidate", 50)]

    def change_spec(self):
        first = self.rng.choice((10, 33.333333, 50, 66.666667, 90))
        self.targets = [("fraud-a", "candidate", first), ("fraud-b", "candidate", 100 - first)]
        if self.rng.random() < 0.4:
            self.targets.append(("fraud-c", "mirror", self.rng.choice((100, 20, None))))

    def routes(self):
        return [
            {"target": target, "target_kind": "Model", "role": role, "percent": percent}
            for target, role, percent in self.targets
        ]


class InferenceService(Object):
    """KServe: the spec knows one version, status may still serve others by revision."""

    resource, kind = "inferenceservices.serving.kserve.io", "InferenceService"

    def start(self):
        self.version = self.draw()
        self.rolled_out_version = self.version
        self.canary_percent = None
        self.is_stopped = False
        self.transformer = self.draw() if self.rng.random() < 0.2 else None
        self.explainer = self.draw() if self.rng.random() < 0.2 else None
        self.second_uri = self.draw() if self.rng.random() < 0.1 else None
        self.has_revisions = self.rng.random() < 0.85
        self.has_traffic = self.rng.random() < 0.9
        self.last_revision = 0
        self.revision_generation = 0  # the generation that the newest revision was made for
        self.latest_created = None
        self.rolled_out = None
        self.traffic = []

    def change_spec(self):
        act = self.rng.choice(("upgrade", "canary", "canary", "shift", "promote", "abort", "stop"))
        if act == "upgrade":
            self.version = self.draw()
        elif act == "canary":
            self.version, self.canary_percent = self.draw(), self.rng.choice((10, 25))
        elif act == "shift":
            self.canary_percent = self.rng.choice((50, 90, 100))
        elif act == "promote":
            self.canary_percent = None
        elif act == "abort":
            self.version, self.canary_percent = self.rolled_out_version, None
        else:
            self.is_stopped = not self.is_stopped
        if self.rng.random() < 0.1:
            self.transformer = self.draw() if self.transformer is None else None

    def relabel(self):
        if self.rng.random() < 0.5:
            self.is_stopped = not self.is_stopped  # the stop annotation
        else:
            self.version = {**self.version, "labels": self.rng.choice(LABELS)}

    def reconcile(self, now):
        super().reconcile(now)
        if self.revision_generation != self.generation and self.rng.random() < 0.8:
            self.last_revision += 1
            self.revision_generation = self.generation
            self.latest_created = f"r{self.last_revision}"
            if self.rng.random() < 0.6:
                return  # the new revision exists, traffic has not moved yet
        if self.latest_created is None:
            return
        is_canary = self.canary_percent is not None and self.canary_percent < 100
        if is_canary and self.rolled_out not in (None, self.latest_created):
            self.traffic = [(self.latest_created, self.canary_percent),
                            (self.rolled_out, 100 - self.canary_percent)]
            if self.rng.random() < 0.3:  # the controller goes back further, with the spec as it is
                self.rolled_out = f"r{self.rng.randrange(self.last_revision) + 1}"
            return
        draining = [each for each in self.traffic if each[0] != self.latest_created]
        self.traffic = [(self.latest_created, 100)]
        if self.rng.random() < 0.5:
            self.traffic += [(revision, 0) for revision, _ in draining[:2]]
        self.rolled_out, self.rolled_out_version = self.latest_created, self.version

    def _kept(self):
        return self.rolled_out if self.has_revisions else None

    def placements(self):
        percent = self.canary_percent
        is_canary = percent is not None and percent < 100 and self._kept() is not None
        common = {"revisioned": self.has_revisions, "stopped": self.is_stopped}
        if is_canary:
            placed = [placement("canary", "canary", self.canary_percent, self.version, **common)]
        else:
            placed = [placement("predictor", "live", 100, self.version, **common)]
        if self.second_uri is not None:
            placed.append(
                placement("predictor#2", "live", 100, self.second_uri, stopped=self.is_stopped)
            )
        for name, version in (("explainer", self.explainer), ("transformer", self.transformer)):
            if version is not None:
                placed.append(placement(name, name, None, version, stopped=self.is_stopped))
        return placed

    def revisions(self):
        if not self.has_revisions or self.latest_created is None:
            return None
        traffic = self.traffic if self.has_traffic else []
        return {
            "latest_created": self.latest_created,
            "kept": self._kept(),
            "traffic": [{"revision": name, "percent": percent} for name, percent in traffic],
        }


KINDS = (SeldonDeployment, *3 * (InferenceService,), Model, OtherModel, Experiment)
