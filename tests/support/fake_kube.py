"""A hostile API server: a small object store over HTTP with the faults real servers have, on demand.

It speaks as much of the Kubernetes API as a list-and-watch client needs: discovery, lists in pages,
watches with bookmarks, namespaces. Faults are methods; each says what it breaks. Time runs fast here:
bookmarks come every fraction of a second.
"""

import bisect
import copy
import gzip
import itertools
import json
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from .kube_client import MODEL_KINDS

PLURALS = {resource.plural: kind for kind, resource in MODEL_KINDS.items()}


class Fault(NamedTuple):
    """One answer that is not what was asked for."""

    verb: str  # list, probe (a list of one), watch, get, discover
    plural: str | None  # None: any
    code: int
    reason: str
    headers: dict


class Snapshot(NamedTuple):
    """What a restore goes back to."""

    rv: int
    objects: dict


class FakeKube:
    """The server; `with FakeKube() as fake:` runs it on a free loopback port."""

    def __init__(self, token="first-token", bookmark_every=0.2, gzip_lists=False):
        self.lock = threading.Condition()
        self.token = token
        self.bookmark_every = bookmark_every
        self.bookmarks = True
        self.bookmarks_after_selection = False  # as a consistent read from a cache brings them
        self.gzip_lists = gzip_lists
        self.chunk: tuple[int, float] | None = None
        self.rv = 1000
        self.objects: dict[tuple[str, str, str], dict] = {}  # (plural, namespace, name)
        self.history: list[tuple[int, str, str, dict]] = []  # (rv, type, plural, object)
        self.oldest_rv = 0  # a watch from before this gets 410
        self.absent: set[str] = set()  # groups that are not installed
        self.missing: set[str] = set()  # plurals whose lists and watches get 404
        self.forbidden: set[str] = set()  # plurals
        self.requests: list[tuple[float, str, str, int]] = []  # (when, verb, path, code)
        self.in_stream_410 = False
        self.silent = False
        self.babble = 0  # lines of HTML that the next watch answers with
        self.break_lists = 0  # so many list answers end in their middle
        self.generation = 0  # watches of an older one are cut
        self.namespace_labels: dict[str, dict] = {}  # of namespaces that can be read
        self.replaced: dict[bytes, bytes] = {}  # in every answer: for what json.dumps never writes
        self.one_byte_chunks = False  # of lists and watches
        self.hostile: dict[tuple, Callable] = {}  # (verb, plural): what writes the answer instead
        self._faults: list[Fault] = []
        self._pages: dict[str, tuple[int, list, int]] = {}
        self._page_numbers = itertools.count(1)
        self._mix_next_page = False
        self._half_next_line = False
        self._gate = threading.Event()
        self._gate.set()
        self._server = Server(("127.0.0.1", 0), self._handler_class())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.cut_watches()
        self.release()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def write_kubeconfig(self, path, token_file=None):
        """A kubeconfig that leads here; the token stands in it, or in a file of its own."""
        user = {"tokenFile": str(token_file)} if token_file else {"token": self.token}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c1",
            "contexts": [{"name": "c1", "context": {"cluster": "c1", "user": "u"}}],
            "clusters": [{"name": "c1", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user}],
        }))
        return path

    # ---- the store ----

    def _record(self, kind: str, plural: str, obj: dict) -> None:
        self.history.append((self.rv, kind, plural, copy.deepcopy(obj)))
        self.lock.notify_all()

    def create(self, name, namespace="risk", plural="seldondeployments", **spec) -> dict:
        resource = MODEL_KINDS[PLURALS[plural]]
        with self.lock:
            self.rv += 1
            obj = {
                "apiVersion": f"{resource.group}/{resource.version}",
                "kind": PLURALS[plural],
                "metadata": {"name": name, "namespace": namespace, "uid": str(uuid.uuid4()),
                             "resourceVersion": str(self.rv), "generation": 1,
                             "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                                time.gmtime())},
                "spec": spec or self._spec(plural, name),
            }
            self.objects[plural, namespace, name] = obj
            self._record("ADDED", plural, obj)
            return copy.deepcopy(obj)

    def put(self, obj, plural="seldondeployments") -> dict:
        """Any object, however hostile; gives its uid and resourceVersion as create does."""
        with self.lock:
            self.rv += 1
            obj = copy.deepcopy(obj)
            meta = {"namespace": "risk", "uid": str(uuid.uuid4()), "generation": 1,
                    "resourceVersion": str(self.rv)}
            obj["metadata"] = meta | obj["metadata"]
            self.objects[plural, obj["metadata"]["namespace"], obj["metadata"]["name"]] = obj
            self._record("ADDED", plural, obj)
            return copy.deepcopy(obj)

    def _spec(self, plural, name) -> dict:
        """The version is the resourceVersion that brought it, so that who shows one proves the other."""
        if plural == "models":
            return {"storageUri": f"s3://models/{name}/v{self.rv}"}
        return {"predictors": [{"name": "main", "graph": {
            "name": "classifier", "modelUri": f"s3://models/{name}/v{self.rv}"}}]}

    def update(self, name, namespace="risk", plural="seldondeployments") -> dict:
        with self.lock:
            self.rv += 1
            obj = self.objects[plural, namespace, name]
            meta = obj["metadata"]
            meta["resourceVersion"] = str(self.rv)
            meta["generation"] += 1
            if "s3://models/" in json.dumps(obj["spec"]):
                obj["spec"] = self._spec(plural, name)
            self._record("MODIFIED", plural, obj)
            return copy.deepcopy(obj)

    def delete(self, name, namespace="risk", plural="seldondeployments") -> None:
        with self.lock:
            self.rv += 1
            obj = self.objects.pop((plural, namespace, name))
            obj["metadata"]["resourceVersion"] = str(self.rv)
            self._record("DELETED", plural, obj)

    def replace(self, name, **where) -> dict:
        """Same name, another uid."""
        self.delete(name, **where)
        return self.create(name, **where)

    def uid(self, name, namespace="risk", plural="seldondeployments") -> str:
        with self.lock:
            return self.objects[plural, namespace, name]["metadata"]["uid"]

    def poison(self, name, namespace="risk", plural="seldondeployments"):
        """Puts an escaped NUL into an object: valid JSON that no database takes. No event."""
        with self.lock:
            self.rv += 1
            obj = self.objects[plural, namespace, name]
            obj["metadata"]["resourceVersion"] = str(self.rv)
            obj["spec"]["note"] = "\0"

    def truth(self) -> dict[str, int]:
        """uid -> resourceVersion of every object that exists."""
        with self.lock:
            return {obj["metadata"]["uid"]: int(obj["metadata"]["resourceVersion"])
                    for obj in self.objects.values()}

    # ---- faults ----

    def fail_next(self, verb, code, plural=None, times=1, reason="as the test wants it",
                  **headers):
        """The next `times` requests of that kind get this status."""
        with self.lock:
            named = {key.replace("_", "-"): str(value) for key, value in headers.items()}
            self._faults += [Fault(verb, plural, code, reason, named)] * times

    def hold(self):
        """Watches are cut, and new ones wait for release()."""
        self._gate.clear()
        self.cut_watches()

    def release(self):
        self._gate.set()

    def cut_watches(self):
        """Connections end without the last chunk."""
        with self.lock:
            self.generation += 1
            self.lock.notify_all()

    def compact(self, in_stream=False):
        """Forgets history: a watch from an older resourceVersion gets 410, as HTTP or as event."""
        with self.lock:
            self.in_stream_410 = in_stream
            self.rv += 1
            self.oldest_rv = self.rv

    def cut_next_line(self):
        """The next watch event is cut in the middle of its line."""
        self._half_next_line = True

    def expire_continue(self):
        """Every `continue` handed out so far is worth nothing."""
        with self.lock:
            self._pages = {token: (0, [], 0) for token in self._pages}

    def mix_next_page(self):
        """The next continued page says another resourceVersion than the first one."""
        self._mix_next_page = True

    def go_silent(self):
        """Watches stay open and say nothing more: neither events nor bookmarks, nor their end."""
        self.silent = True

    def speak(self):
        """Ends the silence for watches that begin from now on."""
        with self.lock:
            self.silent = False

    def snapshot(self) -> Snapshot:
        with self.lock:
            return Snapshot(self.rv, copy.deepcopy(self.objects))

    def restore(self, snapshot: Snapshot):
        """What restoring etcd does: objects and resourceVersions go back."""
        with self.lock:
            self.rv = snapshot.rv
            self.objects = copy.deepcopy(snapshot.objects)
            self.history = [entry for entry in self.history if entry[0] <= snapshot.rv]

    def send_raw(self, plural, event: dict | bytes):
        """Puts a line into the watches of a plural, whatever it is."""
        with self.lock:
            self.rv += 1
            self.history.append((self.rv, "RAW", plural, event))
            self.lock.notify_all()

    def take_fault(self, verb, plural) -> Fault | None:
        with self.lock:
            for fault in self._faults:
                if fault.verb == verb and fault.plural in (None, plural):
                    self._faults.remove(fault)
                    return fault
        return None

    def count(self, verb, code=None) -> int:
        return sum(1 for _, did, _, got in self.requests
                   if did == verb and code in (None, got))

    # ---- lists ----

    def list_page(self, plural, namespace, query) -> tuple[int, dict]:
        """(code, body) of one page."""
        with self.lock:
            token = query.get("continue")
            if token:
                rv, items, at = self._pages.get(token, (0, [], 0))
                if rv == 0:
                    return 410, status(410, "Expired", "The provided continue parameter is too old")
                if self._mix_next_page:
                    self._mix_next_page = False
                    rv += 1
            else:
                rv, at = self.rv, 0
                items = [copy.deepcopy(obj) for (its, where, _), obj in sorted(self.objects.items())
                         if its == plural and namespace in (None, where)
                         and "labelSelector" not in query]  # no object here has labels
            limit = int(query.get("limit", 0)) or len(items)
            metadata = {"resourceVersion": str(rv)}
            if at + limit < len(items):
                token = f"page-{next(self._page_numbers)}"
                self._pages[token] = (rv, items, at + limit)
                metadata["continue"] = token
            resource = MODEL_KINDS[PLURALS[plural]]
            # As the real one prints custom resources: `metadata` behind `items`.
            return 200, {"apiVersion": f"{resource.group}/{resource.version}",
                         "items": items[at:at + limit], "kind": f"{PLURALS[plural]}List",
                         "metadata": metadata}

    # ---- watches ----

    def events_after(self, rv, plural, namespace):
        first = bisect.bisect_right(self.history, rv, key=lambda entry: entry[0])
        for at, kind, its, obj in itertools.islice(self.history, first, None):
            if its == plural and (
                    kind == "RAW" or namespace in (None, obj["metadata"]["namespace"])):
                yield at, kind, obj

    def watch(self, send, plural, namespace, rv, timeout) -> bool:
        """Sends lines until the time is over (True) or the connection is to be cut (False)."""
        generation, began = self.generation, time.monotonic()
        silent_for_good = False
        while True:
            with self.lock:
                lines = [] if self.silent else self._lines(plural, namespace, rv)
                rv = self.rv if not self.silent else rv
                silent_for_good |= self.silent
                if not lines and generation == self.generation:
                    self.lock.wait(self.bookmark_every)
                cut = generation != self.generation
            if cut:
                return False
            if silent_for_good:
                continue
            if not lines and self.bookmarks and rv >= self.oldest_rv:
                lines = [bookmark(plural, rv)]
            for line in lines:
                if self._half_next_line and b"BOOKMARK" not in line:
                    self._half_next_line = False
                    send(line[:len(line) // 2])
                    return False
                send(line)
            if time.monotonic() - began > timeout:
                return True

    def _lines(self, plural, namespace, rv) -> list[bytes]:
        lines = []
        for _, kind, obj in self.events_after(rv, plural, namespace):
            if kind == "RAW" and isinstance(obj, bytes):
                lines.append(obj + b"\n")
            else:
                event = obj if kind == "RAW" else {"type": kind, "object": obj}
                lines.append(json.dumps(event).encode() + b"\n")
        return lines

    def wait_gate(self):
        self._gate.wait(60)

    def _handler_class(self):
        fake = self

        class BoundHandler(Handler):
            kube = fake

        return BoundHandler


def status(code, reason, message) -> dict:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code}


def bookmark(plural, rv) -> bytes:
    resource = MODEL_KINDS[PLURALS[plural]] if plural in PLURALS else None
    obj = {"kind": PLURALS.get(plural, "Namespace"),
           "apiVersion": f"{resource.group}/{resource.version}" if resource else "v1",
           "metadata": {"resourceVersion": str(rv), "creationTimestamp": None}}
    return json.dumps({"type": "BOOKMARK", "object": obj}).encode() + b"\n"


def one_byte_chunks(data: bytes) -> bytes:
    """The data in HTTP chunks of one byte each."""
    chunks = bytearray(b"1\r\n.\r\n") * len(data)
    chunks[3::6] = data
    return bytes(chunks)


# What `hostile` answers with: (headers, pieces).

def gzip_bomb(megabytes: int, head=b'{"items": [{"metadata": {"name": "', tail=b""):
    """A short answer that unpacks to that many megabytes, all of them inside of one text."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(head)
    for _ in range(megabytes):
        packed += packer.compress(b"x" * 1024 * 1024)
    packed += packer.compress(tail) + packer.flush()
    return lambda: ({"Content-Encoding": "gzip"}, [packed])


def endless(head: bytes, piece=b"x" * 65536, every=0.0):
    """A line, or a list, that begins well and never ends; with `every`, in so many seconds a piece."""
    def pieces():
        yield head
        while True:
            time.sleep(every)
            yield piece
    return lambda: ({}, pieces())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that hang up are part of the game."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    kube: FakeKube

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802 (the name is the library's)
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        verb, plural, namespace = self._what(parts, query)
        try:
            code = self._answer(verb, plural, namespace, parts, query)
        except (BrokenPipeError, ConnectionResetError):
            code = 0
            self.close_connection = True
        if verb != "watch" or code not in (0, 200, 410):  # others are noted when they begin
            self.kube.requests.append((time.monotonic(), verb, self.path, code))

    @staticmethod
    def _what(parts, query):
        """(verb, plural, namespace) of a path."""
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if parts[0] == "api" and rest == ["namespaces"]:
            return ("watch" if "watch" in query else "list"), "namespaces", None
        if parts[0] == "api" and len(rest) == 2:
            return "get", "namespaces", rest[1]
        if not rest:
            return "discover", None, None
        namespace = rest[1] if rest[0] == "namespaces" else None
        small = query.get("limit") == "1" or "labelSelector" in query
        verb = "watch" if "watch" in query else "probe" if small else "list"
        return verb, rest[-1], namespace

    def _answer(self, verb, plural, namespace, parts, query) -> int:
        if self.headers.get("Authorization") != f"Bearer {self.kube.token}":
            return self._send(401, status(401, "Unauthorized", "Unauthorized"))
        fault = self.kube.take_fault(verb, f"{plural}-continue" if "continue" in query else plural)
        if fault:
            return self._send(fault.code, status(fault.code, "Fault", fault.reason), fault.headers)
        hostile = self.kube.hostile.get((verb, plural))
        if hostile:
            return self._hostile(hostile)
        if verb == "discover":
            return self._discover(parts)
        if verb == "get" and parts[-1] in self.kube.namespace_labels:
            return self._send(200, self._namespace(parts[-1]))
        if verb == "get":
            return self._send(404, status(404, "NotFound", "no such namespace"))
        if plural in self.kube.missing:
            return self._send(404, status(404, "NotFound", "the server could not find it"))
        if plural in self.kube.forbidden:
            message = f'{plural} is forbidden: User "u" cannot {verb} resource "{plural}"'
            return self._send(403, status(403, "Forbidden", message))
        if verb == "watch":
            return self._watch(plural, namespace, query)
        if plural == "namespaces":
            return self._send(200, {"kind": "NamespaceList", "apiVersion": "v1", "items": None,
                                    "metadata": {"resourceVersion": str(self.kube.rv)}})
        if "labelSelector" in query and self.kube.bookmarks_after_selection:
            self.kube.bookmarks = True
        code, body = self.kube.list_page(plural, namespace, query)
        return self._send(code, body)

    def _hostile(self, answer) -> int:
        """Hands over what `answer` gives piece by piece, until it ends or everything does."""
        generation = self.kube.generation
        headers, pieces = answer()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            if generation != self.kube.generation:
                self.close_connection = True
                return 200
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
        return 200

    def _namespace(self, name) -> dict:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": self.kube.namespace_labels[name]}}

    def _discover(self, parts) -> int:
        group = parts[1]
        ours = [(kind, resource) for kind, resource in MODEL_KINDS.items()
                if resource.group == group]
        if group in self.kube.absent or not ours:
            return self._send(404, status(404, "NotFound", "the server could not find it"))
        versions = sorted({resource.version for _, resource in ours})
        if len(parts) == 2:
            listed = [{"groupVersion": f"{group}/{version}", "version": version}
                      for version in versions]
            return self._send(200, {"kind": "APIGroup", "apiVersion": "v1", "name": group,
                                    "versions": listed, "preferredVersion": listed[0]})
        resources = [{"name": resource.plural, "kind": kind, "namespaced": True,
                      "verbs": ["get", "list", "watch"]}
                     for kind, resource in ours if resource.version == parts[2]]
        return self._send(200, {"kind": "APIResourceList", "groupVersion": "/".join(parts[1:]),
                                "resources": resources})

    def _send(self, code, body, headers=None) -> int:
        payload = self._with_replaced(json.dumps(body).encode())
        wants_gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if self.kube.one_byte_chunks:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(one_byte_chunks(payload) + b"0\r\n\r\n")
            return code
        if self.kube.gzip_lists and wants_gzip and code == 200:
            payload = gzip.compress(payload)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if code == 200 and self.kube.break_lists > 0 and b'"items": [{' in payload:
            self.kube.break_lists -= 1
            self.wfile.write(payload[:len(payload) * 2 // 3])
            self.close_connection = True
            return code
        self._write_slowly(payload)
        return code

    def _write_slowly(self, payload: bytes) -> None:
        if not self.kube.chunk:
            self.wfile.write(payload)
            return
        size, delay = self.kube.chunk
        for at in range(0, len(payload), size):
            self.wfile.write(payload[at:at + size])
            self.wfile.flush()
            time.sleep(delay)

    def _watch(self, plural, namespace, query) -> int:
        self.kube.wait_gate()
        rv = int(query.get("resourceVersion", "0"))
        with self.kube.lock:
            expired = rv < self.kube.oldest_rv
        gone = status(410, "Expired", "too old resource version")
        code = 410 if expired and not self.kube.in_stream_410 else 200
        self.kube.requests.append((time.monotonic(), "watch", self.path, code))
        if code == 410:
            return self._send(410, gone)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.kube.babble:
            lines, self.kube.babble = self.kube.babble, 0
            self._chunk(b"<p>Please log in</p>\n" * lines)
            ended = True
        elif expired:
            self._chunk(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            ended = True
        else:
            timeout = float(query.get("timeoutSeconds", "300"))
            ended = self.kube.watch(self._chunk, plural, namespace, rv, timeout)
        if ended:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True
        return 200

    def _with_replaced(self, data: bytes) -> bytes:
        for plain, hostile in self.kube.replaced.items():
            data = data.replace(plain, hostile)
        return data

    def _chunk(self, data: bytes) -> None:
        data = self._with_replaced(data)
        if self.kube.one_byte_chunks:
            self.wfile.write(one_byte_chunks(data))
            return
        size = self.kube.chunk[0] if self.kube.chunk else len(data)
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            if self.kube.chunk:
                time.sleep(self.kube.chunk[1])
