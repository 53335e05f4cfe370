"""An OpenID Connect issuer for tests: discovery and keys over HTTP, tokens signed by the openssl command.

    issuer = Issuer(port); issuer.serve(); issuer.add("a", "RSA"); issuer.token("a", sub="me", …)
"""
import base64
import http.server
import json
import subprocess
import tempfile
import threading
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def raw_signature(der):
    """r and s of 32 bytes each, from SEQUENCE {INTEGER r, INTEGER s}."""
    parts, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        parts.append(der[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0"))
        at += 2 + length
    return b"".join(parts)


class Issuer:
    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.keys, self.files, self.fetches, self.calls_itself = {}, {}, 0, self.url
        self.folder = tempfile.mkdtemp()

    def serve(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answers = {"/.well-known/openid-configuration": {"issuer": issuer.calls_itself, "jwks_uri": issuer.url + "/keys"}, "/keys": {"keys": list(issuer.keys.values())}}
                issuer.fetches += self.path == "/keys"
                body = json.dumps(answers.get(self.path)).encode()
                self.send_response(200 if self.path in answers else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def make(self, name, kind, bits=2048):
        """A key that the issuer does not publish; its JWK."""
        path = self.files[name] = f"{self.folder}/{name}.pem"
        if kind == "RSA":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", path)
            modulus = bytes.fromhex(openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1])
            return {"kty": "RSA", "kid": name, "n": base64url(modulus), "e": "AQAB"}
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        point = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-64:]
        return {"kty": "EC", "kid": name, "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}

    def add(self, name, kind, bits=2048, **more):
        self.keys[name] = {**self.make(name, kind, bits), "use": "sig", **more}

    def public_pem(self, name):
        return openssl("pkey", "-in", self.files[name], "-pubout")

    def sign(self, name, text):
        return openssl("dgst", "-sha256", "-sign", self.files[name], data=text.encode())

    def claims(self, **changes):
        now = time.time()
        claims = {"iss": self.url, "aud": "orch", "sub": "me@example.org", "iat": int(now), "exp": int(now) + 600, "realm_access": {"roles": ["offline", "operator"]}, "org": "default"}
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key, header=None, payload=None, signature=None, **changes):
        """Signed with that key, by what it is. `header` changes that, `payload` and `signature` (bytes, or a function of what is signed) replace theirs."""
        kind = "ES256" if "EC PRIVATE" in open(self.files[key], encoding="ascii").read() or self.is_ec(key) else "RS256"
        head = {"typ": "JWT", "alg": kind, "kid": key, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        body = payload if payload is not None else json.dumps(self.claims(**changes)).encode()
        text = base64url(json.dumps(head).encode()) + "." + base64url(body)
        if callable(signature):
            signature = signature(text)
        if signature is None:
            signature = self.sign(key, text)
            if kind == "ES256":
                signature = raw_signature(signature)
        return text + "." + base64url(signature)

    def is_ec(self, key):
        return b"P-256" in openssl("pkey", "-in", self.files[key], "-noout", "-text")
