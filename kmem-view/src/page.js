"use strict";
// The icicle's own script draws, zooms and marks; this makes it usable from the keyboard and searches the tables too.
(() => {
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const icicle = document.getElementById("icicle");
  const groups = icicle ? [...document.querySelectorAll("#frames > g")] : [];
  const rows = [...document.querySelectorAll("table.rows tbody tr")];
  const words = new Map(rows.map((row) =>
    [row, [...row.children].filter((cell) => !cell.classList.contains("n")).map((cell) => cell.textContent).join("\n").toLowerCase()
      + (row.classList.contains("tainted") ? "\ntainted" : "")]));

  // What was typed is meant as it stands, in either case; the icicle's script takes a regular expression.
  const literal = (text) => [...text].map((c) => {
    const lower = c.toLowerCase(), upper = c.toUpperCase();
    if (lower !== upper && lower.length === 1 && upper.length === 1) return "[" + lower + upper + "]";
    return c.replace(/[\\^$.*+?()[\]{}|\/]/, "\\$&");
  }).join("");
  // The icicle's script keeps zoom and search in the page's address, which it reads as that of a drawing of its own.
  if (icicle) {
    window.get_params = () => ({});
    window.parse_params = () => location.href;
  }
  const count = (number, what) => number.toLocaleString("en") + " " + what + (number === 1 ? "" : "s");

  const seek = () => {
    const term = find.value;
    let marked = 0, share = "";
    if (icicle) {
      reset_search();
      searching = 0;
      matchedtxt.firstChild.nodeValue = "";
      if (term) search(literal(term));
      marked = document.querySelectorAll("#frames rect[fg\\:orig_fill]").length;
      share = /[\d.]+%/.exec(matchedtxt.firstChild.nodeValue);
    }
    let left = 0;
    for (const row of rows) {
      row.hidden = !words.get(row).includes(term.toLowerCase());
      if (!row.hidden) left += 1;
    }
    found.textContent = !term ? "" : count(marked, "frame") + " marked"
      + (share ? ", which hold " + share[0] + " of the bytes shown" : "") + "; " + count(left, "row") + " of the tables";
  };
  find.addEventListener("input", seek);

  const all = () => { if (icicle) unzoom(); seek(); };
  document.getElementById("all").addEventListener("click", () => { find.value = ""; all(); });

  // The browser's own search stays the browser's: the icicle's script would take its keys.
  window.addEventListener("keydown", (event) => {
    if (event.key === "F3" || (event.ctrlKey && event.key.toLowerCase() === "f")) event.stopImmediatePropagation();
    if (event.key === "/" && event.target !== find && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      find.focus();
    }
    if (event.key === "Escape" && event.target !== find) all();
  }, true);

  // Where a frame lies: what it spans of the whole, and on which level.
  const place = (group) => {
    const rect = group.querySelector("rect");
    const x = Number(rect.getAttribute("fg:x"));
    return { group, x, end: x + Number(rect.getAttribute("fg:w")), y: Number(rect.getAttribute("y")) };
  };
  const places = groups.map(place);
  const levels = new Map();
  for (const at of places) levels.set(at.y, [...(levels.get(at.y) || []), at]);
  for (const level of levels.values()) level.sort((one, other) => one.x - other.x);
  const height = [...levels.keys()].sort((one, other) => one - other);
  const shown = (at) => at && !at.group.classList.contains("hide");
  const next = (at, key) => {
    const level = levels.get(at.y), index = level.indexOf(at), row = height.indexOf(at.y);
    if (key === "ArrowRight") return level[index + 1];
    if (key === "ArrowLeft") return level[index - 1];
    if (key === "ArrowUp") return (levels.get(height[row - 1]) || []).find((up) => up.x <= at.x && at.end <= up.end);
    if (key === "ArrowDown") {
      // The widest, as that is where the bytes are.
      return (levels.get(height[row + 1]) || []).filter((down) => at.x <= down.x && down.end <= at.end)
        .reduce((one, other) => (one && one.end - one.x >= other.end - other.x ? one : other), undefined);
    }
    return undefined;
  };
  for (const at of places) {
    at.group.setAttribute("role", "button");
    at.group.setAttribute("tabindex", at.y === height[0] ? "0" : "-1");
    at.group.addEventListener("focus", () => { details.nodeValue = g_to_text(at.group); });
    at.group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        at.group.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        return;
      }
      const to = next(at, event.key);
      if (event.key.startsWith("Arrow")) event.preventDefault();
      if (shown(to)) to.group.focus();
    });
  }

  // A column is sorted by a click on its head, the greatest first; names from A on.
  for (const head of document.querySelectorAll("table.rows thead th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const column = [...head.parentNode.children].indexOf(head), numbers = head.classList.contains("n");
    const value = (row) => row.children[column].textContent;
    const number = (row) => Number(value(row).replace(/[^\d-]/g, ""));
    button.addEventListener("click", () => {
      const body = head.closest("table").tBodies[0];
      body.append(...[...body.rows].sort((one, other) =>
        numbers ? number(other) - number(one) : value(one).localeCompare(value(other))));
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", numbers ? "descending" : "ascending");
    });
  }
})();
