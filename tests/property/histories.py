"""Random histories: clusters that live, sources that watch them badly, and the log that results.

A world is a list of entries in the order in which a store gets them: events ({"type", "data"}) and
batch borders (BORDER). It holds several histories, each in a cluster of its own, so that one run of
the fold settles many. Everything follows from the seed.
"""

import random
import time as clock
from dataclasses import dataclass

from .kinds import KINDS, URIS

BORDER = {"batch": True}
SECOND = 1_000_000
BEGINNING = 1_767_225_600 * SECOND  # 2026-01-01
UIDS = [f"{number:08x}-0000-4000-8000-{number * 7919:012x}" for number in range(1, 10)]
STRANGERS = [f"ffffffff-0000-4000-8000-{number:012x}" for number in range(3)]
NAMESPACES = ("risk-dev", "risk-prod")
PATTERNS = (
    "s3://models-{environment}/{model}/{version}",
    "s3://lake/teams/{environment}/{model}/{version}",
    "gs://{environment}/{model}/iris",
    "pvc://disk/{model}/{version}",
)
PREFIX = "dev.modeltrail."
PEOPLE = ("alice", "bob", "system:serviceaccount:ci:deployer")
NAMESPACE_CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"
GARBAGE_COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"


def written(instant):
    """Microseconds to the text of events."""
    whole, rest = divmod(instant, SECOND)
    return clock.strftime("%Y-%m-%dT%H:%M:%S", clock.gmtime(whole)) + f".{rest:06d}Z"


def end_of_second(instant):
    """How a time of whole seconds is sent: as the upper bound that it is."""
    return instant - instant % SECOND + SECOND - 1


@dataclass
class Alive:
    """An object in the cluster, with what the cluster knows beside the object itself."""

    thing: object
    uid: str
    namespace: str
    position: int = 0
    began: int = 0  # when the present position began
    position_before: int = 0
    began_before: int | None = None
    spec_began: int = 0
    finalizing: bool = False
    owner: str | None = None


