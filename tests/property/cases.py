"""Which cases of the rules a world really holds, read off its facts and the oracle's workings.

The names begin with the rule. A case that no world of a run holds was not tested, whatever the
generator meant to do; so the test asks for every one of them.
"""

from collections import Counter

from oracle.attribution import CONTROLLERS
from oracle.facts import DELETED_WITHOUT_POSITION, gather
from oracle.oracle import Fold

from .histories import numbered

EVERY_CASE = """
R1 one uid in two groups
R1 one uid in two clusters
R1 position beyond a double
R2 another extractor reads otherwise
R2 two readings of one extractor
R2 content and time from different readings
R3 uid range leaves the workload out
R3 uid range covers and lacks the workload
R3 selector lacks a live workload
R3 listing of another namespace
R3 whole cluster listed
R4 inferred removal
R4 voided by evidence above
R4 member of a listing above all readings
R4 several listings lack it
R4 lower bound from a listing
R5 watch DELETED
R5 audited delete without position
R5 audited delete and DELETED
R5 delete answered with the object
R5 same name, other uid
R5 reading above the removal
R6 equal content with a late detour between
R8 time from a later position
R8 time from the spec's beginning
R8 lower bound decides
R8 empty interval
R8 source audit
R8 source object
R8 source managed_fields
R8 source collector_clock
R8 source listing
R8 source inferred
R9 older position arrives late
R9 earlier time arrives late
R10 row over several positions
R10 version deployed before its row
R10 version moves between components
R10 version leaves and comes back
R11 repeated name
R11 long artifact
R11 no artifact
R12 deployed
R12 upgraded
R12 rolled_back
R12 reconfigured
R12 removed
R12 stopped or started
R12 promoted canary
R12 aborted canary
R12 position without change
R12 label changes the version
R13 lingering
R13 lingering ends
R13 lingering goes on from a desired row
R13 lingering unknown
R14 kept revision known
R14 kept revision unknown
R14 first of several mappings
R14 stale status maps nothing
R14 status without traffic
R15 route
R15 share changes
R15 mirror
R15 route ends
R16 stopped
R16 serving
R16 failed
R16 lingering
R16 pending
R16 ready since an instant of its own
R16 ready at a position
R16 ready behind the row
R16 ready without observedGeneration
R16 ready of an older generation
R17 repeated apply beside the first
R17 repeated apply alone, refused
R17 earlier evidence refuses the generation
R18 by position
R18 by generation
R18 generation reached elsewhere below
R18 scale by position
R18 through status
R18 generation jump
R18 generation jump with candidates
R18 request of a later position
R18 by review
R18 by several reviews of one actor
R18 reviews of several actors
R18 by review, beside one that is long past
R18 only reviews that are long past
R18 only reviews nearby
R18 a create's review needs no time
R18 unique
R18 unique at a birth
R18 unique birth by the object's own instant
R18 unique by name
R18 unique where only a label changed
R18 unique through scale
R18 unique, of a review
R18 unique, seen late
R18 ambiguous in a window
R18 window in a jump
R18 request read twice in a window
R18 no lower bound, one that may have been it
R18 no lower bound, and nobody
R18 found with a spec of any age
R18 created, by position
R18 created, by generation
R18 created, by review
R18 created by a patch
R18 created below what was found
R18 found, written by position
R18 found, written by generation
R18 found, written by review
R18 found, written at generation 1
R18 removed by review
R18 removed by review, held by finalizers
R18 refused delete of what lived on
R18 collection that left it out
R18 cause before it was there
R18 removed by name
R18 removed by collection
R18 removed by one of several
R18 removed with its namespace
R18 removed with its owner
R18 delete of a former object of the name
R18 request before its observation
R18 request after its observation
R19 nobody
R19 dry run
R19 refused
R24 patterns change in the middle
R24 patterns stay though applied again
R25 revised by a late fact
R25 revised by a request
R25 revised by a mapping
R25 revised by configuration
""".strip().splitlines()


def cases_of(entries):
    """Case -> how often the world holds it."""
    events = numbered(entries)
    workloads, rules = gather(events)
    found = Counter()
    _look_at_log(events, rules, found)
    _look_at_identities(workloads, found)
    _look_at_scopes(events, workloads, found)
    for workload in workloads:
        fold = Fold(workload, rules)
        for look in LOOKS:
            look(fold, found)
    unknown = set(found) - set(EVERY_CASE)
    assert not unknown, unknown
    return found


