"use strict";
// Everything that comes from the line is set as text, never as HTML.

const WORDS = { p: "pass", r: "reject", u: "unsure", n: "unknown", l: "late", f: "fault" };
const STATUSES = ["pass", "reject", "unsure", "unknown", "late", "fault"];
const ICONS = {
  pass: "M4 13l5 5L20 6",
  reject: "M5 5l14 14M19 5L5 19",
  unsure: "M8 8.5a4 4 0 1 1 5.6 3.7c-1.1.5-1.6 1.2-1.6 2.6M12 19v.6",
  unknown: "M12 3l9 9-9 9-9-9zM12 8.5v4.5M12 16v.5",
  late: "M12 3a9 9 0 1 0 .01 0M12 7v5.4l3.6 2.2",
  fault: "M12 3.5L22 20.5H2zM12 10v5M12 17.6v.4",
};
const HOLD_MS = 2000, STALE_MS = 3000, RATE_S = 5, REJECTS_MS = 1000, PINNED_MS = 60000;
const $ = (id) => document.getElementById(id);

let line = null, chosen = null, pinned = null, source = null, ended = false;
let heardMs = 0, rejectsMs = 0, pinnedUntil = 0, hold = true, maps = true, shownKey = "", loading = false, next = null, announced = "";
const byCamera = new Map();  // what the page remembers of each camera

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}
function icon(status, name = "icon") {
  const holder = make("span", `${name} ${status}`);
  holder.setAttribute("aria-hidden", "true");
  draw(holder, status);
  return holder;
}
function draw(holder, status) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const attributes = { d: ICONS[status] || ICONS.late, fill: "none", stroke: "currentColor", "stroke-width": 3, "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
  svg.append(path);
  holder.replaceChildren(svg);
}
function text(id, value) {
  const element = typeof id === "string" ? $(id) : id;
  if (element.textContent !== value) element.textContent = value;
}
// Rows are made once and written over: a new row per event would lose the focus.
function rows(list, count, build) {
  while (list.children.length > count) list.lastChild.remove();
  while (list.children.length < count) list.append(build());
  return list.children;
}
const count = (value) => value.toLocaleString("en-US");
const ms = (value) => value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;
function age(seconds) {
  if (seconds < 1.5) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}
const span = (seconds) => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
const since = () => (performance.now() - heardMs) / 1000;
const memory = (camera) => {
  if (!byCamera.has(camera.name)) byCamera.set(camera.name, { noticed: -1, held: null, until: 0, rates: [] });
  return byCamera.get(camera.name);
};

