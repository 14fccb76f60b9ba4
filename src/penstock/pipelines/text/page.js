// Continue a text at a temperature.
import { field, make } from "./elements.js";

export default function page(play) {
  const options = play.model.options;
  const prompt = make("textarea", {});
  const heat = make("input", { type: "range", min: 0, max: 2, step: 0.1, value: options.temperature });
  const told = make("output", {}, String(options.temperature));
  heat.addEventListener("input", () => { told.textContent = heat.value; });
  const length = make("input", { type: "number", min: 1, max: 2000, value: 200 });
  const seed = make("input", { type: "number", min: 0, value: 0 });
  const ask = async (event) => {
    event.preventDefault();
    const params = { temperature: Number(heat.value), length: Number(length.value), seed: Number(seed.value) };
    await play.answer({ prompt: prompt.value }, params, (record) => [
      make("pre", {}, make("b", {}, prompt.value), record.continuation ?? ""),
      record.unknown ? make("p", { class: "faint" }, `The model does not know: ${record.unknown}`) : null].filter(Boolean));
  };
  play.place.replaceChildren(make("form", { onsubmit: ask }, make("h2", {}, "Continue a text"), field("Text", prompt),
    make("div", { class: "row" }, field("Temperature", heat), told, field("Characters or tokens", length), field("Seed", seed)),
    make("div", { class: "row" }, make("button", { id: "example" }, "Continue"))));
}