class History:
    """One cluster's life. `facts` are (when it would arrive, event)."""

    def __init__(self, rng, cluster):
        self.rng = rng
        self.cluster = cluster
        self.now = BEGINNING + rng.randrange(0, 3) * SECOND + rng.choice((0, 400_000, 999_999))
        self.revision = rng.choice((1, 100, 10_000, 2**53))
        self.facts = []
        self.alive = []
        self.first = None
        self.unused = rng.sample(UIDS, len(UIDS))
        self.audits = rng.choice((0, 0.5, 0.9, 1))  # how much of the audit log is collected
        self.watches = rng.choice((0.3, 0.7, 1))
        self.reads_audit = rng.choice((0, 0.5, 1))  # level RequestResponse: it shows the state too
        self.level = rng.choice(
            ("response", "response", "metadata", "nothing", "policy", "named", "named")
        )
        self.reviews = rng.choice((0, 0, 0.5, 1))  # how much admission tells
        self.bounds = rng.choice((0.3, 0.3, 1))  # how often an object tells a lower bound
        self.skew = {
            source: rng.choice((0, 0, 0, 300_000, -300_000, 4 * SECOND, -4 * SECOND, -20 * SECOND,
                               -60 * SECOND))
            for source in ("audit", "collector_clock", "listing")
        }
        self.extractors = rng.choice(((2,), (2,), (1, 2), (1, 2, 3)))
        self.watched_since = self.now

    def live(self, steps):
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            self._create()
        for _ in range(steps):
            self._step()
        return self.facts

    # Time and order.

    def _pass_time(self):
        self.now += self.rng.choice((1, 200_000, 700_000, SECOND, 5 * SECOND, 61 * SECOND))

    def _tell(self, noun, data, delay=0):
        event = {"type": f"{PREFIX}{noun}.v1", "data": {"cluster": self.cluster, **data}}
        self.facts.append((self.now + delay, event))

    # What happens.

    def _step(self):
        self._pass_time()
        acts = (
            (self._change_spec, 22), (self._reconcile, 26), (self._relabel, 5), (self._scale, 5),
            (self._touch, 4), (self._apply_nothing, 8), (self._refused, 4), (self._dry_run, 4),
            (self._refused_by_another, 6),
            (self._delete, 6), (self._list, 12), (self._create, 4), (self._replace, 3),
            (self._delete_collection, 3), (self._delete_namespace, 1), (self._delete_owner, 1),
        )
        self.rng.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()

    def _pick(self):
        alive = [each for each in self.alive if not each.finalizing]
        return self.rng.choice(alive) if alive else None

    def _create(self, kind=None, name=None, namespace=None):
        if not self.unused:
            return
        kind = kind or self.rng.choice(KINDS)
        thing = kind(self.rng, name or self.rng.choice(("fraud", "churn", "fraud-a")))
        namespace = namespace or self.rng.choice(NAMESPACES)
        if any(
            (each.thing.resource, each.namespace, each.thing.name)
            == (thing.resource, namespace, thing.name)
            for each in self.alive
        ):
            return
        # The same uid in two groups is no one workload; it does not occur, but must not matter.
        uid = self.unused.pop()
        if self.alive and self.rng.random() < 0.05:
            other = self.rng.choice(self.alive)
            if other.thing.resource != thing.resource:
                self.unused.append(uid)
                uid = other.uid
        new = Alive(thing, uid, namespace)
        if self.rng.random() < 0.3:
            others = [each.uid for each in self.alive if each.uid != uid]
            new.owner = self.rng.choice(others + STRANGERS[:1])
        self.alive.append(new)
        self.first = self.first or thing
        if self.rng.random() < 0.2:  # it is older than anything that we see of it
            thing.generation = self.rng.randrange(2, 6)
            thing.observed_generation = thing.generation
            self._wrote_spec(new, verb=self.rng.choice(("update", "patch")))
        else:
            self._wrote_spec(new, verb=self.rng.choice(("create", "create", "patch")), code=201)

    def _change_spec(self):
        for _ in range(self.rng.choice((1, 1, 1, 1, 2, 3))):
            found = self._pick()
            if found is not None:
                found.thing.change_spec()
                found.thing.generation += 1
                self._wrote_spec(found, verb=self.rng.choice(("update", "patch")))
                if self.rng.random() < 0.5:
                    self._settle(found)

    def _settle(self, found):
        """The controller follows, in one step or several."""
        for _ in range(self.rng.choice((1, 2, 3))):
            self._pass_time()
            self._reconcile(found)

    def _scale(self):
        found = self._pick()
        if found is not None:
            found.thing.scale()
            found.thing.generation += 1
            through = self.rng.choice(("scale", None))
            self._wrote_spec(found, verb="patch", subresource=through)

    def _relabel(self):
        found = self._pick()
        if found is not None:
            found.thing.relabel()
            self._wrote(found)
            self._request(found, "patch", position=found.position, raised=False)
            self._observe(found, by_request=True)

    def _touch(self):
        """An annotation or managed field that nobody reads."""
        found = self._pick()
        if found is not None:
            self._wrote(found)
            self._request(found, "patch", position=found.position, raised=False)
            self._observe(found, by_request=True)

    def _reconcile(self, found=None):
        found = found or self._pick()
        if found is not None:
            found.thing.reconcile(self.now)
            self._wrote(found)
            self._request(found, "update", position=found.position, subresource="status")
            self._observe(found, by_request=True)

    def _apply_nothing(self):
        """A repeated apply: the answer has the present position, and nothing changed."""
        found = self._pick()
        if found is not None:
            self._request(found, "patch", position=found.position, raised=False)
            if self.rng.random() < self.reads_audit:
                self._read(found, "audit")

    def _refused(self):
        found = self._pick()
        if found is not None:
            position = self.rng.choice((None, found.position, self.revision + 1))
            self._request(found, "update", position=position,
                          generation=found.thing.generation + self.rng.choice((0, 1)),
                          code=self.rng.choice((403, 409, 500)))

    def _refused_by_another(self):
        """Our webhook let it pass, another one did not: only the review tells of it."""
        found = self._pick()
        if found is not None and self.reviews:
            verb = self.rng.choice(("patch", "delete"))
            data = self._data_of(found, verb)
            self._reviewed(data, verb, found.thing.generation + 1, raised=verb == "patch")

    def _dry_run(self):
        found = self._pick()
        if found is not None:
            self._request(found, self.rng.choice(("patch", "delete")), position=found.position,
                          generation=found.thing.generation + 1, dry_run=True,
                          removes=self.rng.random() < 0.3)

    def _wrote(self, found):
        self.revision += self.rng.choice((1, 1, 2, 7))
        found.position_before, found.began_before = found.position, found.began or None
        found.position, found.began = self.revision, self.now

    def _wrote_spec(self, found, verb, subresource=None, code=None):
        self._wrote(found)
        found.spec_began = self.now
        self._request(found, verb, position=found.position, subresource=subresource, code=code)
        self._observe(found, by_request=subresource is None)

    def _replace(self):
        """Same name, other uid."""
        found = self._pick()
        if found is not None:
            self._remove(found)
            self._pass_time()
            self._create(type(found.thing), found.thing.name, found.namespace)

    def _delete(self):
        found = self.rng.choice(self.alive) if self.alive else None
        if found is None:
            return
        if not found.finalizing and self.rng.random() < 0.25:
            found.finalizing = True
            found.thing.generation += 1
            self._wrote(found)
            self._request(found, "delete", position=found.position)
            self._observe(found, by_request=True)
        else:
            self._remove(found)

    def _delete_collection(self, principal=None, namespace=None):
        """All of a kind in a namespace, or what a selector leaves."""
        if not self.alive:
            return
        first = self.rng.choice(self.alive)
        namespace = namespace or first.namespace
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self._request(first, "deletecollection", principal=principal, namespace=namespace)
        for found in list(self.alive):
            same = (found.thing.resource, found.namespace) == (first.thing.resource, namespace)
            if same and self.rng.random() < 0.8:
                if self.rng.random() < 0.5:
                    self._pass_time()
                # Somebody may name one of them at the same time.
                self._remove(found, by=None if self.rng.random() < 0.5 else "")

    def _delete_namespace(self):
        """A person deletes it, and a controller what is in it."""
        namespace = self.rng.choice(NAMESPACES)
        if not self.alive:
            return
        first = self.rng.choice(self.alive)
        for _ in range(self.rng.choice((1, 1, 2))):
            self._request(first, "delete", namespace=namespace, resource="namespaces")
        self._pass_time()
        if self.rng.random() < 0.5:
            self._delete_collection(NAMESPACE_CONTROLLER, namespace)
        for found in [each for each in self.alive if each.namespace == namespace]:
            if self.rng.random() < 0.7:
                self._remove(found, by=NAMESPACE_CONTROLLER)

    def _delete_owner(self):
        """What an object owned goes after it."""
        owned = [each for each in self.alive if each.owner]
        if not owned:
            return
        owner = self.rng.choice(owned).owner
        alive = [each for each in self.alive if each.uid == owner]
        if alive:
            self._remove(alive[0])
        else:
            self._request(owned[0], "delete", uid=owner, resource="owners.example.com")
        self._pass_time()
        for found in [each for each in self.alive if each.owner == owner]:
            self._remove(found, by=GARBAGE_COLLECTOR)

    def _remove(self, found, by=""):
        """Removed, by a request of its own (by: whose; None: there is none)."""
        if self.rng.random() < 0.2:
            self._list(found.thing)
            self._pass_time()
        self.alive.remove(found)
        self._wrote(found)
        if self.rng.random() < 0.4:  # nobody looked; at best a list shows it
            if self.rng.random() < 0.7:
                self._pass_time()
                self._list(found.thing)
            return
        if not found.finalizing and by is not None:
            answered = self.rng.random() < 0.9
            self._request(found, "delete", removes=answered, principal=by)
            if self.rng.random() < 0.2:  # asked twice
                self._request(found, "delete", removes=answered, principal=by)
        if self.rng.random() < self.watches * 0.7:
            self._read(found, self.rng.choice(("watch", "watch", "object")), removed=True)
        if self.rng.random() < 0.15:  # a source that is out of its mind
            self._wrote(found)
            self._read(found, "watch")

    # What is seen of it.

    def _observe(self, found, by_request=False):
        if by_request and self.rng.random() < self.reads_audit * self.audits:
            self._read(found, "audit")
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            if self.rng.random() < self.watches:
                self._read(found, self.rng.choice(("watch", "watch", "managed_fields", "object")))

    def _read(self, found, source, removed=False, extractor=None):
        """One observation of an object as it is now, by one source."""
        thing, rng = found.thing, self.rng
        extractor = extractor or rng.choice(self.extractors)
        at, at_source = self._seen_at(found, source)
        data = {
            "namespace": found.namespace,
            "name": thing.name,
            "uid": found.uid,
            "resource": thing.resource,
            "kind": thing.kind,
            "position": str(found.position),
            "generation": str(thing.generation),
            "observed_generation": (
                None if thing.observed_generation is None else str(thing.observed_generation)
            ),
            "extractor": extractor,
            "at": written(at),
            "at_source": at_source,
            "removed": removed,
            "ready": thing.ready,
            "failed": thing.failed,
            **({"deleting": True} if found.finalizing else {}),
            "ready_since": (
                written(end_of_second(thing.ready_since)) if thing.ready_since else None
            ),
            "owner_uid": found.owner,
            "placements": thing.placements(),
            "revisions": thing.revisions(),
            "routes": thing.routes(),
        }
        if rng.random() < self.bounds:
            bounds = [at - at % SECOND, found.began - found.began % SECOND]
            data["not_before"] = written(rng.choice(bounds + [found.began_before or bounds[1]]))
        if rng.random() < 0.4:
            data["spec_at"] = written(end_of_second(found.spec_began))
            data["spec_source"] = "object" if thing.generation == 1 else "managed_fields"
        if extractor == 1:
            self._read_by_an_old_extractor(data)
        if rng.random() < 0.06:
            self._confuse(data)
        if rng.random() < 0.03:
            self._distort(data)
        self._tell("workload.observed", data, delay=rng.choice((0, 1, 300_000, 10 * SECOND)))

    def _seen_at(self, found, source):
        """(at, at_source) of a reading."""
        lag = self.rng.choice((1, 30_000, 600_000, 3 * SECOND))
        if source == "audit":
            return found.began - self.rng.choice((0, 2_000)) + self.skew["audit"], "audit"
        if source == "managed_fields":
            return end_of_second(found.began), "managed_fields"
        if source == "object" and found.thing.generation == 1 and not found.position_before:
            return end_of_second(found.began), "object"
        if source == "listing":
            return self.now + self.skew["listing"] + lag, "listing"
        return self.now + self.skew["collector_clock"] + lag, "collector_clock"

    @staticmethod
    def _read_by_an_old_extractor(data):
        """What the first extractor did not know yet."""
        data["revisions"] = None
        for each in data["placements"]:
            each["revisioned"] = False
            each["labels"] = {}
            each["artifact_version"] = None

    def _confuse(self, data):
        """Status that is stale, unsettled or names what nobody has seen."""
        revisions = data["revisions"]
        act = self.rng.choice(("observed", "kept", "traffic", "latest", "no_status"))
        if act == "observed":
            data["observed_generation"] = str(max(int(data["generation"]) - 1, 1))
        elif act == "no_status":
            data.update(observed_generation=None, ready=None, revisions=None)
        elif revisions and act == "kept":
            revisions["kept"] = self.rng.choice((None, "r-unknown", "r1", "r2"))
        elif revisions and act == "traffic":
            names = self.rng.sample(("r-unknown", "r1", "r2", "r3"), 2)
            revisions["traffic"] = [{"revision": name, "percent": 50} for name in names]
        elif revisions and act == "latest":
            revisions["latest_created"] = self.rng.choice((None, "r1", "r2", "r9"))

    def _distort(self, data):
        """What no extractor should send, and yet must have one meaning."""
        placed, routes = data["placements"], data["routes"]
        act = self.rng.choice(("generation", "share", "empty", "twice", "predictor", "version"))
        if act == "generation":
            data["generation"] = self.rng.choice((None, "-1", "1"))
        elif act == "version":
            data["observed_generation"] = self.rng.choice((None, "99"))
        elif placed and act == "share":
            share = self.rng.choice((-1, 0, 0.0000004, 12.34567891, 110, 1000001, None))
            placed[0]["traffic_percent"] = share
        elif placed and act == "empty":
            replicas = self.rng.choice((-1, 2**31))
            placed[-1].update(uri="", image="", node="", role=None, replicas=replicas)
        elif placed and act == "twice":
            placed.append({**placed[0], "uri": URIS[0], "traffic_percent": 1})
        elif placed and act == "predictor":
            placed.insert(0, {**placed[0], "component": "predictor", "revisioned": False})
        elif routes:
            routes.append({**routes[0], "percent": 3})

    def _request(self, found, verb, position=None, generation=None, subresource=None, code=None,
                 dry_run=False, removes=False, principal=None, namespace=None, resource=None,
                 uid=None, raised=None):
        """What the audit log, a webhook, or both tell of a request."""
        rng = self.rng
        raised = position is not None and verb != "delete" if raised is None else raised
        data = self._data_of(found, verb, subresource, dry_run, principal, namespace, resource, uid)
        shown = generation or found.thing.generation
        if rng.random() < self.audits:
            self._audited(dict(data), verb, position, shown, code, removes, raised)
        if rng.random() < self.reviews:
            self._reviewed(data, "create" if code == 201 else verb, shown, raised)

    def _data_of(self, found, verb, subresource=None, dry_run=False, principal=None,
                 namespace=None, resource=None, uid=None):
        """What every source tells of a request."""
        rng = self.rng
        data = {
            "verb": verb,
            "resource": resource or found.thing.resource,
            "kind": found.thing.kind,
            "api_version": "v1",
            "subresource": subresource,
            "namespace": namespace or found.namespace,
            "name": found.thing.name,
            "uid": uid or found.uid,
            "dry_run": dry_run,
            "principal": principal or rng.choice(PEOPLE),
            "impersonated_by": rng.choice((None, None, None, None, "proxy")),
            "groups": ["system:authenticated"],
            "user_agent": "kubectl/v1.34.4",
            "source_ip": "10.0.0.7",
        }
        if namespace:  # of a collection, or of the namespace itself
            data.update(name=namespace if resource else None, uid=None)
        return data

    def _audited(self, data, verb, position, shown, code, removes, raised):
        rng, level = self.rng, self.level
        if removes or level in ("nothing", "named") or (level == "policy" and not raised):
            shown = None
        if data["subresource"] == "scale" and rng.random() < 0.7:  # a Scale has no generation
            shown = None
        if level != "response":
            position = None
        if level == "named" and data["resource"] != "owners.example.com":
            data["uid"] = None
        if level in ("named", "policy"):
            removes = False
        odd = rng.random() < 0.01
        at = self.now - rng.choice((0, 2_000, 2_000, 150_000)) + self.skew["audit"]
        data |= {
            "audit_id": f"{rng.getrandbits(64):016x}",
            "stage": "ResponseComplete",
            "position": None if position is None else str(position),
            "generation": None if shown is None else str(shown),
            "removes": removes,
            "code": None if odd else code or 200,
            "at": written(at),
            "via": "audit_log",
        }
        for _ in range(rng.choice((1, 1, 1, 1, 1, 2))):  # some arrive twice
            self._tell("request.audited", data, delay=rng.choice((0, 500_000, 90 * SECOND)))

    def _reviewed(self, data, verb, shown, raised):
        rng = self.rng
        at = self.now - rng.choice((0, 3_000, 200_000)) + rng.choice((0, 0, SECOND, -SECOND))
        shown = shown if raised and data["subresource"] is None else None
        data |= {
            "verb": "update" if verb == "patch" else verb,
            "audit_id": f"{rng.getrandbits(64):016x}",
            "stage": "Review",
            "position": None,
            "generation": None if shown is None else str(shown),
            "removes": verb == "delete" and rng.random() < 0.1,  # a webhook that errs
            "code": None,
            "at": written(at),
            "via": "admission",
        }
        for _ in range(rng.choice((1, 1, 1, 2))):
            self._tell("request.reviewed", dict(data), delay=rng.choice((0, 0, 90 * SECOND)))
            if rng.random() < 0.5:  # the API server's copy was outdated: it asks once more
                data["audit_id"] = f"{rng.getrandbits(64):016x}"

    def _list(self, thing=None):
        """A list of one kind in one namespace or everywhere, sometimes of a range of uids only."""
        if thing is None:
            thing = self.rng.choice([each.thing for each in self.alive] or [self.first])
        namespace = self.rng.choice((*NAMESPACES, None))
        there = [
            each
            for each in self.alive
            if each.thing.resource == thing.resource and namespace in (None, each.namespace)
        ]
        uid_from = uid_to = None
        if self.rng.random() < 0.2:
            middle = self.rng.choice(UIDS)
            uid_from, uid_to = self.rng.choice(((None, middle), (middle, None), (middle, middle)))
        members = [
            each.uid
            for each in there
            if (uid_from is None or uid_from <= each.uid) and (uid_to is None or each.uid <= uid_to)
        ]
        selector = "team=risk" if self.rng.random() < 0.12 else None
        if selector or self.rng.random() < 0.12:  # a list that is wrong ends nothing for good
            members = [uid for uid in members if self.rng.random() < 0.5]
        members += self.rng.sample(STRANGERS, self.rng.choice((0, 0, 1)))
        if self.rng.random() < 0.5:
            self.revision += 1
        data = {
            "resource": thing.resource,
            "kind": thing.kind,
            "namespace": namespace,
            "position": str(max(self.revision - self.rng.choice((0, 0, 0, 0, 1, 3)), 1)),
            "listed_at": written(self.now + self.skew["listing"] + self.rng.choice((0, 50_000))),
            "watched_since": written(self.watched_since),
            "selector": selector,
            "members": sorted(members),
            "uid_from": uid_from,
            "uid_to": uid_to,
        }
        self._tell("scope.listed", data, delay=self.rng.choice((0, 0, 20 * SECOND)))
        for each in there:
            if self.rng.random() < 0.3:
                self._read(each, "listing")


