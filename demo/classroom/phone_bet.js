// The bet form on a phone, and the score of the bet.
import { make, on, setText } from "../../engine/export/lib/dom.js";
import { formatNumber } from "../../engine/export/lib/format.js";
import { isDone, racerOf } from "../../engine/export/lib/reducer.js";
import { scoreGap, scoreSeconds, timeToTarget } from "../components/lib/score.js";
import { read, write } from "../components/lib/store.js";

/** @typedef {import("./phone.js").Page} Page */
/** @typedef {import("./phone.js").Bet} Bet */

export class BetForm {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    const { $, config } = page, [low, high, first] = config.gaps, stored = read("bet.form") || { gap: first, seconds: 5, name: "" };
    Object.assign($("#gap"), { min: low, max: high, value: stored.gap });
    $("#seconds").max = config.seconds;
    $("#never").checked = $("#seconds").disabled = stored.seconds === null;
    if (stored.seconds !== null) $("#seconds").value = stored.seconds;
    Object.assign($("#name"), { maxLength: config.name, value: String(stored.name || "").slice(0, config.name) });
    on($("#gap"), "input", () => this.#showGap());
    on($("#never"), "change", (event) => { $("#seconds").disabled = event.target.checked; });
    on($("#bet"), "submit", (event) => { event.preventDefault(); this.#send(); });
    this.#showGap();
  }

  /** @param {number} points */
  #formatGap(points, digits = 0) {
    return this.page.translate("bet.points", { points: formatNumber(points, this.page.language, digits) });
  }

  /** @param {number | null} seconds */
  #formatSeconds(seconds) {
    const { translate, language } = this.page;
    return seconds === null ? translate("bet.no_crossing") : translate("bet.after", { seconds: formatNumber(seconds, language, 1) });
  }

  /** @param {Bet} bet */
  #formatBet(bet) {
    return this.page.translate("bet.said", { gap: this.#formatGap(bet.gap), crossing: this.#formatSeconds(bet.seconds) });
  }

  #showGap() {
    const { $ } = this.page;
    $("#bet output").textContent = this.#formatGap(Number($("#gap").value));
  }

  paint() {
    const { $, state, isOver, you, race, translate, config } = this.page, phase = state && !isOver ? state.phase : "";
    const isOpen = (phase === "betting" || phase === "over") && !state.locked, isWhole = Boolean(race?.finished && isDone(race, ...config.main_racers));
    $("#bet").hidden = !isOpen;
    setText($("#bet-title"), translate(phase === "over" ? "phone.bet.next" : "phone.bet"));
    const upcoming = phase === "over" ? you.next : you.bet;
    let text = "";
    if (phase === "racing") text = you.bet ? translate("bet.riding", { bet: this.#formatBet(you.bet) }) : translate("phone.bet.closed");
    else if (isOpen && upcoming) text = translate("phone.bet.placed", { bet: this.#formatBet(upcoming) });
    else if (phase === "over" && you.bet && !isWhole) text = translate("bet.returned");
    setText($("#bet-status"), text);
    const isScored = phase === "over" && Boolean(you.bet) && isWhole;
    $("#score").hidden = !isScored;
    if (isScored) this.#paintScore();
  }

  #paintScore() {
    const { $, $$, race, you, translate, config } = this.page;
    if (!race?.finished || !you.bet) return;
    const gap = 100 * race.finished.gap, seconds = timeToTarget(racerOf(race, "pretrained").exact, config.target);
    const scores = [scoreGap(you.bet.gap, gap), scoreSeconds(you.bet.seconds, seconds)];
    setText($("#score h2"), translate("bet.score", { total: scores[0] + scores[1] }));
    const lines = [
      translate("bet.score_gap", { said: this.#formatGap(you.bet.gap), true: this.#formatGap(gap, 1) }),
      translate("bet.score_crossing", { said: this.#formatSeconds(you.bet.seconds), true: this.#formatSeconds(seconds) }),
    ].map((line, k) => `${line} ${translate("bet.worth", { points: scores[k] })}`);
    if ($$("#score li").map((item) => item.textContent).join() === lines.join()) return;
    $("#score ul").replaceChildren(...lines.map((line) => make("li", "", line)));
  }

  async #send() {
    const { $, translate, post } = this.page, alert = $("#bet-alert"), button = $("#bet button");
    const isNever = $("#never").checked, seconds = Number($("#seconds").value);
    alert.textContent = "";
    if (!isNever && !(seconds > 0)) {
      alert.textContent = translate("bet.seconds_needed");
      $("#seconds").focus();
      return;
    }
    const bet = { gap: Number($("#gap").value), seconds: isNever ? null : seconds, name: $("#name").value };
    write("bet.form", bet);
    button.disabled = true;
    try { await post("bet", JSON.stringify(bet), "application/json"); }
    catch (error) { alert.textContent = /** @type {any} */ (error).isExplained ? /** @type {Error} */ (error).message : translate("phone.unsent"); }
    button.disabled = false;
  }
}
