"use strict";
(() => {
  const { figures, choices, themes } = JSON.parse(document.getElementById("content").textContent);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  const plots = [];
  let chosen = null; // null: as the system prefers

  const scheme = () => chosen ?? (prefersDark.matches ? "dark" : "light");

  function paint(name) {
    document.documentElement.dataset.theme = name;
    toggle.textContent = name === "dark" ? "Light mode" : "Dark mode";
    return Promise.all(plots.map((plot) => Plotly.relayout(plot, { template: themes[name] })));
  }

  function menu(name, options, onChange) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.className = "choice";
    label.append(name, select);
    options.forEach((option) => select.add(new Option(option.label)));
    select.addEventListener("change", () => onChange(options[select.selectedIndex]));
    return label;
  }

  // A figure's own dropdown becomes a native one: it can be reached by keyboard and follows the page's colours.
  function nativeMenu(plot, { buttons }) {
    plot.before(menu("Metric", buttons, ({ method, args }) => Plotly[method](plot, ...structuredClone(args))));
  }

  // One dropdown for several figures, whose traces all take the same values from it.
  function sharedMenu({ label, plots: names, traces, options }) {
    const own = names.map((name) => document.getElementById(`plot-${name}`));
    const show = ({ y }) => own.forEach((plot) => Plotly.restyle(plot, { y: structuredClone(y) }, traces));
    own[0].closest(".panels").before(menu(label, options, show));
  }

  const fileName = (part) => `${document.title.split("·").at(-1).trim()} ${part}`;

  // A figure is saved as it is shown, but always on white.
  function saveButton(name, format) {
    const click = ({ data, layout, offsetWidth: width, offsetHeight: height }) =>
      Plotly.downloadImage({ data, layout: { ...layout, template: themes.light, paper_bgcolor: "white" } }, { format, width, height, filename: fileName(name) });
    return { name: `save-${format}`, title: `Save as ${format.toUpperCase()}`, icon: Plotly.Icons[format === "svg" ? "disk" : "camera"], click };
  }

  function draw(name, { data, layout }) {
    const plot = document.getElementById(`plot-${name}`);
    const { updatemenus = [], ...rest } = layout;
    updatemenus.forEach((own) => nativeMenu(plot, own));
    plots.push(plot);
    const displayModeBar = layout.scene ? false : "hover";
    const config = { responsive: true, scrollZoom: false, displayModeBar, displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d"], modeBarButtonsToAdd: [saveButton(name, "svg"), saveButton(name, "png")] };
    return Plotly.newPlot(plot, data, { ...rest, template: themes[scheme()] }, config);
  }

  // A button by each table saves what its cells say as CSV; a cell over several columns is followed by empty ones.
  function csvButton(table) {
    const button = document.createElement("button");
    const section = table.closest("section")?.id ?? "table";
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.title = "Save this table as CSV";
    button.addEventListener("click", () => {
      const text = (node) => (node.nodeName === "SMALL" ? `(${node.textContent})` : node.textContent);
      const words = (cell) => [...cell.childNodes].map(text).join(" ").trim().replace(/\s+/g, " ");
      const quoted = (cell) => `"${words(cell).replaceAll('"', '""')}"`;
      const cells = (row) => [...row.cells].flatMap((cell) => [quoted(cell), ...Array(cell.colSpan - 1).fill("")]);
      const lines = [...table.rows].map((row) => cells(row).join(","));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
      link.download = fileName(`${section}.csv`);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
    });
    (table.closest(".scroll") ?? table).before(button);
  }

  document.querySelectorAll("table").forEach(csvButton);
  document.documentElement.dataset.theme = scheme();
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const other = scheme() === "dark" ? "light" : "dark";
    chosen = null;
    if (scheme() !== other) chosen = other; // back at the system's scheme, the page follows it again
    paint(other);
  });
  prefersDark.addEventListener("change", () => paint(scheme()));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((fold) => (fold.open = true));
    paint("light");
    plots.forEach((plot) => plot.closest(".bodies") || Plotly.relayout(plot, { width: plot.closest(".panels") ? 330 : 680 })); // of a sheet of A4
  });
  window.addEventListener("afterprint", () => {
    plots.forEach((plot) => Plotly.relayout(plot, { width: null, autosize: true }));
    paint(scheme());
  });

  Promise.all(Object.entries(figures).map(([name, figure]) => draw(name, figure)))
    .then(() => choices.forEach(sharedMenu))
    .then(() => paint(scheme()))
    .then(() => (document.documentElement.dataset.drawn = "yes"));
})();
