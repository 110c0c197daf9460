"""Pis to play with."""

import contextlib
import subprocess
import sys
import time

from .errors import Failed
from .pi import MUX, tmp105

# Each takes 220 MB of memory and, idle, a third of a core.
PIS_MAX = 8


def play(bench, count, with_shell):
    """Boots `count` Pis and leaves them running until Ctrl-C, or gives the first one's shell."""
    with bench("play") as means:
        pis = [
            means.pi(f"pi-{at + 1}", [tmp105("air", 0x48), MUX, tmp105("far", 0x49, "i2c.0")]) for at in range(count)
        ]
        means.boot(*pis)
        for at, pi in enumerate(pis):
            pi.set_celsius("air", 20 + at)
            pi.network_up()
            pi.start_node("--bus pi:1 --chip tmp105@0x48")
            explain(means, pi)
        if with_shell:
            return shell(pis[0])
        print("Ctrl-C switches them off.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while all(pi.qemu.process.poll() is None for pi in pis):
                time.sleep(1)
    return 0


def explain(means, pi):
    """How to talk to a Pi."""
    socket = pi.qemu.qmp_path
    print(
        f"{pi.name}: a node with tmp105@0x48, at 127.0.0.1:{pi.port}\n"
        f"  {means.host_binary} status 127.0.0.1:{pi.port}\n"
        f"  {means.host_binary} run --role primary --bus none --peer 127.0.0.1:{pi.port} --plots plots\n"
        f"  set its temperature (QMP): {socket}, qom-set /machine/peripheral/air temperature 21500",
        flush=True,
    )


def shell(pi):
    """Takes commands from standard input and runs them on the Pi."""
    print("Commands run on the Pi. Also: celsius N sets the temperature, Ctrl-D ends.", flush=True)
    while True:
        print(f"{pi.name}# ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            print()
            return 0
        words = line.split()
        try:
            if words[:1] == ["celsius"] and len(words) == 2:
                pi.set_celsius("air", float(words[1]))
            elif words:
                print(pi.console.run(line.strip(), 600)[1], end="")
        except (Failed, ValueError) as error:
            print(error)
        except subprocess.SubprocessError as error:
            print(error)
