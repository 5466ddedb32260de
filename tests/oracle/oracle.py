"""The oracle: from events to the rows of placement, route, change and attribution (docs/fold.md).

Every function looks at the whole history again; nothing is carried along. Numbers are ints,
instants microseconds since 1970, shares millionths of a percent, keys lower-case hex, NULL is None.
"""

import hashlib
from functools import cached_property

from .attribution import Attribution
from .facts import gather
from .placements import Placements
from .times import Timeline

COLUMNS = {
    "placement": (
        "cluster resource uid row_key from_position placement_id component model version artifact "
        "artifact_digest identity_source unknown_revision role traffic_percent stopped state "
        "replicas image to_position valid_from valid_from_after valid_to valid_to_after "
        "deployed_position deployed_at deployed_after time_source ready_at recorded_index "
        "revised_index"
    ).split(),
    "route": (
        "cluster resource uid target_kind target role from_position percent valid_from valid_to "
        "recorded_index revised_index"
    ).split(),
    "change": (
        "cluster resource uid position component change_id change_type reason happened_at "
        "happened_after time_source from_model to_model from_version to_version from_artifact "
        "to_artifact role from_traffic_percent to_traffic_percent recorded_index revised_index"
    ).split(),
    "attribution": "cluster resource uid position request_index strength".split(),
}


def fold_world(events):
    """All rows that the events amount to, table by table."""
    workloads, rules = gather(events)
    tables = {name: [] for name in COLUMNS}
    for workload in workloads:
        for name, rows in Fold(workload, rules).tables().items():
            tables[name].extend(rows)
    return tables


