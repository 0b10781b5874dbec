/* Live news: one socket per tab; patches numbers, swaps rows by id, fetches stale regions (ui.md 3.1).
   Commands never travel here. Without a socket the page polls; without either it says so. */
(() => {
  "use strict";
  const body = document.body;
  const cluster = body.dataset.cluster;
  if (!cluster) { return; }

  const TICK = 100, SILENCE = 6000, HIDDEN_SILENCE = 30000, POLL = 10000, PACE = 1000, FIRST_TRY = 500, LONGEST_TRY = 5000;
  const EDITABLE = "input:not([type=checkbox],[type=radio],[type=hidden],[type=submit],[type=button]),textarea,select,[contenteditable=true]";
  const live = { poll, state: "connecting", cursor: Number(body.dataset.cursor) || 0, applied: 0, swapped: 0, fetched: 0 };
  window.clustermgrLive = live;

  const kept = new Map();      // subject -> newest figures, to lay over parts that were rendered earlier
  const fetching = new Map();  // region id -> true when it must be fetched once more
  const wanted = new Set();    // ids of stale regions
  const held = new Map();      // id -> the newest row for a part that waits for the answer to an order
  let socket = null, tries = 0, retry = 0, poller = 0, watchdog = 0, flush = 0, fetchedAt = 0, frame = 0;
  let inbox = [], at = null, assets = null, outdated = false, over = false;

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const clock = (moment) => moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  // -- what the page says about itself --------------------------------------------------------------------

  const WORDS = { live: "Live", updating: "Updating", connecting: "Connecting", reconnecting: "Reconnecting", offline: "Offline", "signed-out": "Signed out" };

  function show(state) {
    live.state = state;
    body.dataset.live = state;
    body.classList.toggle("live-frozen", !["live", "updating", "connecting"].includes(state));
    const asOf = at ? ` Data as of ${clock(at)}.` : "";
    for (const pill of all("[data-live-pill],#live-pill")) {
      pill.dataset.state = state;
      (pill.querySelector("[data-live-text]") || pill).textContent = WORDS[state];
      pill.title = state === "reconnecting" ? `Reconnecting.${asOf}` : WORDS[state];
    }
    if (state === "reconnecting") { bar("status", `Reconnecting.${asOf}`); }
    else if (state === "offline") { bar("alert", `No connection to the dashboard. The cluster is not affected.${asOf}`); }
    else if (state === "signed-out") { bar("alert", "Your session has ended.", "Sign in again", () => location.reload()); }
    else if (outdated) { bar("status", "The dashboard was updated.", "Reload", () => location.reload()); }
    else { bar(); }
  }

  function bar(role, text, label, act) {
    const element = document.getElementById("live-bar");
    if (!element) { return; }
    if (!role) { element.hidden = true; element.textContent = ""; return; }
    if (element.dataset.said === text && !element.hidden) { return; }
    element.dataset.said = text;
    element.dataset.state = live.state;
    element.setAttribute("role", role);
    element.textContent = `${text} `;
    element.hidden = false;
    if (label) { element.append(button(label, act)); }
  }

  function button(label, act) {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "live-button";
    element.textContent = label;
    element.addEventListener("click", act);
    return element;
  }

  function say(text) {
    const element = document.getElementById("announcer");
    if (element) { element.textContent = text; }
  }

  // -- numbers --------------------------------------------------------------------------------------------

  function lay(key, figures, root = document) {
    const boxes = all(`[data-live="${CSS.escape(key)}"]`, root);
    if (root.matches && root.matches(`[data-live="${CSS.escape(key)}"]`)) { boxes.push(root); }
    for (const box of boxes) {
      for (const cell of all("[data-f]", box)) {
        if (cell.closest("[data-live]") !== box || !(cell.dataset.f in figures)) { continue; }
        const name = cell.dataset.f;
        put(cell, cell.tagName === "PROGRESS" ? figures[name] : figures[`${name}_text`] ?? figures[name]);
      }
    }
  }

  function put(cell, value) {
    if (cell.tagName === "PROGRESS") {
      if (value === null) { cell.removeAttribute("value"); return; }
      if (!(Number(value) < cell.value)) { cell.value = value; }
      aria(cell, value);
    } else if (cell.hasAttribute("aria-valuenow")) {
      aria(cell, value);
    } else {
      const text = value === null ? "" : String(value);
      if (cell.textContent !== text) { cell.textContent = text; }
    }
  }

  function aria(cell, value) {
    const now = Date.now();
    if (!cell.hasAttribute("aria-valuenow") || now - (cell.saidAt || 0) < 2000) { return; }
    cell.saidAt = now;
    cell.setAttribute("aria-valuenow", Math.round(value));
  }

  // -- swapping a part by its id --------------------------------------------------------------------------

  /* A part in which somebody writes is not replaced under their hands. */
  function edited(part) {
    if (part.querySelector("dialog[open]")) { return true; }
    const fields = part.matches(EDITABLE) ? [part] : all(EDITABLE, part);
    return fields.some((field) => field === document.activeElement
      || (field.tagName === "SELECT" ? [...field.options].some((o) => o.selected !== o.defaultSelected && field.dataset.touched)
        : "defaultValue" in field && field.value !== field.defaultValue));
  }

  /* A part from which an order is on its way stays until the answer: what htmx puts beside it (toasts, the dock)
     is looked for from there, and a button that is gone has no page around it. */
  const asking = (part) => part.matches(".htmx-request") || part.querySelector(".htmx-request") !== null;

  function offer(part, act) {
    const id = `${part.id}-changed`;
    if (document.getElementById(id)) { return; }
    const element = button("This has changed. Show", () => { element.remove(); act(); });
    element.id = id;
    element.classList.add("live-changed");
    const row = part.closest("tr");
    if (row && row === part) { (part.cells[0] || part).append(element); } else { part.before(element); }
  }

  function keep(old) {
    const active = document.activeElement;
    const state = { focus: null, scroll: [], picks: [], open: [], marks: null };
    if (old.contains(active)) { state.focus = path(old, active); }
    for (const each of [old, ...all("*", old)]) {
      if (each.scrollTop || each.scrollLeft) { state.scroll.push([path(old, each), each.scrollTop, each.scrollLeft]); }
    }
    for (const each of all("input[type=checkbox],input[type=radio]", old)) {
      if (each.checked !== each.defaultChecked) { state.picks.push([each.name, each.value, each.id, each.checked]); }
    }
    state.open = all("details", old).filter((d) => d.open).map((d) => path(old, d));
    const selection = getSelection();
    if (selection.rangeCount && !selection.isCollapsed && old.contains(selection.anchorNode) && old.contains(selection.focusNode)) {
      state.marks = [[path(old, selection.anchorNode), selection.anchorOffset], [path(old, selection.focusNode), selection.focusOffset]];
    }
    return state;
  }

  /* Where a node stands: by id or by what it links to, else by its place. */
  function path(root, node) {
    const steps = [];
    for (let each = node; each !== root; each = each.parentNode) {
      steps.unshift([...each.parentNode.childNodes].indexOf(each));
    }
    const element = node.nodeType === 1 ? node : null;
    return {
      steps,
      id: element && element.id,
      name: element && element.tagName,
      href: element && element.getAttribute("href"),
      field: element && element.name && [element.name, element.value],
    };
  }

  function find(root, place) {
    if (place.id) { const same = place.id === root.id ? root : root.querySelector(`#${CSS.escape(place.id)}`); if (same) { return same; } }
    if (place.href) { const same = all(place.name, root).find((e) => e.getAttribute("href") === place.href); if (same) { return same; } }
    if (place.field) { const same = all(place.name, root).find((e) => e.name === place.field[0] && e.value === place.field[1]); if (same) { return same; } }
    const node = place.steps.reduce((each, step) => each && each.childNodes[step], root);
    return node && (!place.name || node.tagName === place.name) ? node : null;
  }

  function restore(fresh, state) {
    for (const [name, value, id, checked] of state.picks) {
      const same = all("input[type=checkbox],input[type=radio]", fresh).find((e) => (id ? e.id === id : e.name === name && e.value === value));
      if (same && !same.disabled) { same.checked = checked; }
    }
    for (const place of state.open) { const same = find(fresh, place); if (same) { same.open = true; } }
    for (const [place, top, left] of state.scroll) { const same = find(fresh, place); if (same) { same.scrollTop = top; same.scrollLeft = left; } }
    if (state.focus) {
      const same = find(fresh, state.focus);
      if (same) { same.focus({ preventScroll: true }); }
      else { fresh.tabIndex = fresh.tabIndex < 0 ? -1 : fresh.tabIndex; fresh.focus({ preventScroll: true }); }
    }
    if (state.marks) {
      const [from, to] = state.marks.map(([place, offset]) => [find(fresh, place), offset]);
      const fits = ([node, offset]) => node && offset <= (node.nodeType === 3 ? node.length : node.childNodes.length);
      if (fits(from) && fits(to)) { getSelection().setBaseAndExtent(from[0], from[1], to[0], to[1]); }
    }
  }

  /* Selection and roving focus belong to the page, not to the server. */
  function carry(old, fresh) {
    for (const name of ["aria-selected", "tabindex"]) {
      if (old.hasAttribute(name)) { fresh.setAttribute(name, old.getAttribute(name)); }
    }
    for (const name of ["selected", "is-selected"]) { if (old.classList.contains(name)) { fresh.classList.add(name); } }
  }

  function swap(old, fresh) {
    const state = keep(old);
    carry(old, fresh);
    old.replaceWith(fresh);
    if (window.htmx) { window.htmx.process(fresh); }
    fresh.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: fresh } }));
    restore(fresh, state);
    live.swapped += 1;
    return fresh;
  }

  /* Whoever swapped it in: newer figures go over it, and times get the zone of this browser. */
  function settle(root) {
    for (const [key, figures] of kept) { lay(key, figures, root); }
    times(root);
  }

  function row(text) {
    const holder = document.createElement("template");
    holder.innerHTML = text.trim();
    const fresh = holder.content.firstElementChild;
    if (!fresh || !fresh.id) { return null; }
    for (const [id] of fetching) {
      const region = document.getElementById(id);
      if (region && region.contains(document.getElementById(fresh.id))) { fetching.set(id, true); }
    }
    const old = document.getElementById(fresh.id);
    if (!old || old.tagName !== fresh.tagName) { return null; }
    if (asking(old)) { held.set(fresh.id, text); return fresh; }
    if (edited(old)) { offer(old, () => { const now = document.getElementById(fresh.id); if (now) { swap(now, fresh); } }); return fresh; }
    return swap(old, fresh);
  }

  document.addEventListener("htmx:afterRequest", () => {
    const rows = [...held.values()];
    held.clear();
    rows.forEach(row);
  });

  // -- regions that fetch themselves ----------------------------------------------------------------------

  /* "vm:7" also concerns lists of "vm:*"; "vm:7~" is only a sample and concerns what shows this one alone. */
  function matches(region, key) {
    const sample = key.endsWith("~"), name = sample ? key.slice(0, -1) : key;
    return (region.dataset.keys || "").split(/\s+/).some((own) => name === "*" || own === name
      || (!sample && own.endsWith(":*") && name.startsWith(own.slice(0, -1))));
  }

  function stale(keys, pushed = new Map()) {
    for (const region of all("[data-region]")) {
      /* A list whose rows are pushed needs to be fetched only for rows that it lacks. */
      const covered = (key) => region.dataset.rows !== undefined && pushed.has(key) && region.contains(pushed.get(key));
      if (!keys.some((key) => matches(region, key) && !covered(key))) { continue; }
      if (fetching.has(region.id)) { fetching.set(region.id, true); } else { wanted.add(region.id); }
    }
    hurry();
  }

  /* At once after a quiet second, else once a second: a busy cluster must not keep the page fetching. */
  function hurry() {
    if (wanted.size && !flush) { flush = setTimeout(fetchAll, Math.max(TICK, fetchedAt + PACE - Date.now())); }
  }

  async function fetchAll() {
    flush = 0;
    fetchedAt = Date.now();
    const ids = [...wanted];
    wanted.clear();
    const slow = setTimeout(() => { if (live.state === "live") { show("updating"); } }, 300);
    await Promise.all(ids.map(refetch));
    clearTimeout(slow);
    if (live.state === "updating") { show("live"); }
  }

  async function refetch(id, anyway = false) {
    const region = document.getElementById(id);
    if (!region || !region.dataset.url) { return; }
    if (!anyway && edited(region)) { offer(region, () => refetch(id, true)); return; }
    fetching.set(id, false);
    try {
      const fresh = await get(region.dataset.url, id);
      const now = document.getElementById(id);
      if (!fresh || !now || now.dataset.url !== region.dataset.url) { return; }
      settle(fresh);  // as this page would show it, so that only what says something new counts as changed
      if (fresh.isEqualNode(now)) { return; }
      if (asking(now)) { fetching.set(id, true); return; }
      if (!anyway && edited(now)) { offer(now, () => refetch(id, true)); } else { swap(now, fresh); }
      if (fresh.dataset.age !== now.dataset.age) { stale(["*"]); }  // nobody tells that states grow old
    } finally {
      const again = fetching.get(id);
      fetching.delete(id);
      if (again) { wanted.add(id); hurry(); }
    }
  }

  /* Some regions no news name: they are asked for by the clock, and like all others left alone when equal. */
  const due = new Map();
  function askedFor() {
    if (document.hidden || over) { return; }
    const now = Date.now();
    for (const region of all("[data-region][data-every]")) {
      const pause = region.dataset.every * 1000;
      if (!due.has(region.id)) { due.set(region.id, now + pause); }
      if (due.get(region.id) > now || fetching.has(region.id)) { continue; }
      due.set(region.id, now + pause);
      refetch(region.id);
    }
  }

  /* What the page shows left the cluster: the page as a whole says so. */
  function gone(url, id) {
    const region = document.getElementById(id);
    if (region && region.dataset.url === url && !over) { over = true; location.reload(); }
  }

  /* The region as the server renders it now; null when it cannot be had, be it cut off half-way. */
  async function get(url, id) {
    try {
      const answer = await fetch(url, { headers: { "HX-Request": "true", "HX-Target": id, "HX-Current-URL": location.href }, credentials: "same-origin" });
      if (answer.status === 401) { finish(); return null; }
      if (answer.status === 404) { gone(url, id); }
      if (!answer.ok) { return null; }
      const holder = document.createElement("template");
      holder.innerHTML = (await answer.text()).trim();
      live.fetched += 1;
      return holder.content.querySelector(`#${CSS.escape(id)}`);
    } catch { return null; }
  }

  // -- frames ---------------------------------------------------------------------------------------------

  function take(message) {
    if (message.at) { at = new Date(message.at); }
    inbox.push(message);
    if (document.hidden) { apply(); } else if (!frame) { frame = requestAnimationFrame(apply); }
  }

  function apply() {
    cancelAnimationFrame(frame);
    frame = 0;
    const batch = inbox;
    inbox = [];
    for (const message of batch) { applyOne(message); }
  }

  function applyOne(message) {
    for (const [key, figures] of message.patch || []) {
      if (figures === null) { kept.delete(key); } else { kept.set(key, figures); }
    }
    const pushed = new Map();
    for (const text of message.html || []) {
      const fresh = row(text);
      if (fresh && fresh.dataset.live) { pushed.set(fresh.dataset.live, fresh); }
    }
    for (const [key, figures] of message.patch || []) { if (figures) { lay(key, figures); } }
    const news = message.patch || message.html || message.stale;
    if (message.stale) { stale(message.stale, pushed); }
    else if (!news && message.cur > live.cursor) { stale(["*"]); }
    if (message.say) { say(message.say); }
    if (message.cur > live.cursor) { live.cursor = message.cur; body.dataset.cursor = live.cursor; }
    if (news) { live.applied += 1; }
  }

  // -- the connection -------------------------------------------------------------------------------------

  function connect() {
    clearTimeout(retry);
    if (over || (socket && socket.readyState < 2)) { return; }
    const url = new URL("/ws/ui/", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const mine = socket = new WebSocket(url);
    watch();
    mine.onmessage = (event) => { if (mine === socket) { hear(JSON.parse(event.data)); } };
    mine.onclose = (event) => { if (mine === socket) { lost(event.code); } };
  }

  function hear(message) {
    watch();
    if (message.hello) {
      outdated = outdated || Boolean(assets && assets !== message.hello.assets);
      assets = message.hello.assets;
      tell({ type: "sub", topics: [`cluster:${cluster}`], cur: live.cursor });
      if (document.hidden) { tell({ type: "rate", hidden: true }); }
      return;
    }
    if (live.state !== "live" && live.state !== "updating") {
      tries = 0;
      clearInterval(poller);
      poller = 0;
      show("live");
    }
    take(message);
  }

  const tell = (message) => { if (socket && socket.readyState === 1) { socket.send(JSON.stringify(message)); } };

  function watch() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => { const old = socket; lost(0); if (old) { old.close(); } }, document.hidden ? HIDDEN_SILENCE : SILENCE);
  }

  function lost(code) {
    clearTimeout(watchdog);
    socket = null;
    if (code === 4401 || code === 4403) { finish(); return; }
    if (over) { return; }
    tries += 1;
    if (live.state !== "offline") { show("reconnecting"); }
    if (tries >= 3 && !poller) { poller = setInterval(poll, POLL); poll(); }
    /* Full jitter, so that a web process that comes back is not met by all at once; never longer than the
       few seconds in which everybody should be back: a hundred pages are then twenty attempts a second. */
    retry = setTimeout(connect, Math.random() * Math.min(LONGEST_TRY, FIRST_TRY * 2 ** (tries - 1)));
  }

  /* The session or the right to look has ended: trying again is of no use. */
  function finish() {
    over = true;
    clearInterval(poller);
    clearTimeout(retry);
    clearTimeout(watchdog);
    if (socket) { socket.close(); socket = null; }
    show("signed-out");
  }

  async function poll() {
    try {
      const answer = await fetch(`${body.dataset.liveUrl}?since=${live.cursor}`, { credentials: "same-origin", headers: { Accept: "application/json" } });
      if (answer.status === 401) { finish(); return; }
      if (!answer.ok) { throw new Error(String(answer.status)); }
      take(await answer.json());
      if (poller) { show("reconnecting"); }
    } catch {
      if (poller) { show("offline"); }
    }
  }

  // -- times, and the page's own events -------------------------------------------------------------------

  function times(root) {
    for (const each of all("time[datetime]", root)) {
      const moment = new Date(each.dateTime), style = each.dataset.as || "time";
      if (Number.isNaN(moment.getTime())) { continue; }
      const text = style === "span" ? each.textContent : style === "ago" ? ago(moment) : stamp(moment);
      if (each.textContent !== text) { each.textContent = text; }
      each.title = moment.toLocaleString([], { dateStyle: "full", timeStyle: "long" });
    }
  }

  const stamp = (moment) => (moment.toDateString() === new Date().toDateString() ? "" : `${moment.toLocaleDateString()} `) + clock(moment);

  function ago(moment) {
    const seconds = (Date.now() - moment) / 1000;
    if (seconds < 45) { return "just now"; }
    if (seconds < 3600) { return `${Math.round(seconds / 60)} min ago`; }
    return seconds < 86400 ? `${Math.round(seconds / 3600)} h ago` : stamp(moment);
  }

  document.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") { event.target.dataset.touched = "1"; } });
  document.addEventListener("htmx:load", (event) => settle(event.detail.elt || document));
  document.addEventListener("submit", (event) => {
    if (live.state === "offline" && event.target.method === "post") { event.preventDefault(); event.stopPropagation(); show("offline"); }
  }, true);
  document.addEventListener("visibilitychange", () => {
    tell({ type: "rate", hidden: document.hidden });
    watch();
    if (!document.hidden && !socket) { connect(); }
  });
  for (const name of ["online", "focus"]) { window.addEventListener(name, () => { if (!socket) { connect(); } }); }
  window.addEventListener("pagehide", () => { over = true; if (socket) { socket.close(); } });
  window.addEventListener("pageshow", (event) => { if (event.persisted) { location.reload(); } });

  times(document);
  setInterval(() => { if (!document.hidden) { times(document); } }, 20000);
  setInterval(askedFor, 500);
  show("connecting");
  connect();
})();
