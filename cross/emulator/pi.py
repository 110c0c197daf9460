"""One emulated Pi 3: chips on its I2C bus, a network, perhaps an SD card; booted, spoken to, and cut from its power."""

import csv
import io
import math
import re
import socket
import subprocess
import time

from . import initramfs
from .console import Console
from .errors import Failed, SetupError
from .qemu import Qemu

BOOT_LIMIT_S = 120
NODE_PORT = 7001
# Where a Pi gives what is fetched from it.
FETCH_PORT = 7002
# The address that QEMU's user network expects a Pi to have.
ADDRESS = "10.0.2.15"
SD_BYTES = 256 * 2**20
EXPORT = "pisink export --data /data/pisink --format csv"
KERNEL_WORDS = "console=ttyS1,115200 panic=-1 quiet loglevel=2"

# QEMU's devices. The bus of pins 3 and 5 is the second; behind the multiplexer are i2c.0 to i2c.3.
MUX_ADDRESS = 0x70
MAIN_BUS = "i2c-bus.1"
MUX = f"pca9546,id=mux,bus={MAIN_BUS},address={MUX_ADDRESS:#x}"


def tmp105(name, address, bus=MAIN_BUS):
    """A TMP105, which a TMP102 and an LM75 resemble; its temperature is set by `Pi.set_celsius`."""
    return f"tmp105,id={name},bus={bus},address={address:#x}"


class Lab:
    """What the Pis of one run share: the parts, the initramfs, folders, and the Pis themselves."""

    def __init__(self, parts, binary, run_folder, log_folder):
        self.parts, self.binary = parts, binary
        self.run_folder, self.log_folder = run_folder, log_folder
        self.pis = []
        self.initrd = run_folder / "initrd"
        self.initrd.write_bytes(initramfs.build(parts, binary))

    def pi(self, name, chips, **options):
        """A Pi that is not switched on yet."""
        pi = Pi(self, name, chips, **options)
        self.pis.append(pi)
        return pi

    def boot(self, *pis):
        """Switches Pis on and waits until all are up."""
        for pi in pis:
            pi.switch_on()
        for pi in pis:
            pi.await_boot()

    def close(self):
        """Cuts every Pi's power."""
        for pi in self.pis:
            pi.cut_power()
        self.pis.clear()


