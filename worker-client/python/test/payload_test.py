"""Large values: references, verification, retention; in a directory, and on a server that speaks S3 where node has one."""
import asyncio
import datetime
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import orch
from orch.storage import signature

ROOT = pathlib.Path(__file__).parents[3]


class PayloadTest(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.store = orch.Directory(self.place)

    def test_small_values_stay_where_they_are(self):
        payloads = orch.Payloads(self.store, limit=100)
        for value in (None, 1, "x", {"a": [1, {"b": None}]}):
            self.assertEqual(payloads.encode(value), value)
            self.assertEqual(payloads.decode(value), value)

    def test_a_large_value_goes_by_reference_and_is_verified(self):
        payloads = orch.Payloads(self.store, limit=100)
        kept = payloads.encode(["ü" * 100], "runs/one")
        self.assertEqual(kept["$orch_ref"]["size"], 204)
        self.assertEqual(payloads.decode({"nested": [kept]}), {"nested": [["ü" * 100]]})
        lazy = orch.Payloads(self.store, lazy=True).decode(kept)
        self.assertEqual((lazy.size, lazy.load(), payloads.encode(lazy)), (204, ["ü" * 100], kept))
        [stored] = self.store.list("runs/")
        (self.place / stored.key).write_bytes(b"[" + b" " * 202 + b"]")
        with self.assertRaisesRegex(orch.TaskError, "payload_damaged"):
            payloads.decode(kept)
        self.store.delete(stored.key)
        with self.assertRaisesRegex(orch.TaskError, "payload_gone"):
            payloads.decode(kept)

    def test_a_reference_out_of_the_store_is_not_followed(self):
        outside = pathlib.Path(self.enterContext(tempfile.NamedTemporaryFile()).name)
        for uri in (outside.as_uri(), f"{self.place.as_uri()}/../{outside.name}", "s3://other/key", "http://localhost/"):
            with self.assertRaisesRegex(orch.TaskError, "foreign_payload"):
                orch.Payloads(self.store).decode({"$orch_ref": {"uri": uri, "size": 1, "sha256": ""}})

    def test_what_is_no_json_is_a_validation_error(self):
        for value in ({1, 2}, float("nan"), object()):
            with self.assertRaises(orch.TaskError) as raised:
                orch.Payloads().encode(value)
            self.assertEqual((raised.exception.class_, raised.exception.code), ("validation", "invalid_output"))

    def test_the_signature_is_that_of_the_published_example(self):
        # "GET Object" of the S3 API reference, Signature Calculations for the Authorization Header.
        headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9", "x-amz-date": "20130524T000000Z",
                   "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
        signed = signature("GET", "/test.txt", headers, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        self.assertTrue(signed.endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"), signed)

    def test_a_bucket_does_the_same(self):
        s3rver = ROOT / "worker-client/typescript/node_modules/.bin/s3rver"
        if not s3rver.exists() or not shutil.which("node"):
            self.skipTest("npm's s3rver is not here")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen([str(s3rver), "-d", str(self.place), "-a", "127.0.0.1", "-p", str(port), "--configure-bucket", "payloads"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        store = orch.S3("payloads", endpoint=f"http://127.0.0.1:{port}", access_key="S3RVER", secret_key="S3RVER", prefix="orch/")
        payloads = orch.Payloads(store, limit=100)
        kept = payloads.encode("x" * 2_000_000, "runs/a b")
        self.assertEqual(payloads.decode(kept), "x" * 2_000_000)
        self.assertEqual(asyncio.run(payloads.decoded([kept])), ["x" * 2_000_000])
        [stored] = store.list("runs/")
        self.assertEqual(stored.uri, kept["$orch_ref"]["uri"])
        self.assertLess(abs(stored.modified - datetime.datetime.now(datetime.timezone.utc)), datetime.timedelta(minutes=5))
        store.delete(stored.key)
        with self.assertRaisesRegex(orch.TaskError, "payload_gone"):
            payloads.decode(kept)
        wrong = orch.S3("payloads", endpoint=f"http://127.0.0.1:{port}", access_key="nobody", secret_key="other")
        with self.assertRaisesRegex(orch.TaskError, "403"):
            wrong.put("x", b"x")


if __name__ == "__main__":
    unittest.main()
