"""Where large values lie: a directory that all share, or anything that speaks S3."""
from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import urllib.parse
import uuid
import xml.etree.ElementTree
from typing import TYPE_CHECKING, Iterator, NamedTuple, Protocol

from .errors import TaskError, class_of_status

if TYPE_CHECKING:
    import psycopg

EMPTY = hashlib.sha256(b"").hexdigest()


class Stored(NamedTuple):
    key: str
    uri: str
    modified: datetime.datetime


class Store(Protocol):
    """Reads nothing but what lies in its own place."""

    def put(self, key: str, data: bytes) -> str:
        """Returns the URI."""

    def get(self, uri: str) -> bytes: ...

    def list(self, prefix: str) -> Iterator[Stored]: ...

    def delete(self, key: str) -> None: ...


def utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


class Directory:
    """A directory that all workers and clients see, under one path."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path).resolve()

    def put(self, key: str, data: bytes) -> str:
        target = self.path / key
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{uuid.uuid4()}")
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return target.as_uri()

    def get(self, uri: str) -> bytes:
        path = pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(uri).path)).resolve()
        if not uri.startswith("file:") or not path.is_relative_to(self.path):
            raise TaskError("validation", "foreign_payload", f"{uri} does not lie in this store")
        try:
            return path.read_bytes()
        except FileNotFoundError as gone:
            raise TaskError("validation", "payload_gone", f"{uri} is gone") from gone

    def list(self, prefix: str) -> Iterator[Stored]:
        for path in sorted((self.path / prefix).rglob("*")):
            if path.is_file():
                yield Stored(str(path.relative_to(self.path)), path.as_uri(), utc(path.stat().st_mtime))

    def delete(self, key: str) -> None:
        (self.path / key).unlink(missing_ok=True)


class S3:
    """A bucket of an S3-compatible server, by requests signed with AWS Signature Version 4. Keys come from the arguments or the AWS_* variables."""

    def __init__(self, bucket: str, *, endpoint: str, region: str = "us-east-1", access_key: str | None = None, secret_key: str | None = None, prefix: str = "",
                 timeout: float = 60) -> None:
        self.bucket, self.region, self.prefix, self.timeout = bucket, region, prefix, timeout
        self.endpoint = urllib.parse.urlsplit(endpoint)
        self.access_key = access_key or os.environ["AWS_ACCESS_KEY_ID"]
        self.secret_key = secret_key or os.environ["AWS_SECRET_ACCESS_KEY"]

    def put(self, key: str, data: bytes) -> str:
        self._request("PUT", self.prefix + key, data)
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def get(self, uri: str) -> bytes:
        own = f"s3://{self.bucket}/{self.prefix}"
        if not uri.startswith(own):
            raise TaskError("validation", "foreign_payload", f"{uri} does not lie in this store")
        return self._request("GET", uri[len(f"s3://{self.bucket}/"):])

    def list(self, prefix: str) -> Iterator[Stored]:
        token = ""
        while True:
            query = {"list-type": "2", "prefix": self.prefix + prefix} | ({"continuation-token": token} if token else {})
            answer = xml.etree.ElementTree.fromstring(self._request("GET", "", query=query))
            for found in answer.iterfind("{*}Contents"):
                key = found.findtext("{*}Key") or ""
                yield Stored(key.removeprefix(self.prefix), f"s3://{self.bucket}/{key}", datetime.datetime.fromisoformat(found.findtext("{*}LastModified") or ""))
            token = answer.findtext("{*}NextContinuationToken") or ""
            if not token:
                return

    def delete(self, key: str) -> None:
        self._request("DELETE", self.prefix + key)

    def _request(self, method: str, key: str, data: bytes = b"", query: dict[str, str] | None = None) -> bytes:
        path = self.endpoint.path.rstrip("/") + "/" + urllib.parse.quote(f"{self.bucket}/{key}")
        search = "&".join(f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        at = datetime.datetime.now(datetime.timezone.utc)
        headers = {"host": self.endpoint.netloc, "x-amz-content-sha256": hashlib.sha256(data).hexdigest(), "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}"}
        headers["authorization"] = signature(method, path, headers, self.region, self.access_key, self.secret_key, search)
        make = http.client.HTTPSConnection if self.endpoint.scheme == "https" else http.client.HTTPConnection
        connection = make(self.endpoint.hostname or "", self.endpoint.port, timeout=self.timeout)
        try:
            connection.request(method, f"{path}?{search}" if search else path, data or None, headers)
            answer = connection.getresponse()
            body: bytes = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            raise TaskError("transient", "store_unreachable", f"{method} {key}: {broken}") from broken
        finally:
            connection.close()
        if answer.status >= 300:
            gone = answer.status == 404 and method == "GET"
            raise TaskError(class_of_status(answer.status), "payload_gone" if gone else f"http_{answer.status}", f"{method} {key}: HTTP {answer.status}",
                            body[:500].decode(errors="replace"))
        return body


def signature(method: str, path: str, headers: dict[str, str], region: str, access_key: str, secret_key: str, query: str = "", service: str = "s3") -> str:
    """The Authorization header: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = "\n".join([method, path, query, lines, names, headers.get("x-amz-content-sha256", EMPTY)])
    day = headers["x-amz-date"][:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()}")


def prune(connection: psycopg.Connection[object], store: Store, older_than: datetime.timedelta = datetime.timedelta(days=1)) -> int:
    """Deletes what nobody needs any more: outputs of runs that are gone, and older inputs that no run has. Returns how many values went."""
    before = datetime.datetime.now(datetime.timezone.utc) - older_than
    of_runs = [stored for stored in store.list("runs/") if stored.modified < before]
    inputs = [stored for stored in store.list("inputs/") if stored.modified < before]
    # The store is read before the database: what comes in between is in neither list.
    runs = list({stored.key.split("/")[1] for stored in of_runs})
    kept = {row[0] for row in connection.execute("select run_id::text from orch.runs where run_id::text = any(%s)", [runs])}  # type: ignore[index]
    used = {row[0] for row in connection.execute(  # type: ignore[index]
        "select distinct input #>> '{$orch_ref,uri}' from orch.runs where input #>> '{$orch_ref,uri}' = any(%s)", [[stored.uri for stored in inputs]])}
    gone = [stored for stored in of_runs if stored.key.split("/")[1] not in kept] + [stored for stored in inputs if stored.uri not in used]
    for stored in gone:
        store.delete(stored.key)
    return len(gone)