class Pi:
    """One Pi. `port` on this machine leads to its node."""

    def __init__(self, lab, name, chips, sd=False, lan=None, is_reachable=True):
        self.lab, self.name, self.chips = lab, name, chips
        self.port, self.fetch_port = free_port(), free_port()
        # The first byte is QEMU's own choice.
        self.mac, self.lan_mac = (f"54:00:00:{kind:02x}:{len(lab.pis) + 1:02x}" for kind in (1, 2))
        # A second interface: its address, and QEMU's words for the network that it leads to.
        self.lan = lan
        self.is_reachable = is_reachable
        self.sd = lab.run_folder / f"{name}.sd" if sd else None
        self.qemu = self.console = None
        if sd:
            make_card(lab.parts, self.sd)

    def switch_on(self):
        """Starts the machine; `await_boot` waits until it is up."""
        guest = self.lab.parts.guest
        words = f"{KERNEL_WORDS} pi.name={self.name}" + (" pi.sd=1" if self.sd else "")
        arguments = [
            "-M", "raspi3b", "-accel", "tcg,thread=single", "-display", "none", "-no-reboot", "-nodefaults",
            "-serial", "null", "-serial", "stdio", "-kernel", str(guest / "vmlinuz"),
            "-dtb", str(next(guest.glob("*.dtb"))), "-initrd", str(self.lab.initrd), "-append", words,
            *self.chip_words(),
            "-netdev", self.world(), "-device", f"usb-net,id=nic,netdev=world,mac=52:{self.mac}",
        ]  # fmt: skip
        if self.lan:
            arguments += [*self.lan[1], "-device", f"usb-net,id=lan-nic,netdev=lan,mac=52:{self.lan_mac}"]
        if self.sd:
            arguments += ["-drive", f"if=sd,format=raw,file={self.sd}"]
        self.qemu = Qemu(self.lab.parts, self.name, arguments, self.lab.run_folder, self.lab.log_folder)
        log = (self.lab.log_folder / f"{self.name}.console").open("a")
        process = self.qemu.process
        self.console = Console(self.name, process.stdout, process.stdin, log)

    def world(self):
        """QEMU's user network: this machine reaches the Pi's two ports, and the Pi reaches nothing."""
        ports = ((self.port, NODE_PORT), (self.fetch_port, FETCH_PORT))
        rules = (f"hostfwd={forward(*pair)}" for pair in ports if pair != (self.port, NODE_PORT) or self.is_reachable)
        return ",".join(("user,id=world,restrict=on", *rules))

    def make_reachable(self):
        """Opens the way to the node's port, for a Pi made with `is_reachable=False`; until then it is refused."""
        said = self.qemu.command(
            "human-monitor-command", **{"command-line": f"hostfwd_add world {forward(self.port, NODE_PORT)}"}
        )
        if said.strip():
            raise Failed(f"QEMU does not forward port {self.port}: {said.strip()}")

    def chip_words(self):
        """QEMU's arguments for the chips; one that is a pair has an image behind it."""
        words = []
        for chip in self.chips:
            device, drive = chip if isinstance(chip, tuple) else (chip, None)
            words += (["-drive", drive] if drive else []) + ["-device", device]
        return words

    def await_boot(self):
        """Waits until the guest takes commands."""
        self.console.wait(r"^@ready", BOOT_LIMIT_S)

    def cut_power(self):
        """The plug is pulled: what was not on the card is gone."""
        if self.qemu:
            self.qemu.kill()
            self.qemu = None

    def sh(self, command, limit_s=60):
        """Runs a command on the Pi and returns its output; a status other than 0 fails."""
        status, output = self.console.run(command, limit_s)
        if status != 0:
            raise Failed(f"{self.name}: `{command}` ended with {status}: {output.strip()[-600:]}")
        return output

    def network_up(self):
        """Brings the network up; returns this machine's monotonic time of the moment, in seconds."""
        begin = len(self.console.lines)
        self.sh(f"network {ADDRESS} {self.mac}")
        if self.lan:
            self.sh(f"network {self.lan[0]} {self.lan_mac}")
        return self.console.wait(r"^@net", 1, begin)[1]

    def network(self, up):
        """Pulls the network's plug, or puts it in again."""
        self.qemu.command("set_link", name="nic", up=up)

    def set_clock(self):
        """Sets the Pi's clock, which starts in 1970, as network time would."""
        self.sh(f"date -u -s @{time.time():.0f}")

    def start_node(self, *arguments, role="secondary"):
        """Starts pisink as on any Pi; returns once it is up."""
        self.sh(f"node --role {role} --name {self.name} --listen 0.0.0.0:{NODE_PORT} {' '.join(arguments)}")
        # It listens (state 0A, on any address), and its store is made.
        is_up = f"grep -q '00000000:{NODE_PORT:04X} 00000000:0000 0A' /proc/net/tcp && {EXPORT} >/dev/null 2>&1"
        self.sh(f'timeout 60 sh -c "until {is_up}; do sleep 0.1; done" || {{ tail -n 20 /run/node.log; false; }}', 90)

    def node_log(self):
        """What the node has logged; nothing, when the Pi is off."""
        return self.console.run("cat /run/node.log", 20)[1] if self.qemu else ""

    def set_celsius(self, chip, celsius):
        """Sets what a TMP105 measures, in sixteenths of a degree."""
        # Away from zero: QEMU cuts off what is left of the chip's smallest step.
        millis = math.copysign(math.ceil(abs(celsius) * 1000), celsius)
        self.qemu.command("qom-set", path=f"/machine/peripheral/{chip}", property="temperature", value=int(millis))

    def plug(self, is_in):
        """Connects the first bus behind the multiplexer, or cuts it off."""
        self.sh(f"i2ctransfer -y 1 w1@{MUX_ADDRESS:#x} {int(is_in):#04x}")

    def fetch(self, command, limit_s=120):
        """The standard output of a command on the Pi, brought over the network, whole and checked."""
        is_ready = f"grep -q ':{FETCH_PORT:04X} 0*:0000 0A' /proc/net/tcp /proc/net/tcp6"
        listen = f"nc -l -p {FETCH_PORT} </tmp/fetched >/dev/null & until {is_ready}; do sleep 0.05; done"
        said = self.sh(f"{command} >/tmp/fetched && wc -c </tmp/fetched && {{ {listen}; }}", limit_s)
        size = int(re.findall(r"^\d+", said, re.MULTILINE)[-1])
        received = bytearray()
        try:
            with socket.create_connection(("127.0.0.1", self.fetch_port), timeout=limit_s) as link:
                while len(received) < size and (data := link.recv(65536)):
                    received.extend(data)
        except OSError as error:
            raise Failed(f"{self.name}: {error} while fetching the output of `{command}`") from error
        if len(received) != size:
            raise Failed(f"{self.name}: {len(received)} of {size} bytes of `{command}` came over the network")
        return bytes(received)

    def journal(self):
        """What is in this Pi's store, as rows of its export."""
        text = self.fetch(EXPORT).decode()
        return list(csv.DictReader(io.StringIO(text)))


def forward(port, at):
    """A rule of QEMU's: this machine's `port` leads to the Pi's port `at`."""
    return f"tcp:127.0.0.1:{port}-{ADDRESS}:{at}"


def make_card(parts, path):
    """An SD card with an empty ext4 on it."""
    with path.open("wb") as card:
        card.truncate(SD_BYTES)
    command = ["mkfs.ext4", "-q", "-F", "-L", "pisink", str(path)]
    try:
        done = subprocess.run(command, env=parts.environment(), capture_output=True, text=True, check=False)
    except OSError as error:
        raise SetupError(f"mkfs.ext4 cannot be run: {error}") from error
    if done.returncode != 0:
        raise SetupError(f"mkfs.ext4 failed: {done.stderr.strip()}")


def free_port():
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
