// What the page asks of the server.

const AT_ONCE = 4; // requests; the server puts their photos into one batch
const TRIES = 6;

export class Failure extends Error {}

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, 1000 * seconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); });
});

async function post(path, form, signal) {
  for (let tried = 1; ; tried += 1) {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", body: form, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("the server cannot be reached, or the photo cannot be read any more");
    }
    if (answer.ok) return answer;
    if (answer.status === 503 && tried < TRIES) {
      await pause(Number(answer.headers.get("Retry-After")) || 2, signal);
      continue;
    }
    const told = await answer.json().catch(() => null);
    throw new Failure(told?.error?.message ?? `the server answered ${answer.status}`);
  }
}

function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

// The captions of a photo, each with its words.
export async function caption(file, settings, signal) {
  const answer = await post("caption", formOf({ image: file, explain: true, ...settings }), signal);
  return (await answer.json()).photos[0].captions;
}

// A copy of the photo with the caption in its description.
export async function describe(file, text) {
  const answer = await post("describe", formOf({ image: file, caption: text }));
  return answer.blob();
}

// The photo behind a link.
export async function follow(url) {
  const answer = await post("link", formOf({ url }));
  const name = decodeURIComponent(answer.headers.get("X-Name") ?? "photo");
  return new File([await answer.blob()], name, { type: answer.headers.get("Content-Type") });
}

export async function about() {
  return (await fetch("about")).json();
}

// Runs jobs in order, a few at a time.
export class Line {
  #waiting = [];
  #running = 0;

  add(job) {
    this.#waiting.push(job);
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#waiting.shift()().finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}
