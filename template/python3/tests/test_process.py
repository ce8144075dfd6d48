import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from tests.served import DEADLINE

TEMPLATE = Path(__file__).parent.parent
SLOW = """
import sys
def handle(event, context):
    if event.path == "/slow":
        sys.stdout.write("entered\\n")
        sys.stdout.flush()
        event.stream.read()
    return context.secret("api-key")
"""


class Process(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        shutil.copy(TEMPLATE / "index.py", self.folder)
        shutil.copytree(TEMPLATE / "ofruntime", self.folder / "ofruntime")
        for name in ["function", "secrets", "tmp"]:
            (self.folder / name).mkdir()
        (self.folder / "secrets" / "api-key").write_text("s3cret\n", encoding="utf-8")

    def begin(self, handler=SLOW, **settings):
        (self.folder / "function" / "handler.py").write_text(handler, encoding="utf-8")
        env = {"port": "0", "TMPDIR": str(self.folder / "tmp"), "secret_mount_path": str(self.folder / "secrets")}
        process = subprocess.Popen(
            [sys.executable, "index.py"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **env, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def port(self, process):
        line = json.loads(process.stderr.readline())
        self.assertEqual(line["message"], "serving")
        return line["port"]

    def test_starts_fast_and_stops_at_once_when_idle(self):
        process = self.begin()
        idle = http.client.HTTPConnection("127.0.0.1", self.port(process), timeout=DEADLINE)
        idle.request("GET", "/")
        self.assertEqual(idle.getresponse().read(), b"s3cret")
        self.assertTrue((self.folder / "tmp" / ".lock").exists())
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(DEADLINE), 0)
        self.assertLess(time.monotonic() - started, 1)
        self.assertFalse((self.folder / "tmp" / ".lock").exists())
        idle.close()

    def test_finishes_what_it_began(self):
        process = self.begin()
        connection = http.client.HTTPConnection("127.0.0.1", self.port(process), timeout=DEADLINE)
        go_on, answers = threading.Event(), []

        def body():
            yield b"a"
            go_on.wait(DEADLINE)

        def request():
            connection.request("POST", "/slow", body(), encode_chunked=True)
            response = connection.getresponse()
            answers.append((response.status, response.read(), response.headers["Connection"]))

        caller = threading.Thread(target=request)
        caller.start()
        self.assertEqual(process.stdout.readline(), "entered\n")
        process.send_signal(signal.SIGTERM)
        while (self.folder / "tmp" / ".lock").exists():
            time.sleep(0.005)
        self.assertIsNone(process.poll())
        go_on.set()
        caller.join()
        self.assertEqual(answers, [(200, b"s3cret", "close")])
        self.assertEqual(process.wait(DEADLINE), 0)
        connection.close()

    def test_says_every_wrong_setting(self):
        process = self.begin(exec_timeout="soon", max_inflight="lots")
        self.assertEqual(process.wait(DEADLINE), 1)
        problems = json.loads(process.stderr.read())["problems"]
        self.assertEqual([problem.split(":")[0] for problem in problems], ["exec_timeout", "max_inflight"])

    def test_says_what_is_wrong_with_the_handler(self):
        process = self.begin(handler="import nothing_by_this_name\n")
        self.assertEqual(process.wait(DEADLINE), 1)
        line = json.loads(process.stderr.read())
        self.assertIn("handler.py", line["message"])
        self.assertIn("nothing_by_this_name", line["exception"])
