"""What a database that was set back has lost of one collector, and whether gaps say so: of each aspect one, which reaches
over all that was lost and no further than the collector can have been unsure."""

from dataclasses import dataclass

from faults.counts import Counts

ASPECTS = ("state", "actor")
# Of what a gap is; its instants as seconds.
GAPS = ("SELECT collector, cluster, aspect, namespace, resource, reason, extract(epoch FROM from_at) AS from_s,"
        " extract(epoch FROM to_at) AS to_s FROM modeltrail.gap ORDER BY log_index")


@dataclass(frozen=True)
class Loss:
    """Instants in seconds, all of one machine's clock: when the epoch began that lost something, when the first and the
    last lost event were stored, and when the next epoch was seen."""

    collector: str
    scope: tuple  # (cluster, namespace, resource) of all that the collector may speak for
    count: int
    begun: float
    first: float
    last: float
    noticed: float

    def is_told_by(self, gap):
        return (gap["collector"] == self.collector
                and (gap["cluster"], gap["namespace"], gap["resource"]) == self.scope
                and "the store lost events" in gap["reason"]
                and self.begun <= gap["from_s"] <= self.first and self.last <= gap["to_s"] <= self.noticed)


def count_untold(losses, gaps):
    """Losses without their gap are lost; what no loss, or none any more, explains is a gap without a reason."""
    counts, left = Counts(), list(gaps)
    for loss in losses:
        for aspect in ASPECTS:
            told = [gap for gap in left if gap["aspect"] == aspect and loss.is_told_by(gap)]
            if told:
                left.remove(told[0])
            else:
                counts.lost += loss.count
                counts.notes.append(f"no gap of {aspect} tells of {loss}")
    counts.gaps = len(left)
    counts.notes += [f"gap: {gap}" for gap in left]
    return counts
