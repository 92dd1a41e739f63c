// The OpenAPI description as a page. All of it is put in as text.

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function table(heads, rows) {
  const head = element("tr", ...heads.map((text) => {
    const cell = element("th", text);
    cell.scope = "col";
    return cell;
  }));
  return element("table", element("thead", head),
    element("tbody", ...rows.map((row) => element("tr", ...row.map((text) => element("td", text))))));
}

// What a value may be, in a few words.
function kind(schema, all) {
  if (schema.$ref) return kind(all[schema.$ref.split("/").pop()], all);
  if (schema.anyOf) return schema.anyOf.filter((one) => one.type !== "null").map((one) => kind(one, all)).join(" or ");
  if (schema.type === "array") return `several: ${kind(schema.items, all)}`;
  if (schema.format === "binary") return "file";
  if (schema.type === "object") return schema.title ?? "object";
  const ends = [["minimum", "from"], ["exclusiveMinimum", "above"], ["maximum", "to"], ["exclusiveMaximum", "below"]]
    .filter(([name]) => name in schema).map(([name, word]) => `${word} ${schema[name]}`);
  return [schema.type, ...ends].join(" ");
}

function fields(schema, all) {
  return Object.entries(schema.properties ?? {}).map(([name, of]) => [
    name, kind(of, all), "default" in of ? String(of.default ?? "") : "", of.description ?? "",
  ]);
}

const HEADS = ["field", "what", "by default", "about"];
const told = await (await fetch("openapi.json")).json();
const schemas = told.components?.schemas ?? {};
const parts = [];
for (const [path, methods] of Object.entries(told.paths)) {
  for (const [method, of] of Object.entries(methods)) {
    parts.push(element("h2", `${method.toUpperCase()} ${path}`), element("p", of.summary ?? ""));
    if (of.description) parts.push(element("p", of.description));
    const form = of.requestBody?.content["multipart/form-data"]?.schema;
    if (form) parts.push(element("h3", "Form"), table(HEADS, fields(form, schemas)));
    parts.push(element("h3", "Answers"), table(["status", "about"],
      Object.entries(of.responses).map(([status, one]) => [status, one.description ?? ""])));
  }
}
parts.push(element("h2", "What is in the JSON"));
for (const [name, schema] of Object.entries(schemas)) {
  if (!schema.properties || name.startsWith("HTTP") || name.startsWith("Validation")) continue;
  parts.push(element("h3", name), table(HEADS, fields(schema, schemas)));
}
document.getElementById("paths").replaceChildren(...parts);
const example = document.getElementById("example");
example.textContent = example.textContent.replace("ADDRESS/", new URL("./", location.href).href);
