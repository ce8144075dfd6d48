import io
import unittest
from email.message import Message

from ofruntime.body import open_body
from ofruntime.event import BadRequest


def headers(**fields):
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def chunked(data):
    return open_body(headers(Transfer_Encoding="chunked"), io.BytesIO(data))


class Sized(unittest.TestCase):
    def test_stops_at_its_length(self):
        source = io.BytesIO(b"helloGET /")
        body = open_body(headers(Content_Length="5"), source)
        self.assertEqual((body.read(2), body.read(), body.read(), body.finished), (b"he", b"llo", b"", True))
        self.assertEqual(source.read(), b"GET /")

    def test_says_when_it_ended_early(self):
        with self.assertRaisesRegex(BadRequest, "ended early"):
            open_body(headers(Content_Length="5"), io.BytesIO(b"hel")).read()

    def test_refuses_lengths_that_are_none(self):
        for length in ["-1", "+5", "five", "5,5", "٥", ""]:
            with self.assertRaises(BadRequest, msg=length):
                open_body(headers(Content_Length=length), io.BytesIO())

    def test_refuses_two_lengths(self):
        message = headers(Content_Length="5")
        message["Content-Length"] = "6"
        with self.assertRaises(BadRequest):
            open_body(message, io.BytesIO())


class Chunked(unittest.TestCase):
    def test_reads_across_chunks_and_leaves_the_next_request(self):
        source = io.BytesIO(b"3\r\nabc\r\n4;note=1\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\nGET /")
        body = open_body(headers(Transfer_Encoding="Chunked"), source)
        self.assertEqual((body.read(2), body.read(3), body.read(), body.finished), (b"ab", b"cde", b"fg", True))
        self.assertEqual(source.read(), b"GET /")

    def test_refuses_what_is_not_chunked(self):
        for data in [b"", b"3\r\nab", b"3\r\nabcd\r\n0\r\n\r\n", b"x\r\n", b"-1\r\n", b"0x3\r\nabc\r\n", b"0\r\n", b"9" * 2000]:
            with self.assertRaises(BadRequest, msg=data[:20]):
                chunked(data).read()

    def test_refuses_endless_trailers(self):
        with self.assertRaisesRegex(BadRequest, "trailers"):
            chunked(b"0\r\n" + b"a: b\r\n" * 200 + b"\r\n").read()


class Announcements(unittest.TestCase):
    def test_refuses_a_length_and_chunks_at_once(self):
        with self.assertRaises(BadRequest):
            open_body(headers(Content_Length="5", Transfer_Encoding="chunked"), io.BytesIO())

    def test_refuses_other_encodings(self):
        with self.assertRaises(BadRequest):
            open_body(headers(Transfer_Encoding="gzip, chunked"), io.BytesIO())

    def test_a_sender_who_falls_silent_is_at_fault(self):
        class Silent:
            def read(self, _):
                raise TimeoutError

        with self.assertRaisesRegex(BadRequest, "in time"):
            open_body(headers(Content_Length="5"), Silent()).read()
