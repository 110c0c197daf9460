#!/usr/bin/env python3
"""jsocket's own server and client, unmodified. benches/budget measures pisink beside the one and by the other.

    peer_jsocket.py serve                    jsocket's ThreadedServer, which sends each object back; prints its port
    peer_jsocket.py factory                  its ServerFactory, a thread for each client; prints its port
    peer_jsocket.py ask PORT COUNT           prints the microseconds of a round trip, on the average of COUNT
    peer_jsocket.py connect PORT COUNT       prints the seconds until COUNT clients are connected and answered
"""

import socket
import sys
import time

import jsocket

OBJECT = {"key": "PING", "value": {"temperature": 21.5, "humidity": 41.25}}


class Server(jsocket.ThreadedServer):
    """Sends each object back."""

    def _process_message(self, obj):
        return obj


class Worker(jsocket.ServerFactoryThread):
    """The same for one client of many."""

    def _process_message(self, obj):
        return obj


def free_port():
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(server, port):
    """Serves until it is killed."""
    server.start()
    print(port, flush=True)
    server.join()


def connected(port):
    """A client that is connected."""
    client = jsocket.JsonClient(address="127.0.0.1", port=port)
    if not client.connect():
        sys.exit(f"no connection to port {port}")
    client.timeout = 60.0
    return client


def round_trip(client):
    """Asks, and waits for the answer."""
    client.send_obj(OBJECT)
    return client.read_obj()


def main():
    what, *rest = sys.argv[1:]
    if what in ("serve", "factory"):
        port = free_port()
        place = {"address": "127.0.0.1", "port": port}
        serve(Server(**place) if what == "serve" else jsocket.ServerFactory(Worker, **place), port)
        return
    port, count = map(int, rest)
    begin = time.perf_counter()
    if what == "ask":
        client = connected(port)
        round_trip(client)
        begin = time.perf_counter()
        for _ in range(count):
            round_trip(client)
        print((time.perf_counter() - begin) * 1e6 / count)
    else:
        clients = [connected(port) for _ in range(count)]
        for client in clients:
            round_trip(client)
        print(time.perf_counter() - begin)


main()