def _look_at_log(events, rules, found):
    applied = [e for e in events if e["type"].endswith("central.applied.v1")]
    found["R24 patterns change in the middle"] += rules.log_index > 1
    found["R24 patterns stay though applied again"] += bool(
        applied and applied[-1]["log_index"] > rules.log_index
    )


def _look_at_identities(workloads, found):
    names = Counter((w.cluster, w.resource, w.namespace, w.name) for w in workloads)
    found["R5 same name, other uid"] += sum(count > 1 for count in names.values())
    found["R1 one uid in two clusters"] += len({(w.cluster, w.uid) for w in workloads}) > len(
        {w.uid for w in workloads}
    )
    for first in workloads:
        for other in workloads:
            if (first.cluster, first.uid) == (other.cluster, other.uid):
                found["R1 one uid in two groups"] += first.resource < other.resource


def _look_at_scopes(events, workloads, found):
    """Listings that say nothing of a workload though they are of its kind and lack it."""
    for event in events:
        data = event["data"]
        if not event["type"].endswith("scope.listed.v1"):
            continue
        for each in workloads:
            same = (data["cluster"], data["resource"]) == (each.cluster, each.resource)
            if not same or each.uid in data["members"]:
                continue
            elsewhere = data["namespace"] not in (None, each.namespace)
            before = data["uid_to"] is not None and data["uid_to"] < each.uid
            behind = data["uid_from"] is not None and data["uid_from"] > each.uid
            found["R3 listing of another namespace"] += elsewhere
            found["R3 uid range leaves the workload out"] += not elsewhere and (before or behind)


def _look_at_readings(fold, found):
    time, by_position = fold.timeline, {}
    for each in time.readings:
        by_position.setdefault(each.position, []).append(each)
        found["R1 position beyond a double"] += each.position > 2**53
        found["R9 older position arrives late"] += any(
            other.log_index < each.log_index and other.position > each.position
            for other in time.readings
        )
    for position, group in by_position.items():
        content = time.content[position]
        found["R2 another extractor reads otherwise"] += any(
            each.extractor != content.extractor and each.placements != content.placements
            for each in group
        )
        found["R2 two readings of one extractor"] += len(group) > len({r.extractor for r in group})
        at = time.upper(position)
        found["R2 content and time from different readings"] += (
            at.bound == position and at.log_index != content.log_index
        )
    for before, middle, after in zip(time.living, time.living[1:], time.living[2:]):
        one, two, three = (time.content[each] for each in (before, middle, after))
        found["R6 equal content with a late detour between"] += (
            one.placements == three.placements != two.placements
            and two.log_index > max(one.log_index, three.log_index)
        )


def _look_at_listings(fold, found):
    time, workload = fold.timeline, fold.workload
    lacking = [
        each
        for each in workload.listings
        if each.covers(workload) and workload.uid not in each.members and each.selector is None
    ]
    for each in workload.listings:
        lacks = each.covers(workload) and workload.uid not in each.members
        ranged = each.uid_from is not None or each.uid_to is not None
        found["R3 uid range covers and lacks the workload"] += ranged and lacks
        found["R3 selector lacks a live workload"] += (
            lacks and each.selector is not None and each.position > time.life and time.end is None
        )
        found["R3 whole cluster listed"] += each.namespace is None
    found["R4 voided by evidence above"] += any(each.position <= time.life for each in lacking)
    found["R4 member of a listing above all readings"] += time.life > max(time.content)
    if time.closing_listing:
        found["R4 inferred removal"] += 1
        found["R4 several listings lack it"] += (
            len([each for each in lacking if each.position > time.life]) > 1
        )
        found["R4 lower bound from a listing"] += any(
            each.log_index == time.lower(time.end).log_index for each in time.member_listings
        )


def _look_at_removals(fold, found):
    time = fold.timeline
    deleted = any(each.removed for each in fold.workload.readings)
    found["R5 watch DELETED"] += deleted
    found["R5 audited delete without position"] += time.terminal == DELETED_WITHOUT_POSITION
    found["R5 audited delete and DELETED"] += deleted and bool(time.removing_requests)
    found["R5 reading above the removal"] += len(time.readings) < len(fold.workload.readings)
    for each in fold.workload.requests:
        found["R5 delete answered with the object"] += (
            each.verb == "delete" and each.succeeded and not each.removes
        )
        found["R19 dry run"] += each.dry_run
        found["R19 refused"] += (each.code or 0) >= 400


