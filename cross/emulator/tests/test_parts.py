"""Choosing packages and ordering modules."""

import pathlib
import tempfile
import unittest
from types import MappingProxyType

from emulator import apt, parts
from emulator.errors import SetupError

SIMULATED = """\
NOTE: This is only a simulation!
Inst libfdt1 (1.6.1-4+b1 Debian:12.15/oldstable [amd64])
Inst qemu-system-data (1:10.0.2+ds-2+deb13u1~bpo12+1 Debian Backports:oldstable-backports [all])
Inst qemu-user-static [1:7.2+dfsg-7+b3] (1:10.0.2+ds-2~bpo12+1 Debian Backports:oldstable-backports [amd64]) []
Inst busybox-static:arm64 (1:1.35.0-4 Debian:12.15/oldstable [arm64])
Conf libfdt1 (1.6.1-4+b1 Debian:12.15/oldstable [amd64])
"""


class Packages(unittest.TestCase):
    def test_what_apt_would_install_is_read(self):
        self.assertEqual(
            apt.parse_inst(SIMULATED.splitlines()),
            [
                ("libfdt1", "1.6.1-4+b1", "amd64"),
                ("qemu-system-data", "1:10.0.2+ds-2+deb13u1~bpo12+1", "all"),
                ("qemu-user-static", "1:10.0.2+ds-2~bpo12+1", "amd64"),
                ("busybox-static", "1:1.35.0-4", "arm64"),
            ],
        )

    def test_versions_are_ordered_by_number(self):
        versions = ["1:7.2+dfsg-7+deb12u18+b3", "1:10.0.2+ds-2~bpo12+1", "1:9.2.0-1"]
        ordered = sorted(versions, key=apt.version_key)
        self.assertEqual([apt.version_key(v)[:2] for v in ordered], [(7, 2), (9, 2), (10, 0)])

    def test_qemu_comes_from_the_own_suite_when_it_is_new_enough(self):
        new, old = ("1:10.0.2+ds-2", "trixie"), ("1:7.2+dfsg-7", "bookworm")
        backport = ("1:10.0.2+ds-2~bpo12+1", "bookworm-backports")
        self.assertEqual(parts.choose_qemu([new]), ("1:10.0.2+ds-2", None))
        self.assertEqual(parts.choose_qemu([backport, old]), backport)
        with self.assertRaisesRegex(SetupError, "9.0"):
            parts.choose_qemu([old])

    def test_the_kernel_is_never_a_backport(self):
        versions = [("6.12.95-1~bpo12+1", "bookworm-backports"), ("6.1.176-1", "bookworm")]
        self.assertEqual(parts.stable_version(versions, "linux-image-arm64"), "6.1.176-1")

    def test_the_kernels_package_is_found_in_the_metapackage(self):
        for name in ("linux-image-6.1.0-50-arm64", "linux-image-6.12.48+deb13-arm64"):
            record = f"Package: linux-image-arm64\nDepends: {name} (= 1)\nDescription: Linux\n"
            self.assertEqual(parts.kernel_package(record), name)
        with self.assertRaises(SetupError):
            parts.kernel_package("Package: linux-image-arm64\n")


class Sources(unittest.TestCase):
    TARGETS = (
        "http://mirror/debian/|bookworm|main",
        "http://mirror/debian/|bookworm|main",
        "http://mirror/debian/|bookworm-updates|main",
        "http://mirror/debian/|bookworm-backports|main",
        "http://mirror/debian-security/|bookworm-security|main",
        "http://other/docker|bookworm|stable",
        "http://other/node|nodistro|main",
    )

    def test_only_debians_own_archives_are_taken(self):
        self.assertEqual(
            apt.debian_sources(self.TARGETS, "bookworm"),
            [
                ("http://mirror/debian/", "bookworm"),
                ("http://mirror/debian/", "bookworm-updates"),
                ("http://mirror/debian-security/", "bookworm-security"),
            ],
        )

    def test_backports_come_from_the_same_mirror(self):
        text = apt.sources_text(apt.debian_sources(self.TARGETS, "bookworm"), "bookworm", "amd64 arm64", "/keys")
        self.assertEqual(text.count("Types: deb"), 4)
        self.assertIn("URIs: http://mirror/debian/\nSuites: bookworm-backports\n", text)
        self.assertEqual(text.count("Signed-By: /keys"), 4)

    def test_newer_releases_need_no_backports(self):
        sources = [("http://mirror/debian/", "trixie")]
        self.assertEqual(apt.sources_text(sources, "trixie", "arm64", None).count("Types: deb"), 1)


class Modules(unittest.TestCase):
    NEEDS = MappingProxyType({"ext4": ["jbd2", "crc16"], "cdc_ether": ["usbnet"], "usbnet": ["mii", "usbcore"]})

    def test_each_comes_after_what_it_needs(self):
        order = parts.loading_order(("cdc-ether", "ext4", "usbcore"), lambda name: self.NEEDS.get(name, []))
        self.assertEqual(order, ["mii", "usbcore", "usbnet", "cdc_ether", "jbd2", "crc16", "ext4"])

    def test_a_circle_is_told(self):
        with self.assertRaisesRegex(SetupError, "a b a"):
            parts.loading_order(("a",), {"a": ["b"], "b": ["a"]}.get)

    def test_needs_are_read_from_the_module(self):
        with tempfile.TemporaryDirectory() as folder:
            module = pathlib.Path(folder) / "i2c-dev.ko"
            module.write_bytes(b"\x7fELF\0license=GPL\0depends=mii,usb-core\0retpoline=Y\0")
            self.assertEqual(parts.depends(module), ["mii", "usb_core"])
            self.assertEqual(parts.module_name(module), "i2c_dev")
        self.assertEqual(parts.depends(None), [])
