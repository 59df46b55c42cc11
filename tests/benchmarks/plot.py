#!/usr/bin/python3
"""Draws the results of scaling.py: a PNG for each dimension.

    tests/benchmarks/plot.py RESULTS.json FOLDER

Throughput, latency, CPU and memory over x. Points are medians, and bars reach from the least to the
most. Needs the Debian package python3-matplotlib, which belongs to the system's Python."""

import json
import pathlib
import statistics
import sys

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    sys.exit("plot.py: matplotlib is missing: install the Debian package python3-matplotlib")

AXES = {"clients": "clients", "in_flight": "appends in flight", "size": "bytes of an entry", "logs": "logs", "followers": "followers",
        "length": "GB in the log"}
# For each panel: title, unit, and the columns drawn in it with their names.
PANELS = [
    ("Throughput", "entries/s", {"entries_per_s": "entries/s"}),
    ("Bandwidth", "MB/s", {"mb_per_s": "MB/s"}),
    ("Latency", "µs", {"p50_us": "p50", "p99_us": "p99"}),
    ("CPU of an entry", "µs", {"server_cpu_us": "servers", "client_cpu_us": "client"}),
    ("Most memory", "MB", {"storage_mb": "storage node", "sequencer_mb": "sequencer"}),
    ("Start of a storage node", "s", {"start_s": "takes connections", "streams_s": "streams again"}),
]


def draw(dimension, rows, path):
    panels = [p for p in PANELS if all(k in rows[0] for k in p[2])]
    figure, axes = pyplot.subplots(2, (len(panels) + 1) // 2, figsize=(5 * ((len(panels) + 1) // 2), 7), squeeze=False)
    for ax in axes.flat[len(panels):]:
        ax.remove()
    xs = sorted({r["x"] for r in rows})
    for ax, (title, unit, columns) in zip(axes.flat, panels):
        for column, label in columns.items():
            values = [[r[column] for r in rows if r["x"] == x] for x in xs]
            middle = [statistics.median(v) for v in values]
            bars = [[m - min(v) for m, v in zip(middle, values)], [max(v) - m for m, v in zip(middle, values)]]
            ax.errorbar(xs, middle, yerr=bars, marker="o", markersize=4, capsize=3, label=label)
        if dimension != "length":
            ax.set_xscale("log", base=2)
            ax.set_xticks(xs, [f"{x:g}" for x in xs], rotation=45)
            ax.minorticks_off()
        if title == "Latency":
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0)
        ax.set_title(title)
        ax.set_xlabel(AXES[dimension])
        ax.set_ylabel(unit)
        ax.grid(alpha=0.3)
        if len(columns) > 1:
            ax.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py RESULTS.json FOLDER")
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for dimension, rows in results.items():
        path = folder / f"{dimension}.png"
        draw(dimension, rows, path)
        print(path)


main()
