"""The lab's programs, as they treat a connection: one packet each, taken with one read, and closed at once.

    lab.py secondary HOST PORT BACK     listens on HOST:PORT; when asked, posts to port BACK of whoever asked
    lab.py primary HOST PORT BACK       at each `ask`, asks at port PORT of HOST and takes the post on BACK
    lab.py host HOST PORT BACK          passes the token that comes on BACK to HOST:PORT, with its own readings in it

Each prints `ready` first, then a line for each packet: `got TEXT`. A secondary posts the packet of its standard input's
last line `post TEXT`, or its usual one; a host sends a token at `start`. All end with their standard input, or at `end`.
"""

import select
import socket
import sys

USUAL = "Post Data,rtemp:22.10,rhumd:41.20,stemp:21.00,smois:345.00,winds:ERR,"
OWN = "rtemp:10.00,rhumd:20.00,stemp:30.00,smois:40.00,winds:5.00,"


def send(host, port, text, own="0.0.0.0"):
    """As the lab's programs send: connect, one write, close without reading."""
    with socket.create_connection((host, port), source_address=(own, 0)) as link:
        link.sendall(text.encode())


def take(door):
    """One packet and where it came from: what one read gives, then the connection is closed."""
    link, (host, _port) = door.accept()
    with link:
        text = link.recv(1024).decode()
    print("got", text, flush=True)
    return text, host


def passed_on(token):
    """The token with this host's readings before `seq`, and the next number."""
    before, _, number = token.rpartition("seq:")
    return f"{before}{OWN}seq:{int(number) + 1}"


def main():
    kind, host, port, back = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    door = socket.create_server((host, port) if kind == "secondary" else (host, back))
    usual = USUAL
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([door, sys.stdin], [], [])
        if sys.stdin in ready:
            line = sys.stdin.readline().strip()
            if line in ("", "end"):
                break
            word, _, rest = line.partition(" ")
            if word == "ask":
                send(host, port, "Requesting Data")
            elif word == "post":
                usual = rest
            elif word == "start":
                send(host, port, "token,seq:1")
            print("done", line, flush=True)
        elif door in ready:
            text, asker = take(door)
            if kind == "secondary" and text == "Requesting Data":
                send(asker, back, usual, own=host)
            elif kind == "host" and text.startswith("token"):
                send(host, port, passed_on(text))
    print("done end", flush=True)


main()
