"""What every_route.py finds when it begins, and what each operation is asked: CASES has one entry for each operationId.

A case: `steps`, of which the first succeeds: {status, path, query, body, headers, who, what, then}, where what is to be made anew for each request is a function, and `then`
says what is wrong with an answer. `registers`: parts of the path that may be unknown. `shared`: what is not one tenant's. `empty_for_others`: a list that another tenant sees
empty. `moves`: a list that changes while it is read. `page_only`: not an API route but a file for browsers.
"""
import itertools
import json
import re
import subprocess
import time

import lib

number = itertools.count(1)
there = {}


def sql(text):
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text], capture_output=True, text=True, check=True).stdout.strip()


def values():
    return there


def fits(pattern, path):
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path)


def operator():
    return lib.Caller("operator")


def register(spec):
    answer = lib.Caller("admin").call("POST", "/workflows", spec)
    assert answer.status in (200, 201), answer


def run_of(workflow, until, **request):
    caller = operator()
    answer = caller.call("POST", f"/workflows/{workflow}/trigger", request)
    assert answer.status == 201, answer
    run = answer.json["run_id"]
    return reaches(run, until)


def reaches(run, until):
    caller, end = operator(), time.monotonic() + 60
    while True:
        if until in ("succeeded", "failed", "cancelled"):
            state = caller.call("GET", f"/runs/{run}").json["state"]
        else:
            states = {task["state"] for task in caller.call("GET", f"/runs/{run}/tasks").json["items"]}
            state = until if until in states else None
        if state == until:
            return run
        assert time.monotonic() < end, f"run {run} is {state}, not {until}"
        time.sleep(0.02)


def letter():
    """The id of a fresh dead letter."""
    run = run_of("breaks", "failed")
    return {"id": sql(f"select id from orch.dead_letters where run_id = '{run}'"), "run": run}


def leased(worker):
    end = time.monotonic() + 60
    while not (lease := sql(f"select lease from orch.lease('{worker}', 1)")):
        assert time.monotonic() < end, f"nothing to lease for {worker}"
        time.sleep(0.02)
    return lease


def parked():
    run = sql("select orch.trigger('code')")
    lease = leased("coder")
    sql(f"""select orch.park('{lease}', '{{"message": "it goes another way"}}')""")
    return {"run": run}


def build():
    for workflow, tasks in {
        "quick": {"first": {"noop": True, "input": {"n": 1}}, "second": {"noop": True, "dependencies": ["first"]}},
        "waits": {"for": {"signal": {"name": "go"}}},
        "asks": {"boss": {"approval": {}}},
        "asks-first": {"boss": {"approval": {}}},
        "breaks": {"only": {"noop": True, "input": "{{ input.missing }}", "retries": 0}},
        "works": {"only": {"handler": "h", "circuit": "shop"}},
        "sleeps": {"only": {"sleep": 3600}},
    }.items():
        register({"id": workflow, "tasks": tasks})
    register({"id": "quick", "description": "the second version", "tasks": {"first": {"noop": True}, "second": {"noop": True, "dependencies": ["first"]}}})
    for _ in range(3):
        run_of("quick", "succeeded", tags={"team": "shop"}, idempotency_key=f"key {next(number)}")
    for workflow in ("waits", "asks", "sleeps"):
        run_of(workflow, "waiting")
    letter()
    letter()
    # A task with an attempt and lines of a log, by a worker that is nothing but SQL.
    sql("select orch.worker_start('sql', handlers => '{h}')")
    sql("select orch.register_code('code')")
    sql("select orch.worker_start('coder', handlers => '{:code/code@1}')")
    run = sql("select orch.trigger('works')")
    lease = leased("sql")
    lines = json.dumps([{"stream": "stdout", "line": f"line {n}"} for n in range(3)])
    sql(f"select orch.log('{lease}', '{lines}')")
    sql(f"""select orch.complete('{lease}', '{{"done": true}}')""")
    there.update(workflow="quick", version=1, run=reaches(run, "succeeded"), task="only", id=letter()["id"], circuit="shop")
    there["waiting_run"] = run_of("waits", "waiting")
    operator().call("POST", f"/runs/{there['waiting_run']}/signal", {"name": "other", "payload": {"n": 1}})
    other = lib.Caller("other_admin").call("POST", "/workflows", {"id": "theirs", "tasks": {"only": {"noop": True}}})
    assert other.status == 201, other


