"""fuzz.py COUNT SEED: requests made from openapi.yaml and then spoilt, over connections that are kept. Says what came back; fails on a 5xx other than
503, on a refusal that is no problem document, on requests that got no answer at all though they could be read, and on one that hangs.
"""
import collections
import json
import os
import random
import socket
import sys
import time
import urllib.parse

import contract
import lib

count, seed = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
api = contract.Contract()
host, port = urllib.parse.urlsplit(lib.URLS["one"]).netloc.split(":")
# Nothing that ends the tokens this program itself uses.
names = {
    "workflow": ["quick", "waits", "breaks", "nobody"],
    "task": ["first", "only", "x[3]"],
    "name": ["made", "x"],
    "hook": ["pushed"],
    "circuit": ["shop"],
    "worker": ["w1", "w2"],
    "file": ["docs.js", "x"],
}
runs = os.environ.get("ORCH_FUZZ_RUNS", "").split() + ["00000000-0000-7000-8000-000000000000"]
odd = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 1e308, 1e-320, 0.1, "", " ", "\u0000", "x" * 300, "é" * 200, "\U0001f600",
    "'; drop table runs; --", "{{ input.x }}", "../../etc/passwd",
    "NaN", "Infinity", "infinity", "2026-02-30T00:00:00Z", "294277-01-01T00:00:00Z", "1 hour", "-1 s", "99999999 years",
    [], {}, [[]], {"": ""}, {"a": {"b": [1, 2, {"c": None}]}}, list(range(100)),
]  # fmt: skip


def value_of(schema, depth=0):
    schema = api.resolve(schema)
    kind = schema.get("type")
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if isinstance(kind, list):
        kind = chance.choice(kind)
    if depth > 3 or kind is None and "properties" not in schema:
        return chance.choice(odd)
    if kind == "object" or "properties" in schema:
        wanted = schema.get("required", ())
        return {name: value_of(child, depth + 1) for name, child in schema.get("properties", {}).items() if name in wanted or chance.random() < 0.4}
    if kind == "array":
        return [value_of(schema.get("items", {}), depth + 1) for _ in range(chance.randrange(4))]
    if kind == "integer":
        return chance.choice([0, 1, 2, 50, schema.get("minimum", -5), schema.get("maximum", 1000)])
    if kind == "boolean":
        return chance.random() < 0.5
    if schema.get("format") == "uuid":
        return chance.choice(runs)
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    return chance.choice(["quick", "go", "x", "text", "1 hour", "viewer"]) if kind == "string" else None


def definition():
    executor = chance.choice(
        [{"noop": True}, {"sleep": 1}, {"signal": {"name": "go"}}, {"handler": "h"}, {"command": "true"}, {"sql": "select 1"}, chance.choice(odd)]
    )
    task = {**executor, "dependencies": [], "retries": chance.choice(odd)} if isinstance(executor, dict) and chance.random() < 0.3 else executor
    return {"id": f"fuzz-{chance.randrange(50)}", "tasks": {"a": task, "b": {"noop": True, "dependencies": ["a"]}}}


def path_value(parameter):
    if parameter["name"] in names:
        return chance.choice(names[parameter["name"]])
    return str(value_of(parameter["schema"]))


