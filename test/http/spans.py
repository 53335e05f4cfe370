"""spans.py FILE wait RUN COUNT | traced RUN TRACE PARENT | all RUN... | none RUN: what the collector has got."""
import json
import os
import sys
import time

PATIENCE = 120


def spans():
    if not os.path.exists(sys.argv[1]):
        return []
    lines = open(sys.argv[1]).read().split("\n")
    found = [json.loads(line) for line in lines[:-1]]
    for span in found:
        span["attributes"] = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
    return found


def of_run(run):
    return [span for span in spans() if span["attributes"]["cicd.pipeline.run.id"] == run]


def check(condition, what):
    if not condition:
        raise SystemExit(f"failed: {what}: {json.dumps(spans()[-6:], indent=1)}")
    print(f"as wanted: {what}")


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            check(False, f"waited for {what}")
        time.sleep(0.1)


def wait(run, count):
    until(lambda: len(of_run(run)) >= int(count), f"{count} spans of {run}")


def traced(run, trace, parent):
    found = of_run(run)
    check(len(found) == 5 and len({span["spanId"] for span in found}) == 5, "a span for the run and for each attempt")
    check({span["traceId"] for span in found} == {trace} and {span["service"] for span in found} == {"orch"}, "in the trace of the caller")
    whole = next(span for span in found if "cicd.pipeline.task.name" not in span["attributes"])
    attempts = {span["attributes"]["cicd.pipeline.task.run.id"]: span for span in found if span is not whole}
    check(whole["parentSpanId"] == parent and whole["name"] == "RUN traced", "the run is a child of the caller's span")
    check({span["parentSpanId"] for span in attempts.values()} == {whole["spanId"]}, "the attempts are children of the run")
    check(set(attempts) == {f"{run}/says/1", f"{run}/asks/1", f"{run}/fails/1", f"{run}/fails/2"}, "each attempt by its name")
    results = {name.split("/", 1)[1]: span["attributes"]["cicd.pipeline.task.run.result"] for name, span in attempts.items()}
    check(results == {"says/1": "success", "asks/1": "success", "fails/1": "failure", "fails/2": "failure"}, "with its result")
    check(whole["attributes"]["cicd.pipeline.result"] == "failure" and whole["attributes"]["cicd.pipeline.name"] == "traced", "and that of the run")
    check(all(span.get("status", {}).get("code") == 2 and span["attributes"]["error.type"] for span in found if span["attributes"].get("cicd.pipeline.task.run.result") == "failure"),
          "a failure is marked, with its type")
    check(all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in found)
          and all(int(whole["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) and int(span["endTimeUnixNano"]) <= int(whole["endTimeUnixNano"]) for span in attempts.values()),
          "attempts lie within the run")
    check(attempts[f"{run}/says/1"]["attributes"]["cicd.worker.id"] == "w", "with the worker")


def all_runs(*runs):
    until(lambda: set(runs) <= {span["attributes"]["cicd.pipeline.run.id"] for span in spans()}, f"spans of {len(runs)} runs")
    # Sent again after a break, a span has the id that it had before.
    ids = {}
    for span in spans():
        name = span["attributes"].get("cicd.pipeline.task.run.id", span["attributes"]["cicd.pipeline.run.id"])
        ids.setdefault(name, set()).add((span["traceId"], span["spanId"]))
    check(all(len(one) == 1 for one in ids.values()), f"all of {len(runs)} runs, each span by one id")


def none(run):
    check(not of_run(run), "no span of a trace that is not sampled")


{"wait": wait, "traced": traced, "all": all_runs, "none": none}[sys.argv[2]](*sys.argv[3:])
