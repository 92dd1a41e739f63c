// The words of a caption: each a button that tells how likely it was, what else might have come and
// where the decoder looked. One stop of the Tab key; the arrow keys go from word to word.
import { draw } from "./heat.js";

export function percent(chance) {
  if (chance > 0 && chance < 0.005) return "below 1 %";
  return chance > 0.995 && chance < 1 ? "above 99 %" : `${Math.round(100 * chance)} %`;
}

// What cannot be shown as it is: the end of a caption, and words that are too rare to be known.
const NAMES = { "": "(the end)", "<unk>": "(a rare word)" };
const spell = (word) => NAMES[word] ?? word;
const HINT = "Move over a word, or tap it: how likely it was, and where the model looked.";

function element(name, text = "", classes = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function table(word) {
  const made = element("table");
  made.append(element("caption", `“${spell(word.word)}” had a chance of ${percent(word.probability)}. Likeliest here:`));
  for (const other of word.likeliest) {
    const row = element("tr", "", other.word === word.word ? "said" : "");
    const name = element("th", spell(other.word));
    name.scope = "row";
    const bar = element("td", "", "bar");
    const inner = element("i");
    inner.style.setProperty("--p", other.probability);
    bar.append(inner);
    row.append(name, element("td", percent(other.probability)), bar);
    made.append(row);
  }
  return made;
}

// card: the parts of the card by name. said: what the server told of each word. fit: see heat.js.
export function showWords(card, said, fit) {
  const { words, info, canvas, image } = card;
  let pinned = null;
  const buttons = said.map((word, number) => {
    const button = element("button", "", "word");
    button.type = "button";
    button.tabIndex = number ? -1 : 0;
    const text = element("span", word.word || "·");
    text.style.setProperty("--p", word.probability);
    button.append(text);
    const others = word.likeliest.filter((other) => other.word !== word.word).slice(0, 3)
      .map((other) => `${spell(other.word)} ${percent(other.probability)}`).join(", ");
    button.setAttribute("aria-label",
      `${spell(word.word)}, ${percent(word.probability)}; others: ${others}`);
    button.setAttribute("aria-pressed", "false");
    return button;
  });

  function show(number) {
    buttons.forEach((button, i) => button.classList.toggle("now", i === number));
    const word = said[number];
    info.replaceChildren(word ? table(word) : element("p", HINT));
    if (word?.attention && image.naturalWidth) {
      draw(canvas, word.attention, fit, image.naturalWidth, image.naturalHeight);
    } else {
      canvas.hidden = true;
    }
  }

  function pin(number) {
    pinned = number === pinned ? null : number;
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === pinned)));
    show(pinned ?? number);
  }

  function rest() {
    const focused = buttons.indexOf(document.activeElement);
    show(focused < 0 ? pinned : focused);
  }

  buttons.forEach((button, number) => {
    button.addEventListener("mouseenter", () => show(number));
    button.addEventListener("focus", () => {
      buttons.forEach((other, i) => { other.tabIndex = i === number ? 0 : -1; });
      show(number);
    });
    button.addEventListener("click", () => pin(number));
  });
  words.onmouseleave = rest;
  words.onfocusout = (event) => { if (!words.contains(event.relatedTarget)) show(pinned); };
  words.onkeydown = (event) => {
    const now = buttons.indexOf(document.activeElement);
    const last = buttons.length - 1;
    const next = {
      ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last,
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      buttons[next].focus();
    } else if (event.key === "Escape") {
      pinned = null;
      buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
      show(null);
    }
  };
  words.replaceChildren(...buttons);
  show(null);
}