def _look_at_times(fold, found):
    time = fold.timeline
    readings = {each.log_index: each for each in time.readings}
    for position in time.chain:
        upper, lower = time.upper(position), time.lower(position)
        found[f"R8 source {time.source(position)}"] += 1
        found["R8 time from a later position"] += upper.bound > position
        reading = readings.get(upper.log_index)
        found["R8 time from the spec's beginning"] += bool(
            reading and reading.spec_at == upper.instant != reading.at
        )
        found["R8 lower bound decides"] += bool(lower) and lower.instant > upper.instant
        found["R9 earlier time arrives late"] += bool(
            position in time.content and upper.log_index > time.content[position].log_index
        )


def _look_at_rows(fold, found):
    time = fold.timeline
    components = {}
    for positions, placed in fold._runs(fold.placements.all, lambda each: each.run_key):
        row = fold._placement_row(positions, placed)
        first = positions[0]
        components.setdefault(placed[0].identity, set()).add(row["component"])
        found["R8 empty interval"] += row["valid_from"] == row["valid_to"]
        found["R10 row over several positions"] += len(positions) > 1
        found["R10 version deployed before its row"] += row["deployed_position"] < first
        found["R10 version moves between components"] += any(
            each.identity == placed[0].identity and each.component != row["component"]
            for each in (fold.placements.all(time.previous(first)) if time.previous(first) else [])
        )
        found["R10 version leaves and comes back"] += any(
            each < row["deployed_position"] and fold.placements.has(each, placed[0].identity)
            for each in time.living
        )
        found["R11 repeated name"] += "#" in row["component"]
        found["R11 long artifact"] += len(row["artifact"] or "") > 2704
        found["R11 no artifact"] += row["artifact"] is None and row["unknown_revision"] is None
        found[f"R16 {row['state']}"] += 1
        _look_at_lingering(row, placed, found)
        _look_at_readiness(fold, row, placed[0].identity, found)
        _look_at_revision_index(fold, row, placed, found)


def _look_at_lingering(row, placed, found):
    if not all(each.is_desired for each in placed):
        found["R13 lingering"] += 1
        found["R13 lingering ends"] += row["to_position"] is not None
        found["R13 lingering goes on from a desired row"] += placed[0].is_desired
        found["R13 lingering unknown"] += row["unknown_revision"] is not None
    if placed[0].is_desired and placed[0].is_of_revision and placed[0].replicas is None:
        if placed[0].named_by and row["component"] == "predictor":
            found["R14 kept revision known"] += 1
        found["R14 kept revision unknown"] += row["unknown_revision"] is not None


def _look_at_readiness(fold, row, identity, found):
    time = fold.timeline
    presence = fold._presence(row["from_position"], identity)
    generation = time.content[presence[0]].generation
    ready = [each for each in presence if fold.placements.is_ready(each, generation)]
    if ready:
        own = row["ready_at"] not in (None, time.time(ready[0]))
        found["R16 ready behind the row"] += row["ready_at"] is None
        found["R16 ready since an instant of its own"] += own
        found["R16 ready at a position"] += row["ready_at"] == time.time(ready[0])
        found["R16 ready without observedGeneration"] += (
            time.content[ready[0]].observed_generation is None
        )
    found["R16 ready of an older generation"] += any(
        time.content[each].ready
        and (time.content[each].observed_generation or generation or 0) < (generation or 0)
        for each in presence
    )


def _look_at_revision_index(fold, row, placed, found):
    if row["revised_index"] > row["recorded_index"]:
        by_configuration = row["revised_index"] == fold.placements.rules.log_index
        by_request = row["revised_index"] in fold._credited(row["deployed_position"])
        by_mapping = row["revised_index"] == placed[-1].named_by and not by_configuration
        found["R25 revised by configuration"] += by_configuration
        found["R25 revised by a request"] += by_request
        found["R25 revised by a mapping"] += by_mapping
        found["R25 revised by a late fact"] += not (by_configuration or by_request or by_mapping)


