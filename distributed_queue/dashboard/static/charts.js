/* The charts of the last hour. What they show is in the tables too. */
(function () {
  "use strict";
  const kinds = {
    throughput: {
      title: "Tasks per second",
      series: [["in", "enqueued", "--muted"], ["done", "completed", "--accent"], ["failed", "failed", "--bad"]],
    },
    backlog: { title: "Waiting and running", series: [["waiting", "waiting", "--accent"], ["running", "running", "--muted"]] },
    wait: { title: "Wait before start, seconds", series: [["half within", "wait_p50", "--muted"], ["95 % within", "wait_p95", "--accent"]] },
    run: { title: "Run time, seconds", series: [["half within", "run_p50", "--muted"], ["95 % within", "run_p95", "--accent"]] },
  };
  const charts = [];
  let deploys = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function shown(value) {
    if (value === null || value === undefined) return "–";
    return value === 0 ? "0" : value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2);
  }

  function clock(seconds) {
    const text = new Date(seconds * 1000);
    return document.documentElement.dataset.zone === "local" ? text.toTimeString().slice(0, 8) : text.toISOString().slice(11, 19);
  }

  function clocks(chart, ticks, place, space, step) {
    return ticks.map((tick) => (step >= 60 ? clock(tick).slice(0, 5) : clock(tick)));
  }

  /* A line where the workers' version changed: what began there may be the new code's doing. */
  function mark(chart) {
    const { top, height } = chart.bbox;
    chart.ctx.save();
    chart.ctx.strokeStyle = chart.ctx.fillStyle = colour("--text");
    chart.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [at, words] of deploys) {
      const x = Math.round(chart.valToPos(at, "x", true));
      chart.ctx.beginPath();
      chart.ctx.moveTo(x, top);
      chart.ctx.lineTo(x, top + height);
      chart.ctx.stroke();
      const gap = 4 * devicePixelRatio;
      const fits = x - chart.bbox.left > chart.ctx.measureText(words).width + gap;
      chart.ctx.textAlign = fits ? "right" : "left";
      chart.ctx.fillText(words, fits ? x - gap : x + gap, top + 12 * devicePixelRatio);
    }
    chart.ctx.restore();
  }

  function draw(place, points) {
    const kind = kinds[place.dataset.chart];
    const data = [points.time, ...kind.series.map(([, field]) => points[field])];
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const options = {
      title: kind.title,
      width: Math.max(200, place.clientWidth - 16),
      height: 170,
      hooks: { draw: [mark] },
      cursor: { sync: { key: "hour" } },
      scales: { y: { range: (chart, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, space: 70, values: clocks }, { ...axis, size: 52, values: (chart, ticks) => ticks.map(shown) }],
      series: [
        { label: "at", value: (chart, at) => (at === null ? "–" : clock(at)) },
        ...kind.series.map(([label, , name]) => ({ label, stroke: colour(name), width: 1.5, spanGaps: false, points: { show: false }, value: (chart, value) => shown(value) })),
      ],
    };
    return new uPlot(options, data, place);
  }

  async function update(again) {
    const places = document.querySelectorAll("[data-chart]");
    if (!places.length) return;
    const answer = await fetch(places[0].dataset.source).catch(() => null);
    if (!answer || !answer.ok) return;
    const points = await answer.json();
    deploys = points.time.map((at, index) => [at, points.deploy[index]]).filter(([, words]) => words);
    places.forEach((place, index) => {
      if (charts[index] && !again) {
        const kind = kinds[place.dataset.chart];
        charts[index].setData([points.time, ...kind.series.map(([, field]) => points[field])]);
        return;
      }
      charts[index]?.destroy();
      charts[index] = draw(place, points);
    });
  }

  let askedAt = Date.now();
  document.addEventListener("DOMContentLoaded", () => update(false));
  document.addEventListener("dq:theme", () => update(true));
  document.addEventListener("dq:zone", () => update(true));
  document.addEventListener("dq:refreshed", () => {
    if (Date.now() - askedAt < 5000) return;
    askedAt = Date.now();
    update(false);
  });
  let resizing = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => update(true), 200);
  });
})();
