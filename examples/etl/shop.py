#!/usr/bin/env python3
"""A web shop for the example: GET /sales/DAY, the first time too busy to answer; POST /totals. Prints its port, then each body that was posted."""
import http.server
import json

SALES = [("north", 120.5), ("south", 310), ("north", 79.5)]


class Shop(http.server.BaseHTTPRequestHandler):
    busy = True

    def answer(self, status, body, **headers):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        day = self.path.rpartition("/")[2]
        if Shop.busy:
            Shop.busy = False
            self.answer(503, {"error": "too busy"}, Retry_After="1")
        else:
            self.answer(200, {"sales": [{"id": n, "day": day, "branch": b, "amount": a} for n, (b, a) in enumerate(SALES)]})

    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.answer(201, {"taken": True})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
print(server.server_port, flush=True)
server.serve_forever()
