/** Error rates in plain words, and which operating point keeps a rate: the rules of model/calibration.py. */

const WORST_GROUP_FACTOR = 10;
const LOWEST_GROUP_FMR = 1e-3;

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Returns the threshold's point with the lowest threshold that keeps the rate, or null. */
export function pointAtFmr(points, fmr) {
  const group = Math.max(WORST_GROUP_FACTOR * fmr, LOWEST_GROUP_FMR);
  return points.find((point) => point.fmr <= fmr && (point.fmr_worst_group ?? 0) <= group) ?? null;
}

/** Returns the point that is measured nearest to a threshold, from below: its rates hold at least at the threshold. */
export function pointAtThreshold(points, threshold) {
  const passed = points.filter((point) => point.threshold <= threshold + 1e-9);
  return passed.at(-1) ?? points[0];
}

/** Returns a rate as "1 in 10,000"; above 40 % as a percentage, because "1 in 2" would be too coarse. */
export function oneIn(rate) {
  if (rate <= 0) return "none";
  if (rate > 0.4) return percent(rate);
  const every = 1 / rate;
  return `1 in ${count(every >= 1000 ? roundTo(every, 2) : every)}`;
}

/** Returns "of 10,000 pairs of strangers, one passes", with a whole number of pairs from 100 upwards. */
export function ofMany(rate, things, verb, verbPlural) {
  if (rate <= 0) return `of all measured ${things}, none ${verb}`;
  let many = 100;
  while (rate * many < 0.95 && many < 1e9) many *= 10;
  const some = Math.round(rate * many);
  return `of ${count(many)} ${things}, ${some === 1 ? "one" : count(some)} ${some === 1 ? verb : verbPlural}`;
}

export function percent(rate) {
  const share = Number((rate * 100).toPrecision(2));
  if (share >= 10) return `${(rate * 100).toFixed(1)}\u00a0%`;
  if (share === 0 || share >= 1) return `${share.toFixed(1)}\u00a0%`;
  const digits = Math.min(1 - Math.floor(Math.log10(share)), 8); // two that count
  return `${share.toFixed(digits)}\u00a0%`;
}

/** Returns a probability so that it never claims certainty. */
export function likelihood(probability) {
  if (probability > 0.999) return "over 99.9\u00a0%";
  if (probability < 0.001) return "under 0.1\u00a0%";
  return percent(probability);
}

export function count(value) {
  return numbers.format(value);
}

function roundTo(value, digits) {
  const unit = 10 ** (Math.floor(Math.log10(value)) + 1 - digits);
  return Math.round(value / unit) * unit;
}
