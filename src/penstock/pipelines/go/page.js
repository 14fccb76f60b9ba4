// Play Go against the model, with what it thinks. The rules are the server's: it says which stones stand.
import { choice, field, make, shape, share } from "./elements.js";

const LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ", STEP = 40;
const COLOURS = { 1: "black", "-1": "white", 0: "empty" };

export default function page(play) {
  const { size, komi } = play.model.dataset;
  const strength = choice(["as trained", "20", "100", "400", "1000"]);
  const marks = choice(["nothing", "moves", "owners"], "moves");
  const answers = make("input", { type: "checkbox", checked: true });
  const board = shape("svg", { viewBox: `0 0 ${STEP * (size + 1)} ${STEP * (size + 1)}`, role: "group", class: "board", "aria-label": "Board" });
  const state = make("p", { role: "status" }, "Black is to play.");
  let moves = [], record = null, busy = false, at = [Math.floor(size / 2), Math.floor(size / 2)];

  // Ask about the game as it would be after some moves; it stays as it is if one is illegal.
  const go = async (next) => {
    const playouts = Number(strength.value) || 0;
    const found = await play.answer({ sgf: btoa(writeGame(next, size, komi)) }, { playouts }, (it) => thoughts(it, next));
    if (!found || found.error) return false;
    [moves, record] = [next, found];
    state.textContent = found.result ? `The game is over: ${found.result}.` : `${found.turn === "black" ? "Black" : "White"} is to play, move ${moves.length + 1}.`;
    draw();
    return true;
  };
  const alone = (act) => async () => {
    if (busy) return;
    busy = true;
    try { await act(); } finally { busy = false; }
  };
  const over = () => record && record.result;
  const reply = async () => { if (record && !over()) await go([...moves, record.move]); };
  const person = (point) => alone(async () => {
    if (!over() && await go([...moves, point]) && answers.checked) await reply();
  })();
  const undo = alone(() => go(moves.slice(0, -(answers.checked ? 2 : 1))));
  const draw = () => drawBoard(board, size, record, moves, marks.value, at, person);

  board.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    at = at.map((it, axis) => Math.min(size - 1, Math.max(0, it + step[axis])));
    draw();
    board.querySelector("[tabindex='0']").focus();
  });
  marks.addEventListener("change", draw);
  play.place.replaceChildren(make("h2", {}, "Play Go"), board, state,
    make("div", { class: "row" }, make("button", { id: "example", onclick: alone(reply) }, "Let it move"),
      make("button", { class: "quiet", onclick: () => person("pass") }, "Pass"),
      make("button", { class: "quiet", onclick: undo }, "Take back"),
      make("button", { class: "quiet", onclick: alone(() => go([])) }, "New game")),
    make("div", { class: "row" }, field("Playouts a move", strength), field("Marks", marks), field("It answers my moves", answers, true)));
  draw();
  return go([]);
}

// A record of a game: moves by name, black first.
function writeGame(moves, size, komi) {
  const letter = (it) => String.fromCharCode(97 + it);
  const written = moves.map((it, number) => {
    const point = it === "pass" ? "" : letter(LETTERS.indexOf(it[0])) + letter(size - Number(it.slice(1)));
    return `;${number % 2 ? "W" : "B"}[${point}]`;
  });
  return `(;GM[1]FF[4]SZ[${size}]KM[${komi}]${written.join("")})`;
}

function thoughts(record, moves) {
  const best = (record.moves ?? []).map((it, at) =>
    make("tr", {}, make("th", { scope: "row" }, it), make("td", {}, share(record.shares[at]))));
  return [
    make("p", { class: "number" }, `Black wins: ${share(record.black_wins)}`),
    record.result ? make("p", {}, `Result ${record.result}`) : null,
    make("table", {}, make("caption", { class: "faint" }, "The best moves, and how much of the search each had"), make("tbody", {}, ...best)),
    make("p", { class: "faint" }, `Moves: ${moves.join(" ") || "none"}`)].filter(Boolean);
}

function drawBoard(board, size, record, moves, marks, at, play) {
  const middle = (it) => STEP * (it + 1);
  const wood = shape("rect", { width: "100%", height: "100%", class: "wood" });
  const lines = Array.from({ length: size }, (_, it) => [
    shape("line", { x1: STEP, x2: middle(size - 1), y1: middle(it), y2: middle(it) }),
    shape("line", { y1: STEP, y2: middle(size - 1), x1: middle(it), x2: middle(it) }),
    shape("text", { x: middle(it), y: middle(size) - 8, "text-anchor": "middle" }, LETTERS[it]),
    shape("text", { x: 10, y: middle(it) + 4, "text-anchor": "middle" }, String(size - it))]);
  const points = [];
  for (let row = 0; row < size; row += 1) for (let column = 0; column < size; column += 1) {
    const name = LETTERS[column] + (size - row), place = row * size + column;
    const colour = COLOURS[record ? record.stones[place] : 0];
    const last = moves[moves.length - 1] === name;
    const [mark, meaning] = record ? markOf(marks, record, name, place) : [null, ""];
    const point = shape("g", { role: "button", tabindex: row === at[0] && column === at[1] ? 0 : -1, class: colour,
      transform: `translate(${middle(column)} ${middle(row)})`, "aria-label": [name, colour, last ? "last move" : "", meaning].filter(Boolean).join(", ") },
    shape("rect", { x: -STEP / 2, y: -STEP / 2, width: STEP, height: STEP, class: "room" }),
    ...(colour === "empty" ? [] : [shape("circle", { r: STEP * 0.45 })]), ...(last ? [shape("circle", { r: 6, class: "last" })] : []), ...(mark ? [mark] : []));
    point.addEventListener("click", () => play(name));
    point.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key)) { event.preventDefault(); play(name); } });
    points.push(point);
  }
  board.replaceChildren(wood, ...lines.flat(), ...points);
}

// What is thought of a point, drawn and in words: its share of the search, or who will own it.
function markOf(marks, record, name, place) {
  const found = (record.moves ?? []).indexOf(name);
  if (marks === "moves" && found >= 0 && record.shares[found] >= 0.005) {
    const told = String(Math.round(100 * record.shares[found]));
    return [shape("text", { y: 5, "text-anchor": "middle", class: "thought" }, told), `${told} % of the search`];
  }
  if (marks === "owners") {
    const owner = record.ownership[place], side = 14 * Math.abs(owner);
    const told = `${owner > 0 ? "black" : "white"} owns it: ${share(Math.abs(owner))}`;
    return [shape("rect", { x: -side / 2, y: -side / 2, width: side, height: side, class: owner > 0 ? "owner black" : "owner white" }), told];
  }
  return [null, ""];
}
