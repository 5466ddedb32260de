"""Who made a change: requests credited with positions (R17, R18)."""

from .times import remembered

VERBS = ("create", "update", "patch", "delete")


class Attribution:
    def __init__(self, timeline):
        self.timeline = timeline
        able = [
            each
            for each in timeline.workload.requests
            if each.succeeded and each.verb in VERBS and each.subresource in (None, "scale")
        ]
        self.by_age = sorted(able, key=lambda each: (each.at, each.log_index))

    @remembered
    def of(self, position):
        """[(request, strength)] of the changes at this position."""
        if position == self.timeline.end:
            deletes = [
                each for each in self.by_age if each.verb == "delete" and not each.subresource
            ]
            return [(each, "exact") for each in deletes[:1]]
        if self.jumps(position):
            return [(each, "ambiguous") for each in self._behind_jump(position)]
        return (
            self._by_position(position)
            or self._by_generation(position)
            or self._through_status(position)
        )

    def credited(self, position):
        """Log indices of the requests that were found for this position."""
        return {each.log_index for each, _ in self.of(position)}

    # Generations.

    def before(self, position):
        """The greatest generation below the position; None when there is none."""
        known = [
            self.timeline.generation(each) for each in self.timeline.living if each < position
        ]
        return max((each for each in known if each is not None), default=None)

    def raises(self, position):
        """True when the position brought a new generation."""
        generation, before = self.timeline.generation(position), self.before(position)
        return generation is not None and (before is None or generation > before)

    def jumps(self, position):
        """True when generations went by unseen before the position."""
        before = self.before(position)
        return (
            self.raises(position)
            and before is not None
            and self.timeline.generation(position) > before + 1
        )

    @staticmethod
    def _reached(request):
        """The generation that the request brought; a scale request's answer has none."""
        return None if request.subresource else request.generation

    # Requests.

    def may_have_made(self, request, position):
        """R17: no evidence of the position is older, and the request did not end up above it."""
        is_early = request.at <= self.timeline.upper(position).instant
        return is_early and (request.position is None or request.position <= position)

    def _behind_jump(self, position):
        first, last = self.before(position) + 1, self.timeline.generation(position)
        return [
            each
            for each in self.by_age
            if self.may_have_made(each, position)
            and (
                each.position == position
                or (self._reached(each) is not None and first <= self._reached(each) <= last)
            )
        ]

    def _by_position(self, position):
        """The earliest request that resulted in exactly this position."""
        found = [each for each in self.by_age if each.position == position]
        return [(each, "exact") for each in found[:1] if self.may_have_made(each, position)]

    def _by_generation(self, position):
        """The earliest request that reached the generation which begins here."""
        if not self.raises(position):
            return []
        generation = self.timeline.generation(position)
        found = [
            each
            for each in self.by_age
            if self._reached(each) == generation and self.may_have_made(each, position)
        ]
        return [(each, "exact") for each in found[:1]]

    def _through_status(self, position):
        """What is credited with the generation, when only status can have made the change."""
        timeline = self.timeline
        previous = timeline.previous(position)
        generation = timeline.generation(position)
        if previous is None or generation is None or self.raises(position):
            return []
        same_spec = timeline.content[position].placements == timeline.content[previous].placements
        if generation != self.before(position) or not same_spec:
            return []
        raised = [
            each
            for each in timeline.living
            if timeline.generation(each) == generation and self.raises(each)
        ]
        return self.of(raised[0])
