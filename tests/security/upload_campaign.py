"""What hostile uploads cost the server's process: `python -m tests.security.upload_campaign FOLDER ONE_BY_ONE AT_ONCE`.

A process of its own, as large as the part of a server that takes uploads, since CPU and memory are the
whole process's. Each file of the folder is given twice, as a page does that is drawn again. Prints one JSON
object: milliseconds of CPU for each upload, and the bytes by which the process grew at its peak.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path

from core.datasets.images import keep_upload
from core.errors import InvalidInput
from core.library.loading import add_supernet
from core.settings import settings
from core.store import RunStore

OPTIONS = {"tiny": {"size": 224}}
"""Settings by a file's name."""


def give(data: bytes, name: str, store: RunStore) -> str:
    """The refusal, "" if it was accepted."""
    try:
        if name.endswith(".safetensors"):
            add_supernet(store, "mine", data)
        else:
            keep_upload(data, **OPTIONS.get(Path(name).stem, {}))
    except InvalidInput as error:
        return str(error)
    return ""


def distinct(files: list[Path], n: int) -> list[tuple[bytes, str]]:
    """n uploads; archives of different bytes, for they may end in a comment, and what is known is not read again."""
    found = []
    for number in range(n):
        path = files[number % len(files)]
        data = path.read_bytes()
        if path.suffix == ".zip":
            comment = b"%08d" % number
            data = data[:-2] + len(comment).to_bytes(2, "little") + comment
        found.append((data, path.name))
    return found


def main(folder: Path, n_sequential: int, n_concurrent: int) -> None:
    uploads = distinct(sorted(folder.iterdir()), n_sequential + n_concurrent)
    store = RunStore(settings().database_url, settings().home)
    for name in ("none.zip", "none.safetensors"):
        give(b"no file", name, store)  # what a server has loaded since its first upload
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sequential, said = [], {}
    for data, name in uploads[:n_sequential]:
        began = time.process_time()
        said[name] = give(data, name, store)
        again = time.process_time()
        assert give(data, name, store) == said[name]
        sequential.append({"name": name, "first": again - began, "again": time.process_time() - again})
    began = time.process_time()
    threads = [threading.Thread(target=give, args=(*upload, store)) for upload in uploads[n_sequential:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = {
        "sequential": sequential,
        "concurrent_ms": 1000 * (time.process_time() - began) / max(n_concurrent, 1),
        "grown_bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak),
        "said": said,
        "kept": len(store.list_supernets()),
    }
    store.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