def database_away(operation, call, want):
    """Everything says so, and comes back."""
    try:
        subprocess.run(["server-ctl", "stop", "-m", "fast"], check=True)
        want("health without a database", "", call(operation("getHealth"), "nobody", {}), 200)
        want("ready without a database", "", call(operation("getReadiness"), "nobody", {}), 503)
        answer = call(operation("listRuns"), "viewer", {})
        want("a route without a database", "with Retry-After" if "retry-after" in answer.headers else "without Retry-After", answer, 503)
    finally:
        subprocess.run(["server-ctl", "start"], check=True)
    end = time.monotonic() + 60
    while call(operation("getReadiness"), "nobody", {}).status != 200 and time.monotonic() < end:
        time.sleep(0.1)
    want("ready again", "", call(operation("getReadiness"), "nobody", {}), 200)


def upload(*files):
    boundary = "b0undary"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n{text}\r\n'.encode() for name, text in files
    )
    return {"body": body + f"--{boundary}--\r\n".encode(), "headers": {"content-type": f"multipart/form-data; boundary={boundary}"}}


def fresh(name=None):
    return {"id": name or f"fresh-{next(number)}", "tasks": {"only": {"noop": True}}}


def put(status, spec, what, **more):
    return {"status": status, "what": what, "path": {"workflow": spec["id"]}, "body": spec, **more}


def differs(name, value):
    return lambda answer: None if answer.json.get(name) == value else f"{name} is not {value!r}"


def field_of_header(name, value):
    return lambda answer: None if answer.headers.get(name) == value else f"header {name} is {answer.headers.get(name)!r}, not {value!r}"


def items(condition, what):
    return lambda answer: None if answer.json["items"] and condition(answer.json["items"]) else what


BROKEN = {"id": "broken", "tasks": {"a": {"noop": True, "dependencies": ["b"]}, "c": {}}}
OK = [{"status": 200}]
PAGE = {"steps": OK, "empty_for_others": True}
OVER = {"status": 409, "what": "a run that is over", "body": {}}

