"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8a6d3b", "#999999"];
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const column = Object.fromEntries(D.columns.map((c) => [c.name, c]));
const bases = [...new Set(D.rows.map((r) => r.base))];
const colourOf = (row) => COLOURS[bases.indexOf(row.base) % COLOURS.length];
const shown = (name, value) => value === null || value === undefined ? "–"
  : typeof value === "string" ? value : value.toFixed(column[name] ? column[name].decimals : 3);

function element(tag, attributes = {}, text) {
  const made = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
  if (text !== undefined) made.textContent = text;
  return made;
}
function shape(tag, attributes = {}, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A scale from numbers to pixels; logarithmic where the numbers span more than a factor of 30.
function scale(values, from, to, mayLog) {
  const positive = values.filter((v) => v > 0);
  const log = mayLog && positive.length > 1 && Math.max(...positive) / Math.min(...positive) > 30;
  const floor = log ? Math.min(...positive) / 2 : 0;
  const f = (v) => (log ? Math.log10(Math.max(v, floor)) : v);
  let lo = Math.min(...values.map(f)), hi = Math.max(...values.map(f));
  const pad = (hi - lo || Math.abs(hi) || 1) * 0.08;
  lo -= pad; hi += pad;
  const at = (v) => from + ((f(v) - lo) / (hi - lo)) * (to - from);
  return { at, ticks: log ? logTicks(lo, hi) : linearTicks(lo, hi), log };
}
function linearTicks(lo, hi) {
  const raw = (hi - lo) / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-9; v += step) found.push(v);
  return found;
}
function logTicks(lo, hi) {
  const found = [];
  for (let p = Math.floor(lo); p <= Math.ceil(hi); p++)
    for (const m of hi - lo > 2.5 ? [1] : [1, 2, 5]) {
      const v = m * 10 ** p;
      if (Math.log10(v) >= lo && Math.log10(v) <= hi) found.push(v);
    }
  return found;
}
const plain = (v) => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-4) ? v.toExponential(0)
  : String(+v.toPrecision(6));

// Half of the 95 % interval behind a number, where there is one.
const sure = (row, name) => typeof row[`${name}_pm`] === "number" ? ` ±${row[`${name}_pm`].toFixed(2)}` : "";

