"""Names of model versions, as docs/naming.md has them: an artifact, then a ladder of rungs."""

import hashlib
import re
from dataclasses import dataclass

SCHEMES = {"gcs": "gs", "s3a": "s3", "s3n": "s3", "docker": "oci", "oci+native": "oci"}
NO_AUTHORITY = ("hf", "models", "model-registry", "file")
NAMING_SCHEMES = {"models:/": "models", "model-registry://": "model-registry", "hf://": "hf",
                  "oci://": "oci"}
PORTS = {"http": ":80", "https": ":443", "oci": ":443"}
EXTENSIONS = (
    ".tar.gz .tgz .tar .zip .mar .onnx .pt .bst .joblib .pkl .bin .gguf"
).split()
KUBEFLOW = "modelregistry.kubeflow.org/"


@dataclass(frozen=True)
class Named:
    model: str
    version: str | None
    artifact: str | None
    artifact_digest: str | None
    identity_source: str


def name_unknown(workload):
    """What is known of a workload without any artifact."""
    return Named(workload, None, None, None, "unknown")


def name_placement(raw, workload, patterns):
    labels = {key: value for key, value in raw.labels if value}
    place = _place(raw)
    rungs = list(_rungs(raw, labels, place, patterns))
    models = [model for _, model, _ in rungs if model]
    versions = [version for _, _, version in rungs if version]
    sources = [source for source, model, version in rungs if model or version]
    own_name = f"{workload}/{raw.node}" if raw.node else workload
    artifact = place
    if raw.uri and raw.artifact_version:
        artifact = f"{place}#{raw.artifact_version}"
    return Named(
        model=models[0] if models else own_name,
        version=versions[0] if versions else None,
        artifact=artifact,
        artifact_digest=_digest(raw, labels, place),
        identity_source=sources[0] if sources else "unknown",
    )


def _place(raw):
    if raw.uri:
        return normalise(raw.uri)
    return normalise_image(raw.image) if raw.image else None


def _rungs(raw, labels, place, patterns):
    """(source, model, version) of each rung, from the top; what a rung does not give is None."""
    plus = f"#{raw.artifact_version}" if raw.uri and raw.artifact_version else ""

    def with_plus(version):
        return version + plus if version else None

    yield "label", labels.get("modeltrail.io/model"), labels.get("modeltrail.io/version")
    if place:
        model, version = _by_pattern(place, patterns)
        yield "pattern", model, with_plus(version)
    scheme, rest = _known_scheme(place or "")
    if scheme in ("models", "model-registry"):
        model, version = _registry_uri(scheme, rest)
        yield "registry", model, with_plus(version)
    if KUBEFLOW + "registered-model-id" in labels or KUBEFLOW + "model-version-id" in labels:
        yield "registry", labels.get(KUBEFLOW + "name"), labels.get(KUBEFLOW + "model-version-id")
    if scheme == "hf":
        model, version = _hub_uri(rest)
        yield "hf", model, with_plus(version)
    if scheme == "oci":
        repository, version = _oci(rest)
        if raw.uri:
            yield "oci", repository, with_plus(version)
        else:
            yield "image", None, version
    if place:
        version = None
        if scheme is None:
            version = with_plus(version_of_path(place))
        version = version or raw.artifact_version or _hash(place)
        yield "uri" if raw.uri else "image", None, version


def _hash(place):
    return hashlib.sha256(place.encode()).hexdigest()[:12]


# Places.


def _split_scheme(text):
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    return (match.group(1), text[match.end():]) if match else (None, text)


def _known_scheme(place):
    """(scheme, rest) of a place whose scheme has a rung of its own; else (None, "")."""
    for prefix, scheme in NAMING_SCHEMES.items():
        if place.startswith(prefix):
            return scheme, place[len(prefix):]
    return None, ""


def normalise(uri):
    """One spelling for one place."""
    scheme, rest = _split_scheme(uri)
    if scheme is None:
        return uri.rstrip("/") or uri[:1]
    scheme = SCHEMES.get(scheme.lower(), scheme.lower())
    if rest.startswith("//") and scheme not in NO_AUTHORITY:
        authority, slash, path = rest[2:].partition("/")
        if not (scheme == "oci" and not slash):
            authority = authority.rpartition("@")[2]
            port = PORTS.get(scheme)
            if port and authority.endswith(port):
                authority = authority[: -len(port)]
            rest = "//" + authority.lower() + slash + path
    kept = "//" if rest.startswith("//") else ""
    return f"{scheme}:{kept}" + rest[len(kept):].rstrip("/")


