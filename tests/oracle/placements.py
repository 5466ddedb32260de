"""What is placed at each position: desired by the spec, kept for a canary, or lingering (R12 to R14)."""

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
    decided_by: frozenset  # log indices of what named it: mapping reading, configuration

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
            decided_by=frozenset([self.rules.log_index] if by_pattern else []),
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
                found[revision] = replace(
                    named, decided_by=named.decided_by | {reading.log_index}
                )
        return found

    def _of_revision(self, revision):
        """The revision's identity in a placement that is otherwise still blank."""
        known = self.revision_map.get(revision)
        if known is None:
            named = name_unknown(self.workload.name)
            known = Placed(
                component="predictor",
                identity=Identity(named.model, named.version, named.artifact, revision),
                artifact_digest=None,
                identity_source="unknown",
                role="live",
                traffic=None,
                stopped=False,
                replicas=None,
                image=None,
                is_desired=False,
                is_of_revision=True,
                decided_by=frozenset(),
            )
        return replace(
            known, component="predictor", role="live", traffic=None, stopped=False,
            replicas=None, image=None, is_of_revision=True,
        )

    @remembered
    def desired(self, position):
        """The spec's placements and the revision that a canary keeps."""
        if position == self.timeline.end:
            return []
        reading = self.timeline.content[position]
        placed = [self._named(raw) for raw in reading.placements]
        canary = self._canary(reading)
        if canary is not None:
            rest = None if canary.traffic is None else FULL - canary.traffic
            kept = self._of_revision(reading.kept)
            placed.append(replace(kept, traffic=rest, stopped=canary.stopped, is_desired=True))
        return placed

    @staticmethod
    def _canary(reading):
        """The raw canary beside which a kept revision goes on, or None."""
        for raw in reading.placements:
            if raw.component == "canary" and raw.revisioned and reading.kept is not None:
                return raw
        return None

    def _lingering(self, position):
        """What only status still names (R13)."""
        reading = self.timeline.content[position]
        previous = self.timeline.previous(position)
        before = self.all(previous) if previous is not None else []
        wanted = {each.identity for each in self.desired(position) if each.is_of_revision}
        kept = reading.kept if self._canary(reading) else None
        found = {}
        for revision in reading.traffic:
            unmapped = revision not in self.revision_map
            if revision == kept or (unmapped and revision == reading.latest_created):
                continue
            blank = self._of_revision(revision)
            if blank.identity in wanted or blank.identity in found:
                continue
            same = [
                each for each in before if each.identity == blank.identity and each.is_of_revision
            ]
            model = min(same, key=lambda each: each.component) if same else blank
            found[blank.identity] = replace(
                blank,
                component=model.component,
                role=model.role,
                traffic=model.traffic,
                stopped=model.stopped,
                is_desired=False,
            )
        return list(found.values())

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
        if reading.observed_generation is not None:
            return generation is None or reading.observed_generation >= generation
        return position != self.timeline.first_of_generation(reading.generation)

    def state(self, placed, position):
        reading = self.timeline.content[position]
        if placed.stopped:
            return "stopped"
        if not placed.is_desired:
            return "lingering"
        if reading.failed:
            return "failed"
        return "serving" if self.is_ready(position, reading.generation) else "pending"
