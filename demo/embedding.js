// Draws where each network puts the held-out pictures, and shows the training pictures nearest to the one that is picked.
// Runs after part.js, which brings `known`, `element`, `$`, `$$`, `fill`, `shade` and `window.headstart`.
const say = (key, values) => fill(known.words[key], values);
const SIZE = 8, PICKED = 20; // pixels of a mark

let map = null, picked = 0; // what Python told last, and the picture that is marked in every map

function make(tag, name = "", text = "") {
  const node = document.createElement(tag);
  node.className = name;
  node.textContent = text;
  return node;
}

// Every class has a mark and a colour of its own, up to 64 of them
const markOf = (kind) => known.marks[kind % known.marks.length];
const inkOf = (kind) => known.inks[(kind + Math.floor(kind / known.marks.length)) % known.inks.length][shade()];
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); // Plotly reads tags

function take(value) {
  if (!value) return;
  $(".hs-alert").textContent = value.alert || "";
  $(".hs-map-status").textContent = value.alert ? "" : value.status || "";
  if (!value.lanes) return;
  map = value;
  picked = 0;
  $(".hs-map-full").hidden = false;
  $(".hs-map-title").textContent = map.title;
  $(".hs-map-count").textContent = say("count", {
    heldout: map.heldout.rows.length, heldouts: map.heldout.all, training: map.training.rows.length, trainings: map.training.all,
  });
  $("input").max = map.heldout.rows.length;
  frame();
  redraw();
  show();
}

function frame() {
  $(".hs-map-lanes").replaceChildren(...Object.keys(map.lanes).map((lane) => {
    const node = make("figure", "hs-map-lane"), chart = make("div", "hs-map-chart");
    node.dataset.lane = lane;
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", say("map_of", { name: known.names[lane] }));
    node.style.setProperty("--lane", `var(--hs-${lane})`);
    node.append(make("figcaption", "", known.names[lane]), chart);
    return node;
  }));
}

// --- the maps ------------------------------------------------------------------------------------------------------

function redraw() {
  const library = window.headstartPlotly;
  if (!map || !element.isConnected) return;
  if (!library) { setTimeout(redraw, 200); return; } // it is loaded beside the race's chart
  $(".hs-map-key").replaceChildren(...map.classes.map((name, kind) => {
    const node = make("li"), mark = make("span", "", markOf(kind).text);
    mark.style.color = inkOf(kind);
    mark.ariaHidden = true;
    node.append(mark, name);
    return node;
  }));
  for (const node of $$(".hs-map-lane")) draw(library, node.querySelector(".hs-map-chart"), map.lanes[node.dataset.lane]);
}

function draw(library, chart, lane) {
  const labels = map.heldout.labels, text = known.page.text[shade()];
  const axis = { showticklabels: false, showgrid: false, zeroline: false, showline: true, mirror: true, linecolor: known.page.grid[shade()] };
  const marks = {
    type: "scatter", mode: "markers", x: lane.x, y: lane.y, customdata: labels.map((_, k) => k),
    text: labels.map((kind, k) => `${plain(map.classes[kind])} · ${say("picture")} ${k + 1}`), hovertemplate: "%{text}<extra></extra>",
    marker: { size: SIZE, opacity: 0.8, color: labels.map(inkOf), symbol: labels.map((kind) => markOf(kind).symbol) },
  };
  const layout = {
    margin: { l: 4, r: 4, t: 4, b: 4 }, showlegend: false, hovermode: "closest", dragmode: false, paper_bgcolor: "transparent",
    plot_bgcolor: "transparent", font: { color: text, size: 15 }, xaxis: axis, yaxis: { ...axis, scaleanchor: "x" },
    transition: { duration: 0 },
  };
  library.react(chart, [marks, ring(lane, text)], layout, { responsive: true, displayModeBar: false });
  chart.removeAllListeners("plotly_click");
  chart.on("plotly_click", (event) => { const point = event.points.find((p) => p.customdata != null); if (point) pick(point.customdata); });
}

const ring = (lane, color) => ({
  type: "scatter", mode: "markers", x: [lane.x[picked]], y: [lane.y[picked]], hoverinfo: "skip",
  marker: { size: PICKED, color, symbol: "circle-open", line: { color, width: 3 } },
});

// --- one picture and its neighbours --------------------------------------------------------------------------------

function pick(k) {
  if (!map || !Number.isInteger(k)) return;
  picked = Math.min(Math.max(k, 0), map.heldout.rows.length - 1);
  for (const node of $$(".hs-map-lane")) {
    const lane = map.lanes[node.dataset.lane];
    window.headstartPlotly?.restyle(node.querySelector(".hs-map-chart"), { x: [[lane.x[picked]]], y: [[lane.y[picked]]] }, [1]);
  }
  show();
}

function show() {
  $("input").value = picked + 1;
  const kind = map.heldout.labels[picked];
  const asked = make("figure", "hs-map-asked"), caption = make("figcaption");
  caption.append(make("b", "", map.classes[kind]), make("span", "", `${say("picture")} ${picked + 1}`));
  asked.append(picture("heldout", [map.heldout.rows[picked]], 0, map.classes[kind]), caption);
  const union = [...new Set(Object.values(map.lanes).flatMap((lane) => lane.near[picked]))];
  $(".hs-map-near").replaceChildren(asked, ...Object.entries(map.lanes).map(([name, lane]) => neighbours(name, lane, union, kind)));
}

function neighbours(name, lane, union, kind) {
  const node = make("section", "hs-map-nearest"), list = make("ol"), near = lane.near[picked];
  node.style.setProperty("--lane", `var(--hs-${name})`);
  const alike = near.filter((k) => map.training.labels[k] === kind).length;
  node.append(make("h4", "", known.names[name]), make("p", "", say("alike", { count: alike, all: near.length })), list);
  list.append(...near.map((k, place) => {
    const item = make("li"), label = map.training.labels[k], isSame = label === kind;
    const mark = make("span", `hs-map-mark${isSame ? "" : " hs-map-other"}`, isSame ? "✓" : "✗");
    mark.setAttribute("role", "img");
    mark.ariaLabel = say(isSame ? "same" : "different");
    const title = make("b", "", map.classes[label]), facts = make("div");
    title.title = map.classes[label];
    facts.append(mark, title);
    const rows = union.map((each) => map.training.rows[each]);
    item.append(picture("training", rows, union.indexOf(k), map.classes[label]), facts, make("span", "", lane.alike[picked][place].toFixed(2)));
    return item;
  }));
  return node;
}

// The k-th of these pictures; all of them come as one, side by side
function picture(split, rows, k, label) {
  const node = make("div", "hs-map-picture");
  node.setAttribute("role", "img");
  node.ariaLabel = label;
  node.style.backgroundImage = `url("${window.headstart.cells(map.task, map.plan, split, rows)}")`;
  node.style.backgroundSize = `${rows.length * 100}% 100%`;
  node.style.backgroundPosition = `${rows.length > 1 ? (100 * k) / (rows.length - 1) : 0}% 0`;
  return node;
}

// --- start ---------------------------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (button && map) pick((picked + Number(button.dataset.step) + map.heldout.rows.length) % map.heldout.rows.length);
});
element.addEventListener("change", (event) => {
  if (event.target.matches("input")) pick(Math.round(Number(event.target.value)) - 1);
});
new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", () => take(props.value));
take(props.value);
