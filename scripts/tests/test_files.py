"""Which build goes onto which Pi."""

import io
import pathlib
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from deploy_steps import files  # noqa: E402  (after the line above, that makes it be found)

ARMV6 = "ARMv6-compatible processor rev 7 (v6l)"
ARMV7 = "ARMv7 Processor rev 4 (v7l)"


def elf(machine):
    """The head of an ELF file."""
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + b"rest"


def tar(mode, members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def deb(arch, compression="xz"):
    """A package, as dpkg-deb would make it."""
    control = tar(f"w:{compression}", {"./control": f"Package: pisink\nArchitecture: {arch}\n".encode()})
    members = {"debian-binary": b"2.0\n", f"control.tar.{compression}": control, "data.tar": b"x"}
    data = b"!<arch>\n"
    for name, content in members.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        data += b"\n" * (len(content) % 2)
    return data


class Architecture(unittest.TestCase):
    def test_userland_decides_and_then_the_cpu(self):
        for name, facts, expected in (
            ("Pi 4, 64-bit", {"dpkg": "arm64", "machine": "aarch64", "bits": "64"}, "arm64"),
            ("Pi 4, 64-bit kernel, 32-bit userland", {"dpkg": "armhf", "machine": "aarch64", "bits": "32"}, "armhf"),
            ("Pi 3, 32-bit", {"dpkg": "armhf", "machine": "armv7l", "bits": "32", "cpu": ARMV7}, "armhf"),
            ("Pi Zero", {"dpkg": "armhf", "machine": "armv6l", "bits": "32", "cpu": ARMV6}, "armv6"),
            ("Pi 1, uname made up by a container", {"dpkg": "armhf", "machine": "armv7l", "cpu": ARMV6}, "armv6"),
            ("no dpkg, 64-bit", {"dpkg": "", "machine": "aarch64", "bits": "64"}, "arm64"),
            ("no dpkg, 32-bit userland", {"dpkg": "", "machine": "aarch64", "bits": "32"}, "armhf"),
            ("no dpkg, Pi Zero", {"machine": "armv6l"}, "armv6"),
            ("a laptop", {"dpkg": "amd64", "machine": "x86_64"}, "amd64"),
            ("another", {"dpkg": "riscv64", "machine": "riscv64"}, None),
            ("nothing", {}, None),
        ):
            with self.subTest(name):
                self.assertEqual(files.architecture(facts), expected)


class Choose(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="pisink-test-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def put(self, path, data):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def test_packages_go_first_and_the_newest_of_them(self):
        self.put("cross/bin/pisink-aarch64", elf(183))
        self.assertEqual(files.choose("arm64", self.folder).kind, "binary")
        for version in ("0.9.0", "0.10.0", "0.2.1"):
            self.put(f"package/pisink_{version}_arm64.deb", deb("arm64"))
        self.put("package/pisink_1.0.0_armhf.deb", deb("armhf"))
        self.assertEqual(files.choose("arm64", self.folder).name, "pisink_0.10.0_arm64.deb")
        self.assertEqual(files.choose("arm64", self.folder, kind="binary").name, "pisink-aarch64")

    def test_armv6_never_gets_what_is_for_armv7(self):
        self.put("package/pisink_1.0.0_armhf.deb", deb("armhf"))
        self.put("cross/bin/pisink-armv7", elf(40))
        with self.assertRaises(files.NoFile) as raised:
            files.choose("armv6", self.folder)
        self.assertIn("cross/build armv6", raised.exception.next_step)
        self.put("package/pisink-1.0.0-armv6.tar.gz", tar("w:gz", {"pisink-1.0.0-armv6/files/usr/bin/pisink": elf(40)}))
        self.assertEqual(files.choose("armv6", self.folder).kind, "tarball")
        with self.assertRaises(files.NoFile):
            files.choose("armv6", self.folder, file=self.folder / "package/pisink_1.0.0_armhf.deb")

    def test_a_file_for_another_machine_is_refused(self):
        for data, arch in ((elf(62), "arm64"), (elf(183), "armhf"), (elf(8), "arm64"), (deb("armhf"), "arm64")):
            with self.subTest(arch), self.assertRaises(files.NoFile) as raised:
                files.load(arch, self.put("pisink", data))
            self.assertIn(f"and this is {arch}", str(raised.exception))
        for compression in ("xz", "gz"):
            self.assertEqual(files.load("arm64", self.put("pisink.deb", deb("arm64", compression))).kind, "deb")

    def test_rubbish_is_refused(self):
        for data in (b"", b"#!/bin/sh\n", b"\x1f\x8b broken", tar("w:gz", {"a": b"b"}), b"!<arch>\n" + b"x" * 90):
            with self.subTest(data[:10]), self.assertRaises(files.NoFile):
                files.load("arm64", self.put("pisink", data))
        with self.assertRaises(files.NoFile):
            files.load("arm64", self.folder / "missing")

    def test_a_package_that_cannot_be_looked_into_is_known_by_its_name(self):
        unreadable = (
            deb("arm64").replace(b"control.tar.xz ", b"control.tar.zst").replace(b"\xfd7zXZ", b"\x28\xb5\x2f\xfdx")
        )
        self.assertEqual(files.load("arm64", self.put("pisink_1_arm64.deb", unreadable)).kind, "deb")
        with self.assertRaises(files.NoFile):
            files.load("arm64", self.put("pisink_1_armhf.deb", unreadable))