def _look_at_changes(fold, found):
    at = {}
    for row in fold._changes:
        found[f"R12 {row['change_type']}"] += 1
        at.setdefault(row["position"], {})[row["component"]] = row
    for position in fold.timeline.chain[1:]:
        found["R12 position without change"] += position not in at
        if position == fold.timeline.end:
            continue
        rows = at.get(position, {})
        canary = rows.get("canary", rows.get("second/node-0"))
        main = rows.get("predictor", rows.get("default/node-0"))
        if canary and canary["change_type"] == "removed":
            promoted = (
                main and main["to_version"] == canary["from_version"]
                and main["change_type"] in ("upgraded", "rolled_back")
            )
            found["R12 promoted canary"] += bool(promoted)
            found["R12 aborted canary"] += not promoted
        before = fold.timeline.previous(position)
        old, new = fold._desired(before), fold._desired(position)
        found["R12 stopped or started"] += any(
            old[name].stopped != new[name].stopped and old[name].identity == new[name].identity
            for name in set(old) & set(new)
        )
        one, two = fold.timeline.content[before], fold.timeline.content[position]
        found["R12 label changes the version"] += bool(rows) and (
            one.generation == two.generation
            and [p.uri for p in one.placements] == [p.uri for p in two.placements]
            and [p.labels for p in one.placements] != [p.labels for p in two.placements]
        )


def _look_at_revisions(fold, found):
    mapped = Counter()
    for position in fold.timeline.living:
        reading = fold.timeline.content[position]
        if reading.latest_created is not None:
            settled = reading.observed_generation == reading.generation
            mapped[reading.latest_created] += settled
            found["R14 stale status maps nothing"] += not settled
            found["R14 status without traffic"] += not reading.traffic
    found["R14 first of several mappings"] += any(count > 1 for count in mapped.values())


def _look_at_routes(fold, found):
    rows = list(fold.route_rows())
    found["R15 route"] += len(rows)
    found["R15 mirror"] += any(row["role"] == "mirror" for row in rows)
    found["R15 route ends"] += any(row["valid_to"] is not None for row in rows)
    found["R15 share changes"] += len(rows) > len({row["target"] for row in rows})


def _look_at_credit(fold, found):
    time, attribution = fold.timeline, fold.attribution
    for position in sorted({row["position"] for row in fold._changes}):
        credit = attribution.of(position)
        found["R19 nobody"] += not credit
        if position == time.end:
            _look_at_removal(fold, position, credit, found)
            continue
        _look_at_window(fold, position, credit, found)
        _look_at_candidates(fold, position, credit, found)
        if attribution.jumps(position):
            found["R18 generation jump"] += 1
            found["R18 generation jump with candidates"] += bool(credit)


def _look_at_removal(fold, position, credit, found):
    attribution = fold.attribution
    first, begun = fold.timeline.time(fold.timeline.chain[0]), attribution.deletion(position)
    far = [
        each
        for each in attribution.deletes + attribution.others
        if first < each.at <= attribution.window_end(begun) and not attribution.is_near(each, begun)
    ]
    surer = {request.role for request, _ in credit if not request.is_review}
    found["R18 refused delete of what lived on"] += "object" not in surer and any(
        each.role == "object" and each.is_review for each in far
    )
    found["R18 collection that left it out"] += not surer & {"object", "name"} and any(
        each.role == "collection" for each in far
    )
    found["R18 cause before it was there"] += len(credit) == 1 and any(
        each.role == CONTROLLERS.get(credit[0][0].principal) and each.at <= first
        for each in attribution.others
    )
    for request, strength in credit:
        found["R18 removed by one of several"] += strength == "ambiguous"
        found["R18 removed with its namespace"] += request.role == "namespace"
        found["R18 removed with its owner"] += request.role == "owner"
        if strength != "ambiguous":
            found["R18 removed by review"] += request.role == "object" and request.is_review
            found["R18 removed by review, held by finalizers"] += (
                request.role == "object" and request.is_review and begun != position
            )
            found["R18 removed by name"] += request.role == "name"
            found["R18 removed by collection"] += request.role == "collection"
    found["R18 delete of a former object of the name"] += any(
        each.role == "name" and each.at <= first for each in fold.attribution.deletes
    )


def _look_at_reviews(fold, position, found):
    attribution, generation = fold.attribution, fold.timeline.generation(position)
    if not attribution.raises(position) or attribution.jumps(position):
        return
    asked = [each for each in attribution.reviews if attribution._reached(each) == generation]
    near = [each for each in asked if attribution.is_near(each, position)]
    proofs = [each for each in near if attribution.is_proof(each, position)]
    credit = attribution._by_review(position, lambda each: True)
    found["R18 by review, beside one that is long past"] += len(credit) == 1 and len(near) < len(asked)
    found["R18 only reviews that are long past"] += bool(asked) and not credit
    found["R18 only reviews nearby"] += bool(near) and not proofs and bool(credit)
    found["R18 a create's review needs no time"] += len(credit) == 1 and not proofs


