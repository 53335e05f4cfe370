"""A receiver of notifications, for tests: receiver.py DIRECTORY SECRET. Checks each signature as Standard Webhooks has it, and does what the file `mode` says: an HTTP status, or `hang`."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

directory, secret = sys.argv[1:]
key = base64.b64decode(secret.removeprefix("whsec_"))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = {name.lower(): value for name, value in self.headers.items()}
        signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
        right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        mode = open(directory + "/mode").read().strip()
        event = json.loads(body)
        said = {"id": head["webhook-id"], "valid": right in head["webhook-signature"].split(), "media": head["content-type"], "path": self.path, "mode": mode, "event": event}
        with open(directory + "/received", "a") as log:
            log.write(json.dumps(said) + "\n")
        if mode == "hang":
            time.sleep(60)
        self.send_response(204 if mode == "hang" else int(mode))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
with open(directory + "/port.new", "w") as port:
    port.write(str(server.server_port))
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
