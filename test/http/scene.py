"""What every_route.py finds when it begins, and what it makes on the way."""
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
    if lib.Caller("admin").call("POST", "/hooks", {"hook": "pushed", "workflow": "quick", "secret": "s" * 40}).status == 201:
        lib.Caller("admin").call("POST", "/notifications", {"name": "pager", "workflow": "breaks", "url": "http://127.0.0.1:9/secret"})
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


def made(path, key, body):
    name = f"made-{next(number)}"
    answer = lib.Caller("admin").call("POST", path, {key: name, **body})
    assert answer.status == 201, answer
    return name


def lease_of_a_task():
    sql("select orch.trigger('works')")
    return leased("sql")


def leased_path():
    return {"lease": lease_of_a_task()}


def leasable():
    """A worker for whom there is something to do."""
    sql("select orch.worker_start('busy', handlers => '{h}')")
    sql("select orch.trigger('works')")
    return {"worker": "busy"}
