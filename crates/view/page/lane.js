// A lane: items that do not overlap, in order, and what they look like from afar.

class Lane {
  /** `items` are the numbers of the items; without them, items are numbered on from `first`. */
  constructor(starts, ends, items, first) {
    this.starts = starts;
    this.ends = ends;
    this.items = items;
    this.first = first;
    this.count = starts.length;
    this.mip = null;
  }

  item(place) {
    return this.items ? this.items[place] : this.first + place;
  }

  /** The place of the first item that ends behind a time. */
  firstEndingAfter(time, from = 0) {
    let low = from;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle] > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The place of an item, or -1. */
  placeOf(item, start) {
    if (!this.items) {
      const place = item - this.first;
      return place >= 0 && place < this.count ? place : -1;
    }
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle] < start) low = middle + 1;
      else high = middle;
    }
    for (; low < this.count && this.starts[low] === start; low++) {
      if (this.items[low] === item) return low;
    }
    return -1;
  }

  /** The mean colour of stretches of time, coarser from level to level. */
  mips(paint) {
    if (this.mip?.version !== paint.version) this.mip = new Mip(this, paint);
    return this.mip;
  }
}

/** More lanes of one track than this are not drawn. */
const MOST_LANES = 8;

/**
 * Deals items to as few lanes as hold them without overlap. `spans` gives (start, end) of an item, or
 * a start of 0 for none. Returns the lanes and how many items are in none.
 */
function dealLanes(first, count, startOf, endOf) {
  const order = new Uint32Array(count);
  let used = 0;
  let sorted = true;
  let latest = 0;
  for (let item = first; item < first + count; item++) {
    const start = startOf(item);
    if (start === 0) continue;
    sorted &&= start >= latest;
    latest = start;
    order[used++] = item;
  }
  const items = order.subarray(0, used);
  if (!sorted) items.sort((a, b) => startOf(a) - startOf(b) || endOf(b) - endOf(a) || a - b);
  const lanes = [];
  let undrawn = count - used;
  for (const item of items) {
    const start = startOf(item);
    let lane = lanes.find((lane) => lane.end <= start);
    if (!lane) {
      if (lanes.length === MOST_LANES) {
        undrawn++;
        continue;
      }
      lane = { end: 0, items: [] };
      lanes.push(lane);
    }
    lane.end = endOf(item);
    lane.items.push(item);
  }
  const made = lanes.map(({ items }) => {
    const starts = new Float64Array(items.length);
    const ends = new Float64Array(items.length);
    items.forEach((item, place) => {
      starts[place] = startOf(item);
      ends[place] = endOf(item);
    });
    return new Lane(starts, ends, Uint32Array.from(items), 0);
  });
  return { lanes: made, undrawn };
}

/** A byte of cover and three of colour for each stretch of time. */
class Mip {
  constructor(lane, paint) {
    this.version = paint.version;
    const { starts, ends, count } = lane;
    this.origin = count ? starts[0] : 0;
    const span = Math.max(1, count ? ends[count - 1] - this.origin : 1);
    this.width = 2 ** Math.max(0, Math.ceil(Math.log2(span / Math.max(64, 2 * count))));
    const length = Math.floor(span / this.width) + 1;
    const sums = [0, 1, 2, 3].map(() => new Float32Array(length));
    const [cover, reds, greens, blues] = sums;
    const { origin, width } = this;
    const { classes, colours, faded, chosen } = paint;
    for (let place = 0; place < count; place++) {
      const start = starts[place] - origin;
      const end = Math.max(ends[place] - origin, start + 1);
      const item = lane.items ? lane.items[place] : lane.first + place;
      const colour = (chosen && !chosen[item] ? faded : colours)[classes[item]];
      const [red, green, blue] = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
      let at = Math.floor(start / width);
      for (let from = start; from < end && at < length; at++) {
        const to = Math.min(end, (at + 1) * width);
        const part = (to - from) / width;
        cover[at] += part;
        reds[at] += part * red;
        greens[at] += part * green;
        blues[at] += part * blue;
        from = to;
      }
    }
    this.levels = [];
    for (let level = sums; ; level = coarser(level)) {
      this.levels.push(packed(level));
      if (level[0].length <= 1) break;
    }
  }

  /** The level whose stretches are the longest that still fit a given length. */
  level(length) {
    const level = Math.floor(Math.log2(length / this.width));
    return Math.max(0, Math.min(this.levels.length - 1, level));
  }
}

function coarser(sums) {
  return sums.map((values) => {
    const out = new Float32Array((values.length + 1) >> 1);
    for (let i = 0; i < out.length; i++) out[i] = (values[2 * i] + (values[2 * i + 1] ?? 0)) / 2;
    return out;
  });
}

function packed([cover, red, green, blue]) {
  const out = new Uint32Array(cover.length);
  for (let i = 0; i < out.length; i++) {
    const part = cover[i];
    if (part === 0) continue;
    const byte = Math.max(1, Math.min(255, Math.round(part * 255)));
    out[i] = ((byte << 24) | ((blue[i] / part) << 16) | ((green[i] / part) << 8) | (red[i] / part)) >>> 0;
  }
  return out;
}
