"""Each operation of openapi.yaml: done by the least role that may, refused to all others, and refused for each thing that can be wrong with a request.

What holds for all of them is made from the document; what an operation needs to succeed, and refusals of its own, stand in cases.py. An operation
without a case, a status that the document names and nobody has seen, and an answer that is not as described are failures.
"""
import json
import subprocess
import sys
import time

import contract
import lib
import scene
from cases import CASES

ALLOWED = {
    "nobody": {"nobody", "viewer", "worker", "operator", "admin"},
    "viewer": {"viewer", "operator", "admin"},
    "worker": {"worker", "admin"},
    "operator": {"operator", "admin"},
    "admin": {"admin"},
}
UNKNOWN = {"run": "00000000-0000-7000-8000-000000000000", "version": "999", "id": "987654321"}
api = contract.Contract()
callers = {}
routes = [json.loads(line) for line in subprocess.run(["orch-bridge", "--routes"], capture_output=True, text=True, check=True).stdout.splitlines()]
limits = {route["operation_id"]: route["body_limit"] for route in routes}
seen, failures = set(), []


def say(operation, what):
    failures.append(f"{operation}: {what}")
    print(f"not as wanted: {operation}: {what}", flush=True)


def call(operation, who, values, query=None, body=None, headers=None, prefix="/api/v1"):
    path = operation.path
    for name in operation.path_names:
        path = path.replace("{" + name + "}", lib.quoted(str(values[name])))
    if query:
        path += "?" + lib.query(query)
    caller = callers.setdefault(who, lib.Caller(who))
    answer = caller.call(operation.method, "/" + prefix + path, body, headers)
    seen.add((operation.id, answer.status))
    for problem in operation.problems(answer):
        say(f"{operation} as {who}", problem)
    return answer


def want(operation, what, answer, *statuses):
    if answer.status not in statuses:
        say(operation, f"{what}: wanted {' or '.join(map(str, statuses))}, got {answer!r}")
    return answer


def least(operation):
    return CASES[operation.id].get("least", operation.role)


def request_of(operation, step):
    """A step's request: what is to be made anew each time is a function."""

    def made(value):
        return value() if callable(value) else value

    values = {**scene.values(), **(made(step.get("path")) or {})}
    return {"values": values, "query": made(step.get("query")), "body": made(step.get("body")), "headers": made(step.get("headers"))}


def steps(operation, wanted):
    for step in wanted:
        answer = call(operation, step.get("who", least(operation)), **request_of(operation, step))
        want(operation, step.get("what", "as described"), answer, step["status"])
        if step["status"] == answer.status and "then" in step:
            problem = step["then"](answer)
            if problem:
                say(operation, f"{step.get('what', step['status'])}: {problem}: {answer!r}")


def roles(operation, request):
    for who in ("nobody", "viewer", "worker", "operator", "admin"):
        if who in ALLOWED[least(operation)] | set(CASES[operation.id].get("also", ())) or operation.role == "nobody":
            continue
        answer = want(operation, f"as {who}", call(operation, who, **request), 401 if who == "nobody" else 403)
        if who == "nobody" and answer.status == 401 and not answer.headers.get("www-authenticate", "").startswith("Bearer"):
            say(operation, "401 without WWW-Authenticate")
    if operation.role != "nobody":
        for wrong in ("Bearer orch_" + "A" * 43, "Bearer x", "Basic dTpw", "Bearer", "bearer \t"):
            want(operation, f"with {wrong}", call(operation, "nobody", **{**request, "headers": {**(request["headers"] or {}), "authorization": wrong}}), 401)


