// Captions and photos on their way out, as files that the browser makes.

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A record per photo: its name, the caption that is kept, and what the model said.
export function asJson(photos) {
  const records = photos.map(({ name, text, edited, captions }) => ({
    image: name,
    caption: text,
    edited,
    captions: captions.map(({ caption, log_prob, confidence }) => ({ caption, log_prob, confidence })),
  }));
  return new Blob([JSON.stringify(records, null, 1), "\n"], { type: "application/json" });
}

const quoted = (value) => /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;

// The columns of `captioner caption --format csv`; a text of one's own has no numbers.
export function asCsv(photos) {
  const rows = photos.map(({ name, text, edited, chosen }) => [
    name, text,
    edited || !chosen ? "" : String(chosen.log_prob),
    edited ? "" : String(chosen?.confidence ?? ""),
  ]);
  const lines = [["image", "caption", "log_prob", "confidence"], ...rows]
    .map((row) => `${row.map(quoted).join(",")}\n`);
  return new Blob(lines, { type: "text/csv;charset=utf-8" });
}
