"""A terminal of auto-pi-lot that does nothing with what it is sent but confirm it; prints its port."""

import pathlib
import socket
import threading
import time

from autopilot import prefs

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
here = str(pathlib.Path.home())
prefs.init({"AGENT": "terminal", "NAME": "T", "LOGDIR": here, "DATADIR": here, "MSGPORT": port, "LOGLEVEL": "ERROR",
            "LOGNUM": 1, "LOGSIZE": 1000000, "DRAWFPS": 20})

from autopilot.networking import Terminal_Station  # noqa: E402  (after the settings)

station = Terminal_Station({})
station.listens["DATA"] = lambda msg: None
threading.Thread(target=station.run, daemon=True).start()
while station.loop is None:
    time.sleep(0.01)
time.sleep(0.2)
print(port, flush=True)
while True:
    time.sleep(3600)
