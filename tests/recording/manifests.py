"""The objects of the story, as their teams would write them. All secrets are planted fakes."""

FAKE_PASSWORD = "planted-password-7f3a"
FAKE_OAUTH_SECRET = "planted-oauth-secret-91c2"


def artifact(stage: str, model: str, version: str) -> str:
    return f"s3://models-{stage}/{model}/{version}"


def _metadata(namespace: str, name: str) -> dict:
    return {"name": name, "namespace": namespace, "labels": {"app": name}}


def tracked(obj: dict) -> dict:
    """The object as Argo CD applies it: with the annotation by which it knows its own."""
    meta = obj["metadata"]
    group = obj["apiVersion"].partition("/")[0]
    tracking_id = f"risk-models:{group}/{obj['kind']}:{meta['namespace']}/{meta['name']}"
    annotations = {"argocd.argoproj.io/tracking-id": tracking_id}
    return obj | {"metadata": meta | {"annotations": annotations}}


def _predictor(name: str, uri: str, **fields) -> dict:
    node = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri}
    return {"name": name, "graph": node, "replicas": 1} | fields


def fraud_scorer(namespace: str, stage: str, version: str, shadow: str | None = None) -> dict:
    """A SeldonDeployment with a password in its environment and an OAuth secret in its spec."""
    container = {
        "name": "classifier",
        "env": [{"name": "FEATURE_STORE_PASSWORD", "value": FAKE_PASSWORD},
                {"name": "LOG_LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
    }
    main = _predictor("main", artifact(stage, "fraud-scorer", version), traffic=100,
                      componentSpecs=[{"spec": {"containers": [container]}}])
    predictors = [main]
    if shadow:
        uri = artifact(stage, "fraud-scorer", shadow)
        predictors.append(_predictor("shadow", uri, shadow=True))
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": _metadata(namespace, "fraud-scorer"),
        "spec": {"name": "fraud-scorer", "oauth_key": "fraud-scorer",
                 "oauth_secret": FAKE_OAUTH_SECRET, "replicas": 1, "predictors": predictors},
    }


def sentiment(namespace: str, stage: str, version: str, api_version: str) -> dict:
    """A SeldonDeployment without secrets, in any of the three API versions."""
    predictor = _predictor("default", artifact(stage, "sentiment", version))
    return {
        "apiVersion": f"machinelearning.seldon.io/{api_version}",
        "kind": "SeldonDeployment",
        "metadata": _metadata(namespace, "sentiment"),
        "spec": {"name": "sentiment", "predictors": [predictor]},
    }


def inference_service(namespace: str, name: str, predictor: dict) -> dict:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": _metadata(namespace, name),
        "spec": {"predictor": predictor},
    }


def old_form(uri: str) -> dict:
    """A KServe predictor named after its framework, as older manifests have it."""
    return {"sklearn": {"storageUri": uri}}


def model_form(uri: str, **fields) -> dict:
    """A KServe predictor with `model`, the form KServe itself rewrites the older one to."""
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}} | fields


def multi_model_host(namespace: str, name: str) -> dict:
    """An InferenceService that serves nothing itself; TrainedModels are loaded into it."""
    predictor = {"minReplicas": 1, "triton": {"args": ["--model-control-mode=explicit"]}}
    return inference_service(namespace, name, predictor)


def trained_model(namespace: str, name: str, host: str, uri: str) -> dict:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": _metadata(namespace, name),
        "spec": {"inferenceService": host,
                 "model": {"storageUri": uri, "framework": "sklearn", "memory": "1Gi"}},
    }


def core2_model(namespace: str, name: str, uri: str) -> dict:
    return {
        "apiVersion": "mlops.seldon.io/v1alpha1",
        "kind": "Model",
        "metadata": _metadata(namespace, name),
        "spec": {"storageUri": uri, "requirements": ["sklearn"], "memory": "100Ki"},
    }


def experiment(namespace: str, name: str, default: str, weights: dict[str, int]) -> dict:
    candidates = [{"name": model, "weight": weight} for model, weight in weights.items()]
    return {
        "apiVersion": "mlops.seldon.io/v1alpha1",
        "kind": "Experiment",
        "metadata": _metadata(namespace, name),
        "spec": {"default": default, "candidates": candidates},
    }
