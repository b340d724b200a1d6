"use strict";
// The slider of the stop epoch: what stopping there costs each arm, and a line in all figures by epoch.
(() => {
  const { stops } = tipsRay.content;
  const place = document.getElementById("stops");
  if (!place || !stops.arms.length) return;

  const slider = document.getElementById("stop-epoch");
  const shown = document.getElementById("stop-epoch-number");
  const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(1).replace("-", "−"));

  tipsRay.ready.then((figures) => {
    if (!figures.errors || !figures.regret) return;
    const meanOf = (name, key) => {
      const trace = figures[name].data.find((each) => each.legendgroup === key && each.showlegend);
      return trace && { x: trace.x, y: [...trace.y] };
    };
    const arms = stops.arms.map((arm) => ({ ...arm, error: meanOf("errors", arm.key), regret: meanOf("regret", arm.key) })).filter((arm) => arm.error && arm.regret);
    const last = Math.max(...arms.map((arm) => arm.regret.x.length));
    if (last < 2) return;
    const cells = new Map(arms.map(({ name }) => [name, [...place.querySelector(`tr[data-arm="${CSS.escape(name)}"]`).querySelectorAll("td")]]));

    function stop(epoch) {
      slider.value = epoch;
      shown.textContent = epoch;
      arms.forEach(({ name, error, regret, within }) => {
        const at = epoch - 1;
        const values = at < regret.y.length ? [number(error.y[at]), number(regret.y[at]), `${Math.round(100 * within[at])}%`] : [`trained to ${regret.y.length}`, "–", "–"];
        values.forEach((text, column) => (cells.get(name)[column].textContent = text));
      });
      const line = { type: "line", xref: "x", yref: "paper", x0: epoch, x1: epoch, y0: 0, y1: 1, line: { width: 1, dash: "dot", color: "#7F7F7F" } };
      tipsRay.relayout(stops.figures, { shapes: [line] });
    }

    let waiting = null;
    slider.max = last;
    slider.addEventListener("input", () => {
      if (waiting === null) requestAnimationFrame(() => ((waiting = null), stop(Number(slider.value))));
      waiting = slider.value;
    });
    ["errors", "regret"].forEach((name) => {
      const plot = tipsRay.elements.get(name);
      plot.addEventListener("drawn", () => plot.on("plotly_click", ({ points }) => stop(Math.min(last, Math.max(1, Math.round(points[0].x))))));
    });
    place.hidden = false;
    stop(last);
  });
})();
