import json
import os
import threading
import time
import unittest

from tests.served import DEADLINE, eventually, served


def echo(event, context):
    return {
        "statusCode": 201,
        "headers": {"X-Seen": event.headers.get("x-forwarded-for", "")},
        "body": {
            "method": event.method,
            "path": event.path,
            "query": event.query,
            "all": event.query.all("a"),
            "body": event.body.decode(),
            "call_id": context.call_id,
        },
    }


class Requests(unittest.TestCase):
    def test_reach_the_handler_as_they_were_sent(self):
        with served(echo) as function:
            response = function.request(
                "PATCH", "/a%20b?a=1&a=2&b=", "hi", {"X-Call-Id": "c1", "X-Forwarded-For": "192.0.2.7"}
            )
        self.assertEqual(response.status, 201)
        self.assertEqual(response.headers["X-Seen"], "192.0.2.7")
        self.assertGreaterEqual(float(response.headers["X-Duration-Seconds"]), 0)
        seen = {"method": "PATCH", "path": "/a b", "query": {"a": "1", "b": ""}, "all": ["1", "2"]}
        self.assertEqual(json.loads(response.content), seen | {"body": "hi", "call_id": "c1"})

    def test_are_logged_as_json_with_their_call_id(self):
        with served(echo) as function:
            function.request("POST", "/x?secret=1", "hi", {"X-Call-Id": "c1"})
            function.request("GET", "/", headers={"User-Agent": "kube-probe/1.30"})
            function.request("GET", "/_/health")
            eventually(lambda: "request" in function.log.getvalue())
            lines = [json.loads(line) for line in function.log.getvalue().splitlines()]
        requests = [line for line in lines if "status" in line]
        self.assertEqual([(line["uri"], line["status"], line["call_id"]) for line in requests], [("/x", 201, "c1")])

    def test_share_a_connection(self):
        with served(lambda event, _: "x" * len(event.path)) as function:
            connection = function.connect()
            for path in ["/", "/abc", "/de"]:
                connection.request("POST", path, b"nobody reads this")
                self.assertEqual(connection.getresponse().read(), b"x" * len(path))
            connection.close()

    def test_may_come_in_chunks(self):
        with served(lambda event, _: event.body[::-1]) as function:
            response = function.request("POST", "/", iter([b"abc", b"de"]), encode_chunked=True)
        self.assertEqual(response.content, b"edcba")

    def test_stream_while_they_arrive(self):
        first = threading.Event()

        def handle(event, _):
            start = event.stream.read(3)
            first.set()
            return start + b"|" + event.stream.read()

        def pieces():
            yield b"abc"
            self.assertTrue(first.wait(DEADLINE))
            yield b"def"

        with served(handle) as function:
            response = function.request("POST", "/", pieces(), encode_chunked=True)
        self.assertEqual(response.content, b"abc|def")

    def test_larger_than_allowed_are_refused(self):
        with served(lambda event, _: event.body, max_body_bytes="4") as function:
            self.assertEqual(function.request("POST", "/", b"1234").status, 200)
            self.assertEqual(function.request("POST", "/", b"12345").status, 413)
            self.assertEqual(function.request("POST", "/", iter([b"12345"]), encode_chunked=True).status, 413)

    def test_that_could_hide_another_are_refused(self):
        with served(echo) as function:
            hidden = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
            answer = function.raw(hidden)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "))
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)

    def test_with_too_many_parameters_are_refused(self):
        with served(echo) as function:
            self.assertEqual(function.request("GET", "/?" + "a=1&" * 2000).status, 400)


