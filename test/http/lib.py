"""Calls to the bridges of a test that sources test/http/lib.sh: addresses and tokens come from its environment."""
import http.client
import json
import os
import urllib.parse

URLS = dict(pair.split("=", 1) for pair in os.environ.get("ORCH_HTTP_URLS", "").split())


def token(who):
    """The token of viewer, operator, worker, admin, other_viewer …"""
    return os.environ["ORCH_TOKEN_" + who]


def quoted(text):
    """A part of a path. What is quoted already stays."""
    return urllib.parse.quote(text, safe="%")


def query(values):
    return urllib.parse.urlencode(values, doseq=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {name.lower(): value for name, value in headers}, body

    @property
    def media_type(self):
        return self.headers.get("content-type", "").split(";")[0].strip()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.media_type} {self.body[:500]!r}"


class Caller:
    """One connection to a bridge, kept open. `call` answers once; `events` yields (id, event, data) of a stream until it ends."""

    def __init__(self, who="operator", bridge="one", timeout=100):
        self.who, self.address = who, urllib.parse.urlsplit(URLS[bridge]).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=timeout)

    def _headers(self, who, body, headers):
        result = {name.lower(): value for name, value in (headers or {}).items()}
        if who and who != "nobody":
            result.setdefault("authorization", "Bearer " + token(who))
        if body is not None:
            result.setdefault("content-type", "application/json")
        return {name: value for name, value in result.items() if value is not None}

    @staticmethod
    def _path(path):
        return path[1:] if path.startswith("//") else "/api/v1" + path

    def call(self, method, path, body=None, headers=None, who=None):
        """A body that is no bytes and no text goes as JSON; a header of None is not sent; a path that begins with // is not below /api/v1."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        for turn in (1, 2):
            try:
                self.connection.request(method, self._path(path), body, self._headers(who or self.who, body, headers))
                response = self.connection.getresponse()
                return Answer(response.status, response.getheaders(), response.read())
            except (http.client.BadStatusLine, ConnectionError):
                # The bridge may close a connection that it has kept for long, or after a refusal.
                self.connection.close()
                if turn == 2:
                    raise

    def announce(self, method, path, headers, who=None):
        """The answer to a request whose body is never sent."""
        self.connection.putrequest(method, self._path(path), skip_accept_encoding=True)
        for name, value in self._headers(who or self.who, None, headers).items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        response = self.connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        self.connection.close()
        return answer

    def events(self, path, last_event_id=None, who=None, headers=None):
        headers = {"accept": "text/event-stream", **({"last-event-id": str(last_event_id)} if last_event_id is not None else {}), **(headers or {})}
        self.connection.request("GET", self._path(path), None, self._headers(who or self.who, None, headers))
        response = self.connection.getresponse()
        if response.status != 200:
            raise RuntimeError(repr(Answer(response.status, response.getheaders(), response.read())))
        found = {}
        for line in response:
            line = line.decode().rstrip("\r\n")
            if not line:
                if "data" in found:
                    yield found.get("id"), found.get("event", "message"), "\n".join(found["data"])
                found = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if name == "data":
                    found.setdefault("data", []).append(value)
                else:
                    found[name] = value

    def close(self):
        self.connection.close()