def _arrive(rng, facts):
    """The order in which a store hears of it."""
    order = rng.choice(("natural", "natural", "late", "late", "shuffled", "backfill"))
    facts = sorted(facts, key=lambda each: each[0])
    events = [event for _, event in facts]
    if order == "shuffled":
        rng.shuffle(events)
    elif order == "late":
        late = [event for event in events if rng.random() < 0.2]
        rng.shuffle(late)
        events = [event for event in events if not any(event is each for each in late)] + late
    elif order == "backfill":  # the audit log is read after the watch, or before it
        rank = rng.choice((-1, 1))
        events.sort(key=lambda each: rank * (
            "request." in each["type"] or each["data"].get("at_source") == "audit"
        ))
    for event in list(events):
        if rng.random() < 0.04:  # another collector says the same again
            events.insert(rng.randrange(len(events) + 1), event)
    return events


def _central(rng):
    patterns = rng.sample(PATTERNS, rng.randrange(len(PATTERNS) + 1))
    if rng.random() < 0.1:
        patterns.append(7)
    data = {
        "environments": [{"name": "dev", "order": 1,
                          "scopes": [{"cluster": "c0", "namespace": "risk-dev"}]}],
        "artifacts": patterns,
        "people": [],
        "applied_by": "admin",
    }
    return {"type": f"{PREFIX}central.applied.v1", "time": written(BEGINNING), "data": data}


