"""What each operation is asked: CASES has one entry for each operationId.

A case: `steps`, of which the first succeeds: {status, path, query, body, headers, who, what, then}, where what is to be made anew for each request is
a function, and `then` says what is wrong with an answer. `least`: who may, where that is not the role of the document. `registers`: parts of the path
that may be unknown. `shared`: what is not one tenant's. `empty_for_others`: a list that another tenant sees empty. `moves`: a list that changes while
it is read. `page_only`: a file for browsers. `signed`: a signature in the place of a token. `also`: roles beside those that the document's one
implies.
"""
import hmac
import json

from scene import leasable, leased_path, letter, made, number, parked, run_of, sql, there


def upload(*files):
    boundary = "b0undary"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n{text}\r\n'.encode()
        for name, text in files
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


def delivery(number_of_it, body=b'{"n": 1}'):
    signature = "sha256=" + hmac.new(b"s" * 40, body, "sha256").hexdigest()
    return {
        "path": {"hook": "pushed"},
        "body": body,
        "headers": {
            "content-type": "application/json",
            "x-hub-signature-256": signature,
            "x-github-delivery": f"delivery-{number_of_it}",
            "x-github-event": "push",
        },
    }


def lost(body):
    return {"status": 409, "what": "a lost lease", "path": {"lease": "AaH_uO7-cAC4odX8fIOgaAAAAAAAAAABttgMPhZWxe4"}, "body": body}


WORKER = {"registers": ["worker"], "shared": True}
# A lease holds what it is for, and a lost one says so: unknown ones are conflicts.
LEASE = {"registers": ["lease"], "shared": True}
BROKEN = {"id": "broken", "tasks": {"a": {"noop": True, "dependencies": ["b"]}, "c": {}}}
OK = [{"status": 200}]
PAGE = {"steps": OK, "empty_for_others": True}
OVER = {"status": 409, "what": "a run that is over", "body": {}}

