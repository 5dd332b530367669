"use strict";
// Inferno's script draws and zooms the icicle chart. This script adds the keyboard, the details of a frame, the search, and the tables.
(() => {
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const told = document.getElementById("told");
  const icicle = document.getElementById("icicle");
  const rows = [...document.querySelectorAll("table.rows tbody tr")];
  const count = (number, what) => number.toLocaleString("en") + " " + what + (number === 1 ? "" : "s");

  // A frame's text is its label and, in the last parentheses, its details. A label is a mark, the kind, the name, and numbers. The
  // attributes of inferno have its place and width as parts of the whole.
  const frames = [...document.querySelectorAll("#frames > g")].map((group) => {
    const rect = group.querySelector("rect");
    const [, shown, details] = /^(.*) \(([^(]*)\)$/s.exec(group.querySelector("title").textContent);
    const label = shown.replace(/^! /, "").replace(/( × [\d,]+)?( [+-][\d,]+)?$/, "");
    const x = Number(rect.getAttribute("fg:x")), wide = Number(rect.getAttribute("fg:w"));
    return { group, rect, shown, details, x, wide, end: x + wide, y: Number(rect.getAttribute("y")),
      name: label.includes(" ") ? label.slice(label.indexOf(" ") + 1) : "unnamed " + label,
      words: (label + "\n" + (group.dataset.words ?? "")).toLowerCase() };
  });
  const frameOf = new Map(frames.map((frame) => [frame.group, frame]));
  const is = (frame, what) => frame.group.classList.contains(what);
  const whole = frames.find((frame) => frame.group.id === "");

  const name = (row) => row.cells[0].textContent;
  const words = new Map(rows.map((row) => [row, (name(row) + "\n" + row.dataset.words).toLowerCase()]));

  let marked = [], left = 0, sought = "";
  const say = () => {
    if (!sought) { found.textContent = ""; return; }
    const outside = marked.filter((frame) => is(frame, "hide")).length;
    let bytes = 0, end = 0;
    for (const frame of [...marked].sort((one, other) => one.x - other.x || other.wide - one.wide)) {
      if (frame.x >= end) bytes += frame.wide;
      end = Math.max(end, frame.end);
    }
    found.textContent = count(marked.length, "frame") + " marked"
      + (outside ? ", " + outside.toLocaleString("en") + " of them outside the zoom" : "")
      + (marked.length ? ", with " + (100 * bytes / whole.wide).toFixed(1) + "% of the bytes" : "")
      + "; " + count(left, "row") + " of the tables" + found.dataset.beyond;
  };
  const mark = (text, frameIs, rowIs) => {
    sought = text;
    marked = text ? frames.filter(frameIs) : [];
    for (const frame of frames) frame.group.classList.remove("found");
    for (const frame of marked) frame.group.classList.add("found");
    left = 0;
    for (const row of rows) {
      row.classList.toggle("found", Boolean(text) && rowIs(row));
      if (row.classList.contains("found")) left += 1;
    }
    say();
  };
  const seek = () => {
    const term = find.value.toLowerCase();
    mark(term, (frame) => frame.words.includes(term), (row) => words.get(row).includes(term));
    for (const row of rows) row.hidden = Boolean(term) && !row.classList.contains("found");
  };
  find.addEventListener("input", seek);

  const all = () => {
    if (icicle) unzoom();
    find.value = "";
    seek();
  };
  document.getElementById("all").addEventListener("click", all);
  const zoomTo = (frame) => {
    unzoom();
    if (frame && frame !== whole) zoom(frame.group);
  };

  if (icicle) {
    // Inferno's script would keep zoom and search in the address of the page.
    window.get_params = () => ({});
    window.parse_params = () => location.href;
    // Inferno's script calls this after each drawing: at first, after a zoom, and after a change of the window's size.
    const inner = window.update_text_for_elements;
    window.update_text_for_elements = (elements) => {
      inner(elements);
      const room = Number(document.getElementById("frames").getAttribute("width")) / 100;
      for (const frame of frames) {
        const pixels = parseFloat(frame.rect.getAttribute("width")) * room;
        frame.group.classList.toggle("narrow", pixels < 2);
        frame.group.classList.toggle("thin", pixels < 1);
      }
      say();
    };
  }

  // Keeps the keys of the browser's search from inferno's script.
  window.addEventListener("keydown", (event) => {
    if (event.key === "F3" || (event.ctrlKey && event.key.toLowerCase() === "f")) event.stopImmediatePropagation();
    if (event.ctrlKey || event.altKey || event.metaKey || event.target === find) return;
    if (event.key === "/") {
      event.preventDefault();
      find.focus();
    }
    if (event.key === "Escape") all();
    if (event.key === "Backspace" && icicle) {
      event.preventDefault();
      const above = frames.filter((frame) => is(frame, "parent"));
      zoomTo(above.sort((one, other) => other.y - one.y)[0]);
    }
  }, true);

  const hint = told.textContent;
  const tell = (frame) => {
    if (!frame) { told.textContent = hint; return; }
    const label = document.createElement("bdi");
    label.textContent = frame.shown;
    told.replaceChildren(label, ": " + frame.details);
  };
  const frameAt = (target) => frameOf.get(target instanceof Element && target.closest("#frames > g"));
  window.addEventListener("mouseover", (event) => tell(frameAt(event.target) ?? frameAt(document.activeElement)));

  const levels = new Map();
  for (const frame of frames) levels.set(frame.y, [...(levels.get(frame.y) || []), frame]);
  for (const level of levels.values()) level.sort((one, other) => one.x - other.x);
  const height = [...levels.keys()].sort((one, other) => one - other);
  const next = (at, key) => {
    const level = levels.get(at.y), index = level.indexOf(at), row = height.indexOf(at.y);
    if (key === "ArrowRight") return level[index + 1];
    if (key === "ArrowLeft") return level[index - 1];
    if (key === "ArrowUp") return (levels.get(height[row - 1]) || []).find((up) => up.x <= at.x && at.end <= up.end);
    if (key === "ArrowDown") {
      // The widest child, which has the most bytes.
      return (levels.get(height[row + 1]) || []).filter((down) => at.x <= down.x && down.end <= at.end)
        .reduce((one, other) => (one && one.wide >= other.wide ? one : other), undefined);
    }
    return undefined;
  };
  for (const at of frames) {
    at.group.setAttribute("role", "button");
    at.group.setAttribute("tabindex", at === whole ? "0" : "-1");
    at.group.addEventListener("focus", () => tell(at));
    at.group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        at.group.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        return;
      }
      const to = next(at, event.key);
      if (event.key.startsWith("Arrow")) event.preventDefault();
      if (to && !is(to, "hide")) to.group.focus();
    });
  }

  // Keeps the focused frame from scrolling behind the search bar.
  const bar = document.querySelector(".search");
  new ResizeObserver(() => {
    const stays = getComputedStyle(bar).position === "sticky";
    document.documentElement.style.scrollPaddingTop = stays ? bar.offsetHeight + 8 + "px" : "";
  }).observe(bar);

  const button = (inside) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...inside.childNodes);
    inside.append(button);
    return button;
  };

  // A click on a row zooms to the frame of a path, or marks the frames of a name.
  const byId = new Map(frames.map((frame) => [frame.group.id, frame]));
  const names = new Set(frames.map((frame) => frame.name));
  for (const row of rows) {
    const frame = byId.get(row.dataset.frame);
    if (!frame && !(row.closest("#names") && names.has(name(row)))) continue;
    button(row.cells[0].firstElementChild);
    row.classList.add("leads");
    row.addEventListener("click", () => {
      if (String(getSelection())) return;
      if (frame) {
        zoomTo(frame);
        frame.group.focus();
      } else {
        unzoom();
        mark(name(row), (frame) => frame.name === name(row), (other) => other === row);
        marked[0].group.focus();
      }
    });
  }

  // A click on a heading sorts: numbers by size, the largest first, names from A to Z. Another click reverses the order.
  for (const head of document.querySelectorAll("table.rows thead th")) {
    const column = [...head.parentNode.children].indexOf(head), numbers = head.classList.contains("n");
    const value = (row) => row.cells[column].textContent;
    const number = (row) => Number(value(row).replace(/[^\d-]/g, ""));
    const upwards = (one, other) => numbers ? number(one) - number(other) : value(one).localeCompare(value(other));
    button(head).addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const up = before ? before === "descending" : !numbers;
      const body = head.closest("table").tBodies[0];
      body.append(...[...body.rows].sort((one, other) => up ? upwards(one, other) : upwards(other, one)));
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  }
})();
