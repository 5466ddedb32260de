"""What can go wrong between an API server and whoever watches it, as scenarios.

Each takes a running `fake` with some objects, and `synced`, which waits until the subject believes
exactly what is true; it does its harm and returns an Expectation. Whoever drives a subject (the source
alone, or the whole way into the database) then waits for what is expected.
"""

import time
from dataclasses import dataclass, field

from .fake_kube import FakeKube

SELDON = "seldondeployments.machinelearning.seldon.io"


@dataclass
class Expectation:
    """The inventory must become the truth; `gap` names a scope that must be said to be unknown."""

    truth: dict[str, int]
    gap: str | None = None  # part of the reason
    closed: bool = True  # the gap must have an end
    rejected: int = 0  # input.rejected events at least
    whole_lists: int = 0  # lists without a limit that must have been asked for, at least
    notes: dict = field(default_factory=dict)


def seed(fake: FakeKube, count=12) -> None:
    for number in range(count):
        fake.create(f"model-{number:02}")


def harm(fake: FakeKube) -> None:
    """One of each change."""
    fake.update("model-01")
    fake.delete("model-02")
    fake.replace("model-03")
    fake.create("new-one")


def http_410(fake, synced):
    """History is gone when the watch comes back."""
    fake.hold()
    harm(fake)
    fake.compact()
    fake.release()
    return Expectation(fake.truth(), gap="410")


def in_stream_410(fake, synced):
    """The same, told inside a 200 answer."""
    fake.hold()
    harm(fake)
    fake.compact(in_stream=True)
    fake.release()
    return Expectation(fake.truth(), gap="410")


def resumed(fake, synced):
    """Connections are cut and history suffices: no gap."""
    fake.hold()
    harm(fake)
    fake.release()
    return Expectation(fake.truth())


def too_many_requests(fake, synced):
    """429 with Retry-After on the watch."""
    fake.hold()
    harm(fake)
    fake.fail_next("watch", 429, "seldondeployments", times=2, Retry_After=1)
    fake.release()
    return Expectation(fake.truth(), notes={"since": time.monotonic()})


def server_errors(fake, synced):
    fake.hold()
    harm(fake)
    fake.fail_next("watch", 503, "seldondeployments")
    fake.fail_next("watch", 500, "seldondeployments")
    fake.release()
    return Expectation(fake.truth())


def refused_while_starting(fake, synced):
    """An API server that has just started answers 403 for a moment: that is no loss of rights."""
    fake.hold()
    harm(fake)
    fake.fail_next("watch", 403, "seldondeployments")
    fake.release()
    return Expectation(fake.truth())


def cut_line(fake, synced):
    """The connection ends in the middle of an event."""
    fake.cut_next_line()
    harm(fake)
    return Expectation(fake.truth())


def forced_relist(fake):
    """Makes the subject list anew: its history is gone. Objects may be changed meanwhile."""
    fake.hold()
    harm(fake)
    fake.compact()


def expired_continue(fake, synced):
    """`continue` is refused with 410 in the middle of a list."""
    forced_relist(fake)
    fake.fail_next("list", 410, "seldondeployments-continue")
    fake.release()
    return Expectation(fake.truth(), gap="410", whole_lists=1)


def mixed_pages(fake, synced):
    """A continued page is of another resourceVersion than the first."""
    forced_relist(fake)
    fake.mix_next_page()
    fake.release()
    return Expectation(fake.truth(), gap="410", whole_lists=1)


def list_breaks_midway(fake, synced):
    """A list answer ends in the middle of an item, twice."""
    forced_relist(fake)
    fake.break_lists = 2
    fake.release()
    return Expectation(fake.truth(), gap="410")


def went_back(fake, synced):
    """etcd is restored: what was seen is not the past any more. Nothing is removed, all is unknown."""
    before = fake.snapshot()
    harm(fake)
    synced()
    believed = fake.truth()
    fake.hold()
    fake.restore(before)
    fake.release()
    return Expectation(believed, gap="went back", closed=False)


def went_back_in_watch(fake, synced):
    """One event with an older resourceVersion than the last one."""
    old = fake.truth()
    name = "model-05"
    obj = fake.update(name)
    synced()
    stale = dict(obj, metadata=dict(obj["metadata"], resourceVersion="900"))
    fake.send_raw("seldondeployments", {"type": "MODIFIED", "object": stale})
    assert old != fake.truth()
    return Expectation(fake.truth(), gap="went back")


def silence(fake, synced):
    """A connection that stays open and says nothing, not even its end."""
    fake.go_silent()
    time.sleep(fake.bookmark_every * 2)
    harm(fake)
    fake.speak()
    return Expectation(fake.truth())


def garbage_lines(fake, synced):
    """Lines that are no JSON, events of unknown types, objects that nobody can use: what they said is
    unknown until a list is all right."""
    fake.send_raw("seldondeployments", b'{"type":"MODIFIED","object":{"metadata":')
    fake.send_raw("seldondeployments", b"\xff\xfe\x00")
    fake.send_raw("seldondeployments", {"type": "SURPRISE", "object": {}})
    fake.send_raw("seldondeployments", b'{"type":"ADDED","object":{"metadata":{"name":"a\\u0000"}}}')
    harm(fake)
    return Expectation(fake.truth(), gap="could not be used", closed=False, rejected=4)


def nothing_but_garbage(fake, synced):
    """More unusable events than a watch may begin with: they must not hold up what is behind them."""
    fake.hold()
    for _ in range(25):
        fake.send_raw("seldondeployments", b'{"type":"ADDED","object":{"metadata":{"name":"a\\u0000"}}}')
    harm(fake)
    fake.release()
    return Expectation(fake.truth(), gap="could not be used", rejected=10)


def unusable_object(fake, synced):
    """An object that cannot be read any more still exists: a list must not remove it, nor tell that
    all is known."""
    name = "model-06"
    uid, position = fake.uid(name), fake.truth()[fake.uid(name)]
    fake.poison(name)
    forced_relist(fake)
    fake.release()
    return Expectation(fake.truth() | {uid: position}, gap="could not be used", closed=False,
                       rejected=1)


SCENARIOS = [
    http_410, in_stream_410, resumed, too_many_requests, server_errors,
    refused_while_starting, cut_line,
    expired_continue, mixed_pages, list_breaks_midway, went_back, went_back_in_watch, silence,
    garbage_lines, nothing_but_garbage, unusable_object,
]