class Replies(unittest.TestCase):
    def test_stream_piece_by_piece(self):
        go_on = threading.Event()

        def handle(*_):
            def pieces():
                yield "one"
                assert go_on.wait(DEADLINE)
                yield "two"

            return {"body": pieces(), "headers": {"Content-Type": "text/event-stream"}}

        with served(handle) as function:
            connection = function.connect()
            connection.request("GET", "/")
            response = connection.getresponse()
            self.assertEqual(response.read(3), b"one")
            go_on.set()
            self.assertEqual(response.read(), b"two")
            connection.close()

    def test_to_head_and_204_have_no_body(self):
        with served(lambda event, _: {"statusCode": int(event.path[1:]), "body": "abc"}) as function:
            answers = function.raw(b"HEAD /200 HTTP/1.1\r\n\r\nGET /204 HTTP/1.1\r\n\r\n")
        first, second = answers.split(b"\r\n\r\n")[:2]
        self.assertIn(b"Content-Length: 3", first)
        self.assertTrue(second.startswith(b"HTTP/1.1 204") and b"Content-Length" not in second, second)

    def test_to_http_1_0_end_with_the_connection(self):
        with served(lambda *_: iter(["a", "b"])) as function:
            answer = function.raw(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\nab"))
        self.assertNotIn(b"chunked", answer)

    def test_of_a_handler_that_fails_tell_nothing_but_the_log_does(self):
        def handle(event, _):
            if event.path == "/exit":
                raise SystemExit(3)
            raise RuntimeError("the password is hunter2")

        with served(handle) as function:
            for path in ["/", "/exit", "/"]:
                response = function.request("GET", path)
                self.assertEqual((response.status, response.headers["X-OpenFaaS-Internal"]), (500, "python3"))
                self.assertNotIn(b"hunter2", response.content)
            self.assertIn("hunter2", function.log.getvalue())

    def test_that_fail_halfway_are_not_ended_properly(self):
        def handle(*_):
            yield "half"
            raise RuntimeError("halfway")

        with served(handle) as function:
            answer = function.raw(b"GET / HTTP/1.1\r\n\r\n")
            eventually(lambda: "halfway" in function.log.getvalue())
        self.assertIn(b"half", answer)
        self.assertFalse(answer.endswith(b"0\r\n\r\n"))


class Limits(unittest.TestCase):
    def test_max_inflight_answers_429(self):
        entered, leave = threading.Event(), threading.Event()

        def handle(*_):
            entered.set()
            leave.wait(DEADLINE)

        with served(handle, max_inflight="1") as function:
            self.assertEqual(function.request(path="/_/ready").status, 200)
            first = threading.Thread(target=function.request)
            first.start()
            self.assertTrue(entered.wait(DEADLINE))
            refused = function.request("POST", "/", b"x")
            self.assertEqual((refused.status, refused.headers["X-OpenFaaS-Internal"]), (429, "python3"))
            self.assertEqual(function.request(path="/_/ready").status, 429)
            self.assertEqual(function.request(path="/_/health").status, 200)
            leave.set()
            first.join()
            eventually(lambda: function.request(path="/_/ready").status == 200)

    def test_exec_timeout_answers_504_and_keeps_the_place_taken(self):
        leave = threading.Event()
        with served(lambda *_: leave.wait(DEADLINE), exec_timeout="50ms", max_inflight="1") as function:
            late = function.request()
            self.assertEqual((late.status, late.headers["X-OpenFaaS-Internal"]), (504, "python3"))
            self.assertEqual(function.request().status, 429)
            leave.set()
            eventually(lambda: function.request(path="/_/ready").status == 200)

    def test_a_caller_may_ask_for_less_time_only(self):
        leave = threading.Event()
        with served(lambda *_: leave.wait(DEADLINE), exec_timeout="60ms") as function:
            started = time.monotonic()
            self.assertEqual(function.request(headers={"X-Timeout": "1h"}).status, 504)
            self.assertLess(time.monotonic() - started, DEADLINE / 2)
            leave.set()
            self.assertEqual(function.request(headers={"X-Timeout": "soon"}).status, 400)

    def test_a_stream_that_takes_too_long_is_cut(self):
        leave = threading.Event()

        def handle(*_):
            yield "start"
            leave.wait(DEADLINE)
            yield "end"

        with served(handle, exec_timeout="100ms") as function:
            answer = function.raw(b"GET / HTTP/1.1\r\n\r\n")
            leave.set()
        self.assertIn(b"start", answer)
        self.assertNotIn(b"0\r\n\r\n", answer.split(b"start")[1])


class Health(unittest.TestCase):
    def test_follows_the_lock_file_and_takes_get_only(self):
        with served(echo) as function:
            self.assertEqual(function.request(path="/_/health").status, 200)
            self.assertEqual(function.request("POST", "/_/health", b"x").status, 405)
            os.remove(os.path.join(function.service.config.tmp, ".lock"))
            self.assertEqual(function.request(path="/_/health").status, 503)
