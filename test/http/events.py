"""events.py PART...: what test/e2e/http_events asks of the streams. Bridges `one` and `two` have a keep-alive of two seconds."""
import asyncio
import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import lib

KEEP_ALIVE = 2
PATIENCE = 60


def sql(statement):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement], check=True, capture_output=True, text=True).stdout.strip()


def check(condition, what):
    if not condition:
        raise SystemExit(f"failed: {what}")
    print(f"as wanted: {what}", flush=True)


def positions(after, where="true"):
    return [int(pos) for pos in sql(f"select pos from orch.events_after({after}, 100000) where {where} order by pos").split()]


def position():
    return int(sql("select orch.feed_position()"))


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"failed: waited for {what}")
        time.sleep(0.05)


class RawStream:
    """A stream byte by byte: what lib's reader leaves out (comments, ids without data) matters here."""

    def __init__(self, path, who="viewer", bridge="one", headers=None, buffer=None):
        address = urllib.parse.urlsplit(lib.URLS[bridge])
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address.hostname, address.port))
        authorization = "" if who == "nobody" else f"Authorization: Bearer {lib.token(who)}\r\n"
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.socket.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{authorization}{more}\r\n".encode())
        self.got = bytearray()

    def read_until(self, word):
        looked = 0
        while self.got.find(word, looked) < 0:
            looked = max(len(self.got) - len(word), 0)
            part = self.socket.recv(1 << 20)
            if not part:
                return False
            self.got += part
        return True

    def ids(self):
        lines = self.got.decode().splitlines()
        return [int(line[4:]) for line, after in zip(lines, lines[1:]) if line.startswith("id: ") and after.startswith("event: ")]


def quiet():
    stream = RawStream("/events")
    began = time.monotonic()
    stream.read_until(b": keep-alive\n\n")
    check(stream.got.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Type: text/event-stream\r\n" in stream.got, "a stream of events")
    check(b"retry: 2000\n" in stream.got and b"data:" not in stream.got, "that tells nothing while nothing happens")
    stream.got = bytearray()
    stream.read_until(b": keep-alive\n\n")
    check(time.monotonic() - began > KEEP_ALIVE, "but that it lives, at its time")
    caller = lib.Caller("viewer")
    sse = {"Accept": "text/event-stream"}
    for wanted, path, who, headers in (
        (400, "/events?after=x", "viewer", sse), (400, "/events?after=-1", "viewer", {}), (400, "/events", "viewer", {**sse, "Last-Event-ID": "abc"}),
        (400, "/events?limit=0", "viewer", {}), (400, "/events?limit=501", "viewer", {}), (400, "/events?limit=5", "viewer", sse), (400, "/events?run=abc", "viewer", sse),
        (404, "/events?run=00000000-0000-7000-8000-000000000000", "viewer", sse), (404, "/runs/00000000-0000-7000-8000-000000000000/events", "viewer", {}),
        (400, "/runs/abc/events", "viewer", {}), (403, "/events", "worker", sse), (403, "/events", "worker", {}), (401, "/events", "nobody", sse),
    ):
        answer = caller.call("GET", path, headers=headers, who=who)
        check(answer.status == wanted, f"{wanted} for {path} as {who}")


def streams():
    count = int(os.environ.get("ORCH_STREAMS", "500"))
    before = position()

    async def listen(wanted, opened):
        address = urllib.parse.urlsplit(lib.URLS["one"])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"GET /api/v1/events?after={before} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer {lib.token('viewer')}\r\n\r\n".encode())
        found, last = [], 0
        while line := await reader.readline():
            if line.startswith(b": orch events"):
                opened.append(1)
            if line.startswith(b"id: "):
                last = int(line[4:])
            if line.startswith(b"event: "):
                found.append(last)
            if wanted and last > wanted[-1]:
                break
        writer.close()
        return found

    async def all_of_them():
        wanted, opened = [], []
        readers = [asyncio.create_task(listen(wanted, opened)) for _ in range(count)]
        end = time.monotonic() + PATIENCE
        while len(opened) < count and time.monotonic() < end:
            await asyncio.sleep(0.1)
        check(len(opened) == count, f"{count} streams are open at one bridge")
        asked = "select count(*) from pg_stat_activity where usename = 'bridge' and (query ~ 'await_events' or query ~ 'feed_lines')"
        check(await asyncio.to_thread(sql, asked) == "1", "that follow one session of the database")
        await asyncio.to_thread(sql, "select count(orch.trigger('two')) from generate_series(1, 40)")
        await asyncio.to_thread(until, lambda: sql("select count(*) from orch.runs where state = 'running' and workflow = 'two'") == "0", "the runs")
        wanted.extend(await asyncio.to_thread(positions, before))
        # The next event, or a keep-alive, brings the last position to those who have everything already.
        await asyncio.to_thread(sql, "select orch.trigger('two')")
        return wanted, await asyncio.gather(*(asyncio.wait_for(reader, PATIENCE) for reader in readers))

    wanted, found = asyncio.run(all_of_them())
    wrong = [ids for ids in found if [pos for pos in ids if pos <= wanted[-1]] != wanted]
    check(not wrong, f"each of them tells all of {len(wanted)} events, in their order")
    answer = lib.Caller("viewer").call("GET", "//metrics")
    check(answer.status == 200, "and the bridge answers others")


