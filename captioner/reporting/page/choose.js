// Which photos a list shows, and in which order.
"use strict";

report.SORTS = [
  ["file", "Name of the file"],
  ["worst", "Worst score first"],
  ["best", "Best score first"],
  ["random", "Random"],
  ["unsure", "Least confident first"],
  ["sure", "Most confident first"],
  ["short", "Shortest caption first"],
  ["long", "Longest caption first"],
  ["gain", "Where the second is better"],
  ["loss", "Where the first is better"],
];

report.Chooser = class {
  constructor(index) {
    this.index = index;
    this.size = index.names.length;
    this.lengths = index.runs.map((run) => run.captions.map(countWords));
    this.texts = new Map();
  }

  // The sorts that make sense here.
  sorts() {
    const both = this.index.runs.length > 1;
    const sure = this.index.runs.some((run) => run.confidence);
    const left = { gain: both, loss: both, sure, unsure: sure };
    return report.SORTS.filter(([name]) => left[name] ?? true);
  }

  // What is searched: a photo's captions in lower case, a space around each word.
  text(where, run) {
    const key = where === "people" ? where : `${where} ${run}`;
    if (!this.texts.has(key)) {
      const { people, runs, names } = this.index;
      const found = names.map((_, i) => {
        if (where === "people") return plain(people[i].join(" / "));
        if (where === "model") return plain(runs[run].captions[i]);
        return plain([...runs.map((r) => r.captions[i]), ...people[i]].join(" / "));
      });
      this.texts.set(key, found);
    }
    return this.texts.get(key);
  }

  // Numbers of the photos that fit, in order.
  rows(options) {
    const run = this.index.runs[options.run] ? options.run : 0;
    const { scores, confidence } = this.index.runs[run];
    const terms = termsOf(options.text);
    const texts = terms.length ? this.text(options.where, run) : null;
    const limits = [
      [scores, options.scoreFrom, options.scoreTo],
      [this.lengths[run], options.wordsFrom, options.wordsTo],
      [confidence, options.sureFrom, options.sureTo],
    ].filter(([values, from, to]) => values && (from !== null || to !== null));
    const chosen = [];
    for (let i = 0; i < this.size; i++) {
      if (texts && !terms.every((term) => texts[i].includes(term))) continue;
      if (limits.every(([values, from, to]) => within(values[i], from, to))) chosen.push(i);
    }
    const keys = this.keys(options.sort, run, options.seed);
    return keys ? chosen.sort((a, b) => keys[a] - keys[b] || a - b) : chosen;
  }

  // Numbers to sort by, the smallest first; null for the order of files.
  keys(sort, run, seed) {
    const { runs } = this.index;
    const of = {
      worst: () => runs[run].scores,
      best: () => negative(runs[run].scores),
      unsure: () => runs[run].confidence,
      sure: () => negative(runs[run].confidence ?? []),
      short: () => this.lengths[run],
      long: () => negative(this.lengths[run]),
      random: () => shuffled(this.size, seed),
      gain: () => negative(this.gains()),
      loss: () => this.gains(),
    };
    return of[sort]?.() ?? null;
  }

  // How much better the second model is, photo by photo.
  gains() {
    const [one, two] = this.index.runs;
    return two ? two.scores.map((score, i) => score - one.scores[i]) : one.scores;
  }
};

function countWords(text) {
  return text ? text.split(" ").length : 0;
}

function within(value, from, to) {
  return (from === null || value >= from) && (to === null || value <= to);
}

function negative(values) {
  return values.map((value) => -value);
}

function plain(text) {
  return ` ${text.toLowerCase().replace(/[^\p{L}\p{N}'’/]+/gu, " ")} `;
}

// Beginnings of words, or whole words and phrases where they stand in quotes.
function termsOf(text) {
  return [...text.matchAll(/"([^"]*)"|[^\s"]+/g)]
    .map((found) => (found[1] === undefined ? plain(found[0]).trimEnd() : plain(found[1])))
    .filter((term) => term.trim());
}

// The same numbers for the same seed (mulberry32).
function shuffled(size, seed) {
  let state = seed >>> 0;
  return Float64Array.from({ length: size }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });
}
