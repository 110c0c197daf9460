"""scripts/adhoc in a made-up Wi-Fi, and with the real `ip` on a link in a network namespace of its own."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from made_up_pi import PROJECT
from made_up_wifi import HOME, Killed, World

ADHOC = PROJECT / "scripts" / "adhoc"
NAMESPACE = ["unshare", "--map-root-user", "--net"]
PASSPHRASE = r"a long \ phrase"


def load(root):
    """The script as a module whose / is `root`."""
    with mock.patch.dict(os.environ, PISINK_ROOT=str(root)):
        loader = importlib.machinery.SourceFileLoader("adhoc", str(ADHOC))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("adhoc", loader))
        loader.exec_module(module)
    module.shutil = mock.Mock(which=lambda program: f"/usr/sbin/{program}")
    return module


class Adhoc(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="pisink-test-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.adhoc = load(self.root)
        # Outside of `root`, where nothing of it may be left.
        secret = tempfile.NamedTemporaryFile("w", prefix="pisink-test-", delete=False)
        self.addCleanup(os.unlink, secret.name)
        with secret:
            secret.write(f"{PASSPHRASE}\n")
        self.secret = secret.name

    def world(self, driver="ath9k_htc", **how):
        """A made-up Wi-Fi for the script."""
        folder = self.root / "sys/class/net/wlan0/device"
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "driver").symlink_to(f"/nowhere/{driver}")
            target = self.root / "drivers" / driver
            target.mkdir(parents=True)
            (folder / "driver").unlink()
            (folder / "driver").symlink_to(target)
        world = World(self.adhoc.Refused, **how)
        self.adhoc.run = world.run
        return world

    def call(self, *arguments):
        """Exit code, and what it says."""
        said = io.StringIO()
        command = ["adhoc", *arguments, *([] if "--undo" in arguments else ["--name", "pi-3"])]
        signals = mock.patch.object(self.adhoc.signal, "signal")
        with mock.patch.object(sys, "argv", command), signals:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = self.adhoc.main()
        return code, said.getvalue()

    def files(self):
        """All that lies in the made-up root, but for what was there at the start."""
        found = (path for path in self.root.rglob("*") if path.is_file() and "sys" not in path.parts)
        return sorted(str(path.relative_to(self.root)) for path in found)

    def ways(self):
        """The kinds of set-up: a name, the world, the arguments."""
        wifi = ["--passphrase-file", self.secret]
        return {
            "ibss": ({}, ["--apply"]),
            "ibss for good": ({}, ["--apply", "--persist"]),
            "ibss without NetworkManager": ({"manager": False}, ["--apply"]),
            "ap": ({"modes": ("managed", "AP")}, ["--apply", "--mode", "ap", *wifi]),
            "ap for good, shared": (
                {"modes": ("managed", "AP")},
                ["--apply", "--mode", "ap", "--node", "1", "--share", "--persist", *wifi],
            ),
            "ap on a link in use": (
                {"active": HOME, "default": True},
                ["--apply", "--mode", "ap", "--take", "wlan0", *wifi],
            ),
            "ibss on a link in use": ({"active": HOME}, ["--apply", "--take", "wlan0"]),
            "join": ({"modes": ("managed", "AP")}, ["--apply", *wifi]),
        }

    def test_a_cell_is_made_and_undone(self):
        world = self.world()
        before = world.snapshot()
        code, said = self.call("--apply", "--nodes", "pi-1", "pi-2")
        self.assertEqual(code, 0, said)
        state = world.state
        self.assertEqual((state["cell"], state["addresses"]), (("pisink-site", "2437"), ["10.77.1.3/16"]))
        self.assertEqual((state["power_save"], state["managed"]), ("off", "no"))
        self.assertIn("--peer 10.77.1.1:7001 --peer 10.77.1.2:7001", said)
        self.assertIn("on the primary:  --peer 10.77.1.3:7001", said)
        self.assertEqual(self.call("--undo")[0], 0)
        self.assertEqual((world.snapshot(), self.files()), (before, []))

    def test_every_way_is_undone_whole(self):
        for name, (how, arguments) in self.ways().items():
            with self.subTest(name):
                world = self.world(**how)
                before = world.snapshot()
                code, said = self.call(*arguments)
                self.assertEqual(code, 0, said)
                self.assertNotEqual((world.snapshot(), self.files()), (before, []))
                self.assertEqual(self.call(*arguments)[0], 1, "twice must be refused")
                self.assertEqual(self.call("--undo")[0], 0)
                self.assertEqual((world.snapshot(), self.files()), (before, []))

    def test_a_failure_at_any_step_leaves_nothing(self):
        for name, (how, arguments) in self.ways().items():
            world = self.world(**how)
            self.call(*arguments)
            count = len(world.commands)
            self.call("--undo")
            for step in range(count):
                with self.subTest(f"{name}, step {step}"):
                    world = self.world(**how)
                    before, world.fail_at = world.snapshot(), step
                    code, said = self.call(*arguments)
                    self.assertEqual(code, 1, said)
                    self.assertIn("undone; nothing of it is left", said)
                    self.assertEqual((world.snapshot(), self.files()), (before, []))

    def test_undo_takes_back_what_a_killed_apply_had_begun(self):
        for name, (how, arguments) in self.ways().items():
            for when in ("kill_before", "kill_after"):
                for step in range(20):
                    with self.subTest(f"{name}, {when} step {step}"):
                        world = self.world(**how)
                        before = world.snapshot()
                        setattr(world, when, step)
                        try:
                            self.call(*arguments)
                        except Killed:
                            pass
                        else:
                            setattr(world, when, None)
                            self.call("--undo")
                            break  # fewer steps than that
                        code, said = self.call("--undo")
                        self.assertEqual(code, 0, said)
                        self.assertEqual((world.snapshot(), self.files()), (before, []))

    def test_what_cannot_be_undone_stays_on_record(self):
        for step in range(6):
            with self.subTest(step):
                world = self.world()
                before = world.snapshot()
                self.call("--apply")
                world.fail_at = len(world.commands) + step
                code, said = self.call("--undo")
                self.assertEqual(code, 1, said)
                self.assertIn("could not be undone", said)
                self.assertEqual(self.call("--undo")[0], 0)
                self.assertEqual((world.snapshot(), self.files()), (before, []))

    def test_a_plan_changes_nothing_and_shows_no_passphrase(self):
        for name, (how, arguments) in self.ways().items():
            with self.subTest(name):
                world = self.world(**how)
                before = world.snapshot()
                code, said = self.call(*arguments[1:])
                self.assertEqual(code, 0, said)
                self.assertIn("Nothing was done.", said)
                self.assertNotIn(PASSPHRASE, said)
                self.assertEqual((world.snapshot(), world.commands, self.files()), (before, [], []))

    def test_the_plan_of_a_cell(self):
        self.world()
        code, said = self.call("--channel", "11", "--ssid", "field", "--persist")
        self.assertEqual(code, 0)
        steps = [line.split(". ", 1)[1] for line in said.splitlines() if re.match(r" +\d+\. ", line)]
        conf, unit = (
            self.root / "etc/NetworkManager/conf.d/pisink-adhoc.conf",
            "etc/systemd/system/pisink-adhoc.service",
        )
        self.assertEqual(
            steps,
            [
                f"write {conf} (644):",
                "nmcli device set wlan0 managed no",
                "ip link set dev wlan0 down",
                "iw dev wlan0 set type ibss",
                "ip link set dev wlan0 up",
                "iw dev wlan0 ibss join field 2462 fixed-freq 02:70:69:73:6e:6b",
                "ip address add 10.77.1.3/16 dev wlan0",
                "iw dev wlan0 set power_save off",
                f"write {self.root / unit} (644):",
                "systemctl enable pisink-adhoc.service",
            ],
        )
        self.assertIn("ExecStart=/usr/sbin/iw dev wlan0 set type ibss", said)
        self.assertIn("It is open", said)

    def test_the_passphrase_is_in_a_file_for_root_and_in_no_command(self):
        world = self.world(modes=("managed", "AP"))
        self.call("--apply", "--mode", "ap", "--passphrase-file", self.secret)
        file = self.root / "run/NetworkManager/system-connections/pisink-ap.nmconnection"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertIn("psk=a\\slong\\s\\\\\\sphrase\n", file.read_text())
        self.assertFalse([line for line in world.commands if "phrase" in line])
        state = (self.root / "run/pisink-adhoc/state.json").read_text()
        self.assertNotIn("phrase", state)

    @unittest.skipUnless(shutil.which("nmcli"), "no nmcli: apt-get install network-manager")
    def test_the_real_nmcli_reads_our_connections(self):
        for arguments in (
            ["--mode", "ap", "--node", "1", "--share"],
            ["--mode", "ap", "--channel", "36", "--wpa", "3"],
            ["--mode", "join"],
        ):
            with self.subTest(arguments):
                self.world(modes=("managed", "AP"))
                self.call("--apply", "--passphrase-file", self.secret, *arguments)
                text = next((self.root / "run/NetworkManager").rglob("*.nmconnection")).read_text()
                command = ["nmcli", "--offline", "connection", "modify", "connection.autoconnect-priority", "100"]
                done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                for line in text.splitlines():
                    if not line.startswith("psk"):
                        self.assertIn(line, done.stdout)
                self.assertIn("psk=a long \\\\ phrase\n", done.stdout)
                self.call("--undo")

    def test_the_pis_own_wifi_is_not_trusted_with_a_cell(self):
        self.world(driver="brcmfmac")
        code, said = self.call()
        self.assertEqual(code, 0)
        self.assertIn("brcmfmac (the Pi's own Wi-Fi) lists IBSS", said)
        self.assertIn("pisink-join.nmconnection", said)
        self.assertIn("pisink-ap.nmconnection", self.call("--node", "1")[1])
        self.assertIn("ibss join", self.call("--mode", "ibss")[1])

    def test_what_is_not_ours_is_left_alone(self):
        for how, words in (
            ({"active": HOME}, "has the connection 'home'"),
            ({"default": True}, "carries the default route"),
            ({"active": HOME, "default": True}, "--take wlan0"),
        ):
            with self.subTest(how):
                world = self.world(**how)
                code, said = self.call("--apply")
                self.assertEqual((code, world.commands, self.files()), (1, [], []))
                self.assertIn(words, said)
        self.world(default=True)
        self.assertEqual(self.call("--apply", "--take", "eth0")[0], 1)

    def test_refusals_say_what_to_do(self):
        for how, arguments, words in (
            ({"modes": ("managed", "AP")}, ["--mode", "ibss"], "offers no IBSS, only managed, AP"),
            ({"modes": ("managed",)}, ["--mode", "ap"], "cannot be an access point"),
            ({"modes": ("managed", "AP"), "manager": False}, [], "install network-manager"),
            ({"modes": ("managed", "AP")}, ["--apply", "--mode", "ap"], "--passphrase-file"),
            ({}, ["--share"], "--share is for an access point with number 1"),
            ({}, ["--interface", "wlan7"], "--interface wlan0"),
            ({}, ["--nodes", "attic-3"], "both be number 3"),
            ({"active": ("pisink-x", "1-2")}, ["--network", "192.168.0.0/16"], "192.168.1.7 on wlan0 is in"),
        ):
            with self.subTest(arguments):
                world = self.world(**how)
                with mock.patch.object(sys, "stdin", io.StringIO()):
                    code, said = self.call(*arguments)
                self.assertEqual((code, world.commands), (1, []), said)
                self.assertIn(words, said)
        blocked = self.root / "sys/class/rfkill/rfkill0"
        blocked.mkdir(parents=True)
        (blocked / "type").write_text("wlan\n")
        (blocked / "soft").write_text("1\n")
        self.world()
        self.assertIn("do_wifi_country", self.call()[1])

    def test_wrong_usage_is_exit_code_2(self):
        for arguments in (
            ["--channel", "14"],
            ["--ssid", "a b"],
            ["--network", "10.0.0.0/8"],
            ["--node", "255"],
            ["x"],
        ):
            with self.subTest(arguments):
                done = subprocess.run([ADHOC, *arguments], capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_numbers_come_from_names_and_differ(self):
        numbers = self.adhoc.numbers
        self.assertEqual(numbers(["pi-3", "greenhouse12"], {}), {"pi-3": 3, "greenhouse12": 12})
        hashed = numbers(["roof", "pi-999", "pi-0"], {})
        self.assertTrue(all(1 <= number <= 254 for number in hashed.values()))
        self.assertEqual(hashed, numbers(["roof", "pi-999", "pi-0"], {}))
        self.assertEqual(numbers(["roof"], {"roof": 9}), {"roof": 9})


def namespaces():
    """Whether this machine lets us have a network of our own, with a link in it."""
    command = [*NAMESPACE, "ip", "link", "add", "wlan0", "type", "veth", "peer", "name", "other"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@unittest.skipUnless(namespaces(), "no network namespaces with veth links here; root has them on most machines")
class RealIp(unittest.TestCase):
    """The real `ip` on a link called wlan0; iw is made up, NetworkManager is not there."""

    IW = """#!/bin/sh
