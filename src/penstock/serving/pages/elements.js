// Elements, made without a parser of HTML: what comes from data is always text.

const SPACE = "http://www.w3.org/2000/svg";

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((it) => it !== null && it !== undefined));
  return element;
}

// The same for shapes of a picture.
export function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function field(text, control, beside = false) {
  return make("label", beside ? { class: "beside" } : {}, ...(beside ? [control, text] : [text, control]));
}

export function choice(values, chosen) {
  const select = make("select", {}, ...values.map((it) => make("option", { value: it }, it)));
  if (chosen !== undefined) select.value = chosen;
  return select;
}

export function share(value) {
  return value === null || value === undefined ? "" : `${(100 * value).toFixed(1)} %`;
}

export function shown(value) {
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

// Shares as a table with bars: read aloud as well as seen.
export function bars(names, shares, caption) {
  const best = Math.max(...shares);
  const rows = names.map((name, at) =>
    make("tr", shares[at] === best ? { class: "best" } : {},
      make("th", { scope: "row" }, name),
      make("td", {}, make("meter", { min: 0, max: 1, value: shares[at], "aria-label": name })),
      make("td", {}, share(shares[at]))));
  return make("table", {}, make("caption", { class: "faint" }, caption), make("tbody", {}, ...rows));
}

const STARTS = { iVBOR: "image/png", R0lGO: "image/gif", "/9j/": "image/jpeg" };

// The picture that base64 is, or null.
export function picture(text, what) {
  const start = Object.keys(STARTS).find((it) => String(text).startsWith(it));
  return start ? make("img", { src: `data:${STARTS[start]};base64,${text}`, alt: what }) : null;
}

// A place for a file: dropped, or chosen by keyboard.
export function dropZone(text, accept, take) {
  const input = make("input", { type: "file", accept, onchange: () => input.files[0] && take(input.files[0]) });
  const zone = make("div", { class: "drop" }, field(text, input));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  return zone;
}
