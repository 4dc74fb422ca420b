/** The aligned crop of a face, drawn as model/alignment.py computes it: a similarity transform by five landmarks. */

/**
 * Returns [a, b, x, y] of the transform that best maps `source` to `target` (points [x, y]) in the least-squares sense:
 * a point p goes to (a p.x - b p.y + x, b p.x + a p.y + y). Returns null if all source points coincide.
 */
export function similarityTransform(source, target) {
  const [sx, sy] = mean(source);
  const [tx, ty] = mean(target);
  let variance = 0;
  let along = 0;
  let across = 0;
  source.forEach(([x, y], index) => {
    const [u, v] = [x - sx, y - sy];
    const [p, q] = [target[index][0] - tx, target[index][1] - ty];
    variance += u * u + v * v;
    along += u * p + v * q;
    across += u * q - v * p;
  });
  if (variance < 1e-12) return null;
  const a = along / variance;
  const b = across / variance;
  return [a, b, tx - (a * sx - b * sy), ty - (b * sx + a * sy)];
}

const WIDENED = "similarity-bicubic-2";
const WORST_FIT = 0.75; // as in model/alignment.py

/** Returns the template as the encoder's alignment adapts it to these landmarks: drawn together for turned faces. */
export function adaptTemplate(template, landmarks, alignment) {
  const there = similarityTransform(template, landmarks);
  const back = similarityTransform(landmarks, template);
  if (alignment !== WIDENED || !there || !back) return template;
  const fit = Math.max(Math.hypot(there[0], there[1]) * Math.hypot(back[0], back[1]), WORST_FIT);
  const [x, y] = mean(template);
  return template.map(([u, v]) => [x + (u - x) * fit ** 2, y + (v - y) * fit ** 2]);
}

/** Draws the crop of a face on a canvas of its own. `template` is in pixels of a crop of `size` pixels. */
export function cropCanvas(image, landmarks, template, size, pixels = 272) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = pixels;
  const fit = similarityTransform(landmarks, template);
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, pixels, pixels);
  if (!fit) return canvas;
  const [a, b, x, y] = fit.map((value) => (value * pixels) / size);
  context.imageSmoothingQuality = "high";
  context.setTransform(a, b, -b, a, x, y);
  context.drawImage(image, 0, 0);
  return canvas;
}

function mean(points) {
  const sum = points.reduce(([x, y], point) => [x + point[0], y + point[1]], [0, 0]);
  return sum.map((value) => value / points.length);
}
