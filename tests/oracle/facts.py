"""Facts out of events: what the log says, sorted by workload and otherwise left as it is.

An event here is a dict {"log_index", "type", "data"}; docs/events.md lists the members of data.
"""

import calendar
import re
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal

MICROSECOND = 1_000_000
DELETED_WITHOUT_POSITION = 2**63 - 1

_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z")


def instant(text):
    """RFC 3339 in UTC to microseconds since 1970."""
    if text is None:
        return None
    match = _INSTANT.fullmatch(text)
    if not match:
        raise ValueError(f"not an instant: {text!r}")
    whole = calendar.timegm(tuple(int(part) for part in match.groups()[:6]))
    return whole * MICROSECOND + int((match.group(7) or "").ljust(6, "0"))


def number(text):
    return None if text is None else int(text)


def _within(value, most):
    """The number if it is from 0 to `most`, else unknown."""
    return value if value is not None and 0 <= value <= most else None


def share(percent):
    """Percent to whole millionths of a percent, so that equal shares are equal numbers."""
    if percent is None or not 0 <= percent <= 1_000_000:
        return None
    return int((Decimal(repr(percent)) * 1_000_000).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True)
class RawPlacement:
    """What an extractor says of one component; naming comes later."""

    component: str
    role: str
    traffic: int | None
    stopped: bool
    replicas: int | None
    node: str | None
    uri: str | None
    artifact_version: str | None
    image: str | None
    digest: str | None
    labels: tuple
    revisioned: bool


@dataclass(frozen=True)
class RawRoute:
    target: str
    target_kind: str
    role: str
    percent: int | None


@dataclass(frozen=True)
class Reading:
    """One observation of a workload at one position."""

    log_index: int
    position: int
    generation: int | None
    observed_generation: int | None
    extractor: int
    at: int
    at_source: str
    not_before: int | None
    spec_at: int | None
    spec_source: str | None
    removed: bool
    ready: bool | None
    failed: bool
    deleting: bool
    ready_since: int | None
    placements: tuple
    latest_created: str | None
    kept: str | None
    traffic: tuple  # names of revisions, in order
    routes: tuple


@dataclass(frozen=True)
class Listing:
    log_index: int
    cluster: str
    resource: str
    namespace: str | None
    position: int
    listed_at: int
    selector: str | None
    members: frozenset
    uid_from: str | None
    uid_to: str | None

    def covers(self, workload):
        """True when the list would have had the workload in it, were it there."""
        return (
            (self.cluster, self.resource) == (workload.cluster, workload.resource)
            and self.namespace in (None, workload.namespace)
            and (self.uid_from is None or self.uid_from <= workload.uid)
            and (self.uid_to is None or workload.uid <= self.uid_to)
        )


@dataclass(frozen=True)
class Request:
    log_index: int
    verb: str
    subresource: str | None
    code: int | None
    dry_run: bool
    removes: bool
    position: int | None
    generation: int | None
    at: int
    audit_id: str
    principal: str
    impersonated_by: str | None
    is_review: bool
    role: str = "object"

    @property
    def succeeded(self):
        return not self.dry_run and self.code is not None and self.code < 300

    @property
    def accepted(self):
        return self.succeeded or (not self.dry_run and self.is_review and self.code is None)

    def seen_as(self, role):
        """The same, as it concerns a workload that it does not name by uid."""
        return replace(self, role=role, position=None, generation=None, removes=False)


@dataclass
class Workload:
    cluster: str
    resource: str
    uid: str
    namespace: str
    name: str
    owner_uid: str | None = None
    readings: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    listings: list = field(default_factory=list)

    @property
    def key(self):
        return self.cluster, self.resource, self.uid


@dataclass
class Rules:
    """The artifact patterns in force, and the event since which exactly these hold."""

    patterns: tuple = ()
    log_index: int = 0


def _raw_placement(data):
    version = data.get("artifact_version")
    return RawPlacement(
        component=data["component"],
        role=data.get("role") or "live",
        traffic=share(data.get("traffic_percent")),
        stopped=bool(data.get("stopped")),
        replicas=_within(data.get("replicas"), 2**31 - 1),
        node=data.get("node") or None,
        uri=data.get("uri") or None,
        artifact_version=None if version in (None, "") else str(version),
        image=data.get("image") or None,
        digest=data.get("digest") or None,
        labels=tuple(sorted((data.get("labels") or {}).items())),
        revisioned=bool(data.get("revisioned")),
    )


