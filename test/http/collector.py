"""collector.py PORT FILE [refuse-first]: takes OTLP spans, a line of FILE each; POST /echo answers with the headers that came."""
import http.server
import json
import sys

refusals = [503, 429, 503] if sys.argv[3:] == ["refuse-first"] else []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, answer = 200, b"{}"
        if self.path == "/echo":
            answer = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        elif self.path != "/v1/traces" or self.headers["x-secret"] != "a b" or self.headers["content-type"] != "application/json":
            status = 400
        elif refusals:
            status = refusals.pop()
        else:
            with open(sys.argv[2], "a") as out:
                for resource in json.loads(body)["resourceSpans"]:
                    names = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
                    for scope in resource["scopeSpans"]:
                        for span in scope["spans"]:
                            print(json.dumps({"service": names["service.name"], **span}), file=out, flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
