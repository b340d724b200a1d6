"use strict";
// Buttons by each table save what its cells say as CSV, each number in a column of its own, and as LaTeX; tables of runs are sorted and filtered.
(() => {
  const words = (cell) => {
    const text = (node) => (node.nodeName === "SMALL" ? `(${node.textContent.trim()})` : node.textContent);
    return [...cell.childNodes].map(text).join(" ").trim().replace(/\s+/g, " ").replace(/ ?\(\)$/, "");
  };
  const rowsOf = (part) => [...part.rows].filter((row) => !row.hidden);

  const number = (text) => (text === "–" ? "" : /^[+−]?\d[\d,]*(\.\d+)?%?$/.test(text) ? text.replaceAll(",", "").replace("−", "-").replace("+", "") : text);

  // What a cell says, by kind: the value itself is "", then the names of what stands with it.
  function valuesOf(cell) {
    const values = {};
    const say = (text, kind) => {
      const [, epoch, rest] = text.match(/^(?:epoch (\d+): )?(.*)$/s);
      const [, low, high] = rest.match(/^([+−]?[\d.]+%?) to ([+−]?[\d.]+%?)$/) ?? [];
      const [, mean, deviation] = rest.match(/^([+−]?[\d.]+) ± ([\d.]+)$/) ?? [];
      const median = rest.match(/^median ([+−]?[\d.]+)$/)?.[1];
      Object.assign(values, epoch && { epoch }, low ? { low, high } : mean ? { "": mean, SD: deviation } : median ? { median } : rest && { [kind]: rest });
    };
    const smalls = [...cell.querySelectorAll("small")].map((small) => small.textContent.trim().replace(/\s+/g, " "));
    const main = [...cell.childNodes].filter((node) => node.nodeName !== "SMALL").map((node) => node.textContent).join(" ");
    say(main.trim().replace(/\s+/g, " "), "");
    smalls.forEach((text) => say(text, "note"));
    return values;
  }

  // One row of heads; a column of the table takes as many as its cells have kinds of values.
  function csv(table) {
    const spread = (row, said) => [...row.cells].flatMap((cell) => [said(cell), ...Array(cell.colSpan - 1).fill(said(cell, true))]);
    const heads = rowsOf(table.tHead).map((row) => spread(row, words));
    const rows = [...table.tBodies].flatMap(rowsOf).map((row) => spread(row, (cell, isMore) => (isMore ? {} : valuesOf(cell))));
    const columns = heads[0].map((_, place) => {
      const kinds = [...new Set(rows.flatMap((row) => Object.keys(row[place] ?? {})))];
      return { title: heads.map((head) => head[place]).join(" ").trim(), kinds: kinds.length ? kinds : [""] };
    });
    const lines = rows.map((row) => columns.flatMap(({ kinds }, place) => kinds.map((kind) => number(row[place]?.[kind] ?? ""))));
    const all = [columns.flatMap(({ title, kinds }) => kinds.map((kind) => `${title} ${kind}`.trim())), ...lines];
    return all.map((line) => line.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")).join("\r\n") + "\r\n";
  }

  const SIGNS = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "−": "$-$", "±": "$\\pm$", "–": "--", "“": "``", "”": "''", "’": "'", "…": "\\dots{}", "ő": "\\H{o}", "τ": "$\\tau$", "<": "$<$", ">": "$>$" };
  const plain = (text) => text.replace(/[\\~^−±–“”’…őτ<>&%$#_{}]/g, (sign) => SIGNS[sign] ?? `\\${sign}`);

  function latex(table) {
    const cell = (each) => (each.colSpan > 1 ? `\\multicolumn{${each.colSpan}}{c}{${plain(words(each))}}` : plain(words(each)));
    const lines = (part) => rowsOf(part).map((row) => `${[...row.cells].map(cell).join(" & ")} \\\\`);
    const columns = Math.max(...[...table.rows].map((row) => [...row.cells].reduce((sum, { colSpan }) => sum + colSpan, 0)));
    const bodies = [...table.tBodies].map((body) => lines(body).join("\n")).filter(Boolean);
    const caption = table.caption ? `% ${words(table.caption)}\n` : "";
    const head = table.tHead ? `${lines(table.tHead).join("\n")}\n\\midrule\n` : "";
    return `${caption}% needs \\usepackage{booktabs}\n\\begin{tabular}{l${"r".repeat(columns - 1)}}\n\\toprule\n${head}${bodies.join("\n\\midrule\n")}\n\\bottomrule\n\\end{tabular}\n`;
  }

  const names = new Map();
  function nameOf(table) {
    const label = table.closest(".scroll")?.getAttribute("aria-label") ?? "";
    const name = label && !label.endsWith(".") ? label : table.closest("section")?.id ?? "table"; // a sentence is too long
    names.set(name, (names.get(name) ?? 0) + 1);
    return names.get(name) > 1 ? `${name} ${names.get(name)}` : name;
  }

  function saveButton(table, name, format, text) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = format;
    button.title = `Save this table as ${format}`;
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text(table)], { type: "text/plain" }));
      link.download = `${tipsRay.fileName(name)}.${format === "CSV" ? "csv" : "tex"}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
    });
    return button;
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const valueOf = (row, place) => {
      const { value } = row.cells[place].dataset;
      return value === undefined ? words(row.cells[place]) : value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value);
    };
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const order = (a, b) => {
          const [one, other] = [valueOf(a, place), valueOf(b, place)];
          if (one === null || other === null) return (one === null) - (other === null); // what is missing comes last
          return sign * (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true }));
        };
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
      });
    });
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "choice filter";
    input.type = "search";
    input.placeholder = "arm, seed 3, diverged …";
    count.setAttribute("role", "status");
    label.append("Filter", input, count);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      rows.forEach((row) => {
        const [text, name] = [row.textContent, row.dataset.words ?? ""].map((each) => each.toLowerCase());
        const names = name.split(/\s+/); // a number is that of a seed, alone
        row.hidden = !wanted.every((word) => (/^\d+$/.test(word) ? names.includes(word) : text.includes(word) || name.includes(word)));
      });
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
    });
    table.closest(".scroll").before(label);
  }

  document.querySelectorAll("table").forEach((table) => {
    const row = document.createElement("div");
    const name = nameOf(table);
    row.className = "saves";
    row.append(saveButton(table, name, "CSV", csv), saveButton(table, name, "LaTeX", latex));
    if (table.classList.contains("sortable")) sortable(table);
    (table.closest(".scroll") ?? table).before(row);
  });
})();
