// Colours: of functions and phases by their place, of values by their size, in light and in dark.

/** A colour of the OKLCH space, as the three bytes of a screen. */
function oklch(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const inside = Math.min(1, Math.max(0, value));
    const curved = inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055;
    return Math.round(curved * 255);
  });
}

/** A pixel, as the screen's memory holds it on every machine that runs a browser today. */
const pixel = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const css = (packed) => `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;

/** Hues that are told apart easily come first; after them, the golden angle. */
const HUES = [255, 55, 150, 320, 25, 195, 95, 285, 350, 125, 225, 75];

function functionColour(place, dark) {
  const hue = place < HUES.length ? HUES[place] : (place * 137.508 + 20) % 360;
  const turn = Math.floor(place / HUES.length) % 3;
  const lightness = (dark ? 0.7 : 0.68) - turn * 0.08;
  return pixel(oklch(lightness, 0.125 - turn * 0.015, hue));
}

/** By name; idling and waiting step back, work stands out. */
const PHASE_COLOURS = {
  complete: [0.66, 0.06, 185],
  dispatch: [0.58, 0.07, 265],
  scan: [0.74, 0.06, 95],
  blocked: [0.6, 0.2, 25],
  dump: [0.62, 0.04, 300],
};

function phaseColour(name, place, dark) {
  if (name === "idle") return pixel(dark ? [52, 59, 70] : [218, 223, 229]);
  const known = PHASE_COLOURS[name];
  return known ? pixel(oklch(...known)) : functionColour(place + 3, dark);
}

/** Of the parts of a wait on the critical path, as `WAITS` has them. */
function waitColours(dark) {
  const parts = dark
    ? [[0.42, 0.02, 250], [0.6, 0.06, 60], [0.5, 0.02, 250], [0.34, 0.01, 250]]
    : [[0.87, 0.02, 250], [0.72, 0.06, 60], [0.8, 0.02, 250], [0.92, 0.01, 250]];
  return parts.map((part) => pixel(oklch(...part)));
}

/** From calm to hot, 0..=255. */
function heatColours(dark) {
  const out = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const part = i / 255;
    const lightness = dark ? 0.36 + 0.46 * part : 0.9 - 0.4 * part;
    out[i] = pixel(oklch(lightness, 0.04 + 0.14 * part, 250 - 225 * part));
  }
  return out;
}

/** A colour that steps back towards the ground. */
function faded(packed, ground, part) {
  const mix = (shift) => {
    const own = (packed >> shift) & 255;
    return Math.round(own + (((ground >> shift) & 255) - own) * part);
  };
  return ((255 << 24) | (mix(16) << 16) | (mix(8) << 8) | mix(0)) >>> 0;
}

/** Black or white, whichever reads better on a colour: by the contrast of WCAG, never less than 4.5. */
function inkOn(packed) {
  const linear = (shift) => {
    const value = ((packed >> shift) & 255) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const light = 0.2126 * linear(0) + 0.7152 * linear(8) + 0.0722 * linear(16);
  return light > 0.179 ? "#000000" : "#ffffff";
}

let paintVersions = 0;

/** How the items of lanes are coloured: a class for each, a colour for each class, and a choice. */
class Paint {
  constructor(classes, colours, ground) {
    this.classes = classes;
    this.colours = colours;
    this.faded = colours.map((colour) => faded(colour, ground, 0.8));
    this.chosen = null;
    this.version = ++paintVersions;
  }

  /** Items whose byte is 0 step back; without bytes none does. */
  choose(chosen) {
    this.chosen = chosen;
    this.version = ++paintVersions;
  }

  colour(item) {
    const colours = this.chosen && !this.chosen[item] ? this.faded : this.colours;
    return colours[this.classes[item]];
  }
}
