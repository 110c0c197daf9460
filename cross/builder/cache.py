"""Folders that are costly to make, kept between runs under names that say what they depend on.

A folder is made beside its place and renamed when it is whole, so that one that was interrupted is never used; two
makers at once do twice the work and nothing worse.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import tempfile
import time

from .say import Failed, say
from .targets import OUT

HALF_MADE = ".half-made-"
# Nobody works on one folder for longer.
HALF_MADE_MAX_S = 24 * 3600


def root():
    """The folder of all that is kept: PISINK_CROSS_CACHE, or a place under target/."""
    given = os.environ.get("PISINK_CROSS_CACHE")
    return pathlib.Path(given).resolve() if given else OUT / "cache"


def key(*parts):
    """A short name for everything in `parts`: texts, or the contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, pathlib.Path) else part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:10]


def folder(name, what, make):
    """The folder `name`; if it is not there, `make(folder)` fills it first."""
    place = root() / name
    if place.is_dir():
        return place
    say(f"making {what}; kept in {shown_path(place)}")
    begun = time.monotonic()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep(place.parent)
        aside = pathlib.Path(tempfile.mkdtemp(prefix=HALF_MADE, dir=place.parent))
    except OSError as error:
        raise Failed(f"cannot write to {error.filename}: {error.strerror}; set PISINK_CROSS_CACHE") from error
    try:
        make(aside)
        # Another maker may have been faster: its folder is as good, and a folder that is not empty is not replaced.
        with contextlib.suppress(OSError):
            aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if not place.is_dir():
        raise Failed(f"{place} could not be put in its place; is the disk full?")
    say(f"made {what} in {time.monotonic() - begun:.0f} s")
    return place


def sweep(parent):
    """Removes what makers left behind that were killed."""
    for left in parent.glob(f"{HALF_MADE}*"):
        if time.time() - left.stat().st_mtime > HALF_MADE_MAX_S:
            shutil.rmtree(left, ignore_errors=True)


def shown_path(path):
    """A path, short where it is under the current folder."""
    return os.path.relpath(path) if path.is_relative_to(pathlib.Path.cwd()) else str(path)
