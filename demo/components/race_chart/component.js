// Follows a race: reads the rows of its log, publishes them to the other components, and draws charts and cards.
import { on, prefersStill } from "../../../engine/export/lib/dom.js";
import { fill } from "../../../engine/export/lib/format.js";
import { loadPlotly } from "../lib/plotly.js";
import { announce, channel, onAnnounced } from "../lib/race.js";
import { StreamReader } from "../lib/stream.js";
import { Charts } from "./chart.js";

/** @typedef {import("../lib/race.js").Row} Row */
/** @typedef {import("../lib/race.js").Ghost} Ghost */
/** @typedef {{ race: string, me: string, owner: boolean, version?: string, task?: string, classes?: string[], alert?: string }} Value */

const POLL_MS = 1000, TICK_MS = 100, ANNOUNCE_MS = 10000;

/** @param {import("../lib/part.js").Component} component */
export function mount(component) {
  const { element, props, watch, submit, config, language, $, $$ } = component;
  const base = new URL(config.base + "/", document.baseURI), still = prefersStill();
  const charts = new Charts(component, ghosts);
  /** @type {Value | null} */
  let attached = null;
  /** @type {StreamReader | null} */
  let reader = null;
  let following = "", followCount = 0, status = "", announcedAt = 0;

  /** @param {string} name @param {Record<string, unknown>} [values] */
  const translate = (name, values) => fill(config.words[name], values);
  /** @param {string} text */
  const setStatus = (text) => { status = text; $(".hs-status").textContent = text; };
  const offline = () => { $(".hs-status").textContent = translate("lost"); };
  const online = () => { $(".hs-status").textContent = status; };
  const state = () => channel.race?.state;
  const isRecorded = () => following === "recorded";
  // False while a waiting visitor watches another visitor's race
  const isVisitorsRace = () => Boolean(attached?.owner) && following === attached?.race;

  // Earlier races with the same pictures and the same network
  /** @returns {Ghost[]} */
  function ghosts() {
    const plan = state()?.plan || config.plan, task = channel.race?.task || plan.task;
    return channel.ghosts.filter((ghost) => ghost.race !== following && ghost.backbone === plan.backbone && ghost.task === task);
  }

  /** @param {boolean} isBusy */
  function setBusy(isBusy) {
    const stop = /** @type {HTMLButtonElement | null} */ (document.querySelector("#hs-stop"));
    if (stop) stop.disabled = !isBusy;
  }

  // --- the race to follow --------------------------------------------------------------------------------------------

  function attach() {
    const value = props.value;
    if (!value) return;
    announce("answer", value);
    if (value.race && !(attached && attached.race === value.race && attached.version === value.version)) {
      attached = value;
      channel.visitor = value.me;
      follow(value.race);
    }
    $(".hs-alert").textContent = value.alert || "";
  }

  /** @param {string} race */
  function follow(race) {
    reader?.stop();
    followCount += 1;
    following = race;
    clear();
    setStatus("");
    setBusy(Boolean(attached?.owner));
    // The log omits names of uploaded pictures; only their visitor gets them, with the value
    const { task = null, classes = null } = isVisitorsRace() && attached ? attached : {};
    channel.begin({ id: race, task, classes, isOwner: isVisitorsRace(), isRecorded: isRecorded() });
    if (channel.race) charts.begin(channel.race.state, race);
    reader = open(race);
  }

  function clear() {
    $$(".hs-card dd, .hs-card [data-field=accuracy]").forEach((node) => { node.textContent = "–"; });
    $$(".hs-card small").forEach((node) => { node.textContent = ""; });
    $$(".hs-small").forEach((node) => { node.hidden = true; });
    $(".hs-stamp").hidden = true;
    $(".hs-headline").textContent = translate("starting");
    $(".hs-detail").textContent = "";
    $("progress").value = 0;
    $(".hs-left").textContent = "";
  }

  /** @param {string} race */
  function open(race) {
    /** @param {string} path @param {number} since */
    const address = (path, since) => {
      const query = new URLSearchParams({ since: `${since}`, visitor: attached?.owner ? attached.me : "" });
      return new URL(`races/${race}/${path}?${query}`, base);
    };
    const opened = new StreamReader({
      streamUrl: (since) => address("events", since),
      request: async (since) => {
        const answer = await fetch(address("rows", since));
        return answer.status === 404 ? null : answer.json();
      },
      onReply: (body) => {
        if (!body) { setStatus(translate("gone")); setBusy(false); return false; }
        opened.receive(body.rows, body.next);
        if (body.state === "ended") opened.end();
        return body.state !== "ended" && element.isConnected;
      },
      onRows, onEnd: ended, onOnline: online, onOffline: offline,
      staysOpen: () => Boolean(attached?.owner), // the race runs as long as its owner's stream is open
    });
    opened.followPage();
    opened.connect();
    return opened;
  }

  function ended() {
    if (isRecorded()) return;
    setStatus(translate("done"));
    setBusy(false);
    if (isVisitorsRace()) submit(); // its networks are available from now on
    announceHeadline(true);
    if (attached && following !== attached.race) follow(attached.race);
  }

  // --- its rows ------------------------------------------------------------------------------------------------------

  /** @param {Row[]} rows */
  function onRows(rows) {
    if (rows[0]?.event === "Recorded") { play(rows); return; }
    // A place in the queue matters only until the next row
    publish(rows.filter((row) => row.event !== "Queued"));
    const last = rows.at(-1);
    if (last?.event === "Queued") queued(last);
  }

  /** @param {Row[]} rows */
  function publish(rows) {
    if (!rows.length || !channel.race) return;
    const started = rows.find((row) => row.event === "RaceStarted"), task = started && JSON.parse(started.plan).task;
    // The other components get the task from the RaceStarted row
    if (started && channel.race.task === null && task !== "own") Object.assign(channel.race, { task, classes: started.classes });
    channel.publish(rows);
    rows.forEach(show);
    charts.paint();
  }

  // Publish a recorded race at its original speed
  /** @param {Row[]} rows */
  function play(rows) {
    const stamp = $(".hs-stamp"), race = channel.race, start = performance.now();
    stamp.textContent = translate("recorded", rows[0]);
    stamp.hidden = false;
    let at = 1;
    const tick = () => {
      if (race !== channel.race || !element.isConnected) return;
      const now = still ? Infinity : (performance.now() - start) / 1000, from = at;
      while (at < rows.length && rows[at].t <= now) at++;
      publish(rows.slice(from, at));
      if (at < rows.length) setTimeout(tick, TICK_MS);
      else setStatus("");
    };
    tick();
  }

  /** @param {Row} row */
  function queued(row) {
    announceQueued(row);
    setBusy(Boolean(attached?.owner));
    if (!attached || !row.watch || row.watch === following) return;
    const race = attached.race;
    follow(row.watch);
    const count = followCount;
    const poll = async () => {
      if (count !== followCount) return;
      try {
        const body = await (await fetch(new URL(`races/${race}/rows?since=0`, base))).json();
        if (count !== followCount) return;
        if (body.state !== "queued") { follow(race); return; }
        const last = body.rows.filter((/** @type {Row} */ entry) => entry.event === "Queued").pop();
        if (last) announceQueued(last);
      } catch { offline(); }
      setTimeout(poll, POLL_MS);
    };
    setTimeout(poll, POLL_MS);
  }

  /** @param {Row} row */
  function announceQueued(row) {
    setStatus(translate("queued", row));
    announce("queued", row);
  }

  /** @param {Row} row */
  function show(row) {
    if (row.event === "RaceStarted") showStart(row);
    else if (row.event === "Preparing") {
      $(".hs-headline").textContent = translate("preparing");
      $("progress").value = row.progress;
      setStatus(row.text[language]);
    } else if (row.event === "Standing") showStanding(row);
    else if (row.event === "Ended" && (row.message || !state()?.plan)) {
      $(".hs-headline").textContent = row.message ? row.message[language] : translate("stopped");
    }
  }

  /** @param {Row} row */
  function showStart(row) {
    const racers = charts.racers, isOwner = Boolean(attached?.owner);
    $$(".hs-small").forEach((node) => { node.hidden = !racers.some((racer) => node.classList.contains(`hs-${racer}`)); });
    if (ghosts().length || racers.length > config.main_racers.length) charts.redraw();
    setStatus(isRecorded() ? "" : `${translate("live")} · ${row.network.text || row.network} · ${row.machine}`);
    charts.setChance(1 / row.classes.length);
    setBusy(!isRecorded() && isOwner);
    if (!isRecorded() && !isOwner) setStatus(translate("watching"));
  }

  /** @param {Row} row */
  function showStanding(row) {
    $(".hs-headline").textContent = row.headline[language];
    $(".hs-detail").textContent = row.detail[language];
    $("progress").value = row.progress;
    $(".hs-left").textContent = row.left == null || isRecorded() ? "" : translate("left", { seconds: row.left });
    for (const [racer, standing] of Object.entries(row.racers)) showCard($(`.hs-card.hs-${racer}`), standing);
    announceHeadline(false);
  }

  /** @param {any} card @param {any} standing */
  function showCard(card, standing) {
    /** @param {string} name @param {string} text */
    const set = (name, text) => { const node = card.querySelector(`[data-field="${name}"]`); if (node) node.textContent = text; };
    set("accuracy", standing.accuracy);
    set("interval", standing.interval);
    set("best", standing.best);
    set("seconds", standing.seconds);
    set("phase", config.phases[standing.phase] || "");
    standing.targets.forEach((/** @type {string} */ text, /** @type {number} */ k) => set(`target-${k}`, text));
  }

  // For a screen reader: the headline every ten seconds and at the end, not five times a second
  /** @param {boolean} isEnd */
  function announceHeadline(isEnd) {
    if (isRecorded() || (!isEnd && performance.now() - announcedAt < ANNOUNCE_MS)) return;
    announcedAt = performance.now();
    $(".hs-aloud").textContent = `${$(".hs-headline").textContent}. ${$(".hs-detail").textContent}`;
  }

  // --- start ---------------------------------------------------------------------------------------------------------

  /** @param {string} tab */
  function showTab(tab) {
    for (const button of $$("[role=tab]")) button.setAttribute("aria-selected", String(button.dataset.tab === tab));
    for (const panel of $$(".hs-panel")) panel.hidden = panel.id !== `hs-panel-${tab}`;
    charts.show(tab, charts.axis);
  }

  // Called when the list of earlier races changes
  function showGhosts() {
    $(".hs-clear").hidden = !channel.ghosts.length;
    charts.redraw();
  }

  on(element, "click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.tab) showTab(button.dataset.tab);
    if (button.classList.contains("hs-clear")) announce("clear");
  });
  on(element, "keydown", (event) => {
    if (event.target.getAttribute("role") !== "tab" || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const next = $$("[role=tab]").find((button) => button !== event.target);
    next.focus();
    showTab(next.dataset.tab);
  });
  on(element, "change", (event) => { if (event.target.name === "hs-axis") charts.show(charts.tab, event.target.value); });
  new MutationObserver(() => charts.redraw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  onAnnounced("ghosts", showGhosts);
  showGhosts();
  loadPlotly(new URL(config.plotly, base)).then((library) => { charts.plotly = library; charts.redraw(); charts.paint(); });
  watch("value", attach);
  attach();
}
