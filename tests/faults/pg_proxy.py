"""A proxy in front of PostgreSQL that knows enough of its protocol to cut a connection around a COMMIT."""

import struct
import threading

from support.tcp_proxy import TcpProxy

COMMIT = b"COMMIT\0"
WAYS = ("before", "sent", "answered")


class CommitCutter(TcpProxy):
    """Cuts at the next COMMIT once `arm(way)` was called: `before` it is forwarded, right after it was `sent`, or when
    the server has `answered` and nobody will hear it. With `refuses_after_cut` nobody comes through from then on, until
    `refusing` is taken back."""

    def __init__(self, target):
        self._streams, self._armed, self._guard = {}, None, threading.Lock()
        self.refuses_after_cut = False
        self.cuts = {way: 0 for way in WAYS}
        super().__init__(target)

    def arm(self, way):
        with self._guard:
            self._armed = way

    @property
    def is_armed(self):
        return self._armed is not None

    def _take(self):
        with self._guard:
            way, self._armed = self._armed, None
        return way

    def passes(self, from_client, piece, to):
        if not from_client:
            # The client's stream is known by the socket that is written to here.
            stream = self._streams.get(to)
            if stream is not None and stream.cut_at_answer:
                return self._cut("answered")
            to.sendall(piece)
            return True
        stream = self._stream_of(to)
        if not stream.has_commit(piece) or not self.is_armed:
            to.sendall(piece)
            return True
        way = self._take()
        if way == "before":
            return self._cut(way)
        stream.cut_at_answer = way == "answered"
        to.sendall(piece)
        # Not waiting for the answer; the server has the bytes and will commit.
        return self._cut(way) if way == "sent" else True

    def _cut(self, way):
        self.refusing = self.refuses_after_cut
        self.cuts[way] += 1
        return False

    def _stream_of(self, server):
        return self._streams.setdefault(server, ClientStream())

    def _serve(self, client, server):
        # Both directions of one connection share what is known of it.
        self._streams[server] = self._streams[client] = ClientStream()
        try:
            super()._serve(client, server)
        finally:
            self._streams.pop(server, None)
            self._streams.pop(client, None)


class ClientStream:
    """What a client sends: a start-up message without a type, then messages of a type byte and a length."""

    def __init__(self):
        self.cut_at_answer = False
        self._started = False
        self._skip = 0  # bytes of a message that are still to come and hold nothing for us
        self._left = b""

    def has_commit(self, piece):
        """Takes what came; true when a COMMIT ended in it. COMMIT is the last thing of its transaction, so what lies
        before it in the same piece belongs to it."""
        found = False
        at = min(self._skip, len(piece)) if not self._left else 0
        self._skip -= at
        data = self._left + piece[at:]
        at = 0
        while len(data) - at >= (5 if self._started else 4):
            head = 1 if self._started else 0
            length = struct.unpack_from("!I", data, at + head)[0] + head
            kind = data[at:at + 1] if self._started else b""
            if kind == b"Q" and length == 5 + len(COMMIT):
                if len(data) - at < length:
                    break  # the rest comes with the next piece
                found = found or data[at + 5:at + length] == COMMIT
            elif not self._started:
                if len(data) - at < length:
                    break
                # SSLRequest and GSSENCRequest are answered by a byte, and the start-up message follows.
                self._started = length != 8
            at += length
        self._skip = max(0, at - len(data))
        self._left = data[at:] if at < len(data) else b""
        return found
