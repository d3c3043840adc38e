"use strict";
// Draws the charts and wires the legends. The page's policy lets no other script run, hence no `eval`:
// `ast: true` makes Vega interpret its expressions.
(() => {
  const views = [];
  const viewOf = new Map();
  const corners = ["bottom-right", "bottom-left", "top-right", "top-left"];
  // Drawings of cells by name: held once, for all charts whose records name a cell.
  const drawings = JSON.parse(document.getElementById("drawings")?.textContent ?? "{}");

  async function draw(box) {
    const spec = JSON.parse(box.nextElementSibling.textContent);
    let drawn = false;
    for (const record of spec.datasets?.records ?? [])
      if (Object.hasOwn(record, "cell") && Object.hasOwn(drawings, record.cell)) {
        record.image = drawings[record.cell];
        drawn = true;
      }
    const result = await window.vegaEmbed(box, spec, {
      renderer: "svg",
      ast: true,
      // A drawing is tall: beside its point there is room for it, where above and below there is not.
      tooltip: drawn ? { anchor: "mark", position: ["right", "left", ...corners] } : true,
      actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    });
    views.push(result.view);
    viewOf.set(box, result.view);
    box.dataset.state = "drawn";
  }

  function choose(name) {
    for (const view of views) view.signal("chosen", name).runAsync();
    for (const key of document.querySelectorAll(".key"))
      key.setAttribute("aria-pressed", String(key.dataset.label === name));
  }

  function wireLegends() {
    for (const key of document.querySelectorAll(".key"))
      key.addEventListener("click", () =>
        choose(key.getAttribute("aria-pressed") === "true" ? null : key.dataset.label));
  }

  // A select sets a signal of one chart: which measure an axis shows.
  function wireChoices() {
    for (const choice of document.querySelectorAll("select[data-signal]"))
      choice.addEventListener("change", () =>
        viewOf.get(document.querySelector(`#${choice.dataset.chart} .chart`))
          ?.signal(choice.dataset.signal, choice.value).runAsync());
  }

  // A slider shows one of the pictures that stand beside it.
  function wireSlides() {
    for (const box of document.querySelectorAll(".slides")) {
      const slider = box.querySelector("input");
      if (!slider) continue;
      const order = JSON.parse(box.querySelector("script").textContent);
      const pictures = [...box.querySelectorAll(".slide")];
      slider.addEventListener("input", () => {
        const [label, shown] = order[slider.valueAsNumber];
        box.querySelector("output").textContent = label;
        pictures.forEach((picture, at) => { picture.hidden = at !== shown; });
      });
    }
  }

  // A page opened from a file may not have the clipboard API; a selection that could not be copied is what remains.
  function copySelected(button) {
    const word = button.textContent;
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = word; }, 1500);
  }

  function copyCode(button) {
    const range = document.createRange();
    range.selectNodeContents(button.nextElementSibling);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    copySelected(button);
  }

  function wireCopying() {
    for (const button of document.querySelectorAll(".copy"))
      button.addEventListener("click", () => copyCode(button));
  }

  // A table as rows of texts; a column of figures becomes four: value, both ends of the interval, and n.
  const NUMBERS = ["", " low", " high", " n"];
  function readTable(table) {
    const [head, ...lines] = [...table.rows].map((row) => [...row.cells]);
    const body = table.tHead ? lines : [head, ...lines];
    const plain = (cell) => {
      if (!cell) return "";
      const small = [...cell.querySelectorAll("small")].map((note) => note.textContent.trim());
      const copy = cell.cloneNode(true);
      for (const note of copy.querySelectorAll("small")) note.remove();
      return [copy.textContent, ...small].join(" ").replace(/\s+/g, " ").trim();
    };
    const rows = [[], ...body.map(() => [])];
    const columns = Math.max(0, ...body.map((row) => row.length));
    for (let k = 0; k < columns; k += 1) {
      const title = table.tHead ? plain(head[k]) : "";
      if (body.some((row) => row[k]?.dataset.n)) {
        rows[0].push(...NUMBERS.map((part) => title + part));
        body.forEach((row, at) => rows[at + 1].push(...(row[k]?.dataset.n ?? "   ").split(" ")));
      } else {
        rows[0].push(title);
        body.forEach((row, at) => rows[at + 1].push(plain(row[k])));
      }
    }
    return rows;
  }

  function quoted(text, separator) {
    // What begins like a formula is a name that somebody gave: spreadsheets would compute it.
    const safe = /^[=@\t]|^[+-](?![\d.])/.test(text) ? `'${text}` : text;
    return safe.includes(separator) || /["\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function asText(table, separator) {
    return readTable(table).map((row) => row.map((text) => quoted(text, separator)).join(separator)).join("\n") + "\n";
  }

  function copyTable(table, button) {
    const box = document.body.appendChild(document.createElement("textarea"));
    box.value = asText(table, "\t");
    box.select();
    copySelected(button);
    box.remove();
  }

  function saveTable(table) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([asText(table, ",")], { type: "text/csv" }));
    const name = (table.getAttribute("aria-label") ?? "table").toLowerCase().replace(/[^a-z0-9]+/g, "-");
    link.download = `${name.slice(0, 60)}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function wireTables() {
    for (const table of document.querySelectorAll("main table")) {
      const tools = document.createElement("div");
      tools.className = "tools";
      const cue = tools.appendChild(document.createElement("span"));
      cue.className = "cue";
      for (const [word, action] of [["Copy", copyTable], ["CSV", saveTable]]) {
        const button = tools.appendChild(document.createElement("button"));
        button.type = "button";
        button.textContent = word;
        button.addEventListener("click", () => action(table, button));
      }
      (table.closest(".scroll") ?? table).before(tools);
    }
    const boxes = [...document.querySelectorAll(".scroll")];
    // What is wider than its place says so, with a word where there is room for one and a shadow until its end is seen.
    const mark = (box) => {
      const hidden = box.scrollWidth - box.clientWidth;
      box.classList.toggle("more", hidden > 1 && box.scrollLeft < hidden - 1);
      const cue = box.previousElementSibling?.querySelector?.(".cue");
      if (cue) cue.textContent = hidden > 1 ? "swipe or scroll the table sideways \u2192" : "";
    };
    const watch = new ResizeObserver((entries) => { for (const entry of entries) mark(entry.target); });
    for (const box of boxes) {
      watch.observe(box);
      box.addEventListener("scroll", () => mark(box), { passive: true });
    }
  }

  // A link into a fold opens it.
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const inside = target.matches(".closed") ? target.querySelector("details") : target;
    for (let box = inside; box; box = box.parentElement) if (box.matches("details")) box.open = true;
    target.scrollIntoView();
  }

  // Paper has nothing to unfold: pictures and tables are opened for it and put back after.
  function wirePrinting() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const box of opened) box.open = true;
    });
    window.addEventListener("afterprint", () => {
      for (const box of opened) box.open = false;
    });
  }

  // A chart in a closed fold was drawn without a width; Vega measures its place again when the window changes.
  function wireFolds() {
    for (const box of document.querySelectorAll("details"))
      box.addEventListener("toggle", () => { if (box.open) window.dispatchEvent(new Event("resize")); });
  }

  wireLegends();
  wireChoices();
  wireSlides();
  wireFolds();
  wireCopying();
  wireTables();
  wirePrinting();
  window.addEventListener("hashchange", openTarget);
  Promise.all([...document.querySelectorAll(".chart")].map(draw))
    .then(() => { document.documentElement.dataset.charts = "drawn"; openTarget(); });
})();
