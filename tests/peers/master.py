"""A script of the lab's kind that listens: one buffer for what comes, split at carriage returns, and each piece
printed as it was understood.

    master.py

Prints `port N` first. For each connection it sends its readings; for each piece it prints `got JSON`, or `bad` with
what it could not read. It ends at the end of its standard input.
"""

import json
import select
import socket
import sys

READINGS = [{"msg": "welcome"}, {"msg": 12.75}, {"msg": "smois:345.00,winds:0.50"}]


def main():
    door = socket.create_server(("127.0.0.1", 0))
    print("port", door.getsockname()[1], flush=True)
    clients, buffer = [], ""
    while True:
        ready, _, _ = select.select([door, sys.stdin, *clients], [], [])
        for one in ready:
            if one is sys.stdin:
                return
            if one is door:
                client, _ = door.accept()
                client.sendall("".join(json.dumps(message) + "\r" for message in READINGS).encode())
                clients.append(client)
                continue
            came = one.recv(1000)
            if not came:
                clients.remove(one)
                one.close()
                continue
            buffer += came.decode()
            *pieces, buffer = buffer.split("\r")
            for piece in pieces:
                try:
                    print("got", json.dumps(json.loads(piece)), flush=True)
                except ValueError as error:
                    print("bad", error, repr(piece), flush=True)


main()
