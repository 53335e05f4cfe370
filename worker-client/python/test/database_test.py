"""The database's URL, and the pauses behind a pooler."""
import itertools
import unittest

import orch
from orch.database import pauses, pooled_of, with_defaults


class DatabaseTest(unittest.TestCase):
    def test_pooled_is_taken_out_of_a_url(self):
        self.assertEqual(pooled_of("postgresql://u:p@h/d?pooled=1&application_name=a%26b"), ("postgresql://u:p@h/d?application_name=a%26b", True))
        self.assertEqual(pooled_of("postgres://h/d?host=/tmp&pooled=0"), ("postgres://h/d?host=/tmp", False))
        self.assertEqual(pooled_of("postgresql:///d?pooled=1"), ("postgresql:///d", True))

    def test_pooled_is_taken_out_of_settings(self):
        self.assertEqual(pooled_of("host=/tmp pooled = '1' password='a pooled=0 \\' b' dbname=d"), ("host=/tmp password='a pooled=0 \\' b' dbname=d", True))
        self.assertIn("connect_timeout=10", with_defaults("pooled=1"))

    def test_all_else_is_left_as_it_is(self):
        for text in ("", "host=a,b port=1,2", "postgresql://a:1,b:2/d?target_session_attrs=any"):
            self.assertEqual(pooled_of(text), (text, None))

    def test_what_is_neither_is_refused(self):
        with self.assertRaises(orch.Error):
            pooled_of("postgresql:///d?pooled=yes")

    def test_pauses_grow_from_100_ms_to_2_s(self):
        for pause, least in zip(itertools.islice(pauses(), 6), (0.1, 0.2, 0.4, 0.8, 1.0, 1.0)):
            self.assertTrue(least <= pause <= 2 * least, pause)


if __name__ == "__main__":
    unittest.main()