def normalise_image(image):
    first, slash, rest = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    if not is_host:
        image = "docker.io/" + ("" if slash else "library/") + image
    elif first == "index.docker.io":
        image = "docker.io/" + rest
    return normalise("oci://" + image)


# Rungs.


def _registry_uri(scheme, rest):
    if scheme == "model-registry":
        segments = rest.split("/")
        if len(segments) == 1:
            return segments[0] or None, None
        return segments[-2] or None, segments[-1] or None
    match = re.match(r"([^/@]*)(?:[/@](.*))?$", rest.lstrip("/"), re.DOTALL)
    return match.group(1) or None, match.group(2) or None


def _hub_uri(rest):
    match = re.match(r"([^@:]*)(?:[@:](.*))?$", rest, re.DOTALL)
    return match.group(1) or None, match.group(2) or None


def _oci_parts(rest):
    """(repository, tag, digest) of what stands behind `oci://`."""
    reference, _, digest = rest.partition("@")
    host, slash, repository = reference.partition("/")
    repository = repository if slash else host
    folder, slash, last = repository.rpartition("/")
    last, _, tag = last.partition(":")
    repository = folder + slash + last
    return repository or None, tag or None, digest or None


def _oci(rest):
    repository, tag, digest = _oci_parts(rest)
    if tag and tag != "latest":
        return repository, tag
    if digest and re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return repository, digest[7:19]
    return repository, None


def _digest(raw, labels, place):
    named = labels.get("modeltrail.io/digest") or raw.digest
    if named:
        return named
    scheme, rest = _known_scheme(place or "")
    digest = _oci_parts(rest)[2] if scheme == "oci" else None
    return digest if digest and re.fullmatch(r"sha256:[0-9a-f]{64}", digest) else None


# Patterns.


def _by_pattern(place, patterns):
    """(model, version) by the first pattern that gives any."""
    for pattern in patterns:
        found = _match(normalise(pattern), place)
        if found and (found.get("model") or found.get("version")):
            return found.get("model"), found.get("version")
    return None, None


def _match(pattern, place):
    parts = re.split(r"\{([^{}]*)\}", pattern)
    names = parts[1::2]
    if len(names) > 8 or len(place.encode()) > 1024:
        return None
    expression = re.escape(parts[0])
    for literal in parts[2::2]:
        expression += "([^/]+)" + re.escape(literal)
    match = re.match(expression + "(?:/.*)?$", place, re.DOTALL)
    if not match:
        return None
    found = {}
    for name, value in zip(names, match.groups()):
        found.setdefault(name, value)
    return found


# Versions in paths.


def version_of_path(place):
    """The version-like segment that is nearest the end, or None."""
    scheme, rest = _split_scheme(place)
    if scheme and rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    for segment in reversed(rest.split("/")):
        version = _version_of_segment(segment)
        if version:
            return version
    return None


def _version_of_segment(segment):
    for extension in EXTENSIONS:
        if segment.endswith(extension):
            segment = segment[: -len(extension)]
            break
    if len(segment) <= 128 and is_version(segment):
        return segment
    for mark in re.finditer("[-_]", segment):
        tail = segment[mark.end():]
        if mark.start() < 256 and len(tail) <= 128 and (_is_marked_number(tail) or _is_date(tail)):
            return tail
    return None


def is_version(text):
    return _is_number(text) or _is_date(text) or _is_commit(text)


def _is_number(text):
    if re.fullmatch(r"[vV]?[0-9]{1,18}[.0-9]*", text):
        return True
    return _is_marked_number(text)


def _is_marked_number(text):
    """A number with a v or a dot; only such a one may have a suffix."""
    match = re.match(r"([vV]?)[0-9]{1,18}([.0-9]*)", text)
    if not match or not (match.group(1) or "." in match.group(2)):
        return False
    suffix = text[match.end():]
    return bool(re.fullmatch(r"|[-+_][A-Za-z0-9.+_-]+|rc[0-9]+", suffix))


def _is_date(text):
    match = re.match(r"[0-9]{4}-([0-9]{2})-([0-9]{2})|[0-9]{4}_([0-9]{2})_([0-9]{2})|"
                     r"[0-9]{4}([0-9]{2})([0-9]{2})", text)
    if not match:
        return False
    month, day = (int(each) for each in match.groups() if each)
    in_range = 1 <= month <= 12 and 1 <= day <= 31
    return in_range and bool(re.fullmatch(r"[0-9TZtz:._-]*", text[match.end():]))


def _is_commit(text):
    if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text):
        return True
    is_hex = bool(re.fullmatch(r"[0-9a-f]{7,64}", text))
    return is_hex and bool(re.search("[0-9]", text)) and bool(re.search("[a-f]", text))
