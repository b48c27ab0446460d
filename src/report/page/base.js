"use strict";
/* What all parts share: making elements, numbers as text, the tooltip, the frame of a figure. */

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

/* Values with infinities, in order. */
const ascending = list => list.slice().sort((a, b) => a < b ? -1 : a > b ? 1 : 0);

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

/* ---- controls ---- */

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

/* ---- figures that came drawn with the page ---- */

const drawings = new Map();

/* The element with a figure's drawings for each width of the page, or null. */
function drawn(id) {
    if (!drawings.has(id))
        drawings.set(id, document.getElementById("figure-" + id));
    return drawings.get(id);
}

/* Where the plot of a drawing stands and what its x axis says; at(event): the value below a pointer. */
function frameOf(node) {
    const [from, to, left, right] = node.dataset.x.split(" ").map(Number), [top, bottom] = node.dataset.y.split(" ").map(Number);
    return {from, to, left, right, top, bottom, at: e => from + (pointX(node, e) - left) / (right - left) * (to - from),
            place: x => left + (x - from) / (to - from || 1) * (right - left)};
}

/* A pointer in the drawing's own coordinates. */
const scaleOf = node => node.getBoundingClientRect().width / node.viewBox.baseVal.width || 1;
const pointX = (node, e) => (e.clientX - node.getBoundingClientRect().left) / scaleOf(node);
const pointY = (node, e) => (e.clientY - node.getBoundingClientRect().top) / scaleOf(node);

/* A line that shows where on the x axis the pointer is; move(null) hides it. */
function cursorLine(node) {
    const {top, bottom} = frameOf(node), line = g("line", {class: "cursor-line", y1: top, y2: bottom, visibility: "hidden"});
    node.append(line);
    return x => {
        line.setAttribute("x1", x);
        line.setAttribute("x2", x);
        line.setAttribute("visibility", x === null ? "hidden" : "visible");
    };
}

/* The drawing with the colours of the page written out, for use elsewhere. */
function standalone(node) {
    const copied = node.cloneNode(true), own = [node, ...node.querySelectorAll("*")], box = node.viewBox.baseVal;
    [copied, ...copied.querySelectorAll("*")].forEach((e, i) => {
        const style = getComputedStyle(own[i]);
        for (const key of ["fill", "stroke"])
            if (e.hasAttribute(key) || e.hasAttribute("class"))
                e.setAttribute(key, style[key]);
    });
    copied.querySelectorAll(".cursor, .cursor2, .cursor-line").forEach(e => e.remove());
    copied.setAttribute("xmlns", SVG);
    copied.setAttribute("width", box.width);
    copied.setAttribute("height", box.height);
    copied.setAttribute("style", "font:12px sans-serif;background:" + getComputedStyle(document.body).backgroundColor);
    copied.setAttribute("fill", getComputedStyle(node).fill);
    return new XMLSerializer().serializeToString(copied);
}

const isShown = node => node.getBoundingClientRect().width > 0;

/* A part of the page with a figure.  draw(plot) fills an element; numbers() gives {head, rows}: what was drawn. */
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
            h("button", {type: "button", onclick: () => [...plot.querySelectorAll("svg")].filter(isShown).forEach((node, i) =>
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
            bar.replaceChildren();
            add(bar, [controls ? controls() : []]);
            plot.replaceChildren();
            draw(plot);
            if (!panel.hidden)
                area.value = tsv();
        },
    };
    self.redraw();
    return self;
}
