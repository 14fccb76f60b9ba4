// Watch an agent: an episode as a film, and what it did.
import { choice, field, make, picture, shown } from "./elements.js";

export default function page(play) {
  const { maps, actions } = play.model.dataset;
  const map = choice(Object.keys(maps));
  const seed = make("input", { type: "number", min: 0, value: 0 });
  const ask = () => play.answer({ map: map.value, seed: Number(seed.value) }, { animation: true }, (record) => [
    make("p", { class: "number" }, `Return ${shown(record.return)}`),
    make("p", {}, `${record.steps} steps${record.won ? ", reached its goal" : ""}`),
    record.animation ? picture(record.animation, "The agent's episode, step by step") : null,
    make("p", { class: "faint" }, `First: ${(record.actions ?? []).slice(0, 40).map((it) => actions[it]).join(", ")}`)].filter(Boolean));
  const next = () => { seed.value = Number(seed.value) + 1; return ask(); };
  play.place.replaceChildren(make("h2", {}, "Watch an agent"),
    make("div", { class: "row" }, field("Map", map), field("Seed", seed)),
    make("div", { class: "row" }, make("button", { id: "example", onclick: ask }, "Play"), make("button", { class: "quiet", onclick: next }, "Next seed")));
}
