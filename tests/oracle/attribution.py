"""Who made a change: requests credited with positions (R17, R18)."""

from .times import remembered

VERBS = ("create", "update", "patch", "delete")
SECOND = 1_000_000
SLACK = 2 * SECOND
REVIEW_SLACK = 5 * SECOND
REVIEW_REACH = 40 * SECOND
COLLECTORS = ("collector_clock", "listing")
CONTROLLERS = {
    "system:serviceaccount:kube-system:namespace-controller": "namespace",
    "system:serviceaccount:kube-system:generic-garbage-collector": "owner",
}


def each_once(requests):
    """Of several with one audit id the earliest; in order of age."""
    found = {}
    for each in sorted(requests, key=lambda each: (each.at, each.log_index)):
        found.setdefault(each.audit_id, each)
    return list(found.values())


def are_of_one_actor(requests):
    return len({(each.principal, each.impersonated_by) for each in requests}) == 1


def creates(request):
    """201 tells it of an apply too."""
    return request.verb == "create" or request.code == 201


def ambiguous(requests):
    return [(each, "ambiguous") for each in each_once(requests)]


class Attribution:
    def __init__(self, timeline):
        self.timeline = timeline
        accepted = [each for each in timeline.workload.requests if each.accepted]
        accepted.sort(key=lambda each: (each.at, each.log_index))
        able = [
            each
            for each in accepted
            if each.role in ("object", "name")
            and each.verb in VERBS
            and each.subresource in (None, "scale")
        ]
        self.by_age = [each for each in able if not each.is_review]
        self.reviews = [each for each in able if each.is_review and each.role == "object"]
        self.windowed = [
            each
            for each in able
            if each.verb != "delete" and each.position is None and self._reached(each) is None
        ]
        self.deletes = [each for each in able if each.verb == "delete" and not each.subresource]
        self.others = [each for each in accepted if each.role in ("collection", "namespace", "owner")]

    @remembered
    def of(self, position):
        """[(request, strength)] of the changes at this position."""
        if position == self.timeline.end:
            return self._with_cause(self._removal(position))
        if self.jumps(position):
            return ambiguous(self._behind_jump(position))
        return (
            self._by_number(position)
            or self._found(position)
            or self._by_window(position)
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

        def is_between(request):
            reached = self._reached(request)
            return reached is not None and first <= reached <= last

        made = [
            each
            for each in self.by_age
            if self.may_have_made(each, position)
            and (each.position == position or is_between(each))
        ]
        reviewed = [each for each in self.reviews if is_between(each)]
        return made + reviewed + self.in_window(position)

    def _by_number(self, position, may_be_any=False):
        """By position or generation; where there is nothing before, only what creates (or any) counts."""
        if may_be_any or self.timeline.previous(position) is not None:
            counts = lambda each: True
        else:
            counts = creates
        return (
            self._by_position(position, counts)
            or self._by_generation(position, counts)
            or self._by_review(position, counts)
        )

    def _found(self, position):
        """Whoever wrote it then: what was found may be older than the request."""
        if self.timeline.previous(position) is not None:
            return []
        return ambiguous([each for each, _ in self._by_number(position, may_be_any=True)])

    def _by_position(self, position, counts):
        """The earliest request that resulted in exactly this position."""
        found = [each for each in self.by_age if each.position == position and counts(each)]
        return [(each, "exact") for each in found[:1] if self.may_have_made(each, position)]

    def _by_generation(self, position, counts):
        """The earliest request that reached the generation which begins here."""
        if not self.raises(position):
            return []
        generation = self.timeline.generation(position)
        found = [
            each
            for each in self.by_age
            if self._reached(each) == generation and self.may_have_made(each, position)
            and counts(each)
        ]
        return [(each, "exact") for each in found[:1]]

    def _by_review(self, position, counts):
        """What admission was asked for this generation: it or another one came about."""
        if not self.raises(position):
            return []
        generation = self.timeline.generation(position)
        found = [
            each
            for each in self.reviews
            if self._reached(each) == generation
            and counts(each)
            and (creates(each) or self.is_near(each, position))
        ]
        proofs = [each for each in found if creates(each) or self.is_proof(each, position)]
        if proofs and are_of_one_actor(found):
            return [(proofs[0], "exact")]
        return ambiguous(found)

    def _through_status(self, position):
        """What is credited with the generation, when only status can have made the change."""
        timeline = self.timeline
        generation = timeline.generation(position)
        if timeline.previous(position) is None or generation is None or self.raises(position):
            return []
        if generation != self.before(position) or self.has_other_spec(position):
            return []
        raised = [
            each
            for each in timeline.living
            if timeline.generation(each) == generation and self.raises(each)
        ]
        return self.of(raised[0])

    # Windows.

    def has_other_spec(self, position):
        """True when the raw placements are not those of the position before."""
        content, previous = self.timeline.content, self.timeline.previous(position)
        return previous is not None and content[position].placements != content[previous].placements

    def is_birth(self, position):
        return self.timeline.previous(position) is None and self.timeline.generation(position) == 1

    def window_end(self, position):
        return self.timeline.upper(position).instant + SLACK

    def sight_before(self, position):
        """When the position before was seen to be there, however late that was."""
        previous = self.timeline.previous(position)
        return None if previous is None else self.timeline.time(previous)

    def is_near(self, request, position):
        """True when the request may be the position's by its time, at the most."""
        start, end = self.sure_start(position), self.timeline.upper(position).instant
        if start is None:
            start = self.sight_before(position)
        is_early = request.at <= end + REVIEW_REACH
        return is_early and (start is None or request.at >= start - REVIEW_REACH)

    def is_proof(self, request, position):
        """True when the request lies between what is known before and the position."""
        known = [self.sure_start(position), self.sight_before(position)]
        known = [each for each in known if each is not None]
        end = self.timeline.upper(position).instant + REVIEW_SLACK
        return bool(known) and max(known) - REVIEW_SLACK <= request.at <= end

    def window_start(self, position):
        start = self.sure_start(position)
        return None if start is None else start - SLACK

    def sure_start(self, position):
        """None when nothing tells: of an object that was found, its spec may be of any age."""
        timeline, upper = self.timeline, self.timeline.upper(position)
        previous = timeline.previous(position)
        if previous is None and not self.is_birth(position):
            return None
        after = timeline.after(position)
        if after is not None and after > upper.instant:
            after = None if previous is None else timeline.after(previous)
        known = [after]
        if previous is not None:
            before = timeline.upper(previous)
            same = (before.instant, before.source, before.log_index) == (
                upper.instant, upper.source, upper.log_index
            )
            if not same and before.source not in COLLECTORS:
                known.append(before.instant)
        if self.is_birth(position) and upper.source == "object":
            known.append(upper.instant - SECOND)
        known = [each for each in known if each is not None]
        return max(known, default=None)

    def in_window(self, position):
        """What may have made the position by its time; the newest, where the window has no beginning."""
        start, end = self.window_start(position), self.window_end(position)

        def fits(request):
            if creates(request) != self.is_birth(position):
                return False
            shows_all = request.is_review and request.role == "object" and not request.subresource
            return not (shows_all and self.raises(position))

        found = [each for each in self.windowed if each.at <= end and fits(each)]
        if start is None:
            return sorted(found, key=lambda each: (-each.at, each.log_index))[:1]
        return [each for each in found if each.at >= start]

    def _by_window(self, position):
        if not self.raises(position) and not self.has_other_spec(position):
            return []
        found = each_once(self.in_window(position))
        is_proven = len(found) == 1 and self.window_start(position) is not None
        return [(found[0], "unique")] if is_proven else ambiguous(found)

    # Removals.

    def deletion(self, position):
        """Where it began: finalizers may have held the object until the end."""
        for before in reversed(self.timeline.living):
            if not self.timeline.content[before].deleting:
                break
            position = before
        return position

    def _removal(self, position):
        position = self.deletion(position)
        objects = [each for each in self.deletes if each.role == "object"]
        audited = [each for each in objects if not each.is_review]
        if audited:
            return [(audited[0], "exact")]
        first, last = self.timeline.time(self.timeline.chain[0]), self.window_end(position)
        names = [
            each for each in self.deletes if each.role == "name" and first < each.at <= last
        ]
        collections = [
            each for each in self.others if each.role == "collection" and first < each.at <= last
        ]
        for found, strength in ((objects, "exact"), (names, "unique"), (collections, "unique")):
            timed = [each for each in found if each.is_review or each.role == "collection"]
            found = [each for each in found if each not in timed or self.is_near(each, position)]
            if found:
                proofs = [
                    each for each in found if each not in timed or self.is_proof(each, position)
                ]
                one = len(each_once(found)) == 1 or are_of_one_actor(each_once(found))
                return [(proofs[0], strength)] if proofs and one else ambiguous(found)
        return []

    def _with_cause(self, credit):
        """The person behind what a controller deleted, beside the controller."""
        if len(credit) != 1 or credit[0][1] == "ambiguous":
            return credit
        executed = credit[0][0]
        role = CONTROLLERS.get(executed.principal)
        first = self.timeline.time(self.timeline.chain[0])
        causes = [
            each for each in self.others if each.role == role and first < each.at <= executed.at
        ]
        if not causes:
            return credit
        cause = min(causes, key=lambda each: (-each.at, each.log_index))
        return [(cause, "unique"), (executed, "executed")]
