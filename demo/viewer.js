// A phone in a classroom: follows what the room tells, draws its race, sends a bet and pictures. Knows nothing of training.
// Runs after curves.js, which draws, and score.js, which knows what a bet is worth.
(() => {
  const known = JSON.parse(document.getElementById("known").textContent);
  const $ = (selector) => document.querySelector(selector);
  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const language = [new URLSearchParams(location.search).get("lang"), ...navigator.languages]
    .map((tag) => (tag || "").toLowerCase().split("-")[0]).find((tag) => tag in known.said) || "en";
  const word = (key, values = {}) => known.said[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text });
  const number = (value, digits = 0) =>
    value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`); // null: a network that diverged
  const HIDDEN_MS = 30000, OPEN_MS = 4000, POLL_MS = 1000, RETRY_MS = 10000, SILENT_MS = 25000, SLEPT_MS = 5000, RESEND_MS = 2000;
  const SPOKEN_MS = 10000;

  // What is kept in this browser; one that keeps nothing (private, or full) plays without memory
  const store = {
    read(name) { try { return JSON.parse(localStorage.getItem(`headstart.${name}`)); } catch { return null; } },
    write(name, value) { try { localStorage.setItem(`headstart.${name}`, JSON.stringify(value)); } catch { /* no memory */ } },
  };

  document.documentElement.lang = language;
  for (const node of $$("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of $$("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
  $("main").hidden = false;

  // --- the door ------------------------------------------------------------------------------------------------------

  const [, code = ""] = location.pathname.match(/\/room\/([^/]+)$/) || [];

  function showDoor(why) {
    $("#room").hidden = true;
    $("#ask").hidden = false;
    $("#gone").textContent = "";
    $("#wrong").textContent = why;
  }

  $("#ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = $("#asked").value.normalize("NFKC").replace(/[^\p{L}\p{N}]/gu, "").toUpperCase();
    const home = location.pathname.replace(/\/room(\/[^/]*)?$/, "/room");
    if (asked) location.assign(`${home}/${encodeURIComponent(asked)}${location.search}`);
    else $("#asked").focus();
  });
  if (!code) {
    showDoor("");
    return;
  }
  $("#room").hidden = false;

  let guest = store.read("guest");
  if (!/^[\w-]{16,64}$/.test(guest || "")) {
    guest = [...crypto.getRandomValues(new Uint8Array(15))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    store.write("guest", guest);
  }
  const address = (path, more = {}) =>
    new URL(`${code}/${path}?${new URLSearchParams({ guest, lang: language, ...more })}`, location.href);

  // --- what is known of the room -------------------------------------------------------------------------------------

  let index = 0, state = null, you = { bet: null, next: null, sent: {} }, race = null, isOver = false, isDirty = false, refused = "";
  const kept = store.read("bet.room");
  if (kept && kept.code === code) you.bet = kept.bet; // until the server says it

  function begin(id) {
    race = { id, rows: [], plan: null, started: null, standing: null, preparing: null, ended: null, finished: null,
      points: [], ends: {}, answers: {}, phases: {} };
    chart = null;
    strip = null;
    $("#chart").replaceChildren();
    $("#cards").replaceChildren();
    $("#shown").replaceChildren();
  }

  function take(entries, next) {
    index = next;
    for (const entry of entries) {
      if (entry.event === "Race") { if (race) later(() => ask().catch(() => {}), 1000 * Math.random()); begin(entry.race); }
      else if (entry.event === "Room") state = entry;
      else read(entry);
    }
    paintSoon();
  }

  function read(row) {
    if (!race) begin("");
    const { lane } = row;
    if (row.event === "RaceStarted") {
      race.started = row;
      race.plan = JSON.parse(row.plan);
    } else if (row.event === "Evaluated") {
      race.rows.push(row);
      if (lane === "transfer" && row.is_exact) race.points.push(row);
    } else if (row.event === "Answered") race.answers[lane] = row;
    else if (row.event === "PhaseStarted") race.phases[lane] = row.phase;
    else if (row.event === "Finished") race.phases[lane] = race.ends[lane] = row.reason;
    else if (row.event === "Standing") race.standing = row;
    else if (row.event === "Preparing") race.preparing = row;
    else if (row.event === "RaceFinished") race.finished = row;
    else if (row.event === "Ended") race.ended = row;
  }

  function told(mine) {
    you = mine;
    store.write("bet.room", { code, bet: you.bet });
    paintSoon();
  }

  // --- hearing it ----------------------------------------------------------------------------------------------------

  let source = null, polling = 0, timers = new Set(), heard = Date.now(), ticked = Date.now(), hiddenAt = 0, session = 0;
  const later = (work, ms) => {
    const timer = setTimeout(() => { timers.delete(timer); work(); }, ms);
    timers.add(timer);
  };
  const lost = () => { $("#status").textContent = word("viewer.lost"); };
  const found = () => { heard = Date.now(); $("#status").textContent = ""; };

  function close() {
    if (source) source.close();
    source = null;
    session += 1; // what an earlier connection still says is not heard
    timers.forEach(clearTimeout);
    timers.clear();
  }

  function connect() {
    if (isOver) return;
    close();
    heard = Date.now();
    const mine = session, stream = new EventSource(address("events", { since: index }));
    source = stream;
    const hear = (name, work) => stream.addEventListener(name, (event) => { if (mine === session) { found(); work(event); } });
    hear("open", () => {});
    hear("message", (event) => take(JSON.parse(event.data), Number(event.lastEventId)));
    hear("you", (event) => told(JSON.parse(event.data)));
    hear("still", () => {});
    hear("end", () => end("viewer.over"));
    stream.addEventListener("error", () => {
      if (mine !== session) return;
      if (stream.readyState === EventSource.CLOSED) poll(); // the browser gives up on a refusal, whose reason a plain request tells
      else lost(); // it comes back by itself
    });
    later(() => { if (stream.readyState !== EventSource.OPEN) poll(); }, OPEN_MS);
  }

  // Once a second by plain requests, where streams do not get through; now and then a stream is tried again
  function poll() {
    close();
    polling = Date.now();
    turn(session);
  }

  async function turn(mine) {
    let more = true;
    try { more = await ask(); } catch { lost(); }
    if (mine !== session || !more) return;
    if (Date.now() - polling > RETRY_MS) connect();
    else later(() => turn(mine), POLL_MS);
  }

  // Everything new by one request. False where asking again is in vain
  async function ask() {
    const mine = session, since = index, isStreaming = Boolean(source);
    const answer = await fetch(address("state", { since }), { signal: AbortSignal.timeout(OPEN_MS) });
    const body = await answer.json();
    if (mine !== session) return false;
    found();
    refused = answer.ok ? "" : body.error;
    $("#gone").textContent = refused;
    if (!answer.ok) {
      const isFinal = answer.status === 404 || answer.status === 410;
      if (!state && (isFinal || answer.status === 429)) {
        end("", refused);
        showDoor(refused);
      } else if (isFinal) end("", refused);
      else paintSoon(); // locked or full: that may change
      return !isOver;
    }
    if (!isStreaming && since === index) take(body.entries, body.next); // a stream, or an earlier request, told them already
    told(body.you);
    return true;
  }

  function end(key, text = "") {
    isOver = true;
    close();
    $("#status").textContent = "";
    $("#gone").textContent = text || word(key);
    paintSoon();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenAt = Date.now();
      setTimeout(() => { if (document.hidden && Date.now() - hiddenAt >= HIDDEN_MS - 100) close(); }, HIDDEN_MS);
    } else if (!source || Date.now() - hiddenAt > SLEPT_MS) connect();
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  window.addEventListener("online", connect);
  window.addEventListener("offline", lost);
  setInterval(() => {
    const now = Date.now(), hasSlept = now - ticked > SLEPT_MS;
    ticked = now;
    if (!isOver && !document.hidden && (hasSlept || (source && now - heard > SILENT_MS))) connect();
  }, 1000);

  // --- drawing -------------------------------------------------------------------------------------------------------

  let chart = null, strip = null, cards = {}, spokenAt = 0;

  function paintSoon() {
    if (isDirty) return;
    isDirty = true;
    requestAnimationFrame(() => { isDirty = false; paint(); });
  }

  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; }; // so that nothing is read out twice
  const lanes = () => [...known.rivals, ...(race.plan.extra_lanes || [])];
  const shownLanes = () => [...lanes()].sort((a, b) => (b === "transfer") - (a === "transfer"));
  const isWhole = () => Boolean(race && race.finished && known.rivals.every((lane) => race.ends[lane] === "done"));

  function paint() {
    put($("#code"), state ? state.code : "");
    const said = headline();
    put($("#headline"), said);
    put($("#detail"), race && race.standing ? race.standing.detail[language] : "");
    speak(said);
    paintRace();
    paintStrip();
    paintBet();
    paintCamera();
  }

  function headline() {
    if (!state) return refused ? "" : word("viewer.connecting");
    if (race && race.standing) return race.standing.headline[language];
    if (race && race.ended) return (race.ended.message || {})[language] || word("viewer.stopped");
    if (race && race.preparing) return race.preparing.text[language];
    return word(race && race.started ? "viewer.starting" : race && race.id ? "viewer.soon" : "viewer.waiting");
  }

  // For a screen reader: what the headline says, a few times a minute and at the end, not five times a second
  function speak(said) {
    const isEnd = Boolean(race && race.ended), isDue = Date.now() - spokenAt > SPOKEN_MS || isEnd;
    if (!isDue || $("#aloud").textContent === said) return;
    spokenAt = Date.now();
    put($("#aloud"), said);
  }

  function paintRace() {
    $("#race").hidden = !(race && race.plan);
    if (!race || !race.plan) return;
    if (!chart) {
      const limits = race.plan.budget === "epochs" ? { epoch: race.plan.epochs } : { seconds: race.plan.seconds };
      chart = new Curves($("#chart"), {
        kind: "accuracy", word, lanes: lanes(), limits, chance: 1 / race.started.classes.length, locale: language,
      });
      cards = Object.fromEntries(shownLanes().map((lane) => [lane, card(lane)]));
    }
    chart.draw(race.rows, race.plan.budget === "epochs" ? "epoch" : "seconds");
    const standing = race.standing;
    for (const [lane, parts] of Object.entries(cards)) {
      const said = standing && standing.lanes[lane];
      put(parts.number, said ? said.accuracy : "–");
      const phase = race.phases[lane];
      put(parts.phase, phase ? word(`phase.${phase}`) : "");
    }
    $("#progress").value = standing ? standing.progress : 0;
    put($("#left"), standing && standing.left && !race.ended ? word("viewer.left", { seconds: standing.left }) : "");
  }

  function card(lane) {
    const node = make("article", "card");
    node.classList.add(`lane-${lane}`, known.rivals.includes(lane) ? "rival" : "extra");
    const parts = { number: make("b", "", "–"), phase: make("small") };
    node.append(make("h3", "", word(`lane.${lane}`)), parts.number, parts.phase);
    $("#cards").append(node);
    return parts;
  }

  // Whose pictures they are: a public set's; the room's own, which only its state names; or somebody's, which are not shown
  function pictures() {
    if (race.plan.task !== "own") return { task: race.plan.task, classes: race.started.classes };
    return state && state.task ? { task: state.task, classes: state.raced } : null;
  }

  function paintStrip() {
    const has = Boolean(race && race.started && race.started.shown.length && Object.keys(race.answers).length);
    $("#strip").hidden = !has;
    if (!has) return;
    const found = pictures();
    put($("#strip-about"), found ? "" : word("viewer.strip.own"));
    if (!found) return;
    if (!strip || strip.task !== found.task) drawStrip(found);
    for (const [lane, row] of Object.entries(race.answers)) {
      strip.parts.forEach((parts, k) => {
        const kind = race.started.labels[race.started.shown[k]], isRight = row.named[k] === kind, { node, mark, name } = parts[lane];
        node.classList.toggle("right", isRight);
        put(mark, isRight ? "✓ " : "✗ ");
        mark.setAttribute("aria-label", word(isRight ? "replay.right" : "replay.wrong"));
        put(name, `${found.classes[row.named[k]]} ${percent(row.confidence[k])}`);
      });
    }
  }

  function drawStrip({ task, classes }) {
    const { shown, labels } = race.started, query = new URLSearchParams({ rows: shown.join(",") });
    for (const name of ["examples", "seed", "patches", "inverted"]) query.set(name, race.plan[name]);
    const sprite = new URL(`../cells/${encodeURIComponent(task)}/heldout?${query}`, location.href).href;
    const parts = shown.map((row, k) => {
      const item = make("li"), image = make("div", "picture"), answers = {};
      image.setAttribute("role", "img");
      image.setAttribute("aria-label", classes[labels[row]]);
      image.style.backgroundImage = `url("${sprite}")`;
      image.style.backgroundSize = `${100 * shown.length}% 100%`;
      image.style.backgroundPosition = `${shown.length > 1 ? (100 * k) / (shown.length - 1) : 0}% 0`;
      item.append(image, make("span", "what", classes[labels[row]]));
      for (const lane of shownLanes()) {
        const node = make("div", "said"), mark = make("i"), name = make("span", "", "–");
        node.classList.add(`lane-${lane}`);
        mark.setAttribute("role", "img");
        node.append(make("b", "", word(`lane.${lane}`)), mark, name);
        item.append(node);
        answers[lane] = { node, mark, name };
      }
      return { item, ...answers };
    });
    $("#shown").replaceChildren(...parts.map(({ item }) => item));
    strip = { task, parts };
  }

  // --- the bet -------------------------------------------------------------------------------------------------------

  const ofGap = (points, digits = 0) => word("bet.points", { points: number(points, digits) });
  const ofCrossing = (seconds) => (seconds === null ? word("bet.no_crossing") : word("bet.after", { seconds: number(seconds, 1) }));
  const ofBet = (bet) => word("bet.said", { gap: ofGap(bet.gap), crossing: ofCrossing(bet.seconds) });
  const showGap = () => { $("#bet output").textContent = ofGap(Number($("#gap").value)); };

  function paintBet() {
    const phase = state && !isOver ? state.phase : "", isOpen = (phase === "betting" || phase === "over") && !state.locked;
    $("#bet").hidden = !isOpen;
    put($("#bet-title"), word(phase === "over" ? "viewer.bet.next" : "viewer.bet"));
    const coming = phase === "over" ? you.next : you.bet;
    let text = "";
    if (phase === "racing") text = you.bet ? word("bet.riding", { bet: ofBet(you.bet) }) : word("viewer.bet.closed");
    else if (isOpen && coming) text = word("viewer.bet.placed", { bet: ofBet(coming) });
    else if (phase === "over" && you.bet && !isWhole()) text = word("bet.returned");
    put($("#bet-status"), text);
    const isScored = phase === "over" && you.bet && isWhole();
    $("#score").hidden = !isScored;
    if (isScored) paintScore();
  }

  function paintScore() {
    const gap = 100 * race.finished.gap, seconds = crossing(race.points, known.target);
    const worths = [worthOfGap(you.bet.gap, gap), worthOfCrossing(you.bet.seconds, seconds)];
    put($("#score h2"), word("bet.score", { total: worths[0] + worths[1] }));
    const lines = [
      word("bet.score_gap", { said: ofGap(you.bet.gap), true: ofGap(gap, 1) }),
      word("bet.score_crossing", { said: ofCrossing(you.bet.seconds), true: ofCrossing(seconds) }),
    ].map((line, k) => `${line} ${word("bet.worth", { points: worths[k] })}`);
    if ($$("#score li").map((item) => item.textContent).join() === lines.join()) return;
    $("#score ul").replaceChildren(...lines.map((line) => make("li", "", line)));
  }

  async function post(path, body, type, more = {}) {
    const answer = await fetch(address(path, more), { method: "POST", headers: { "Content-Type": type }, body });
    const found = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(found.error), { isTold: true, isHurry: answer.status === 429 });
    told(found);
  }

  $("#bet").addEventListener("submit", async (event) => {
    event.preventDefault();
    const isNever = $("#never").checked, seconds = Number($("#seconds").value), alert = $("#bet-alert");
    alert.textContent = "";
    if (!isNever && !(seconds > 0)) {
      alert.textContent = word("bet.seconds_needed");
      $("#seconds").focus();
      return;
    }
    const asked = { gap: Number($("#gap").value), seconds: isNever ? null : seconds, name: $("#name").value };
    store.write("bet.form", asked);
    const button = $("#bet button");
    button.disabled = true;
    try { await post("bet", JSON.stringify(asked), "application/json"); }
    catch (error) { alert.textContent = error.isTold ? error.message : word("viewer.unsent"); }
    button.disabled = false;
  });
  const [low, high, first] = known.gaps, form = store.read("bet.form") || { gap: first, seconds: 5, name: "" };
  Object.assign($("#gap"), { min: low, max: high, value: form.gap });
  $("#seconds").max = known.seconds;
  $("#never").checked = $("#seconds").disabled = form.seconds === null;
  if (form.seconds !== null) $("#seconds").value = form.seconds;
  Object.assign($("#name"), { maxLength: known.name, value: String(form.name || "").slice(0, known.name) });
  $("#gap").addEventListener("input", showGap);
  $("#never").addEventListener("change", (event) => { $("#seconds").disabled = event.target.checked; });
  showGap();

  // --- the camera ----------------------------------------------------------------------------------------------------

  const queue = []; // photographs that are still to be sent: { kind: class name, file }
  let buttons = {}, isSending = false;

  function paintCamera() {
    const kinds = state && !isOver && !state.locked && state.phase !== "racing" ? state.classes : [];
    $("#camera").hidden = !kinds.length && !queue.length;
    if (Object.keys(buttons).join("\n") !== kinds.join("\n")) {
      buttons = Object.fromEntries(kinds.map((kind) => [kind, button(kind)]));
      $("#classes").replaceChildren(...kinds.map((kind) => buttons[kind].node));
    }
    for (const kind of kinds) {
      const mine = you.sent[kind] || 0, all = state.counts[kind].pictures;
      put(buttons[kind].count, word("viewer.camera.count", { mine, all }));
      buttons[kind].node.classList.toggle("enough", mine >= known.fewest);
    }
  }

  function button(kind) {
    const node = make("label", "shoot"), input = make("input"), count = make("small");
    Object.assign(input, { type: "file", accept: "image/*", multiple: true });
    input.setAttribute("capture", "environment");
    input.addEventListener("change", () => {
      queue.push(...[...input.files].map((file) => ({ kind, file })));
      input.value = "";
      $("#camera-alert").textContent = "";
      send();
    });
    node.append(make("span", "", `📷 ${kind}`), count, input);
    return { node, count };
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    let done = 0, sent = 0;
    while (queue.length) {
      put($("#sending"), word("viewer.camera.sending", { n: done + 1, all: done + queue.length }));
      const { kind, file } = queue[0];
      try {
        queue[0].jpeg ??= await scale(file);
        const place = state.classes.indexOf(kind);
        if (place >= 0) {
          await post("picture", queue[0].jpeg, "image/jpeg", { kind: place });
          sent += 1;
        }
        $("#camera-alert").textContent = "";
      } catch (error) {
        $("#camera-alert").textContent = error.isTold ? error.message : word("viewer.camera.waiting");
        if (!isOver && (!error.isTold || error.isHurry)) { // no network, or too fast: it stays in the queue
          await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
          continue;
        }
      }
      queue.shift();
      done += 1;
    }
    isSending = false;
    put($("#sending"), sent ? word("viewer.camera.sent", { n: sent }) : "");
    paintSoon();
  }

  // A photograph as a small upright JPEG: what else its file tells stays on the phone
  async function scale(file) {
    let picture;
    try { picture = await createImageBitmap(file, { imageOrientation: "from-image" }); }
    catch { throw Object.assign(new Error(word("viewer.camera.unread", { name: file.name })), { isTold: true }); }
    const share = Math.min(1, known.side / Math.max(picture.width, picture.height)), canvas = make("canvas");
    canvas.width = Math.max(1, Math.round(share * picture.width));
    canvas.height = Math.max(1, Math.round(share * picture.height));
    const brush = canvas.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    for (const quality of [0.88, 0.7, 0.5]) {
      const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
      if (jpeg && (jpeg.size <= known.bytes || quality === 0.5)) return jpeg;
    }
    throw Object.assign(new Error(word("viewer.camera.unread", { name: file.name })), { isTold: true });
  }

  paint();
  connect();
})();
