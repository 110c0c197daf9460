"""A station of auto-pi-lot, told by lines what to send; what it hears it says.

    autopilot_station.py terminal T PORT
    autopilot_station.py pilot NAME PORT TERMINAL_PORT

    send TO KEY JSON    by its ROUTER, to somebody below
    push TO KEY JSON    by its DEALER, to somebody above (pilot)
    outbox              `outbox IDS`: what has no receipt
    end
Heard messages: `heard SENDER KEY JSON`.
"""

import json
import os
import pathlib
import sys
import threading
import time

from autopilot import prefs

kind, name, port = sys.argv[1:4]
here = str(pathlib.Path.home())
prefs.init({"AGENT": kind, "NAME": name, "LOGDIR": here, "DATADIR": here, "MSGPORT": int(port), "LOGLEVEL": "ERROR",
            "LOGNUM": 1, "LOGSIZE": 1000000, "PUSHPORT": int(sys.argv[4]) if len(sys.argv) > 4 else 0,
            "TERMINALIP": "127.0.0.1", "SOUNDDIR": here, "LINEAGE": "NONE", "PING_INTERVAL": 3600, "DRAWFPS": 20})

from autopilot.networking import Pilot_Station, Terminal_Station  # noqa: E402  (after the settings)


def main():
    station = Terminal_Station({}) if kind == "terminal" else Pilot_Station()
    for key, listen in list(station.listens.items()):
        station.listens[key] = telling(key, listen)
    station.listens.setdefault("ERROR", telling("ERROR", lambda msg: None))
    station.listens.setdefault("LATEST", telling("LATEST", lambda msg: None))
    # Its class is a process; run here, it can be watched.
    threading.Thread(target=station.run, daemon=True).start()
    while station.loop is None or isinstance(station.pusher, bool) and station.pusher:
        time.sleep(0.01)
    time.sleep(0.1)
    sys.stdout.write("ready\n")
    for line in sys.stdin:
        words = line.split(None, 3)
        if words[0] == "end":
            break
        if words[0] == "outbox":
            print("outbox", " ".join(sorted([*station.send_outbox, *station.push_outbox])), flush=True)
            continue
        act = station.send if words[0] == "send" else station.push
        station.loop.add_callback(act, to=words[1], key=words[2], value=json.loads(words[3]))
        sys.stdout.write("said\n")
    sys.stdout.write("done end\n")
    sys.stdout.flush()
    os._exit(0)


def telling(key, listen):
    def tell(msg):
        sys.stdout.write(f"heard {msg.sender} {key} {json.dumps(msg.value, default=str)}\n")
        sys.stdout.flush()
        try:
            listen(msg)
        except Exception as error:  # what its own code does with it is not what is looked at
            print("failed", key, error, file=sys.stderr, flush=True)
    return tell


main()
