// Columns of whole numbers, as crates/view/src/columns.rs writes them.

/** The bytes that base64 texts hold, one behind the other. */
function bytesOf(texts) {
  const parts = texts.map((text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  });
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

class Columns {
  constructor(entries, bytes) {
    this.entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.bytes = bytes;
    this.scratch = new Float64Array(0);
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
    return Type.from(this.raw(name));
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
}

/** A step in either direction from its folded form. */
function unfold(folded) {
  if (folded < 2 ** 31) return (folded >>> 1) ^ -(folded & 1);
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
}
