"use strict";
// Draws the figures that come into view, in the page's colours. Other scripts of a page use `tipsRay`.
const tipsRay = (() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const { choices, results, themes } = content;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isTouch = window.matchMedia("(pointer: coarse)").matches; // a finger scrolls the page
  const toggle = document.getElementById("theme");
  const elements = new Map([...document.querySelectorAll(".plot")].map((plot) => [plot.id.slice("plot-".length), plot]));
  const drawn = new Set();
  const inView = new Set();
  const pending = new Map(); // by figure that is out of view: changes of its layout
  let chosen = null; // null: as the system prefers
  let figures = {};

  const scheme = () => chosen ?? (prefersDark.matches ? "dark" : "light");
  const fileName = (part) => `${document.title.split("·").at(-1).trim()}-${part.toLowerCase()}`.replace(/[^\p{L}\p{N}_.]+/gu, "-");

  // What is kept as base64 of gzip, as text.
  async function unpacked(id) {
    const letters = atob(document.getElementById(id).textContent);
    const bytes = new Uint8Array(letters.length);
    for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place); // Uint8Array.from takes forty times as long
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  function apply(name) {
    if (!drawn.has(name) || !pending.has(name)) return;
    Plotly.relayout(elements.get(name), pending.get(name));
    pending.delete(name);
  }

  // Changes the layout of figures: now of those in view, of the others once they are.
  function relayout(names, changes) {
    names.forEach((name) => pending.set(name, { ...pending.get(name), ...changes }));
    names.forEach((name) => inView.has(name) && apply(name));
  }

  function colour(name) {
    document.documentElement.dataset.theme = name;
    toggle.textContent = name === "dark" ? "Light mode" : "Dark mode";
  }

  function paint(name) {
    colour(name);
    relayout([...elements.keys()], { template: themes[name] });
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

  // A figure's own dropdowns become native ones: they can be reached by keyboard and follow the page's colours.
  function nativeMenus(name, menus) {
    const plot = elements.get(name);
    const row = document.createElement("div");
    const first = Object.fromEntries(["x", "y", "customdata"].map((key) => [key, figures[name].data.map((trace) => [...(trace[key] ?? [])])]));
    row.className = "choices";
    menus.forEach(({ name: title, buttons }, place) => {
      const change = async ({ method, args }) => {
        await draw(name);
        const [data, ...layout] = args;
        Plotly[method](plot, ...structuredClone(method === "update" && !data.y ? [first, ...layout] : args)); // of the first view the figure has the values
        if (method === "update") row.querySelectorAll("select").forEach((other, at) => at !== place && (other.selectedIndex = 0));
      };
      row.append(menu(title ?? "Metric", buttons, change));
    });
    plot.before(row);
  }

  // One dropdown for several figures, whose traces all take the same values from it.
  function sharedMenu({ label, plots: names, traces, options }) {
    const show = ({ y }) =>
      names.forEach((name) => {
        if (drawn.has(name)) Plotly.restyle(elements.get(name), { y: structuredClone(y) }, traces);
        else traces.forEach((trace, place) => (figures[name].data[trace].y = structuredClone(y[place])));
      });
    elements.get(names[0]).closest(".panels").before(menu(label, options, show));
  }

  // A figure is saved as it is shown, but always on white.
  function saveButton(name, format) {
    const click = ({ data, layout, offsetWidth: width, offsetHeight: height }) =>
      Plotly.downloadImage({ data, layout: { ...layout, template: themes.light, paper_bgcolor: "white" } }, { format, width, height, filename: fileName(name) });
    return { name: `save-${format}`, title: `Save as ${format.toUpperCase()}`, icon: Plotly.Icons[format === "svg" ? "disk" : "camera"], click };
  }

  async function draw(name) {
    if (drawn.has(name) || !figures[name]) return;
    drawn.add(name);
    const plot = elements.get(name);
    const { data, layout } = figures[name];
    const { updatemenus, ...rest } = layout;
    const fixed = Object.keys(layout).filter((key) => isTouch && /^[xy]axis/.test(key));
    fixed.forEach((key) => (rest[key] = { ...rest[key], fixedrange: true }));
    if (isTouch && !layout.scene) rest.dragmode = false;
    const buttons = [[saveButton(name, "svg"), saveButton(name, "png"), ...(isTouch ? [] : ["resetScale2d"])]];
    const config = { responsive: true, scrollZoom: false, displayModeBar: layout.scene ? false : "hover", displaylogo: false, showSendToCloud: false, modeBarButtons: buttons };
    const late = pending.get(name) ?? {};
    pending.delete(name);
    await Plotly.newPlot(plot, data, { ...rest, template: themes[scheme()], ...late }, config);
    if (plot.closest(".panels")) plot.querySelectorAll(".modebar-btn").forEach((button) => (button.tabIndex = -1)); // tens of them
    if (results[name]) plot.querySelectorAll(".main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
    plot.dispatchEvent(new Event("drawn"));
  }

  function look(entries) {
    const newly = entries.map(({ target, isIntersecting }) => {
      const name = target.id.slice("plot-".length);
      if (!isIntersecting) return inView.delete(name);
      inView.add(name);
      apply(name);
      return draw(name);
    });
    Promise.all(newly).then(() => (document.documentElement.dataset.drawn = "yes"));
  }

  async function start() {
    const isBeside = document.getElementById("plotly").src; // then it has been loaded
    const [plotly, packed] = await Promise.all([isBeside ? "" : unpacked("plotly"), unpacked("figures")]);
    const script = document.createElement("script");
    script.textContent = plotly;
    document.head.append(script);
    figures = JSON.parse(packed);
    const watcher = new IntersectionObserver(look, { rootMargin: "400px 0px" });
    Object.entries(figures).forEach(([name, { layout }]) => {
      const plot = elements.get(name);
      if (results[name]) {
        plot.setAttribute("role", "group"); // no image: it has buttons
        plot.setAttribute("aria-label", results[name]);
      }
      if (layout.height && !layout.scene) plot.style.minHeight = `${layout.height}px`;
      if (layout.updatemenus?.length) nativeMenus(name, layout.updatemenus);
      watcher.observe(plot);
    });
    choices.forEach(sharedMenu);
    return figures;
  }

  function openFold() {
    const place = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    for (let fold = place?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place?.querySelectorAll(":scope > details").forEach((fold) => (fold.open = true));
    place?.scrollIntoView();
  }

  colour(scheme());
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const other = scheme() === "dark" ? "light" : "dark";
    chosen = null;
    if (scheme() !== other) chosen = other; // back at the system's scheme, the page follows it again
    paint(other);
  });
  prefersDark.addEventListener("change", () => paint(scheme()));
  window.addEventListener("hashchange", openFold);
  // What is open is printed.
  window.addEventListener("beforeprint", () => {
    elements.forEach((plot, name) => plot.checkVisibility() && draw(name));
    document.documentElement.dataset.theme = "light";
    drawn.forEach((name) => {
      const plot = elements.get(name);
      const width = plot.closest(".panels, .aside") ? 330 : 680; // of a sheet of A4
      if (!plot.closest(".bodies")) Plotly.relayout(plot, { width, template: themes.light });
    });
  });
  window.addEventListener("afterprint", () => {
    drawn.forEach((name) => Plotly.relayout(elements.get(name), { width: null, autosize: true }));
    paint(scheme());
  });

  const ready = document.getElementById("figures") ? start() : Promise.resolve({});
  ready.then((all) => {
    openFold();
    if (!Object.keys(all).length) document.documentElement.dataset.drawn = "yes";
  });
  return { content, elements, fileName, ready, relayout };
})();
