"""Requests of two tenants at once through a bridge whose connections are borrowed: each sees what is its own, and nobody has another's rights."""
import threading

from lib import Caller

ROUNDS = 15
wrong = []


def expect(fact, what):
    if not fact:
        wrong.append(what)


def read(who, prefix):
    caller = Caller(who)
    for _ in range(ROUNDS):
        runs = caller.call("GET", "/runs?limit=100").json["items"]
        expect(runs and all(run["workflow"].startswith(prefix) for run in runs), f"{who} sees {[run['workflow'] for run in runs]}")
        refused = caller.call("POST", f"/workflows/{prefix}/trigger")
        expect(refused.status == 403, f"{who} may trigger: {refused}")


def trigger(who, name):
    caller = Caller(who)
    for n in range(ROUNDS):
        made = caller.call("POST", f"/workflows/{name}/trigger", {"input": {"n": n}})
        expect(made.status in (200, 201), f"{who} may not trigger: {made}")


def work(who, name):
    caller = Caller(who)
    caller.call("POST", f"/workers/{who}/start", {"handlers": ["h"]})
    done, results = 0, []
    while done < ROUNDS:
        answer = caller.call("POST", f"/workers/{who}/exchange", {"results": results, "max_tasks": 4})
        expect(answer.status == 200, f"{who} may not lease: {answer}")
        if wrong:
            return
        done += len(results)
        results = [{"lease": task["lease"], "output": {"by": who}} for task in answer.json["tasks"]]


jobs = []
for tenant in ("", "other_"):
    name = f"{tenant}work"
    made = Caller(f"{tenant}admin").call("POST", "/workflows", {"id": name, "tasks": {"only": {"handler": "h"}}})
    assert made.status == 201, made
    Caller(f"{tenant}operator").call("POST", f"/workflows/{name}/trigger")
    jobs += [threading.Thread(target=read, args=(f"{tenant}viewer", name)) for _ in range(3)]
    jobs += [threading.Thread(target=trigger, args=(f"{tenant}operator", name)), threading.Thread(target=work, args=(f"{tenant}worker", name))]
for job in jobs:
    job.start()
for job in jobs:
    job.join()
assert not wrong, wrong[:5]
print(f"as wanted: {len(jobs)} callers of two tenants, {ROUNDS} times each")