def _reading(log_index, data):
    revisions = data.get("revisions") or {}
    return Reading(
        log_index=log_index,
        position=int(data["position"]),
        generation=_within(number(data.get("generation")), 2**63 - 2),
        observed_generation=number(data.get("observed_generation")),
        extractor=int(data["extractor"]),
        at=instant(data["at"]),
        at_source=data["at_source"],
        not_before=instant(data.get("not_before")),
        spec_at=instant(data.get("spec_at")),
        spec_source=data.get("spec_source"),
        removed=bool(data.get("removed")),
        ready=data.get("ready"),
        failed=bool(data.get("failed")),
        deleting=bool(data.get("deleting")),
        ready_since=instant(data.get("ready_since")),
        placements=tuple(_raw_placement(each) for each in data.get("placements") or []),
        latest_created=revisions.get("latest_created"),
        kept=revisions.get("kept"),
        traffic=tuple(each["revision"] for each in revisions.get("traffic") or []),
        routes=tuple(
            RawRoute(each["target"], each["target_kind"], each["role"], share(each.get("percent")))
            for each in data.get("routes") or []
        ),
    )


def _listing(log_index, data):
    return Listing(
        log_index=log_index,
        cluster=data["cluster"],
        resource=data["resource"],
        namespace=data.get("namespace"),
        position=int(data["position"]),
        listed_at=instant(data["listed_at"]),
        selector=data.get("selector"),
        members=frozenset(data["members"]),
        uid_from=data.get("uid_from"),
        uid_to=data.get("uid_to"),
    )


def _request(log_index, data, is_review):
    return Request(
        log_index=log_index,
        verb=data["verb"],
        subresource=data.get("subresource"),
        code=data.get("code"),
        dry_run=bool(data.get("dry_run")),
        removes=bool(data.get("removes")),
        position=None if is_review else number(data.get("position")),
        generation=number(data.get("generation")),
        at=instant(data["at"]),
        audit_id=data["audit_id"],
        principal=data["principal"],
        impersonated_by=data.get("impersonated_by"),
        is_review=is_review,
    )


def _concerned(data, request, workload):
    """The request as it concerns the workload; None when it does not."""
    if data["cluster"] != workload.cluster:
        return None
    uid, verb = data.get("uid"), data["verb"]
    if verb == "delete" and data["resource"] == "namespaces":
        own = data.get("name") == workload.namespace and not request.subresource
        return request.seen_as("namespace") if own else None
    if uid is not None:
        if verb == "delete" and uid == workload.owner_uid and not request.subresource:
            return request.seen_as("owner")
        own = (data["resource"], uid) == (workload.resource, workload.uid)
        return request if own else None
    if (data["resource"], data.get("namespace")) != (workload.resource, workload.namespace):
        return None
    if verb == "deletecollection":
        return request.seen_as("collection")
    return request.seen_as("name") if data.get("name") == workload.name else None


def gather(events):
    """Sorts events into workloads (those that were ever observed) and the naming rules in force."""
    workloads, listings, requests, rules = {}, [], [], Rules()
    for event in sorted(events, key=lambda each: each["log_index"]):
        log_index, data = event["log_index"], event["data"]
        if event["type"].endswith("workload.observed.v1"):
            key = (data["cluster"], data["resource"], data["uid"])
            if key not in workloads:
                workloads[key] = Workload(
                    *key, data["namespace"], data["name"], data.get("owner_uid")
                )
            workloads[key].readings.append(_reading(log_index, data))
        elif event["type"].endswith("scope.listed.v1"):
            listings.append(_listing(log_index, data))
        elif event["type"].endswith(("request.audited.v1", "request.reviewed.v1")):
            is_review = event["type"].endswith("request.reviewed.v1")
            requests.append((data, _request(log_index, data, is_review)))
        elif event["type"].endswith("central.applied.v1"):
            patterns = tuple(each for each in data["artifacts"] if isinstance(each, str))
            if patterns != rules.patterns:
                rules = Rules(patterns, log_index)
    for workload in workloads.values():
        concerned = [_concerned(data, request, workload) for data, request in requests]
        workload.requests = [each for each in concerned if each is not None]
        workload.listings = [
            each
            for each in listings
            if each.covers(workload)
            or (
                (each.cluster, each.resource) == (workload.cluster, workload.resource)
                and workload.uid in each.members
            )
        ]
    return list(workloads.values()), rules
