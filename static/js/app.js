/* What the page itself does: dialogs, toasts, selection, keys of tree and grid, splitter, drawer, theme.
   Everything here is a convenience; each thing has an address or a form without it. News come in live.js. */
(() => {
  "use strict";
  const root = document.documentElement, body = document.body;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const remember = (name, value) => { try { localStorage.setItem(`clustermgr.${name}`, value); } catch { /* storage is off */ } };
  // A request that cannot be sent is told by its events; its promise alone would end as an unheard error.
  const fetchPart = (address, how) => htmx.ajax("GET", address, how)?.catch?.(() => {});
  const dialog = document.getElementById("dialog"), dialogBody = document.getElementById("dialog-body");

  // -- dialogs --------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterSwap", (event) => {
    const ordered = event.detail.xhr?.status === 202;  // nothing was swapped, and the dialog is closing
    if (event.detail.target !== dialogBody || !dialogBody.firstElementChild || ordered) { return; }
    if (!dialog.open) { dialog.showModal(); }
    const first = ["[role=alert]", "[data-first]", "[name=target]:checked", "[name=kind]:checked", ".dialog-foot [data-close]"]
      .map((each) => dialogBody.querySelector(each)).find(Boolean);
    if (first) { first.focus(); }
  });
  dialog?.addEventListener("close", () => dialogBody.replaceChildren());
  dialog?.addEventListener("click", (event) => { if (event.target === dialog) { dialog.close(); } });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-close]") && dialog?.open) { event.preventDefault(); dialog.close(); }
  }, true);

  /* The order was accepted: the rest is news. Without a socket the page asks for it by itself. */
  document.addEventListener("ordered", () => {
    if (dialog.open) { dialog.close(); }
    for (const region of all("[data-region]")) {
      if (region.id === "actions" || (body.dataset.live !== "live" && region.id !== "health" && region.id !== "dock")) {
        setTimeout(() => refetch(region.id), 150);
      }
    }
  });

  function refetch(id) {
    const region = document.getElementById(id);
    if (region?.dataset.url && !region.contains(document.activeElement?.closest("input, textarea, select"))) {
      fetchPart(region.dataset.url, { source: region, target: region, swap: "outerHTML" });
    }
  }

  /* The button says where it leads. */
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.targetName;
    const button = name && event.target.form.querySelector("[data-move-button]");
    if (button) { button.textContent = `${button.dataset.moveButton} to ${name}`; button.disabled = false; }
  });

  // -- requests -------------------------------------------------------------------------------------------

  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, parameters, verb } = event.detail;
    if (verb === "get" && elt.matches("form.filters")) {
      for (const [name, value] of [...parameters.entries?.() || Object.entries(parameters)]) {
        if (value === "") { delete parameters[name]; }
      }
    }
  });
  /* The line may have broken after the order was taken: only of a look is it known that it ordered nothing. */
  function unanswered(event) {
    const looked = event.detail.requestConfig?.verb === "get";
    toast(looked ? "The console does not answer. Try again in a moment." : "The console did not answer. Look at Tasks before you order again.");
  }
  for (const name of ["htmx:sendError", "htmx:timeout"]) { document.addEventListener(name, unanswered); }
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id !== "panes" && event.detail.elt?.id !== "panes") { return; }
    document.querySelector(".panes")?.classList.remove("drawer-open");
    const alert = document.querySelector("#main .refusal");
    if (alert) { alert.focus(); alert.scrollIntoView({ block: "center" }); }
    ready();
  });

  // -- toasts ---------------------------------------------------------------------------------------------

  const toasts = document.getElementById("toasts");
  function toast(text) {
    const box = document.createElement("div");
    box.className = "toast toast-err";
    box.dataset.stays = "";
    box.setAttribute("role", "alert");
    const words = document.createElement("div");
    words.textContent = text;
    const dismiss = document.createElement("button");
    dismiss.type = "button";
    dismiss.className = "icon-button";
    dismiss.dataset.dismiss = "";
    dismiss.setAttribute("aria-label", "Dismiss");
    dismiss.textContent = "×";
    box.append(words, dismiss);
    toasts.append(box);
  }
  if (toasts) {
    new MutationObserver(() => {
      while (toasts.children.length > 3) { toasts.firstElementChild.remove(); }
      for (const box of toasts.children) {
        if ("stays" in box.dataset || box.dataset.timed) { continue; }
        box.dataset.timed = "1";
        const fade = () => setTimeout(() => (box.matches(":hover, :focus-within") ? fade() : box.remove()), 6000);
        fade();
      }
    }).observe(toasts, { childList: true });
    toasts.addEventListener("click", (event) => { if (event.target.closest("[data-dismiss]")) { event.target.closest(".toast").remove(); } });
  }

  // -- selection in the list of roles ---------------------------------------------------------------------

  let waiting = 0;
  function select(row) {
    const list = document.getElementById("roles-list");
    if (!row || !list?.contains(row) || !document.getElementById("role-detail")) { return false; }
    for (const each of all("tr[aria-selected=true]", list)) { each.removeAttribute("aria-selected"); }
    row.setAttribute("aria-selected", "true");
    const url = new URL(location.href);
    url.searchParams.set("sel", row.dataset.select);
    history.replaceState(history.state, "", url);
    url.searchParams.set("region", "selection");
    clearTimeout(waiting);
    waiting = setTimeout(() => fetchPart(url.pathname + url.search, { target: "#role-detail", swap: "outerHTML" }), 60);
    return true;
  }
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("tr[data-select]");
    if (row && !event.target.closest("a, button, input")) { select(row); focusRow(row, false); }
  });
  document.addEventListener("dblclick", (event) => { event.target.closest?.("tr[data-select]")?.querySelector("th a")?.click(); });

  // -- keys: a tree and grids with one tab stop each ------------------------------------------------------

  const items = () => all("#tree [role=treeitem]").filter((each) => each.offsetParent);
  function focusItem(item) {
    if (!item) { return; }
    for (const each of all("#tree [role=treeitem]")) { each.tabIndex = each === item ? 0 : -1; }
    item.focus();
  }
  function fold(item, open) {
    if (!item.hasAttribute("aria-expanded") || (item.getAttribute("aria-expanded") === "true") === open) { return false; }
    item.setAttribute("aria-expanded", String(open));
    return true;
  }
  function treeKey(event, item) {
    const list = items(), at = list.indexOf(item), level = Number(item.ariaLevel);
    if (event.key === "ArrowDown") { focusItem(list[at + 1]); }
    else if (event.key === "ArrowUp") { focusItem(list[at - 1]); }
    else if (event.key === "Home") { focusItem(list[0]); }
    else if (event.key === "End") { focusItem(list.at(-1)); }
    else if (event.key === "ArrowRight") { if (!fold(item, true) && Number(list[at + 1]?.ariaLevel) > level) { focusItem(list[at + 1]); } }
    else if (event.key === "ArrowLeft") { if (!fold(item, false)) { focusItem(list.slice(0, at).reverse().find((each) => Number(each.ariaLevel) < level)); } }
    else if (event.key.length === 1 && /\S/.test(event.key)) {
      const name = (each) => each.querySelector(".name").textContent.trim().toLowerCase();
      focusItem([...list.slice(at + 1), ...list.slice(0, at + 1)].find((each) => name(each).startsWith(event.key.toLowerCase())));
    } else { return; }
    event.preventDefault();
  }
  function focusRow(row, move = true) {
    if (!row) { return; }
    for (const each of all("tbody tr", row.closest("table"))) { each.tabIndex = each === row ? 0 : -1; }
    if (move) { row.focus(); row.scrollIntoView({ block: "nearest" }); }
  }
  function gridKey(event, row) {
    const rows = all("tbody tr", row.closest("table")), at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: Math.min(at + 10, rows.length - 1), PageUp: Math.max(at - 10, 0) }[event.key];
    if (to !== undefined) { focusRow(rows[to]); if (rows[to]?.dataset.select) { select(rows[to]); } }
    else if (event.key === "Enter") { row.querySelector("th a")?.click(); }
    else if (event.key === " ") { select(row); }
    else { return; }
    event.preventDefault();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    const target = event.target, item = target.closest?.("#tree [role=treeitem]");
    if (event.key === "F6") { nextPane(event); }
    else if (event.key === "/" && !target.matches?.(TYPED_INTO)) { search(event); }
    else if (item) { treeKey(event, item); }
    else if (target.matches?.("[data-grid] tbody tr")) { gridKey(event, target); }
    else if (target.matches?.("[role=button][href]") && event.key === " ") { event.preventDefault(); target.click(); }
    else if (target.matches?.("[data-splitter]")) { splitKey(event); }
  });
  const TYPED_INTO = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])";
  function search(event) {
    const field = document.getElementById("search");
    if (field?.offsetParent && !dialog?.open) { event.preventDefault(); field.focus(); }
  }
  function nextPane(event) {
    const panes = ["tree", "main", "role-detail", "actions", "dock"].map((id) => document.getElementById(id)).filter((each) => each?.offsetParent);
    const at = panes.findLastIndex((each) => each.contains(document.activeElement));
    const next = panes[at + (event.shiftKey ? -1 : 1)];
    if (next) { event.preventDefault(); (all("[tabindex='0'], a[href], button", next).find((each) => each.offsetParent) || next).focus(); }
  }

  // -- splitter, dock, drawer, theme ----------------------------------------------------------------------

  function splitTo(pixels) {
    const height = Math.round(Math.min(Math.max(pixels, 80), window.innerHeight * 0.7));
    root.style.setProperty("--detail-height", `${height}px`);
    remember("detail", height);
  }
  const splitHeight = () => document.getElementById("role-detail")?.offsetHeight || 236;
  function splitKey(event) {
    const step = { ArrowUp: 24, ArrowDown: -24 }[event.key];
    if (step) { event.preventDefault(); splitTo(splitHeight() + step); }
  }
  document.addEventListener("pointerdown", (event) => {
    const bar = event.target.closest?.("[data-splitter]");
    if (!bar) { return; }
    const from = event.clientY, height = splitHeight();
    bar.setPointerCapture(event.pointerId);
    bar.onpointermove = (move) => splitTo(height + from - move.clientY);
    bar.onpointerup = () => { bar.onpointermove = null; };
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-dock-switch], [data-drawer], [data-theme-switch]");
    if (!button) {
      if (!event.target.closest?.("#tree")) { drawer(false); }
      for (const each of all("details.account[open]")) { if (!each.contains(event.target)) { each.open = false; } }
      return;
    }
    if (button.matches("[data-dock-switch]")) {
      root.dataset.dock = document.getElementById("dock-rows").offsetParent ? "closed" : "open";
      remember("dock", root.dataset.dock);
      ready();
    }
    if (button.matches("[data-drawer]")) { drawer(!document.querySelector(".panes").classList.contains("drawer-open")); }
    if (button.matches("[data-theme-switch]")) {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      remember("theme", root.dataset.theme);
    }
  });
  function drawer(open) {
    document.querySelector(".panes")?.classList.toggle("drawer-open", open);
    document.querySelector("[data-drawer]")?.setAttribute("aria-expanded", String(open));
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { drawer(false); } });

  /* After each swap: one tab stop per tree and grid, and what the address says is selected. */
  function ready() {
    const current = items().find((each) => each.ariaCurrent) || items()[0];
    for (const each of all("#tree [role=treeitem]")) { each.tabIndex = each === current ? 0 : -1; }
    const selected = new URLSearchParams(location.search).get("sel");
    for (const table of all("table[data-grid]")) {
      const rows = all("tbody tr", table);
      const mine = rows.find((row) => row.dataset.select && row.dataset.select === selected && table.closest("#roles-list"));
      if (mine && !mine.hasAttribute("aria-selected")) {
        mine.setAttribute("aria-selected", "true");
        if (rows.every((row) => row === mine || !row.hasAttribute("aria-selected"))) { mine.scrollIntoView({ block: "nearest" }); }
      }
      for (const row of rows) { if (!row.hasAttribute("tabindex")) { row.tabIndex = -1; } }
      if (!rows.some((row) => row.tabIndex === 0) && rows.length) { (mine || rows[0]).tabIndex = 0; }
    }
    for (const each of all("[data-dock-switch]")) { each.setAttribute("aria-expanded", String(Boolean(document.getElementById("dock-rows")?.offsetParent))); }
    for (const each of all("[data-theme-switch]")) { each.hidden = false; }
  }
  document.addEventListener("htmx:load", ready);
  ready();
})();