def filters():
    before = position()
    runs = [sql("select orch.trigger('two')") for _ in range(3)]
    sql("set orch.tenant = 'other'; select orch.trigger('noop')")
    other = position()
    until(lambda: sql("select count(*) from orch.runs where state = 'running' and workflow = 'two'") == "0", "the runs")
    last = positions(before)[-1]

    def told(path, stop, who="viewer", bridge="one"):
        events = []
        for event_id, kind, data in lib.Caller(who, bridge, timeout=PATIENCE).events(path):
            events.append((int(event_id), kind, json.loads(data)))
            if stop(events[-1]):
                return events

    events = told(f"/events?after={before}", lambda e: e[0] == last)
    check([e[0] for e in events] == positions(before), "all of the tenant's own")
    check(all(e[2]["kind"] == e[1] and e[2]["pos"] == e[0] for e in events), "each with its kind and position")
    events = told(f"/runs/{runs[1]}/events", lambda e: e[1] == "run_succeeded")
    check({e[2]["run_id"] for e in events} == {runs[1]} and events[0][1] == "run_triggered", "those of one run, from its first")
    events = told(f"/events?after={before}&run={runs[2].upper()}", lambda e: e[1] == "run_succeeded", bridge="two")
    check({e[2]["run_id"] for e in events} == {runs[2]}, "the same by a parameter")
    events = told(f"/events?after={before}&kind=run_triggered,run_succeeded&workflow=two", lambda e: e[0] >= last or e[1] == "run_succeeded" and e[2]["run_id"] == runs[2])
    check({e[1] for e in events} == {"run_triggered", "run_succeeded"}, "those of some kinds")
    events = told(f"/events?after={before}", lambda e: e[1] == "run_started", who="other_viewer")
    check({e[2]["workflow"] for e in events} == {"noop"} and len(events) == 2, "another tenant sees its own alone")
    check(lib.Caller("other_viewer").call("GET", f"/runs/{runs[0]}/events").status == 404, "and no run of ours")

    caller = lib.Caller("viewer")
    after, items = before, []
    while True:
        page = caller.call("GET", f"/events?after={after}&limit=4").json
        items += page["items"]
        if page["next_after"] == after or not page["items"]:
            break
        check(len(page["items"]) <= 4, "a page")
        after = page["next_after"]
    check([item["pos"] for item in items] == positions(before), "pages come to the same")
    page = caller.call("GET", f"/events?after={before}&kind=run_succeeded&limit=2").json
    check([item["kind"] for item in page["items"]] == ["run_succeeded"] * 2 and page["schema_version"] == 1, "of one kind, as many as were asked for")
    page = caller.call("GET", f"/events?after={page['next_after']}&kind=run_succeeded&limit=2").json
    check(len(page["items"]) == 1, "and the rest")


