// Which page is shown: the address after # says it, so that links and the Back key work.
"use strict";

report.begin = (index) => {
  const { make } = report;
  const main = document.getElementById("main");
  report.without = new Set(index.without);
  const chooser = new report.Chooser(index);
  const list = new report.List(index, chooser);
  let shown = false;
  report.begun = true;

  const pages = [["Overview", "#overview"], ["All photos", "#photos?sort=file"],
    ["Worst", "#photos?sort=worst"], ["Best", "#photos?sort=best"], ["Random", "#photos?sort=random"]];
  if (index.runs.length > 1) pages.push(["Most changed", "#photos?sort=changed"]);
  const links = pages.map(([text, href]) => make("a", { href }, text));
  links[4].addEventListener("click", (event) => {
    event.preventDefault(); // another order each time
    location.hash = `#photos?sort=random&seed=${Math.floor(Math.random() * 1e6)}`;
  });
  document.getElementById("pages").append(...links);
  document.getElementById("title").textContent =
    `${index.runs.map((run) => run.name).join(" and ")} on ${index.data}, ${index.split}`;
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });

  function go() {
    const [page, asked] = location.hash.slice(1).split("?");
    const options = new URLSearchParams(asked);
    const number = Number(options.get("number"));
    let parts;
    if (page === "photos") parts = list.page(options);
    else if (page === "photo" && index.names[number] !== undefined) {
      parts = report.photo(index, number, list.place());
    } else parts = report.overview(index);
    main.replaceChildren(...parts);
    mark();
    if (shown) {
      window.scrollTo(0, 0);
      main.querySelector("h1").focus({ preventScroll: true });
    }
    shown = true;
  }

  // Tells which of the links above leads to what is shown.
  function mark() {
    const [page, asked] = location.hash.slice(1).split("?");
    const options = new URLSearchParams(asked);
    const sort = page === "photos" ? options.get("sort") ?? "file" : null;
    links.forEach((link) => {
      const own = new URLSearchParams(link.hash.split("?")[1]).get("sort");
      const here = sort ? own === sort : page !== "photo" && link.hash === "#overview";
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
  }

  list.changed = mark;
  addEventListener("hashchange", go);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && location.hash.startsWith("#photo?")) location.hash = list.place().back;
  });
  go();
};

addEventListener("load", () => {
  if (report.begun) return;
  const text = "data/index.js cannot be read; copy the whole folder of the report.";
  document.getElementById("main").replaceChildren(report.make("p", { role: "alert" }, text));
});
