// Edit a row: the answer while editing, and what moves it.
import { exampleOf } from "./asking.js";
import { choice, field, make, shown } from "./elements.js";
import { general } from "./play.js";

export default function page(play) {
  const columns = Object.entries(play.model.dataset.columns);
  const example = exampleOf(play.model);
  const inputs = columns.map(([name, column]) => [name, column, control(column, example[name])]);
  const row = () => Object.fromEntries(inputs.map(([name, column, input]) =>
    [name, input.value === "" ? null : column.type === "number" ? Number(input.value) : input.value]));
  const ask = () => play.answer(row(), {}, (record) => general(play.model, record));
  for (const [, , input] of inputs) input.addEventListener("input", ask);
  play.place.replaceChildren(make("h2", {}, "Edit a row"),
    make("div", { class: "fields" }, ...inputs.map(([name, , input]) => field(name, input))),
    make("div", { class: "row" }, make("button", { id: "example", onclick: () => moves(play, row(), columns) }, "What moves it?")));
  return ask();
}

function control(column, value) {
  if (column.type === "number") return make("input", { type: "number", step: "any", value: value ?? "" });
  const select = choice(["", ...column.values]);
  select.value = value ?? "";
  return select;
}

const measure = (record, best) => (record.probabilities ? record.probabilities[best] : record.prediction);

// A tenth of the range of each number up and down, one request for all.
async function moves(play, row, columns) {
  const numbers = columns.filter(([name, it]) => it.type === "number" && row[name] !== null);
  const rows = [row];
  for (const [name, column] of numbers) {
    const step = (column.range[1] - column.range[0]) / 10;
    rows.push({ ...row, [name]: row[name] - step }, { ...row, [name]: row[name] + step });
  }
  try {
    const answers = await play.ask(rows);
    const best = answers[0].probabilities ? answers[0].probabilities.indexOf(Math.max(...answers[0].probabilities)) : 0;
    const what = answers[0].label ?? "the prediction";
    const lines = numbers.map(([name], at) => make("tr", {}, make("th", { scope: "row" }, name),
      ...[1, 2].map((side) => make("td", {}, shown(measure(answers[2 * at + side], best))))));
    document.getElementById("answer").append(make("table", { id: "moves" },
      make("caption", { class: "faint" }, `Of ${what}, now ${shown(measure(answers[0], best))}`),
      make("thead", {}, make("tr", {}, ...["column", "a tenth of its range less", "more"].map((it) => make("th", { scope: "col" }, it)))),
      make("tbody", {}, ...lines)));
  } catch (error) {
    play.say(error.message);
  }
}
