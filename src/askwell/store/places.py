"""Where a campaign's database may lie: on a disk of this machine, not on a network drive and not in a synchronised folder.

SQLite needs locks and shared memory that hold; network file systems promise neither, and a program that synchronises a folder copies
the database and its write-ahead log at different moments, and puts older versions back.
"""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_data_path

from askwell.errors import SettingsError

NETWORK = (  # file systems, as the system names them
    r"(9p|acfs|afp(fs)?|afs|beegfs|ceph|cifs|coda|davfs|gfs|glusterfs|gpfs|kafs|lustre|ncpfs|nfs|ocfs|orangefs|panfs|pvfs|smb(fs)?"
    r"|webdav|wekafs)\d*"
)
REMOTE_FUSE = (  # the programs behind "fuse.program"; others, such as ntfs-3g and fuse-overlayfs, work on local disks
    r"(blobfuse|curlftpfs|gcsfuse|google-drive-ocamlfuse|goofys|gvfsd-fuse|juicefs|kio-fuse|mfs|mountpoint-s3|onedriver|rclone|s3fs"
    r"|seaweedfs|sshfs)\d*"
)
SERVER = r"//.*|\w+://.*|[^/:]+:/.*"  # what is mounted: //server/share, scheme://server or server:/path
SYNCHRONISED_NAMES = {
    r"Dropbox( \(.+\))?": "Dropbox",
    r"OneDrive( - .+)?": "OneDrive",
    r"Google ?Drive(-.+)?": "Google Drive",
    r"iCloud ?Drive": "iCloud",
    r"Nextcloud\d*": "Nextcloud",
    r"ownCloud\d*": "ownCloud",
    r"Box Sync": "Box",
    r"pCloud ?Drive": "pCloud",
}
SYNCHRONISED_PLACES = {  # two names, one inside the other
    ("Library", "Mobile Documents"): "iCloud",
    ("Library", "CloudStorage"): "a cloud service",
}
MARKERS = {  # what a program leaves in the folder that it synchronises
    ".stfolder": "Syncthing",
    ".dropbox.cache": "Dropbox",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
    ".tmp.driveupload": "Google Drive",
    ".shortcut-targets-by-id": "Google Drive",
}
DRIVE_REMOTE = 4  # what Windows' GetDriveTypeW says of a network drive


class Mount(NamedTuple):
    """A mounted file system: where, of which kind, and from what."""

    point: str
    kind: str
    source: str


def check_place(directory: Path, mounts: str | None = None) -> None:
    """Raise SettingsError when a campaign's database must not lie in the directory, which need not exist yet.

    mounts   what is mounted, as /proc/self/mountinfo or the command mount say it; None asks the system
    """
    reason = untrusted(directory, mounts)
    if reason is not None:
        home = user_data_path("askwell", appauthor=False) / directory.resolve().name
        local = f"{home} instead" if untrusted(home, mounts) is None else "a folder on a disk of this machine"
        raise SettingsError(
            f"expected a campaign on a disk of this machine, found {directory} {reason}, where SQLite's locks and write-ahead log "
            f"cannot be trusted; use {local} (the images may stay where they are)."
        )


def untrusted(directory: Path, mounts: str | None = None) -> str | None:
    """Why a database cannot be trusted to a directory; None when it can."""
    resolved = directory.resolve()
    service = _synchronised_by(resolved)
    if service is not None:
        return f"in a folder that {service} synchronises"
    if sys.platform == "win32" and _on_remote_drive(resolved):
        return "on a network drive"
    mount = _mount_of(resolved, _mounts(_mount_table() if mounts is None else mounts))
    if mount is not None and _is_remote(mount):
        return f"on a network file system ({mount.kind})"
    return None


def _synchronised_by(directory: Path) -> str | None:
    parts = directory.parts
    for names, service in SYNCHRONISED_PLACES.items():
        if names in pairwise(parts):
            return service
    for part in parts:
        for pattern, service in SYNCHRONISED_NAMES.items():
            if re.fullmatch(pattern, part):
                return service
    for parent in (directory, *directory.parents):
        for marker, service in MARKERS.items():
            if (parent / marker).exists():
                return service
        if (
            parent / ".dropbox"
        ).is_file():  # a directory of this name holds Dropbox's settings, and synchronises nothing
            return "Dropbox"
    return None


def _is_remote(mount: Mount) -> bool:
    kind, _, program = mount.kind.lower().partition(".")
    if kind.startswith(("fuse", "macfuse", "osxfuse")):
        named = any(re.fullmatch(f"{NETWORK}|{REMOTE_FUSE}", name) for name in (program, mount.source))
        return named or re.fullmatch(SERVER, mount.source, re.DOTALL) is not None
    own_disk = kind == "9p" and mount.point == "/"  # of a sandbox such as gVisor
    return re.fullmatch(NETWORK, kind) is not None and not own_disk


def _mount_of(directory: Path, mounts: list[Mount]) -> Mount | None:
    """The mount that a directory is on: the deepest; of several at one point the last, which covers the others."""
    found = None
    for mount in mounts:
        depth = len(Path(mount.point).parts)
        if directory.is_relative_to(mount.point) and (found is None or depth >= len(Path(found.point).parts)):
            found = mount
    return found


def _mounts(table: str) -> list[Mount]:
    """The lines of /proc/self/mountinfo, or those of the command mount on macOS."""
    mounts = []
    for line in table.splitlines():
        fields, dash, rest = line.partition(" - ")
        if dash and len(fields.split()) > 4 and len(rest.split()) > 1:
            kind, source = rest.split()[:2]
            mounts.append(Mount(_unescaped(fields.split()[4]), kind, _unescaped(source)))
        elif match := re.fullmatch(r"(.+) on (/.*) \((\w+)[,)].*", line):
            mounts.append(Mount(match[2], match[3], match[1]))
    return mounts


def _unescaped(text: str) -> str:
    r"""Blanks, tabs, newlines and backslashes are written as \040, \011, \012 and \134."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _mount_table() -> str:
    if sys.platform == "darwin":
        return subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout
    table = Path("/proc/self/mountinfo")
    return table.read_text(encoding="utf-8", errors="surrogateescape") if table.exists() else ""


def _on_remote_drive(directory: Path) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return directory.anchor.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(directory.anchor) == DRIVE_REMOTE
