"""A made-up Pi's Wi-Fi: answers what scripts/adhoc asks of iw, ip, nmcli and systemctl, and changes as it is told.

A command that the real program would refuse in that state is refused here too, so that a wrong order is caught.
"""

import copy
import json
import pathlib
import re

HOME = ("home", "11111111-2222-3333-4444-555555555555")

IW_PHY = """Wiphy phy0
\twiphy index: 0
\tmax # scan SSIDs: 10
\tSupported Ciphers:
\t\t * CCMP-128 (00-0f-ac:4)
\tSupported interface modes:
{modes}
\tBand 1:
\t\tCapabilities: 0x1062
\tSupported commands:
\t\t * new_interface
"""


class Killed(BaseException):
    """kill -9 has ended the script here."""


class World:
    """The state of one interface, of NetworkManager and of systemd."""

    def __init__(self, refuse, modes=("managed", "AP", "IBSS"), manager=True, active=None, default=False):
        self.refuse = refuse  # raises the script's own error
        self.modes, self.manager, self.default = modes, manager, default
        self.state = {
            "type": "managed",
            "up": True,
            "cell": None,
            "power_save": "on",
            "addresses": ["192.168.1.7/24"] if active else [],
            "managed": "yes" if manager else "no",
            "active": active,
            "connections": {HOME[1]: "home"},
            "enabled": [],
        }
        self.commands = []  # those that change something
        self.fail_at = self.kill_before = self.kill_after = None

    def snapshot(self):
        return copy.deepcopy(self.state)

    def run(self, argv, check=True):
        """Takes the place of the script's `run`."""
        line = " ".join(argv)
        answer = self.ask(line)
        if answer is not None:
            return answer
        number = len(self.commands)
        self.commands.append(line)
        if number == self.kill_before:
            raise Killed
        if number == self.fail_at:
            raise self.refuse(f"`{line}` failed: made up")
        self.change(line)
        if number == self.kill_after:
            raise Killed
        return ""

    def ask(self, line):
        """The answer to a question, or None when it is none."""
        state = self.state
        address = [{"local": one.split("/")[0], "scope": "global"} for one in state["addresses"]]
        link = {"ifname": "wlan0", "flags": ["BROADCAST", *(["UP"] if state["up"] else [])], "addr_info": address}
        known = {
            "iw dev": f"phy#0\n\tInterface wlan0\n\t\tifindex 3\n\t\ttype {state['type']}\n",
            "iw phy phy0 info": IW_PHY.format(modes="\n".join(f"\t\t * {mode}" for mode in self.modes)),
            "iw dev wlan0 get power_save": f"Power save: {state['power_save']}\n",
            "ip -json address show": json.dumps([{"ifname": "lo", "flags": ["UP"]}, link]),
            "ip -json route show default": json.dumps([{"dst": "default", "dev": "wlan0"}] if self.default else []),
            "nmcli -t -f RUNNING general": "running\n" if self.manager else "not running\n",
            "nmcli -t -f DEVICE,STATE device": f"wlan0:{'disconnected' if state['managed'] == 'yes' else 'unmanaged'}\n",
            "nmcli -t -f DEVICE,NAME,UUID connection show --active": (
                f"wlan0:{state['active'][0]}:{state['active'][1]}\n" if state["active"] else "eth0:wired\\: a:1-2\n"
            ),
        }
        return known.get(line)

    def change(self, line):
        """Does what a command does."""
        for pattern, action in ACTIONS:
            match = re.fullmatch(pattern, line)
            if match:
                if action(self.state, *match.groups()) is False:
                    raise self.refuse(f"`{line}` failed: not in this state: {self.state}")
                return
        raise AssertionError(f"nobody knows this command: {line}")


def set_link(state, word):
    state["up"] = word == "up"
    if not state["up"]:
        state["cell"] = None


def set_type(state, word):
    if state["up"]:
        return False  # as the kernel: EBUSY
    state["type"] = word


def join(state, ssid, frequency):
    if state["type"] != "ibss" or not state["up"] or state["managed"] == "yes":
        return False
    state["cell"] = (ssid, frequency)


def add_address(state, address):
    if address in state["addresses"]:
        return False
    state["addresses"].append(address)


def delete_address(state, address):
    state["addresses"] = [one for one in state["addresses"] if one != address]


def load(state, path):
    text = pathlib.Path(path).read_text()
    state["connections"][re.search(r"(?m)^uuid=(.*)$", text)[1]] = path


def connection_up(state, key):
    if key not in state["connections"] or state["managed"] != "yes":
        return False
    name = state["connections"][key]
    state["active"] = HOME if name == "home" else ("pisink-ap", key)
    state["addresses"] = ["192.168.1.7/24"] if name == "home" else ["10.77.1.1/16"]


def connection_down(state, key):
    if not state["active"] or state["active"][1] != key:
        return False
    state["active"], state["addresses"] = None, []


def reload(state):
    known = state["connections"]
    for key in [key for key, path in known.items() if path != "home" and not pathlib.Path(path).exists()]:
        del known[key]
        if state["active"] and state["active"][1] == key:
            state["active"], state["addresses"] = None, []


def put(name):
    return lambda state, word: state.__setitem__(name, word)


ACTIONS = (
    (r"ip link set dev wlan0 (up|down)", set_link),
    (r"iw dev wlan0 set type (\w+)", set_type),
    (r"iw dev wlan0 ibss join (\S+) (\d+) fixed-freq [\da-f:]{17}", join),
    (r"iw dev wlan0 set power_save (on|off)", put("power_save")),
    (r"ip address add (\S+) dev wlan0", add_address),
    (r"ip address flush dev wlan0 to (\S+)", delete_address),
    (r"nmcli device set wlan0 managed (yes|no)", put("managed")),
    (r"nmcli connection load (\S+)", load),
    (r"nmcli --wait 45 connection up uuid (\S+)", connection_up),
    (r"nmcli --wait 45 connection down uuid (\S+)", connection_down),
    (r"nmcli connection reload", reload),
    (r"systemctl enable (\S+)", lambda state, unit: state["enabled"].append(unit)),
    (
        r"systemctl disable (\S+)",
        lambda state, unit: state["enabled"].remove(unit) if unit in state["enabled"] else False,
    ),
)
