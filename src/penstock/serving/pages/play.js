// The page of one model: what is known of it, its own way to play, its answers, and marks.
import { get, post } from "./asking.js";
import { bars, choice, field, make, picture, shown } from "./elements.js";

const name = decodeURIComponent(location.pathname.split("/").pop());
const answerPlace = document.getElementById("answer");
const wrongPlace = document.getElementById("wrong");

// What a page is given: ask, show, mark as wrong, say what went wrong.
class Play {
  constructor(model) {
    this.model = model;
    this.place = document.getElementById("play");
  }

  async ask(rows, params = {}) {
    const answer = await post(`/${name}/predict`, { dataframe_records: rows, params });
    this.version = answer.model.version;
    return answer.predictions;
  }

  // Ask one row and show the answer, in the page's own way or as any.
  async answer(row, params = {}, show = (record) => general(this.model, record)) {
    try {
      const [record] = await this.ask([row], params);
      if (record.error) this.say(record.error);
      else this.show(row, record, ...[show(record)].flat());
      return record;
    } catch (error) {
      this.say(error.message);
      return null;
    }
  }

  show(row, record, ...elements) {
    answerPlace.replaceChildren(...elements);
    if (row) wrongPlace.replaceChildren(markAsWrong(this, row, record));
  }

  say(text) {
    answerPlace.replaceChildren(make("p", { class: "bad" }, text));
    wrongPlace.replaceChildren();
  }
}

export function general(model, record) {
  const parts = [];
  const classes = model.dataset.classes;
  if (record.label !== undefined) parts.push(make("p", { class: "number" }, String(record.label)));
  if (classes && record.probabilities) parts.push(bars(classes, record.probabilities, "How likely each class is"));
  const rows = [];
  for (const [key, value] of Object.entries(record)) {
    if (value === null || value === "" || ["label", "probabilities", "candidates"].includes(key)) continue;
    const image = picture(value, key);
    if (image) parts.push(make("figure", {}, image, make("figcaption", { class: "faint" }, key)));
    else if (Array.isArray(value)) rows.push([key, value.slice(0, 50).map(shown).join(", ")]);
    else if (String(value).length < 5000) rows.push([key, shown(value)]);
  }
  if (rows.length) parts.push(make("table", {}, make("tbody", {}, ...rows.map(([key, value]) =>
    make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, value))))));
  return parts;
}

function markAsWrong(play, row, record) {
  const classes = "label" in play.model.outputs && play.model.dataset.classes;
  const right = classes ? choice(classes) : make("input", { maxlength: 1000 });
  const state = make("p", { role: "status" });
  const keep = async (event) => {
    event.preventDefault();
    const answer = Object.fromEntries(Object.entries(record).filter(([, it]) => String(it).length < 2000));
    try {
      const { kept } = await post(`/${name}/feedback`, { input: row, answer, right: right.value, version: play.version });
      state.textContent = `Kept in ${kept}. Nothing learns from it by itself.`;
    } catch (error) {
      state.textContent = error.message;
    }
  };
  return make("form", { class: "row", onsubmit: keep }, field("Wrong? The right answer", right),
    make("button", { class: "quiet" }, "Mark as wrong"), state);
}

function tell(model) {
  document.title = `${name}: Penstock`;
  document.getElementById("name").textContent = name;
  const score = model.score;
  const value = score.value === null ? "" : `, ${score.metric} ${shown(score.value)}`;
  document.getElementById("about").textContent =
    `Version ${model.version} (${model.aliases.join(", ")})${value}`;
  const metrics = Object.entries(model.metrics).map(([key, it]) =>
    make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, shown(it))));
  document.getElementById("more").replaceChildren(
    make("p", {}, make("a", { href: `/${name}/report` }, "Report of this version"), "   ",
      make("a", { href: model.run_page }, "Its run in MLflow")),
    make("details", {}, make("summary", {}, "How good it is"), make("table", {}, make("tbody", {}, ...metrics))));
}

async function start() {
  try {
    const model = await get(`/${encodeURIComponent(name)}`);
    tell(model);
    const page = await import(`./${model.page}`);
    await page.default(new Play(model));
    document.body.dataset.ready = "yes";
  } catch (error) {
    answerPlace.replaceChildren(make("p", { class: "bad" }, error.message));
  }
}

start();
