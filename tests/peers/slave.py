"""A script of the lab's kind that sends to a node: one JSON text after the other, each ended by a carriage return.

    slave.py HOST PORT NAME

It waits on standard input between its acts, so that a test sees each of them apart: `hello`, `alive`, `number`,
`pairs`, `split`, `packed`, `odd`, `end`. After each act it prints `done ACT`.
"""

import json
import socket
import sys


def main():
    host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    link = socket.create_connection((host, port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(message):
        link.sendall((json.dumps({"msg": message}) + "\r").encode())

    def named(message):
        link.sendall((json.dumps({"sender": name, "msg": message}) + "\r").encode())

    def split():
        """One message in many packets, cut within a multi-byte escape too."""
        text = json.dumps({"msg": {"rtemp": 22.25, "note": "gr\u00fcn"}}) + "\r"
        for byte in text.encode():
            link.sendall(bytes([byte]))

    def packed():
        """Many messages in one packet."""
        link.sendall("".join(json.dumps({"msg": number}) + "\r" for number in range(200)).encode())

    def odd():
        """Everything that JSON allows, falsy values too, with every end of a line."""
        values = [None, False, 0, "", [], {}, 1e-3, "a\rb", {"msg": None}]
        link.sendall("".join(json.dumps(value) + end for value in values for end in ("\r", "\n", "\r\n")).encode())

    acts = {
        "hello": lambda: send("hello"),
        "alive": lambda: send("still alive"),
        "number": lambda: send(21.5),
        "pairs": lambda: send("rtemp:22.10,rhumd:41.20,winds:ERR,"),
        "named": lambda: named({"temperature": 3}),
        "split": split,
        "packed": packed,
        "odd": odd,
    }
    for line in sys.stdin:
        act = line.strip()
        if act == "end":
            break
        acts[act]()
        print("done", act, flush=True)
    link.close()
    print("done end", flush=True)


main()
