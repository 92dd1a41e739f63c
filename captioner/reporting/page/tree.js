// The beam of a photo as a tree of phrases.
"use strict";

report.tree = (details, name) => {
  const { make, fixed, percent } = report;

  // How a caption ended: its place in the beam, and how likely the model found it.
  function end(numbers) {
    return numbers.map((number) => {
      const [logProb, sure] = details.beam[number];
      const told = `${number + 1}. ${fixed(logProb, 2)}` +
        (sure === null ? "" : `, ${percent(sure)}`);
      return make("span", { class: "end" }, told);
    });
  }

  function branch([phrase, captions, after]) {
    const chosen = captions.includes(0) ? "chosen" : null;
    const text = make("span", { class: "phrase", dir: "auto" }, phrase || "(end)");
    const ends = after.length ? [] : end(captions);
    const head = make("span", { class: chosen }, text, ...ends);
    return make("li", {}, head, after.length ? make("ul", {}, ...after.map(branch)) : null);
  }

  const [, , first] = details.tree;
  const label = `Beam of ${name}: ${details.beam.length} captions, the chosen one first`;
  return make("div", { class: "wide tree", role: "region", "aria-label": label, tabindex: 0 },
    make("ul", {}, ...first.map(branch)));
};
