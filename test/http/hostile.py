"""Clients of ill will against the bridge of test/e2e/http_hostile: what each is told, and that the bridge is none the worse for it.
The bridge has short times and small limits."""
import json
import os
import re
import socket
import sys
import time
import urllib.parse

import lib

ADDRESS = urllib.parse.urlsplit(lib.URLS["one"])
BEARER = "Authorization: Bearer " + lib.token("admin") + "\r\n"
PID = os.environ["BRIDGE_PID"]
HEADER_TIME, IDLE_TIME, MOST = float(os.environ["HEADER_TIME"]), float(os.environ["IDLE_TIME"]), int(os.environ["MOST"])
PATIENCE = 60
TRIGGER = "/api/v1/workflows/etl/trigger"
JSON = "Content-Type: application/json\r\n"
CHUNKED = JSON + "Transfer-Encoding: chunked\r\n"


def connect():
    return socket.create_connection((ADDRESS.hostname, ADDRESS.port), timeout=PATIENCE)


def read_to_end(client):
    got = b""
    try:
        while piece := client.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def raw(request):
    """Sends bytes as they are, and reads until the bridge hangs up."""
    with connect() as client:
        try:
            client.sendall(request.encode() if isinstance(request, str) else request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_to_end(client)


def ask(line, headers="", body=b""):
    if isinstance(line, str):
        line = line.encode()
    return raw(line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + (BEARER + headers).encode() + b"\r\n" + body)


def post(path, body, headers=JSON):
    body = body if isinstance(body, bytes) else body.encode()
    return ask(f"POST {path}", headers + f"Content-Length: {len(body)}\r\n", body)


def announced(path, length, headers=""):
    """What a body is told that is never sent."""
    with connect() as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{JSON}{headers}{BEARER}\r\n".encode())
        return read_to_end(client)


def problem(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def is_(got, wanted, what):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, wanted {wanted!r}")
    print(f"as wanted: {what} = {got}")


def refused(answer, status, what, code=None):
    is_(statuses(answer), [status], what)
    if code:
        is_(problem(answer)["code"], code, what)


def lives():
    with connect() as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return statuses(read_to_end(client)) == [200]


def memory():
    """Resident memory of the bridge in MiB."""
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def slow():
    began = time.monotonic()
    with connect() as client:
        answer = b""
        client.settimeout(0.1)
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 1000:
            try:
                client.sendall(bytes([byte]))
                answer = client.recv(65536)
                break
            except TimeoutError:
                assert time.monotonic() < began + PATIENCE, "a header may take for ever"
            except (BrokenPipeError, ConnectionResetError):
                break
    refused(answer, 408, "a header that comes byte by byte", "header_timeout")
    assert time.monotonic() - began >= HEADER_TIME * 0.9, "before its time"
    refused(announced("/api/v1/workflows/validate", 100), 408, "a body that does not come", "body_timeout")
    with connect() as client:
        is_(read_to_end(client), b"", "what one is told who says nothing at all")


def large():
    refused(ask("GET /health", "X-Large: " + "a" * 20000 + "\r\n"), 431, "a header of 20 kB", "header_too_large")
    refused(ask("GET /health", "".join(f"X-{n}: a\r\n" for n in range(5000))), 431, "5,000 headers", "header_too_large")
    refused(ask("GET /" + "a" * 20000), 431, "a path of 20 kB", "header_too_large")
    refused(announced(TRIGGER, 1048577, "Expect: 100-continue\r\n"), 413, "a body that is announced as larger than 1 MiB, before any of it", "body_too_large")
    refused(announced("/api/v1/workflows", 99999999999999), 413, "a body of 100 TB", "body_too_large")
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    refused(ask("POST " + TRIGGER, CHUNKED, chunk * 20 + b"0\r\n\r\n"), 413, "chunks of more than 1 MiB",
            "body_too_large")
    refused(raw(f"POST /api/v1/workflows HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 10000000\r\n\r\n"), 401, "a large body of nobody's, before any of it")


def bodies():
    deep = "[" * 100000
    refused(post(TRIGGER, '{"input": ' + deep), 400, "100,000 levels of JSON", "json_too_deep")
    refused(post("/api/v1/workflows", '{"id": "deep", "tasks": ' + deep), 422, "a definition of 100,000 levels", "OR001")
    refused(post("/api/v1/workflows", "- " * 100000, "Content-Type: application/yaml\r\n"), 400, "YAML of 100,000 levels", "yaml_invalid")
    bomb = "a: &a [" + "x," * 50 + "]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [" + f"*{chr(97 + n)}," * 50 + "]\n" for n in range(8))
    refused(post("/api/v1/workflows", bomb, "Content-Type: application/yaml\r\n"), 400, "YAML that grows when it is read", "yaml_invalid")
    refused(post(TRIGGER, b'{"input": "\xff\xfe"}'), 400, "a body that is no UTF-8", "json_encoding")
    refused(post(TRIGGER, b'{"input": "a\x00b"}'), 400, "a byte 0 in a body", "json_nul")
    refused(post(TRIGGER, '{"input": "a\\u0000b"}'), 400, "an escaped U+0000", "json_nul")
    refused(post(TRIGGER, '{"input": "\\ud800"}'), 400, "half of a surrogate pair", "json_encoding")
    refused(post(TRIGGER, '{"input": 1, "input": 2}'), 400, "a key that stands twice", "json_duplicate_key")
    refused(post(TRIGGER, '{"input": 1e999999999}'), 400, "a number beyond all numbers", "json_number_out_of_range")
    refused(post(TRIGGER, "{"), 400, "half of a body", "json_syntax")
    refused(post(TRIGGER, "[]"), 422, "a body that is no object", "body_invalid")
    refused(post(TRIGGER, '{"inptu": 1}'), 422, "a key that nobody knows", "body_invalid")
    refused(post(TRIGGER, "input=1", "Content-Type: application/x-www-form-urlencoded\r\n"), 415, "a form", "media_type")
    refused(post(TRIGGER, b"\x1f\x8b", JSON + "Content-Encoding: gzip\r\n"), 415, "a compressed body", "content_encoding")
    refused(ask("GET /api/v1/workflows", JSON + "Content-Length: 2\r\n", b"{}"), 415, "a body where none is read", "body_not_wanted")
    form = "Content-Type: multipart/form-data; boundary=b\r\n"
    for body, what in ((b"", "an empty form"), (b"--b", "half of a boundary"), (b"--b\r\n", "a part without an end"),
                       (b"--b\r\nContent-Disposition: form-data\r\n\r\n{}", "no last boundary"),
                       (b"--b--\r\n", "a form of nothing"), (b"--b\r\nnonsense\r\n\r\n{}\r\n--b--\r\n", "a header without a colon")):
        is_(statuses(post("/api/v1/workflows", body, form)), [400], what)
    refused(post("/api/v1/workflows", b"x", "Content-Type: multipart/form-data\r\n"), 400, "a form without a boundary", "form_invalid")
    refused(post("/api/v1/workflows", b"--b\r\n\r\n\r\n" * 300 + b"--b--", form), 400, "a form of 300 parts", "form_invalid")


def paths():
    for path in ("/api/v1/../health", "/api/v1/%2e%2e/health", "/api/v1/./workflows", "/api/v1/workflows/%00", "/api/v1/workflows/%zz", "/api/v1/workflows/%",
                 "/api/v1/workflows/%c0%af", "/api/v1/workflows/a%0d%0aX-Injected:1", "/api/v1/workflows?limit=%ff"):
        refused(ask("GET " + path), 400, path, "bad_target")
    refused(ask(b"GET /api/v1/workflows/\xff\xfe"), 400, "bytes in a path that are no UTF-8")
    for path in ("//api/v1/workflows", "/api//v1/workflows", "/api/v1/workflows/", "/api/v1", "/api/v2/workflows", "/workflows", "/API/v1/workflows",
                 "/api/v1/workflows//versions", "/api/v1%2fworkflows", "/..%2fhealth"):
        refused(ask("GET " + path), 404, path, "unknown_path")
    refused(ask("GET /api/v1/workflows/..%2f..%2fhealth"), 404, "a name of dots and encoded slashes is a name", "OR002")
    is_(problem(ask("GET /api/v1/workflows/team%2Fetl"))["workflow"], "team/etl", "an encoded slash in a name")
    is_(statuses(ask("GET http://elsewhere.example/health")), [200], "a target with scheme and host")
    refused(ask("GET /api/v1/workflows?limt=1"), 400, "a parameter that nobody knows", "unknown_parameter")
    refused(ask("GET /api/v1/workflows?limit=1&limit=2"), 400, "a parameter given twice", "repeated_parameter")
    for value in ("0", "501", "-1", "x", "", "99999999999999999999", "1.5"):
        refused(ask("GET /api/v1/workflows?limit=" + value), 400, "limit=" + value, "bad_parameter")
    for value in ("x", "%22", "MQ", "MTph%00", "A" * 3000):
        is_(statuses(ask("GET /api/v1/runs?cursor=" + value)), [400], "a cursor of our own making")
    refused(ask("GET /api/v1/runs?state=bogus"), 400, "a state that there is not", "bad_parameter")
    refused(ask("GET /api/v1/runs?since=yesterdayish"), 400, "a time that is none", "22007")
    refused(ask("GET /api/v1/runs/1"), 400, "an id that is none", "22P02")


def protocol():
    three = f"GET /api/v1/workflows?limit=1 HTTP/1.1\r\n{BEARER}\r\nGET /health HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n"
    is_(statuses(raw(three)), [200, 200, 404], "three requests in one write")
    head = raw("HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    is_((statuses(head), head.endswith(b"\r\n\r\n"), b"\r\nContent-Length: " in head), ([200], True, True), "HEAD, and nothing after the header")
    for method, allow in (("DELETE", b"GET, HEAD, POST, OPTIONS"), ("BREW", b"GET, HEAD, POST, OPTIONS"), ("TRACE", b"GET, HEAD, POST, OPTIONS")):
        answer = ask(method + " /api/v1/workflows")
        refused(answer, 405, method)
        is_(b"\r\nAllow: " + allow + b"\r\n" in answer, True, "Allow for " + method)
    is_(b"\r\nAllow: GET, HEAD, POST, OPTIONS\r\n" in raw("OPTIONS /api/v1/workflows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), True, "OPTIONS")
    is_(statuses(raw("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), [204], "OPTIONS *")
    for request, status, what in (
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS to a port that does not speak it"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2"),
            (b"GET /health HTTP/3.7\r\n\r\n", 505, "a version that there is not"),
            (b"GET  /health HTTP/1.1\r\n\r\n", 400, "two spaces"),
            (b"\x00\x01\x02\x03\r\n\r\n", 400, "noise"),
            (b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n", 400, "a space before the colon"),
            (b"GET /health HTTP/1.1\r\nBad\x01Name: x\r\n\r\n", 400, "a control character in a header's name"),
            (b"POST /health HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "a negative length"),
            (b"POST /health HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400, "a length that is no number"),
            (b"POST /health HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "two lengths"),
            (b"POST /health HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "a length beside chunks"),
            (b"POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, "chunks beside a length")):
        is_(statuses(raw(request)), [status], what)
    refused(ask("POST " + TRIGGER, CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n"), 400, "a chunk of no size", "body_incomplete")
    refused(ask("POST " + TRIGGER, JSON + "Expect: a miracle\r\nContent-Length: 2\r\n", b"{}"), 417, "an expectation that cannot be met")
    answer = raw("GET /api/v1/me HTTP/1.0\r\nX-Request-Id: one\r\n\r\n")
    is_(statuses(answer), [401], "HTTP/1.0")
    is_(b"\r\nX-Request-Id: one\r\n" in answer, True, "the caller's request id")
    is_(b"X-Request-Id: <script>" in raw("GET /health HTTP/1.0\r\nX-Request-Id: <script>\r\n\r\n"), False, "a request id that is none")
    for name in (b"X-Content-Type-Options: nosniff", b"X-Frame-Options: DENY", b"Content-Security-Policy: default-src 'none'", b"Cache-Control: no-store",
                 b"Referrer-Policy: no-referrer"):
        is_(name in answer, True, name.decode())
    foreign = raw("GET /health HTTP/1.1\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n")
    is_(b"Access-Control" in foreign, False, "anything said to a foreign origin")


def many():
    clients = []
    for _ in range(MOST):
        clients.append(connect())
    time.sleep(0.2)
    refused(raw("GET /health HTTP/1.1\r\n\r\n"), 503, "one more than may be here")
    # Those that do nothing are sent away, and then there is room.
    for client in clients:
        is_idle_closed = read_to_end(client) == b""
        assert is_idle_closed, "an idle connection was told something"
        client.close()
    is_(lives(), True, f"whether it lives after {MOST} idle connections")


before = memory()
for attack in (slow, large, bodies, paths, protocol, many):
    attack()
    is_(lives(), True, f"whether it lives after {attack.__name__}")
print(f"memory: {before:.0f} MiB, now {memory():.0f} MiB")
# A definition of 32 MiB may be in memory a few times over, and the allocator keeps what it had.
assert memory() < before + 300, "it has grown without bound"
