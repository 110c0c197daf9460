"""The initramfs of an emulated Pi: busybox, drivers, libraries, the binary under test, and `guest-init`.

The archive is cpio's "newc" form (Linux: Documentation/driver-api/early-userspace/buffer-format.rst), gzipped.
"""

import gzip
import pathlib
import stat

# Folders that have to be there before anything is mounted on them.
FOLDERS = ("bin", "dev", "lib", "modules", "proc", "sys", "run", "tmp", "data", "etc")
INIT = pathlib.Path(__file__).with_name("guest-init")
# The kernel finds its console by this node before devtmpfs is mounted.
CONSOLE = (5, 1)
BLOCK_BYTES = 4


def entry(name, mode, content=b"", device=(0, 0), number=0):
    """One archive member: header, name, content, each padded to four bytes."""
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return padded(head) + padded(content)


def padded(data):
    """`data` and zeros up to the next block."""
    return data + b"\0" * (-len(data) % BLOCK_BYTES)


def archive(files, links, folders=FOLDERS):
    """A whole archive: `files` maps a path to (content, permissions), `links` a path to its target."""
    members = [(folder, stat.S_IFDIR | 0o755, b"", (0, 0)) for folder in folders]
    members.append(("dev/console", stat.S_IFCHR | 0o600, b"", CONSOLE))
    members += [(path, stat.S_IFREG | mode, content, (0, 0)) for path, (content, mode) in files.items()]
    members += [(path, stat.S_IFLNK | 0o777, target.encode(), (0, 0)) for path, target in links.items()]
    body = b"".join(entry(*member, number=number) for number, member in enumerate(members, start=1))
    return body + entry("TRAILER!!!", 0)


def build(parts, binary):
    """The gzipped initramfs with `binary` as /bin/pisink."""
    files = {
        "init": (INIT.read_bytes(), 0o755),
        "bin/busybox": ((parts.guest / "busybox").read_bytes(), 0o755),
        "bin/pisink": (pathlib.Path(binary).read_bytes(), 0o755),
        "etc/passwd": (b"root:x:0:0::/:/bin/sh\n", 0o644),
        "etc/hosts": (b"127.0.0.1 localhost\n", 0o644),
    }
    for library in sorted((parts.guest / "lib").iterdir()):
        files[f"lib/{library.name}"] = (library.read_bytes(), 0o755)
    for module in parts.modules:
        files[f"modules/{module.name}"] = (module.read_bytes(), 0o644)
    return gzip.compress(archive(files, {"bin/sh": "busybox"}), compresslevel=1)
