"""Clients of the real jsocket library, as many as one likes, at one server.

    jsocket_clients.py HOST PORT COUNT

It says `ready` when all are connected, and then does what it is told, a line each: `ask JSON` has each client send the
object and prints `got`, how many answered, and the first answer; `tell` has client N send a reading of its own, N
degrees, under the name client-N; `half` sends the length of a message and nothing more, on each. It ends at `end`.
"""

import json
import struct
import sys

import jsocket


def connected(host, port):
    client = jsocket.JsonClient(address=host, port=port)
    if not client.connect():
        raise SystemExit(f"no connection to {host}:{port}")
    client.timeout = 30.0
    return client


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    clients = [connected(host, port) for _ in range(count)]
    print("ready", flush=True)
    for line in sys.stdin:
        act, _, rest = line.strip().partition(" ")
        if act == "end":
            break
        if act == "ask":
            for client in clients:
                client.send_obj(json.loads(rest))
            answers = [client.read_obj() for client in clients]
            print("got", len(answers), json.dumps(answers[0]), flush=True)
        elif act == "tell":
            for number, client in enumerate(clients):
                client.send_obj({"sender": f"client-{number}", "msg": {"temperature": number, "note": "grün"}})
        elif act == "half":
            for client in clients:
                client.conn.sendall(struct.pack("!I", 100))
        if act != "ask":
            print("done", line.strip(), flush=True)
    for client in clients:
        client.close()
    print("done end", flush=True)


main()
