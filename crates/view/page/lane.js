// A lane: items that do not overlap, in order, and what they look like from afar.

class Lane {
  /** `items` are the numbers of the items; without them, items are numbered on from `first`. */
  constructor(starts, ends, items, first) {
    this.starts = starts;
    this.ends = ends;
    this.items = items;
    this.first = first;
    this.count = starts.length;
    this.sums = null;
    /** What it looked like in the last frame that saw it from afar. */
    this.picture = null;
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

  /**
   * What lies in each of equally long stretches, one behind the other: four numbers a stretch, the ticks
   * that items cover and these by red, green and blue. `out` has room for them, and is 0. An item covers
   * a tick at least.
   *
   * The work is that of the stretches, not of the items: whole blocks are added at once, and one over a
   * border is divided by time when it is no longer than a stretch, and its gaps than half of one.
   */
  measure(paint, from, length, out) {
    const { starts, ends, items, first, count } = this;
    const { classes, chosen, colours, faded } = paint;
    const sums = this.sumsOf(paint);
    const full = count >> BLOCK_BITS;
    const stretches = out.length >> 2;
    let place = this.firstEndingAfter(from - 1);
    // Of the block before `place`, the part that lies in the next stretch.
    let carried = 0;
    for (let x = 0; x < stretches && (place < count || carried > 0); x++) {
      let cover = 0;
      let red = 0;
      let green = 0;
      let blue = 0;
      let low = from + x * length;
      if (carried > 0) {
        const at = 4 * ((place >> BLOCK_BITS) - 1);
        cover = carried * (sums[at + 4] - sums[at]);
        red = carried * (sums[at + 5] - sums[at + 1]);
        green = carried * (sums[at + 6] - sums[at + 2]);
        blue = carried * (sums[at + 7] - sums[at + 3]);
        carried = 0;
      } else if (starts[place] >= low + length) {
        x = Math.max(x, Math.floor((starts[place] - from) / length));
        if (x >= stretches) return;
        low = from + x * length;
      }
      const high = low + length;
      while (place < count) {
        const start = starts[place];
        if (start >= high) break;
        if ((place & BLOCK_MASK) === 0 && start >= low && place + BLOCK <= count) {
          const block = place >> BLOCK_BITS;
          const end = ends[place + BLOCK - 1];
          let behind = block;
          let part = 1;
          if (end <= high) behind = blocksEndingBy(ends, high, block + 1, full);
          else if (end - start <= length && end - start - (sums[4 * block + 4] - sums[4 * block]) <= length / 2) {
            behind = block + 1;
            part = (high - start) / (end - start);
            carried = 1 - part;
          }
          if (behind > block) {
            cover += part * (sums[4 * behind] - sums[4 * block]);
            red += part * (sums[4 * behind + 1] - sums[4 * block + 1]);
            green += part * (sums[4 * behind + 2] - sums[4 * block + 2]);
            blue += part * (sums[4 * behind + 3] - sums[4 * block + 3]);
            place = behind << BLOCK_BITS;
            if (carried > 0) break;
            continue;
          }
        }
        const end = ends[place] > start ? ends[place] : start + 1;
        const part = (end < high ? end : high) - (start > low ? start : low);
        if (part > 0) {
          const item = items === null ? first + place : items[place];
          const colour = (chosen === null || chosen[item] ? colours : faded)[classes[item]];
          cover += part;
          red += part * (colour & 255);
          green += part * ((colour >> 8) & 255);
          blue += part * ((colour >> 16) & 255);
        }
        if (end > high) break;
        place++;
      }
      out[4 * x] = cover;
      out[4 * x + 1] = red;
      out[4 * x + 2] = green;
      out[4 * x + 3] = blue;
    }
  }

  /** The same four numbers of all items before each block. */
  sumsOf(paint) {
    if (this.sums?.version === paint.version) return this.sums.values;
    const { starts, ends, items, first } = this;
    const full = this.count >> BLOCK_BITS;
    const values = new Float64Array(4 * (full + 1));
    let cover = 0;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let place = 0; place < full << BLOCK_BITS; place++) {
      const colour = paint.colour(items ? items[place] : first + place);
      const part = ends[place] > starts[place] ? ends[place] - starts[place] : 1;
      cover += part;
      red += part * (colour & 255);
      green += part * ((colour >> 8) & 255);
      blue += part * ((colour >> 16) & 255);
      if (((place + 1) & BLOCK_MASK) === 0) {
        const at = 4 * ((place + 1) >> BLOCK_BITS);
        values[at] = cover;
        values[at + 1] = red;
        values[at + 2] = green;
        values[at + 3] = blue;
      }
    }
    this.sums = { version: paint.version, values };
    return values;
  }
}

