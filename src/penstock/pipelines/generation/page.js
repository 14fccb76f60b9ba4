// Drag through seeds and classes. A model that takes images has the page of any model.
import { choice, field, make, picture } from "./elements.js";
import generic from "./generic.js";

const MOST = 200;

export default function page(play) {
  if (!("seed" in play.model.inputs)) return generic(play);
  const classes = "class" in play.model.inputs ? play.model.dataset.classes : [];
  const seed = make("input", { type: "range", min: 0, max: MOST, value: 0 });
  const number = make("output", {}, "0");
  const wanted = classes.length ? choice(classes) : null;
  const ask = async () => {
    number.textContent = seed.value;
    const first = Number(seed.value);
    const rows = Array.from({ length: 12 }, (_, at) => ({ seed: first + at, ...(wanted ? { class: wanted.value } : {}) }));
    try {
      const answers = await play.ask(rows);
      const pictures = answers.map((it, at) => it.picture && picture(it.picture, `Seed ${first + at}`)).filter(Boolean);
      pictures.forEach((it) => it.classList.add("pixels"));
      play.show(rows[0], answers[0], make("p", { class: "faint" }, `Seeds ${first} to ${first + 11}`), make("div", { class: "row" }, ...pictures));
    } catch (error) {
      play.say(error.message);
    }
  };
  seed.addEventListener("input", ask);
  if (wanted) wanted.addEventListener("change", ask);
  play.place.replaceChildren(make("h2", {}, "Choose a seed"),
    make("div", { class: "row" }, field("Seed", seed), number, wanted ? field("Class", wanted) : null),
    make("div", { class: "row" }, make("button", { id: "example", onclick: ask }, "Draw")));
}
