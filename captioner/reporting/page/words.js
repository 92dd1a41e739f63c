// A caption word by word: chances, what else might have come, and where the decoder looked.
"use strict";

report.words = (details, name, show) => {
  const { make, percent } = report;
  const grid = report.heat.unpack(details.attention);
  const END = "(end)";
  let pinned = null;

  const panel = make("div", { class: "panel", "aria-live": "polite" });
  const buttons = details.words.map(([word, chance], number) => {
    const bar = make("span", { class: "chance" });
    bar.style.width = `${chance}%`;
    return make("button", {
      type: "button",
      class: "word",
      tabindex: number ? -1 : 0,
      "aria-pressed": "false",
      focus: () => look(number),
      mouseenter: () => look(number),
      mouseleave: rest,
      blur: rest,
      click: () => pin(number),
    }, make("span", { dir: "auto" }, word || END),
      make("span", { class: "percent" }, percent(chance)),
      make("span", { class: "track", "aria-hidden": "true" }, bar));
  });

  // Shows one word: its alternatives in the panel, its attention over the photo.
  function look(number) {
    const [word, chance, likeliest] = details.words[number];
    const rows = likeliest.map(([other, share]) => {
      const bar = make("span", { class: "bar first" });
      bar.style.width = `${share}%`;
      const text = make("span", { dir: "auto" }, other || END);
      const meter = make("span", { class: "meter" }, make("span", { class: "rail" }, bar), make("span", {}, percent(share)));
      return make("li", { class: other === word ? "said" : null }, text, meter);
    });
    const head = make("p", {}, make("strong", { dir: "auto" }, word || END), ` ${percent(chance)}`);
    const seen = grid ? make("p", { class: "where" }, report.heat.where(grid, number)) : null;
    panel.replaceChildren(head, make("ol", { class: "likeliest" }, ...rows), ...(seen ? [seen] : []));
    buttons.forEach((button, i) => button.classList.toggle("shown", i === number));
    show(grid, number);
  }

  // The pinned word again, or none, when the pointer or the focus has left.
  function rest() {
    const focused = buttons.indexOf(document.activeElement);
    const back = focused >= 0 ? focused : pinned;
    if (back !== null) {
      look(back);
      return;
    }
    buttons.forEach((button) => button.classList.remove("shown"));
    panel.replaceChildren(make("p", { class: "hint" }, hint()));
    show(null, 0);
  }

  function hint() {
    return grid
      ? "Point at a word, tap it, or go there by Tab and the arrow keys: its attention and " +
        "what else might have come."
      : "Point at a word, tap it, or go there by Tab and the arrow keys: what else might have " +
        "come. This model does not look at places of the photo, so there is no attention to show.";
  }

  function pin(number) {
    pinned = pinned === number ? null : number;
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(i === pinned)));
    if (pinned === null) buttons[number].blur();
    rest();
  }

  // Arrow keys go from word to word: one stop of Tab for the whole caption.
  function key(event) {
    const at = buttons.indexOf(document.activeElement);
    const last = buttons.length - 1;
    const to = { ArrowRight: Math.min(last, at + 1), ArrowDown: Math.min(last, at + 1),
      ArrowLeft: Math.max(0, at - 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons.forEach((button, i) => button.setAttribute("tabindex", i === to ? 0 : -1));
    buttons[to].focus();
  }

  panel.append(make("p", { class: "hint" }, hint()));
  const label = `Caption of ${name}, word by word; arrow keys go from word to word`;
  return make("div", { class: "told" },
    make("div", { class: "words", role: "toolbar", "aria-label": label, keydown: key }, ...buttons),
    panel);
};
