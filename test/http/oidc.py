"""Tokens of an issuer as they should be, and as those who attack make them. Ends with 1 where a bridge answers otherwise than it should.

    oidc.py PORT        the issuer's; the bridge `one` was started for it, and for the audience orch, the role claim realm_access.roles, the tenant claim org
"""
import hashlib
import hmac
import json
import sys
import time

import lib
from issuer import Issuer, base64url

issuer = Issuer(int(sys.argv[1]))
failures = []


def me(token, bridge="one"):
    return lib.Caller("nobody", bridge).call("GET", "/me", headers={"authorization": "Bearer " + token})


def want(status, what, token, code=None):
    answer = me(token)
    if answer.status != status or (code and answer.json["code"] != code):
        failures.append(what)
        print(f"not as wanted: {what}: wanted {status} {code or ''}, got {answer!r}", flush=True)
        return None
    if status == 401 and 'error="invalid_token"' not in answer.headers.get("www-authenticate", ""):
        failures.append(what)
        print(f"not as wanted: {what}: {answer.headers}", flush=True)
    print(f"as wanted: {what}: {status}", flush=True)
    return answer.json


for name, kind, bits in (("a", "RSA", 2048), ("e", "EC", 0), ("weak", "RSA", 1024)):
    issuer.add(name, kind, bits)
issuer.add("other", "RSA", use="enc")
attacker = issuer.make("attacker", "RSA")

# An issuer that is away, or calls itself otherwise.
want(503, "an issuer that is away", issuer.token("a"), "issuer_away")
issuer.serve()
end = time.time() + 60
while me(issuer.token("a")).status == 503 and time.time() < end:
    time.sleep(0.2)

# As they should be.
who = want(200, "RS256", issuer.token("a"))
if who:
    who.pop("expires_at")
    if who != {"name": "me@example.org", "kind": "oidc", "role": "operator", "tenant": "default"}:
        failures.append("who it is")
        print(f"not as wanted: {who}", flush=True)
want(200, "ES256", issuer.token("e"))
want(200, "several audiences", issuer.token("a", aud=["else", "orch"]))
want(200, "a tenant", issuer.token("a", org="other"))
want(200, "a role by its whole name", issuer.token("a", realm_access={"roles": "orch_viewer"}))
want(200, "that ended half a minute ago", issuer.token("a", exp=int(time.time()) - 30))
want(200, "that begins in half a minute", issuer.token("a", nbf=int(time.time()) + 30))
strongest = want(200, "several roles", issuer.token("a", realm_access={"roles": ["viewer", "admin", "worker"]}))
if strongest and strongest["role"] != "admin":
    failures.append("several roles")

# A new key is looked for, once a minute at most.
issuer.add("b", "RSA")
want(200, "by a new key", issuer.token("b"))
fetches = issuer.fetches
for n in range(20):
    me(issuer.token("attacker", header={"kid": f"new-{n}"}))
if issuer.fetches != fetches:
    failures.append("fetches")
    print(f"not as wanted: the keys were fetched {issuer.fetches} times", flush=True)

# Well known, and nobody here.
want(403, "without a role", issuer.token("a", realm_access=None), "no_role")
want(403, "with a role of somebody else's", issuer.token("a", realm_access={"roles": ["superuser", "engine", "orch_engine", "postgres"]}), "no_role")
want(403, "with a role that is no text", issuer.token("a", realm_access={"roles": {"admin": True}}), "no_role")
want(403, "without a tenant", issuer.token("a", org=None), "no_tenant")
want(403, "of all tenants", issuer.token("a", org="*"), "no_tenant")
want(403, "of several tenants", issuer.token("a", org=["default", "other"]), "no_tenant")

# Claims.
for what, changes in {
    "that ended two minutes ago": {"exp": int(time.time()) - 120},
    "without an end": {"exp": None},
    "whose end is a text": {"exp": "2999-01-01"},
    "whose end is endless": {"exp": 1e300},
    "that begins in two minutes": {"nbf": int(time.time()) + 120},
    "that is from the future": {"iat": int(time.time()) + 600},
    "for somebody else": {"aud": "else"},
    "for nobody": {"aud": None},
    "for a prefix": {"aud": "orc"},
    "for an empty list": {"aud": []},
    "of another issuer": {"iss": "https://example.org"},
    "of an issuer almost the same": {"iss": issuer.url + "/"},
    "of no issuer": {"iss": None},
    "without a subject": {"sub": None},
    "with an empty subject": {"sub": ""},
    "with a subject of two lines": {"sub": "me\nadmin"},
    "with a long subject": {"sub": "x" * 256},
    "with a subject that is a number": {"sub": 1},
}.items():
    want(401, what, issuer.token("a", **changes), "invalid_token")