def _look_at_window(fold, position, credit, found):
    time, attribution = fold.timeline, fold.attribution
    window = attribution.in_window(position)
    late = (time.after(position) or 0) > time.upper(position).instant
    unbounded = attribution.window_start(position) is None
    found["R18 no lower bound, one that may have been it"] += (
        unbounded and bool(window) and credit == [(window[0], "ambiguous")]
    )
    found["R18 no lower bound, and nobody"] += (
        unbounded and not credit and bool(attribution.windowed)
    )
    found["R18 found with a spec of any age"] += (
        unbounded and bool(window) and not attribution.is_birth(position)
        and time.previous(position) is None and time.after(position) is not None
    )
    found["R18 window in a jump"] += attribution.jumps(position) and bool(window)
    _look_at_reviews(fold, position, found)
    reviews = [each for each, _ in credit if each in attribution.reviews]
    if reviews and attribution.raises(position) and not attribution.jumps(position):
        proven = credit[0][1] == "exact"
        found["R18 reviews of several actors"] += len(reviews) > 1
        found["R18 by review"] += proven
        found["R18 by several reviews of one actor"] += proven and (
            sum(attribution._reached(each) == time.generation(position)
                for each in attribution.reviews) > 1
        )
    if not credit or credit[0][0] not in window or attribution.jumps(position):
        return
    strength, request = credit[0][1], credit[0][0]
    found["R18 ambiguous in a window"] += strength == "ambiguous"
    if strength != "unique":
        return
    birth = attribution.is_birth(position)
    found["R18 unique"] += 1
    found["R18 unique at a birth"] += birth
    found["R18 unique birth by the object's own instant"] += (
        birth and time.upper(position).source == "object" and (late or not time.after(position))
    )
    found["R18 unique by name"] += request.role == "name"
    found["R18 unique where only a label changed"] += not attribution.raises(position)
    found["R18 unique through scale"] += request.subresource == "scale"
    found["R18 unique, of a review"] += request.is_review
    found["R18 unique, seen late"] += late and not birth
    found["R18 request read twice in a window"] += len(window) > 1


def _look_at_candidates(fold, position, credit, found):
    time, attribution = fold.timeline, fold.attribution
    reading = time.content[position]
    here = [each for each in attribution.by_age if each.position == position]
    found["R17 repeated apply beside the first"] += len(here) > 1 and bool(credit)
    found["R17 repeated apply alone, refused"] += bool(here) and not credit
    of_generation = [
        each for each in attribution.by_age
        if each.generation is not None and each.generation == reading.generation
    ]
    lowest = attribution.raises(position)
    found["R17 earlier evidence refuses the generation"] += bool(
        lowest and not credit and any(each.position is None for each in of_generation)
    )
    found["R18 request of a later position"] += bool(
        lowest and any((each.position or 0) > position for each in of_generation)
    )
    if time.previous(position) is None:
        _look_at_first(attribution, position, credit, found)
    for request, strength in credit:
        if strength != "exact":
            continue
        by_position = request.position == position
        found["R18 by position"] += by_position
        found["R18 by generation"] += not by_position and lowest
        found["R18 generation reached elsewhere below"] += bool(
            request.position is not None and request.position < position and lowest
        )
        found["R18 scale by position"] += by_position and request.subresource == "scale"
        found["R18 through status"] += not by_position and not lowest
        found["R18 request before its observation"] += request.log_index < reading.log_index
        found["R18 request after its observation"] += request.log_index > reading.log_index


def _look_at_first(attribution, position, credit, found):
    """The first known position: made by a creation, or found."""
    for request, strength in credit:
        shows = request not in attribution.windowed
        here = "by position" if request.position == position else "by generation"
        if request.is_review:
            here = "by review"
        if strength == "exact":
            found[f"R18 created, {here}"] += 1
            found["R18 created by a patch"] += request.verb == "patch"
            found["R18 created below what was found"] += (
                request.position is not None and request.position < position
            )
        elif shows:
            found[f"R18 found, written {here}"] += 1
            found["R18 found, written at generation 1"] += request.generation == 1


LOOKS = (
    _look_at_readings, _look_at_listings, _look_at_removals, _look_at_times, _look_at_rows,
    _look_at_changes, _look_at_revisions, _look_at_routes, _look_at_credit,
)
