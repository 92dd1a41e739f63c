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
  ["gain", "Where the first model is better"],
  ["loss", "Where the second is better"],
  ["changed", "Greatest difference first"],
];

report.Chooser = class {
  constructor(index) {
    this.index = index;
    this.size = index.names.length;
    this.lengths = index.runs.map((run) => run.captions.map(countWords));
    this.texts = null;
  }

  // The sorts that make sense here.
  sorts() {
    const both = this.index.runs.length > 1;
    const sure = this.index.runs.some((run) => run.confidence);
    const left = { gain: both, loss: both, changed: both, sure, unsure: sure };
    return report.SORTS.filter(([name]) => left[name] ?? true);
  }

  // What is searched, in lower case: of each photo what people said, and what each model said.
  lower() {
    const { people, runs } = this.index;
    this.texts ??= [people.map((said) => said.join(" / ").toLowerCase()),
      ...runs.map((run) => run.captions.map((caption) => caption.toLowerCase()))];
    return this.texts;
  }

  // Whether a photo has all terms, be it in different captions.
  finder(text, where, run) {
    const terms = termsOf(text);
    if (!terms.length) return () => true;
    const all = this.lower();
    const texts = where === "any" ? all : [all[where === "people" ? 0 : run + 1]];
    return (i) => terms.every(([word, pattern]) =>
      texts.some((of) => of[i].includes(word) && pattern.test(of[i])));
  }

  // Numbers of the photos that fit, in order.
  rows(options) {
    const run = this.index.runs[options.run] ? options.run : 0;
    const { scores, confidence } = this.index.runs[run];
    const says = this.finder(options.text, options.where, run);
    const limits = [
      [scores, options.scoreFrom, options.scoreTo],
      [this.lengths[run], options.wordsFrom, options.wordsTo],
      [confidence, options.sureFrom, options.sureTo],
    ].filter(([values, from, to]) => values && (from !== null || to !== null));
    const chosen = [];
    for (let i = 0; i < this.size; i++) {
      if (!says(i)) continue;
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
      changed: () => this.gains().map((gain) => -Math.abs(gain)),
    };
    return of[sort]?.() ?? null;
  }

  // How much better the first model is than the second, photo by photo.
  gains() {
    const [one, two] = this.index.runs;
    return two ? one.scores.map((score, i) => score - two.scores[i]) : one.scores;
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

// Beginnings of words, or whole words and phrases where they stand in quotes: for each the first
// word alone, which is quick to look for, and a pattern.
function termsOf(text) {
  const terms = [];
  for (const [found, quoted] of text.toLowerCase().matchAll(/"([^"]*)"|[^\s"]+/g)) {
    const words = (quoted ?? found).match(/[\p{L}\p{N}'’]+/gu);
    if (!words) continue;
    const end = quoted === undefined ? "" : "(?![\\p{L}\\p{N}])";
    const between = "[^\\p{L}\\p{N}'’/]+";
    terms.push([words[0], new RegExp(`(?<![\\p{L}\\p{N}])${words.join(between)}${end}`, "u")]);
  }
  return terms;
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
