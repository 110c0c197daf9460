"""The archive that a Pi boots, its registers, and its console."""

import gzip
import io
import os
import threading
import types
import unittest
from unittest import mock

from emulator import initramfs, registers, scene
from emulator.console import Console
from emulator.errors import Failed


def unpacked(archive):
    """Name to (mode, content) of a newc archive, read by its description alone."""
    members, at = {}, 0
    while True:
        magic, fields = archive[at : at + 6], archive[at + 6 : at + 110]
        assert magic == b"070701", magic
        numbers = [int(fields[place : place + 8], 16) for place in range(0, 104, 8)]
        mode, size, name_size = numbers[1], numbers[6], numbers[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        begin = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return members
        members[name] = (mode, archive[begin : begin + size])
        at = (begin + size + 3) // 4 * 4


class Archive(unittest.TestCase):
    def test_what_goes_in_comes_out(self):
        files = {f"bin/{'x' * length}": (b"y" * length, 0o755) for length in range(1, 10)}
        members = unpacked(initramfs.archive(files, {"bin/sh": "busybox"}))
        for name, (content, mode) in files.items():
            self.assertEqual(members[name], (0o100000 | mode, content))
        self.assertEqual(members["bin/sh"], (0o120777, b"busybox"))
        self.assertEqual(members["dev"], (0o040755, b""))
        self.assertEqual(members["dev/console"], (0o020600, b""))

    def test_folders_come_before_what_is_in_them(self):
        names = list(unpacked(initramfs.archive({"bin/a": (b"", 0o755)}, {})))
        self.assertLess(names.index("bin"), names.index("bin/a"))
        self.assertLess(names.index("dev"), names.index("dev/console"))

    def test_it_compresses(self):
        self.assertEqual(gzip.decompress(gzip.compress(initramfs.archive({}, {})))[:6], b"070701")


class Registers(unittest.TestCase):
    def test_sensirions_own_checksum(self):
        # Data sheet SHT3x, section 4.12: CRC(0xBEEF) = 0x92.
        self.assertEqual(registers.sensirion_words([0xBEEF]), b"\xbe\xef\x92")

    def test_each_answer_lies_at_its_command(self):
        image = registers.sht3x_registers()
        self.assertEqual(image[0x2400:0x2402], b"\x66\x66")
        self.assertEqual(image[0xF32D : 0xF32D + 3], registers.sensirion_words([0]))

    def test_the_bmp280_is_there_twice(self):
        image = registers.bmp280_registers()
        self.assertEqual(image[:256], image[256:])
        self.assertEqual(image[0xD0], 0x58)
        # The data sheet's example: 415148 is 0x655AC, 519888 is 0x7EED0.
        self.assertEqual(image[0xF7:0xFD], bytes.fromhex("655ac0 7eed00"))


class Guest:
    """The other end of a console: answers each command by `answers`, in order."""

    def __init__(self, *answers):
        to_guest, from_us = os.pipe()
        to_us, from_guest = os.pipe()
        self.log = io.StringIO()
        self.log.close = lambda: None
        self.said = os.fdopen(from_guest, "wb", buffering=0)
        self.console = Console("pi", os.fdopen(to_us, "rb"), os.fdopen(from_us, "wb"), self.log)
        self._thread = threading.Thread(target=self._answer, args=(os.fdopen(to_guest, "rb"), answers), daemon=True)
        self._thread.start()

    def _answer(self, commands, answers):
        for answer in answers:
            number = commands.readline().split(b" ")[0].decode()
            self.said.write(answer.replace("N", number).encode())
        self.said.close()
        commands.close()


class Commands(unittest.TestCase):
    def test_output_and_status_come_back(self):
        console = Guest("a\r\nb\r\n@end N 0\r\n", "@end N 3\r\n").console
        self.assertEqual(console.run("ls", 5), (0, "a\nb\n"))
        self.assertEqual(console.run("false", 5), (3, ""))

    def test_marks_are_no_output(self):
        self.assertEqual(Guest("a\n@net 3.14\nb\n@end N 0\n").console.run("network", 5), (0, "a\nb\n"))

    def test_output_without_a_last_newline_is_kept(self):
        self.assertEqual(Guest("a\nhi@end N 0\n").console.run("echo -n hi", 5), (0, "a\nhi"))

    def test_another_commands_end_is_not_taken_for_this_ones(self):
        self.assertEqual(Guest("@end 77 1\nlate\n@end N 0\n").console.run("true", 5)[0], 0)

    def test_a_guest_that_dies_is_told_with_its_last_words(self):
        with self.assertRaisesRegex(Failed, "Kernel panic"):
            Guest("Kernel panic - not syncing\n").console.run("true", 5)

    def test_a_guest_that_is_silent_is_not_waited_for_without_end(self):
        silent, speaks = os.pipe()
        console = Console("pi", os.fdopen(silent, "rb"), io.BytesIO(), io.StringIO())
        with self.assertRaisesRegex(Failed, "without"):
            console.run("true", 0.05)
        os.close(speaks)


class Scene(unittest.TestCase):
    @staticmethod
    def of(*answers, is_on=True):
        """What is shown of a Pi whose shell gives these answers, the first of them to another command."""
        console = Guest(*answers).console
        console.run("true", 5)
        return scene.of_pi(types.SimpleNamespace(console=console, qemu=is_on or None))

    def test_the_console_comes_first_then_what_the_pi_tells(self):
        self.assertEqual(
            self.of("Oops\n@end N 0\n", "irq 95: nobody cared\n@end N 0\n"),
            ["console: Oops", "console: @end 1 0", "irq 95: nobody cared"],
        )

    def test_what_came_before_the_shell_fell_silent_is_kept(self):
        with mock.patch.object(scene, "LIMIT_S", 0.05):
            seen = self.of("@end N 0\n", "up 9 s\n")
        self.assertEqual(seen[:2], ["console: @end 1 0", "up 9 s"])
        self.assertIn("does not answer", seen[2])

    def test_a_pi_that_is_off_is_not_asked(self):
        self.assertEqual(self.of("@end N 0\n", is_on=False)[-1], "is switched off")
        self.assertEqual(scene.of_pi(types.SimpleNamespace(console=None, qemu=None)), ["was never switched on"])
