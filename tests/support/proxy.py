"""A proxy between the code under test and a real MLflow server: it counts requests and can spoil some.

`proxy.spoil("runs/create", LOSE)` lets the next such request through to the server and loses its answer;
`proxy.requests` is what passed.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Named so that a test can tell the requests of the training code from those of the driver.
TRAINING_AGENT = "training-code"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
BLOCK = 2**16


@dataclass(frozen=True)
class Request:
    """A request that passed: `run_id` is the run that it is about, `agent` who sent it.

    `status` is the server's answer, or what a fault put in its place; 0 when nothing was answered. `time` is when it
    came, on the clock of `time.monotonic()`.
    """

    method: str
    path: str
    run_id: str
    agent: str
    status: int
    time: float = 0.0

    @property
    def call(self) -> str:
        """The REST call: `POST runs/create`, `PUT mlflow-artifacts/artifacts`."""
        words = self.path.partition("/mlflow/")[2] or self.path.partition("/2.0/")[2]
        return f"{self.method} {'/'.join(words.split('/')[:2])}"


@dataclass(frozen=True)
class Fault:
    """What happens instead: whether the request goes through, and the answer, None for a closed connection.

    `meanwhile` is called once the server has it, before an answer is given. With `torn` the connection is closed in the
    middle of the server's own answer; with `halved` that ends in the middle, and its length says so.
    """

    forward: bool
    status: int | None = None
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    torn: bool = False
    halved: bool = False
    meanwhile: Callable[[], object] = bool


LOSE = Fault(forward=True)
TORN = Fault(forward=True, torn=True)
HALVED = Fault(forward=True, halved=True)
LOGIN = Fault(forward=False, status=200, body="<html><form>Please log in</form></html>", content_type="text/html")
CUT = Fault(forward=False)
BUSY = Fault(forward=False, status=503, body="Service Unavailable", content_type="text/plain")


def refusal(status: int, code: str, message: str) -> Fault:
    """Return the answer by which MLflow refuses a request."""
    return Fault(forward=False, status=status, body=json.dumps({"error_code": code, "message": message}))


@dataclass
class _Plan:
    path: str
    fault: Fault
    times: int
    every: int
    seen: int = 0


class Proxy:
    """Listens on a free port of the loopback interface while the context is open."""

    def __init__(self, server: str) -> None:
        self.upstream = urlsplit(server).netloc
        self.requests: list[Request] = []
        self._faults: list[_Plan] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def uri(self) -> str:
        """The tracking URI to use in place of the server's."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def spoil(self, path: str, fault: Fault, times: int = 1, every: int = 1) -> None:
        """Spoil the next `times` requests whose path holds `path`, or only `every` third one of them."""
        with self._lock:
            self._faults.append(_Plan(path, fault, times, every))

    def heal(self) -> None:
        """Spoil nothing more."""
        with self._lock:
            self._faults.clear()

    def take_fault(self, path: str) -> Fault | None:
        """Return the fault that is due for this path, and count it as used."""
        with self._lock:
            due = [plan for plan in self._faults if plan.times > 0 and plan.path in path]
            for plan in due:
                plan.seen += 1
                if plan.seen % plan.every == 0:
                    plan.times -= 1
                    return plan.fault
        return None

    def calls(self, run_id: str | None = None) -> list[str]:
        """Return the REST calls so far, or those about one run, in order."""
        return [request.call for request in self.requests if run_id in (None, request.run_id)]

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away in the middle is an everyday thing here."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with one of its own to the server, both kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(self.server.proxy.upstream, timeout=120)

    def finish(self) -> None:
        self._upstream.close()
        with suppress(OSError):
            super().finish()

    def _pass_on(self) -> None:
        moment, body, fault = time.monotonic(), self._body(), self.server.proxy.take_fault(self.path)
        answer, content = self._ask(body) if fault is None or fault.forward else (None, b"")
        if fault is not None:
            fault.meanwhile()
        status = fault.status or 0 if fault else answer.status if answer else 0
        self._note(body, content, status, moment)
        if answer is not None and fault is not None and fault.halved:
            self._reply(answer.status, {"Content-Type": fault.content_type}, content[: len(content) // 2])
        elif answer is not None and (fault is None or fault.torn):
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            self._reply(answer.status, headers, content, torn=fault is not None)
        elif fault is None or fault.status is None:
            self.close_connection = True
        else:
            self._reply(fault.status, {"Content-Type": fault.content_type, **fault.headers}, fault.body.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(blocks)

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {"Host": self.server.proxy.upstream, "Content-Length": str(len(body))}
        for last in (False, True):
            try:
                self._upstream.request(self.command, self.path, body, headers)
                answer = self._upstream.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                # The server closed a connection that was idle for too long; the request never arrived.
                self._upstream.close()
                if last:
                    raise
        raise AssertionError

    def _reply(self, status: int, headers: dict[str, str], content: bytes, torn: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self._headers_buffer.append(b"\r\n")
        head, self._headers_buffer = b"".join(self._headers_buffer), []
        self.wfile.write(head + (b"" if self.command == "HEAD" else content[: len(content) // 2 if torn else None]))
        self.close_connection = self.close_connection or torn

    def _note(self, body: bytes, answer: bytes, status: int, moment: float) -> None:
        path = urlsplit(self.path)
        run_id = _run_id(_json(answer).get("run", {}).get("info", {})) if path.path.endswith("runs/create") else ""
        run_id = run_id or _run_id({key: values[0] for key, values in parse_qs(path.query).items()})
        run_id = run_id or _run_id(_json(body)) or _run_of_artifact(path.path)
        agent = self.headers.get("User-Agent", "")
        self.server.proxy.requests.append(Request(self.command, path.path, run_id, agent, status, moment))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _json(text: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}


def _run_of_artifact(path: str) -> str:
    # .../mlflow-artifacts/artifacts/<experiment>/<run>/artifacts/<file>
    words = path.partition("/mlflow-artifacts/artifacts/")[2].split("/")
    return words[1] if len(words) > 2 else ""


def _run_id(fields: dict[str, Any]) -> str:
    return str(fields.get("run_id") or fields.get("run_uuid") or "")