def _borders(rng, events):
    """The events with batch borders between them."""
    size = rng.choice((1, 2, 5, 20, 10_000))
    entries, room = [], rng.randrange(1, size + 1)
    for event in events:
        if room == 0:
            entries.append(BORDER)
            room = rng.randrange(1, size + 1)
        entries.append(event)
        room -= 1
    return entries


def draw_world(seed, histories=8):
    """The world of a seed."""
    rng = random.Random(seed)
    events, lives = [], []
    for number in range(histories):
        life = History(rng, f"c{number}").live(steps=rng.choice((1, 3, 8, 15, 25)))
        lives.append(_arrive(rng, life))
    while any(lives):  # the clusters' events come interleaved, each cluster's in its order
        events.append(rng.choice([life for life in lives if life]).pop(0))
    applied = [_central(rng) for _ in range(rng.choice((0, 0, 1, 2)))]
    for central in applied + rng.sample(applied, min(len(applied), rng.choice((0, 1)))):
        events.insert(rng.randrange(len(events) + 1), central)
    return _borders(rng, events)


def numbered(entries):
    """The events of a world with their places in the log."""
    events = [entry for entry in entries if entry is not BORDER]
    return [{"log_index": index, **event} for index, event in enumerate(events, 1)]


__all__ = ["BORDER", "URIS", "draw_world", "numbered"]
