// What the other scripts share: data that comes as scripts, and elements made of plain text.
"use strict";

window.report = (() => {
  const KEPT = 24; // files of details in memory at most
  const received = new Map();
  const waiting = new Map();

  // A file of data calls this with its name and value.
  function receive(name, value) {
    received.set(name, value);
    if (name === "index") {
      report.begin(value);
      return;
    }
    waiting.get(name)?.done(value);
    waiting.delete(name);
    while (received.size > KEPT) {
      const oldest = [...received.keys()].find((key) => key !== "index");
      received.delete(oldest);
    }
  }

  // The value of a file of data, by a script tag: pages opened from disk may fetch nothing else.
  function load(name) {
    if (received.has(name)) return Promise.resolve(received.get(name));
    if (waiting.has(name)) return waiting.get(name).promise;
    let done, failed;
    const promise = new Promise((resolve, reject) => {
      done = resolve;
      failed = reject;
    });
    waiting.set(name, { promise, done });
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.onload = () => script.remove();
    script.onerror = () => {
      waiting.delete(name);
      script.remove();
      failed(new Error(`data/${name}.js cannot be read; copy the whole folder of the report`));
    };
    document.head.append(script);
    return promise;
  }

  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") element.addEventListener(name, value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // An element with attributes, listeners (functions) and children; strings become plain text.
  function make(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
  }

  function draw(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
  }

  const count = (number) => number.toLocaleString("en");
  const fixed = (number, digits = 1) => number.toFixed(digits).replace("-", "−");
  const signed = (number, digits = 1) => (number > 0 ? "+" : "") + fixed(number, digits);
  const percent = (number) => (number < 0.5 ? "< 1 %" : `${Math.round(number)} %`);

  return { receive, load, make, draw, count, fixed, signed, percent };
})();
