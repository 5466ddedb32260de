"""A TCP proxy on loopback that a test can make slow, cut, or leave half open."""

import selectors
import socket
import threading
import time

from .process import free_port


class TcpProxy:
    """Forwards `port` to `target` (a port, or a path of a unix socket). `delay` seconds are added to every piece;
    `frozen` passes nothing on and closes nothing: each side believes that the other lives."""

    def __init__(self, target, port=None):
        self.target, self.port = target, port or free_port()
        self.delay, self.frozen, self.refusing = 0.0, False, False
        self.connections = 0
        self._pairs, self._lock, self._closed = [], threading.Lock(), False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _connect(self):
        if isinstance(self.target, int):
            return socket.create_connection(("127.0.0.1", self.target), timeout=5)
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(str(self.target))
        return upstream

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise OSError("refused as the test wants it")
                server = self._connect()
            except OSError:
                client.close()
                continue
            self.connections += 1
            server.settimeout(None)
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client, server):
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in ready.select():
                        while self.frozen and not self._closed:
                            time.sleep(0.01)
                        bytes_read = key.fileobj.recv(1 << 18)
                        if self.delay:
                            time.sleep(self.delay)
                        if not bytes_read or not self.passes(key.fileobj is client, bytes_read,
                                                             other[key.fileobj]):
                            return
            except (OSError, ValueError):
                pass
            finally:
                self._forget(client, server)

    def passes(self, from_client, piece, to):
        """Sends a piece on; False ends the connection."""
        to.sendall(piece)
        return True

    def _forget(self, *pair):
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)

    def cut(self):
        """Ends all connections as they are."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self._closed = True
        self._listener.close()
        self.cut()
