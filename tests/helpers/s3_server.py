"""A small S3 on this machine, for what only a real conversation shows: it keeps objects in memory and can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

import pytest

Fault = Callable[[str, str], "int | str | None"]
"""(method, key) -> a status to answer with; "lose" (say yes, keep nothing), "hang up", "half", "other"; None for as it should be."""


class SmallS3:
    """One bucket, named `files`."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.fault: Fault = lambda method, key: None
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def environment(self) -> dict[str, str]:
        """What a process finds in its environment to speak to it."""
        return {
            "PARETOSCOPE_FILES_URL": "s3://files/lab",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "here",
            "AWS_ACCESS_KEY_ID": "key-of-tests",
            "AWS_SECRET_ACCESS_KEY": "never-to-be-shown",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def small_s3() -> Iterator[SmallS3]:
    """One for a test, named by the environment."""
    server = SmallS3()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        try:
            yield server
        finally:
            server.close()


def _handler(s3: SmallS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer is one packet

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", headers.get("size", str(len(body))))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _handle(self) -> None:
            parsed = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parsed.query, keep_blank_values=True))
            key = urllib.parse.unquote(parsed.path).removeprefix("/files").lstrip("/")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with s3.lock:
                s3.asked.append((self.command, key))
            fault = s3.fault(self.command, key)
            if isinstance(fault, int):
                return self._answer(fault, b"<Error><Code>Refused</Code></Error>")
            if fault == "hang up":
                self.close_connection = True
                self.connection.close()
                return None
            with s3.lock:
                getattr(self, f"_{self.command.lower()}")(key, query, body, fault)
            return None

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _handle

        def _get(self, key: str, query: dict[str, str], body: bytes, fault: object) -> None:
            if not key:
                return self._list(query)
            if key not in s3.objects:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            data, modified = s3.objects[key]
            if fault == "other":
                data = bytes([data[0] ^ 1]) + data[1:]
            shown = data[: len(data) // 2] if fault == "half" else data
            when = modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
            self._answer(200, shown, ETag=f'"{hashlib.md5(data).hexdigest()}"', Last_Modified=when)
            return None

        _head = _get

        def _put(self, key: str, query: dict[str, str], body: bytes, fault: object) -> None:
            source = self.headers.get("x-amz-copy-source")
            if source is not None:
                found = s3.objects.get(urllib.parse.unquote(source).removeprefix("/").removeprefix("files/"))
                if found is None:
                    return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                body = found[0]
            if self.headers.get("If-None-Match") == "*" and key in s3.objects:
                return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            etag = f'"{hashlib.md5(body).hexdigest()}"'
            if "uploadId" in query:
                s3.parts[query["uploadId"]][int(query["partNumber"])] = body
            elif fault != "lose":
                s3.objects[key] = (body, datetime.now(UTC))
            copied = b"<CopyObjectResult><ETag>x</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></CopyObjectResult>"
            self._answer(200, copied if source else b"", ETag=etag)
            return None

        def _delete(self, key: str, query: dict[str, str], body: bytes, fault: object) -> None:
            s3.objects.pop(key, None)
            self._answer(204)

        def _post(self, key: str, query: dict[str, str], body: bytes, fault: object) -> None:
            if "delete" in query:
                names = re.findall(r"<Key>(.*?)</Key>", body.decode())
                for name in names:
                    s3.objects.pop(name, None)
                    s3.asked.append(("DELETE", name))
                done = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
                return self._answer(200, f"<DeleteResult>{done}</DeleteResult>".encode())
            if "uploads" in query:
                upload = f"u{len(s3.parts)}"
                s3.parts[upload] = {}
                return self._answer(
                    200,
                    f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode(),
                )
            parts = s3.parts.pop(query["uploadId"])
            if fault != "lose":
                s3.objects[key] = (b"".join(parts[n] for n in sorted(parts)), datetime.now(UTC))
            return self._answer(
                200, b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
            )

        def _list(self, query: dict[str, str]) -> None:
            prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
            entries, folders = [], set()
            for key, (data, modified) in sorted(s3.objects.items()):
                if not key.startswith(prefix):
                    continue
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                    continue
                when = modified.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                entries.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{when}</LastModified><ETag>x</ETag>"
                    f"<Size>{len(data)}</Size></Contents>"
                )
            common = [
                f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)
            ]
            self._answer(200, f"<ListBucketResult>{''.join(entries + common)}</ListBucketResult>".encode())

    return Handler
