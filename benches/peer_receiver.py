#!/usr/bin/env python3
"""A receiver as one writes it in Python's standard library: takes JSON messages that end in `\\r` from one peer, and
inserts their readings into SQLite in batches of 1,000, each committed. benches/budget measures pisink beside it.

    peer_receiver.py FILE       prints its port, then how many readings it has committed when the peer is done
"""

import json
import socket
import sqlite3
import sys

BATCH = 1_000


def rows_of(message):
    """The rows of one message: a reading of a script, or a pack of a pisink node."""
    if message.get("key") == "READINGS":
        value = message["value"]
        pack = value["pack"]
        base = pack[0].get("bt", 0)
        return [
            (value["node"], seq, record["n"], base + record["t"], record["mono"], record.get("v"), record.get("err"))
            for seq, record in enumerate(pack, value["first"])
        ]
    reading = message["msg"]
    value = reading["value"]
    err = value if isinstance(value, str) else None
    return [(message["sender"], None, reading["name"], reading["time"], None, None if err else value, err)]


def main():
    database = sqlite3.connect(sys.argv[1])
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE reading (node, seq INTEGER, channel, time REAL, mono INTEGER, value REAL, err)")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    peer, _ = listener.accept()
    rows, count, rest = [], 0, b""

    def commit():
        nonlocal rows
        database.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        database.commit()
        rows = []

    while data := peer.recv(65_536):
        *lines, rest = (rest + data).split(b"\r")
        for line in lines:
            found = rows_of(json.loads(line))
            rows += found
            count += len(found)
            if len(rows) >= BATCH:
                commit()
    commit()
    print(count, flush=True)


main()
