// The race on a phone: the chart, a card for each racer, and their predictions for a few pictures.
import { Curves } from "../../engine/export/lib/curves.js";
import { make, setText, showTile } from "../../engine/export/lib/dom.js";
import { percent } from "../../engine/export/lib/format.js";
import { racerOf } from "../../engine/export/lib/reducer.js";
import { picturesQuery } from "../components/lib/pictures.js";

/** @typedef {import("./phone.js").Page} Page */
/** @typedef {{ task: string, classes: string[] }} Pictures */
/** @typedef {Record<string, { node: any, mark: any, name: any }>} Predictions by racer */

export class RaceView {
  /** @type {Curves | null} */
  #chart = null;
  /** @type {Record<string, { number: any, phase: any }>} */
  #cards = {};
  /** @type {{ task: string, pictures: Predictions[] } | null} */
  #strip = null;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
  }

  clear() {
    const { $ } = this.page;
    this.#chart = null;
    this.#strip = null;
    for (const box of ["#chart", "#cards", "#shown"]) $(box).replaceChildren();
  }

  get #racers() {
    const { config, race } = this.page;
    return [...config.main_racers, ...(race?.plan?.extra_racers || [])];
  }

  get #shownRacers() {
    return this.#racers.sort((a, b) => Number(b === "pretrained") - Number(a === "pretrained"));
  }

  paint() {
    const { $, race, translate } = this.page;
    $("#race").hidden = !race?.plan;
    if (race?.plan) {
      const isEpochs = race.plan.budget === "epochs";
      this.#chart ??= this.#begin(isEpochs ? { epoch: race.plan.epochs } : { seconds: race.plan.seconds });
      const rows = Object.values(race.racers).flatMap(({ exact, subset }) => [...exact, ...subset]);
      this.#chart.draw(rows, isEpochs ? "epoch" : "seconds");
      const standing = race.standing;
      for (const [racer, parts] of Object.entries(this.#cards)) {
        const { end, phases } = racerOf(race, racer), phase = end?.reason ?? phases.at(-1)?.phase;
        setText(parts.number, standing?.racers[racer]?.accuracy ?? "–");
        setText(parts.phase, phase ? translate(`phase.${phase}`) : "");
      }
      $("#progress").value = standing ? standing.progress : 0;
      setText($("#left"), standing?.left && !race.ended ? translate("phone.left", { seconds: standing.left }) : "");
    }
    this.#paintStrip();
  }

  /** @param {Record<string, number>} limits */
  #begin(limits) {
    const { $, race, translate, language } = this.page;
    this.#cards = Object.fromEntries(this.#shownRacers.map((racer) => [racer, this.#card(racer)]));
    return new Curves($("#chart"), {
      metric: "accuracy", translate, racers: this.#racers, limits, chance: 1 / race?.started?.classes.length, locale: language,
    });
  }

  /** @param {string} racer */
  #card(racer) {
    const { $, translate, config } = this.page, node = make("article", "card"), parts = { number: make("b", "", "–"), phase: make("small") };
    node.classList.add(`racer-${racer}`, config.main_racers.includes(racer) ? "main-racer" : "extra");
    node.append(make("h3", "", translate(`racer.${racer}`)), parts.number, parts.phase);
    $("#cards").append(node);
    return parts;
  }

  // --- predictions for a few pictures --------------------------------------------------------------------------------

  // The task and classes of the pictures: a public set, or the room's own set (named by its state only); null for other
  // uploads, which are not shown
  /** @returns {Pictures | null} */
  #pictures() {
    const { state, race } = this.page;
    if (race?.plan?.task !== "own") return { task: race?.plan?.task, classes: race?.started?.classes };
    return state?.task ? { task: state.task, classes: state.raced } : null;
  }

  #paintStrip() {
    const { $, race, translate } = this.page;
    const previews = Object.entries(race?.racers ?? {}).filter(([, racer]) => racer.preview);
    const isShown = Boolean(race?.started?.shown.length && previews.length);
    $("#strip").hidden = !isShown;
    if (!isShown || !race?.started) return;
    const pictures = this.#pictures(), { labels, shown } = race.started;
    setText($("#strip-about"), pictures ? "" : translate("phone.strip.own"));
    if (!pictures) return;
    if (this.#strip?.task !== pictures.task) this.#strip = this.#drawStrip(pictures);
    for (const [racer, { preview }] of previews) {
      this.#strip.pictures.forEach((predictions, k) => {
        const predicted = preview?.predicted[k], isCorrect = predicted === labels[shown[k]], { node, mark, name } = predictions[racer];
        node.classList.toggle("right", isCorrect);
        setText(mark, isCorrect ? "✓ " : "✗ ");
        mark.setAttribute("aria-label", translate(isCorrect ? "replay.right" : "replay.wrong"));
        setText(name, `${pictures.classes[predicted]} ${percent(preview?.confidence[k])}`);
      });
    }
  }

  /** @param {Pictures} pictures */
  #drawStrip({ task, classes }) {
    const { $, race } = this.page, { shown, labels } = /** @type {{ shown: number[], labels: number[] }} */ (race?.started);
    const query = picturesQuery(race?.plan ?? {}, shown);
    const address = new URL(`../cells/${encodeURIComponent(task)}/heldout?${query}`, location.href).href;
    /** @type {Predictions[]} */
    const rows = [];
    $("#shown").replaceChildren(...shown.map((row, k) => {
      const item = make("li"), image = make("div", "picture"), label = classes[labels[row]];
      image.setAttribute("role", "img");
      image.setAttribute("aria-label", label);
      showTile(image, address, k, shown.length);
      const predictions = Object.fromEntries(this.#shownRacers.map((racer) => [racer, this.#predictionOf(racer)]));
      item.append(image, make("span", "class-name", label), ...Object.values(predictions).map(({ node }) => node));
      rows.push(predictions);
      return item;
    }));
    return { task, pictures: rows };
  }

  /** @param {string} racer */
  #predictionOf(racer) {
    const node = make("div", "prediction"), mark = make("i"), name = make("span", "", "–");
    node.classList.add(`racer-${racer}`);
    mark.setAttribute("role", "img");
    node.append(make("b", "", this.page.translate(`racer.${racer}`)), mark, name);
    return { node, mark, name };
  }
}