CASES = {
    "listWorkflows": {"steps": [{"status": 200, "then": items(lambda l: {"quick", "waits"} <= {w["workflow"] for w in l}, "not all of them")}]},
    "registerWorkflow": {
        "steps": [
            {"status": 201, "body": fresh, "then": field_of_header("etag", '"1"')},
            {
                "status": 201,
                "what": "YAML",
                "body": lambda: f"id: yaml-{next(number)}\ntasks: {{only: {{noop: true}}}}\n",
                "headers": {"content-type": "application/yaml"},
            },
            {"status": 201, "what": "a second version", "body": {**fresh("asks"), "description": "again"}, "then": field_of_header("etag", '"2"')},
            {"status": 200, "what": "the same again", "body": {**fresh("asks"), "description": "again"}, "then": differs("created", False)},
            {"status": 201, "what": "one file", **upload(("a.json", json.dumps(fresh("uploaded"))))},
            {"status": 201, "what": "two files", **upload(("a.json", json.dumps(fresh("up-a"))), ("b.yaml", "id: up-b\ntasks: {only: {noop: true}}\n"))},
            {"status": 422, "what": "two files of which one is wrong", **upload(("a.json", json.dumps(fresh("up-c"))), ("b.yaml", "id: up-d\ntasks: {}\n"))},
            {"status": 400, "what": "an upload without a file", **upload()},
            {"status": 409, "what": "a name that is taken", "body": fresh("quick"), "headers": {"if-none-match": "*"}},
            {"status": 412, "what": "another version", "body": fresh("quick"), "headers": {"if-match": '"1"'}},
            {
                "status": 422,
                "what": "a wrong definition",
                "body": BROKEN,
                "then": lambda a: None if len(a.json["problems"]) >= 2 and a.json["code"] == "OR001" else "problems?",
            },
            {"status": 400, "what": "broken YAML", "body": "id: [", "headers": {"content-type": "application/yaml"}},
            {"status": 400, "what": "a YAML key twice", "body": "id: a\nid: b\n", "headers": {"content-type": "application/yaml"}},
        ]
    },
    "validateWorkflow": {
        "steps": [
            {"status": 200, "body": fresh, "then": differs("valid", True)},
            {
                "status": 200,
                "what": "a wrong definition",
                "body": BROKEN,
                "then": lambda a: None if not a.json["valid"] and len(a.json["problems"]) >= 2 else "it is valid",
            },
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
    "planWorkflow": {
        "steps": [{"status": 200}, {"status": 200, "query": {"version": 1}}, {"status": 404, "what": "an unknown version", "query": {"version": 99}}]
    },
    "graphWorkflow": {"steps": [{"status": 200}, {"status": 200, "query": {"format": "mermaid"}}, {"status": 200, "query": {"format": "dot"}}]},
    "triggerWorkflow": {
        "steps": [
            {"status": 201, "body": {}, "then": lambda a: None if a.headers.get("location", "").endswith("/runs/" + a.json["run_id"]) else "Location?"},
            {"status": 201, "what": "no body", "headers": {}},
            {
                "status": 201,
                "what": "all fields",
                "body": {"input": {"a": 1}, "priority": 5, "tags": {"a": "b"}, "timeout": "1 hour", "source": "event", "version": 1, "idempotency_key": "all"},
            },
            {"status": 201, "what": "a key", "headers": {"idempotency-key": "k1"}, "body": {"input": {"a": 1}}, "then": differs("deduplicated", False)},
            {
                "status": 200,
                "what": "the key again, quoted",
                "headers": {"idempotency-key": '"k1"'},
                "body": {"input": {"a": 1}},
                "then": differs("deduplicated", True),
            },
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
            {
                "status": 201,
                "what": "keys",
                "body": {"inputs": [1, 1], "idempotency_keys": ["m", "m"]},
                "then": items(lambda l: l[0]["run_id"] == l[1]["run_id"], "two runs"),
            },
            {"status": 422, "what": "the key with other content", "body": {"inputs": [2], "idempotency_keys": ["m"]}},
        ]
    },
    "signalWithStart": {
        "steps": [
            {"status": 200, "path": {"workflow": "waits"}, "body": lambda: {"name": "go", "payload": 1, "idempotency_key": f"s{next(number)}"}},
            {"status": 200, "what": "the key's run", "path": {"workflow": "waits"}, "body": {"name": "other", "idempotency_key": "same", "input": 1}},
            {
                "status": 200,
                "what": "the key's run, whatever its input was",
                "path": {"workflow": "waits"},
                "body": {"name": "other", "idempotency_key": "same", "input": 2},
            },
        ]
    },
    "listRuns": {
        "empty_for_others": True,
        "moves": True,
        "steps": [
            {"status": 200},
            {
                "status": 200,
                "what": "of a workflow",
                "query": {"workflow": "breaks"},
                "then": items(lambda l: all(r["workflow"] == "breaks" for r in l), "others"),
            },
            {"status": 200, "what": "in a state", "query": {"state": "failed"}, "then": items(lambda l: all(r["state"] == "failed" for r in l), "others")},
            {
                "status": 200,
                "what": "with a tag",
                "query": {"tag": "team=shop"},
                "then": items(lambda l: all(r["tags"] == {"team": "shop"} for r in l), "others"),
            },
            {"status": 200, "what": "with a tag's key", "query": {"tag": "team"}, "then": items(lambda l: all("team" in r["tags"] for r in l), "others")},
            {"status": 200, "what": "with another tag", "query": {"tag": "team=none"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
            {"status": 200, "what": "by source", "query": {"source": "api"}, "then": items(lambda l: all(r["source"] == "api" for r in l), "others")},
            {"status": 200, "what": "by key", "query": {"idempotency_key": "key 1"}, "then": items(lambda l: len(l) == 1, "others")},
            {
                "status": 200,
                "what": "by time",
                "query": {"since": "2000-01-01T00:00:00Z", "until": "2001-01-01T00:00:00Z"},
                "then": lambda a: None if a.json["items"] == [] else "not empty",
            },
            {
                "status": 200,
                "what": "children",
                "query": {"parent": "00000000-0000-7000-8000-000000000000"},
                "then": lambda a: None if a.json["items"] == [] else "not empty",
            },
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
    "listSignalsOfRun": {
        "steps": [{"status": 200, "path": lambda: {"run": there["waiting_run"]}, "then": items(lambda l: l[0]["name"] == "other", "not the one")}]
    },
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
        "also": ["worker"],
        "steps": [
            {"status": 204, "path": lambda: {"run": run_of("waits", "waiting")}, "body": {"name": "go", "payload": {"a": 1}}},
            {"status": 409, "what": "a run that is over", "body": {"name": "go"}},
        ],
    },
    "approveTask": {
        "least": "operator",
        "steps": [
            {"status": 204, "path": lambda: {"run": run_of("asks-first", "waiting")}, "body": {"task": "boss", "approved": True, "comment": "fine"}},
            {"status": 409, "what": "a task that does not wait", "body": {"task": "only"}},
        ],
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
            {
                "status": 200,
                "what": "of a workflow",
                "query": {"workflow": "breaks", "task": "only"},
                "then": items(lambda l: all(d["workflow"] == "breaks" for d in l), "others"),
            },
            {"status": 200, "what": "open ones", "query": {"resolution": "open"}, "then": items(lambda l: all(d["resolution"] is None for d in l), "others")},
            {"status": 200, "what": "of nothing", "query": {"fingerprint": "none"}, "then": lambda a: None if a.json["items"] == [] else "not empty"},
        ],
    },
    "redriveDeadLetters": {
        "steps": [{"status": 200, "body": {"filter": {"workflow": "breaks"}}}, {"status": 422, "what": "an unknown key", "body": {"filter": {"nonsense": 1}}}]
    },
    "getDeadLetter": {"steps": OK},
    "discardDeadLetter": {
        "steps": [
            {"status": 204, "path": letter},
            {"status": 409, "what": "one that is resolved", "path": lambda: {"id": sql("select min(id) from orch.dead_letters where resolution is not null")}},
        ]
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
    "listWorkers": {"moves": True, "steps": [{"status": 200}, {"status": 200, "query": {"state": "stopped"}}]},
    "listTasksOfWorker": {"moves": True, "steps": [{"status": 200, "path": {"worker": "sql"}}]},
    "listQueues": PAGE,
    "listTimers": {**PAGE, "moves": True},
    "listCircuits": {"empty_for_others": True, "steps": [{"status": 200, "then": items(lambda l: l[0]["circuit"] == "shop", "not the one")}]},
    "resetCircuit": {"steps": [{"status": 200, "then": differs("reset", False)}]},
    "listSignals": PAGE,
    "listApprovals": {**PAGE, "moves": True},
    "listAudit": {"steps": OK},
    "listActivity": {
        "moves": True,
        "steps": [{"status": 200, "then": items(lambda l: all(len(a["latest"]) == min(20, sum(a["states"].values())) for a in l), "counts do not fit")}],
    },
    "listChecks": {"steps": OK},
    "getMe": {
        "also": ["worker"],
        "steps": [
            {"status": 200, "then": differs("tenant", "default")},
            {"status": 200, "who": "other_viewer", "then": differs("tenant", "other")},
            {"status": 200, "who": "worker", "then": differs("role", "worker")},
        ],
    },
    "listTokens": {"moves": True, "steps": [{"status": 200, "then": lambda a: "a secret is shown" if "orch_" + "x" in a.body.decode() else None}]},
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
            {"status": 204, "path": lambda: {"name": made("/tokens", "name", {"role": "viewer"})}},
        ]
    },
    "listHooks": {"empty_for_others": True, "steps": [{"status": 200, "then": items(lambda l: [h["hook"] for h in l] == ["pushed"], "not the one")}]},
    "createHook": {
        "steps": [
            {"status": 201, "body": lambda: {"hook": f"hook-{next(number)}", "workflow": "quick"}},
            {
                "status": 201,
                "what": "all fields",
                "body": {"hook": "full", "workflow": "quick", "secret": "s" * 40, "input": {"a": "{{ body.a }}"}, "format": "hex", "signature_header": "x-sig"},
            },
            {"status": 409, "what": "a name that is taken", "body": {"hook": "pushed", "workflow": "quick"}},
            {"status": 404, "what": "an unknown workflow", "body": {"hook": "odd", "workflow": "nobody-knows-this"}},
            {"status": 422, "what": "an unknown format", "body": {"hook": "odd", "workflow": "quick", "format": "wax"}},
        ]
    },
    "receiveHook": {
        "signed": True,
        "steps": [
            {"status": 201, "who": "nobody", **delivery("1")},
            {"status": 200, "what": "the same again", "who": "nobody", **delivery("1"), "then": differs("deduplicated", True)},
            {"status": 403, "what": "a wrong signature", "who": "nobody", **{**delivery("2"), "body": b'{"n": 2}'}},
            {"status": 403, "what": "no signature", "who": "nobody", "path": {"hook": "pushed"}, "body": {}},
            {"status": 404, "what": "an unknown hook", "who": "nobody", **{**delivery("3"), "path": {"hook": "nobody-knows-this"}}},
            {"status": 400, "what": "no JSON", "who": "nobody", **delivery("4", b"{")},
        ],
    },
    "dropHook": {"steps": [{"status": 204, "path": lambda: {"hook": made("/hooks", "hook", {"workflow": "quick"})}}]},
    "listNotifications": {
        "empty_for_others": True,
        "steps": [{"status": 200, "then": items(lambda l: [n["url"] for n in l] == ["http://127.0.0.1:9"], "not the one, or its path")}],
    },
    "notifyOn": {
        "steps": [
            {"status": 201, "body": lambda: {"name": f"note-{next(number)}", "workflow": "works", "url": "http://127.0.0.1:9/"}},
            {"status": 404, "what": "an unknown workflow", "body": {"name": "odd", "workflow": "nobody-knows-this", "url": "http://127.0.0.1:9/"}},
            {"status": 422, "what": "no URL", "body": {"name": "odd", "workflow": None, "url": "gopher"}},
            {"status": 422, "what": "an unknown event", "body": {"name": "odd", "workflow": None, "url": "http://127.0.0.1:9/", "events": ["nonsense"]}},
        ]
    },
    "dropNotification": {
        "steps": [{"status": 204, "path": lambda: {"name": made("/notifications", "name", {"workflow": "works", "url": "http://127.0.0.1:9/"})}}]
    },
    "listDeliveries": {"moves": True, "steps": [{"status": 200, "path": {"name": "pager"}}]},
    "startWorker": {**WORKER, "steps": [{"status": 200, "path": {"worker": "over-http"}, "body": {"handlers": ["g"], "metadata": {"a": 1}}}]},
    "leaseTasks": {
        **WORKER,
        "steps": [
            {"status": 200, "path": {"worker": "over-http"}, "body": {"max_tasks": 1}},
            {"status": 200, "path": leasable, "body": {"wait": 20}, "then": lambda a: None if a.json["tasks"] else "no task"},
        ],
    },
    "exchangeTasks": {**WORKER, "steps": [{"status": 200, "path": {"worker": "over-http"}, "body": {"results": [], "max_tasks": 1}}]},
    "sendHeartbeat": {**WORKER, "steps": [{"status": 200, "path": {"worker": "over-http"}, "body": {}}]},
    "releaseTasks": {**WORKER, "steps": [{"status": 200, "path": {"worker": "over-http"}, "body": {"leases": []}}]},
    "stopWorker": {**WORKER, "steps": [{"status": 200, "path": {"worker": "over-http"}}]},
    "completeTask": {
        **LEASE,
        "steps": [
            {"status": 204, "path": leased_path, "body": {"output": {"a": 1}}},
            lost({"output": 1}),
            {"status": 413, "path": leased_path, "body": {"output": "x" * 1050000}},
        ],
    },
    "failTask": {
        **LEASE,
        "steps": [
            {"status": 204, "path": leased_path, "body": {"error": {"message": "no"}, "retry": False}},
            lost({"error": {}}),
            {"status": 422, "path": leased_path, "body": {"error": 1}},
        ],
    },
    "skipTask": {**LEASE, "steps": [{"status": 204, "path": leased_path, "body": {"reason": "nothing to do"}}, lost({})]},
    "logLines": {
        **LEASE,
        "steps": [
            {"status": 200, "path": leased_path, "body": {"lines": [{"stream": "stdout", "line": "x"}]}, "then": differs("stored", 1)},
            lost({"lines": []}),
        ],
    },
    "listEvents": {
        "empty_for_others": True,
        "moves": True,
        "steps": [{"status": 200}, {"status": 200, "query": {"workflow": "quick", "kind": "run_succeeded"}}],
    },
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
    "dashboard": {"steps": OK, "page_only": True},
}
