#!/usr/bin/python3
"""Runs the unittest modules that are named and writes TAP: a line a test, what failed behind it."""
import logging
import os
import pathlib
import sys
import time
import unittest

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent)]
logging.getLogger("asyncio").setLevel(logging.ERROR)  # on a busy machine every callback is slow
suite, wanted = "python", os.environ.get("ORCH_TEST", "")


class Tap(unittest.TestResult):
    def name(self, test):
        return f"{suite}: {getattr(test, '_testMethodName', str(test))}"

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def addSuccess(self, test):
        print(f"ok - {self.name(test)} ({time.monotonic() - self.began:.1f} s)", flush=True)

    def addSkip(self, test, reason):
        print(f"ok - {self.name(test)} # SKIP {reason}", flush=True)

    def fail(self, test, err):
        print(f"not ok - {self.name(test)}")
        print("# " + self._exc_info_to_string(err, test).rstrip().replace("\n", "\n# "), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fail(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.fail(test, err)


def each(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


found = [test for test in each(unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])) if wanted in f"{suite}: {test.id()}"]
result = Tap()
unittest.TestSuite(found).run(result)
sys.exit(0 if result.wasSuccessful() else 1)
