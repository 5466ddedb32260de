"""Who made a change: requests credited with positions (R17, R18)."""

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

    def of(self, position):
        """[(request, strength)] of the changes at this position."""
        if position == self.timeline.end:
            deletes = [each for each in self.by_age if each.verb == "delete" and not each.subresource]
            return [(each, "exact") for each in deletes[:1]]
        if self._came_through_status(position):
            lowest = self.timeline.first_of_generation(self.timeline.content[position].generation)
            return self._by_position(position) or self._of_spec(lowest)
        return self._of_spec(position)

    def credited(self, position):
        """Log indices of the request that is named for this position: none when several may be."""
        return {each.log_index for each, strength in self.of(position) if strength == "exact"}

    def _of_spec(self, position):
        """The requests behind what the spec says at this position."""
        jumped = self._jumped_over(position)
        if jumped:
            return [(each, "ambiguous") for each in jumped[1]]
        return self._by_position(position) or self._by_generation(position)

    def _jumped_over(self, position):
        """(True, candidates) when generations were missed before this position."""
        previous = self.timeline.previous(position)
        if previous is None:
            return None
        old = self.timeline.content[previous].generation
        new = self.timeline.content[position].generation
        if old is None or new is None or new - old <= 1:
            return None
        between = [
            each
            for each in self.by_age
            if each.position == position
            or (
                not each.subresource
                and each.generation is not None
                and old < each.generation <= new
            )
        ]
        return True, between

    def _by_position(self, position):
        """The earliest request that resulted in exactly this position."""
        found = [each for each in self.by_age if each.position == position]
        return self._earliest(found, position)

    def _by_generation(self, position):
        """The earliest request that reached the generation which begins here."""
        generation = self.timeline.content[position].generation
        if generation is None or position != self.timeline.first_of_generation(generation):
            return []
        found = [
            each
            for each in self.by_age
            if each.generation == generation
            and not each.subresource
            and (each.position is None or each.position <= position)
        ]
        return self._earliest(found, position)

    def _earliest(self, candidates, position):
        """R17: none when some evidence of the position is older than the request's receipt."""
        for each in candidates[:1]:
            if self.timeline.upper(position).instant >= each.at:
                return [(each, "exact")]
        return []

    def _came_through_status(self, position):
        """True for a later position of a generation whose spec says what it said before."""
        previous = self.timeline.previous(position)
        if previous is None:
            return False
        reading, before = self.timeline.content[position], self.timeline.content[previous]
        return (
            reading.generation is not None
            and reading.generation == before.generation
            and reading.placements == before.placements
        )
