#!/usr/bin/env python3
"""A worker that needs nothing but Python: ORCH_URL, ORCH_TOKEN (role worker) in the environment; serves the handler `shout` until it is interrupted."""
import json, os, signal, sys, threading, urllib.error, urllib.request

NAME = f"shouter-{os.getpid()}"


def call(path, body):
    request = urllib.request.Request(os.environ["ORCH_URL"] + "/api/v1" + path, json.dumps(body).encode(), method="POST")
    request.add_header("Authorization", "Bearer " + os.environ["ORCH_TOKEN"])
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.loads(answer.read() or "null")


def work(task):
    try:
        call(f"/leases/{task['lease']}/complete", {"output": task["input"]["text"].upper() + "!"})
    except urllib.error.HTTPError as refused:  # 409: the lease was lost, and somebody else has the task
        print(f"refused: {refused.code} {refused.read().decode()}")
    except Exception as error:
        call(f"/leases/{task['lease']}/fail", {"error": {"class": "handler", "message": str(error)}})


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
call(f"/workers/{NAME}/start", {"handlers": ["shout"]})
try:
    while True:
        for task in call(f"/workers/{NAME}/lease", {"max_tasks": 4, "wait": 30})["tasks"]:
            threading.Thread(target=work, args=(task,)).start()
finally:
    call(f"/workers/{NAME}/stop", {})