case $* in
dev) printf 'phy#0\\n\\tInterface wlan0\\n' ;;
"phy phy0 info") printf '\\tSupported interface modes:\\n\\t\\t * IBSS\\n\\t\\t * managed\\n' ;;
*get*) echo "Power save: on" ;;
*) echo "iw $*" ;;
esac
"""

    def test_apply_and_undo(self):
        with tempfile.TemporaryDirectory(prefix="pisink-test-") as scratch:
            root = pathlib.Path(scratch)
            (root / "bin").mkdir()
            (root / "bin/iw").write_text(self.IW)
            (root / "bin/nmcli").write_text("#!/bin/sh\nexit 8\n")  # as when it does not run
            for program in ("iw", "nmcli"):
                (root / "bin" / program).chmod(0o755)
            look = "ip -brief address show dev wlan0 | sed 's/fe80[^ ]* *//'"
            script = f"""
                ip link add wlan0 type veth peer name other; ip link set other up; {look}
                {sys.executable} {ADHOC} --apply --name pi-3 >&2; {look}; ip route get 10.77.1.9 | head -n 1
                {sys.executable} {ADHOC} --apply --name pi-3 >&2 || echo refused
                {sys.executable} {ADHOC} --undo >&2; {look}; ip link del wlan0; cd {root}; find run var 2>&1
            """
            path = f"{root}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
            done = subprocess.run(
                [*NAMESPACE, "sh", "-eu", "-c", script.replace("find run var 2>&1", "find . -name 'state*'")],
                env={**os.environ, "PATH": path, "PISINK_ROOT": str(root)},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            words = [line.split()[:3] for line in done.stdout.splitlines()]
            self.assertEqual(words[0][1:], ["DOWN"], done)
            self.assertEqual(words[1][1:], ["UP", "10.77.1.3/16"], done)
            self.assertEqual(words[2], ["10.77.1.9", "dev", "wlan0"])
            self.assertEqual(words[3], ["refused"])
            self.assertEqual(words[4][1:], ["DOWN"], done)
            self.assertEqual(len(words), 5, done.stdout)
