// A page for a model that has none of its own: a form made of its signature.
import { base64, exampleOf } from "./asking.js";
import { field, make } from "./elements.js";

const LISTS = ["array", "strings"];

function control(kind) {
  if (kind === "binary") return make("input", { type: "file" });
  if (["double", "float", "long", "integer"].includes(kind)) return make("input", { type: "number", step: kind === "long" ? 1 : "any" });
  return make("input", { type: "text" });
}

async function read(input, kind, example) {
  if (kind === "binary") return input.files[0] ? base64(input.files[0]) : example;
  if (input.value === "") return undefined;
  if (LISTS.includes(kind)) {
    const parts = input.value.split(",").map((it) => it.trim());
    return kind === "array" ? parts.map(Number) : parts;
  }
  return input.type === "number" ? Number(input.value) : input.value;
}

function optionControl(value) {
  if (typeof value === "boolean") return make("input", { type: "checkbox", checked: value });
  return make("input", { type: typeof value === "number" ? "number" : "text", step: "any", value });
}

function readOption(input) {
  if (input.type === "checkbox") return input.checked;
  return input.type === "number" ? Number(input.value) : input.value;
}

export default function page(play) {
  const example = exampleOf(play.model);
  const kinds = Object.entries(play.model.inputs).map(([name, kind]) => [name, kind.split(" ").pop()]);
  const inputs = kinds.map(([name, kind]) => [name, kind, control(kind)]);
  for (const [name, kind, input] of inputs) {
    if (kind !== "binary" && example[name] !== undefined && example[name] !== null) input.value = String(example[name]);
  }
  const options = Object.entries(play.model.options).map(([name, value]) => [name, optionControl(value)]);
  const ask = async (event) => {
    event.preventDefault();
    const row = {};
    for (const [name, kind, input] of inputs) {
      const value = await read(input, kind, example[name]);
      if (value !== undefined && value !== null) row[name] = value;
    }
    await play.answer(row, Object.fromEntries(options.map(([name, input]) => [name, readOption(input)])));
  };
  play.place.replaceChildren(make("form", { onsubmit: ask },
    make("div", { class: "fields" }, ...inputs.map(([name, , input]) => field(name, input)),
      ...options.map(([name, input]) => field(`${name} (option)`, input))),
    make("div", { class: "row" }, make("button", {}, "Ask"))));
}
