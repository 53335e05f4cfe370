"""Large values and hidden ones: what is over the limit lies in object storage and goes by reference; a codec makes of each value one of its own."""
from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, Protocol

from .errors import Fields, TaskError
from .storage import Store

REFERENCE, CODED = "$orch_ref", "$orch_codec"
INPUTS = "inputs"


class Codec(Protocol):
    """Encryption, say: the JSON that it makes of a value is all that the database and the storage get to see."""

    def encode(self, value: Any) -> Any: ...

    def decode(self, value: Any) -> Any: ...


class Reference:
    """A value that lies elsewhere; `load` fetches and verifies it."""

    def __init__(self, fields: Fields, payloads: Payloads) -> None:
        self.uri, self.size, self.sha256 = str(fields["uri"]), int(fields["size"]), str(fields["sha256"])
        self._payloads = payloads

    def load(self) -> Any:
        if self._payloads.store is None:
            raise TaskError("validation", "no_store", f"{self.uri} lies in a store that is not set up here")
        data = self._payloads.store.get(self.uri)
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise TaskError("validation", "payload_damaged", f"{self.uri} is not what was stored: {len(data)} bytes of {self.size}, or another hash")
        return self._payloads.decode(json.loads(data))


class Payloads:
    """How values are written and read. `limit` is in bytes of JSON; lazy=True hands over References instead of what they refer to."""

    def __init__(self, store: Store | None = None, *, limit: int = 1_000_000, codec: Codec | None = None, lazy: bool = False) -> None:
        self.store, self.limit, self.codec, self.lazy = store, limit, codec, lazy

    @property
    def idle(self) -> bool:
        return self.store is None and self.codec is None

    def encode(self, value: Any, place: str = INPUTS) -> Any:
        """The JSON that goes to the database for a value; `place` is where a large one lies in the store: runs/ID or inputs."""
        if isinstance(value, Reference):
            return {REFERENCE: {"uri": value.uri, "size": value.size, "sha256": value.sha256}}
        kept = {CODED: self.codec.encode(value)} if self.codec else value
        try:
            data = json.dumps(kept, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError) as wrong:
            raise TaskError("validation", "invalid_output", f"the value is no JSON: {wrong}") from wrong
        if self.store is None or len(data) <= self.limit:
            return kept
        digest = hashlib.sha256(data).hexdigest()
        return {REFERENCE: {"uri": self.store.put(f"{place}/{digest}.json", data), "size": len(data), "sha256": digest}}

    def decode(self, value: Any) -> Any:
        """A value as it was before; references and coded values may stand anywhere in it, as templates put them."""
        if self.idle:
            return value
        if isinstance(value, list):
            return [self.decode(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and isinstance(inner := value.get(REFERENCE), dict):
            reference = Reference(inner, self)
            return reference if self.lazy else reference.load()
        if len(value) == 1 and CODED in value and self.codec:
            return self.codec.decode(value[CODED])
        return {key: self.decode(each) for key, each in value.items()}

    async def encoded(self, value: Any, place: str) -> Any:
        """encode, beside the loop where a store or a codec may take its time."""
        return self.encode(value, place) if self.idle else await asyncio.to_thread(self.encode, value, place)

    async def decoded(self, value: Any) -> Any:
        return value if self.idle else await asyncio.to_thread(self.decode, value)

    def hide(self, error: Fields) -> Fields:
        """An error as the database may see it: class and code stay, since retries go by them; the words are coded."""
        if self.codec is None:
            return error
        words = {key: error.get(key) for key in ("message", "detail", "traceback")}
        return {key: error[key] for key in error if key not in words} | {"message": "encoded", "detail": {CODED: self.codec.encode(words)}}

    def show(self, error: Any) -> Any:
        """The error that was hidden."""
        if self.codec and isinstance(error, dict) and isinstance(error.get("detail"), dict) and CODED in error["detail"]:
            return error | self.codec.decode(error["detail"][CODED])
        return error
