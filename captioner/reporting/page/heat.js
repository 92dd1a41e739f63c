// Attention over a photo.
"use strict";

report.heat = (() => {
  // The same colours as in captioner/plotting/heat.py: dark to light.
  const STOPS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

  function colour(share) {
    const place = share * (STOPS.length - 1);
    const first = Math.min(Math.floor(place), STOPS.length - 2);
    return STOPS[first].map((low, i) => low + (STOPS[first + 1][i] - low) * (place - first));
  }

  // Attention as bytes, for each word; null where the decoder looks at no places.
  function unpack(attention) {
    if (!attention) return null;
    const [rows, columns] = attention.size;
    const bytes = Uint8Array.from(atob(attention.levels), (sign) => sign.charCodeAt(0));
    const of = (word) => bytes.subarray(word * rows * columns, (word + 1) * rows * columns);
    return { rows, columns, of, scale: attention.scale };
  }

  // A pixel for each place; the browser makes it as large as the photo, and smooth.
  function paint(canvas, grid, word) {
    canvas.width = grid.columns;
    canvas.height = grid.rows;
    const context = canvas.getContext("2d");
    const image = context.createImageData(grid.columns, grid.rows);
    grid.of(word).forEach((level, i) => image.data.set([...colour(level / 255), 255], 4 * i));
    context.putImageData(image, 0, 0);
  }

  // Where most of the attention went, in words.
  function where(grid, word) {
    const levels = grid.of(word);
    const most = levels.reduce((best, level, i) => (level > levels[best] ? i : best), 0);
    const [row, column] = [Math.floor(most / grid.columns), most % grid.columns];
    const third = (place, size) => Math.floor((3 * (place + 0.5)) / size);
    const up = ["top", "middle", "bottom"][third(row, grid.rows)];
    const side = ["left", "centre", "right"][third(column, grid.columns)];
    const name = up === "middle" && side === "centre" ? "centre" : `${up} ${side}`;
    const [low, high] = grid.scale;
    const share = low + ((high - low) * levels[most]) / 255;
    return `Looked most at the ${name}: ${share.toFixed(1)} % of the attention at one place ` +
      `(spread evenly: ${(100 / (grid.rows * grid.columns)).toFixed(1)} %).`;
  }

  return { unpack, paint, where };
})();