// --- the connection ---------------------------------------------------------------------------
function connect() {
  source = new EventSource("events");
  source.addEventListener("state", (event) => take(JSON.parse(event.data)));
  source.addEventListener("end", () => {
    source.close();
    setTimeout(connect, 3000);  // another stream may begin at this address
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    // Refused: the token is asked for again, or there are too many viewers.
    fetch("events", { method: "HEAD" }).then((answer) => {
      if (answer.status === 401) location.assign("/login");
      if (answer.status === 503) text("link", "too many viewers");
    }).catch(() => {});
    setTimeout(connect, 5000);
  };
}
function take(state) {
  if (line && line.started !== state.started) {
    byCamera.clear();
    pinned = null;
    shownKey = "";
  }
  line = state;
  ended = state.ended;
  heardMs = performance.now();
  if (!line.cameras.some((camera) => camera.name === chosen)) chosen = line.cameras[0].name;
  for (const camera of line.cameras) notice(camera);
  show();
}
// What did not pass between two events would never be seen: it is held for a while.
function notice(camera) {
  const kept = memory(camera), seen = camera.noticed, now = performance.now();
  if (seen && seen.frame > kept.noticed) {
    if (kept.noticed >= 0 || seen.age_s < 2) {
      kept.held = seen;
      kept.until = now + HOLD_MS;
    }
    kept.noticed = seen.frame;
  }
  kept.rates.push([camera.seconds, camera.judged + camera.faulty]);
  while (kept.rates.length > 2 && camera.seconds - kept.rates[0][0] > RATE_S) kept.rates.shift();
}
function rate(camera) {
  const rates = memory(camera).rates, first = rates[0], last = rates[rates.length - 1];
  return last[0] - first[0] < 0.9 ? camera.fps : (last[1] - first[1]) / (last[0] - first[0]);
}

// --- what is shown ----------------------------------------------------------------------------
function present(camera) {
  if (performance.now() > pinnedUntil) pinned = null;  // nobody must take it for the line's
  if (pinned && camera.name === chosen) return camera.rejects.find((seen) => seen.frame === pinned.frame) || pinned;
  const kept = memory(camera);
  if (hold && kept.held && performance.now() < kept.until) {
    return camera.rejects.find((seen) => seen.frame === kept.held.frame) || kept.held;
  }
  return camera.newest;
}
function condition(camera) {
  if (!heardMs) return ["waiting", "waiting"];
  if (ended || camera.state === "ended") return ["stale", "ended"];
  if (camera.state === "failed") return ["lost", "failed"];
  if (since() * 1000 > STALE_MS) return ["stale", "no news"];
  if (camera.state === "lost") return ["lost", "camera lost"];
  if (!camera.newest) return ["waiting", "waiting"];
  return null;
}
function show() {
  showLink();
  if (!line) return;
  const index = line.cameras.findIndex((camera) => camera.name === chosen), camera = line.cameras[index];
  text("title", camera.bundle || line.title);
  $("recipe").hidden = !camera.recipe;
  text("recipe", camera.recipe ? `Recipe ${camera.recipe}` : "");
  $("lot").hidden = !line.lot;
  text("lot", line.lot ? `Lot ${line.lot}` : "");
  showCameras();
  const seen = present(camera);
  wish(index, camera, seen);
  showCounts(camera);
  showCourse(camera);
  showRejects(index, camera);
  showSteps(camera);
  showHealth(camera);
  showSinks(camera);
  showNotices();
}
function showLink() {
  const stale = since() * 1000 > STALE_MS, element = $("link");
  const state = ended ? "ended" : !heardMs ? "connecting …" : stale ? `no news for ${Math.round(since())} s` : "live";
  element.className = `link ${ended ? "" : stale && heardMs ? "lost" : heardMs ? "live" : ""}`;
  text(element, state);
}
// An image and its verdict change together; meanwhile newer ones take each other's place.
function wish(index, camera, seen) {
  next = { index, camera, seen, stopped: pinned ? null : condition(camera) };
  if (loading) return;
  const { url } = addressOf(next);
  const key = `${camera.name} ${seen ? seen.frame : ""} ${url}`;
  if (key === shownKey || !url) {
    shownKey = key;
    render(next, url);
    return;
  }
  loading = true;
  const wanted = next, image = new Image();
  const done = (fine) => () => {
    loading = false;
    shownKey = fine ? key : "";
    render(wanted, fine ? image.src : "");
    if (next !== wanted) wish(next.index, next.camera, next.seen);
  };
  image.onload = done(true);
  image.onerror = done(false);
  image.src = url;
}
function addressOf({ index, seen }) {
  if (!seen) return { url: "" };
  if (seen.heat_map && maps) return { url: `${index}/map/${seen.frame}.jpg` };
  return { url: seen.image ? `${index}/image/${seen.frame}.jpg` : "" };
}
function render({ camera, seen, stopped }, url) {
  const verdict = $("verdict"), word = stopped ? stopped[1] : seen ? seen.status : "waiting";
  verdict.className = `verdict ${stopped ? stopped[0] : seen.status}${word.length > 8 ? " long" : word.length > 6 ? " wide" : ""}`;
  if (verdict.dataset.icon !== word) {
    verdict.dataset.icon = word;
    draw($("verdict-icon"), stopped ? (stopped[0] === "lost" ? "fault" : "late") : seen.status);
  }
  text("verdict-word", word);
  document.title = `${word.toUpperCase()} · ${camera.bundle || line.title}`;
  const more = pinned ? ["chosen, not live"] : [];
  if (seen) {
    if (seen.confidence !== null) more.push(percent(seen.confidence));
    if (seen.answer) more.push(`answer: ${seen.answer}`);
    if (seen.reason) more.push(seen.reason);
  }
  if (stopped && camera.problem) more.unshift(camera.problem);
  text("verdict-label", seen && seen.label && !stopped ? seen.label : stopped && seen ? `last: ${seen.status}` : "");
  text("verdict-more", more.join(" · "));
  showImage(seen, url);
  const facts = [];
  if (seen) {
    facts.push(pinned ? "chosen" : seen !== camera.newest ? "held for 2 s" : "newest", `frame ${count(seen.frame)}`);
    facts.push(new Date(seen.captured_at).toLocaleTimeString("en-GB"), age(seen.age_s));
    if (seen.size) facts.push(`${seen.size[0]}×${seen.size[1]}`);
    facts.push(`total ${ms(seen.total_ms)}\u00a0ms`);
    if (seen.distance !== null) facts.push(`distance ${seen.distance.toFixed(2)}`);
    if (url.includes("/map/")) facts.push("the brighter, the more it speaks for the label");
    else if (seen.worst_tile && seen.status !== "pass") facts.push("framed: the worst tile");
  }
  text("caption", facts.join(" · "));
  $("back").hidden = !pinned;
  $("maps").hidden = !camera.rejects.some((reject) => reject.heat_map);
}
function showImage(seen, url) {
  const image = $("image"), frame = $("frame");
  $("no-image").hidden = Boolean(url);
  frame.hidden = !url;
  if (!url) {
    text("no-image", seen ? (seen.size ? "this image is not kept" : seen.reason || "no image") : "no image yet");
    return;
  }
  if (image.getAttribute("src") !== url) image.src = url;
  const map = url.includes("/map/");
  image.alt = `${map ? "heat map of frame" : "frame"} ${seen.frame}, ${seen.status}${seen.label ? `, ${seen.label}` : ""}`;
  fit(seen.size && !map ? seen.size[0] / seen.size[1] : image.naturalWidth / image.naturalHeight || 1);
  const tile = $("tile"), worst = seen.worst_tile;
  tile.hidden = !worst || seen.status === "pass" || map || !seen.size;
  if (!tile.hidden) {
    const [width, height] = seen.size;
    tile.style.left = `${(100 * worst.left) / width}%`;
    tile.style.top = `${(100 * worst.top) / height}%`;
    tile.style.width = `${(100 * worst.width) / width}%`;
    tile.style.height = `${(100 * worst.height) / height}%`;
  }
}
function fit(ratio) {
  const glass = $("glass"), frame = $("frame");
  // A strip leaves its height to what stands below.
  glass.style.height = `min(var(--most), ${Math.max(120, Math.ceil(glass.clientWidth / ratio))}px)`;
  const width = Math.min(glass.clientWidth, glass.clientHeight * ratio);
  frame.style.width = `${width}px`;
  frame.style.height = `${width / ratio}px`;
}
function showCameras() {
  const bar = $("cameras");
  bar.hidden = line.cameras.length < 2;
  if (bar.hidden) return;
  const buttons = rows(bar, line.cameras.length, () => {
    const button = make("button");
    button.type = "button";
    button.append(make("img"), make("span", "name"), make("span", "said"));
    return button;
  });
  line.cameras.forEach((camera, index) => {
    const button = buttons[index], [image, name, said] = button.children, seen = present(camera);
    button.onclick = () => { chosen = camera.name; pinned = null; show(); };
    button.setAttribute("aria-pressed", String(camera.name === chosen));
    const stopped = condition(camera), word = stopped ? stopped[1] : seen.status;
    text(name, camera.name);
    if (said.dataset.word !== word) {
      said.dataset.word = word;
      said.replaceChildren(icon(stopped ? (stopped[0] === "lost" ? "fault" : "late") : seen.status), make("span", "", word));
    }
    image.alt = "";
    if (seen && seen.image && image.complete) {
      const url = `${index}/thumbnail/${seen.frame}.jpg`;
      if (image.getAttribute("src") !== url) image.src = url;
    }
  });
}
function showCounts(camera) {
  const total = STATUSES.reduce((sum, status) => sum + (camera.statuses[status] || 0), 0);
  text("counts-title", `${line.lot ? `Lot ${line.lot}` : "This stream"}${camera.name ? `: ${camera.name}` : ""}`);
  text("yield", total ? percent(camera.statuses.pass / total) : "–");
  text("rate", rate(camera).toFixed(1));
  text("frames", count(camera.captured));
  const body = $("statuses").tBodies[0];
  const lines = rows(body, STATUSES.length, () => {
    const row = make("tr");
    const share = make("td", "share");
    share.append(make("span"));
    share.firstChild.append(make("i"));
    row.append(make("td"), make("td"), share, make("td", "n"), make("td", "n"));
    return row;
  });
  STATUSES.forEach((status, index) => {
    const row = lines[index], value = camera.statuses[status] || 0, [mark, name, share, number, part] = row.cells;
    if (!mark.firstChild) mark.append(icon(status));
    row.className = `${status}${value ? "" : " zero"}`;
    text(name, status);
    share.firstChild.firstChild.style.width = `${total ? (100 * value) / total : 0}%`;
    text(number, count(value));
    text(part, total ? percent(value / total) : "–");
  });
  const notes = [`judged ${count(camera.judged)}`, `dropped ${count(camera.dropped)}`, `faulty ${count(camera.faulty)}`, `budget misses ${count(camera.misses)}`];
  if (camera.held_back) notes.push(`rejects held back ${count(camera.held_back)}`);
  if (camera.known) notes.push(`correct ${percent(camera.right / camera.known, 2)}`);
  if (line.parts) notes.push(`parts: ${STATUSES.filter((s) => line.parts[s]).map((s) => `${s} ${count(line.parts[s])}`).join(", ") || "none yet"}`);
  if (camera.shadow) {
    const { model, answered, disagreed, dropped, problem } = camera.shadow;
    notes.push(`shadow ${model}: ${count(disagreed)} of ${count(answered)} differ${dropped ? `, ${count(dropped)} dropped` : ""}${problem ? ` (${problem})` : ""}`);
  }
  text("accounts", notes.join(" · "));
}
function showCourse(camera) {
  const course = camera.course, bars = rows($("course"), 120, () => make("i"));
  for (let place = 0; place < 120; place += 1) {
    const letter = course[course.length - 120 + place], name = letter ? WORDS[letter] : "none";
    if (bars[place].className !== name) bars[place].className = name;
  }
  text("course-count", String(course.length));
  const counts = Object.entries(WORDS).map(([letter, word]) => [word, course.split(letter).length - 1]).filter(([, n]) => n);
  $("course").setAttribute("aria-label", `last ${course.length} verdicts: ${counts.map(([word, n]) => `${word} ${n}`).join(", ")}`);
}
// An item stays that of its frame, so that each thumbnail is fetched once; new ones wait a moment.
function showRejects(index, camera) {
  const list = $("rejects"), now = performance.now(), from = `${line.started} ${camera.name}`;
  $("no-rejects").hidden = camera.rejects.length > 0;
  if (list.dataset.from !== from || now - rejectsMs > REJECTS_MS) {
    rejectsMs = now;
    const old = list.dataset.from === from ? new Map([...list.children].map((item) => [item.dataset.frame, item])) : new Map();
    list.dataset.from = from;
    camera.rejects.forEach((seen, place) => {
      const item = old.get(String(seen.frame)) || rejectItem(seen);
      if (list.children[place] !== item) list.insertBefore(item, list.children[place] || null);
    });
    while (list.children.length > camera.rejects.length) list.lastChild.remove();
  }
  const known = new Map(camera.rejects.map((seen) => [String(seen.frame), seen]));
  for (const item of list.children) {
    const seen = known.get(item.dataset.frame);
    if (!seen) continue;
    const button = item.firstChild, [image, , , when] = button.children;
    button.onclick = () => { pinned = pinned && pinned.frame === seen.frame ? null : seen; pinnedUntil = performance.now() + PINNED_MS; shownKey = ""; show(); };
    button.setAttribute("aria-pressed", String(Boolean(pinned) && pinned.frame === seen.frame));
    text(when, `${seen.confidence === null ? "" : `${percent(seen.confidence, 0)} · `}${age(seen.age_s)}`);
    button.title = `frame ${count(seen.frame)}`;
    if (seen.image && !image.hasAttribute("src")) {
      image.src = `${index}/thumbnail/${seen.frame}.jpg`;
      image.className = "";
    }
  }
}
function rejectItem(seen) {
  const item = make("li"), button = make("button"), image = make("img", "dark"), status = make("span", "line");
  item.dataset.frame = String(seen.frame);
  button.type = "button";
  image.alt = "";
  status.append(icon(seen.status), ` ${seen.status}`);
  button.append(image, status, make("span", "line label", seen.label || seen.reason || "–"), make("span", "line age"));
  item.append(button);
  return item;
}
function showSteps(camera) {
  const longest = Math.max(...camera.steps.map((step) => Math.max(step.p99_ms, step.limit_ms || 0)), 0.001);
  const lines = rows($("steps"), camera.steps.length, () => {
    const row = make("tr"), bars = make("td"), bar = make("span", "bar");
    bar.append(make("i"), make("i", "p50"), make("b"));
    bars.append(bar);
    row.append(make("td"), bars, make("td", "n"), make("td", "n"), make("td", "n"), make("td", "n"));
    return row;
  });
  camera.steps.forEach((step, place) => {
    const row = lines[place], [name, bars, p50, p99, limit, over] = row.cells, [tail, middle, mark] = bars.firstChild.children;
    row.className = step.step === "total" ? "total" : "";
    text(name, step.step);
    tail.style.width = `${(100 * step.p99_ms) / longest}%`;
    middle.style.width = `${(100 * step.p50_ms) / longest}%`;
    mark.hidden = step.limit_ms === null;
    mark.style.left = `${(100 * (step.limit_ms || 0)) / longest}%`;
    text(p50, ms(step.p50_ms));
    text(p99, ms(step.p99_ms));
    p99.className = `n${step.limit_ms !== null && step.p99_ms > step.limit_ms ? " over" : ""}`;
    text(limit, step.limit_ms === null ? "–" : ms(step.limit_ms));
    text(over, step.limit_ms === null ? "–" : count(step.over));
    over.className = `n${step.over ? " over" : ""}`;
  });
}
function showHealth(camera) {
  const names = { waiting: "waiting for the first frame", running: `running for ${span(camera.seconds)}`, lost: "lost; it is opened again", ended: "ended", failed: `failed: ${camera.problem}` };
  const told = [`${camera.name || camera.source}: ${names[camera.state]}`];
  if (camera.newest && camera.state === "running" && camera.newest.age_s > 2) told.push(`last frame ${age(camera.newest.age_s)}`);
  if (camera.losses) told.push(`${count(camera.losses)} outages, ${camera.seconds_lost.toFixed(1)} s`);
  text("camera-state", told.join(" · "));
  $("camera-state").className = `state${camera.state === "lost" || camera.state === "failed" ? " bad" : ""}`;
  const faults = Object.entries(camera.health), found = faults.filter(([, value]) => value);
  const shown = found.length ? found : faults.length ? [["no faults", 0]] : [["not looked at", 0]];
  const chips = rows($("faults"), shown.length, () => make("li"));
  shown.forEach(([name, value], place) => {
    chips[place].className = value ? "found" : "";
    text(chips[place], value ? `${name} ${count(value)}` : name);
  });
  const drift = camera.drift;
  $("drift").hidden = !drift;
  if (drift) {
    const full = Math.max(drift.window, 1), alarm = drift.counted >= drift.window && drift.far >= drift.alarm_from;
    text("drift-text", drift.counted ? `${drift.far} of ${drift.counted}, alarm from ${drift.alarm_from}` : "nothing counted yet");
    $("drift-gauge").className = `gauge${alarm ? " alarm" : ""}`;
    $("drift-bar").style.width = `${(100 * drift.far) / full}%`;
    $("drift-mark").style.left = `${Math.min(100, (100 * drift.alarm_from) / full)}%`;
  }
  const notes = camera.health_notes, items = rows($("health-notes"), notes.length, () => make("li"));
  notes.forEach((note, place) => text(items[place], note));
}
function showSinks(camera) {
  const files = line.cameras.map((camera) => ({ name: camera.verdicts.file, written: camera.verdicts.written, ...camera.verdicts, waiting: 0 }));
  const sinks = [...files, ...line.sinks];
  const items = rows($("sinks"), sinks.length, () => {
    const item = make("li");
    item.append(make("span", "to"), make("span", "is"), make("span", "told"));
    return item;
  });
  sinks.forEach((sink, place) => {
    const [to, is, told] = items[place].children;
    text(to, sink.name);
    const words = [];
    if (sink.lost) words.push(`${count(sink.lost)} LOST`);
    if (sink.waiting) words.push(`${count(sink.waiting)} waiting`);
    if (!words.length) words.push(sink.problem ? "trouble" : sink.written === undefined ? "delivers" : `${count(sink.written)} written`);
    is.className = `is ${sink.lost ? "bad" : sink.waiting || sink.problem ? "warn" : "ok"}`;
    text(is, `${sink.lost ? "✕ " : sink.waiting || sink.problem ? "▲ " : "✓ "}${words.join(", ")}`);
    text(told, sink.problem || "");
  });
  text("model", camera.bundle && camera.bundle !== line.title ? `recipe ${camera.recipe}: ${camera.bundle}` : line.model);
}
function showNotices() {
  const told = [];
  for (const camera of line.cameras) {
    const name = camera.name ? `${camera.name}: ` : "";
    if (camera.state === "lost") told.push(`${name}the camera is lost, and is opened again`);
    if (camera.state === "failed") told.push(`${name}${camera.problem}`);
    if (camera.verdicts.lost) told.push(`${name}${count(camera.verdicts.lost)} verdicts could not be written (${camera.verdicts.problem})`);
    if (camera.heat_maps_problem) told.push(`${name}heat maps fail (${camera.heat_maps_problem})`);
  }
  for (const sink of line.sinks) if (sink.lost) told.push(`${sink.name}: ${count(sink.lost)} verdicts lost (${sink.problem})`);
  const items = rows($("notices"), told.length, () => make("li"));
  told.forEach((words, place) => text(items[place], words));
  // Screen readers hear of what changes, not of every verdict.
  const spoken = ended ? "the stream has ended" : told.join("; ").replace(/[\d,]+ verdicts/g, "verdicts");
  if (spoken !== announced) {
    announced = spoken;
    text("alarm", spoken);
  }
}

$("hold").onclick = () => { hold = !hold; $("hold").setAttribute("aria-pressed", String(hold)); show(); };
$("maps").onclick = () => { maps = !maps; $("maps").setAttribute("aria-pressed", String(maps)); shownKey = ""; show(); };
$("back").onclick = () => { pinned = null; shownKey = ""; show(); };
addEventListener("resize", () => { if (line) show(); });
setInterval(show, 1000);
connect();
