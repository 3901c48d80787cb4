"""A real one: fetch a folder of pictures from a web site, and make a thumbnail of each and a contact sheet of all.

::

    python distributed_queue/examples/thumbnails.py
    python distributed_queue/examples/thumbnails.py --pictures 60 --output gallery

The pictures are drawn on the spot and served by a small web site in this process, slow and not quite reliable, as web
sites are. Fetching waits for the network, so its worker has many slots. Making thumbnails keeps a processor busy, and
Pillow lets other threads run meanwhile, so that worker has one slot per processor. The tasks of the second kind are
submitted by those of the first.

What one will see: fetches that failed and were tried again, how long it all took, and where the contact sheet is.
"""

from __future__ import annotations

import argparse
import http.server
import itertools
import logging
import os
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import Backoff, HybridQueue, RetryPolicy, Task, WorkerConfig, WorkerPool, current_task
from distributed_queue.examples.landscapes import draw_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

FETCH, SHRINK = "example-fetch", "example-shrink"
THUMBNAIL_SIZE = (240, 180)


class Gallery:
    """The two handlers, and the folder that they work in."""

    def __init__(self, queue: HybridQueue, folder: Path) -> None:
        self.queue = queue
        self.folder = folder

    def fetch(self, url: str) -> str:
        """Fetch a picture and submit the task that shrinks it; the result is that task's id."""
        picture = self.folder / "fetched" / url.rpartition("/")[2]
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own site
            picture.write_bytes(answer.read())
        # A task runs at least once. Its child's id is made of its own, so that the child is stored once all the same.
        shrink = Task(
            priority=100,
            payload={"type": "shrink", "data": str(picture)},
            task_id=f"shrink-{current_task().task_id}",
            queue=SHRINK,
        )
        self.queue.put(shrink)
        return shrink.task_id

    def shrink(self, picture: str) -> str:
        """Make a thumbnail; the result is its path."""
        target = self.folder / "thumbnails" / Path(picture).name
        with Image.open(picture) as image:
            image.thumbnail(THUMBNAIL_SIZE, Image.Resampling.LANCZOS)
            image.save(target, quality=90)
        return str(target)


class UnreliableSite(http.server.SimpleHTTPRequestHandler):
    """Serves files, after a while, and every ninth time not at all."""

    requests = itertools.count(1)

    def do_GET(self) -> None:
        """Answer a request."""
        time.sleep(0.05)
        if next(self.requests) % 9 == 0:
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@contextmanager
def web_site(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port; gives the address."""
    os.environ.setdefault("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(UnreliableSite, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def contact_sheet(thumbnails: list[str], columns: int = 6, gap: int = 16, caption: int = 24) -> Image.Image:
    """Arrange thumbnails with their names on one page."""
    width, height = THUMBNAIL_SIZE
    rows = -(-len(thumbnails) // columns)
    page = (columns * (width + gap) + gap, rows * (height + caption + gap) + gap)
    sheet = Image.new("RGB", page, (24, 26, 30))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for index, path in enumerate(sorted(thumbnails)):
        row, column = divmod(index, columns)
        x, y = gap + column * (width + gap), gap + row * (height + caption + gap)
        with Image.open(path) as thumbnail:
            sheet.paste(thumbnail, (x, y))
        draw.text((x + width / 2, y + height + caption / 2), Path(path).stem, (190, 195, 205), font, anchor="mm")
    return sheet


def work(queue: HybridQueue, folder: Path, urls: list[str]) -> list[str]:
    """Fetch and shrink what is at the URLs; the paths of the thumbnails."""
    gallery = Gallery(queue, folder)
    pool = WorkerPool(queue)
    pool.register_handler("fetch", gallery.fetch, retry=RetryPolicy(backoff=Backoff.FIXED, base=0.2))
    pool.register_handler("shrink", gallery.shrink)
    pool.add_worker(WorkerConfig(name="network", max_workers=16, queues=[FETCH]))
    pool.add_worker(WorkerConfig(name="processor", max_workers=os.cpu_count() or 1, queues=[SHRINK]))

    fetches = [Task(priority=100, payload={"type": "fetch", "data": url}, queue=FETCH, max_retries=10) for url in urls]
    queue.put_many(fetches)
    pool.start_all()
    shrinks = [queue.wait_result(task.task_id, timeout=60) for task in fetches]
    thumbnails = [queue.wait_result(task_id, timeout=60) for task_id in shrinks]
    pool.stop_all()
    return thumbnails


def main() -> None:
    """Draw pictures, serve them, fetch and shrink them, and put them on one page."""
    parser = argparse.ArgumentParser(description="Fetch and thumbnail a folder of pictures.")
    parser.add_argument("--pictures", type=int, default=24, help="how many (default 24)")
    parser.add_argument("--output", type=Path, help="folder for everything that is made (default: a temporary one)")
    parser.add_argument("--storage-url", help="default: a SQLite file in that folder")
    options = parser.parse_args()
    logging.basicConfig(format="  %(message)s")

    folder = (options.output or Path(tempfile.mkdtemp(prefix="thumbnails-"))).resolve()
    for name in ("fetched", "thumbnails"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pictures = draw_folder(folder / "pictures", options.pictures)
    print(f"{len(pictures)} pictures drawn")

    storage_url = options.storage_url or f"sqlite:///{folder}/queue.db"
    with web_site(folder / "pictures") as site, HybridQueue.from_url(storage_url) as queue:
        started = time.monotonic()
        thumbnails = work(queue, folder, [f"{site}/{picture.name}" for picture in pictures])
        print(f"{len(thumbnails)} thumbnails made in {time.monotonic() - started:.1f} s")

    sheet = folder / "contact-sheet.png"
    contact_sheet(thumbnails).save(sheet)
    print(f"contact sheet: {sheet}")


if __name__ == "__main__":
    main()
