// Choose a node: its class, and its neighbours to go on to.
import { get } from "./asking.js";
import { field, make, shape } from "./elements.js";
import { general } from "./play.js";

export default async function page(play) {
  const name = play.model.name;
  const { found } = await get(`/${name}/known/node`);
  const node = make("input", { list: "nodes", value: found[0] ? found[0].id : "" });
  const list = make("datalist", { id: "nodes" }, ...found.map((it) => make("option", { value: it.id })));
  const around = make("div", { class: "scroll" });
  node.addEventListener("input", async () => {
    const more = await get(`/${name}/known/node?text=${encodeURIComponent(node.value)}`);
    list.replaceChildren(...more.found.map((it) => make("option", { value: it.id })));
  });
  const go = async (id) => {
    node.value = id;
    const record = await play.answer({ node: id }, {}, (answer) => general(play.model, answer));
    if (!record || record.error) return around.replaceChildren();
    const beside = await get(`/${name}/known/node?beside=${encodeURIComponent(id)}`);
    const near = beside.found.slice(0, 16).map((it) => it.id);
    const answers = near.length ? await play.ask(near.map((it) => ({ node: it }))) : [];
    around.replaceChildren(drawn(id, record.label, near, answers, go));
  };
  play.place.replaceChildren(make("h2", {}, "Choose a node"), list,
    make("div", { class: "row" }, field("Node", node), make("button", { id: "example", onclick: () => go(node.value) }, "Classify")), around);
}

function drawn(id, label, near, answers, go) {
  const picture = shape("svg", { viewBox: "0 0 420 340", role: "group", "aria-label": `${id} and its neighbours` });
  const place = (at) => [210 + 140 * Math.cos(2 * Math.PI * at / near.length), 165 + 120 * Math.sin(2 * Math.PI * at / near.length)];
  near.forEach((_, at) => { const [x, y] = place(at); picture.append(shape("line", { x1: 210, y1: 165, x2: x, y2: y })); });
  const dot = (x, y, name, what, chosen) => {
    const one = shape("g", chosen ? { class: "chosen" } : { role: "button", tabindex: 0, "aria-label": `Go to ${name}, ${what}` },
      shape("circle", { cx: x, cy: y, r: chosen ? 14 : 10 }), shape("text", { x, y: y + 26, "text-anchor": "middle" }, `${name} ${what}`));
    if (!chosen) {
      one.addEventListener("click", () => go(name));
      one.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key)) { event.preventDefault(); go(name); } });
    }
    picture.append(one);
  };
  near.forEach((name, at) => dot(...place(at), name, answers[at].label ?? "", false));
  dot(210, 165, id, label ?? "", true);
  return picture;
}
