"use strict";
/* What all figures share: making elements, numbers as text, scales, colours, the tooltip. */

const SVG = "http://www.w3.org/2000/svg";

function add(node, children) {
    for (const child of children.flat(Infinity))
        if (child !== null && child !== undefined && child !== false)
            node.append(child);
    return node;
}

/* h("p", {class: "x", onclick: f}, "text", node, ...): texts become text nodes, never markup. */
function h(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (key.startsWith("on"))
            node.addEventListener(key.slice(2), value);
        else if (value !== null && value !== undefined && value !== false)
            node.setAttribute(key, value === true ? "" : value);
    }
    return add(node, children);
}

function g(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes || {}))
        if (value !== null && value !== undefined)
            node.setAttribute(key, typeof value === "number" ? Math.round(value * 100) / 100 : value);
    return add(node, children);
}

function svg(width, height, label) {
    return g("svg", {width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label,
                     xmlns: SVG});
}

/* ---- numbers ---- */

function number(x) {
    if (x === null || x === undefined || Number.isNaN(x))
        return "–";
    if (x === Infinity)
        return "∞";
    if (x === -Infinity)
        return "−∞";
    const a = Math.abs(x);
    if (a !== 0 && (a < 1e-3 || a >= 1e7))
        return minus(x.toExponential(2).replace("e+", "e"));
    if (Number.isInteger(x) || a >= 1e4)
        return minus(Math.round(x).toLocaleString("en-US").replace(/,/g, "\u202f"));
    return minus(x.toPrecision(4));
}

/* With a true minus, and none before a zero. */
function minus(text) {
    return text.replace(/^-(?=[0.]*$)/, "").replace("-", "−");
}

function signed(x, text) {
    return x > 0 ? "+" + text : text;
}

function percent(x, digits) {
    return x === null || !Number.isFinite(x) ? "–" : minus((100 * x).toFixed(digits === undefined ? 1 : digits)) + " %";
}

function time(s) {
    if (!Number.isFinite(s))
        return "–";
    if (s > 0 && s < 0.1)
        return Number((1000 * s).toPrecision(2)) + " ms";
    if (s < 60)
        return (s < 10 ? s.toPrecision(2) : s.toFixed(0)) + " s";
    if (s < 3600)
        return Math.floor(s / 60) + " min " + String(Math.floor(s % 60)).padStart(2, "0") + " s";
    return Math.floor(s / 3600) + " h " + String(Math.floor(s / 60 % 60)).padStart(2, "0") + " min";
}

function bytes(n) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let k = 0;
    for (; n >= 1024 && k < 4; k++)
        n /= 1024;
    return (k > 0 ? n.toPrecision(3) : n) + " " + units[k];
}

const finite = list => list.filter(Number.isFinite);

function quantile(sorted, q) {
    const at = q * (sorted.length - 1), i = Math.floor(at);
    return sorted.length === 0 ? NaN : i + 1 < sorted.length ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i])
                                                             : sorted[i];
}

/* Values with infinities, in order. */
const ascending = list => list.slice().sort((a, b) => a < b ? -1 : a > b ? 1 : 0);

/* ---- scales ---- */

function linear(from, to, start, end) {
    const scale = x => start + (x - from) / (to - from || 1) * (end - start);
    scale.ticks = count => {
        const rough = (to - from) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough)), list = [];
        const step = [1, 2, 2.5, 5, 10].find(k => k * power >= rough * 0.999) * power;
        if (!(step > 0) || !Number.isFinite(step))
            return [from];
        for (let k = Math.ceil(from / step - 1e-9); k * step <= to + step * 1e-9; k++)
            list.push(Number((k * step).toPrecision(12)));
        return list;
    };
    scale.text = x => x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5) ? number(x) : trimmed(x);
    return scale;
}

function logarithmic(from, to, start, end) {
    const a = Math.log10(from), b = Math.log10(to);
    const scale = x => start + (Math.log10(x) - a) / (b - a || 1) * (end - start);
    scale.ticks = count => {
        const list = [], every = Math.max(1, Math.round((b - a) / count));
        for (let k = Math.ceil(a - 1e-9); k <= b + 1e-9; k++)
            if (k % every === 0)
                list.push(10 ** k);
        if (list.length >= 3 || b - a > 2.5)
            return list;
        const more = [];
        for (let k = Math.floor(a); k <= b; k++)
            for (const m of b - a < 0.7 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5])
                if (m * 10 ** k >= from * 0.999 && m * 10 ** k <= to * 1.001)
                    more.push(Number((m * 10 ** k).toPrecision(6)));
        return more.length > 1 ? more : [from, to];
    };
    scale.text = x => x >= 1e5 || x < 1e-3 ? "10" + superscript(Math.round(Math.log10(x))) : trimmed(x);
    return scale;
}

