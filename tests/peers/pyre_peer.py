"""A pyre of its own: says what happens by lines of JSON, and does what it is told by lines.

    join GROUP | leave GROUP | shout GROUP TEXT | whisper NAME TEXT | many NAME COUNT | end
"""

import json
import sys
import threading
import uuid

import zmq
from pyre import Pyre


def tell(**fields):
    print(json.dumps(fields), flush=True)


def hear(node, names, ended):
    poller = zmq.Poller()
    poller.register(node.inbox, zmq.POLLIN)
    while not ended.is_set():
        if not poller.poll(100):
            continue
        kind, peer, name, *rest = node.recv()
        kind, name = kind.decode(), name.decode()
        if kind == "ENTER":
            names[name] = uuid.UUID(bytes=peer)
            tell(event=kind, name=name, headers=json.loads(rest[0]))
        elif kind != "STOP":
            tell(event=kind, name=name, rest=[frame.decode() for frame in rest])


def main():
    node = Pyre(sys.argv[1])
    node.set_header("kind", "test")
    node.join("pisink")
    node.start()
    names, ended = {}, threading.Event()
    hearing = threading.Thread(target=hear, args=(node, names, ended))
    hearing.start()
    tell(event="HERE", name=sys.argv[1])
    for line in sys.stdin:
        word, *rest = line.rstrip("\n").split(" ", 2)
        if word == "join":
            node.join(rest[0])
        elif word == "leave":
            node.leave(rest[0])
        elif word == "shout":
            node.shouts(rest[0], rest[1])
        elif word == "whisper":
            node.whispers(names[rest[0]], rest[1])
        elif word == "many":
            for number in range(int(rest[1])):
                node.whispers(names[rest[0]], json.dumps({"key": "PING", "id": f"m{number}"}))
        elif word == "end":
            break
    ended.set()
    hearing.join()
    node.stop()


main()
