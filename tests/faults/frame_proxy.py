"""A man in the middle of the wire. CURVE keeps everybody else out of it, so this one holds the keys of both ends: it can
drop acknowledgements and repeat frames, which no TCP proxy can."""

import json
import threading
from collections import Counter

import zmq
import zmq.auth.thread
from faults.world import AUDITED
from support.process import free_port
from zmq.utils import z85


class FrameProxy:
    """Stands for the store at `address`, for one collector. `drops_acks`: no ack gets through. `repeats`: each data
    frame is sent twice. `withheld` is how many acks were dropped, `repeated` how many frames were doubled. `wire_max`
    is the newest version that a hello may offer; `welcomes` counts the versions that the store chose."""

    def __init__(self, store_address, store_secret: bytes, collector_secret: bytes):
        self.store_address, self._store, self._collector = store_address, store_secret, collector_secret
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.drops_acks, self.repeats = False, False
        self.withheld, self.repeated = 0, 0
        self.wire_max, self.welcomes = None, Counter()
        self._closing, ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the proxy of frames did not start"

    def close(self):
        self._closing.set()
        self._thread.join(10)

    def _upstream(self, context):
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        secret = z85.encode(self._collector)
        dealer.curve_secretkey, dealer.curve_publickey = secret, zmq.curve_public(secret)
        dealer.curve_serverkey = zmq.curve_public(z85.encode(self._store))
        dealer.connect(self.store_address)
        return dealer

    def _run(self, ready):
        context = zmq.Context()
        gate = zmq.auth.thread.ThreadAuthenticator(context)
        gate.start()
        gate.configure_curve(domain="*", location=zmq.auth.CURVE_ALLOW_ANY)
        router = context.socket(zmq.ROUTER)
        router.linger = 0
        router.curve_server = True
        router.curve_secretkey = z85.encode(self._store)
        router.zap_domain = b"proxy"
        router.bind(self.address)
        ready.set()
        upstreams = {}  # by the collector's routing id; the newest connection is the one that counts
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        try:
            while not self._closing.is_set():
                for socket, _ in poller.poll(20):
                    if socket is router:
                        self._from_collector(context, router, upstreams, poller)
                    elif not socket.closed:  # the router's message, just now, may have been of a newer connection
                        self._from_store(socket, router, upstreams)
        finally:
            for dealer in upstreams.values():
                dealer.close()
            router.close()
            gate.stop()
            context.term()

    def _from_collector(self, context, router, upstreams, poller):
        peer, frame = router.recv_multipart()
        if peer not in upstreams:
            for old in list(upstreams):
                poller.unregister(upstreams[old])
                upstreams.pop(old).close()
            upstreams[peer] = self._upstream(context)
            poller.register(upstreams[peer], zmq.POLLIN)
        if self.wire_max is not None and frame.startswith(b'{"kind":"hello"'):
            frame = json.dumps(json.loads(frame) | {"wire_max": self.wire_max}).encode() + b"\n"
        upstreams[peer].send(frame)
        if self.repeats and frame.startswith(b'{"kind":"data"'):
            self.repeated += 1
            upstreams[peer].send(frame)

    def _from_store(self, dealer, router, upstreams):
        frame = dealer.recv()
        if self.drops_acks and frame.startswith(b'{"kind":"ack"'):
            self.withheld += 1
            return
        if frame.startswith(b'{"kind":"welcome"'):
            self.welcomes[json.loads(frame)["wire"]] += 1
        for peer, upstream in upstreams.items():
            if upstream is dealer:
                router.send_multipart([peer, frame])


def put_between(world):
    """Stands between the store of a world that has not begun and its collector with an audit log."""
    system = world.system
    proxy = FrameProxy(system.endpoint, system.secret("store"), system.secret(AUDITED))
    world.proxies.append(proxy)
    world.store_address = proxy.address
    return proxy
