// The feature map: held-out pictures as points in each network's feature space, and the nearest training pictures of the
// selected one.
import { make, on, showTile } from "../../../engine/export/lib/dom.js";
import { fill } from "../../../engine/export/lib/format.js";
import { shade } from "../lib/part.js";
import { picturesUrl } from "../lib/pictures.js";
import { loadedPlotly } from "../lib/plotly.js";

const SIZE = 8, SELECTED_SIZE = 20; // pixels of a marker
const RETRY_MS = 200;

/** @param {string} text */
const escapeTags = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); // Plotly parses tags

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, props, watch, config, $, $$ }) {
  /** @type {any} the last value from Python: maps by racer, pictures, classes */
  let map = null;
  let selected = 0; // index of the picture marked in every map

  /** @param {string} key @param {Record<string, unknown>} [values] */
  const translate = (key, values) => fill(config.words[key], values);
  // Every class has its own combination of marker and colour, up to 64 classes
  /** @param {number} label */
  const markOf = (label) => config.marks[label % config.marks.length];
  /** @param {number} label */
  const inkOf = (label) => config.inks[(label + Math.floor(label / config.marks.length)) % config.inks.length][shade()];

  function apply() {
    const value = props.value;
    if (!value) return;
    $(".hs-alert").textContent = value.alert || "";
    $(".hs-map-status").textContent = value.alert ? "" : value.status || "";
    if (!value.racers) return;
    map = value;
    selected = 0;
    $(".hs-map-full").hidden = false;
    $(".hs-map-title").textContent = map.title;
    $(".hs-map-count").textContent = translate("count", {
      heldout: map.heldout.rows.length, heldouts: map.heldout.all, training: map.training.rows.length, trainings: map.training.all,
    });
    $("input").max = map.heldout.rows.length;
    drawFrames();
    redraw();
    showSelected();
  }

  // --- the maps ------------------------------------------------------------------------------------------------------

  function drawFrames() {
    $(".hs-map-racers").replaceChildren(...Object.keys(map.racers).map((racer) => {
      const node = make("figure", "hs-map-racer"), chart = make("div", "hs-map-chart");
      node.dataset.racer = racer;
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-label", translate("map_of", { name: config.names[racer] }));
      node.style.setProperty("--racer", `var(--hs-${racer})`);
      node.append(make("figcaption", "", config.names[racer]), chart);
      return node;
    }));
  }

  function redraw() {
    const plotly = loadedPlotly();
    if (!map || !element.isConnected) return;
    if (!plotly) { setTimeout(redraw, RETRY_MS); return; } // the race's chart loads it
    $(".hs-map-key").replaceChildren(...map.classes.map((/** @type {string} */ name, /** @type {number} */ label) => {
      const node = make("li"), mark = make("span", "", markOf(label).text);
      mark.style.color = inkOf(label);
      mark.ariaHidden = true;
      node.append(mark, name);
      return node;
    }));
    for (const node of $$(".hs-map-racer")) draw(plotly, node.querySelector(".hs-map-chart"), map.racers[node.dataset.racer]);
  }

  /** @param {any} plotly @param {any} chart @param {any} points */
  function draw(plotly, chart, points) {
    /** @type {number[]} */
    const labels = map.heldout.labels;
    const text = config.page.text[shade()], linecolor = config.page.grid[shade()];
    const axis = { showticklabels: false, showgrid: false, zeroline: false, showline: true, mirror: true, linecolor };
    const marks = {
      type: "scatter", mode: "markers", x: points.x, y: points.y, customdata: labels.map((_, k) => k),
      text: labels.map((label, k) => `${escapeTags(map.classes[label])} · ${translate("picture")} ${k + 1}`), hovertemplate: "%{text}<extra></extra>",
      marker: { size: SIZE, opacity: 0.8, color: labels.map(inkOf), symbol: labels.map((label) => markOf(label).symbol) },
    };
    const layout = {
      margin: { l: 4, r: 4, t: 4, b: 4 }, showlegend: false, hovermode: "closest", dragmode: false, paper_bgcolor: "transparent",
      plot_bgcolor: "transparent", font: { color: text, size: 15 }, xaxis: axis, yaxis: { ...axis, scaleanchor: "x" },
      transition: { duration: 0 },
    };
    plotly.react(chart, [marks, ring(points, text)], layout, { responsive: true, displayModeBar: false });
    chart.removeAllListeners("plotly_click");
    chart.on("plotly_click", (/** @type {{ points: any[] }} */ event) => {
      const point = event.points.find((candidate) => candidate.customdata != null);
      if (point) select(point.customdata);
    });
  }

  /** @param {any} points @param {string} color */
  const ring = (points, color) => ({
    type: "scatter", mode: "markers", x: [points.x[selected]], y: [points.y[selected]], hoverinfo: "skip",
    marker: { size: SELECTED_SIZE, color, symbol: "circle-open", line: { color, width: 3 } },
  });

  // --- one picture and its neighbours --------------------------------------------------------------------------------

  /** @param {number} k */
  function select(k) {
    if (!map || !Number.isInteger(k)) return;
    selected = Math.min(Math.max(k, 0), map.heldout.rows.length - 1);
    for (const node of $$(".hs-map-racer")) {
      const points = map.racers[node.dataset.racer];
      loadedPlotly()?.restyle(node.querySelector(".hs-map-chart"), { x: [[points.x[selected]]], y: [[points.y[selected]]] }, [1]);
    }
    showSelected();
  }

  function showSelected() {
    $("input").value = selected + 1;
    const label = map.heldout.labels[selected], figure = make("figure", "hs-map-selected"), caption = make("figcaption");
    caption.append(make("b", "", map.classes[label]), make("span", "", `${translate("picture")} ${selected + 1}`));
    figure.append(picture("heldout", [map.heldout.rows[selected]], 0, map.classes[label]), caption);
    const union = [...new Set(Object.values(map.racers).flatMap((points) => points.near[selected]))];
    $(".hs-map-near").replaceChildren(figure, ...Object.keys(map.racers).map((racer) => neighbours(racer, union, label)));
  }

  /** @param {string} racer @param {number[]} union neighbours for all racers @param {number} label */
  function neighbours(racer, union, label) {
    const { near: all, alike: similarity } = map.racers[racer];
    /** @type {number[]} */
    const near = all[selected];
    const node = make("section", "hs-map-nearest"), list = make("ol");
    node.style.setProperty("--racer", `var(--hs-${racer})`);
    const count = near.filter((k) => map.training.labels[k] === label).length;
    node.append(make("h4", "", config.names[racer]), make("p", "", translate("alike", { count, all: near.length })), list);
    const rows = union.map((k) => map.training.rows[k]);
    list.append(...near.map((k, place) => {
      const item = make("li"), name = map.classes[map.training.labels[k]];
      item.append(
        picture("training", rows, union.indexOf(k), name), classNode(name, map.training.labels[k] === label),
        make("span", "", similarity[selected][place].toFixed(2)),
      );
      return item;
    }));
    return node;
  }

  /** @param {string} name @param {boolean} isSame whether it has the class of the selected picture */
  function classNode(name, isSame) {
    const node = make("div"), mark = make("span", `hs-map-mark${isSame ? "" : " hs-map-other"}`, isSame ? "✓" : "✗");
    mark.setAttribute("role", "img");
    mark.ariaLabel = translate(isSame ? "same" : "different");
    const title = make("b", "", name);
    title.title = name;
    node.append(mark, title);
    return node;
  }

  // The k-th of these pictures, from one file with all of them side by side
  /** @param {"heldout" | "training"} split @param {number[]} rows @param {number} k @param {string} label */
  function picture(split, rows, k, label) {
    const node = make("div", "hs-map-picture");
    node.setAttribute("role", "img");
    node.ariaLabel = label;
    showTile(node, picturesUrl(map.task, map.plan, split, rows), k, rows.length);
    return node;
  }

  // --- start ---------------------------------------------------------------------------------------------------------

  on(element, "click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button && map) select((selected + Number(button.dataset.step) + map.heldout.rows.length) % map.heldout.rows.length);
  });
  on(element, "change", (event) => {
    if (event.target.matches("input")) select(Math.round(Number(event.target.value)) - 1);
  });
  new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  watch("value", apply);
  apply();
}
