"""Faults between programs: connections that are slow, cut, or half open, frames that repeat, acks that never come."""

import signal
import time

from faults.frame_proxy import put_between
from faults.world import AUDITED, World
from support.tcp_proxy import TcpProxy


def network(rng, rounds, rate):
    """A TCP proxy between collectors and store delays, cuts, refuses, and leaves connections half open; either
    program is stopped for a while (SIGSTOP), so that the other sees an end that is open and silent."""
    with World(rng, rate) as world:
        proxy = TcpProxy(world.system.port)
        world.proxies.append(proxy)
        world.store_address = f"tcp://127.0.0.1:{proxy.port}"
        world.start()
        for _ in range(rounds):
            world.pause()
            what = rng.choice(["cut", "cut", "delay", "refuse", "frozen", "stop store", "stop collector"])
            world.counts.faults[f"network {what}"] += 1
            trouble(world, proxy, what)
            world.check_acknowledged()
        return world.check()


def trouble(world, proxy, what):
    rng = world.random
    if what == "cut":
        proxy.cut()
    elif what == "delay":
        proxy.delay = rng.uniform(0.005, 0.05)
        time.sleep(rng.uniform(0.5, 2))
        proxy.delay = 0
    elif what == "refuse":
        proxy.refusing = True
        proxy.cut()
        time.sleep(rng.uniform(0.2, 1.5))
        proxy.refusing = False
    elif what == "frozen":
        proxy.frozen = True
        # Sometimes longer than a collector waits for an ack, sometimes not.
        time.sleep(rng.uniform(0.5, 5))
        proxy.frozen = False
    else:
        stop_for_a_while(world.system.daemons["store" if what == "stop store" else AUDITED], rng.uniform(0.5, 5))


def stop_for_a_while(daemon, seconds):
    daemon.send(signal.SIGSTOP)
    time.sleep(seconds)
    daemon.send(signal.SIGCONT)


def acks(rng, rounds, rate, silence_s=(1, 6)):
    """Somebody on the wire drops every ack for a while, and sends frames twice."""
    with World(rng, rate, watch=False) as world:
        proxy = put_between(world)
        world.start()
        for number in range(rounds):
            world.pause()
            if number % 2 == 0:
                drop_acks(world, proxy, rng.uniform(*silence_s))
            else:
                repeat_frames(world, proxy, rng.uniform(0.1, 0.5))
            world.check_acknowledged()
        counts = world.check()
        counts.faults["acks dropped"] += proxy.withheld
        counts.faults["frames repeated"] += proxy.repeated
        return counts


def drop_acks(world, proxy, seconds):
    withheld = proxy.withheld
    proxy.drops_acks = True
    time.sleep(seconds)
    world.wait_until(lambda: proxy.withheld > withheld, "an ack was dropped")
    proxy.drops_acks = False
    world.counts.faults["acks dropped for a while"] += 1


def repeat_frames(world, proxy, seconds):
    repeated = proxy.repeated
    proxy.repeats = True
    time.sleep(seconds)
    world.wait_until(lambda: proxy.repeated > repeated, "a frame was repeated")
    proxy.repeats = False
    world.counts.faults["frames repeated for a while"] += 1


def ack_minute(rng, rounds, rate):
    """No ack at all for a whole minute, again and again."""
    return acks(rng, rounds, rate, silence_s=(60, 60))
