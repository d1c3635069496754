"""A stand-in for W&B's server on this machine: it takes what a run sends, and gives it back through the public API.

It knows as much of the protocol as `track` and `pull` use, and nothing more.
"""

import gzip
import json
import re
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VIEWER = {
    "id": "VXNlcjox",
    "entity": "me",
    "username": "me",
    "name": "me",
    "email": "me@example.org",
    "admin": False,
    "flags": "{}",
    "teams": {"edges": []},
    "apiKeys": {"edges": []},
}


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle, as W&B's does at its end, is no news."""


class StandIn:
    """The server, and all that it was told.

    Args:
        key: the one API key that it accepts.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.runs: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.broken = False  # Answers 500 to everything.
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def new_run(self, run_id: str, project: str, **facts: Any) -> dict[str, Any]:
        run = {
            "id": run_id, "project": project, "name": run_id, "tags": [], "notes": "", "state": "running",
            "config": {}, "summary": {}, "rows": [], **facts,
        }  # fmt: skip
        self.runs[run_id] = run
        return run

    # What a run sends ------------------------------------------------------------------------------------------------

    def stream(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[run_id]
        files = body.get("files") or {}
        if history := files.get("wandb-history.jsonl"):
            run["rows"][history["offset"] :] = [json.loads(line) for line in history["content"]]
        if summary := files.get("wandb-summary.json"):
            run["summary"] = json.loads(summary["content"][-1])
        if body.get("complete"):
            run["state"] = "failed" if body.get("exitcode") else "finished"
        return {}

    def on_RunResumeStatus(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        run = self.runs.get(asked["name"])
        if run is None:
            return {"model": None}
        bucket = {
            "id": run["id"], "name": run["id"], "displayName": run["name"], "tags": run["tags"], "notes": run["notes"],
            "summaryMetrics": json.dumps(run["summary"]), "config": json.dumps(run["config"]),
            "historyLineCount": len(run["rows"]), "eventsLineCount": 0, "logLineCount": 0, "eventsTail": "[]",
            "historyTail": json.dumps([json.dumps(row) for row in run["rows"][-1:]]),
            "wandbConfig": json.dumps({"t": {}}),
        }  # fmt: skip
        return {"model": {"id": "1", "name": run["project"], "entity": {"id": "1", "name": "me"}, "bucket": bucket}}

    def on_UpsertBucket(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        known = asked["name"] in self.runs
        run = self.runs[asked["name"]] if known else self.new_run(asked["name"], asked["project"])
        for theirs, ours in {"displayName": "name", "notes": "notes", "tags": "tags"}.items():
            if asked.get(theirs) is not None:
                run[ours] = asked[theirs]
        if asked.get("config"):
            run["config"] = json.loads(asked["config"])
        run["state"] = "running"
        project = {"id": "1", "name": run["project"], "entity": {"id": "1", "name": "me"}}
        bucket = {
            "id": run["id"], "name": run["id"], "displayName": run["name"], "description": None, "sweepName": None,
            "config": json.dumps(run["config"]), "project": project, "historyLineCount": len(run["rows"]),
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": not known}}

    def on_CreateRunFiles(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}

    def on_CreateArtifact(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.artifacts.append(asked["input"])  # “Committed”: the server has these weights, and wants no upload of them.
        artifact = {"id": "YXJ0", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "YXJ0"}}}
        return {"createArtifact": {"artifact": artifact}}

    # What the public API is asked ------------------------------------------------------------------------------------

    def _run(self, run: dict[str, Any], steps: range) -> dict[str, Any]:
        rows = run["rows"]
        return {
            "id": "cnVu", "internalId": "1", "name": run["id"], "displayName": run["name"], "state": run["state"],
            "tags": run["tags"], "notes": run["notes"], "config": json.dumps(run["config"]), "projectId": "1",
            "summaryMetrics": json.dumps(run["summary"]), "systemMetrics": "{}", "historyLineCount": len(rows),
            "historyKeys": {"lastStep": len(rows) - 1, "sets": [], "keys": {}}, "sweepName": None, "group": None,
            "jobType": "train", "commit": None, "readOnly": False, "createdAt": "2026-01-01T00:00:00Z",
            "heartbeatAt": "2026-01-01T00:00:00Z", "description": None, "user": {"name": "me", "username": "me"},
            "history": [json.dumps(row) for row in rows if row["_step"] in steps], "events": [],
            "parquetHistory": {"liveData": [], "parquetUrls": []},
        }  # fmt: skip

    def project(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        steps = range(asked.get("minStep") or 0, asked.get("maxStep") or 1_000_000)
        runs = [self._run(run, steps) for run in self.runs.values() if run["project"] == asked.get("project")]
        if not runs:
            return None
        edges = [{"node": run, "cursor": run["name"]} for run in runs]
        names = {asked.get(key) for key in ("name", "run", "runName")}
        wanted = next((run for run in runs if run["name"] in names), None)
        return {
            "id": "1", "internalId": "1", "name": asked["project"], "entityName": "me", "readOnly": False,
            "createdAt": "2026-01-01T00:00:00Z", "runCount": len(runs), "run": wanted, "artifact": None,
            "runs": {"totalCount": len(runs), "edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}},
        }  # fmt: skip

    def answer(self, query: str, asked: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = found[1] if found else ""
        self.asked.append(name)
        if special := getattr(self, f"on_{name}", None):
            return special(asked)
        answer: dict[str, Any] = {}
        if "viewer" in query:
            answer["viewer"] = VIEWER
        if "project(" in query:
            answer["project"] = self.project(asked)
        return answer


def _handler(server: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def body(self) -> bytes:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

        def send(self, answer: object, code: int = 200) -> None:
            raw = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self.send({})

        def do_PUT(self) -> None:
            server.uploads[self.path.removeprefix("/upload/")] = self.body()
            self.send({})

        def do_POST(self) -> None:
            raw = self.body()
            if server.broken:
                self.send({"errors": [{"message": "broken"}]}, 500)
            elif not (self.headers.get("Authorization") or "").startswith("Basic ") or not self.key_fits():
                self.send({"errors": [{"message": "user is not logged in"}]}, 401)
            elif self.path == "/graphql":
                asked = json.loads(raw)
                self.send({"data": server.answer(asked["query"], asked.get("variables") or {})})
            elif match := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                self.send(server.stream(match[1], json.loads(raw)))
            else:
                self.send({}, 404)

        def key_fits(self) -> bool:
            return b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode().endswith(server.key)

    return Handler
