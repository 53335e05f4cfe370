"""load.py COUNT AT_ONCE: so many callers' way from a definition to the end of its run: submit, trigger, poll. None may be lost; says how long each part
took.
"""
import sys
import threading
import time

import lib

count, at_once = int(sys.argv[1]), int(sys.argv[2])
took = {"submit": [], "trigger": [], "poll": [], "to the end": []}
failures, ids = [], iter(range(count))
lock = threading.Lock()


def timed(name, caller, *arguments):
    began = time.monotonic()
    answer = caller.call(*arguments)
    with lock:
        took[name].append(time.monotonic() - began)
    return answer


def one(caller, n):
    began = time.monotonic()
    spec = {
        "id": f"load-{n}",
        "tasks": {
            "first": {"handler": "noop", "input": {"n": n}},
            "second": {"handler": "noop", "input": "{{ tasks.first.output }}", "dependencies": ["first"]},
        },
    }
    answer = timed("submit", caller, "POST", "/workflows", spec, None, "admin")
    if answer.status != 201:
        return f"submit {n}: {answer!r}"
    answer = timed("trigger", caller, "POST", f"/workflows/load-{n}/trigger", {"idempotency_key": f"load-{n}"})
    if answer.status != 201:
        return f"trigger {n}: {answer!r}"
    run, end = answer.json["run_id"], time.monotonic() + 120
    while time.monotonic() < end:
        answer = timed("poll", caller, "GET", f"/runs/{run}")
        if answer.status != 200:
            return f"poll {n}: {answer!r}"
        if answer.json["state"] == "succeeded":
            with lock:
                took["to the end"].append(time.monotonic() - began)
            return None
        time.sleep(0.05)
    return f"run {n} is still {answer.json['state']}"


def work():
    caller = lib.Caller("operator")
    while True:
        with lock:
            n = next(ids, None)
        if n is None:
            return
        try:
            failure = one(caller, n)
        except OSError as error:
            failure = f"{n}: {error!r}"
        if failure:
            with lock:
                failures.append(failure)


began = time.monotonic()
threads = [threading.Thread(target=work) for _ in range(at_once)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{count} callers, {at_once} at once: {time.monotonic() - began:.1f} s, {len(failures)} lost")
print(f"{'ms':12}{'calls':>7}" + "".join(f"{name:>10}" for name in ("p50", "p75", "p90", "p95", "p99", "most")))
for name, values in took.items():
    values.sort()
    print(
        f"{name:12}{len(values):7}"
        + "".join(f"{1000 * values[min(len(values) - 1, int(part * len(values)))]:10.1f}" for part in (0.5, 0.75, 0.9, 0.95, 0.99, 1))
    )
for failure in failures[:10]:
    print(failure)
sys.exit(1 if failures else 0)
