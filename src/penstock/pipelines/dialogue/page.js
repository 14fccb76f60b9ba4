// Chat: the model replies to the last turns, or says why it does not.
import { exampleOf } from "./asking.js";
import { make, share, shown } from "./elements.js";

export default function page(play) {
  const first = [exampleOf(play.model).context ?? ["Hello!"]].flat();
  const said = make("input", { value: first[first.length - 1], autocomplete: "off" });
  const log = make("div", { role: "log", class: "log", tabindex: 0, "aria-label": "What was said" });
  let turns = [];
  const tell = (who, text) => {
    log.append(make("p", {}, make("b", {}, `${who}: `), text));
    log.scrollTop = log.scrollHeight;
  };
  const reset = () => { turns = []; log.replaceChildren(make("p", { class: "faint" }, "Nothing was said so far.")); };
  const say = async (event) => {
    event.preventDefault();
    const line = said.value;
    if (!turns.length) log.replaceChildren();
    tell("You", line);
    said.value = "";
    const record = await play.answer({ context: [...turns, line] }, { why: true }, reasons);
    if (record && record.reply) {
      turns = [...turns, line, record.reply];
      tell(play.model.name, record.reply);
    } else if (record && !record.error) tell(play.model.name, `(no reply: ${record.refusal})`);
    said.focus();
  };
  play.place.replaceChildren(make("h2", {}, "Chat"), log, make("form", { class: "row", onsubmit: say },
    make("label", { class: "wide" }, "Say", said), make("button", { id: "example" }, "Say it"),
    make("button", { class: "quiet", type: "button", onclick: reset }, "Forget what was said")));
  reset();
}

// How sure the model is, and which training contexts are nearest.
function reasons(record) {
  const near = record.nearest ?? [];
  const rows = near.map((it, at) => make("tr", {}, make("td", {}, it), make("td", {}, shown(record.similarity[at]))));
  return [
    make("p", {}, record.reply || `No reply: ${record.refusal}`),
    make("p", { class: "faint" }, `Confidence ${share(record.confidence)}`),
    near.length ? make("table", {}, make("caption", { class: "faint" }, "Nearest in training, and how near"), make("tbody", {}, ...rows)) : null,
  ].filter(Boolean);
}
