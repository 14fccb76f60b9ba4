// Draw a digit: probabilities while drawing, and where the model looks.
import { base64, exampleOf } from "./asking.js";
import { make } from "./elements.js";

const SIDE = 280, PATCH = 40, STEP = 8;

export default function page(play) {
  const pad = make("canvas", { class: "pad", width: SIDE, height: SIDE, tabindex: 0, role: "img",
    "aria-label": "Pad to draw a digit on. Arrow keys move the pen, space puts it down or lifts it." });
  const pen = pad.getContext("2d", { willReadFrequently: true });
  Object.assign(pen, { strokeStyle: "#fff", fillStyle: "#000", lineWidth: 22, lineCap: "round", lineJoin: "round" });
  let last = null, busy = false, again = false, at = [SIDE / 2, SIDE / 2], down = false;

  const clear = () => { pen.fillRect(0, 0, SIDE, SIDE); play.show(null, null); };
  const ask = async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      await play.answer({ image: await image(pad) });
    }
    busy = false;
  };
  const line = (from, to) => {
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
    ask();
  };
  const place = (event) => {
    const box = pad.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  };
  pad.addEventListener("pointerdown", (event) => { pad.setPointerCapture(event.pointerId); last = place(event); line(last, last); });
  pad.addEventListener("pointermove", (event) => { if (last) { const to = place(event); line(last, to); last = to; } });
  pad.addEventListener("pointerup", () => { last = null; });
  pad.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === " ") { down = !down; if (down) line(at, at); event.preventDefault(); }
    if (!moves[event.key]) return;
    event.preventDefault();
    const to = at.map((it, axis) => Math.min(SIDE, Math.max(0, it + moves[event.key][axis])));
    if (down) line(at, to);
    at = to;
  });
  const example = async () => {
    const shown = new Image();
    shown.src = `data:image/png;base64,${exampleOf(play.model).image}`;
    await shown.decode();
    pen.drawImage(shown, 0, 0, SIDE, SIDE);
    await ask();
  };
  play.place.replaceChildren(make("h2", {}, "Draw a digit"), pad, make("div", { class: "row" },
    make("button", { onclick: example, id: "example" }, "Draw the example"),
    make("button", { class: "quiet", onclick: () => look(play, pad) }, "Where does it look?"),
    make("button", { class: "quiet", onclick: clear }, "Clear")));
  clear();
}

async function image(pad) {
  return base64(await new Promise((done) => pad.toBlob(done, "image/png")));
}

// Cover a part at a time: where the likeliest class loses most, the model looks.
async function look(play, pad) {
  const record = await play.answer({ image: await image(pad) });
  if (!record || record.error) return;
  const best = record.probabilities.indexOf(Math.max(...record.probabilities));
  const rows = [], parts = [];
  for (let top = 0; top < SIDE; top += PATCH) {
    for (let left = 0; left < SIDE; left += PATCH) {
      const copy = make("canvas", { width: SIDE, height: SIDE });
      const pen = copy.getContext("2d");
      pen.drawImage(pad, 0, 0);
      pen.fillRect(left, top, PATCH, PATCH);
      rows.push({ image: await image(copy) });
      parts.push([left, top]);
    }
  }
  const answers = await play.ask(rows);
  const heat = make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": "Red where covering the drawing makes the answer less likely" });
  const pen = heat.getContext("2d");
  pen.drawImage(pad, 0, 0);
  answers.forEach((it, at) => {
    const lost = it.error ? 0 : Math.max(0, record.probabilities[best] - it.probabilities[best]);
    pen.fillStyle = `rgba(255, 60, 40, ${0.8 * lost})`;
    pen.fillRect(...parts[at], PATCH, PATCH);
  });
  document.getElementById("answer").append(make("figure", {}, heat,
    make("figcaption", { class: "faint" }, "Red: covered, the answer is less likely")));
}
