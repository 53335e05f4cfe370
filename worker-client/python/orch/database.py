"""The URL of the database: what libpq does not know of it, what it leaves out, and how to wait where a pooler stands between."""
from __future__ import annotations

import random
import re
from typing import Any, Iterator

from psycopg import conninfo

from .errors import Error

SETTING = re.compile(r"\s*([^=\s]+)\s*=\s*('(?:\\.|[^'\\])*'|(?:\\.|[^\s\\])*)")
POOLER = ("a pooler stands before the server: where it gives connections away between transactions, say so (pooled=1 in the URL), "
          "or each worker that waits holds one of its connections to the server; pooled=0 says that it does not")


def pooled_of(database: str) -> tuple[str, bool | None]:
    """The URL or "k=v" text without its `pooled`, and what that says: whether what a session keeps may be gone after each transaction."""
    found: list[str] = []

    def taken(setting: str, name: str, value: str) -> str:
        if name != "pooled":
            return setting
        found.append(value.strip("'"))
        return ""

    if re.match(r"postgres(ql)?://", database):
        address, _, query = database.partition("?")
        query = "&".join(filter(None, (taken(setting, *setting.partition("=")[::2]) for setting in query.split("&"))))
        database = address + ("?" + query if query else "")
    else:
        database = SETTING.sub(lambda setting: taken(setting[0], setting[1], setting[2]), database)
    if set(found) - {"0", "1"}:
        raise Error("22023", f'pooled is 1 or 0, not "{found[-1]}"')
    return database, found[-1] == "1" if found else None


def with_defaults(database: str) -> str:
    """Of several hosts the one that takes writes, and no waiting for ever for one that is gone."""
    given = conninfo.conninfo_to_dict(pooled_of(database)[0])
    return conninfo.make_conninfo(**{"connect_timeout": "10", "target_session_attrs": "read-write", "client_encoding": "utf8", **given})


def connect(kind: Any, database: str, pooled: bool | None) -> Any:
    """One of psycopg's connections. It names the statements that it sees often, and the next server connection behind a pooler would not know them."""
    return kind.connect(with_defaults(database), **({"prepare_threshold": None} if pooled else {}))


def pauses(longest: float = 2.0) -> Iterator[float]:
    """Between looks, where nothing can be waited in: from 0.1 s on, at random, longer and longer."""
    pause = 0.1
    while True:
        yield pause * random.uniform(1, 2)
        pause = min(pause * 2, longest / 2)
