"""Triggers of WORKFLOW from eight threads at the bridges of the environment, each with a key of its own and repeated until it is answered with a run, until the file UNTIL is there.
Prints how many keys there are, how many answers of each status, and how long nobody was answered at most."""
import collections
import http.client
import itertools
import os
import sys
import threading
import time

import lib

WORKFLOW, UNTIL = sys.argv[1:]
ALLOWED = {200, 201, 503}
lock = threading.Lock()
answers, wrong, runs, moments = collections.Counter(), [], {}, [time.monotonic()]


def trigger(thread):
    bridges = itertools.cycle(sorted(lib.URLS))
    caller = lib.Caller("operator", next(bridges), timeout=60)
    for number in itertools.count():
        if os.path.exists(UNTIL) and number >= 5:
            return
        key, end = f"{thread}-{number}", time.monotonic() + 120
        while True:
            assert time.monotonic() < end, f"key {key} has had no answer for two minutes"
            try:
                answer = caller.call("POST", f"/workflows/{WORKFLOW}/trigger", {"input": key}, {"Idempotency-Key": key})
            except (OSError, http.client.HTTPException):
                with lock:
                    answers["none"] += 1
                caller.close()
                caller = lib.Caller("operator", next(bridges), timeout=60)
                time.sleep(0.05)
                continue
            with lock:
                answers[answer.status] += 1
                if answer.status not in ALLOWED or (answer.status == 503 and "retry-after" not in answer.headers):
                    wrong.append(repr(answer))
            if answer.status in (200, 201):
                with lock:
                    runs[key] = answer.json["run_id"]
                    moments.append(time.monotonic())
                break
            time.sleep(0.05)


threads = [threading.Thread(target=trigger, args=(thread,)) for thread in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert not wrong, wrong[:3]
assert len(set(runs.values())) == len(runs), "two keys have one run"
longest = max(b - a for a, b in zip(moments, moments[1:]))
print(f"{len(runs)} keys, answers {dict(answers)}, at most {longest:.1f} s without one")
