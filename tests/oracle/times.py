"""When things happened: positions of one workload, its end, and the instants of both (R1 to R9)."""

from dataclasses import dataclass
from functools import cached_property, wraps

from .facts import DELETED_WITHOUT_POSITION

SOURCES = ("audit", "admission", "object", "managed_fields", "collector_clock", "listing")


def remembered(method):
    """Keeps a method's answers in its own object."""

    @wraps(method)
    def ask(self, argument):
        answers = self.__dict__.setdefault(f"_{method.__name__}_answers", {})
        if argument not in answers:
            answers[argument] = method(self, argument)
        return answers[argument]

    return ask


@dataclass(frozen=True)
class Evidence:
    """It says: every position up to `bound` had begun by `instant`."""

    bound: int
    instant: int
    source: str
    log_index: int


@dataclass(frozen=True)
class Moment:
    """An instant and the log index of the fact that decided it."""

    instant: int
    log_index: int


def best_reading(readings):
    """Of several readings of one position: the newest extractor, then the one recorded first."""
    return min(readings, key=lambda each: (-each.extractor, each.log_index))


class Timeline:
    """The known positions of a workload in order, how it ended, and when each began."""

    def __init__(self, workload):
        self.workload = workload

    # Positions and the end.

    @cached_property
    def terminal(self):
        """The position of a proven removal, or None."""
        removed = [each.position for each in self.workload.readings if each.removed]
        if removed:
            return min(removed)
        return DELETED_WITHOUT_POSITION if self.removing_requests else None

    @cached_property
    def removing_requests(self):
        return [each for each in self.workload.requests if each.removes and each.succeeded]

    @cached_property
    def readings(self):
        """All readings that count: nothing happens to a uid above its removal."""
        if self.terminal is None:
            return self.workload.readings
        return [each for each in self.workload.readings if each.position <= self.terminal]

    @cached_property
    def content(self):
        """Position -> the reading that speaks for it."""
        by_position = {}
        for each in self.readings:
            by_position.setdefault(each.position, []).append(each)
        return {position: best_reading(group) for position, group in by_position.items()}

    @cached_property
    def life(self):
        """The greatest position at which the workload was seen or listed."""
        seen = [each.position for each in self.readings]
        listed = [each.position for each in self.member_listings]
        return max(seen + listed)

    @cached_property
    def member_listings(self):
        return [each for each in self.workload.listings if self.workload.uid in each.members]

    @cached_property
    def closing_listing(self):
        """The listing from which the removal is inferred, or None (R3, R4)."""
        if self.terminal is not None:
            return None
        lacking = [
            each
            for each in self.workload.listings
            if self.workload.uid not in each.members
            and each.covers(self.workload)
            and each.selector is None
            and each.position > self.life
        ]
        return min(lacking, key=lambda each: (each.position, each.log_index), default=None)

    @cached_property
    def end(self):
        """The position at which the workload is gone, or None while it lives."""
        return self.closing_listing.position if self.closing_listing else self.terminal

    @cached_property
    def deciding_fact(self):
        """The log index of what proves or suggests the end."""
        if self.closing_listing:
            return self.closing_listing.log_index
        if self.terminal in self.content:
            return min(
                each.log_index
                for each in self.readings
                if each.position == self.terminal and each.removed
            )
        return min(each.log_index for each in self.removing_requests)

    def fact(self, position):
        """The log index of the fact that tells of the position."""
        return self.deciding_fact if position == self.end else self.content[position].log_index

    @cached_property
    def living(self):
        """Known positions at which something can be placed, ascending."""
        return sorted(position for position in self.content if position != self.terminal)

    @cached_property
    def chain(self):
        """The living positions and, behind them, the end."""
        return self.living + ([] if self.end is None else [self.end])

    def next_position(self, position):
        index = self.chain.index(position) + 1
        return self.chain[index] if index < len(self.chain) else None

    def previous(self, position):
        index = self.chain.index(position)
        return self.chain[index - 1] if index else None

    def first_reaching(self, generation):
        """The lowest position that has the generation or a later one."""
        return min(
            position
            for position in self.content
            if self.generation(position) is not None and self.generation(position) >= generation
        )

    def generation(self, position):
        """The generation at a position; None where it is not known or there is no reading."""
        reading = self.content.get(position)
        return reading.generation if reading else None

    # Instants.

    @cached_property
    def evidence(self):
        found = [Evidence(r.position, r.at, r.at_source, r.log_index) for r in self.readings]
        for reading in self.readings:
            generation = self.generation(reading.position)
            if reading.spec_at is not None and generation is not None:
                bound = self.first_reaching(generation)
                found.append(
                    Evidence(bound, reading.spec_at, reading.spec_source, reading.log_index)
                )
        if self.terminal is not None:
            for request in self.removing_requests:
                found.append(Evidence(self.terminal, request.at, "audit", request.log_index))
        if self.closing_listing:
            listing = self.closing_listing
            found.append(
                Evidence(listing.position, listing.listed_at, "listing", listing.log_index)
            )
        return found

    @remembered
    def upper(self, position):
        """The evidence that bounds the position's beginning from above most tightly."""
        return min(
            (each for each in self.evidence if each.bound >= position),
            key=lambda each: (each.instant, SOURCES.index(each.source), each.log_index),
        )

    @remembered
    def lower(self, position):
        """The instant before which the position cannot have begun; None when nothing says so."""
        if self.closing_listing and position == self.end:
            return self._last_seen_alive()
        known = [
            Moment(each.not_before, each.log_index)
            for each in self.readings
            if each.position <= position and each.not_before is not None
        ]
        return max(known, key=lambda each: (each.instant, -each.log_index), default=None)

    def _last_seen_alive(self):
        last = self.previous(self.end)
        alive = Moment(self.time(last), self.time_index(last))
        if self.member_listings:
            newest = min(
                self.member_listings,
                key=lambda each: (-each.position, -each.listed_at, each.log_index),
            )
            if newest.listed_at > alive.instant:
                return Moment(newest.listed_at, newest.log_index)
        return alive

    @remembered
    def time(self, position):
        """When the position began."""
        upper, lower = self.upper(position), self.lower(position)
        return max(upper.instant, lower.instant) if lower else upper.instant

    @remembered
    def time_index(self, position):
        """The newest log index among the facts that bound the position's time."""
        upper, lower = self.upper(position), self.lower(position)
        return max(upper.log_index, lower.log_index) if lower else upper.log_index

    def index(self, position):
        """The newest log index among the facts that made the position and its time."""
        return max(self.fact(position), self.time_index(position))

    def source(self, position):
        """The source of the position's time, as rows name it."""
        if self.closing_listing and position == self.end:
            return "inferred"
        return self.upper(position).source

    def after(self, position):
        """The lower bound of the position's time, as rows give it."""
        lower = self.lower(position)
        return lower.instant if lower else None
