// The first page: scores, curves, distributions, words.
"use strict";

report.overview = (index) => {
  const { make, fixed, signed, count } = report;
  const { histogram, curves, table } = report.charts;
  const CLASSES = ["first", "second"];
  const names = index.runs.map((run) => run.name);

  function scores() {
    const heads = ["metric"];
    for (const name of names) heads.push(name, "95 % interval");
    if (index.differences) heads.push("difference", "95 % interval");
    const metrics = index.runs[0].metrics.map(([title], i) => {
      const cells = [];
      for (const run of index.runs) {
        const [, value, low, high] = run.metrics[i];
        cells.push(make("strong", {}, fixed(value)), `${fixed(low)} to ${fixed(high)}`);
      }
      if (index.differences) {
        const [, value, low, high] = index.differences[i];
        const sure = low > 0 || high < 0;
        cells.push(make(sure ? "strong" : "span", {}, signed(value)),
          `${signed(low)} to ${signed(high)}`);
      }
      return [title, ...cells];
    });
    const told = `Times 100, of ${count(index.names.length)} photos of the split ${index.split} of ` +
      `${index.data}; intervals by bootstrap over photos.` +
      (index.differences
        ? ` The difference is ${names[0]} less ${names[1]}, of the same photos; it is bold ` +
          "where the interval leaves out nought."
        : "");
    return section("Scores", make("p", {}, told), wide("Scores", table(heads, metrics)));
  }

  function section(title, ...children) {
    return make("section", {}, make("h2", {}, title), ...children);
  }

  function wide(label, child) {
    return make("div", { class: "wide", role: "region", "aria-label": label, tabindex: 0 }, child);
  }

  function facts() {
    const lists = index.runs.map((run) => {
      const pairs = run.facts.map(([name, value]) =>
        make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, value)));
      const head = index.runs.length > 1 ? make("h3", {}, make("bdi", {}, run.name)) : null;
      return make("div", {}, head, make("dl", { class: "facts" }, ...pairs));
    });
    return section("What was done", make("div", { class: "beside" }, ...lists));
  }

  function learning() {
    const figures = index.runs[0].curves.map(({ title, best }, i) => {
      const known = index.runs
        .map((run, k) => [run.name, run.curves[i].points, CLASSES[k]])
        .filter(([, points]) => points.length);
      if (!known.length) return null;
      const [titles, lines, classes] = [0, 1, 2].map((part) => known.map((one) => one[part]));
      return curves(title, best, titles, lines, classes);
    });
    const drawn = figures.filter(Boolean);
    const none = make("p", {}, "No log of a training lies beside this model.");
    return section("Learning curves",
      drawn.length ? make("div", { class: "charts" }, ...drawn) : none);
  }

  function distributions() {
    const figures = index.charts.map((chart) => {
      const classes = chart.series.map((one, i) => {
        const people = chart.unit === "words" && i === chart.series.length - 1;
        return people ? "people" : CLASSES[names.indexOf(one.name)];
      });
      return histogram(chart, classes);
    });
    return section("Distributions", make("p", {}, "A bar leads to its photos."),
      make("div", { class: "charts" }, ...figures));
  }

  function wordLink(word, where, run) {
    const asked = new URLSearchParams({ text: `"${word}"`, where, ...(run ? { run } : {}) });
    return make("a", { href: `#photos?${asked}`, dir: "auto" }, word);
  }

  function bar(share, kind) {
    const box = make("span", { class: `bar ${kind}` });
    box.style.width = `${Math.min(100, share)}%`;
    return make("span", { class: "meter" }, make("span", { class: "rail" }, box), make("span", {}, `${fixed(share)} %`));
  }

  function words() {
    const parts = index.runs.map((run, k) => {
      const rows = run.words.map(([word, said, people]) =>
        [wordLink(word, "model", k), bar(said, CLASSES[k]), bar(people, "people")]);
      const unsaid = run.unsaid.flatMap(([word, people]) =>
        [make("li", {}, wordLink(word, "people", k), ` ${fixed(people)} %`)]);
      const heads = ["word", `in captions of ${run.name}`, "in people’s"];
      const said = make("div", {}, make("h3", {}, "Most said by ", make("bdi", {}, run.name)),
        wide("Most said words", table(heads, rows)));
      const never = make("div", {}, make("h3", {}, "Said by people, and never by it here"),
        make("ul", { class: "unsaid" }, ...unsaid));
      return index.runs.length > 1 ? [make("div", {}, said, never)] : [said, never];
    });
    return section("Words", make("div", { class: "beside" }, ...parts.flat()));
  }

  document.title = `${names.join(" and ")}: scores`;
  const title = make("h1", { tabindex: -1 }, "Scores of ", make("bdi", {}, names.join(" and ")));
  return [title, scores(), learning(), distributions(), words(), facts()];
};
