"""Large values and hidden ones: what is over the limit lies in object storage and goes by reference; a codec turns all values into bytes of its own."""
from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Protocol

from .errors import Fields, TaskError
from .storage import Store

REFERENCE, CODED = "$orch_ref", "$orch_coded"


class Codec(Protocol):
    """Encryption, say: what it makes of the bytes of a JSON value is all that the database and the storage get to see."""

    name: str

    def encode(self, data: bytes) -> bytes: ...

    def decode(self, data: bytes) -> bytes: ...


class Reference:
    """A value that lies elsewhere; `load` fetches and verifies it."""

    def __init__(self, fields: Fields, payloads: Payloads) -> None:
        self.uri, self.size, self.sha256 = str(fields["uri"]), int(fields["size"]), str(fields["sha256"])
        self._coded, self._payloads = fields.get("codec"), payloads

    def load(self) -> Any:
        if self._payloads.store is None:
            raise TaskError("validation", "no_storage", f"{self.uri} lies in a storage that is not set up here")
        data = self._payloads.store.get(self.uri)
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise TaskError("validation", "payload_differs", f"{self.uri} is not what was stored: it has {len(data)} bytes")
        return self._payloads.plain(data, self._coded)


class Payloads:
    """How values are written and read. `limit` is in bytes of JSON; lazy=True hands over References instead of fetching them."""

    def __init__(self, store: Store | None = None, *, limit: int = 1_000_000, codec: Codec | None = None, lazy: bool = False) -> None:
        self.store, self.limit, self.codec, self.lazy = store, limit, codec, lazy

    @property
    def idle(self) -> bool:
        return self.store is None and self.codec is None

    def encode(self, value: Any) -> Any:
        """The JSON that goes to the database for a value."""
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError) as wrong:
            raise TaskError("validation", "invalid_output", f"the value is no JSON: {wrong}") from wrong
        if value is None or self.idle:
            return value
        data = self.codec.encode(text) if self.codec else text
        if self.store and len(data) > self.limit:
            digest = hashlib.sha256(data).hexdigest()
            named = {"codec": self.codec.name} if self.codec else {}
            return {REFERENCE: {"uri": self.store.put(digest, data), "size": len(data), "sha256": digest} | named}
        return {CODED: {"codec": self.codec.name, "data": base64.b64encode(data).decode()}} if self.codec else value

    def decode(self, value: Any) -> Any:
        """A value as it was before; references and coded values may stand anywhere in it, as templates put them."""
        if isinstance(value, list):
            return [self.decode(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and isinstance(inner := value.get(REFERENCE) or value.get(CODED), dict):
            if REFERENCE in value:
                reference = Reference(inner, self)
                return reference if self.lazy else reference.load()
            return self.plain(base64.b64decode(inner["data"]), inner.get("codec"))
        return {key: self.decode(each) for key, each in value.items()}

    def plain(self, data: bytes, coded: str | None) -> Any:
        if coded is not None:
            if self.codec is None or self.codec.name != coded:
                raise TaskError("validation", "no_codec", f"the value was written by codec {coded}, which is not set up here")
            data = self.codec.decode(data)
        return self.decode(json.loads(data))

    def hide(self, error: Fields) -> Fields:
        """An error as the database may see it: class and code stay, the words are coded."""
        if self.codec is None:
            return error
        words = {key: error[key] for key in ("message", "detail", "traceback") if key in error}
        data = base64.b64encode(self.codec.encode(json.dumps(words).encode())).decode()
        return {key: error[key] for key in error if key not in words} | {"message": "encoded", "detail": {CODED: {"codec": self.codec.name, "data": data}}}

    def show(self, error: Any) -> Any:
        """The error that was hidden."""
        if isinstance(error, dict) and isinstance(error.get("detail"), dict) and CODED in error["detail"]:
            return {key: error[key] for key in error if key != "detail"} | self.decode(error["detail"])
        return error