def places(operation, request, case):
    """Each part of the path: malformed, unknown, another tenant's."""
    who = least(operation)
    for name, parameter in operation.where("path").items():
        schema = api.resolve(parameter["schema"])
        # In the form of the parameter before what it stands for: an unknown task of a run that is there.
        for wrong in {"uuid": ("x", "1", UNKNOWN["run"] + "0", "%00", "'"), "integer": ("x", "1.5", "99999999999999999999", "-")}.get(
            schema.get("format", schema.get("type")), ()
        ):
            want(operation, f"{name} {wrong}", call(operation, who, **{**request, "values": {**request["values"], name: wrong}}), 400)
        if name in case.get("registers", ()):
            continue
        unknown = UNKNOWN.get(name, "nobody-knows-this")
        want(operation, f"unknown {name}", call(operation, who, **{**request, "values": {**request["values"], name: unknown}}), 404)
    if operation.path_names and operation.role != "nobody" and not case.get("shared"):
        want(operation, "of another tenant", call(operation, "other_" + who, **request), 404)


def parameters(operation, request):
    who = least(operation)
    wrong = [({"nonsense": "1"}, "an unknown parameter")]
    for name, parameter in operation.where("query").items():
        schema = api.resolve(parameter["schema"])
        bad = []
        if "enum" in schema:
            bad = ["nonsense", ""]
        elif schema.get("type") == "integer":
            bad = (
                ["x", "1e3", "99999999999999999999", ""]
                + ([str(schema["minimum"] - 1)] if "minimum" in schema else [])
                + ([str(schema["maximum"] + 1)] if "maximum" in schema else [])
            )
        elif schema.get("format") in ("uuid", "date-time"):
            bad = ["x", ""]
        elif name == "cursor":
            bad = ["x", "!!!", "e30", "bnVsbA", "W10"]
        wrong += [({name: value}, f"{name}={value}") for value in bad]
    for query, what in wrong:
        want(operation, what, call(operation, who, **{**request, "query": {**(request["query"] or {}), **query}}), 400)


def pages(operation, request):
    """A list read one by one is the list."""
    who = least(operation)
    whole = call(operation, who, **{**request, "query": {**(request["query"] or {}), "limit": 500}}).json["items"]
    cursor, items = None, []
    for _ in range(60):
        answer = call(operation, who, **{**request, "query": {**(request["query"] or {}), "limit": 1, **({"cursor": cursor} if cursor else {})}})
        if answer.status != 200:
            return say(operation, f"with a cursor: {answer!r}")
        page = answer.json
        items += page["items"]
        cursor = page["next_cursor"]
        if len(page["items"]) > 1 or (cursor is None) == ('rel="next"' in answer.headers.get("link", "").replace("rel=next", 'rel="next"')):
            return say(operation, f"a page of one has {len(page['items'])} items, Link {answer.headers.get('link')}, next_cursor {cursor}")
        if cursor is None:
            break
    keys = [json.dumps(item.get("pos", item), sort_keys=True) for item in items]
    if not case_moves(operation) and keys != [json.dumps(item.get("pos", item), sort_keys=True) for item in whole][: len(keys)]:
        say(operation, f"read one by one: {len(items)} items, at once: {len(whole)}, or others")


def case_moves(operation):
    return CASES[operation.id].get("moves")


def bodies(operation, request):
    """What is no JSON, or not of a type that is taken."""
    who = least(operation)
    if operation.body is None:
        return
    takes_json = "application/json" in operation.body["content"]
    if not takes_json:
        return
    plain = {"content-type": "application/json", **(request["headers"] or {})}

    # What is wrong is no refusal where it is what was asked for.
    verdict = [200] if operation.id == "validateWorkflow" else []

    def send(what, body, *statuses, **headers):
        want(operation, what, call(operation, who, **{**request, "body": body, "headers": {**plain, **headers}}), *statuses)

    for what, body in {
        "half an object": b'{"a":',
        "no JSON": b"tru",
        "more than one value": b"{} {}",
        "broken encoding": b'{"a":"\xff"}',
        "a key twice": b'{"input":1,"input":2}',
        "deep": b"[" * 20000,
        "a lone surrogate": b'{"input":"\\ud800"}',
    }.items():
        # Of a definition all that can be parsed is a problem in it.
        definition = operation.body["content"].keys() > {"application/json"}
        send(what, body, 400, *([422] if definition else []), *verdict)
    send("a list", b"[1]", 422, *verdict)
    send("text", b'"text"', 422, *verdict)
    send("an unknown key", b'{"nonsense":1}', 422, *verdict)
    if operation.body.get("required"):
        send("nothing", b"", 400, 422, *verdict)
    send("another type", b"<a/>", 415, **{"content-type": "application/xml"})
    send("no type at all", b"{}", 415, **{"content-type": None})
    send("an encoding", b"{}", 415, **{"content-encoding": "gzip"})
    size = limits[operation.id] + 1
    path = operation.path
    for name in operation.path_names:
        path = path.replace("{" + name + "}", lib.quoted(str(request["values"][name])))
    answer = lib.Caller(who).announce(operation.method, path, {**plain, "content-length": str(size)})
    seen.add((operation.id, answer.status))
    want(operation, f"a body of {size} bytes", answer, 413)


