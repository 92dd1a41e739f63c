// The list of photos: filters, order, pages.
"use strict";

report.List = class {
  static PAGE = 24;
  static NUMBERS = ["scoreFrom", "scoreTo", "wordsFrom", "wordsTo", "sureFrom", "sureTo"];

  constructor(index, chooser) {
    this.index = index;
    this.chooser = chooser;
    this.options = this.read(new URLSearchParams());
    this.rows = null;
    this.changed = () => {}; // called when the address is another one
  }

  // What the address asks for.
  read(asked) {
    const number = (name) => (asked.get(name) ? Number(asked.get(name)) : null);
    const numbers = Object.fromEntries(report.List.NUMBERS.map((name) => [name, number(name)]));
    return {
      text: asked.get("text") ?? "",
      where: asked.get("where") ?? "any",
      sort: asked.get("sort") ?? "file",
      run: number("run") ?? 0,
      seed: number("seed") ?? 0,
      page: number("page") ?? 1,
      ...numbers,
    };
  }

  // The address of what is shown now.
  address() {
    const usual = this.read(new URLSearchParams());
    const changed = Object.entries(this.options)
      .filter(([name, value]) => value !== usual[name] && value !== null);
    return `#photos?${new URLSearchParams(changed)}`;
  }

  // The photos in their order, and the way back to the list: for the page of a photo.
  place() {
    this.rows ??= this.chooser.rows(this.options);
    return { rows: this.rows, back: this.address() };
  }

  page(asked) {
    const { make } = report;
    this.options = this.read(asked);
    this.status = make("p", { class: "status", role: "status" });
    this.photos = make("ol", { class: "photos" });
    this.turns = [make("nav", { class: "turns", "aria-label": "Pages of the list" }),
      make("nav", { class: "turns", "aria-label": "Pages of the list, below" })];
    document.title = `Photos: ${this.index.runs.map((run) => run.name).join(" and ")}`;
    this.update();
    return [make("h1", { tabindex: -1 }, "Photos"), this.form(), this.status, this.turns[0],
      this.photos, this.turns[1]];
  }

  form() {
    const { make } = report;
    const options = this.options;
    const field = (label, input) => make("label", {}, make("span", {}, label), input);
    const select = (name, pairs, to = String) => {
      const input = make("select", { name, change: () => this.change(name, to(input.value)) },
        ...pairs.map(([value, text]) => make("option", { value }, text)));
      input.value = options[name];
      return input;
    };
    const range = (legend, name, most) => {
      const ends = [["From", "from"], ["To", "to"]].map(([end, text]) => {
        const key = name + end;
        const input = make("input", { type: "number", name: key, min: 0, max: most, step: "any",
          "aria-label": `${legend} ${text}`, placeholder: text,
          input: () => this.change(key, input.value === "" ? null : Number(input.value)) });
        input.value = options[key] ?? "";
        return input;
      });
      return make("fieldset", {}, make("legend", {}, legend), ...ends);
    };
    const search = make("input", { type: "search", name: "text", autocomplete: "off",
      placeholder: 'dog, or "dog" for the whole word',
      input: () => this.change("text", search.value) });
    search.value = options.text;
    const places = [["any", "all captions"], ["model", "the model’s"], ["people", "people’s"]];
    const runs = this.index.runs.map((run, i) => [i, run.name]);
    return make("form", { class: "filters", role: "search", submit: (e) => e.preventDefault() },
      field("Words", search), field("in", select("where", places)),
      range("Score", "score", 1000), range("Length in words", "words", 100),
      this.index.runs.some((run) => run.confidence) ? range("Confidence in %", "sure", 100) : null,
      runs.length > 1 ? field("Numbers of", select("run", runs, Number)) : null,
      field("Order", select("sort", this.chooser.sorts())),
      make("button", { type: "button", click: () => (location.hash = "#photos?") }, "Clear"));
  }

  change(name, value) {
    this.options[name] = value;
    this.options.page = 1;
    history.replaceState(null, "", this.address());
    this.changed();
    this.update();
  }

  update() {
    const { count } = report;
    const rows = (this.rows = this.chooser.rows(this.options));
    const last = Math.max(1, Math.ceil(rows.length / report.List.PAGE));
    const page = (this.options.page = Math.min(Math.max(1, this.options.page), last));
    const first = (page - 1) * report.List.PAGE;
    const shown = rows.slice(first, first + report.List.PAGE);
    this.status.textContent = rows.length
      ? `${count(rows.length)} of ${count(this.index.names.length)} photos; ` +
        `${count(first + 1)} to ${count(first + shown.length)} are shown`
      : "No photo fits.";
    this.photos.start = first + 1;
    this.photos.replaceChildren(...shown.map((number) => this.card(number)));
    for (const nav of this.turns) nav.replaceChildren(...this.turn(page, last));
  }

  turn(page, last) {
    const { make, count } = report;
    if (last === 1) return [];
    const to = (number, text) => {
      const off = number < 1 || number > last || number === page;
      return make("button", { type: "button", disabled: off, click: () => this.open(number) }, text);
    };
    return [to(1, "First"), to(page - 1, "Previous"),
      make("span", {}, `page ${count(page)} of ${count(last)}`), to(page + 1, "Next"), to(last, "Last")];
  }

  open(number) {
    this.options.page = number;
    history.pushState(null, "", this.address());
    this.changed();
    this.update();
    window.scrollTo(0, 0);
    document.querySelector("h1").focus({ preventScroll: true });
  }

  card(number) {
    const { make, fixed, signed, percent } = report;
    const { index } = this;
    const image = report.without.has(number)
      ? make("span", { class: "none" }, "no photo")
      : make("img", { src: `photos/${number}.jpg`, alt: "", loading: "lazy", decoding: "async" });
    const told = index.runs.map((run, which) => {
      const sure = run.confidence ? ` · sure ${percent(run.confidence[number])}` : "";
      const name = index.runs.length > 1 ? make("bdi", { class: "name" }, run.name) : null;
      return make("span", { class: `told ${["first", "second"][which]}` }, name,
        make("strong", { dir: "auto" }, run.captions[number] || "(nothing)"),
        make("span", { class: "numbers" }, `CIDEr-D ${fixed(run.scores[number])}${sure}`));
    });
    const gain = index.runs.length > 1
      ? make("span", { class: "numbers" },
          `difference ${signed(index.runs[0].scores[number] - index.runs[1].scores[number])}`)
      : null;
    const people = index.people[number].map((text) => make("li", { dir: "auto" }, text));
    return make("li", {},
      make("a", { href: `#photo?number=${number}` }, image, make("span", { class: "text" }, ...told, gain)),
      make("ul", { class: "others", "aria-label": "People" }, ...people));
  }
};