function tip(event, row, names) {
  const box = $("tip");
  box.replaceChildren(element("b", {}, row.method));
  for (const name of names)
    if (row[name] !== null && row[name] !== undefined)
      box.append(element("div", {}, `${column[name].label}: ${shown(name, row[name])}${sure(row, name)} ${column[name].unit}`));
  box.append(element("div", {}, `${row.clips} clips`));
  box.style.display = "block";
  const place = event.target.getBoundingClientRect();
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(innerWidth - size.width - 8, place.right + 8))}px`;
  box.style.top = `${Math.max(8, Math.min(innerHeight - size.height - 8, place.top - 8))}px`;
}
const hideTip = () => { $("tip").style.display = "none"; };

// A unit of a drawing is a pixel of the page, so that its letters are as large as the page's.
const widthOf = (id) => Math.max(280, Math.min($(id).clientWidth || 900, 1180));
// Parameters go first, then the middle: methods differ at their ends.
function shortened(name, most) {
  const bare = name.length > most ? name.replace(/\[[^\]]*\]/g, "[…]") : name;
  const tail = most >> 1;
  return bare.length > most ? bare.slice(0, most - tail - 1) + "…" + bare.slice(-tail) : bare;
}
// A cell with a method's name, which breaks before its parts where it must.
function nameCell(name) {
  const cell = element("td", { title: name });
  name.split(/(?=[+@])/).forEach((part, i) => cell.append(...(i ? [element("wbr"), part] : [part])));
  return cell;
}

function drawPlot() {
  const x = $("x").value, y = $("y").value;
  const rows = D.rows.filter((r) => typeof r[x] === "number" && typeof r[y] === "number");
  const width = widthOf("plot"), narrow = width < 560, height = narrow ? 360 : 430;
  const left = 58, right = narrow ? 16 : 30, top = 12, bottom = 44;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(shape("title", {}, `${column[y].label} against ${column[x].label}`));
  $("plot").replaceChildren(svg);
  if (!rows.length) {
    svg.append(shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "no method has both numbers"));
    return;
  }
  const across = scale(rows.map((r) => r[x]), left, width - right, true);
  const up = scale(rows.map((r) => r[y]), height - bottom, top, false);
  for (const t of up.ticks) {
    svg.append(shape("line", { x1: left, x2: width - right, y1: up.at(t), y2: up.at(t), class: "grid" }));
    svg.append(shape("text", { x: left - 6, y: up.at(t) + 4, "text-anchor": "end", class: "soft" }, plain(t)));
  }
  for (const t of apart(across, width)) {
    svg.append(shape("line", { y1: top, y2: height - bottom, x1: across.at(t), x2: across.at(t), class: "grid" }));
    svg.append(shape("text", { x: across.at(t), y: height - bottom + 16, "text-anchor": "middle", class: "soft" }, plain(t)));
  }
  const unit = (n) => (column[n].unit ? ` (${column[n].unit})` : "");
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, column[x].label + unit(x)));
  svg.append(shape("text", { x: 14, y: (top + height - bottom) / 2, "text-anchor": "middle",
    transform: `rotate(-90 14 ${(top + height - bottom) / 2})` }, column[y].label));
  drawFront(svg, rows, x, y, across, up);
  const taken = [];
  const ordered = [...rows].sort((a, b) => b[y] - a[y]);
  for (const row of ordered) {
    const dot = shape("circle", { cx: across.at(row[x]), cy: up.at(row[y]), r: 6, fill: colourOf(row),
      class: "dot" + (picked.has(row.method) ? " on" : "") + (row.lacks ? " few" : ""), tabindex: 0, "aria-label": row.method });
    const names = [y, x, "interval", "gmac_per_frame", "fps", "ms_p50", "params_m"].filter((n) => column[n]);
    dot.addEventListener("mouseenter", (e) => tip(e, row, [...new Set(names)]));
    dot.addEventListener("focus", (e) => tip(e, row, [...new Set(names)]));
    dot.addEventListener("mouseleave", hideTip);
    dot.addEventListener("blur", hideTip);
    dot.addEventListener("click", () => pick(row.method, !picked.has(row.method)));
    dot.addEventListener("keydown", (e) => { if (e.key === "Enter") pick(row.method, !picked.has(row.method)); });
    svg.append(dot);
    taken.push([across.at(row[x]) - 7, up.at(row[y]) - 7, across.at(row[x]) + 7, up.at(row[y]) + 7]);
  }
  for (const row of ordered) label(svg, row, across.at(row[x]), up.at(row[y]), taken, width, narrow);
}
// Ticks whose numbers do not touch.
function apart(axis, width) {
  let last = -Infinity;
  return axis.ticks.filter((t) => {
    const half = plain(t).length * 3.6 + 4, at = axis.at(t);
    if (at - half < last || at + half > width) return false;
    last = at + half;
    return true;
  });
}
function drawFront(svg, rows, x, y, across, up) {
  const sign = column[y].better === "lower" ? -1 : 1, cost = column[x].better === "higher" ? -1 : 1;
  const sorted = rows.filter((r) => !r.lacks).sort((a, b) => cost * (a[x] - b[x]) || sign * (b[y] - a[y]));
  let best = -Infinity, path = "";
  for (const row of sorted)
    if (sign * row[y] > best) {
      best = sign * row[y];
      const px = across.at(row[x]), py = up.at(row[y]);
      path += path ? `H${px}V${py}` : `M${px} ${py}`;
    }
  if (path) svg.append(shape("path", { d: path, class: "front" }));
}
// A name stands beside its point where there is room for it; otherwise hovering tells it.
function label(svg, row, px, py, taken, width, narrow) {
  const text = shortened(row.method, narrow ? 26 : 44);
  const w = text.length * 6.1 + 4, h = 13;
  const places = [[px + 9, py - 6], [px - 9 - w, py - 6], [px - w / 2, py - 22], [px - w / 2, py + 9], [px + 9, py - 19], [px + 9, py + 7]];
  for (const [lx, ly] of places) {
    const box = [lx, ly, lx + w, ly + h];
    const free = lx > 58 && lx + w < width && ly > 0 &&
      !taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3]);
    if (free) {
      taken.push(box);
      svg.append(shape("text", { x: lx + 2, y: ly + 10.5, class: "name" }, text));
      return;
    }
  }
}

let sortedBy = null, falling = true;
function drawTable() {
  const names = D.columns.map((c) => c.name);
  const wanted = $("filter").value.toLowerCase();
  const rows = D.rows.filter((r) => r.method.toLowerCase().includes(wanted));
  if (sortedBy) rows.sort((a, b) => compare(a[sortedBy], b[sortedBy], falling));
  const head = element("tr");
  for (const name of ["method", "clips", ...names]) {
    const cell = element("th", { scope: "col", title: column[name] ? column[name].what : "" });
    const button = element("button", { type: "button" }, column[name] ? column[name].label : name);
    button.addEventListener("click", () => {
      falling = sortedBy === name ? !falling : column[name] ? column[name].better !== "lower" : false;
      sortedBy = name;
      drawTable();
    });
    if (sortedBy === name) cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
    cell.append(button);
    head.append(cell);
  }
  const ranks = Object.fromEntries(names.map((n) => [n, bestTwo(n)]));
  const body = element("tbody");
  for (const row of rows) body.append(methodRow(row, names, ranks));
  const thead = element("thead");
  thead.append(head);
  $("table").replaceChildren(thead, body);
}
function methodRow(row, names, ranks) {
  const line = element("tr");
  line.append(nameCell(row.method));
  const few = row.lacks ? `without ${row.lacks}: no rank` : row.status;
  line.append(element("td", row.status === "ok" ? {} : { class: "bad", title: few }, row.clips));
  for (const name of names) {
    const text = shown(name, row[name]);
    const cell = element("td", {}, text);
    if (row.lacks) cell.className = "few";
    else if (text === ranks[name][0]) cell.className = "best";
    else if (text === ranks[name][1]) cell.className = "second";
    if (sure(row, name)) cell.append(element("span", { class: "pm" }, sure(row, name)));
    line.append(cell);
  }
  return line;
}
function bestTwo(name) {
  if (column[name].better === "neither" || D.rows.length < 2) return [];
  const values = D.rows.filter((r) => !r.lacks).map((r) => r[name]).filter((v) => typeof v === "number");
  values.sort((a, b) => (column[name].better === "higher" ? b - a : a - b));
  return [...new Set(values.map((v) => shown(name, v)))].slice(0, 2);
}
function compare(a, b, falls) {
  const missing = (v) => v === null || v === undefined;
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return falls ? -order : order;
}

const picked = new Set(D.rows.slice(0, 4).map((r) => r.method));
function pick(method, on) {
  if (on) picked.add(method); else picked.delete(method);
  drawPlot();
  drawClip();
}
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
// Four frames a byte, two bits each: keyframe, propagated, fallback, skipped.
function kindsOf(text, n) {
  const packed = bytes(text), found = [];
  for (let i = 0; i < n; i++) found.push("KIFX"[(packed[i >> 2] >> (2 * (i & 3))) & 3]);
  return found;
}
const METHOD_COLOURS = Object.fromEntries(D.rows.map((r, i) => [r.method, COLOURS[i % COLOURS.length]]));

function drawClip() {
  const clip = D.clips.find((c) => c.name === $("clip").value);
  if (!clip) return;
  $("tags").textContent = clip.tags.length ? clip.tags.join(" ") : "";
  drawPicks();
  drawStrip(clip);
  drawTimeline(clip);
  const names = D.columns.map((c) => c.name).filter((n) => D.rows.some((r) => (D.cells[r.method]?.[clip.name]?.numbers || {})[n] !== undefined));
  const head = element("tr");
  for (const n of ["method", ...names, "problem"]) head.append(element("th", { scope: "col" }, column[n] ? column[n].label : n));
  const body = element("tbody");
  for (const row of D.rows) {
    const cell = D.cells[row.method]?.[clip.name];
    if (!cell) continue;
    const line = element("tr");
    line.append(nameCell(row.method));
    for (const n of names) line.append(element("td", {}, shown(n, (cell.numbers || {})[n])));
    line.append(element("td", { class: "bad" }, cell.problem || ""));
    body.append(line);
  }
  const thead = element("thead");
  thead.append(head);
  $("perclip").replaceChildren(thead, body);
}
function drawPicks() {
  $("picks").replaceChildren(...D.rows.map((row) => {
    const label = element("label");
    const box = element("input", { type: "checkbox" });
    box.checked = picked.has(row.method);
    box.addEventListener("change", () => pick(row.method, box.checked));
    label.append(box, element("span", { class: "swatch", style: `background:${METHOD_COLOURS[row.method]}` }), row.method);
    return label;
  }));
}
function drawStrip(clip) {
  $("strip").replaceChildren(...clip.strip.map((frame) => {
    const figure = element("figure");
    const svg = shape("svg", { viewBox: `0 0 ${frame.width} ${frame.height}`, role: "img" });
    svg.append(shape("image", { href: `data:image/jpeg;base64,${frame.jpeg}`, width: frame.width, height: frame.height }));
    const draw = (box, colour, dash) => svg.append(shape("rect", { x: box[0], y: box[1], width: Math.max(box[2], 0), height: Math.max(box[3], 0),
      fill: "none", stroke: colour, "stroke-width": frame.width / 130, ...(dash ? { "stroke-dasharray": frame.width / 60 } : {}) }));
    for (const box of frame.truth) draw(box, "#ffffff", true);
    for (const method of picked)
      for (const box of D.cells[method]?.[clip.name]?.boxes?.[frame.index] || []) draw(box, METHOD_COLOURS[method], false);
    figure.append(svg, element("figcaption", {}, `frame ${frame.index}`));
    return figure;
  }));
}
function drawTimeline(clip) {
  const cells = [...picked].map((m) => [m, D.cells[m]?.[clip.name]]).filter(([, c]) => c && c.kinds);
  const width = widthOf("timeline"), left = 46, right = 12, rowHeight = 9, plotHeight = cells.some(([, c]) => c.iou) ? 170 : 0;
  const top = 8, height = top + plotHeight + 24 + cells.length * rowHeight + 22;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(shape("title", {}, `overlap and kind of step over the frames of ${clip.name}`));
  const at = (frame) => left + (frame / Math.max(clip.frames - 1, 1)) * (width - left - right);
  if (plotHeight) {
    for (const v of [0, 0.25, 0.5, 0.75, 1]) {
      const y = top + plotHeight * (1 - v);
      svg.append(shape("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }));
      svg.append(shape("text", { x: left - 5, y: y + 4, "text-anchor": "end", class: "soft" }, v));
    }
    svg.append(shape("text", { x: 10, y: top + plotHeight / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${top + plotHeight / 2})` }, D.many ? "mean IoU of objects" : "IoU"));
  }
  cells.forEach(([method, cell], index) => {
    if (cell.iou) {
      let path = "", down = false;
      bytes(cell.iou).forEach((v, i) => {
        if (v === 255) { down = false; return; }
        path += `${down ? "L" : "M"}${at(i * cell.stride).toFixed(1)} ${(top + plotHeight * (1 - v / 254)).toFixed(1)}`;
        down = true;
      });
      svg.append(shape("path", { d: path, fill: "none", stroke: METHOD_COLOURS[method], "stroke-width": 1.6 }));
    }
    const y = top + plotHeight + 18 + index * rowHeight;
    svg.append(shape("rect", { x: left - 12, y: y, width: 7, height: 7, fill: METHOD_COLOURS[method] }));
    kindsOf(cell.kinds, clip.frames).forEach((kind, frame) => {
      const colour = { K: "#0072B2", F: "#D55E00", X: "#bbbbbb" }[kind];
      const step = (width - left - right) / clip.frames;
      if (colour) svg.append(shape("rect", { x: at(frame) - step / 2, y, width: Math.max(step * 0.9, 0.8), height: 7, fill: colour }));
    });
  });
  const y = height - 6;
  const told = width > 500 ? "blue: keyframe · orange: fallback, pays both · empty: propagated · grey: skipped" : "blue: key · orange: fallback · empty: propagated";
  svg.append(shape("text", { x: left, y, class: "soft" }, told));
  if (width > 500) svg.append(shape("text", { x: width - right, y, "text-anchor": "end", class: "soft" }, `${clip.frames} frames`));
  $("timeline").replaceChildren(svg);
}

function start() {
  $("about").textContent = D.about;
  for (const sentence of D.brief) $("brief").append(element("li", {}, sentence));
  const numbers = D.columns.filter((c) => D.rows.some((r) => typeof r[c.name] === "number"));
  for (const [id, wanted] of [["x", D.x], ["y", D.y]]) {
    for (const c of numbers) $(id).append(element("option", { value: c.name }, c.label));
    if (numbers.some((c) => c.name === wanted)) $(id).value = wanted;
    $(id).addEventListener("change", drawPlot);
  }
  for (const clip of D.clips) $("clip").append(element("option", { value: clip.name }, clip.name));
  $("clip").addEventListener("change", drawClip);
  $("filter").addEventListener("input", drawTable);
  for (const [key, value] of D.manifest) {
    const line = element("tr");
    line.append(element("td", {}, key), element("td", {}, value));
    $("manifest").append(line);
  }
  for (const c of D.columns) $("words").append(element("dt", {}, c.label), element("dd", {}, c.what));
  drawPlot();
  drawTable();
  drawClip();
  addEventListener("resize", () => { drawPlot(); drawClip(); });
}
start();