def request():
    """Something that the document describes: [method, target, headers, body]."""
    operation = chance.choice(api.operations)
    target = "/api/v1" + operation.path
    for name, parameter in operation.where("path").items():
        target = target.replace("{" + name + "}", urllib.parse.quote(path_value(parameter), safe=""))
    query = [(name, str(value_of(p["schema"]))) for name, p in operation.where("query").items() if p.get("required") or chance.random() < 0.3]
    if query:
        target += "?" + urllib.parse.urlencode(query)
    headers, body = [
        ["Host", "localhost"],
        ["Authorization", "Bearer " + lib.token(chance.choices(["viewer", "worker", "operator", "admin", "other_operator"], [4, 4, 10, 2, 3])[0])],
    ], b""
    if operation.body:
        media = chance.choice(list(operation.body["content"]))
        headers.append(["Content-Type", media + ("; boundary=x" if media.startswith("multipart") else "")])
        value = definition() if "multipart/form-data" in operation.body["content"] else value_of(operation.body["content"][media]["schema"])
        body = json.dumps(value).encode()
        if media.startswith("multipart"):
            body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n' + body + b"\r\n--x--\r\n"
    for name in operation.where("header"):
        if chance.random() < 0.2:
            headers.append([name, chance.choice(['"1"', "*", "wait=0", "key", '"key"', "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "x"])])
    return [operation.method, target, headers, body]


def spoil_bytes(text):
    text = bytearray(text)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(text) + 1)
        what = chance.randrange(5)
        if what == 0 and text:
            text[at % len(text)] ^= 1 << chance.randrange(8)
        elif what == 1:
            del text[at : at + chance.randrange(1, 20)]
        elif what == 2:
            text[at:at] = bytes([chance.randrange(256)])
        elif what == 3:
            text[at:at] = chance.choice(
                [
                    b"\x00",
                    b"\xff\xfe",
                    b"\xed\xa0\x80",
                    b"%00",
                    b"%c0%af",
                    b"../",
                    b"'",
                    b'"',
                    b"\\u0000",
                    b"\\ud800",
                    b"[" * 300,
                    b"{" * 300,
                    b"9" * 400,
                    b"-",
                    b"1e999999",
                ]
            )
        else:
            text[at:at] = text[at : at + 30]
    return bytes(text)


def spoil_value(value):
    if isinstance(value, dict) and value and chance.random() < 0.7:
        name = chance.choice(list(value))
        what = chance.randrange(4)
        if what == 0:
            return {key: child for key, child in value.items() if key != name}
        if what == 1:
            return {**value, chance.choice(["", "x", "input", "__proto__", "a" * 2000]): chance.choice(odd)}
        return {**value, name: spoil_value(value[name])}
    return chance.choice(odd)


def spoil(method, target, headers, body):
    """The bytes to send, and whether a server has to be able to read them as one request."""
    readable, framing = True, None
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        what = chance.randrange(12)
        if what == 0:
            method = chance.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "get"])
        elif what in (1, 2):
            # No byte that would end the line: what is meant is the path, not the frame.
            spoilt = spoil_bytes(target.encode("latin-1", "replace"))
            target = "/" + bytes(b for b in spoilt if b not in b" \r\n\x00\t").lstrip(b"/").decode("latin-1")
        elif what in (3, 4, 5) and body:
            body = spoil_bytes(body)
        elif what in (6, 7, 8) and body[:1] == b"{":
            try:
                body = json.dumps(spoil_value(json.loads(body))).encode()
            except ValueError:
                pass
        elif what == 9:
            target += ("&" if "?" in target else "?") + urllib.parse.urlencode(
                {chance.choice(["limit", "cursor", "state", "x", "since", ""]): str(chance.choice(odd))}
            )
        elif what == 10:
            header = chance.choice(headers)
            header[1] = chance.choice(
                ["", "x", "a" * 3000, header[1] + ",x", header[1].upper(), "application/json; charset=latin1", "application/yaml", "text/event-stream;q=0"]
            )
        else:
            framing = chance.choice(["chunked", "twice", "short", "garbage", "long line", "old"])
    if framing == "chunked":
        headers.append(["Transfer-Encoding", "chunked"])
        wire = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        if chance.random() < 0.5:
            wire, readable = spoil_bytes(wire), False
    else:
        if body or method in ("POST", "PUT"):
            headers.append(["Content-Length", str(len(body))])
        wire = body
        if framing == "twice":
            headers.append(["Content-Length", str(len(body) + 7)])
            readable = False
        elif framing == "short":
            headers.append(["Content-Length", str(chance.choice([-1, "x", 10**30, len(body) + 5]))])
            readable = False
        elif framing == "garbage":
            headers.append(["X" + chr(chance.choice([0, 1, 32, 58, 127, 200])), "y"])
            readable = False
        elif framing == "long line":
            headers.append(["X-Long", "y" * chance.choice([4000, 9000, 70000])])
            readable = False
    version = "HTTP/1.0" if framing == "old" else "HTTP/1.1"
    head = f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    return head.encode("latin-1", "replace") + wire, readable, method


class Connection:
    def __init__(self):
        self.socket, self.left = None, b""

    def open(self):
        self.socket, self.left = socket.create_connection((host, int(port)), timeout=30), b""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def more(self):
        found = self.socket.recv(65536)
        if not found:
            raise ConnectionError("closed")
        self.left += found

    def exchange(self, wire, method, readable):
        """(status, media type), after which the connection is where it was or is closed."""
        if not self.socket:
            self.open()
        try:
            self.socket.sendall(wire)
            if not readable:
                self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # An answer may be there all the same.
        while b"\r\n\r\n" not in self.left:
            self.more()
        head, self.left = self.left.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        media = headers.get("content-type", "").split(";")[0]
        if media == "text/event-stream" or not readable or headers.get("connection", "").lower() == "close":
            self.close()
        elif method == "HEAD" or status in (204, 304):
            pass
        elif "content-length" in headers:
            length = int(headers["content-length"])
            while len(self.left) < length:
                self.more()
            self.left = self.left[length:]
        else:
            self.close()
        return status, media


def main():
    statuses, faults, refused_to_talk = collections.Counter(), [], 0
    connections = [Connection() for _ in range(4)]
    slowest = (0, 0, b"")
    began = time.monotonic()
    for n in range(count):
        wire, readable, method = spoil(*request())
        connection = chance.choice(connections)
        started = time.monotonic()
        for turn in (1, 2):
            fresh = connection.socket is None
            try:
                status, media = connection.exchange(wire, method, readable)
            except TimeoutError:
                faults.append(f"request {n} hangs: {wire[:400]!r}")
                connection.close()
                break
            except OSError as error:
                connection.close()
                # A kept connection may be closed by the other side at any time; a fresh one may not, for what can be read.
                if fresh and readable:
                    faults.append(f"request {n} got no answer ({error}): {wire[:400]!r}")
                elif not readable:
                    refused_to_talk += 1
                if fresh or not readable:
                    break
                continue
            statuses[status] += 1
            if status >= 500 and status != 503:
                faults.append(f"request {n} got {status}: {wire[:600]!r}")
            elif status >= 400 and media != "application/problem+json" and method != "HEAD":
                faults.append(f"request {n} got {status} as {media!r}: {wire[:300]!r}")
            break
        slowest = max(slowest, (time.monotonic() - started, n, wire))
    took = time.monotonic() - began
    print(
        f"{count} requests of seed {seed} in {took:.1f} s ({count / took:.0f} a second): {dict(sorted(statuses.items()))}, "
        f"{refused_to_talk} unreadable ones closed without an answer"
    )
    print(f"the slowest, of {1000 * slowest[0]:.0f} ms: {slowest[2][:300]!r}")
    for fault in faults[:20]:
        print(fault)
    sys.exit(1 if faults else 0)


main()