class Fold:
    """One workload."""

    def __init__(self, workload, rules):
        self.workload = workload
        self.timeline = Timeline(workload)
        self.placements = Placements(self.timeline, rules)
        self.attribution = Attribution(self.timeline)

    def tables(self):
        head = dict(zip(("cluster", "resource", "uid"), self.workload.key))
        tables = {
            "placement": list(self.placement_rows()),
            "route": list(self.route_rows()),
            "change": self._changes,
            "attribution": list(self.attribution_rows()),
        }
        return {name: [{**head, **row} for row in rows] for name, rows in tables.items()}

    # Placements.

    def placement_rows(self):
        for positions, placed in self._runs(self.placements.all, lambda each: each.run_key):
            yield self._placement_row(positions, placed)

    def _runs(self, things_at, key):
        """Maximal runs of consecutive positions: (positions, the thing at each of them)."""
        for first in self.timeline.living:
            before = self.timeline.previous(first)
            known = [key(each) for each in things_at(before)] if before is not None else []
            for thing in things_at(first):
                if key(thing) in known:
                    continue
                positions, things, position = [first], [thing], self.timeline.next_position(first)
                while position is not None:
                    same = [each for each in things_at(position) if key(each) == key(thing)]
                    if not same:
                        break
                    positions.append(position)
                    things.append(same[0])
                    position = self.timeline.next_position(position)
                yield positions, things

    def _placement_row(self, positions, placed):
        time = self.timeline
        first, last = positions[0], positions[-1]
        end = time.next_position(last)
        identity = placed[0].identity
        deployed = self._presence(first, identity)[0]
        ready = self._ready(first, last, identity)
        row_key = _digest(
            placed[0].component, identity.model, identity.version, identity.artifact,
            identity.unknown_revision,
        )
        decided = [time.index(first), time.index(deployed), placed[-1].named_by]
        decided += [time.index(each) for each in (end, ready) if each is not None]
        decided += self._credited(deployed)
        return {
            "row_key": row_key,
            "from_position": first,
            "placement_id": "d-" + self._id(row_key, first),
            "component": placed[0].component,
            "model": identity.model,
            "version": identity.version,
            "artifact": identity.artifact,
            "artifact_digest": placed[-1].artifact_digest,
            "identity_source": placed[-1].identity_source,
            "unknown_revision": identity.unknown_revision,
            "role": placed[0].role,
            "traffic_percent": placed[0].traffic,
            "stopped": placed[0].stopped,
            "state": self.placements.state(placed[-1], last),
            "replicas": placed[-1].replicas,
            "image": placed[-1].image,
            "to_position": end,
            "valid_from": time.time(first),
            "valid_from_after": time.after(first),
            "valid_to": None if end is None else time.time(end),
            "valid_to_after": None if end is None else time.after(end),
            "deployed_position": deployed,
            "deployed_at": time.time(deployed),
            "deployed_after": time.after(deployed),
            "time_source": time.source(deployed),
            "ready_at": None if ready is None else self._ready_at(ready, deployed),
            "recorded_index": time.fact(first),
            "revised_index": max(decided),
        }

    def _presence(self, position, identity):
        """The unbroken run of positions around this one at which the version is in the workload."""
        first = last = position
        while True:
            before = self.timeline.previous(first)
            if before is None or not self.placements.has(before, identity):
                break
            first = before
        while True:
            behind = self.timeline.next_position(last)
            if behind is None or not self.placements.has(behind, identity):
                break
            last = behind
        return [each for each in self.timeline.living if first <= each <= last]

    def _ready(self, first, last, identity):
        """The position at which the version's presence was first ready, if not behind the row."""
        presence = self._presence(first, identity)
        generation = self.timeline.generation(presence[0])
        ready = [each for each in presence if self.placements.is_ready(each, generation)]
        return ready[0] if ready and ready[0] <= last else None

    def _ready_at(self, position, deployed):
        since = self.timeline.content[position].ready_since
        deployed_at, at = self.timeline.time(deployed), self.timeline.time(position)
        return since if since is not None and deployed_at <= since <= at else at

    def _credited(self, position):
        """Log indices of the requests found for the changes at a position, if it has any."""
        changed = any(row["position"] == position for row in self._changes)
        return self.attribution.credited(position) if changed else set()

    # Routes.

    def route_rows(self):
        def routes_at(position):
            if position == self.timeline.end:
                return []
            first = {}
            for each in self.timeline.content[position].routes:
                first.setdefault((each.target_kind, each.target, each.role), each)
            return list(first.values())

        for positions, routes in self._runs(routes_at, lambda each: each):
            first, end = positions[0], self.timeline.next_position(positions[-1])
            decided = [self.timeline.index(each) for each in (first, end) if each is not None]
            yield {
                "target_kind": routes[0].target_kind,
                "target": routes[0].target,
                "role": routes[0].role,
                "from_position": first,
                "percent": routes[0].percent,
                "valid_from": self.timeline.time(first),
                "valid_to": None if end is None else self.timeline.time(end),
                "recorded_index": self.timeline.fact(first),
                "revised_index": max(decided),
            }

    # Changes.

    @cached_property
    def _changes(self):
        return list(self.change_rows())

    def change_rows(self):
        for position in self.timeline.chain:
            before = self.timeline.previous(position)
            old = {} if before is None else self._desired(before)
            new = self._desired(position)
            for component in sorted(set(old) | set(new)):
                change_type = self._change_type(position, old.get(component), new.get(component))
                if change_type:
                    yield self._change_row(
                        position, change_type, old.get(component), new.get(component)
                    )

    def _desired(self, position):
        return {each.component: each for each in self.placements.desired(position)}

    def _change_type(self, position, old, new):
        if old is None:
            return "deployed"
        if new is None:
            return "removed"
        if old.identity != new.identity:
            earlier = [
                self._desired(each).get(new.component)
                for each in self.timeline.living
                if each < position
            ]
            served = any(each and each.identity == new.identity for each in earlier)
            return "rolled_back" if served else "upgraded"
        unmoved = (old.role, old.traffic, old.stopped) == (new.role, new.traffic, new.stopped)
        return None if unmoved else "reconfigured"

    def _reason(self, position):
        if position == self.timeline.end:
            return "inferred" if self.timeline.closing_listing else "deleted"
        return "initial" if self.timeline.previous(position) is None else None

    def _change_row(self, position, change_type, old, new):
        time = self.timeline
        previous = time.previous(position)
        decided = [time.index(position), *self.attribution.credited(position)]
        decided += [each.named_by for each in (old, new) if each]
        if previous is not None:  # from what was there it changed
            decided.append(time.fact(previous))
        component = (new or old).component
        return {
            "position": position,
            "component": component,
            "change_id": "c-" + self._id(position, component),
            "change_type": change_type,
            "reason": self._reason(position),
            "happened_at": time.time(position),
            "happened_after": time.after(position),
            "time_source": time.source(position),
            "from_model": old and old.identity.model,
            "to_model": new and new.identity.model,
            "from_version": old and old.identity.version,
            "to_version": new and new.identity.version,
            "from_artifact": old and old.identity.artifact,
            "to_artifact": new and new.identity.artifact,
            "role": (new or old).role,
            "from_traffic_percent": old and old.traffic,
            "to_traffic_percent": new and new.traffic,
            "recorded_index": time.fact(position),
            "revised_index": max(decided),
        }

    # Attribution.

    def attribution_rows(self):
        for position in sorted({row["position"] for row in self._changes}):
            for request, strength in self.attribution.of(position):
                yield {
                    "position": position,
                    "request_index": request.log_index,
                    "strength": strength,
                }

    # Keys.

    def _id(self, *parts):
        return _digest(*self.workload.key, *parts)[:16]


def _digest(*parts):
    """SHA-256 of the parts, each ended by NUL, an absent one empty."""
    texts = ["" if part is None else str(part) for part in parts]
    return hashlib.sha256("".join(text + "\0" for text in texts).encode()).hexdigest()
