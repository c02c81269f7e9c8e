// Puts the charts that a person can brush and hover over in the place of their picture, which stays where this fails.
const picture = document.getElementById("parallel_coordinates");
const shown = 20; // numbers of trials at most

async function inflated(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function element(name, parts = {}) {
  return Object.assign(document.createElement(name), parts);
}

function told(source) {
  const numbers = Array.from(source.get_column("number"));
  const kept = source.selected.indices.map((row) => numbers[row]).sort((one, other) => one - other);
  if (!kept.length) return `${numbers.length} trials. Drag over an axis, or in a square, to keep the trials there.`;
  const more = kept.length > shown ? ` and ${kept.length - shown} more` : "";
  return `${kept.length} of ${numbers.length} trials: ${kept.slice(0, shown).join(", ")}${more}.`;
}

async function draw(box) {
  const library = element("script", { textContent: await inflated("library") });
  document.head.append(library);
  const charts = JSON.parse(await inflated("charts"));
  const place = element("div", { className: "charts", id: "charts_place" });
  const words = element("output");
  const all = element("button", { type: "button", textContent: "Show all", disabled: true });
  const ways = element("p", { className: "soft" });
  ways.textContent = "With Ctrl held a brush keeps what lies in both, with Shift in either; Esc shows all.";
  box.append(place, words, " ", all, ways);
  await Bokeh.embed.embed_item(charts, place.id);
  const source = Bokeh.documents.at(-1).get_model_by_name("trials");
  const tell = () => {
    words.textContent = told(source);
    all.disabled = !source.selected.indices.length;
  };
  source.selected.properties.indices.change.connect(tell);
  all.addEventListener("click", () => source.selection_manager.clear());
  tell();
}

if (picture) {
  const box = element("div", { className: "interactive" });
  picture.append(box);
  picture.classList.add("live");
  draw(box).catch((error) => {
    console.warn("the charts stay pictures:", error);
    picture.classList.remove("live");
    box.remove();
  });
}
