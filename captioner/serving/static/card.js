// A photo on the page: its picture, its captions, what can be done with them.
import { caption, describe, Failure } from "./asking.js";
import { download } from "./saving.js";
import { percent, showWords } from "./words.js";

const template = document.getElementById("card");
const DESCRIBED = /\.(jpe?g|png)$/i;
let count = 0;

export class Card {
  captions = [];
  chosen = null; // of them
  state = "waiting"; // then busy, and done or failed
  #abort = new AbortController();
  #number = (count += 1);

  // page: {fit, changed, removed, again}; `changed` is called whenever something is.
  constructor(file, page) {
    this.file = file;
    this.name = file.name || `pasted-${this.#number}.png`;
    this.page = page;
    this.element = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => this.element.querySelector(selector);
    this.parts = {
      image: part("img"), canvas: part("canvas"), title: part("h2"), state: part(".state"),
      found: part(".found"), words: part(".words"), info: part(".word-info"),
      confidence: part(".confidence"), others: part(".others"), edit: part(".edit"),
      text: part("textarea"), use: part(".use"), retry: part(".retry"), write: part(".write"),
      remove: part(".remove"), noPreview: part(".no-preview"),
    };
    const { image, title, text, words, use, retry, write, remove, noPreview } = this.parts;
    title.textContent = this.name;
    image.src = URL.createObjectURL(file);
    image.alt = this.name;
    image.onerror = () => { image.hidden = true; noPreview.hidden = false; };
    text.setAttribute("aria-label", `Caption to keep, of ${this.name}`);
    words.setAttribute("aria-label", `Words of the caption of ${this.name}; arrow keys`);
    const named = [[use, "Undo my changes"], [retry, "Caption again"],
      [write, "Save photo with caption"], [remove, "Remove"]];
    for (const [button, what] of named) button.setAttribute("aria-label", `${what}: ${this.name}`);
    text.addEventListener("input", () => this.#edited());
    use.addEventListener("click", () => { this.#take(this.chosen); text.focus(); });
    retry.addEventListener("click", () => page.again(this));
    write.addEventListener("click", () => this.#save());
    remove.addEventListener("click", () => page.removed(this));
    this.#tell("Waiting …");
  }

  get text() { return this.parts.text.value.trim(); }

  get edited() { return this.text !== (this.chosen?.caption ?? ""); }

  get describable() { return Boolean(this.text) && DESCRIBED.test(this.name); }

  // Asks for captions.
  async ask(settings) {
    if (this.#abort.signal.aborted) return;
    this.state = "busy";
    this.#tell("Captioning …");
    try {
      const found = await caption(this.file, settings, this.#abort.signal);
      const own = this.edited && this.text;
      this.captions = found;
      this.#offer();
      this.#choose(found[0]);
      if (own) {
        this.parts.text.value = own;
        this.#edited();
      }
      this.state = "done";
      this.#tell("");
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.state = "failed";
      this.#tell(error instanceof Failure ? error.message : String(error));
    }
  }

  wait() {
    this.state = "waiting";
    this.#tell("Waiting …");
  }

  // A copy of the photo with the caption in its description.
  async described() { return { name: this.name, blob: await describe(this.file, this.text) }; }

  drop() {
    this.#abort.abort();
    URL.revokeObjectURL(this.parts.image.src);
    this.element.remove();
  }

  #tell(message) {
    const { state, retry, edit } = this.parts;
    const busy = this.state === "busy";
    state.textContent = message;
    state.hidden = !message;
    state.classList.toggle("bad", this.state === "failed");
    this.element.classList.toggle("busy", busy);
    this.element.setAttribute("aria-busy", String(busy));
    retry.hidden = this.state === "waiting" || busy;
    edit.hidden = this.state !== "done" && !this.captions.length && this.state !== "failed";
    this.page.changed();
  }

  #offer() {
    const { others } = this.parts;
    others.hidden = this.captions.length < 2;
    others.replaceChildren(others.querySelector("legend"), ...this.captions.map((found, i) => {
      const label = document.createElement("label");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = `caption-${this.#number}`;
      radio.checked = i === 0;
      radio.addEventListener("change", () => this.#choose(found));
      const known = found.confidence == null ? "" : ` (${percent(found.confidence)})`;
      label.append(radio, `${found.caption}${known}`);
      return label;
    }));
  }

  #choose(found) {
    const { confidence } = this.parts;
    this.parts.found.hidden = false;
    showWords(this.parts, found.words, this.page.fit);
    confidence.hidden = found.confidence == null;
    confidence.textContent = `Confidence: ${percent(found.confidence ?? 0)}`;
    confidence.title = "The chance that people would call it a good caption";
    this.#take(found);
  }

  #take(found) {
    this.chosen = found;
    this.parts.text.value = found.caption;
    this.#edited();
  }

  #edited() {
    const { use, write, image } = this.parts;
    use.hidden = !(this.chosen && this.edited);
    write.hidden = !this.describable;
    image.alt = this.text || this.name;
    this.page.changed();
  }

  async #save() {
    try {
      const { name, blob } = await this.described();
      download(blob, name);
      this.#tell("");
    } catch (error) {
      this.parts.state.hidden = false;
      this.parts.state.classList.add("bad");
      this.parts.state.textContent = error.message;
    }
  }
}
