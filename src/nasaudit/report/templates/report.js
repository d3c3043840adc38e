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

  function copyText(button) {
    const code = button.nextElementSibling;
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    // A page opened from a file may not have the clipboard API; the selection is then what remains.
    const copied = document.execCommand("copy");
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  function wireCopying() {
    for (const button of document.querySelectorAll(".copy"))
      button.addEventListener("click", () => copyText(button));
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
  wireFolds();
  wireCopying();
  wirePrinting();
  Promise.all([...document.querySelectorAll(".chart")].map(draw))
    .then(() => { document.documentElement.dataset.charts = "drawn"; });
})();
