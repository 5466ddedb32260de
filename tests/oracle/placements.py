"""What stands at each position: desired by the spec, kept by a canary, lingering (R12 to R14)."""

from dataclasses import dataclass, replace
from functools import cached_property

from .naming import name_placement, name_unknown
from .times import remembered

FULL = 100 * 1_000_000


@dataclass(frozen=True)
class Identity:
    """What makes two placements the same version."""

    model: str
    version: str | None
    artifact: str | None
    unknown_revision: str | None = None


@dataclass(frozen=True)
class Placed:
    """One placement at one position."""

    component: str
    identity: Identity
    artifact_digest: str | None
    identity_source: str
    role: str
    traffic: int | None
    stopped: bool
    replicas: int | None
    image: str | None
    is_desired: bool
    is_of_revision: bool  # the spec's placement that revisions stand for, or the kept revision
    named_by: int  # log index of the newest fact that named it; 0 for none

    @property
    def run_key(self):
        """What must stay equal for a row to go on (R10)."""
        return self.component, self.identity, self.role, self.traffic, self.stopped


class Placements:
    def __init__(self, timeline, rules):
        self.timeline = timeline
        self.workload = timeline.workload
        self.rules = rules

    def _named(self, raw):
        """A raw placement with its name."""
        named = name_placement(raw, self.workload.name, self.rules.patterns)
        by_pattern = named.identity_source == "pattern"
        return Placed(
            component=raw.component,
            identity=Identity(named.model, named.version, named.artifact),
            artifact_digest=named.artifact_digest,
            identity_source=named.identity_source,
            role=raw.role,
            traffic=raw.traffic,
            stopped=raw.stopped,
            replicas=raw.replicas,
            image=raw.image,
            is_desired=True,
            is_of_revision=raw.revisioned,
            named_by=self.rules.log_index if by_pattern else 0,
        )

    @cached_property
    def revision_map(self):
        """Revision -> the placement it stands for, as its first settled status shows it (R14)."""
        found = {}
        for position in self.timeline.living:
            reading = self.timeline.content[position]
            revision = reading.latest_created
            settled = (
                reading.generation is not None and reading.observed_generation == reading.generation
            )
            revisioned = [each for each in reading.placements if each.revisioned]
            if revision is not None and settled and revisioned and revision not in found:
                named = self._named(revisioned[0])
                newest = max(named.named_by, self.timeline.fact(position))
                found[revision] = replace(named, named_by=newest)
        return found

    def _of_revision(self, revision):
        """A placement of the revision, in the shape that it has when nothing tells its shape."""
        known = self.revision_map.get(revision)
        if known is None:
            named = name_unknown(self.workload.name)
            known = Placed(
                component="predictor",
                identity=Identity(named.model, named.version, named.artifact, revision),
                artifact_digest=named.artifact_digest,
                identity_source=named.identity_source,
                role="live",
                traffic=None,
                stopped=False,
                replicas=None,
                image=None,
                is_desired=False,
                is_of_revision=True,
                named_by=0,
            )
        return replace(
            known, component="predictor", role="live", traffic=None, stopped=False,
            replicas=None, is_of_revision=True,
        )

    @remembered
    def desired(self, position):
        """The spec's placements and the revision that a canary keeps."""
        if position == self.timeline.end:
            return []
        reading = self.timeline.content[position]
        placed = {}
        for raw in reading.placements:
            placed.setdefault(raw.component, self._named(raw))
        canary = placed.get("canary")
        if self._keeps(placed, reading):
            rest = None if canary.traffic is None else max(FULL - canary.traffic, 0)
            kept = self._of_revision(reading.kept)
            placed["predictor"] = replace(
                kept, traffic=rest, stopped=canary.stopped, is_desired=True
            )
        return list(placed.values())

    @staticmethod
    def _keeps(placed, reading):
        """True when a canary stands beside a revision that the spec does not name."""
        canary = placed.get("canary")
        return bool(
            canary and canary.is_of_revision and "predictor" not in placed and reading.kept
        )

    def _lingering(self, position):
        """What only status still names (R13)."""
        reading = self.timeline.content[position]
        desired = self.desired(position)
        spec = {raw.component: self._named(raw) for raw in reversed(reading.placements)}
        kept = reading.kept if self._keeps(spec, reading) else None
        found = []
        for revision in reading.traffic:
            unmapped = revision not in self.revision_map
            if revision == kept or (unmapped and revision == reading.latest_created):
                continue
            shaped = self._shaped(self._of_revision(revision), position)
            wanted = {each.identity for each in desired if each.is_of_revision}
            taken = {each.identity for each in found}
            places = {(each.component, each.identity) for each in desired}
            if shaped.identity in wanted | taken:
                continue
            if (shaped.component, shaped.identity) not in places:
                found.append(shaped)
        return found

    def _shaped(self, blank, position):
        """The lingering placement, in the shape that the version had before."""
        previous = self.timeline.previous(position)
        before = self.all(previous) if previous is not None else []
        same = [each for each in before if each.identity == blank.identity and each.is_of_revision]
        if same:
            old = min(same, key=lambda each: each.component.encode())
            blank = replace(
                blank, component=old.component, role=old.role, traffic=old.traffic,
                stopped=old.stopped,
            )
        return replace(blank, is_desired=False)

    @remembered
    def all(self, position):
        """Desired and lingering placements."""
        if position == self.timeline.end:
            return []
        return self.desired(position) + self._lingering(position)

    def has(self, position, identity):
        return any(each.identity == identity for each in self.all(position))

    # Readiness.

    def is_ready(self, position, generation):
        """True when the position is ready for that generation or a later one."""
        reading = self.timeline.content[position]
        if not reading.ready:
            return False
        if reading.observed_generation is not None and generation is not None:
            return reading.observed_generation >= generation
        previous = self.timeline.previous(position)
        return previous is None or (
            self.timeline.generation(previous) == self.timeline.generation(position)
        )

    def state(self, placed, position):
        reading = self.timeline.content[position]
        if placed.stopped:
            return "stopped"
        if not placed.is_desired:
            return "lingering"
        if reading.failed:
            return "failed"
        return "serving" if self.is_ready(position, reading.generation) else "pending"
