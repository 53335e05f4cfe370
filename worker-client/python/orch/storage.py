"""Where large values lie: a directory that all share, or anything that speaks S3."""
from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import urllib.parse
from typing import Protocol

from .errors import TaskError, class_of_status


class Store(Protocol):
    def put(self, digest: str, data: bytes) -> str:
        """Stores the bytes of that SHA-256 and returns their URI."""

    def get(self, uri: str) -> bytes:
        """The bytes of a URI that put has returned."""


def key_of(digest: str) -> str:
    """By day, so that retention is a rule on a prefix: a lifecycle rule of the bucket, or `rm` of a folder."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}/{digest}"


class Directory:
    """A directory of files, on a shared file system where workers are on several machines."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path).resolve()

    def put(self, digest: str, data: bytes) -> str:
        target = self.path / key_of(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.{id(data)}.part")
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return target.as_uri()

    def get(self, uri: str) -> bytes:
        path = pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(uri).path)).resolve()
        if not uri.startswith("file:") or not path.is_relative_to(self.path):
            raise TaskError("validation", "foreign_payload", f"{uri} is not below {self.path}")
        try:
            return path.read_bytes()
        except FileNotFoundError as gone:
            raise TaskError("validation", "payload_gone", f"{uri} is gone") from gone

    def remove_before(self, day: datetime.date) -> int:
        """Retention: removes what was stored before that day, and returns how many values that were."""
        count = 0
        for folder in self.path.iterdir():
            if folder.is_dir() and folder.name < day.isoformat():
                for file in folder.iterdir():
                    file.unlink()
                    count += 1
                folder.rmdir()
        return count


class S3:
    """A bucket of an S3-compatible server, by requests signed with AWS Signature Version 4. Keys come from the arguments or the AWS_* variables."""

    def __init__(self, bucket: str, *, endpoint: str, region: str = "us-east-1", access_key: str | None = None, secret_key: str | None = None, prefix: str = "",
                 timeout: float = 60) -> None:
        self.bucket, self.region, self.prefix, self.timeout = bucket, region, prefix, timeout
        self.endpoint = urllib.parse.urlsplit(endpoint)
        self.access_key = access_key or os.environ["AWS_ACCESS_KEY_ID"]
        self.secret_key = secret_key or os.environ["AWS_SECRET_ACCESS_KEY"]

    def put(self, digest: str, data: bytes) -> str:
        key = self.prefix + key_of(digest)
        self._request("PUT", key, data, digest)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        own = f"s3://{self.bucket}/{self.prefix}"
        if not uri.startswith(own):
            raise TaskError("validation", "foreign_payload", f"{uri} is not below {own}")
        return self._request("GET", uri[len(f"s3://{self.bucket}/"):], b"", hashlib.sha256(b"").hexdigest())

    def _request(self, method: str, key: str, data: bytes, digest: str) -> bytes:
        path = self.endpoint.path.rstrip("/") + "/" + urllib.parse.quote(f"{self.bucket}/{key}")
        at = datetime.datetime.now(datetime.timezone.utc)
        headers = {"host": self.endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}"}
        headers["authorization"] = signature(method, path, headers, self.region, self.access_key, self.secret_key)
        make = http.client.HTTPSConnection if self.endpoint.scheme == "https" else http.client.HTTPConnection
        connection = make(self.endpoint.hostname or "", self.endpoint.port, timeout=self.timeout)
        try:
            connection.request(method, path, data or None, headers)
            answer = connection.getresponse()
            body: bytes = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            raise TaskError("transient", "storage_unreachable", f"{method} {key}: {broken}") from broken
        finally:
            connection.close()
        if answer.status >= 300:
            gone = answer.status == 404 and method == "GET"
            raise TaskError(class_of_status(answer.status), "payload_gone" if gone else f"storage_{answer.status}", f"{method} {key}: HTTP {answer.status}",
                            body[:500].decode(errors="replace"))
        return body


def signature(method: str, path: str, headers: dict[str, str], region: str, access_key: str, secret_key: str, query: str = "", service: str = "s3") -> str:
    """The Authorization header: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = "\n".join([method, path, query, lines, names, headers["x-amz-content-sha256"]])
    day = headers["x-amz-date"][:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()}")
