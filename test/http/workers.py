"""Workers over HTTP: many that wait at once, some that go away, one that is told to give up. For test/e2e/http_workers."""
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import lib


def sql(text):
    return subprocess.run(["psql", "-XAtqc", text], check=True, capture_output=True, text=True).stdout.strip()


def is_(got, wanted, what):
    if got != wanted:
        sys.exit(f"failed: {what}: got {got!r}, wanted {wanted!r}")
    print(f"as wanted: {what} = {got!r}")


def until(seconds, what, holds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit("failed: " + what)
        time.sleep(0.1)


def worker(name, method, body=None, bridge="one"):
    return lib.Caller("worker", bridge).call("POST", f"/workers/{name}/{method}", {} if body is None else body)


class Poll:
    """A long poll on a socket of its own, so that it can be left."""

    def __init__(self, name, wait=40, max_tasks=1, lease_time="30 s"):
        url = urllib.parse.urlsplit(lib.URLS["one"])
        body = json.dumps({"max_tasks": max_tasks, "wait": wait, "lease_time": lease_time}).encode()
        self.socket = socket.create_connection((url.hostname, url.port), timeout=100)
        head = f"POST /api/v1/workers/{name}/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {lib.token('worker')}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def answer(self):
        from http.client import HTTPResponse

        response = HTTPResponse(self.socket)
        response.begin()
        text = response.read()
        if response.status != 200:
            sys.exit(f"failed: a poll: {response.status} {text!r}")
        return json.loads(text)

    def leave(self):
        self.socket.close()


def waiting(count):
    return lambda: int(sql("select count(*) from _orch.worker_status() s where s.waiting")) == count


def many(count):
    """As many as `count` workers wait, with few sessions; each gets one task and no other."""
    names = [f"w{n}" for n in range(count)]
    caller = lib.Caller("worker")
    for name in names:
        is_ok(caller.call("POST", f"/workers/{name}/start", {"queues": ["many"], "handlers": ["noop"]}))
    polls = [Poll(name) for name in names]
    until(60, "they do not all wait", waiting(count))
    sessions = int(sql("select count(*) from pg_stat_activity where usename = 'bridge'"))
    if sessions > 10:
        sys.exit(f"failed: {count} workers wait with {sessions} sessions")
    print(f"as wanted: {count} workers wait with {sessions} sessions")
    is_(sql("select count(*) from orch.workers where state = 'alive' and 'many' = any(queues)"), str(count), "they count as alive")
    sql(f"select count(*) from orch.trigger_many('many', (select array_agg(to_jsonb(n)) from generate_series(1, {count}) n))")
    got = [poll.answer() for poll in polls]
    tasks = [task for answer in got for task in answer["tasks"]]
    # One may come in vain, where two were woken for what the first of them had taken.
    served = sum(1 for answer in got if answer["tasks"])
    print(f"{len(tasks)} tasks came by {served} of {count} polls")
    if served < count * 9 // 10:
        sys.exit(f"failed: of {count} polls that waited only {served} brought a task")
    for task in tasks:
        is_ok(caller.call("POST", f"/leases/{task['lease']}/complete", {"output": task["input"]}))
    end = time.monotonic() + 60
    while sql("select count(*) from orch.runs where workflow = 'many' and state <> 'succeeded'") != "0":
        for task in caller.call("POST", "/workers/w0/lease", {"max_tasks": 50}).json["tasks"]:
            is_ok(caller.call("POST", f"/leases/{task['lease']}/complete", {"output": task["input"]}))
        if time.monotonic() > end:
            sys.exit("failed: not all tasks are done")
    is_(sql("select count(*) from orch.runs where workflow = 'many' and state = 'succeeded'"), str(count), "runs that are done")
    is_(sql("select count(*) from orch.tasks t join orch.runs r using (run_id) where r.workflow = 'many' and t.attempt <> 1"), "0", "tasks that needed a second attempt")


def is_ok(answer):
    if answer.status not in (200, 204):
        sys.exit(f"failed: {answer!r}")


def gone():
    """Who leaves in the middle of a poll takes nothing along."""
    is_ok(worker("leaver", "start", {"queues": ["gone"], "handlers": ["noop"]}))
    is_ok(worker("stayer", "start", {"queues": ["gone"], "handlers": ["noop"]}))
    poll = Poll("leaver")
    until(20, "it does not wait", waiting(1))
    poll.leave()
    until(20, "it waits on", waiting(0))
    run = sql("select orch.trigger('gone')")
    tasks = worker("stayer", "lease", {"wait": 20}).json["tasks"]
    is_([(t["run_id"], t["attempt"]) for t in tasks], [(run, 1)], "the other one's tasks")
    is_ok(lib.Caller("worker").call("POST", f"/leases/{tasks[0]['lease']}/complete", {}))
    # Leaving and getting at the same time, over and over; what the one who left had got by then comes to the other.
    for turn in range(10):
        poll = Poll("leaver", lease_time="3 s")
        until(20, "it does not wait", waiting(1))
        leaving = threading.Thread(target=poll.leave)
        leaving.start()
        sql("select orch.trigger('gone')")
        leaving.join()
        end = time.monotonic() + 30
        while sql("select count(*) from orch.runs where workflow = 'gone' and state <> 'succeeded'") != "0":
            for task in worker("stayer", "lease", {"wait": 1, "max_tasks": 10}).json["tasks"]:
                is_ok(lib.Caller("worker").call("POST", f"/leases/{task['lease']}/complete", {}))
            if time.monotonic() > end:
                sys.exit("failed: a task was lost by a poll that was left")
        until(20, "somebody waits still", waiting(0))
    print("as wanted: 10 polls left as their task came, none lost")


def told():
    """A worker that asks for more while it works is told what to give up; who stops is let go."""
    is_ok(worker("busy", "start", {"queues": ["told"], "handlers": ["noop"]}))
    run = sql("select orch.trigger('told')")
    held = worker("busy", "lease", {"wait": 20}).json["tasks"][0]["lease"]
    is_ok(lib.Caller("worker").call("POST", f"/leases/{held}/log", {"lines": [{"stream": "stdout", "line": "one"}]}))
    is_([x["status"] for x in worker("busy", "heartbeat", {"details": {held: {"at": 1}}}).json["leases"]], ["ok"], "a heartbeat")
    poll = Poll("busy")
    until(20, "it does not wait", waiting(1))
    sql(f"select orch.cancel('{run}')")
    is_(poll.answer()["cancel"], [held], "what to give up")
    is_(lib.Caller("worker").call("POST", f"/leases/{held}/fail", {"error": {"class": "cancelled", "message": "stopped"}}).status, 204, "given up")
    is_(lib.Caller("worker").call("POST", f"/leases/{held}/complete", {}).status, 409, "settled otherwise")
    answer = worker("busy", "exchange", {"results": [{"lease": held, "output": 1}], "wait": 0}).json
    is_([x["lease"] for x in answer["refused"]], [held], "a result that is refused")
    sql("select orch.trigger('told')")
    held = worker("busy", "exchange", {"wait": 20}).json["tasks"][0]["lease"]
    is_(worker("busy", "release", {"leases": [held]}).json["refused"], [], "given back")
    is_(len(worker("busy", "lease", {"wait": 20}).json["tasks"]), 1, "and had again")
    is_(worker("busy", "stop").json["released"], 1, "what it held when it stopped")
    for who, status in (("viewer", 403), ("operator", 403), ("nobody", 401)):
        is_(lib.Caller(who).call("POST", "/workers/x/lease", {}).status, status, "a lease as " + who)
    is_(lib.Caller("other_worker").call("POST", "/workers/busy/lease", {"wait": 0}).json["tasks"], [], "another tenant's worker of the same name")
    is_(worker("busy", "lease", {"wait": -1}).status, 422, "a wait below zero")
    print(held, file=open(sys.argv[1] + "/held", "w"))


many(200)
gone()
told()