const trimmed = x => minus(String(Number(x.toPrecision(4))));
const superscript = k => String(k).replace(/./g, c => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻");

/* ---- colours ---- */

/* viridis, by every sixteenth of its table. */
const VIRIDIS = ["440154", "48186a", "472d7b", "424086", "3b528b", "33638d", "2c728e", "26828e", "21918c", "1fa088",
                 "28ae80", "3fbc73", "5ec962", "84d44b", "addc30", "d8e219", "fde725"];
const BLUE_ORANGE = {light: ["2166ac", "5f9fce", "b3d3e8", "f4f4f2", "f6c79a", "dd8438", "a3470a"],
                     dark: ["7cc0f5", "4a8fc4", "2b567a", "2a2f35", "74501f", "c07f2c", "f7b65a"]};

const rgb = hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16));

function ramp(table) {
    const colours = table.map(rgb);
    return t => {
        const at = Math.min(1, Math.max(0, t)) * (colours.length - 1), i = Math.min(colours.length - 2, Math.floor(at));
        return colours[i].map((c, k) => Math.round(c + (at - i) * (colours[i + 1][k] - c)));
    };
}

const viridis = ramp(VIRIDIS);
const css = c => `rgb(${c.join(" ")})`;
const inkOn = c => 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] > 140 ? "#111" : "#fff";
let printing = false;
const dark = () => !printing && matchMedia("(prefers-color-scheme: dark)").matches;

/* A scale from values to colours.  how: "auto", "linear", "log", "rank"; diverging: 0 in the middle. */
function colourScale(values, how, diverging) {
    const sorted = ascending(finite(values)), low = sorted[0], high = sorted[sorted.length - 1];
    const scale = {empty: sorted.length === 0, low, high, how};
    let place;
    if (diverging) {
        /* A few far values share the last colour. */
        const sizes = ascending(sorted.map(Math.abs)), all = sizes[sizes.length - 1], usual = quantile(sizes, 0.95);
        const most = all > 2.5 * usual && usual > 0 ? usual : all || 1;
        scale.cut = most < all;
        const colours = ramp(BLUE_ORANGE[dark() ? "dark" : "light"]);
        scale.low = -most;
        scale.high = most;
        scale.how = "linear";
        place = linear(-most, most, 0, 1);
        scale.colour = x => colours(x === Infinity ? 1 : x === -Infinity ? 0 : place(x));
    } else {
        if (how === "auto")
            scale.how = low > 0 && high / low > 20 ? "log" : "linear";
        if (scale.how === "log" && !(low > 0)) {
            const positive = sorted.find(x => x > 0);
            scale.how = positive ? "log" : "linear";
            scale.low = positive || low;
        }
        if (scale.how === "rank")
            place = x => {
                let a = 0, b = sorted.length;
                while (a < b) {
                    const middle = (a + b) >> 1;
                    if (sorted[middle] < x)
                        a = middle + 1;
                    else
                        b = middle;
                }
                return sorted.length > 1 ? a / (sorted.length - 1) : 0.5;
            };
        else
            place = (scale.how === "log" ? logarithmic : linear)(scale.low, scale.high, 0, 1);
        scale.colour = x => viridis(x === Infinity ? 1 : x === -Infinity || (scale.how === "log" && x <= 0) ? 0
                                    : scale.high > scale.low ? place(x) : 0.5);
    }
    scale.place = place;
    scale.sorted = sorted;
    return scale;
}

