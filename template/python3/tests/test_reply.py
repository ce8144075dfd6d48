import io
import unittest

from ofruntime.reply import Reply


class Results(unittest.TestCase):
    def test_kinds_of_bodies(self):
        for value, body, kind in [
            (None, b"", None),
            ("hé", "hé".encode(), "text/plain; charset=utf-8"),
            (b"\0", b"\0", "application/octet-stream"),
            ({"a": 1}, b'{"a": 1}', "application/json"),
            ({}, b"{}", "application/json"),
            ([1], b"[1]", "application/json"),
        ]:
            for result in (value, {"body": value}):
                reply = Reply.of(result)
                self.assertEqual((reply.status, reply.body), (200, body), result)
                self.assertEqual(dict(reply.headers).get("Content-Type"), kind, result)

    def test_status_and_headers_are_the_handlers(self):
        headers = {"content-type": "text/html", "Set-Cookie": ["a=1", "b=2"], "Content-Length": "999"}
        reply = Reply.of({"statusCode": 201, "headers": headers, "body": "x"})
        self.assertEqual(reply.status, 201)
        self.assertEqual(reply.headers, [("content-type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])

    def test_a_header_cannot_start_another(self):
        for name, value in [("X", "a\r\nSet-Cookie: b"), ("X\n", "a"), ("X:", "a"), ("", "a")]:
            with self.assertRaises(ValueError):
                Reply.of({"headers": {name: value}})

    def test_refuses_what_http_does_not_know(self):
        for status in [99, 101, 600, "many"]:
            with self.assertRaises(ValueError):
                Reply.of({"statusCode": status})
        with self.assertRaises(TypeError):
            Reply.of({"body": object()})

    def test_streams_files_and_iterators_and_closes_them(self):
        file = io.BytesIO(b"x" * 100_000)
        reply = Reply.of({"body": file})
        self.assertTrue(reply.streams)
        self.assertEqual(b"".join(reply.body), b"x" * 100_000)
        self.assertTrue(file.closed)

        closed = []

        def numbers():
            try:
                yield "1"
                yield b"2"
            finally:
                closed.append(True)

        reply = Reply.of(numbers())
        self.assertEqual(next(reply.body), b"1")
        reply.close()
        self.assertEqual(closed, [True])
