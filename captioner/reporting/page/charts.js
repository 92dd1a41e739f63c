// Charts as SVG, each with a table of its numbers.
"use strict";

report.charts = (() => {
  const { make, draw, fixed } = report;
  const WIDTH = 480, HEIGHT = 220;
  const LEFT = 40, RIGHT = 8, TOP = 12, BOTTOM = 36;

  // Round numbers up to the greatest value, five or so.
  function ticks(low, high) {
    const raw = Math.max(high - low, 1e-9) / 4;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) found.push(v);
    return found;
  }

  function short(value) {
    return fixed(value, Number.isInteger(+value.toFixed(6)) ? 0 : Math.abs(value) < 0.1 ? 3 : 2);
  }

  function frame(label, axis, unit, heights, y) {
    const parts = heights.flatMap((value) => [
      draw("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      draw("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, short(value) + unit),
    ]);
    const middle = (LEFT + WIDTH - RIGHT) / 2;
    const below = draw("text", { x: middle, y: HEIGHT - 3, "text-anchor": "middle" }, axis);
    const view = `0 0 ${WIDTH} ${HEIGHT}`;
    return draw("svg", { viewBox: view, role: "img", "aria-label": label }, ...parts, below);
  }

  function legend(names, classes) {
    if (names.length < 2) return null;
    const items = names.map((name, i) =>
      make("li", {}, make("span", { class: `swatch ${classes[i]}` }), make("bdi", {}, name)));
    return make("ul", { class: "legend" }, ...items);
  }

  function table(heads, rows) {
    const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map(([first, ...rest]) =>
      make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((v) => make("td", {}, v))));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  }

  function numbers(heads, rows) {
    const region = { class: "wide", role: "region", "aria-label": "Table", tabindex: 0 };
    return make("details", {}, make("summary", {}, "As a table"),
      make("div", region, table(heads, rows)));
  }

  function binName(edges, i, unit) {
    const [low, high] = [edges[i], edges[i + 1]];
    if (unit === "words") return high === null ? `${low} or more` : `${low}`;
    return high === null ? `${low} or more` : `${low} to ${high}`;
  }

  // Where the photos of a bin are listed.
  function binLink(chart, i) {
    const [low, high] = [chart.edges[i], chart.edges[i + 1]];
    const last = { words: high - 1, percent: high < 100 ? high - 0.1 : 100 }[chart.unit];
    const to = high === null ? "" : (last ?? high - 0.1).toFixed(1).replace(".0", "");
    const name = { words: "words", percent: "sure" }[chart.unit] ?? "score";
    return `#photos?${name}From=${low}&${name}To=${to}`;
  }

  // Bars side by side: shares of each bin, in percent, for one series or more.
  function histogram(chart, classes) {
    const bins = chart.edges.length - 1;
    const top = Math.max(...chart.series.flatMap((one) => one.values), 1);
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    const wide = (WIDTH - LEFT - RIGHT) / bins;
    const label = `${chart.title}: shares of ${chart.unit}; the table below has the numbers`;
    const svg = frame(label, chart.unit, " %", ticks(0, top), y);
    const each = Math.max(1, (wide - 2) / chart.series.length);
    for (let i = 0; i < bins; i++) {
      const x = LEFT + i * wide;
      const bars = chart.series.map((one, k) => {
        const value = one.values[i];
        const place = { x: x + 1 + k * each, width: Math.max(1, each - 0.5) };
        const size = { y: y(value), height: HEIGHT - BOTTOM - y(value) };
        const told = `${one.name}, ${binName(chart.edges, i, chart.unit)}: ${fixed(value)} %`;
        return draw("rect", { class: classes[k], ...place, ...size }, draw("title", {}, told));
      });
      // For the mouse; the table has the same links for everybody.
      svg.append(draw("a", { href: binLink(chart, i), tabindex: -1 }, ...bars));
      if (i % Math.ceil(bins / 10) === 0) {
        const under = chart.unit === "words" ? x + wide / 2 : x;
        const text = { x: under, y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" };
        svg.append(draw("text", text, short(chart.edges[i])));
      }
    }
    const names = chart.series.map((one) => one.name);
    const rows = [...Array(bins).keys()].map((i) => [
      make("a", { href: binLink(chart, i) }, binName(chart.edges, i, chart.unit)),
      ...chart.series.map((one) => `${fixed(one.values[i])} %`),
    ]);
    return make("figure", {}, make("figcaption", {}, chart.title), svg, legend(names, classes),
      numbers([chart.unit, ...names], rows));
  }

  // A curve over the epochs for each run.
  function curves(title, best, names, lines, classes) {
    const values = lines.flat().map(([, value]) => value);
    const epochs = lines.flat().map(([epoch]) => epoch);
    const first = Math.min(...epochs), last = Math.max(...epochs, first + 1);
    let low = Math.min(...values), high = Math.max(...values);
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const x = (epoch) => LEFT + 8 + ((epoch - first) / (last - first)) * (WIDTH - LEFT - RIGHT - 16);
    const y = (v) => HEIGHT - BOTTOM - 6 - ((v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM - 12);
    const svg = frame(`${title}; the table below has the numbers`, "epoch", "", ticks(low, high), y);
    for (const epoch of ticks(first, last).filter(Number.isInteger)) {
      const text = { x: x(epoch), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" };
      svg.append(draw("text", text, String(epoch)));
    }
    lines.forEach((points, k) => {
      const path = points.map(([epoch, value]) => `${x(epoch)},${y(value)}`).join(" ");
      svg.append(draw("polyline", { class: `line ${classes[k]}`, points: path }));
      const found = points.map(([, value]) => value);
      const mark = best && found.indexOf((best === "highest" ? Math.max : Math.min)(...found));
      points.forEach(([epoch, value], i) => {
        const told = `${names[k]}, epoch ${epoch}: ${short(value)}${i === mark ? ", the best" : ""}`;
        const dot = { class: classes[k], cx: x(epoch), cy: y(value), r: i === mark ? 6 : 3 };
        svg.append(draw("circle", dot, draw("title", {}, told)));
      });
    });
    const rows = lines.flatMap((points, k) =>
      points.map(([epoch, value]) => [String(epoch), names[k], short(value)]));
    return make("figure", {}, make("figcaption", {}, title), svg, legend(names, classes),
      numbers(["epoch", "model", "value"], rows));
  }

  return { histogram, curves, table };
})();