# Signatures.
good = issuer.token("a")
head, body, signature = good.split(".")
admin = base64url(json.dumps(issuer.claims(realm_access={"roles": ["admin"]})).encode())
for algorithm in ("none", "None", "NONE", "nOnE", "", "RS512", "PS256", "ES384", "EdDSA", "HS512", "rs256", None):
    want(401, f"alg {algorithm}", issuer.token("a", header={"alg": algorithm}), "invalid_token")
want(401, "alg none, not signed", issuer.token("a", header={"alg": "none"}, signature=b""), "invalid_token")
want(401, "not signed", head + "." + body + ".", "invalid_token")
want(401, "with other claims", head + "." + admin + "." + signature, "invalid_token")
for secret in (issuer.public_pem("a"), issuer.public_pem("a").strip(), b"", issuer.keys["a"]["n"].encode()):
    want(401, "HS256 by the public key", issuer.token("a", header={"alg": "HS256"}, signature=lambda text, secret=secret: hmac.new(secret, text.encode(), hashlib.sha256).digest()), "invalid_token")
flipped = signature[:40] + ("A" if signature[40] != "A" else "B") + signature[41:]
want(401, "with a changed signature", head + "." + body + "." + flipped, "invalid_token")
want(401, "signed by somebody else", issuer.token("attacker", header={"kid": "a"}), "invalid_token")
want(401, "with a key of its own", issuer.token("attacker", header={"jwk": attacker}), "invalid_token")
want(401, "with a key of its own, by another's name", issuer.token("attacker", header={"kid": "a", "jwk": attacker}), "invalid_token")
want(401, "with keys elsewhere", issuer.token("attacker", header={"kid": "a", "jku": issuer.url + "/mine", "x5u": issuer.url + "/mine"}), "invalid_token")
want(401, "by a weak key", issuer.token("weak"), "invalid_token")
want(401, "by a key for something else", issuer.token("other"), "invalid_token")
want(401, "RS256 by the name of a key for ES256", issuer.token("a", header={"kid": "e"}), "invalid_token")
want(401, "ES256 by the name of a key for RS256", issuer.token("e", header={"kid": "a"}), "invalid_token")
want(401, "ES256 signed with RSA", issuer.token("a", header={"alg": "ES256", "kid": "e"}), "invalid_token")
want(401, "ES256 of nothing but zeros", issuer.token("e", signature=bytes(64)), "invalid_token")
want(401, "ES256 in DER", issuer.token("e", signature=lambda text: issuer.sign("e", text)), "invalid_token")
want(401, "ES256 too short", issuer.token("e", signature=bytes(63)), "invalid_token")
for name in ("../../etc/passwd", "a' or '1'='1", "x" * 5000, 1, {"a": 1}):
    want(401, f"the key {str(name)[:20]!r}", issuer.token("a", header={"kid": name}), "invalid_token")
want(200, "without the name of the only key for ES256", issuer.token("e", header={"kid": None}))
want(401, "without the name of one of two keys", issuer.token("a", header={"kid": None}), "invalid_token")
want(401, "with an extension", issuer.token("a", header={"crit": ["exp"]}), "invalid_token")

# Shapes.
for what, token in {
    "of two parts": head + "." + body,
    "of four parts": good + ".x",
    "of five parts": good + ".x.y",
    "of dots": "..",
    "of dots and text": "a.b.c",
    "with an equals sign": good + "=",
    "in standard base64": head + "." + body + "." + signature.replace("-", "+").replace("_", "/") + "++",
    "whose header is a list": base64url(b"[]") + "." + body + "." + signature,
    "whose claims are a list": issuer.token("a", payload=b"[]"),
    "whose claims are nothing": issuer.token("a", payload=b""),
    "whose claims are no UTF-8": issuer.token("a", payload=b'{"sub":"\xff"}'),
    "with a claim twice": issuer.token("a", payload=json.dumps(issuer.claims())[:-1].encode() + b', "exp": 99999999999}'),
    "very deep": issuer.token("a", payload=b'{"a":' * 1000 + b"1" + b"}" * 1000),
    "with a text of NUL": issuer.token("a", sub="me\0"),
}.items():
    want(401, what, token)

# What it does bears its name.
made = lib.Caller("nobody").call("POST", "/workflows/quick/trigger", {}, {"authorization": "Bearer " + issuer.token("a")})
print(f"triggered: {made.status} {made.json.get('run_id')} signature {signature}", flush=True)
if made.status != 201 or "ratelimit-limit" not in made.headers:
    failures.append("trigger")
    print(f"not as wanted: {made!r} {made.headers}", flush=True)
sys.exit(1 if failures else 0)
