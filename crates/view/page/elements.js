// Elements of the page. Every text of a run is set as text, never as markup.

/** An element with properties, attributes and children. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "style") Object.assign(made.style, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A name that is shortened in its middle where room is short: names of a kind differ at the end. */
function nameOf(text, whole = text) {
  const kept = text.length > 16 ? 8 : 0;
  const [front, back] = [text.slice(0, text.length - kept), text.slice(text.length - kept)];
  return element("b", { className: "name", title: whole }, element("span", {}, front), element("span", {}, back));
}

const swatch = (colour) => element("i", { className: "swatch", style: { background: colour } });
