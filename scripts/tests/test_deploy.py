"""scripts/deploy against ssh servers of the test's own, with the real pisink in made-up Pis."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import made_up_pi
from made_up_pi import PROJECT, UNIT, Site, native_architecture, package, two_versions, wait_for

DEPLOY = PROJECT / "scripts" / "deploy"
RUN_MAX_S = 60


def missing():
    """Why these tests cannot run here, or None."""
    for found, what in (
        (made_up_pi.SSHD, "no sshd: apt-get install openssh-server"),
        (shutil.which("dpkg-deb"), "no dpkg: this is no Debian"),
        (made_up_pi.pisink(), "no pisink is built: cargo build, or set PISINK_BINARY"),
    ):
        if not found:
            return what
    return None


@unittest.skipIf(missing(), missing())
class Deploy(unittest.TestCase):
    """One site of made-up Pis for each test; two versions of pisink for all."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="pisink-test-")
        folder = pathlib.Path(cls.shared.name)
        (cls.old, cls.old_version), (cls.new, cls.new_version) = two_versions(folder)
        cls.unit = folder / "pisink.service"
        cls.unit.write_text(UNIT)

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pisink-test-")
        self.addCleanup(self.scratch.cleanup)
        self.folder = pathlib.Path(self.scratch.name)
        self.site = Site(self.folder)
        self.addCleanup(self.site.close)

    def begin(self, *arguments):
        """Starts scripts/deploy."""
        command = [DEPLOY, "--ssh-config", self.site.config, "--health-timeout", "15", "--settle", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def deploy(self, *arguments):
        """Exit code, and by host what became of it."""
        return self.end(self.begin("--json", *arguments))

    def end(self, process):
        out, err = process.communicate(timeout=RUN_MAX_S)
        self.said = err
        self.assertTrue(out, err)
        return process.returncode, {row["host"]: row for row in json.loads(out)}

    def config_of(self, pi, **how):
        """Writes the config for a Pi; gives the file."""
        file = self.folder / f"{pi.name}.toml"
        file.write_text(pi.config(**how))
        return file

    def install_old(self, name="pi-1"):
        """A Pi with the old version running."""
        pi = self.site.pi(name)
        config = self.config_of(pi)
        code, rows = self.deploy("--file", self.old, "--unit", self.unit, "--config", config, name)
        self.assertEqual((code, rows[name]["result"]), (0, "deployed"), rows)
        return pi

    def status(self, pi):
        """What the node of a Pi says of itself."""
        command = [self.old, "status", f"127.0.0.1:{pi.node_port}", "--json"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    def test_a_site_with_all_kinds_of_trouble(self):
        good = [self.site.pi(f"pi-{number}") for number in range(1, 5)]
        for pi in good:
            self.config_of(pi)
        self.site.alias("away", made_up_pi.free_port())
        self.site.pi("locked")
        self.site.alias(
            "no-key", int(re.search(r"Host locked\n.*\n Port (\d+)", self.site.config.read_text())[1]), "stranger"
        )
        other = self.site.pi("other", arch="armhf" if native_architecture() == "arm64" else "arm64", machine="aarch64")
        (self.site.pi("no-sudo").root / "no-sudo").touch()
        if os.getuid() == 0:  # root needs no sudo, so that server's user has to look like another
            (self.site.pis["no-sudo"].root / "bin/id").write_text('#!/bin/sh\n[ "$1" = -u ] && echo 1000 || echo pi\n')
            (self.site.pis["no-sudo"].root / "bin/id").chmod(0o755)
        for name in ("other", "no-sudo", "away", "no-key"):
            shutil.copy(self.folder / "pi-1.toml", self.folder / f"{name}.toml")
        names = [pi.name for pi in good]
        code, rows = self.deploy(
            *("--file", self.old, "--unit", self.unit, "--config", f"{self.folder}/{{host}}.toml"),
            *(*names, "away", "no-key", "other", "no-sudo"),
        )
        self.assertEqual(code, 1)
        for pi in good:
            row = rows[pi.name]
            self.assertEqual((row["result"], row["to_version"]), ("deployed", self.old_version), row)
            self.assertEqual(self.status(pi)["node"], pi.name)
            self.assertIn("systemctl enable --quiet pisink.service", pi.calls())
            self.assertEqual(pi.leftovers(), [])
        self.assertIn("refused", rows["away"]["why"].lower())
        self.assertIn("Permission denied", rows["no-key"]["why"])
        self.assertEqual(rows["no-key"]["next_step"], "ssh-copy-id no-key")
        self.assertIn(f"and this is {other.read('dpkg-architecture').decode().strip()}", rows["other"]["why"])
        self.assertIn("sudoers.d", rows["no-sudo"]["next_step"])
        for name in ("other", "no-sudo"):
            self.assertIsNone(self.site.pis[name].read("usr/local/bin/pisink"))

    def test_an_upgrade_keeps_the_readings_and_says_from_and_to(self):
        pi = self.install_old()
        journal = self.status(pi)["journal"]
        code, rows = self.deploy("--file", self.new, "--settle", "1", "pi-1")
        row = rows["pi-1"]
        self.assertEqual((code, row["from_version"], row["to_version"]), (0, self.old_version, self.new_version), row)
        status = self.status(pi)
        self.assertEqual((status["version"], status["journal"]), (self.new_version, journal))
        self.assertEqual(pi.read("usr/local/bin/pisink"), self.new.read_bytes())

    def test_a_node_that_does_not_come_up_goes_back_to_what_it_was(self):
        pi = self.install_old()
        before = pi.snapshot()
        broken = self.folder / "broken.toml"
        broken.write_text(pi.config("no_such_key = 1\n"))
        code, rows = self.deploy("--file", self.new, "--config", broken, "pi-1")
        row = rows["pi-1"]
        self.assertEqual((code, row["result"]), (1, "rolled-back"), row)
        self.assertIn("no_such_key", row["why"])
        self.assertEqual(self.status(pi)["version"], self.old_version)
        after = pi.snapshot()
        for path in ("usr/local/bin/pisink", "etc/pisink/pisink.toml", "etc/systemd/system/pisink.service"):
            self.assertEqual(after[path], before[path], path)

    def test_a_first_node_that_does_not_come_up_leaves_nothing(self):
        pi = self.site.pi("pi-1")
        broken = self.folder / "broken.toml"
        broken.write_text("role = 3\n")
        arguments = ["--file", self.old, "--unit", self.unit, "--config", broken, "pi-1"]
        code, rows = self.deploy(*arguments)
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "removed"), rows)
        left = [path for path in pi.snapshot() if path.startswith(("usr", "etc", "var/tmp"))]
        self.assertEqual(left, [])

    def test_another_process_is_not_taken_for_the_service(self):
        pi = self.install_old()
        port = made_up_pi.free_port()
        foreign = [self.old, "run", "--role", "secondary", "--bus", "none", "--listen", f"127.0.0.1:{port}"]
        process = subprocess.Popen([*foreign, "--data", self.folder / "foreign"], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for("the foreign process", lambda: made_up_pi.answers(port))
        code, rows = self.deploy("--file", self.new, "--status", f"127.0.0.1:{port}", "--health-timeout", "2", "pi-1")
        # Whether the former version is up again cannot be told either, from that address.
        self.assertEqual((code, rows["pi-1"]["result"] in ("broken", "rolled-back")), (1, True), rows)
        self.assertIn(f"pisink {self.old_version} answers at", rows["pi-1"]["why"])
        self.assertEqual(pi.read("usr/local/bin/pisink"), self.old.read_bytes())

    def test_a_config_that_somebody_changed_is_left_alone(self):
        pi = self.install_old()
        same = pi.read("etc/pisink/pisink.toml")
        ours = self.folder / "ours.toml"
        ours.write_bytes(same + b'interval = "2s"\n')
        self.assertEqual(self.deploy("--file", self.old, "--config", ours, "pi-1")[0], 0)  # nobody had changed it
        (pi.root / "etc/pisink/pisink.toml").write_bytes(same + b'interval = "3s"\n')
        before = pi.snapshot()
        ours.write_bytes(same + b'interval = "4s"\n')
        code, rows = self.deploy("--file", self.new, "--config", ours, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "failed"), rows)
        self.assertIn("--force-config", rows["pi-1"]["next_step"])
        self.assertEqual(pi.snapshot(), before)
        code, rows = self.deploy("--file", self.new, "--config", ours, "--force-config", "pi-1")
        self.assertEqual(code, 0, rows)
        self.assertEqual(pi.read("etc/pisink/pisink.toml"), ours.read_bytes())
        self.assertEqual(pi.read("etc/pisink/pisink.toml.old"), same + b'interval = "3s"\n')

    def test_a_dry_run_changes_nothing(self):
        pi = self.install_old()
        before, called = pi.snapshot(), len(pi.calls())
        code, rows = self.deploy("--dry-run", "--file", self.new, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (0, "would deploy"))
        self.assertIn("would copy pisink", self.said)
        self.assertEqual(pi.snapshot(), before)
        self.assertFalse([call for call in pi.calls()[called:] if re.match(r"apt-get|systemctl (?!cat)", call)])

    def test_ctrl_c_while_copying_leaves_everything_as_it_was(self):
        pi = self.install_old()
        before = pi.snapshot()
        (pi.root / "stuck").touch()
        process = self.begin("--json", "--file", self.new, "pi-1")
        wait_for("half of the file to be there", lambda: pi.read("stuck-now") is not None)
        process.send_signal(signal.SIGINT)
        code, rows = self.end(process)
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "interrupted"), rows)
        self.assertEqual((pi.snapshot(), pi.leftovers()), (before, []))
        self.assertEqual(self.status(pi)["version"], self.old_version)

    def test_ctrl_c_while_the_pi_installs_lets_it_end(self):
        pi = self.install_old()
        process = self.begin("--json", "--file", self.new, "--settle", "2", "pi-1")
        wait_for("the new program", lambda: pi.read("usr/local/bin/pisink") == self.new.read_bytes())
        process.send_signal(signal.SIGINT)
        code, rows = self.end(process)
        self.assertEqual((code, rows["pi-1"]["result"]), (0, "deployed"), rows)
        self.assertEqual((self.status(pi)["version"], pi.leftovers()), (self.new_version, []))

    def test_a_laptop_that_dies_does_not_stop_the_pi(self):
        pi = self.install_old()
        process = self.begin("--json", "--file", self.new, "--settle", "1", "pi-1")
        wait_for("the new program", lambda: pi.read("usr/local/bin/pisink") == self.new.read_bytes())
        process.kill()
        process.communicate()

        def ended():
            """The log says so; or it is gone, for who followed it has seen the end."""
            try:
                logs = [log.read_text() for log in pi.root.glob("var/tmp/pisink-deploy-*/log")]
            except FileNotFoundError:
                return True
            return not logs or "result=deployed" in logs[0]

        wait_for("the Pi to end by itself", ended)
        self.assertEqual(self.status(pi)["version"], self.new_version)

    @unittest.skipUnless(os.getuid() == 0, "a full disk needs root, to mount a small one")
    def test_a_full_disk_is_told_and_changes_nothing(self):
        pi = self.install_old()
        for path in ("var/tmp", "usr/local/bin"):
            with self.subTest(path), contextlib.ExitStack() as cleanup:
                small = pi.root / path
                kept = {file.name: file.read_bytes() for file in small.iterdir()}
                megabytes = sum(map(len, kept.values())) / 1e6 + 1
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes:.0f}m", "small", small], check=True)
                cleanup.callback(subprocess.run, ["umount", "-l", small], check=True)
                for name, data in kept.items():
                    (small / name).write_bytes(data)
                    (small / name).chmod(0o755)
                before = pi.snapshot()
                code, rows = self.deploy("--file", self.new, "pi-1")
                self.assertEqual(code, 1)
                self.assertRegex(rows["pi-1"]["why"], r"unpacking failed; \d+ kB are free|No space left")
                after = pi.snapshot()
                changed = [path for path in before if before[path] != after.get(path) and "pisink-deploy" not in path]
                self.assertEqual((changed, pi.leftovers()), ([], []))
                self.assertEqual(self.status(pi)["version"], self.old_version)

    def test_packages_go_up_and_back(self):
        pi = self.site.pi("pi-1")
        source = self.folder / "built"
        source.mkdir()
        package(source, self.old, self.old_version)
        config = self.config_of(pi)
        code, rows = self.deploy("--from", source, "--config", config, "pi-1")
        self.assertEqual((code, rows["pi-1"]["to_version"]), (0, self.old_version), rows)
        self.assertEqual(pi.read("etc/pisink/pisink.toml"), config.read_bytes())
        self.assertTrue([call for call in pi.calls() if call.startswith("apt-get install")])

        package(source, self.new, self.new_version)
        code, rows = self.deploy("--from", source, "pi-1")
        self.assertEqual((code, rows["pi-1"]["to_version"]), (0, self.new_version), rows)
        self.assertEqual(self.status(pi)["version"], self.new_version)

        broken = self.folder / "broken.toml"
        broken.write_text("role = 3\n")
        old = next(source.glob(f"*_{self.old_version}_*"))
        arguments = ["--file", old, "--config", broken, "pi-1"]
        code, rows = self.deploy(*arguments)
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "rolled-back"), rows)
        self.assertEqual(self.status(pi)["version"], self.new_version)
        self.assertEqual(pi.read("etc/pisink/pisink.toml"), config.read_bytes())
        query = ["dpkg-query", f"--admindir={pi.root}/var/lib/dpkg", "-W", "-f", "${Version}", "pisink"]
        self.assertEqual(subprocess.run(query, capture_output=True, text=True).stdout, self.new_version)

        code, rows = self.deploy("--file", self.new, "pi-1")
        self.assertIn("as a package", rows["pi-1"]["why"])

    def test_a_first_package_that_does_not_come_up_is_removed(self):
        pi = self.site.pi("pi-1")
        broken = self.folder / "broken.toml"
        broken.write_text("role = 3\n")
        deb = package(self.folder, self.old, self.old_version)
        code, rows = self.deploy("--file", deb, "--config", broken, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "removed"), rows)
        self.assertIsNone(pi.read("usr/bin/pisink"))
        config = self.config_of(pi)
        code, rows = self.deploy("--file", deb, "--config", config, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (0, "deployed"), rows)

    def test_tarballs_go_up_and_back(self):
        pi = self.site.pi("pi-1")
        old = made_up_pi.tarball(self.folder, self.old, self.old_version)
        new = made_up_pi.tarball(self.folder, self.new, self.new_version)
        broken = self.folder / "broken.toml"
        broken.write_text("role = 3\n")
        code, rows = self.deploy("--file", old, "--config", broken, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "removed"), rows)
        self.assertEqual([path for path in pi.snapshot() if path.startswith(("usr", "etc", "var/tmp"))], [])

        self.assertEqual(self.deploy("--file", old, "--config", self.config_of(pi), "pi-1")[0], 0)
        code, rows = self.deploy("--file", new, "--config", broken, "pi-1")
        self.assertEqual((code, rows["pi-1"]["result"]), (1, "rolled-back"), rows)
        self.assertEqual(self.status(pi)["version"], self.old_version)
        code, rows = self.deploy("--file", new, "pi-1")
        self.assertEqual((code, rows["pi-1"]["to_version"]), (0, self.new_version), rows)
        self.assertEqual((self.status(pi)["version"], pi.leftovers()), (self.new_version, []))
        self.assertIn("is there as a tarball", self.deploy("--file", self.old, "pi-1")[1]["pi-1"]["why"])

    def test_the_table_is_for_people(self):
        self.site.alias("away", made_up_pi.free_port())
        process = self.begin("away")
        out, _ = process.communicate(timeout=RUN_MAX_S)
        lines = out.splitlines()
        self.assertEqual(process.returncode, 1)
        self.assertEqual(lines[0].split(), ["host", "arch", "from", "to", "result", "seconds"])
        self.assertEqual(lines[2].split()[:5], ["away", "-", "-", "-", "failed"])
        self.assertIn("  next: ", out)

    def test_wrong_usage_is_exit_code_2(self):
        for arguments in ([], ["a", "a"], ["--jobs", "0", "a"], ["--file", "/nowhere", "a"], ["--force-config", "a"]):
            with self.subTest(arguments):
                done = subprocess.run([DEPLOY, *arguments], capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
