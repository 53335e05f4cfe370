"""metrics.py shape | save FILE | rose FILE SAMPLE BY ...: reads /metrics of bridge one, in both formats, by strict parsers."""
import json
import sys

from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client import parser as text_format

import lib

OPEN = "application/openmetrics-text; version=1.0.0"


def families(accept):
    answer = lib.Caller("viewer").call("GET", "//metrics", headers={"Accept": accept})
    if answer.status != 200:
        raise SystemExit(f"failed: {answer}")
    text = answer.body.decode()
    if accept == OPEN:
        if not text.endswith("# EOF\n"):
            raise SystemExit("failed: OpenMetrics ends with # EOF")
        return list(open_metrics.text_string_to_metric_families(text))
    return list(text_format.text_string_to_metric_families(text))


def samples(found):
    return {json.dumps([s.name, sorted(s.labels.items())]): s.value for family in found for s in family.samples}


def shape():
    found = families(OPEN)
    names = [family.name for family in found]
    if len(names) != len(set(names)):
        raise SystemExit("failed: a family stands there twice")
    for wanted in ("orch_runs", "orch_runs_finished", "orch_tasks", "orch_queue_ready", "orch_queue_oldest_ready_seconds", "orch_lease_expiries", "orch_task_retries",
                   "orch_dead_letters", "orch_dead_letters_open", "orch_circuits", "orch_run_duration_seconds", "orch_task_duration_seconds",
                   "orch_task_queueing_seconds", "orch_workers", "orch_dead_tuples", "orch_oldest_xmin_age", "orch_steward_lag_seconds", "orch_held",
                   "orch_bridge_requests", "orch_bridge_request_seconds", "orch_bridge_streams", "orch_bridge_database_connections"):
        if wanted not in names:
            raise SystemExit(f"failed: no family {wanted} in {names}")
    for family in found:
        if not family.documentation or family.type not in ("counter", "gauge", "histogram"):
            raise SystemExit(f"failed: {family.name} is a {family.type}: {family.documentation!r}")
        if len(family.samples) > 60 * 20:
            raise SystemExit(f"failed: {family.name} has {len(family.samples)} samples")
    plain = samples(families("text/plain"))
    opened = samples(found)
    # What a scrape itself makes may be new in the second: requests.
    missing = [key for key in opened if key not in plain]
    if missing:
        raise SystemExit(f"failed: only in OpenMetrics: {missing[:5]}")
    print(f"as wanted: {len(names)} families, {len(opened)} samples, in both formats")


def save(path):
    json.dump(samples(families(OPEN)), open(path, "w"))


def rose(path, *wanted):
    before, now = json.load(open(path)), families(OPEN)
    after = samples(now)
    counts = [family for family in now if family.type in ("counter", "histogram")]
    for key in samples(counts):
        if after[key] < before.get(key, 0):
            raise SystemExit(f"failed: {key} fell from {before[key]} to {after[key]}")
    for sample, by in zip(wanted[::2], wanted[1::2]):
        name, _, labels = sample.partition("{")
        pairs = sorted(pair.split("=") for pair in labels.rstrip("}").replace('"', "").split(",") if pair)
        key = json.dumps([name + "_total", pairs])
        if after[key] - before.get(key, 0) != float(by):
            raise SystemExit(f"failed: {sample} rose by {after[key] - before.get(key, 0)}, wanted {by}")
        print(f"as wanted: {sample} rose by {by}")


{"shape": shape, "save": save, "rose": rose}[sys.argv[1]](*sys.argv[2:])
