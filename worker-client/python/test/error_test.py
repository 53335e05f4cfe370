"""Each exception has its class: one table for engine and clients."""
import asyncio
import email.message
import io
import subprocess
import unittest
import urllib.error

import psycopg.errors

import orch
from orch.errors import describe, failure
from orch.worker import Worker


def http(status, **headers):
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", status, "said no", message, io.BytesIO())


class ErrorTest(unittest.TestCase):
    def test_classes_are_those_of_the_table(self):
        for raised, class_, code in (
            (ValueError("x"), "handler", "ValueError"), (orch.TaskError("resource", "full", "full"), "resource", "full"),
            (psycopg.errors.UniqueViolation(), "validation", "23505"), (psycopg.errors.SerializationFailure(), "transient", "40001"),
            (psycopg.errors.LockNotAvailable(), "transient", "55P03"), (psycopg.errors.DiskFull(), "transient", "53100"), (psycopg.OperationalError(), "transient", "08006"),
            (psycopg.errors.RaiseException(), "unknown", "P0001"), (http(404), "validation", "http_404"), (http(503), "transient", "http_503"),
            (http(429), "resource", "http_429"), (subprocess.CalledProcessError(3, "x"), "handler", "exit_code"),
            (subprocess.CalledProcessError(-9, "x"), "infrastructure", "signal"), (asyncio.CancelledError(), "cancelled", "cancelled"),
        ):
            found = describe(raised)
            self.assertEqual((found["class"], found["code"]), (class_, code))
        self.assertEqual(describe(subprocess.CalledProcessError(3, "x"))["exit_code"], 3)
        self.assertEqual(describe(http(503, Retry_After="7"))["retry_after_seconds"], 7)

    def test_a_traceback_leads_to_the_line(self):
        try:
            int("x")
        except ValueError as raised:
            self.assertIn('int("x")', describe(raised)["traceback"])

    def test_what_a_handler_says_of_itself(self):
        self.assertEqual(failure(orch.Skip("holiday")), {"skip": "holiday"})
        self.assertEqual(failure(orch.Skip()), {"skip": True})
        said = failure(orch.TaskError("handler", "later", "later", retry=False, retry_after=5))
        self.assertEqual((said["retry"], said["error"]["retry_after_seconds"]), (False, 5))

    def test_declarations_are_checked(self):
        tasks = orch.Registry()
        tasks.task()(test := lambda task, input: None)
        with self.assertRaisesRegex(ValueError, "two handlers"):
            tasks.task("<lambda>")(test)
        with self.assertRaisesRegex(ValueError, "hold up the whole worker"):
            tasks.task("plain", isolate=False)(test)
        with self.assertRaisesRegex(ValueError, "no async function"):
            tasks.workflow("plain")(test)

    def test_a_database_that_cannot_be_reached_is_said(self):
        with self.assertRaises(orch.Error) as refused:
            Worker("host=/nowhere", tasks=orch.Registry(), start_timeout=0).run()
        self.assertEqual((refused.exception.code, refused.exception.retryable, refused.exception.poisons_connection), ("08001", True, True))


if __name__ == "__main__":
    unittest.main()
