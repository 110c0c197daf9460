"""A Net_Node of auto-pi-lot, told by lines what to send; what it hears it says.

    autopilot_node.py ID UPSTREAM PORT [ROUTER_PORT]

    send TO KEY JSON      a message that wants a receipt; `said ID`
    tell TO KEY JSON      one that wants none
    path A,B,C KEY JSON   by an explicit path
    array TO COUNT raw|blosc    DATA with a numpy array of 0, 0.5, 1, ... and x: 7
    stream KEY COUNT MIN  a stream of {"n": 0}, {"n": 1}, ...; once more, and so many more follow
    end
Heard messages, receipts among them: `heard KEY JSON`.
"""

import itertools
import json
import os
import pathlib
import sys

from autopilot import prefs

here = pathlib.Path.home()
prefs.init({"AGENT": "pilot", "NAME": sys.argv[1], "LOGDIR": str(here), "DATADIR": str(here), "MSGPORT": 0,
            "LOGLEVEL": "ERROR", "LOGNUM": 1, "LOGSIZE": 1000000, "PUSHPORT": 0, "TERMINALIP": "127.0.0.1",
            "SOUNDDIR": str(here)})

import numpy as np  # noqa: E402  (Autopilot's settings have to be there before its classes)
from autopilot.networking import Net_Node  # noqa: E402

KEYS = ["CONFIRM", "STATE", "LATEST", "ERROR", "DATA", "CONTINUOUS", "PING", "START", "STOP", "PARAM", "FILE", "COHERE"]


# Autopilot sends what its stream holds only when another item comes.
STREAM = []
NUMBERS = itertools.count()


def say(*words):
    """In one piece, for two threads say something."""
    sys.stdout.write(" ".join(words) + "\n")


def heard(key):
    return lambda value: say("heard", key, json.dumps(value, default=str))


def main():
    name, upstream, port = sys.argv[1:4]
    router = int(sys.argv[4]) if len(sys.argv) > 4 else None
    node = Net_Node(id=name, upstream=upstream, port=int(port), router_port=router, instance=False,
                    listens={key: heard(key) for key in KEYS})
    say("ready")
    for line in sys.stdin:
        words = line.split(None, 3)
        if words[0] == "end":
            say("done end")
            break
        act(node, words)
    # Threads of Autopilot would keep the process.
    os._exit(0)


def act(node, words):
    if words[0] in ("send", "tell", "path"):
        to, key, value = words[1], words[2], json.loads(words[3])
        to = to.split(",") if words[0] == "path" else to
        node.send(to=to, key=key, value=value, repeat=words[0] != "tell")
        say("said", f"{node.id}_{next(node.msg_counter) - 1}")
    elif words[0] == "array":
        array = np.arange(int(words[2])) * 0.5
        node.send(to=words[1], key="DATA", value={"pilot": node.id, "frame": array, "x": 7}, repeat=True,
                  blosc=words[3].strip() == "blosc")
        say("said array")
    elif words[0] == "stream":
        if not STREAM:
            STREAM.append(node.get_stream("video", words[1], min_size=int(words[3])))
        for _ in range(int(words[2])):
            STREAM[0].append({"n": next(NUMBERS)})
        say("said stream")


main()
