"use strict";
// Asks every two seconds what has changed, and puts it in its place. What comes is HTML of ours, in which the words of
// others are escaped; the page's policy lets no script in it run.
(() => {
  const EVERY = 2000, LOST_EVERY = 6000;
  const places = ["summary", "failures", "figures", "tasks", "facts", "outcome", "log", "spec"];
  const task = location.pathname.match(/^\/tasks\/([0-9a-f]+)$/)?.[1];
  const shown = {};
  const filter = document.getElementById("filter");
  const frame = document.getElementById("report");
  let version = "", timer = 0, asking = null, reportShown = 0, reportLatest = 0, reading = false;

  function put(name, html) {
    const place = document.getElementById(name);
    if (!place || shown[name] === html) return;
    const open = {};
    for (const box of place.querySelectorAll("details[data-key]")) open[box.dataset.key] = box.open;
    const old = place.querySelector(".scroll");
    const left = old ? old.scrollLeft : 0;
    const text = name === "log" && name in shown ? place.querySelector("pre") : null;
    const top = text && text.scrollTop + text.clientHeight < text.scrollHeight - 4 ? text.scrollTop : null;
    place.innerHTML = html;
    for (const box of place.querySelectorAll("details[data-key]")) {
      if (box.dataset.key in open) box.open = open[box.dataset.key];
    }
    if (left) place.querySelector(".scroll")?.scrollTo({left});
    const later = name === "log" ? place.querySelector("pre") : null;
    if (later) later.scrollTop = top ?? later.scrollHeight;  // the newest, unless somebody reads what came before
    shown[name] = html;
  }

  function showReport(number) {
    reportShown = number;
    frame.src = "/report.html";
    frame.hidden = false;
    document.getElementById("newer").hidden = true;
  }

  function tellReport(report) {
    if (!frame) return;
    const words = report.number ? `The report ${report.of}`.trim() + "." : "The report is drawn once a task has ended.";
    const more = report.problem ? ` It could not be drawn anew: ${report.problem}.` : report.drawing ? " A newer one is being drawn." : "";
    document.getElementById("drawn-words").textContent = words + more;
    document.getElementById("alone").hidden = !report.number;
    reportLatest = report.number;
    if (report.number > reportShown) {
      // Whoever reads keeps the place; whoever has not begun sees the newest.
      if (reportShown && (reading || document.activeElement === frame || frame.matches(":hover"))) document.getElementById("newer").hidden = false;
      else showReport(report.number);
    }
  }

  async function ask() {
    clearTimeout(timer);
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    let next = EVERY;
    try {
      const query = new URLSearchParams(location.search);
      query.delete("token");
      query.set("seen", version);
      if (frame) query.set("report", "1");
      if (task) query.set("task", task);
      const answer = await fetch("/live?" + query, {signal: mine.signal, cache: "no-store"});
      if (answer.status === 200) {
        const live = await answer.json();
        version = live.version;
        document.title = live.title;
        for (const name of places) put(name, live.html[name] ?? "");
        tellReport(live.report);
      } else if (answer.status !== 204) {
        throw new Error(answer.status);
      }
      document.getElementById("lost").hidden = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      document.getElementById("lost").hidden = false;
      next = LOST_EVERY;
    }
    if (asking === mine) {
      asking = null;
      timer = setTimeout(() => { if (!document.hidden) ask(); }, next);
    }
  }

  function go(query, push) {
    history[push ? "pushState" : "replaceState"](null, "", query || "/");
    version = "";
    ask();
  }

  if (filter) {
    let waiting = 0;
    const apply = () => {
      const query = new URLSearchParams(location.search);
      const text = filter.elements.q.value.trim();
      if (text) query.set("q", text); else query.delete("q");
      query.delete("page");
      query.delete("token");
      go(query.size ? "/?" + query : "/", false);
    };
    filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 200); });
    filter.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    document.getElementById("tasks").addEventListener("click", (event) => {
      const link = event.target.closest(".states a, .pages a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(link.getAttribute("href"), true);
      if (link.closest(".pages")) document.getElementById("tasks-title").scrollIntoView();
    });
    addEventListener("popstate", () => {
      filter.elements.q.value = new URLSearchParams(location.search).get("q") ?? "";
      version = "";
      ask();
    });
  }
  if (frame) {
    frame.addEventListener("mouseenter", () => { reading = true; });
    addEventListener("blur", () => { if (document.activeElement === frame) reading = true; });
    document.getElementById("newer").addEventListener("click", () => showReport(reportLatest));
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  ask();
})();