/** Items in a block, whose sums are known. */
const BLOCK_BITS = 3;
const BLOCK = 1 << BLOCK_BITS;
const BLOCK_MASK = BLOCK - 1;

/** The most blocks, from `known` to `most`, whose last item ends by a time. */
function blocksEndingBy(ends, time, known, most) {
  let step = 1;
  while (known + step <= most && ends[((known + step) << BLOCK_BITS) - 1] <= time) {
    known += step;
    step *= 2;
  }
  for (; step >= 1; step >>= 1) {
    if (known + step <= most && ends[((known + step) << BLOCK_BITS) - 1] <= time) known += step;
  }
  return known;
}

/** More lanes of one track than this are not drawn; a core has as many tasks in flight at most. */
const MOST_LANES = 16;

/**
 * Deals items to as few lanes as hold them without overlap. They are numbered on from `first`; one that
 * starts at 0 has no time, and is in no lane. Returns the lanes, and how many items are in none: for want of
 * a time, or of a lane.
 */
function dealLanes(starts, ends, first) {
  const order = drawnInOrder(starts, ends);
  const count = order ? order.length : starts.length;
  const latest = new Float64Array(MOST_LANES);
  const lengths = new Uint32Array(MOST_LANES);
  const lanes = new Uint8Array(count);
  let used = 0;
  let crowded = 0;
  for (let i = 0; i < count; i++) {
    const place = order ? order[i] : i;
    let lane = 0;
    while (lane < used && latest[lane] > starts[place]) lane++;
    lanes[i] = lane;
    if (lane === MOST_LANES) {
      crowded++;
      continue;
    }
    if (lane === used) used++;
    latest[lane] = ends[place];
    lengths[lane]++;
  }
  const made = Array.from({ length: used }, (_, lane) => {
    const length = lengths[lane];
    return new Lane(new starts.constructor(length), new starts.constructor(length), new Uint32Array(length), 0);
  });
  lengths.fill(0);
  for (let i = 0; i < count; i++) {
    if (lanes[i] === MOST_LANES) continue;
    const place = order ? order[i] : i;
    const lane = made[lanes[i]];
    const at = lengths[lanes[i]]++;
    lane.starts[at] = starts[place];
    lane.ends[at] = ends[place];
    lane.items[at] = first + place;
  }
  return { lanes: made, timeless: starts.length - count, crowded };
}

/** The places of items that have a time, by start, the longest first; `null` when it is all as they stand. */
function drawnInOrder(starts, ends) {
  let drawn = 0;
  let isInOrder = true;
  let latest = 0;
  for (let place = 0; place < starts.length; place++) {
    if (starts[place] === 0) continue;
    isInOrder &&= starts[place] >= latest;
    latest = starts[place];
    drawn++;
  }
  if (isInOrder && drawn === starts.length) return null;
  const order = new Uint32Array(drawn);
  let used = 0;
  for (let place = 0; place < starts.length; place++) if (starts[place]) order[used++] = place;
  if (!isInOrder) order.sort((a, b) => starts[a] - starts[b] || ends[b] - ends[a] || a - b);
  return order;
}
