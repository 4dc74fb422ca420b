"""The figures of `make bench` as one picture."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.evaluation.plots import BLUE, GREY, ORANGE


def plot_bench(figures: dict[str, Any], target: Path) -> None:
    """Left: the encoder's time a face by batch on one thread, as it serves and in ONNX Runtime. Right: the service's
    latencies by clients. Dashed: with AVX2 alone."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for run, style in zip(figures["runs"], ("-", "--"), strict=False):
        encoder = next(each for each in run["networks"] if (each["network"], each["threads"]) == ("encoder", 1))
        batches = [row["batch"] for row in encoder["rows"]]
        instructions = run["instruction_set"]
        for name, label, colour in (
            ("served_torchscript", f"facetwin, {instructions}", BLUE),
            ("onnxruntime", "ONNX Runtime", ORANGE),
        ):
            values = [row["ms"][name] for row in encoder["rows"]]
            # ONNX Runtime cannot be limited: its second line would be the first one again.
            if name != "onnxruntime" or run is figures["runs"][0]:
                left.plot(batches, values, style, marker="o", color=colour, label=label)
        closed = [row for row in run["service"][0]["rows"] if row["path"] == "/verify" and "clients" in row["load"]]
        clients = [int(row["load"].split()[0]) for row in closed]
        for percent, colour in ((50, BLUE), (99, ORANGE)):
            values = [row[f"p{percent}_ms"] for row in closed]
            right.loglog(clients, values, f"o{style}", color=colour, label=f"p{percent}, {instructions}")
        above = 6 if style == "--" else -14
        for row, count in zip(closed, clients, strict=True):
            place = {"xytext": (4, above), "textcoords": "offset points", "fontsize": 8}
            right.annotate(f"{row['a_second']:.0f}/s", (count, row["p50_ms"]), **place)
    left.set_xscale("log", base=2)
    left.set_xticks(batches, [str(batch) for batch in batches])
    left.set(xlabel="faces encoded together", ylabel="ms a face", title="encoder, one thread", ylim=(0, None))
    left.legend(frameon=False)
    right.set(xlabel="clients, each asks again when it is answered", ylabel="ms", title="/verify over HTTP, float32")
    right.set_xticks(clients, [str(count) for count in clients])
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
    figure.suptitle(figures["machine"], fontsize=9, color=GREY)
    figure.savefig(target, dpi=110)