CASES = {
    "listWorkflows": {"steps": [{"status": 200, "then": items(lambda l: {"quick", "waits"} <= {w["workflow"] for w in l}, "not all of them")}]},
    "registerWorkflow": {
        "steps": [
            {"status": 201, "body": fresh, "then": field_of_header("etag", '"1"')},
            {"status": 201, "what": "YAML", "body": lambda: f"id: yaml-{next(number)}\ntasks: {{only: {{noop: true}}}}\n", "headers": {"content-type": "application/yaml"}},
            {"status": 201, "what": "a second version", "body": {**fresh("asks"), "description": "again"}, "then": field_of_header("etag", '"2"')},
            {"status": 200, "what": "the same again", "body": {**fresh("asks"), "description": "again"}, "then": differs("created", False)},
            {"status": 201, "what": "one file", **upload(("a.json", json.dumps(fresh("uploaded"))))},
            {"status": 201, "what": "two files", **upload(("a.json", json.dumps(fresh("up-a"))), ("b.yaml", "id: up-b\ntasks: {only: {noop: true}}\n"))},
            {"status": 422, "what": "two files of which one is wrong", **upload(("a.json", json.dumps(fresh("up-c"))), ("b.yaml", "id: up-d\ntasks: {}\n"))},
            {"status": 400, "what": "an upload without a file", **upload()},
            {"status": 409, "what": "a name that is taken", "body": fresh("quick"), "headers": {"if-none-match": "*"}},
            {"status": 412, "what": "another version", "body": fresh("quick"), "headers": {"if-match": '"1"'}},
            {"status": 422, "what": "a wrong definition", "body": BROKEN, "then": lambda a: None if len(a.json["problems"]) >= 2 and a.json["code"] == "OR001" else "problems?"},
            {"status": 400, "what": "broken YAML", "body": "id: [", "headers": {"content-type": "application/yaml"}},
            {"status": 400, "what": "a YAML key twice", "body": "id: a\nid: b\n", "headers": {"content-type": "application/yaml"}},
        ]
    },
    "validateWorkflow": {
        "steps": [
            {"status": 200, "body": fresh, "then": differs("valid", True)},
            {"status": 200, "what": "a wrong definition", "body": BROKEN, "then": lambda a: None if not a.json["valid"] and len(a.json["problems"]) >= 2 else "it is valid"},
            {"status": 200, "what": "YAML", "body": "id: y\ntasks: {only: {noop: true}}\n", "headers": {"content-type": "application/yaml"}},
        ]
    },
    "getWorkflow": {
        "steps": [
            {"status": 200, "then": field_of_header("etag", '"2"')},
            {"status": 304, "headers": {"if-none-match": '"2"'}},
            {"status": 200, "what": "another ETag", "headers": {"if-none-match": '"1"'}},
        ]
    },
    "putWorkflow": {
        "registers": ["workflow"],
        "shared": True,
        "steps": [
            put(201, fresh("put"), "a new one"),
            put(200, fresh("put"), "the same again", then=differs("created", False)),
            put(409, fresh("put"), "a name that is taken", headers={"if-none-match": "*"}),
            put(412, fresh("put"), "another version", headers={"if-match": '"7"'}),
            put(201, {**fresh("put"), "description": "x"}, "the version that is meant", headers={"if-match": '"1"'}),
            put(422, BROKEN, "a wrong definition"),
            {"status": 422, "what": "another name", "path": {"workflow": "put"}, "body": fresh("not-put")},
        ],
    },
    "listVersions": {"steps": [{"status": 200, "then": items(lambda l: [v["version"] for v in l] == [2, 1], "not 2, 1")}]},
    "getVersion": {"steps": [{"status": 200, "then": differs("version", 1)}]},
    "planWorkflow": {"steps": [{"status": 200}, {"status": 200, "query": {"version": 1}}, {"status": 404, "what": "an unknown version", "query": {"version": 99}}]},
    "graphWorkflow": {"steps": [{"status": 200}, {"status": 200, "query": {"format": "mermaid"}}, {"status": 200, "query": {"format": "dot"}}]},
    "triggerWorkflow": {
        "steps": [
            {"status": 201, "body": {}, "then": lambda a: None if a.headers.get("location", "").endswith("/runs/" + a.json["run_id"]) else "Location?"},
            {"status": 201, "what": "no body", "headers": {}},
            {"status": 201, "what": "all fields", "body": {"input": {"a": 1}, "priority": 5, "tags": {"a": "b"}, "timeout": "1 hour", "source": "event", "version": 1, "idempotency_key": "all"}},
            {"status": 201, "what": "a key", "headers": {"idempotency-key": "k1"}, "body": {"input": {"a": 1}}, "then": differs("deduplicated", False)},
            {"status": 200, "what": "the key again, quoted", "headers": {"idempotency-key": '"k1"'}, "body": {"input": {"a": 1}}, "then": differs("deduplicated", True)},
            {"status": 422, "what": "the key with other content", "headers": {"idempotency-key": "k1"}, "body": {"input": {"a": 2}}},
            {"status": 201, "what": "waiting", "headers": {"prefer": "wait=30"}, "body": {}, "then": differs("state", "succeeded")},
            {"status": 202, "what": "waiting in vain", "headers": {"prefer": "wait=1"}, "path": {"workflow": "sleeps"}, "body": {}},
            {"status": 201, "what": "later", "body": {"run_at": "2099-01-01T00:00:00Z"}, "then": differs("state", "scheduled")},
            {"status": 404, "what": "an unknown version", "body": {"version": 99}},
            {"status": 400, "what": "a wrong time", "body": {"run_at": "yesterday-ish"}},
            {"status": 422, "what": "an absurd priority", "body": {"priority": 100000}},
        ]
    },
    "triggerMany": {
        "steps": [
            {"status": 201, "body": {"inputs": [{}, {"a": 1}]}, "then": items(lambda l: len(l) == 2 and all(i["created"] for i in l), "not two")},
            {"status": 201, "what": "keys", "body": {"inputs": [1, 1], "idempotency_keys": ["m", "m"]}, "then": items(lambda l: l[0]["run_id"] == l[1]["run_id"], "two runs")},
            {"status": 422, "what": "the key with other content", "body": {"inputs": [2], "idempotency_keys": ["m"]}},
        ]
    },
    "signalWithStart": {
        "steps": [
            {"status": 200, "path": {"workflow": "waits"}, "body": lambda: {"name": "go", "payload": 1, "idempotency_key": f"s{next(number)}"}},
            {"status": 200, "what": "the key's run", "path": {"workflow": "waits"}, "body": {"name": "other", "idempotency_key": "same", "input": 1}},
            {"status": 422, "what": "the key with other content", "path": {"workflow": "waits"}, "body": {"name": "other", "idempotency_key": "same", "input": 2}},
            {"status": 409, "what": "the key of a run that is over", "body": lambda: {"name": "go", "input": {}, "idempotency_key": over_by_key()}},
        ]
    },
    "listRuns": {
        "empty_for_others": True,
        "moves": True,
        "steps": [
            {"status": 200},
            {"status": 200, "what": "of a workflow", "query": {"workflow": "breaks"}, "then": items(lambda l: all(r["workflow"] == "breaks" for r in l), "others")},
            {"status": 200, "what": "in a state", "query": {"state": "failed"}, "then": items(lambda l: all(r["state"] == "failed" for r in l), "others")},
            {"status": 200, "what": "with a tag", "query": {"tag": "team=shop"}, "then": items(lambda l: all(r["tags"] == {"team": "shop"} for r in l), "others")},
            {"status": 200, "what": "with a tag's key", "query": {"tag": "team"}, "then": items(lambda l: all("team" in r["tags"] for r in l), "others")},
            {"status": 200, "what": "with another tag", "query": {"tag": "team=none"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
            {"status": 200, "what": "by source", "query": {"source": "api"}, "then": items(lambda l: all(r["source"] == "api" for r in l), "others")},
            {"status": 200, "what": "by key", "query": {"idempotency_key": "key 1"}, "then": items(lambda l: len(l) == 1, "others")},
            {"status": 200, "what": "by time", "query": {"since": "2000-01-01T00:00:00Z", "until": "2001-01-01T00:00:00Z"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
            {"status": 200, "what": "children", "query": {"parent": "00000000-0000-7000-8000-000000000000"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
        ],
    },
    "getRun": {"steps": [{"status": 200, "then": differs("state", "succeeded")}]},
    "deleteRun": {
        "steps": [
            {"status": 204, "path": lambda: {"run": run_of("quick", "succeeded")}, "query": {"reason": "a test"}},
            {"status": 400, "what": "without a reason"},
            {"status": 409, "what": "a run that goes on", "path": lambda: {"run": there["waiting_run"]}, "query": {"reason": "a test"}},
        ]
    },
    "listTasks": {"steps": OK},
    "getTask": {"steps": [{"status": 200, "then": differs("output", {"done": True})}]},
    "listAttempts": {"steps": [{"status": 200, "then": items(lambda l: len(l) == 1 and l[0]["worker"] == "sql", "not the one")}]},
    "listTaskLogs": {"steps": [{"status": 200, "then": items(lambda l: [x["line"] for x in l] == ["line 0", "line 1", "line 2"], "not the three")}]},
    "listLogs": {"steps": [{"status": 200, "then": items(lambda l: [x["line"] for x in l] == ["line 0", "line 1", "line 2"], "not the three")}]},
    "getResults": {"steps": [{"status": 200, "then": items(lambda l: l[0]["output"] == {"done": True}, "not the output")}]},
    "getResult": {
        "steps": [
            {"status": 200, "then": differs("state", "succeeded")},
            {"status": 202, "path": lambda: {"run": there["waiting_run"]}},
            {"status": 202, "what": "waiting in vain", "headers": {"prefer": "wait=1"}, "path": lambda: {"run": there["waiting_run"]}},
        ]
    },
    "whyRun": {"steps": [{"status": 200}, {"status": 200, "query": {"task": "only"}}]},
    "explainRun": {"steps": OK},
    "graphRun": {"steps": [{"status": 200}, {"status": 200, "query": {"format": "dot"}}]},
    "replayRun": {"steps": OK},
    "listSignalsOfRun": {"steps": [{"status": 200, "path": lambda: {"run": there["waiting_run"]}, "then": items(lambda l: l[0]["name"] == "other", "not the one")}]},
    "listApprovalsOfRun": {"steps": OK},
    "listTimersOfRun": {"steps": OK},
    "listRunEvents": {"steps": [{"status": 200, "then": items(lambda l: l[0]["kind"] == "run_triggered", "not from the beginning")}]},
    "cancelRun": {
        "steps": [
            {"status": 200, "path": lambda: {"run": run_of("waits", "waiting")}, "body": {}},
            {"status": 200, "what": "by force, without a body", "path": lambda: {"run": run_of("waits", "waiting")}},
            {**OVER, "code": "OR020"},
        ]
    },
    "retryRun": {"steps": [{"status": 200, "path": lambda: {"run": letter()["run"]}}, {"status": 409, "what": "a run that succeeded"}]},
    "signalRun": {
        "steps": [
            {"status": 204, "path": lambda: {"run": run_of("waits", "waiting")}, "body": {"name": "go", "payload": {"a": 1}}},
            {"status": 409, "what": "a run that is over", "body": {"name": "go"}},
        ]
    },
    "approveTask": {
        "least": "operator",
        "steps": [
            {"status": 204, "path": lambda: {"run": run_of("asks-first", "waiting")}, "body": {"task": "boss", "approved": True, "comment": "fine"}},
            {"status": 409, "what": "a task that does not wait", "body": {"task": "only"}},
        ]
    },
    "unparkRun": {"steps": [{"status": 204, "path": parked}, {"status": 409, "what": "a run that is not parked"}]},
    "eraseRun": {
        "steps": [
            {"status": 200, "path": lambda: {"run": run_of("quick", "succeeded")}, "body": {"reason": "a test"}, "then": differs("erased", True)},
            {"status": 409, "what": "a run that goes on", "path": lambda: {"run": there["waiting_run"]}, "body": {"reason": "a test"}},
        ]
    },
    "listDeadLetters": {
        "empty_for_others": True,
        "steps": [
            {"status": 200},
            {"status": 200, "what": "of a workflow", "query": {"workflow": "breaks", "task": "only"}, "then": items(lambda l: all(d["workflow"] == "breaks" for d in l), "others")},
            {"status": 200, "what": "open ones", "query": {"resolution": "open"}, "then": items(lambda l: all(d["resolution"] is None for d in l), "others")},
            {"status": 200, "what": "of nothing", "query": {"fingerprint": "none"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
        ],
    },
    "redriveDeadLetters": {"steps": [{"status": 200, "body": {"filter": {"workflow": "breaks"}}}, {"status": 422, "what": "an unknown key", "body": {"filter": {"nonsense": 1}}}]},
    "getDeadLetter": {"steps": OK},
    "discardDeadLetter": {
        "steps": [{"status": 204, "path": letter}, {"status": 409, "what": "one that is resolved", "path": lambda: {"id": sql("select min(id) from orch.dead_letters where resolution is not null")}}]
    },
    "redriveDeadLetter": {
        "steps": [
            {"status": 200, "path": letter, "body": {}},
            {"status": 200, "what": "another input", "path": letter, "body": {"input": {"n": 1}}},
            {"status": 409, "what": "one that is resolved", "path": lambda: {"id": sql("select min(id) from orch.dead_letters where resolution is not null")}},
        ]
    },
    "retryDeadLetter": {
        "steps": [
            {"status": 200, "path": letter},
            {"status": 409, "what": "one that is resolved", "path": lambda: {"id": sql("select min(id) from orch.dead_letters where resolution is not null")}},
        ]
    },
    "listWorkers": {"steps": [{"status": 200}, {"status": 200, "query": {"state": "stopped"}}]},
    "listQueues": PAGE,
    "listTimers": {**PAGE, "moves": True},
    "listCircuits": {"empty_for_others": True, "steps": [{"status": 200, "then": items(lambda l: l[0]["circuit"] == "shop", "not the one")}]},
    "resetCircuit": {"steps": [{"status": 200, "then": differs("reset", False)}]},
    "listSignals": PAGE,
    "listApprovals": {**PAGE, "moves": True},
    "listAudit": {"steps": OK},
    "listChecks": {"steps": OK},
    "getMe": {"steps": [{"status": 200, "then": differs("tenant", "default")}, {"status": 200, "who": "other_viewer", "then": differs("tenant", "other")}, {"status": 200, "who": "worker", "then": differs("role", "worker")}]},
    "listTokens": {"steps": [{"status": 200, "then": lambda a: "a secret is shown" if "orch_" + "x" in a.body.decode() else None}]},
    "createToken": {
        "steps": [
            {"status": 201, "body": lambda: {"name": f"made-{next(number)}", "role": "viewer"}},
            {"status": 201, "what": "for a while", "body": {"name": "short", "role": "operator", "expires": "2099-01-01T00:00:00Z"}},
            {"status": 409, "what": "a name that is taken", "body": {"name": "short", "role": "operator"}},
            {"status": 422, "what": "an unknown role", "body": {"name": "odd", "role": "emperor"}},
            {"status": 400, "what": "no time", "body": {"name": "odd", "role": "viewer", "expires": "soon"}},
        ]
    },
    "revokeToken": {
        "steps": [
            {"status": 204, "path": lambda: {"name": made_token()}},
        ]
    },
    "listEvents": {"empty_for_others": True, "moves": True, "steps": [{"status": 200}, {"status": 200, "query": {"workflow": "quick", "kind": "run_succeeded"}}]},
    "createEventTicket": {"steps": [{"status": 201}]},
    "getHealth": {"steps": OK},
    "getReadiness": {"steps": OK},
    "getMetrics": {"steps": [{"status": 200}, {"status": 200, "headers": {"accept": "application/openmetrics-text; version=1.0.0"}}]},
    "openapi": {"steps": OK, "page_only": True},
    "docs": {"steps": OK, "page_only": True},
    "docsFile": {
        "page_only": True,
        "steps": [
            {"status": 200, "path": {"file": "docs.js"}, "then": lambda answer: there.update(etag=answer.headers["etag"])},
            {"status": 304, "path": {"file": "docs.js"}, "headers": lambda: {"if-none-match": there["etag"]}},
            {"status": 404, "path": {"file": "nothing"}},
        ],
    },
    "index": {"steps": OK, "page_only": True},
}


def over_by_key():
    key = f"over {next(number)}"
    run_of("quick", "succeeded", idempotency_key=key)
    return key


def made_token():
    name = f"made-{next(number)}"
    answer = lib.Caller("admin").call("POST", "/tokens", {"name": name, "role": "viewer"})
    assert answer.status == 201, answer
    return name
