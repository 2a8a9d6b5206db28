// Plays the recorded race that stands in this file. Knows when things happened; `Curves` knows how they are drawn.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const race = read("race"), { forced, said } = read("words");
  const $ = (selector) => document.querySelector(selector);
  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text });

  const wanted = [...(navigator.languages || [navigator.language])].map((tag) => tag.split("-")[0]);
  const language = forced || wanted.find((tag) => said[tag]) || "en";
  const texts = race.texts[language];
  const word = (key, values = {}) => said[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // Rows as the log of a live race has them, in the order in which they happened
  const rows = Object.entries(race.rows)
    .flatMap(([event, list]) => list.map((row) => Object.fromEntries([["event", event], ...row.map((v, k) => [race.fields[event][k], v])])))
    .sort((a, b) => a.t - b.t);
  const most = (name) => Math.max(0, ...rows.map((row) => row[name] || 0));
  const limits = {
    epoch: race.epochs || most("epoch"), seconds: most("seconds"), pictures: most("pictures"),
    loss: Curves.enough(rows.map((row) => row.loss).filter(Number.isFinite)),
  };
  const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`); // null: a network that diverged
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  let now = 0, speed = 4, isPlaying = false, before = null, painted = -1, axis = "epoch";

  // --- what stands still -------------------------------------------------------------------------------------------

  document.documentElement.lang = language;
  document.title = `${texts.title} · Head Start`;
  for (const node of $$("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of $$("[data-text]")) node.textContent = texts[node.dataset.text];
  $(".stamp").replaceChildren(...texts.stamp.split(" · ").flatMap((part, k) => (k ? [" · ", make("span", "", part)] : [make("span", "", part)])));
  for (const node of $$("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
  for (const [name, value] of texts.settings) {
    const row = $("#settings tbody").appendChild(make("tr")), head = make("th", "", name);
    head.scope = "row";
    row.append(head, make("td", "", value));
  }
  for (const name of ["epoch", "seconds", "pictures"]) {
    const label = make("label"), input = make("input");
    Object.assign(input, { type: "radio", name: "axis", value: name, checked: name === axis });
    input.addEventListener("change", () => { axis = name; painted = -1; paint(); });
    label.append(input, ` ${word(`axis.${name}`)}`);
    $("#axes").append(label);
  }
  const charts = ["accuracy", "loss"].map((kind) => new Curves($(`#${kind}`), {
    kind, word, lanes: race.lanes, limits, chance: 1 / race.classes.length, locale: language,
  }));
  const cards = Object.fromEntries(race.lanes.map((lane) => [lane, card(lane)]));
  const asked = rows.some((row) => row.event === "Answered") ? race.shown.map(picture) : [];
  $("#shown-box").hidden = !asked.length;
  $("#no-pictures").hidden = Boolean(race.pictures);
  const lenses = Object.fromEntries(race.lanes.filter((lane) => rows.some((r) => r.event === "Looked" && r.lane === lane)).map(lens));
  $("#filters-box").hidden = !Object.keys(lenses).length;
  $("#replay").hidden = false;

  function card(lane) {
    const node = make("article", `card lane-${lane}`), head = make("h3", "", word(`lane.${lane}`));
    const figures = make("dl"), parts = { phase: make("small"), accuracy: make("span"), interval: make("small") };
    const number = make("p", "number");
    number.append(parts.accuracy, parts.interval);
    head.append(" ", parts.phase);
    for (const [name, label] of [["best", "card.best"], ["compute", "card.compute"], ["epochs", "replay.epochs"]]) {
      const group = make("div");
      parts[name] = make("dd");
      group.append(make("dt", "", word(label)), parts[name]);
      figures.append(group);
    }
    node.append(head, number, figures);
    $("#cards").append(node);
    return parts;
  }

  function picture(kind, k) {
    const figure = make("figure"), caption = make("figcaption", "", race.classes[kind]), list = make("ul");
    if (race.pictures) {
      const image = figure.appendChild(make("div", "picture")), count = race.pictures.count;
      image.setAttribute("role", "img");
      image.setAttribute("aria-label", race.classes[kind]);
      image.style.backgroundImage = `url("${race.pictures.uri}")`;
      image.style.backgroundSize = `${100 * count}% 100%`;
      image.style.backgroundPosition = `${count > 1 ? (100 * k) / (count - 1) : 0}% 0`;
    }
    const answers = Object.fromEntries(race.lanes.map((lane) => [lane, list.appendChild(make("li", `lane-${lane}`))]));
    figure.append(caption, list);
    $("#shown").append(figure);
    return answers;
  }

  function lens(lane) {
    const figure = make("figure", `lane-${lane}`), canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", word("replay.filters.of", { name: word(`lane.${lane}`) }));
    figure.append(make("figcaption", "", word(`lane.${lane}`)), canvas);
    $("#filters").append(figure);
    return [lane, { canvas, drawn: null }];
  }

  // --- the race as it stood ----------------------------------------------------------------------------------------

  function paint() {
    const isOver = now >= race.length, past = isOver ? rows.length : rows.findIndex((row) => row.t > now);
    const count = past < 0 ? rows.length : past;
    $("#at").value = now;
    $("#at").setAttribute("aria-valuetext", word("replay.position", { now: Math.round(now), all: Math.round(race.length) }));
    $("#time").textContent = `${clock(now)} / ${clock(race.length)}`;
    const name = isPlaying ? "replay.pause" : isOver ? "replay.again" : "replay.play";
    $("#play").classList.toggle("playing", isPlaying);
    $("#play .name").textContent = word(name);
    for (const button of $$("[data-speed]")) button.setAttribute("aria-pressed", Number(button.dataset.speed) === speed);
    if (count === painted && isOver === Boolean($("#detail").textContent || !texts.detail)) return;
    painted = count;
    const so_far = rows.slice(0, count);
    const lanes = Object.fromEntries(race.lanes.map((lane) => [lane, so_far.filter((row) => row.lane === lane)]));
    $("#headline").textContent = isOver ? texts.verdict : headline(lanes);
    $("#detail").textContent = isOver ? texts.detail : "";
    for (const chart of charts) chart.draw(so_far, axis);
    for (const lane of race.lanes) {
      paintCard(cards[lane], lanes[lane]);
      paintAnswers(lane, lanes[lane].findLast((row) => row.event === "Answered"));
      if (lenses[lane]) paintFilters(lenses[lane], lanes[lane].findLast((row) => row.event === "Looked"));
    }
  }

  function headline(lanes) {
    const [scratch, transfer] = ["scratch", "transfer"].map((lane) => (lanes[lane] || []).findLast((row) => row.event === "Evaluated"));
    if (!scratch || !transfer) return word("headline.ready");
    const gap = transfer.correct / transfer.total - scratch.correct / scratch.total, points = Math.round(100 * Math.abs(gap));
    if (!points) return word("headline.even");
    const name = word(`lane.${gap > 0 ? "transfer" : "scratch"}`);
    return word(`headline.leads.${points === 1 ? "one" : "many"}`, { name, points });
  }

  function paintCard(parts, past) {
    const points = past.filter((row) => row.event === "Evaluated"), last = points.at(-1);
    const best = Math.max(...points.filter((row) => row.is_exact).map((row) => row.correct / row.total));
    const end = past.find((row) => row.event === "Finished"), phase = past.findLast((row) => row.event === "PhaseStarted");
    const clocked = past.findLast((row) => row.seconds !== undefined);
    parts.phase.textContent = word(end ? `phase.${end.reason}` : phase ? `phase.${phase.phase}` : "replay.waiting");
    parts.accuracy.textContent = last ? percent(last.correct / last.total) : "–";
    parts.interval.textContent = last ? word("replay.interval", { low: Math.round(100 * last.low), high: Math.round(100 * last.high) }) : "";
    if (last && !last.is_exact) parts.interval.textContent += ` · ${word("replay.rolling")}`;
    parts.best.textContent = Number.isFinite(best) ? percent(best) : "–";
    parts.compute.textContent = clocked ? word("replay.second", { seconds: clocked.seconds.toFixed(1) }) : "–";
    parts.epochs.textContent = clocked ? clocked.epoch.toFixed(clocked.epoch < 10 ? 1 : 0) : "–";
  }

  function paintAnswers(lane, row) {
    asked.forEach((answers, k) => {
      const node = answers[lane];
      node.replaceChildren(make("b", "who", word(`lane.${lane}`)));
      node.classList.toggle("right", Boolean(row) && row.named[k] === race.shown[k]);
      if (!row) { node.append(make("span", "called", "–")); return; }
      const isRight = row.named[k] === race.shown[k], mark = make("span", "mark", isRight ? "✓" : "✗");
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", word(isRight ? "replay.right" : "replay.wrong"));
      node.append(mark, make("span", "called", race.classes[row.named[k]]), make("span", "sure", percent(row.confidence[k])));
    });
  }

  // Filters side by side, each a square of `side` pixels with a gap of one
  function paintFilters(kept, row) {
    if (kept.drawn === row) return;
    kept.drawn = row;
    const { canvas } = kept, { count, side, filters } = row || { count: 0, side: 1, filters: "" };
    const columns = Math.min(8, count), bytes = Uint8Array.from(atob(filters), (c) => c.charCodeAt(0));
    canvas.width = Math.max(1, columns * (side + 1) - 1);
    canvas.height = Math.max(1, Math.ceil(count / 8) * (side + 1) - 1);
    const brush = canvas.getContext("2d");
    for (let k = 0; k < count; k++) {
      const tile = brush.createImageData(side, side);
      for (let p = 0; p < side * side; p++) {
        for (let c = 0; c < 3; c++) tile.data[4 * p + c] = bytes[3 * (k * side * side + p) + c];
        tile.data[4 * p + 3] = 255;
      }
      brush.putImageData(tile, (k % 8) * (side + 1), Math.floor(k / 8) * (side + 1));
    }
  }

  // --- playing -----------------------------------------------------------------------------------------------------

  function seek(to) {
    now = Math.min(race.length, Math.max(0, to));
    if (now >= race.length) play(false);
    paint();
  }

  function play(on) {
    if (on && now >= race.length) now = 0;
    const isNews = isPlaying !== on;
    isPlaying = on;
    before = null;
    if (on) requestAnimationFrame(step);
    paint();
    if (isNews && !on) $("#aloud").textContent = $("#headline").textContent; // while it plays, nothing is read out
  }

  function step(time) {
    if (!isPlaying) return;
    const passed = before === null ? 0 : Math.min(1, (time - before) / 1000); // a sleeping tab does not leap ahead
    before = time;
    seek(now + passed * speed);
    if (isPlaying) requestAnimationFrame(step);
  }

  $("#at").max = race.length;
  $("#at").addEventListener("input", (event) => seek(Number(event.target.value)));
  $("#play").addEventListener("click", () => play(!isPlaying));
  for (const button of $$("[data-speed]")) {
    button.addEventListener("click", () => { speed = Number(button.dataset.speed); paint(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.type === "radio") return;
    const far = event.shiftKey ? 5 : 1, onSlider = event.target === $("#at");
    const to = {
      ArrowRight: now + far, ArrowLeft: now - far, Home: 0, End: race.length,
      ...(onSlider ? { ArrowUp: now + far, ArrowDown: now - far, PageUp: now + 5, PageDown: now - 5 } : {}),
    }[event.key];
    if (to !== undefined) seek(to);
    else if (event.key === " " && event.target.tagName !== "BUTTON") play(!isPlaying);
    else return;
    event.preventDefault();
  });

  if (still) seek(race.length);
  else play(true);
})();
