"""Everything that kills a pyre, and more, at a node: ADDRESS PORT BROADCAST. Says `done` when all is sent."""

import os
import socket
import struct
import sys

HELLO_TAIL = b"\x11tcp://192.0.2.9:9" + struct.pack(">I", 0) + b"\0" + b"\x04evil" + struct.pack(">I", 0)


def beacons(broadcast):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    whole = b"ZRE\x01" + os.urandom(16) + struct.pack(">H", 4)
    datagrams = [b"", b"ZRE", whole[:-1], whole + b"x", b"ZRE\x02" + whole[4:], b"ZRE\x01" + bytes(18), os.urandom(22)]
    # A flood of peers that are nowhere, more than there is room for.
    datagrams += [b"ZRE\x01" + os.urandom(16) + struct.pack(">H", 1 + n) for n in range(2_000)]
    for datagram in datagrams:
        link.sendto(datagram, (broadcast, 5670))


def frame(flags, body):
    if len(body) > 255:
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def greeting(identity):
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    ready += b"\x08Identity" + struct.pack(">I", len(identity)) + identity
    return b"\xff" + struct.pack(">Q", 1) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32) + frame(4, ready)


def message(kind, sequence, rest=b""):
    return b"\xaa\xa1" + bytes([kind, 2]) + struct.pack(">H", sequence) + rest


def links(address, port):
    who = b"\x01" + os.urandom(16)
    hello = frame(0, message(1, 1, HELLO_TAIL))
    good = greeting(who) + hello
    tries = [
        b"\xff" * 64,
        greeting(who)[:30],
        greeting(b"\x01" * 300),
        greeting(who) + b"\x05\x01x",
        greeting(who) + frame(0, b"\xaa\xa1"),
        greeting(who) + frame(0, message(1, 1, b"\xff")),
        greeting(who) + frame(0, message(1, 1, struct.pack(">BI", 0, 0xFFFFFFFF))),
        good + frame(0, message(2, 2)),
        good + frame(1, message(2, 2)) + frame(0, b""),
        good + frame(0, message(4, 2, b"\x02\xff\xfe\x00")),
        good + frame(0, message(4, 2, b"\x01g\x63")),
        good + frame(0, message(99, 2)),
        good + frame(0, message(6, 77)),
        good + b"\x02" + b"\xff" * 8,
        good + b"\x01\x00" * 1_000,
        good + b"\x04\x08\x04PING\x00\x00x" * 50_000,
        good + hello * 50,
        greeting(b"") + frame(0, b"\xaa\xa1" + b"{"),
        greeting(b"pilot1") + frame(0, b'{"key":"KILL"}'),
    ]
    kept = []
    for said in tries:
        link = socket.create_connection((address, port))
        try:
            link.sendall(said)
        except OSError:
            pass
        kept.append(link)
    # One identity many times, at once.
    for _ in range(50):
        link = socket.create_connection((address, port))
        link.sendall(good)
        kept.append(link)
    return kept


def main():
    address, port, broadcast = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    kept = links(address, port)
    beacons(broadcast)
    print("done", flush=True)
    sys.stdin.readline()
    for link in kept:
        link.close()


main()
