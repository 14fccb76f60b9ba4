// Drop a tile: its class, and where the network saw it.
import { base64, exampleOf } from "./asking.js";
import { dropZone, field, make, picture } from "./elements.js";

export default function page(play) {
  const mapped = make("input", { type: "checkbox", checked: true });
  const tile = make("div");
  const ask = (image) => {
    const shown = picture(image, "The tile that was asked about");
    tile.replaceChildren(...(shown ? [shown] : []));
    return play.answer({ image }, { gradcam: mapped.checked });
  };
  play.place.replaceChildren(make("h2", {}, "Drop a tile"),
    dropZone("An image of tissue", "image/*", async (file) => ask(await base64(file))),
    make("div", { class: "row" }, field("Where the network saw it (Grad-CAM)", mapped, true)),
    make("div", { class: "row" }, make("button", { id: "example", onclick: () => ask(exampleOf(play.model).image) }, "Take the example")),
    tile);
}