/* The colours of a scale as a list item for a legend. */
function colourBar(scale, title) {
    const width = 190, bar = svg(width + 30, 34, "colours of " + title), n = 40;
    const at = t => scale.how === "rank" ? quantile(scale.sorted, t)
        : scale.how === "log" ? scale.low * (scale.high / scale.low) ** t : scale.low + t * (scale.high - scale.low);
    for (let i = 0; i < n; i++)
        bar.append(g("rect", {x: 15 + i * width / n, y: 2, width: width / n + 0.6, height: 11,
                              fill: css(scale.colour(at((i + 0.5) / n)))}));
    let ticks = scale.how === "rank" ? [0, 0.5, 1].map(t => ({t, x: at(t)}))
        : (scale.how === "log" ? logarithmic : linear)(scale.low, scale.high, 0, 1).ticks(4)
            .map(x => ({t: scale.place(x), x}));
    if (!(scale.high > scale.low))
        ticks = [{t: 0.5, x: scale.low}];
    for (let i = ticks.length - 1, last = 2; i >= 0; i--) {
        if (last - ticks[i].t < 0.2)
            continue;
        last = ticks[i].t;
        bar.append(g("text", {x: 15 + width * ticks[i].t, y: 28, "text-anchor": "middle", class: "num"},
                     ticks[i].x !== 0 && Math.abs(ticks[i].x) < 1e-3 || Math.abs(ticks[i].x) >= 1e5
                         ? number(ticks[i].x) : trimmed(ticks[i].x)));
    }
    return h("li", {}, bar, scale.cut ? `up to ${number(Math.max(-scale.sorted[0], scale.sorted[scale.sorted.length - 1]))} in the last colour` : "");
}

/* ---- the tooltip ---- */

const tip = {
    show(title, pairs, x, y) {
        const box = document.getElementById("tip");
        box.replaceChildren(h("b", {}, title), pairs.length ? h("dl", {}, pairs.map(
            ([key, value]) => [h("dt", {}, key), h("dd", {}, value)])) : "");
        box.hidden = false;
        const size = box.getBoundingClientRect(), room = document.documentElement.clientWidth;
        const left = Math.max(8, Math.min(x + 14, room - size.width - 8));
        const below = y + 18 + size.height < innerHeight;
        box.style.left = left + "px";
        box.style.top = Math.max(8, below ? y + 18 : y - size.height - 12) + "px";
    },
    hide() {
        document.getElementById("tip").hidden = true;
    },
};

/* ---- axes ---- */

function axisX(node, scale, ticks, y, title, options) {
    const o = options || {};
    for (const t of ticks) {
        if (o.grid)
            node.append(g("line", {class: "grid", x1: scale(t), x2: scale(t), y1: o.grid, y2: y}));
        node.append(g("text", {x: scale(t), y: y + 16, "text-anchor": "middle", class: "num"}, scale.text(t)));
    }
    if (title)
        node.append(g("text", {x: o.middle, y: y + 34, "text-anchor": "middle"}, title));
}

function axisY(node, scale, ticks, left, right, title) {
    for (const t of ticks) {
        node.append(g("line", {class: "grid", x1: left, x2: right, y1: scale(t), y2: scale(t)}));
        node.append(g("text", {x: left - 7, y: scale(t) + 4, "text-anchor": "end", class: "num"}, scale.text(t)));
    }
    if (title)
        node.append(g("text", {x: left, y: 11, "text-anchor": "start"}, title));
}

const path = points => points.map((p, i) => (i ? "L" : "M") + p[0].toFixed(1) + " " + p[1].toFixed(1)).join("");

/* A short line or square for a legend. */
function swatch(kind, colour, dash) {
    const node = svg(22, 12, "");
    node.setAttribute("aria-hidden", "true");
    if (kind === "line")
        node.append(g("line", {x1: 0, x2: 22, y1: 6, y2: 6, stroke: colour, "stroke-width": 2, "stroke-dasharray": dash}));
    else if (kind === "dot")
        node.append(g("circle", {cx: 11, cy: 6, r: 4.5, fill: colour}));
    else if (kind === "ring")
        node.append(g("circle", {cx: 11, cy: 6, r: 4, fill: "none", stroke: colour, "stroke-width": 1.6}));
    else if (kind === "cross")
        node.append(g("path", {d: "M7.5 2.5l7 7m0 -7l-7 7", stroke: colour, "stroke-width": 1.6}));
    else if (kind === "up")
        node.append(g("path", {d: "M7 10h8l-4 -7z", fill: colour}));
    else if (kind === "hatch")
        add(node, [g("rect", {x: 5, y: 0, width: 12, height: 12, class: "hole"}),
                   g("path", {d: "M7 2l8 8m0 -8l-8 8", stroke: colour, "stroke-width": 1.3})]);
    else
        node.append(g("rect", {x: 5, y: 0, width: 12, height: 12, fill: colour}));
    return node;
}

