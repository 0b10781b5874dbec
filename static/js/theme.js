/* Before the first paint: the theme, dock and sizes that this browser was told to keep. */
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    for (const name of ["theme", "dock"]) {
      const kept = localStorage.getItem(`clustermgr.${name}`);
      if (kept) { root.dataset[name] = kept; }
    }
    const height = Number(localStorage.getItem("clustermgr.detail"));
    if (height) { root.style.setProperty("--detail-height", `${height}px`); }
  } catch { /* storage is off: the defaults stay */ }
})();
