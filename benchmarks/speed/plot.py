"""The figures of `make bench` as a plot."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.plots import BLUE, GREY, ORANGE

LINE_STYLES = ("-", "--")  # all instructions; AVX2 only


def plot_bench(figures: dict[str, Any], target: Path) -> None:
    """Plots the encoder's time per face (left) and the service's latency (right), for each instruction set."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot_encoder(figures["runs"], left)
    _plot_latency(figures["runs"], right)
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
        axes.legend(frameon=False)
    figure.suptitle(figures["machine"], fontsize=9, color=GREY)
    figure.savefig(target, dpi=110)


def _plot_encoder(runs: list[dict[str, Any]], axes: Axes) -> None:
    batches: list[int] = []
    for run, style in zip(runs, LINE_STYLES, strict=False):
        encoder = next(each for each in run["networks"] if (each["network"], each["threads"]) == ("encoder", 1))
        batches = [row["batch"] for row in encoder["rows"]]
        lines = [("served_torchscript", f"facetwin, {run['instruction_set']}", BLUE)]
        if run is runs[0]:  # ONNX Runtime cannot be limited: a second line would only repeat the first
            lines.append(("onnxruntime", "ONNX Runtime", ORANGE))
        for name, label, colour in lines:
            ms = [row["ms"][name] for row in encoder["rows"]]
            axes.plot(batches, ms, style, marker="o", color=colour, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.set(xlabel="faces per batch", ylabel="ms per face", title="encoder, one thread", ylim=(0, None))


def _plot_latency(runs: list[dict[str, Any]], axes: Axes) -> None:
    clients: list[int] = []
    for run, style in zip(runs, LINE_STYLES, strict=False):
        float32 = run["service"][0]
        rows = [row for row in float32["rows"] if row["path"] == "/verify" and "clients" in row["load"]]
        clients = [int(row["load"].split()[0]) for row in rows]
        for percent, colour in ((50, BLUE), (99, ORANGE)):
            ms = [row[f"p{percent}_ms"] for row in rows]
            axes.loglog(clients, ms, f"o{style}", color=colour, label=f"p{percent}, {run['instruction_set']}")
        offset = -14 if style == "-" else 6  # keeps the labels of the two lines apart
        for row, count in zip(rows, clients, strict=True):
            label = f"{row['a_second']:.0f}/s"
            axes.annotate(label, (count, row["p50_ms"]), xytext=(4, offset), textcoords="offset points", fontsize=8)
    axes.set(xlabel="concurrent clients (closed loop)", ylabel="ms", title="/verify over HTTP, float32")
    axes.set_xticks(clients, [str(count) for count in clients])
