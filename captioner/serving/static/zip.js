// Files in one ZIP archive, stored as they are: photos are compressed already.
// Format: APPNOTE.TXT 6.3, sections 4.3.7 (file), 4.3.12 (directory), 4.3.16 (its end).

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// Little-endian numbers: pairs of value and number of bytes.
function numbers(...pairs) {
  const bytes = [];
  for (const [value, size] of pairs) {
    for (let i = 0; i < size; i += 1) bytes.push(Math.floor(value / 256 ** i) % 256);
  }
  return Uint8Array.from(bytes);
}

// files: {name, blob}; a name that comes twice gets a number.
export async function zip(files) {
  const names = new Set();
  const parts = [];
  const directory = [];
  let place = 0;
  for (const { name, blob } of files) {
    let own = name;
    for (let i = 2; names.has(own); i += 1) own = name.replace(/(\.[^.]*)?$/, ` (${i})$1`);
    names.add(own);
    const written = new TextEncoder().encode(own);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    // Version 2.0; names in UTF-8 (bit 11); stored; 1980-01-01; checksum, sizes, length of the name.
    const about = numbers([20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2], [crc32(bytes), 4],
      [bytes.length, 4], [bytes.length, 4], [written.length, 2], [0, 2]);
    parts.push(numbers([0x04034b50, 4]), about, written, blob);
    directory.push(numbers([0x02014b50, 4], [20, 2]), about,
      numbers([0, 2], [0, 2], [0, 2], [0, 4], [place, 4]), written);
    place += 30 + written.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [names.size, 2], [names.size, 2], [size, 4],
    [place, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
