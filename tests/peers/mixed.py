"""One guest of a mixed site, of any kind: each sends a temperature at every line of its standard input.

    mixed.py script|jsocket|pyre|autopilot NAME HOST PORT     each line is the value; says `done VALUE`

A `script` sends line JSON with the standard library alone; `jsocket` is a client of the real library, `pyre` a node of
the real pyre, which finds the sink by its beacon, and `autopilot` a Net_Node of auto-pi-lot. It says `ready` first, and
ends at `end`.
"""

import json
import os
import pathlib
import socket
import sys
import time


def script(name, host, port):
    link = socket.create_connection((host, port))
    return lambda value: link.sendall((json.dumps({"sender": name, "msg": {"temperature": value}}) + "\r").encode())


def jsocket_client(name, host, port):
    import jsocket

    client = jsocket.JsonClient(address=host, port=port)
    client.connect()
    return lambda value: client.send_obj({"name": name, "temperature": value})


def pyre_node(name, _host, _port):
    from pyre import Pyre

    node = Pyre(name)
    node.start()
    # What the sink is called says its header; it is told of once it has been heard.
    sink = None
    while sink is None:
        kind, peer, _name, *rest = node.recv()
        if kind == b"ENTER" and json.loads(rest[0]).get("pisink-role") == "primary":
            sink = __import__("uuid").UUID(bytes=peer)
    return lambda value: node.whispers(sink, json.dumps({"temperature": value}))


def net_node(name, _host, port):
    from autopilot import prefs

    home = str(pathlib.Path.home())
    prefs.init({"AGENT": "pilot", "NAME": name, "LOGDIR": home, "DATADIR": home, "LOGLEVEL": "ERROR", "LOGNUM": 1,
                "LOGSIZE": 1000000})
    from autopilot.networking import Net_Node

    node = Net_Node(id=name, upstream="T", port=port, instance=False, listens={})
    return lambda value: node.send("T", "DATA", {"pilot": name, "temperature": value}, repeat=True)


KINDS = {"script": script, "jsocket": jsocket_client, "pyre": pyre_node, "autopilot": net_node}


def main():
    kind, name, host, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    tell = KINDS[kind](name, host, port)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        tell(float(line))
        print("done", line.strip(), flush=True)
    # What the libraries' threads have still to send goes first; then they would keep the process.
    time.sleep(0.5)
    print("done end", flush=True)
    os._exit(0)


main()
