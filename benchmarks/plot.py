"""The figures of `make bench` as one picture."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.plots import BLUE, GREY, ORANGE


def plot_bench(figures: dict[str, Any], target: Path) -> None:
    """Left: the encoder's time a face by batch, beside ONNX Runtime's. Right: the service's latencies by clients."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for encoder, style in zip(figures["encoder"], ("--", "-"), strict=True):
        batches = [row["batch"] for row in encoder["rows"]]
        for name, label, colour in (("ms_a_face", "facetwin", BLUE), ("onnx_ms_a_face", "ONNX Runtime", ORANGE)):
            values = [row[name] for row in encoder["rows"]]
            left.plot(batches, values, style, color=colour, label=f"{label}, {_threads(encoder['threads'])}")
    left.set_xscale("log", base=2)
    left.set_xticks(batches, [str(batch) for batch in batches])
    left.set(xlabel="faces encoded together", ylabel="ms a face", title="encoder", ylim=(0, None))
    left.legend(frameon=False)
    closed = [row for row in figures["service"][0]["rows"] if row["path"] == "/verify" and "clients" in row["load"]]
    clients = [int(row["load"].split()[0]) for row in closed]
    for percent, colour in ((50, BLUE), (95, GREY), (99, ORANGE)):
        right.loglog(clients, [row[f"p{percent}_ms"] for row in closed], "o-", color=colour, label=f"p{percent}")
    for row, count in zip(closed, clients, strict=True):
        right.annotate(f"{row['a_second']:.0f}/s", (count, row["p50_ms"]), xytext=(4, -12), textcoords="offset points")
    right.set(xlabel="clients, each asks again when it is answered", ylabel="ms", title="/verify over HTTP, float32")
    right.set_xticks(clients, [str(count) for count in clients])
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
    figure.suptitle(figures["machine"], fontsize=9, color=GREY)
    figure.savefig(target, dpi=110)


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
