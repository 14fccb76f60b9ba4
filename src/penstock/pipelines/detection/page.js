// Drop an image: boxes drawn on it.
import { base64, bytes, exampleOf } from "./asking.js";
import { dropZone, field, make, share } from "./elements.js";

const COLOURS = ["#d1495b", "#1f7a8c", "#b36a00", "#5b4b9a", "#2d7d46"];

export default function page(play) {
  const least = make("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, value: play.model.options.confidence });
  let image = null;
  const ask = async () => {
    if (!image) return;
    const seen = await createImageBitmap(new Blob([bytes(image)])).catch(() => null);
    await play.answer({ image }, { confidence: Number(least.value) }, (record) => [
      make("p", { class: "number" }, record.counts), seen ? drawn(seen, record, play.model.dataset.classes) : null, table(record),
    ].filter(Boolean));
  };
  least.addEventListener("change", ask);
  play.place.replaceChildren(make("h2", {}, "Drop an image"),
    dropZone("An image", "image/*", async (file) => { image = await base64(file); await ask(); }),
    make("div", { class: "row" }, field("Least confidence", least),
      make("button", { id: "example", onclick: () => { image = exampleOf(play.model).image; return ask(); } }, "Take the example")));
}

function drawn(seen, record, classes) {
  const scale = Math.max(1, Math.round(480 / seen.width));
  const canvas = make("canvas", { width: seen.width * scale, height: seen.height * scale, role: "img", "aria-label": `The image with ${record.labels.length} boxes` });
  const pen = canvas.getContext("2d");
  pen.drawImage(seen, 0, 0, canvas.width, canvas.height);
  pen.lineWidth = 2;
  record.labels.forEach((label, at) => {
    pen.strokeStyle = COLOURS[classes.indexOf(label) % COLOURS.length];
    const [left, top, right, bottom] = ["xmin", "ymin", "xmax", "ymax"].map((it) => record[it][at] * scale);
    pen.strokeRect(left, top, right - left, bottom - top);
  });
  return canvas;
}

function table(record) {
  const rows = record.labels.map((label, at) => make("tr", {}, make("th", { scope: "row" }, label),
    make("td", {}, share(record.confidences[at])),
    make("td", {}, ["xmin", "ymin", "xmax", "ymax"].map((it) => record[it][at].toFixed(0)).join(", "))));
  return make("details", {}, make("summary", {}, "As a table"), make("table", {}, make("tbody", {}, ...rows)));
}
