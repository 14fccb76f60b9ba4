// The start page: each model with its headline number.
import { get } from "./asking.js";
import { make, shown } from "./elements.js";

const state = document.getElementById("state");

function card(model) {
  const score = model.score;
  return make("li", {},
    make("a", { href: `/play/${encodeURIComponent(model.name)}` }, model.name),
    score && score.value !== null
      ? make("div", {}, make("span", { class: "number" }, shown(score.value)), " ",
        make("span", { class: "faint" }, score.metric))
      : null,
    make("div", { class: "faint" }, model.version ? `version ${model.version}` : "loading"),
    model.problem ? make("div", { class: "bad" }, model.problem) : null);
}

async function look() {
  try {
    const models = await get("/models");
    document.getElementById("models").replaceChildren(...models.map(card));
    state.textContent = `${models.length} models`;
    if (models.some((it) => !it.version && !it.problem)) setTimeout(look, 1000);
  } catch (error) {
    state.textContent = error.message;
  }
}

look();
