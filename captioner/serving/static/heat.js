// Where the decoder looked, as a heat map over the photo.

// From dark to bright, so that it is read without colour as well: red, green, blue, alpha.
const STOPS = [[8, 8, 24, 0.6], [120, 16, 30, 0.5], [230, 90, 10, 0.5], [255, 225, 110, 0.6]];
const CONTRAST = 1.3; // above 1: the brightest places stand out

function colour(heat) {
  const place = heat ** CONTRAST * (STOPS.length - 1);
  const below = Math.min(Math.floor(place), STOPS.length - 2);
  const share = place - below;
  const mixed = STOPS[below].map((value, i) => value + share * (STOPS[below + 1][i] - value));
  return [...mixed.slice(0, 3), 255 * mixed[3]];
}

// rows: attention, a list of rows. fit: "squeeze" where the CNN sees the whole photo; otherwise it
// sees the square in the middle, and nothing is drawn beside it.
export function draw(canvas, rows, fit, width, height) {
  const size = rows.length;
  const small = document.createElement("canvas");
  small.width = rows[0].length;
  small.height = size;
  const all = rows.flat();
  const least = Math.min(...all);
  const range = Math.max(...all) - least || 1;
  const pixels = new ImageData(small.width, size);
  all.forEach((value, i) => {
    pixels.data.set(colour((value - least) / range), 4 * i);
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const scale = Math.min(1, 640 / Math.max(width, height));
  canvas.width = Math.round(width * scale) || 1;
  canvas.height = Math.round(height * scale) || 1;
  const side = Math.min(canvas.width, canvas.height);
  const [w, h] = fit === "squeeze" ? [canvas.width, canvas.height] : [side, side];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  canvas.hidden = false;
}