def memory():
    status = open(f"/proc/{os.environ['ORCH_BRIDGE_PID']}/status").read()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def slow():
    before, used, count = position(), memory(), 1800
    readers = [RawStream(f"/events?after={before}", buffer=4096) for _ in range(2)]
    for reader in readers:
        reader.read_until(b": orch events")
    quick = lib.Caller("viewer", timeout=PATIENCE).events(f"/events?after={before}")
    # More than what the bridge keeps and the sockets take.
    wide = json.dumps({"wide": "x" * 12000})
    told = []
    follower = threading.Thread(target=lambda: told.extend(int(e[0]) for e in itertools.islice(quick, count)), daemon=True)
    follower.start()
    for _ in range(6):
        sql(f"select count(orch.trigger('noop', '{wide}')) from generate_series(1, {count // 12})")
    follower.join(PATIENCE)
    check(len(told) == count, "one who reads gets everything while others do not")
    check(memory() - used < 100_000, "who does not read costs no memory to speak of")
    for reader in readers:
        seen, cuts = [], 0
        while True:
            reader.read_until(f"id: {told[-1]}\n".encode())
            seen += reader.ids()
            if seen[-1:] == told[-1:] or cuts == 5:
                break
            # Cut for being slow: it comes back with what it has seen last.
            cuts += 1
            reader = RawStream("/events", headers={"Last-Event-ID": str(seen[-1] if seen else before)})
        check(seen == told[: len(seen)] and len(seen) >= count - 1, "and gets all of it when it does")


def tickets():
    made = lib.Caller("viewer").call("POST", "/events/ticket")
    check(made.status == 201, "a ticket")
    ticket = made.json["ticket"]
    before = position()
    stream = RawStream(f"/events?ticket={ticket}&after={before}", who="nobody", bridge="two")
    run = sql("select orch.trigger('two')")
    check(stream.read_until(run.encode()), "opens a stream at another bridge")
    check(lib.Caller("nobody").call("GET", f"/events?ticket={ticket}", headers={"Accept": "text/event-stream"}).status == 401, "once")
    check(lib.Caller("nobody").call("GET", "/events?ticket=ticket_0", headers={"Accept": "text/event-stream"}).status == 401, "one that is none does not")
    check(lib.Caller("nobody").call("GET", f"/runs?ticket={ticket}").status in (400, 401, 404), "nor anything else")
    check(lib.Caller("worker").call("POST", "/events/ticket").status == 403, "a worker gets none")


def tokens():
    for name, end in (("leaves", "select orch.revoke_token('leaves')"), ("expires", "select pg_sleep(0)")):
        expires = "now() + interval '6 seconds'" if name == "expires" else "null"
        os.environ[f"ORCH_TOKEN_{name}"] = sql(f"select orch.create_token('{name}', 'viewer', 'default', {expires})")
        stays = RawStream("/events")
        streams_of_it = [RawStream("/events", who=name, bridge=bridge) for bridge in ("one", "two")]
        ticket = lib.Caller(name).call("POST", "/events/ticket").json["ticket"]
        streams_of_it.append(RawStream(f"/events?ticket={ticket}", who="nobody"))
        for stream in streams_of_it:
            stream.read_until(b": orch events")
        sql(end)
        if name == "leaves":
            # A new token of the same name does not keep the streams of the old one.
            sql("select orch.create_token('leaves', 'viewer')")
        began = time.monotonic()
        for stream in streams_of_it:
            check(stream.read_until(b"event: end\n") and stream.read_until(b"\r\n0\r\n\r\n"), "a stream ends with its token")
        # Two keep-alives of a loaded machine, and for the other the life of the token.
        check(time.monotonic() - began < KEEP_ALIVE * 5 + 8, "soon")
        stays.got = bytearray()
        check(stays.read_until(b": keep-alive"), "others stay")


def resume():
    """Follows the feed over whatever bridge is there until an event that is tagged as the last."""
    before = position()
    seen, last, cuts = [], before, 0
    bridges = itertools.cycle(["one", "two"])
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            for event_id, kind, data in lib.Caller("viewer", next(bridges), timeout=20).events("/events", last_event_id=last):
                if kind == "end":
                    break
                seen.append(int(event_id))
                last = event_id
                if kind == "run_triggered" and sql(f"select tags from orch.runs where run_id = '{json.loads(data)['run_id']}'") == '{"last": 1}':
                    wanted = [pos for pos in positions(before) if pos <= seen[-1]]
                    check(seen == wanted, f"{len(seen)} events over {cuts} cuts, none missing and none twice")
                    check(cuts >= 2, "it was cut off")
                    return
        except (OSError, RuntimeError, http.client.HTTPException):
            pass
        cuts += 1
        time.sleep(0.05)
    raise SystemExit("failed: the last event did not come")


for part in sys.argv[1:]:
    globals()[part]()
