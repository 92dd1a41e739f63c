// The page of one photo.
"use strict";

report.photo = (index, number, place) => {
  const { make, fixed, signed, percent, count } = report;
  const name = index.names[number];
  const canvas = make("canvas", { class: "heat", hidden: true, "aria-hidden": "true" });
  const caption = make("p", { class: "legend-heat", hidden: true });

  function picture() {
    const missing = report.without.has(number);
    const about = `Photo: ${index.people[number][0]}`;
    const image = missing
      ? make("div", { class: "none", role: "img", "aria-label": about }, "no photo in this report")
      : make("img", { src: `photos/${number}.jpg`, alt: about });
    return make("figure", { class: "photo" },
      make("div", { class: "stage" }, image, canvas), caption);
  }

  // The heat map of a CNN that sees the middle square alone lies there.
  function fit(how) {
    const { clientWidth: wide, clientHeight: high } = canvas.parentNode;
    const side = how === "crop" ? Math.min(wide, high) : 0;
    canvas.style.width = side ? `${side}px` : "";
    canvas.style.height = side ? `${side}px` : "";
    canvas.style.inset = side ? `${(high - side) / 2}px auto auto ${(wide - side) / 2}px` : "";
  }

  function show(grid, word, how) {
    canvas.hidden = caption.hidden = !grid;
    if (!grid) return;
    fit(how);
    report.heat.paint(canvas, grid, word);
    const [low, high] = grid.scale.map((share) => `${share.toFixed(1)} %`);
    caption.replaceChildren(low, make("span", { class: "ramp", "aria-hidden": "true" }), high,
      " of the attention at a place");
  }

  function told(run, which) {
    const box = make("div", { class: "explained" },
      make("p", { class: "caption", dir: "auto" }, run.captions[number]));
    const sure = run.confidence && `, confidence ${percent(run.confidence[number])}`;
    const score = `CIDEr-D ${fixed(run.scores[number])}${sure || ""}`;
    const beam = make("section", {}, make("h3", {}, "Beam"),
      make("p", { class: "hint" }, "The captions that were found, where they begin to differ; after ",
        "each its place, its log-probability", run.confidence ? ", its confidence." : "."));
    const chunk = Math.floor(number / index.chunk);
    report.load(`run-${which}-${chunk}`).then((file) => {
      const details = file[number - chunk * index.chunk];
      box.replaceChildren(report.words(details, run.name, (grid, word) => show(grid, word, run.fit)));
      beam.append(report.tree(details, run.name));
    }, (error) => box.append(make("p", { role: "alert" }, error.message)));
    return make("section", { class: `run ${["first", "second"][which]}` },
      make("h2", {}, make("bdi", {}, run.name), " ", make("small", {}, score)), box, beam);
  }

  function difference() {
    if (index.runs.length < 2) return null;
    const [one, two] = index.runs;
    const gain = one.scores[number] - two.scores[number];
    return make("p", {}, `${one.name} less ${two.name}: ${signed(gain)} CIDEr-D`);
  }

  function link(text, to) {
    return to === undefined
      ? make("span", { class: "off", "aria-hidden": "true" }, text)
      : make("a", { href: `#photo?number=${to}` }, text);
  }

  const { rows, back } = place;
  const at = rows.indexOf(number);
  const steps = make("nav", { class: "steps", "aria-label": "Photos" },
    make("a", { href: back }, "Back to the list"),
    link("Previous", rows[at - 1]), link("Next", at < 0 ? rows[0] : rows[at + 1]),
    at < 0 ? null : make("span", {}, `${count(at + 1)} of ${count(rows.length)}`));
  const people = make("section", {}, make("h2", {}, "People"),
    make("ul", { class: "others" },
      ...index.people[number].map((text) => make("li", { dir: "auto" }, text))));
  document.title = `${name}: ${index.runs.map((run) => run.name).join(" and ")}`;
  return [
    steps,
    make("h1", { tabindex: -1 }, make("bdi", {}, name)),
    make("div", { class: "look" }, make("div", { class: "left" }, picture(), people),
      make("div", {}, difference(), ...index.runs.map(told))),
  ];
};
