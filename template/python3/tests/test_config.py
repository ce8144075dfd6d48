import unittest

from ofruntime.config import Config, ConfigError, seconds


class Durations(unittest.TestCase):
    def test_reads_what_go_writes(self):
        for text, expected in {"10s": 10, "1m30s": 90, "500ms": 0.5, "1.5h": 5400, "7": 7, "0s": 0}.items():
            self.assertAlmostEqual(seconds(text), expected, msg=text)

    def test_refuses_anything_else(self):
        for text in ["", "s", "10 s", "10x", "x10s", "-1s", "1s1", "١s", "١"]:
            with self.assertRaises(ValueError, msg=text):
                seconds(text)


class Settings(unittest.TestCase):
    def test_defaults(self):
        config = Config.read({"exec_timeout": ""})
        self.assertEqual((config.port, config.exec_timeout, config.max_inflight, config.tmp), (8080, 30, 0, "/tmp"))

    def test_reports_every_bad_value_by_name(self):
        with self.assertRaises(ConfigError) as caught:
            Config.read({"port": "70000", "exec_timeout": "soon", "max_inflight": "-1", "suppress_lock": "maybe"})
        names = [problem.split(":")[0] for problem in caught.exception.problems]
        self.assertEqual(names, ["port", "exec_timeout", "max_inflight", "suppress_lock"])