function legend(items) {
    return h("ul", {class: "legend"}, items.filter(Boolean).map(
        item => item instanceof Node ? item : h("li", {}, item[0], h("span", {}, item.slice(1)))));
}

/* ---- figures ---- */

const figures = [];

function choice(label, options, value, onchange) {
    const select = h("select", {onchange: e => onchange(e.target.value)}, options.map(
        ([key, text]) => h("option", {value: key, selected: String(key) === String(value)}, text)));
    return h("label", {}, label, select);
}

async function copy(text, button) {
    const before = button.textContent;
    try {
        await navigator.clipboard.writeText(text);
    } catch (e) {
        const area = h("textarea", {style: "position:fixed;opacity:0"});
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
}

function save(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], {type})), link = h("a", {href: url, download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/* The drawing with the colours of the page written out, for use elsewhere. */
function standalone(node) {
    const copied = node.cloneNode(true), style = getComputedStyle(document.documentElement);
    const filled = text => text.replace(/var\((--[a-z]+)\)/g, (all, name) => style.getPropertyValue(name).trim());
    for (const e of copied.querySelectorAll("*"))
        for (const a of [...e.attributes])
            a.value = filled(a.value);
    const colours = ["fg", "muted", "faint", "line", "hole", "bg"].map(
        c => `--${c}:${style.getPropertyValue("--" + c).trim()}`).join(";");
    copied.prepend(g("style", {}, `svg{${colours};background:var(--bg);font:12px sans-serif;fill:var(--muted)}`
        + ".grid{stroke:var(--line)}.axis{stroke:var(--faint);fill:none}.label{fill:var(--fg)}"
        + ".strong{fill:var(--fg);font-weight:600}.hole{fill:var(--hole)}.cursor,.cursor2{display:none}"));
    return new XMLSerializer().serializeToString(copied);
}

/* A figure of the page.  draw(plot, width) fills an element; numbers() gives {head, rows}: what was drawn. */
function figure(id, title, caption, {controls, draw, numbers}) {
    const plot = h("div", {class: "plot"}), area = h("textarea", {readonly: true, "aria-label": "numbers of " + title});
    const tsv = () => {
        const table = numbers();
        const cell = x => x === null || x === undefined ? "" : typeof x === "string" ? x.replace(/[\t\n\r]/g, " ") : x;
        return [table.head, ...table.rows].map(row => row.map(cell).join("\t")).join("\n") + "\n";
    };
    const panel = h("div", {class: "numbers", hidden: true},
        h("div", {class: "bar"},
            h("button", {type: "button", onclick: e => copy(area.value, e.target)}, "Copy"),
            h("button", {type: "button", onclick: () => save(id + ".tsv", "text/tab-separated-values", area.value)},
                "Save as .tsv"),
            h("button", {type: "button", onclick: () => plot.querySelectorAll("svg").forEach((node, i) =>
                save(id + (i ? "-" + (i + 1) : "") + ".svg", "image/svg+xml", standalone(node)))}, "Save figure as .svg")),
        area);
    const toggle = h("button", {type: "button", "aria-expanded": "false", onclick: () => {
        panel.hidden = !panel.hidden;
        toggle.setAttribute("aria-expanded", String(!panel.hidden));
        if (!panel.hidden)
            area.value = tsv();
    }}, "Numbers");
    const bar = h("div", {class: "bar"});
    const self = {
        id, tsv,
        element: h("section", {id, class: "figure"}, h("div", {class: "head"}, h("h2", {}, title), toggle), h("p", {class: "caption"}, caption),
            h("figure", {"aria-label": title}, bar, plot), panel),
        redraw() {
            const width = Math.floor(plot.clientWidth);
            if (width <= 0)
                return;
            self.width = width;
            bar.replaceChildren();
            add(bar, [controls ? controls() : []]);
            plot.replaceChildren();
            draw(plot, width);
            if (!panel.hidden)
                area.value = tsv();
        },
    };
    figures.push(self);
    return self;
}

function redrawAll() {
    tip.hide();
    for (const f of figures)
        f.redraw();
}
