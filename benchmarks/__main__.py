"""`make bench`: how fast facetwin is on this machine, beside other libraries, in one run.

Measures (1) both networks as served, beside ONNX Runtime and plain torch; (2) the service, beside the pipeline in one
process; (3) face_recognition. On a processor with AVX-512 everything is measured twice: with all instructions and with
AVX2 only. The photos are LFW's, from FACETWIN_DATA, ../shared/data or data. Prints tables; writes
docs/reports/bench.json and docs/plots/bench.png.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

REPORT: Final = Path("docs/reports/bench.json")
PLOT: Final = Path("docs/plots/bench.png")


def main(
    seconds: Annotated[float, typer.Option(help="Length of each load on the service.")] = 10.0,
    report: Annotated[Path, typer.Option(help="JSON file to write.")] = REPORT,
    plot: Annotated[Path, typer.Option(help="Picture to write.")] = PLOT,
) -> None:
    from benchmarks.speed.instruction_sets import environments_to_measure, run_measurement
    from benchmarks.speed.plot import plot_bench
    from benchmarks.speed.tables import print_networks, print_run
    from training.provenance import describe_machine, git_commit

    commit = git_commit()  # read first: the files may change while the benchmark runs
    runs = [
        run_measurement("benchmarks.speed.measurement", environment, "--seconds", str(seconds))
        for environment in environments_to_measure()
    ]
    console = Console(width=110)
    print_networks(runs, console)
    for run in runs:
        print_run(run, console)
    figures = {"command": "make bench", "machine": describe_machine(), "commit": commit, "runs": runs}
    report.write_text(json.dumps(figures, indent=1) + "\n")
    plot_bench(figures, plot)
    console.print(f"Wrote {report} and {plot}.", markup=False)


if __name__ == "__main__":
    typer.run(main)
