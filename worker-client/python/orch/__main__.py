"""python3 -m orch MODULE...: a worker for what the modules declare."""
from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys
import time

from .errors import Error
from .payloads import Payloads
from .storage import S3, Directory, Store
from .worker import Worker


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return json.dumps({"at": f"{at}.{int(record.msecs):03}Z", "level": record.levelname.lower(), "message": record.getMessage()})


def seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next((unit for unit in units if text.endswith(unit) and text[:-len(unit)].replace(".", "", 1).isdigit()), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)


def store_of(url: str) -> Store:
    """A directory, or s3://BUCKET/PREFIX at ORCH_S3_ENDPOINT with the AWS_* variables."""
    if not url.startswith("s3://"):
        return Directory(url.removeprefix("file://"))
    bucket, _, prefix = url[5:].partition("/")
    region = os.environ.get("AWS_REGION", "us-east-1")
    return S3(bucket, endpoint=os.environ.get("ORCH_S3_ENDPOINT", f"https://s3.{region}.amazonaws.com"), region=region, prefix=prefix)


def main() -> None:
    parser = argparse.ArgumentParser(prog="orch-worker", description="A worker for the handlers and workflows that Python modules declare.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="imported; its @orch.task and @orch.workflow functions are served")
    parser.add_argument("--database", default=os.environ.get("ORCH_DATABASE_URL", ""), help="URL of the database (ORCH_DATABASE_URL, else the PG* variables)")
    parser.add_argument("--pooled", action="store_const", const=True, help="behind a pooler in transaction mode: look for work, do not wait in the database")
    parser.add_argument("--name", help="the worker's id, unique among those that live")
    parser.add_argument("--queue", action="append", metavar="NAME", help="may be repeated; default if none is given")
    parser.add_argument("--callable", action="append", default=[], metavar="MODULE", help="a module whose functions `callable` tasks may name; package.* for all below")
    parser.add_argument("--concurrency", type=int, default=8, metavar="N")
    parser.add_argument("--drain", type=seconds, default=30.0, metavar="TIME", help="at SIGTERM: how long running tasks may go on (30s)")
    parser.add_argument("--grace", type=seconds, default=5.0, metavar="TIME", help="between telling a task to stop and killing it (5s)")
    parser.add_argument("--lease", metavar="TIME", help="lease time (orch.default_lease_time)")
    parser.add_argument("--until-idle", type=seconds, metavar="TIME", help="end when there was nothing to do for so long")
    parser.add_argument("--payloads", metavar="URL", help="where large values go: a directory, or s3://BUCKET/PREFIX")
    parser.add_argument("--json-logs", action="store_true")
    given = parser.parse_args()

    handler = logging.StreamHandler()
    handler.setFormatter(Json() if given.json_logs else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.path.insert(0, os.getcwd())
    for module in given.modules:
        importlib.import_module(module)
    payloads = Payloads(store_of(given.payloads)) if given.payloads else None
    worker = Worker(given.database, id=given.name, queues=given.queue or ["default"], callables=given.callable, concurrency=given.concurrency, payloads=payloads,
                    drain=given.drain, grace=given.grace, lease_time=given.lease, until_idle=given.until_idle, pooled=given.pooled)
    try:
        worker.run()
    except Error as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
