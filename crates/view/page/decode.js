// Columns of whole numbers, as crates/view/src/columns.rs writes them.

/** The bytes of a base64 text. */
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** What one compressed stream holds, of which `texts` are parts in base64; `length` is how many bytes it should be. */
async function inflated(texts, length) {
  const out = new Uint8Array(length);
  const stream = new DecompressionStream("deflate");
  const reading = (async () => {
    const reader = stream.readable.getReader();
    let at = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (at + part.value.length > length) throw new Error("there is more data than its facts say");
      out.set(part.value, at);
      at += part.value.length;
    }
    if (at !== length) throw new Error(`the data ends after ${grouped(at)} of ${grouped(length)} bytes`);
  })();
  const writing = (async () => {
    const writer = stream.writable.getWriter();
    for (const text of texts) {
      const bytes = bytesOf(text);
      for (let at = 0; at < bytes.length; at += 1 << 18) await writer.write(bytes.subarray(at, at + (1 << 18)));
    }
    await writer.close();
  })();
  await Promise.all([reading, writing]);
  return out;
}

class Columns {
  constructor(entries, bytes) {
    this.entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.bytes = bytes;
    this.scratch = new Float64Array(0);
  }

  /** How many bytes all columns have. */
  static bytes(entries) {
    return entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }

  rows(name) {
    return this.entries.get(name)?.rows ?? 0;
  }

  /** Whether every number of a column is this one. */
  isAll(name, value) {
    const entry = this.entries.get(name);
    return !entry || entry.rows === 0 || (entry.bytes === 0 && entry.value === value);
  }

  /** The numbers of a column; they stay valid until the next call. */
  raw(name) {
    const { rows, offset, bytes: length, value } = this.entries.get(name);
    if (this.scratch.length < rows) this.scratch = new Float64Array(rows);
    const out = this.scratch.subarray(0, rows);
    if (length === 0) return out.fill(value);
    const bytes = this.bytes;
    let at = offset;
    for (let i = 0; i < rows; i++) {
      let byte = bytes[at++];
      let number = byte & 0x7f;
      if (byte > 0x7f) {
        byte = bytes[at++];
        number |= (byte & 0x7f) << 7;
        if (byte > 0x7f) {
          byte = bytes[at++];
          number |= (byte & 0x7f) << 14;
          // Beyond 28 bits numbers are no longer those of bit operations.
          for (let scale = 2 ** 21; byte > 0x7f; scale *= 128) {
            byte = bytes[at++];
            number += (byte & 0x7f) * scale;
          }
        }
      }
      out[i] = number;
    }
    if (at !== offset + length) throw new Error(`column ${name} ends at byte ${at}, not ${offset + length}`);
    return out;
  }

  /** The numbers as an array of their own. */
  plain(name, Type) {
    const out = new Type(this.rows(name));
    out.set(this.raw(name));
    return out;
  }

  /** Steps from one row to the next; `firsts` are the rows that begin at 0 again. */
  steps(name, Type, firsts) {
    const raw = this.raw(name);
    const out = new Type(raw.length);
    for (let part = 0; part + 1 < firsts.length; part++) {
      let value = 0;
      for (let i = firsts[part]; i < firsts[part + 1]; i++) {
        value += unfold(raw[i]);
        out[i] = value;
      }
    }
    return out;
  }

  /** Steps from the numbers of another array, in the direction of `sign`. */
  beside(name, from, sign) {
    const raw = this.raw(name);
    const out = new from.constructor(raw.length);
    for (let i = 0; i < out.length; i++) out[i] = from[i] + sign * unfold(raw[i]);
    return out;
  }

  /** Gives back what only decoding needs. */
  rest() {
    this.scratch = new Float64Array(0);
  }
}

/** A step in either direction from its folded form. */
function unfold(folded) {
  if (folded < 2 ** 31) return (folded >>> 1) ^ -(folded & 1);
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
}

/** A property that is made when it is first asked for. */
function later(object, name, make) {
  const define = (descriptor) => Object.defineProperty(object, name, { configurable: true, enumerable: true, ...descriptor });
  define({
    get: () => {
      const value = make();
      define({ value });
      return value;
    },
  });
}
