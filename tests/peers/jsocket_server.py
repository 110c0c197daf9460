"""A server of the real jsocket library: a ServerFactory, whose threads answer each object with itself and a mark.

    jsocket_server.py PORT

It says `ready`; an object with `quiet` gets no answer. It ends with its standard input, or at `end`.
"""

import os
import sys

import jsocket


class Echo(jsocket.ServerFactoryThread):
    """One client's thread."""

    def __init__(self):
        super().__init__()
        self.timeout = 30.0

    def _process_message(self, obj):
        return None if obj.get("quiet") else {"echo": obj, "by": "jsocket"}


def main():
    server = jsocket.ServerFactory(Echo, address="127.0.0.1", port=int(sys.argv[1]))
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
    print("done end", flush=True)
    # Its threads wait in an accept or a read for longer than anybody would.
    os._exit(0)


main()
