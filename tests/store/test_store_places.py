"""Network drives and synchronised folders are refused, local disks are not."""

from pathlib import Path

import pytest

from askwell.errors import SettingsError
from askwell.store.places import check_place, untrusted

ROOT = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard"


def mounted(point: Path, kind: str, source: str = "source") -> str:
    escaped = str(point).replace("\\", r"\134").replace(" ", r"\040").replace("\t", r"\011").replace("\n", r"\012")
    return f"{ROOT}\n36 27 0:50 / {escaped} rw,noatime master:1 propagate_from:2 - {kind} {source} rw,vers=4.2"


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *((kind, "server:/export") for kind in ("nfs", "nfs4", "ceph", "glusterfs", "fuse.glusterfs", "beegfs", "afs")),
        *((kind, "//server/share") for kind in ("cifs", "smb3", "smbfs", "fuse")),
        *(("9p", "drvfs"), ("lustre", "10.0.0.1@tcp:/scratch"), ("gpfs", "home"), ("davfs", "https://cloud")),
        *(("fuse", "https://cloud/dav"), ("fuse.sshfs", "me@host:"), ("fuse.rclone", "drive:"), ("fuse.s3fs", "s3fs")),
        *(
            ("fuse", "mountpoint-s3"),
            ("fuse", "me@host:/home"),
            ("fuse.gvfsd-fuse", "gvfsd-fuse"),
            ("ocfs2", "/dev/sdb"),
        ),
    ],
)
def test_network_file_systems_are_refused_by_name(tmp_path: Path, kind: str, source: str):
    with pytest.raises(
        SettingsError, match=r"expected a campaign on a disk of this machine, found .* on a network file system"
    ) as raised:
        check_place(tmp_path / "runs" / "moths", mounted(tmp_path, kind, source))
    assert f"({kind})" in str(raised.value)
    assert "askwell" in str(raised.value).split("use ")[1]
    assert "moths instead (the images may stay where they are)" in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *(
            (kind, "/dev/sda1")
            for kind in ("ext4", "xfs", "btrfs", "apfs", "ntfs", "ntfs3", "fuseblk", "vfat", "exfat")
        ),
        *(
            ("tmpfs", "tmpfs"),
            ("overlay", "overlay"),
            ("zfs", "tank/home"),
            ("fuse.ntfs-3g", "/dev/sdb1"),
            ("bcachefs", "a:b"),
        ),
        *(("fuse.fuse-overlayfs", "fuse-overlayfs"), ("fuse.gocryptfs", "/home/me/.cipher"), ("virtiofs", "share")),
    ],
)
def test_local_disks_are_not_refused(tmp_path: Path, kind: str, source: str):
    check_place(tmp_path / "runs", mounted(tmp_path, kind, source))


def test_a_sandbox_may_call_its_own_disk_9p(tmp_path: Path):
    check_place(tmp_path, "27 1 0:12 / / rw - 9p none rw,trans=fd,rfd=4,wfd=4")


def test_the_deepest_mount_decides_and_of_equals_the_last(tmp_path: Path):
    local, remote = tmp_path / "local", tmp_path / "local" / "remote"
    table = mounted(remote, "nfs4") + "\n" + mounted(local, "xfs").splitlines()[1]
    assert untrusted(local / "a", table) is None
    assert untrusted(remote / "a", table) is not None
    assert untrusted(local / "remote-too", table) is None, "a name that only begins like a mount point is not below it"
    covered = mounted(local, "autofs") + "\n" + mounted(local, "nfs").splitlines()[1]
    assert untrusted(local, covered) is not None


def test_blanks_and_backslashes_in_a_mount_point_are_understood(tmp_path: Path):
    place = tmp_path / "my share\\x\ty"
    assert untrusted(place / "c", mounted(place, "cifs", "//server/my\\040share")) is not None
    assert untrusted(tmp_path / "c", mounted(place, "cifs")) is None


def test_a_link_into_a_network_drive_is_followed(tmp_path: Path):
    (tmp_path / "remote").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "remote")
    assert untrusted(tmp_path / "link" / "new", mounted(tmp_path / "remote", "nfs")) is not None


def test_what_macos_says_of_its_mounts_is_understood(tmp_path: Path):
    table = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        f"//me@server/share on {tmp_path}/on (the) wire (smbfs, nodev, nosuid, mounted by me)\n"
        f"drive on {tmp_path}/mine (macfuse, nodev, synchronous)\n"
    )
    assert untrusted(tmp_path / "on (the) wire" / "c", table) == "on a network file system (smbfs)"
    assert untrusted(tmp_path / "mine", table) is None
    assert untrusted(tmp_path, table) is None


def test_without_a_local_home_no_place_is_promised(tmp_path: Path):
    with pytest.raises(SettingsError, match="use a folder on a disk of this machine"):
        check_place(tmp_path / "moths", "27 1 0:1 / / rw - nfs server:/root rw")


@pytest.mark.parametrize(
    ("place", "service"),
    [
        *(("Dropbox/runs", "Dropbox"), ("Dropbox (Private)/x", "Dropbox"), ("OneDrive - Lab/x", "OneDrive")),
        *(
            ("Google Drive/x", "Google Drive"),
            ("GoogleDrive-me@example.org/x", "Google Drive"),
            ("iCloudDrive", "iCloud"),
        ),
        *(("Library/Mobile Documents/x", "iCloud"), ("Library/CloudStorage/Box-Box/x", "a cloud service")),
        *(("Nextcloud/x", "Nextcloud"), ("ownCloud2/x", "ownCloud")),
    ],
)
def test_synchronised_folders_are_known_by_name(tmp_path: Path, place: str, service: str):
    with pytest.raises(SettingsError, match=f"in a folder that {service} synchronises, where SQLite's locks"):
        check_place(tmp_path / place, ROOT)


@pytest.mark.parametrize("place", ["dropbox-export", "my Nextcloud", "Mobile Documents", "library/CloudStorage", "Box"])
def test_names_that_only_resemble_one_are_not_refused(tmp_path: Path, place: str):
    check_place(tmp_path / place / "runs", ROOT)


def test_synchronised_folders_are_known_by_what_is_in_them(tmp_path: Path):
    for marker in (".stfolder", ".dropbox.cache", ".nextcloudsync.log", ".tmp.driveupload"):
        (tmp_path / marker / "shared").mkdir(parents=True)
        assert untrusted(tmp_path / "shared" / "a" / "b", ROOT) is not None
        (tmp_path / marker / "shared").rmdir()
        (tmp_path / marker).rmdir()
    assert untrusted(tmp_path / "shared", ROOT) is None


def test_a_home_with_dropbox_settings_is_not_a_dropbox(tmp_path: Path):
    (tmp_path / ".dropbox").mkdir()
    check_place(tmp_path / "runs", ROOT)
    (tmp_path / ".dropbox").rmdir()
    (tmp_path / ".dropbox").write_text("")
    with pytest.raises(SettingsError, match="Dropbox"):
        check_place(tmp_path / "runs", ROOT)


def test_this_machine_is_asked_when_no_table_is_given(tmp_path: Path):
    check_place(tmp_path)
