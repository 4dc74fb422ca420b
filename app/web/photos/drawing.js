/** Draws a photo with the boxes and landmarks of its faces on a canvas. */

const LONGEST = 1400; // pixels of the canvas; photos are shown smaller
const ENLARGED = 4; // small photos are drawn larger, so that lines and labels are sharp

/**
 * Draws `image` and marks `faces`: {box, landmarks, tone, label}. `tone` is a colour's name in the style sheet;
 * `label` is short text above the box.
 */
export function drawPhoto(canvas, image, faces) {
  const scale = Math.min(ENLARGED, LONGEST / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  // Pixels of the canvas in one of the screen: the style sheet fits the photo into its place.
  const shown = Math.min(canvas.clientWidth, (canvas.clientHeight * canvas.width) / canvas.height);
  const unit = shown > 0 ? canvas.width / shown : 1;
  for (const face of faces) drawFace(context, face, scale, unit);
}

function drawFace(context, face, scale, unit) {
  const [left, top, right, bottom] = face.box.map((value) => value * scale);
  const colour = COLOURS[face.tone] ?? COLOURS.plain;
  context.lineJoin = "round";
  for (const [style, width] of [["rgb(0 0 0 / 45%)", 5], [colour, 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = width * unit;
    context.beginPath();
    context.roundRect(left, top, right - left, bottom - top, 6 * unit);
    context.stroke();
  }
  for (const [x, y] of face.landmarks) {
    context.beginPath();
    context.arc(x * scale, y * scale, 3 * unit, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.2 * unit;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.stroke();
  }
  if (face.label) drawLabel(context, face.label, left, top, colour, unit);
}

function drawLabel(context, label, left, top, colour, unit) {
  context.font = `600 ${13 * unit}px system-ui, sans-serif`;
  const width = context.measureText(label).width + 12 * unit;
  const height = 21 * unit;
  const x = Math.max(0, Math.min(left, context.canvas.width - width));
  const y = Math.max(0, top - height - 3 * unit);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, width, height, 5 * unit);
  context.fill();
  context.fillStyle = "#10131a";
  context.textBaseline = "middle";
  context.fillText(label, x + 6 * unit, y + height / 2 + unit * 0.5);
}

// Light enough to be seen on a dark ring, on any photo.
const COLOURS = { plain: "#dfe4ee", chosen: "#9dbbff", good: "#7ee2a8", warn: "#ffd479" };
