// The page: photos come in, captions go out.
import { about, Failure, follow, Line } from "./asking.js";
import { Card } from "./card.js";
import { asCsv, asJson, download } from "./saving.js";
import { zip } from "./zip.js";

const at = (id) => document.getElementById(id);
const line = new Line();
const cards = [];
const page = { fit: "squeeze", changed: update, removed: remove, again: (card) => queue(card) };
let links = false;

// Shown in the status line; a screen reader says it aloud only where it is worth an interruption.
function say(message, aloud = true) {
  if (at("status").textContent === message) return;
  at("status").textContent = message;
  if (aloud) at("aloud").textContent = message;
}

function settings() {
  const form = at("search");
  const value = (name) => form.elements[name].value;
  const common = { num_captions: value("num_captions") || 1 };
  if (value("method") === "beams") return { ...common, beam_size: value("beam_size") || 0 };
  const seed = Math.floor(2 ** 32 * Math.random());
  return { ...common, sample: true, temperature: value("temperature") || 1, seed };
}

function queue(card) {
  card.wait();
  line.add(() => card.ask(settings()));
}

function add(files) {
  for (const file of files) {
    const card = new Card(file, page);
    cards.push(card);
    at("photos").append(card.element);
    queue(card);
  }
  update();
}

function remove(card) {
  const next = card.element.nextElementSibling ?? card.element.previousElementSibling;
  cards.splice(cards.indexOf(card), 1);
  card.drop();
  (next?.querySelector("h2") ?? at("files")).focus();
  update();
}

let counted = ""; // what `update` said last

// The progress bar, the status and what can be pressed, from the state of the cards.
function update() {
  const of = (...states) => cards.filter((card) => states.includes(card.state)).length;
  const [done, failed, left] = [of("done"), of("failed"), of("waiting", "busy")];
  at("done").hidden = !cards.length;
  at("progress").max = cards.length || 1;
  at("progress").value = done + failed;
  at("progress").hidden = !left;
  const bad = failed ? `, ${failed} could not be captioned` : "";
  const photos = (number) => `${number} photo${number === 1 ? "" : "s"}`;
  const message = left
    ? `${done + failed} of ${photos(cards.length)} …${bad}`
    : `${photos(done)} captioned${bad}.`;
  if (message !== counted) say(message, !left);
  counted = message;
  at("again").disabled = !cards.length || left > 0;
  const some = cards.some((card) => card.text);
  for (const id of ["save-csv", "save-json"]) at(id).disabled = !some;
  at("save-photos").disabled = !cards.some((card) => card.describable);
}

function kept() { return cards.filter((card) => card.text); }

async function savePhotos() {
  const files = [];
  const problems = [];
  at("save-photos").disabled = true;
  const wanted = cards.filter((card) => card.describable);
  for (const [number, card] of wanted.entries()) {
    say(`Writing ${number + 1} of ${wanted.length} …`, false);
    try {
      files.push(await card.described());
    } catch (error) {
      problems.push(`${card.name}: ${error.message}`);
    }
  }
  if (files.length === 1) download(files[0].blob, files[0].name);
  if (files.length > 1) download(await zip(files), "captioned.zip");
  update();
  const left = kept().length - files.length;
  const told = `${files.length} saved${left ? `; ${left} left out (JPEG and PNG alone)` : ""}`;
  say([told, ...problems].join("; "));
}

async function addLink(url) {
  at("done").hidden = false;
  say("Fetching the photo …");
  try {
    add([await follow(url)]);
    at("url").value = "";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(error.message);
  }
}

function pictures(transfer) {
  return [...(transfer?.files ?? [])];
}

for (const id of ["files", "camera"]) {
  at(id).addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = ""; // so that the same photo can be chosen again
  });
}

document.addEventListener("paste", (event) => {
  const files = pictures(event.clipboardData);
  const text = event.clipboardData?.getData("text").trim() ?? "";
  const typing = event.target.closest?.("input, textarea");
  if (files.length) add(files);
  else if (links && !typing && /^https?:\/\//.test(text)) addLink(text);
});

let inside = 0; // how many elements the thing that is dragged is over
const dragging = (by) => {
  inside = by ? inside + by : 0;
  document.body.classList.toggle("dropping", inside > 0);
};
document.addEventListener("dragenter", (event) => { event.preventDefault(); dragging(1); });
document.addEventListener("dragleave", () => dragging(-1));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  dragging(0);
  const files = pictures(event.dataTransfer);
  const url = event.dataTransfer.getData("text/uri-list").split(/\s/)[0];
  if (files.length) add(files);
  else if (links && url) addLink(url);
});

at("link").addEventListener("submit", (event) => {
  event.preventDefault();
  addLink(at("url").value);
});

at("search").addEventListener("change", () => {
  const sample = at("search").elements.method.value === "sample";
  document.querySelector(".of-sample").hidden = !sample;
  document.querySelector(".of-beams").hidden = sample;
});
at("search").addEventListener("submit", (event) => {
  event.preventDefault();
  cards.forEach(queue);
});

at("save-json").addEventListener("click", () => download(asJson(kept()), "captions.json"));
at("save-csv").addEventListener("click", () => download(asCsv(kept()), "captions.csv"));
at("save-photos").addEventListener("click", savePhotos);
at("clear").addEventListener("click", () => {
  cards.splice(0).forEach((card) => card.drop());
  update();
  at("files").focus();
});
window.addEventListener("beforeunload", (event) => {
  if (cards.some((card) => card.chosen && card.edited)) event.preventDefault();
});

const known = await about();
page.fit = known.fit;
links = known.links;
at("link").hidden = !links;
at("model").textContent = `Model: ${known.model}.`;
