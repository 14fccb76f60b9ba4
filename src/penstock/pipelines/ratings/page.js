// Choose a user, or rate three films: what to recommend.
import { get } from "./asking.js";
import { field, make, shown } from "./elements.js";

const ALIKE = 60; // users who are compared with somebody new

export default async function page(play) {
  const name = play.model.name;
  const users = (await get(`/${name}/known/user`)).found.map((it) => it.id);
  const user = make("input", { list: "users", value: users[0] ?? "" });
  const recommend = (id) => play.answer({ user: id }, { count: 10 }, (record) => recommended(record, id));
  const rated = [0, 1, 2].map(() => film(name));
  const mine = async () => {
    const given = rated.map((it) => it.read()).filter(Boolean);
    if (!given.length) return play.say("Choose at least one film that is listed, and rate it");
    const alike = users.slice(0, ALIKE);
    try {
      const rows = alike.flatMap((id) => given.map((it) => ({ user: id, item: it.item })));
      const answers = await play.ask(rows);
      const far = alike.map((_, at) => given.reduce((sum, it, place) =>
        sum + (answers[at * given.length + place].rating - it.rating) ** 2, 0));
      const nearest = alike[far.indexOf(Math.min(...far))];
      await recommend(nearest);
      document.getElementById("answer").prepend(make("p", { class: "faint" }, `Of ${alike.length} users, ${nearest} is the one whose ratings the model expects to be most like yours.`));
    } catch (error) {
      play.say(error.message);
    }
  };
  play.place.replaceChildren(make("h2", {}, "Choose a user"),
    make("datalist", { id: "users" }, ...users.map((it) => make("option", { value: it }))),
    make("div", { class: "row" }, field("User", user), make("button", { id: "example", onclick: () => recommend(user.value) }, "Recommend")),
    make("h2", {}, "Or rate three"), ...rated.map((it) => it.element),
    make("div", { class: "row" }, make("button", { id: "rate", onclick: mine }, "Recommend to me")));
}

let films = 0;

function film(name) {
  const list = make("datalist", { id: `films${films += 1}` });
  const input = make("input", { list: list.id });
  const rating = make("input", { type: "number", min: 0.5, max: 5, step: 0.5, value: 4 });
  let found = [];
  const search = async () => {
    found = (await get(`/${name}/known/item?text=${encodeURIComponent(input.value)}`)).found;
    list.replaceChildren(...found.slice(0, 30).map((it) => make("option", { value: it.title || it.id })));
  };
  input.addEventListener("input", search);
  search();
  const read = () => {
    const chosen = found.find((it) => it.title === input.value || it.id === input.value);
    return chosen && { item: chosen.id, rating: Number(rating.value) };
  };
  return { element: make("div", { class: "row" }, list, field("Film", input), field("Rating", rating)), read };
}

function recommended(record, user) {
  const rows = (record.titles ?? []).map((title, at) => make("tr", {}, make("th", { scope: "row" }, title || record.items[at]), make("td", {}, shown(record.ratings[at]))));
  return [record.unknown ? make("p", { class: "faint" }, `${user} is unknown: these are for anybody`) : null,
    make("table", {}, make("caption", { class: "faint" }, `For ${user}, by rating and popularity together`),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "title"), make("th", { scope: "col" }, "rating"))), make("tbody", {}, ...rows))].filter(Boolean);
}
