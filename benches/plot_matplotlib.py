#!/usr/bin/env python3
"""What benches/plot.rs measures, with matplotlib: the same curves to the bytes of a PNG of 1000 x 800 pixels.

pip install matplotlib; python3 benches/plot_matplotlib.py
"""

import datetime
import io
import resource
import subprocess
import sys
import time

CASES = [(9_000, 3), (90_000, 3), (1_000_000, 5), (1_000_000, 1)]
RUNS = 3


def measure(points: int, nodes: int) -> None:
    begin = time.perf_counter()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    import_ms = (time.perf_counter() - begin) * 1e3
    each = points // (nodes * 2)
    start = np.datetime64(datetime.datetime(2026, 3, 20, 11))
    seconds = np.arange(each)
    times = start + seconds.astype("timedelta64[s]")
    rng = np.random.default_rng(1)
    data = {}
    for quantity, level in (("Relative humidity (%RH)", 55.0), ("Temperature (°C)", 21.0)):
        for node in range(nodes):
            values = level + 2.0 * node + np.sin(seconds / each * 12.0 + node) * 3.0 + rng.random(each)
            values[rng.integers(0, 5_000, each) == 0] += 10.0
            values[rng.integers(0, 20_000, each) == 0] = np.nan
            data.setdefault(quantity, []).append(values)
    runs_ms = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        figure, axes = plt.subplots(2, 1, figsize=(10, 8), dpi=100, sharex=True)
        for axis, (quantity, lines) in zip(axes, data.items()):
            for node, values in enumerate(lines):
                axis.plot(times, values, label=f"pi-{node + 1}", linewidth=1.3)
            table = np.stack(lines)
            axis.plot(times[::10], np.nan_to_num(table).mean(axis=0)[::10], "k--", label="avg")
            axis.set_title(quantity, loc="left")
            axis.grid(True, color="#e4e4e4")
        # Not "best": that search alone takes many seconds with this many points.
        figure.legend(*axes[0].get_legend_handles_labels(), loc="upper center", ncols=6)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        plt.close(figure)
        runs_ms.append((time.perf_counter() - begin) * 1e3)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{points:>9} {nodes:>6} {runs_ms[0]:>8.1f} {min(runs_ms):>9.1f} {len(picture.getvalue()) // 1024:>9}"
        f" {peak_mib:>10.1f} {import_ms:>10.0f}",
        flush=True,
    )
    if len(sys.argv) > 3:
        with open(sys.argv[3], "wb") as out:
            out.write(picture.getvalue())


if len(sys.argv) > 2:
    measure(int(sys.argv[1]), int(sys.argv[2]))
else:
    print(f"{'readings':>9} {'nodes':>6} {'first ms':>8} {'best ms':>9} {'PNG KiB':>9} {'peak MiB':>10} {'import ms':>10}", flush=True)
    for points, nodes in CASES:
        subprocess.run([sys.executable, __file__, str(points), str(nodes)], check=True)
