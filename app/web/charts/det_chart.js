/** A DET chart: the false non-match rate at every false match rate that was measured, on logarithmic axes. */

import { element, svg } from "../elements.js";
import { oneIn, percent } from "../rates.js";

const HEIGHT = 300;
const MARGIN = { left: 58, right: 18, top: 16, bottom: 48 };

export class DetChart {
  /** `points` are operating points in the order of their thresholds. */
  constructor(points) {
    Object.assign(this, { points, chosen: 0 });
    this.element = element("div", { class: "chart" });
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Marks a point by its place in the list. */
  choose(index) {
    this.chosen = index;
    this.draw();
  }

  draw() {
    const width = Math.max(this.element.clientWidth, 280);
    const x = scale(this.points.map((each) => each.fmr), MARGIN.left, width - MARGIN.right);
    const y = scale(this.points.map((each) => each.fnmr), HEIGHT - MARGIN.bottom, MARGIN.top);
    const line = this.points.map((each) => `${x.place(each.fmr)},${y.place(each.fnmr)}`).join(" ");
    const band = [
      ...this.points.map((each) => `${x.place(each.fmr)},${y.place(each.fnmr_interval[0])}`),
      ...this.points.toReversed().map((each) => `${x.place(each.fmr)},${y.place(each.fnmr_interval[1])}`),
    ].join(" ");
    const { fmr, fnmr } = this.points[this.chosen];
    const [cx, cy] = [x.place(fmr), y.place(fnmr)];
    const words = `Missed matches against false matches. At the chosen threshold: ${percent(fnmr)} missed, ${oneIn(fmr)} strangers pass.`;
    this.element.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": words },
        svg("defs", {}, svg("clipPath", { id: "det-area" }, svg("rect", { x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom }))),
        ...x.ticks.map((tick) => this.column(x.place(tick), tick, width)),
        ...y.ticks.map((tick) => this.line(y.place(tick), tick, width)),
        svg("text", { class: "chart-title", x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "strangers who pass (FMR)"),
        svg("text", { class: "chart-title", transform: `translate(13 ${(HEIGHT - MARGIN.bottom + MARGIN.top) / 2}) rotate(-90)`, "text-anchor": "middle" }, "missed matches (FNMR)"),
        svg("polygon", { class: "chart-band", points: band, "clip-path": "url(#det-area)" }),
        svg("polyline", { class: "chart-curve", points: line }),
        svg("line", { class: "chart-guide", x1: cx, x2: cx, y1: cy, y2: HEIGHT - MARGIN.bottom }),
        svg("line", { class: "chart-guide", x1: MARGIN.left, x2: cx, y1: cy, y2: cy }),
        svg("circle", { class: "chart-point", cx, cy, r: 7 }),
      ),
    );
  }

  column(x, rate, width) {
    return svg(
      "g",
      { class: "chart-tick" },
      svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
      svg("text", { x: Math.min(x, width - 26), y: HEIGHT - MARGIN.bottom + 17, "text-anchor": "middle" }, shortRate(rate)),
    );
  }

  line(y, rate, width) {
    return svg(
      "g",
      { class: "chart-tick" },
      svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
      svg("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, shortRate(rate)),
    );
  }
}

/** Returns a logarithmic scale from the lowest and highest rate to two places, with its ticks. */
function scale(rates, from, to) {
  const positive = rates.filter((each) => each > 0);
  const low = Math.log10(Math.min(...positive)) - 0.05;
  const high = Math.log10(Math.max(...positive)) + 0.05;
  const place = (rate) => from + ((to - from) * (Math.log10(Math.max(rate, 10 ** low)) - low)) / (high - low || 1);
  const ticks = [];
  const steps = high - low > 2.5 ? [1] : [1, 2, 5];
  for (let decade = Math.floor(low); decade <= high; decade += 1) {
    for (const step of steps) {
      const tick = step * 10 ** decade;
      if (Math.log10(tick) >= low && Math.log10(tick) <= high) ticks.push(tick);
    }
  }
  return { place, ticks };
}

function shortRate(rate) {
  const share = rate * 100;
  return share >= 0.001 ? `${Number(share.toPrecision(2))} %` : `${share.toExponential(0)} %`;
}