def other_methods():
    for path in {operation.path for operation in api.operations}:
        there = {operation.method for operation in api.operations if operation.path == path}
        values = {**scene.values(), "name": "x", "file": "x", "worker": "x", "lease": "x", "hook": "x", "circuit": "x"}
        filled = path
        for name, value in values.items():
            filled = filled.replace("{" + name + "}", lib.quoted(str(value)))
        for method in ("PATCH", "DELETE", "PUT"):
            if method in there or any(o.method == method and scene.fits(o.path, filled) for o in api.operations):
                continue
            answer = callers["admin"].call(method, filled)
            allow = {name.strip() for name in answer.headers.get("allow", "").split(",")}
            if answer.status != 405 or not there <= allow:
                say(f"{method} {path}", f"wanted 405 and Allow {sorted(there)}, got {answer!r} {allow}")


def unknown_paths():
    for path in (
        "/nonsense",
        "/runs/",
        "/workflows//trigger",
        "//",
        "//nonsense",
        "//api/v2/runs",
        "//api/v1",
        "/runs/%2e%2e/workflows",
        "/runs/../workflows",
        "/%zz",
        "/%ff",
        "/runs%00",
    ):
        if path == "//":
            continue
        answer = callers["admin"].call("GET", path)
        if answer.status not in (400, 404) or answer.media_type != "application/problem+json":
            say(f"GET {path}", f"wanted 404 or 400, got {answer!r}")


def main():
    began = time.monotonic()
    wanted = sys.argv[1:]
    for who in ("viewer", "operator", "admin", "worker", "other_admin"):
        callers[who] = lib.Caller(who)
    scene.build()
    for operation in api.operations:
        if wanted and operation.id not in wanted:
            continue
        case = CASES.get(operation.id)
        if case is None:
            say(operation, "is not tested: it needs a case in test/http/cases.py")
            continue
        # A fresh request for what refuses; nothing has changed after all of it.
        request = request_of(operation, case["steps"][0])
        roles(operation, request)
        if not case.get("page_only") and not case.get("signed"):
            places(operation, request, case)
            parameters(operation, request)
            bodies(operation, request)
        if {"limit", "cursor"} <= set(operation.where("query")):
            pages(operation, request)
        steps(operation, case["steps"])
        if operation.method == "GET" and not case.get("page_only"):
            want(
                operation, "under /api", call(operation, least(operation), **request_of(operation, case["steps"][0]), prefix="/api"), case["steps"][0]["status"]
            )
        if case.get("empty_for_others"):
            answer = call(operation, "other_" + least(operation), **request)
            if answer.status != 200 or answer.json["items"]:
                say(operation, f"shows another tenant {answer!r}")
    if not wanted:
        other_methods()
        unknown_paths()
        scene.database_away(lambda name: next(o for o in api.operations if o.id == name), call, want)
        for operation in api.operations:
            missing = operation.statuses - {status for name, status in seen if name == operation.id}
            if missing:
                say(operation, f"described, and not seen: {sorted(missing)}")
        for where, schema, example in api.examples():
            for error in api.validator(schema).iter_errors(example):
                say(where, f"the example: {error.message}")
    print(f"{len(api.operations)} operations, {len(seen)} pairs of operation and status seen, {len(failures)} not as wanted, {time.monotonic() - began:.1f} s")
    sys.exit(1 if failures else 0)


main()
