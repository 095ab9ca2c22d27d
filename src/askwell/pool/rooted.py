"""Paths that somebody wrote down: each is resolved when it is opened, and refused when it leads out of the folder of images."""

import os

from askwell.pool.image_formats import GONE, ImageUnreadableError

OUTSIDE = "it leads out of the folder of images"


class OutsideRootError(Exception):
    """A path leads out of the folder of images."""


def below(root: str, path: bytes) -> str:
    """The real place of a path below the root; OutsideRootError for any other, ImageUnreadableError for none."""
    if not path or path.startswith((b"/", b"\\")) or b"\0" in path or b".." in path.replace(b"\\", b"/").split(b"/"):
        raise OutsideRootError
    real_root = os.path.realpath(root)
    try:
        real = os.path.realpath(os.path.join(real_root, os.fsdecode(path)), strict=True)  # noqa: PTH118 - as bytes may be
    except OSError as error:
        raise ImageUnreadableError(GONE) from error
    if os.path.commonpath([real_root, real]) != real_root or real == real_root:
        raise OutsideRootError
    return real
