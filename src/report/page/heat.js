/* A map of cells.  grid: {rows: [labels], columns: [labels], rowTitle, columnTitle, cell(r, c)}; a cell is
 * null (nothing there) or {x: value, failed: count, title, pairs: for the tooltip, pick}. */

const CELL_GAP = 0.5;

function heatLayout(grid, width) {
    const wide = Math.max(...grid.rows.map(t => t.length)) * 6.6 + 14;
    const left = Math.min(Math.max(wide, 34), width < 560 ? 118 : 230);
    const across = (width - left - 8) / grid.columns.length;
    const leftT = Math.min(Math.max(Math.max(...grid.columns.map(t => t.length)) * 6.6 + 12, 30), 150);
    const acrossT = (width - leftT - 8) / grid.rows.length;
    if (across < 7 && acrossT > across) {
        const names = Math.min(130, Math.max(...grid.rows.map(t => shortType(t).length)) * 6.2 + 10);
        const turned = acrossT < names;
        return {turned: true, left: leftT, top: turned ? names + 8 : 24, w: Math.min(acrossT, 90),
                h: grid.columns.length > 60 ? 10 : grid.columns.length > 30 ? 14 : 22, slant: turned,
                across: grid.rows.map(shortType), down: grid.columns, acrossTitle: grid.rowTitle,
                downTitle: grid.columnTitle};
    }
    const h = grid.rows.length > 60 ? 10 : grid.rows.length > 24 ? 14 : grid.rows.length > 10 ? 20 : 26;
    return {turned: false, left, top: 6, w: Math.max(4, Math.min(across, 84)), h, across: grid.columns, down: grid.rows,
            acrossTitle: grid.columnTitle, downTitle: grid.rowTitle};
}

/* Every how many labels one fits. */
function labelStep(count, size, need) {
    for (const step of [1, 2, 5, 10, 20, 50, 100])
        if (size * step >= need)
            return step;
    return count;
}

const cut = (text, most) => text.length <= most ? text : "…" + text.slice(text.length - most + 1);

function heatMap(plot, width, grid, scale, text, state) {
    const l = heatLayout(grid, width), nAcross = l.across.length, nDown = l.down.length;
    const bottom = l.turned ? 6 : 44, total = Math.max(1, l.left + nAcross * l.w + 8), height = l.top + nDown * l.h + bottom;
    const node = svg(total, height, grid.label), cells = g("g", {}), marks = g("g", {"pointer-events": "none"});
    const at = (a, d) => l.turned ? grid.cell(a, d) : grid.cell(d, a);
    const put = (a, d, cell) => {
        const x = l.left + a * l.w, y = l.top + d * l.h, w = Math.max(1, l.w - CELL_GAP), hh = Math.max(1, l.h - CELL_GAP);
        const known = !Number.isNaN(cell.x);
        const colour = known ? scale.colour(cell.x) : null;
        cells.append(g("rect", {x, y, width: w, height: hh, class: known ? null : "hole", fill: known ? css(colour) : null}));
        const size = Math.min(l.w, l.h) * 0.28;
        if (!known && cell.failed)
            marks.append(g("path", {stroke: "var(--bad)", "stroke-width": 1.3, d: `M${x + l.w / 2 - size} ${y + l.h / 2 - size}`
                + `l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}`}));
        if (known && l.w >= 46 && l.h >= 20)
            marks.append(g("text", {x: x + w / 2, y: y + l.h / 2 + 4, "text-anchor": "middle", class: "num",
                                    style: `fill:${inkOn(colour)}`}, text(cell.x)));
    };
    for (let d = 0; d < nDown; d++)
        for (let a = 0; a < nAcross; a++) {
            const cell = at(a, d);
            if (cell)
                put(a, d, cell);
        }
    add(node, [cells, marks]);
    heatLabels(node, l, height);
    heatCursor(plot, node, l, at, state);
    plot.append(node);
    return node;
}

function heatLabels(node, l, height) {
    const stepDown = labelStep(l.down.length, l.h, 13), stepAcross = labelStep(l.across.length, l.w, l.slant ? 13
        : Math.max(...l.across.map(t => t.length)) * 6.6 + 10);
    l.down.forEach((name, d) => {
        if (d % stepDown === 0)
            node.append(g("text", {x: l.left - 7, y: l.top + (d + 0.5) * l.h + 4, "text-anchor": "end", class: "num"},
                          cut(name, Math.floor((l.left - 12) / 6.3)), g("title", {}, name)));
    });
    l.across.forEach((name, a) => {
        const x = l.left + (a + 0.5) * l.w;
        if (a % stepAcross !== 0)
            return;
        if (l.slant)
            node.append(g("text", {x: 0, y: 0, transform: `translate(${x + 4} ${l.top - 7}) rotate(-90)`}, name));
        else
            node.append(g("text", {x, y: l.turned ? l.top - 6 : height - 28, "text-anchor": "middle", class: "num"}, name));
    });
    if (l.turned)
        node.append(g("text", {x: 0, y: l.top - 8}, l.downTitle));
    else
        node.append(g("text", {x: l.left + l.across.length * l.w / 2, y: height - 8, "text-anchor": "middle"},
                      l.acrossTitle));
}

/* Pointer and keyboard: a cursor that walks over the cells, what it stands on in the tooltip, Enter chooses. */
function heatCursor(plot, node, l, at, state) {
    const rings = ["cursor", "cursor2"].map(c => g("rect", {class: c, width: l.w, height: l.h, visibility: "hidden"}));
    const nAcross = l.across.length, nDown = l.down.length;
    let where = null;
    const stand = (a, d, x, y) => {
        where = [a, d];
        for (const ring of rings) {
            ring.setAttribute("x", l.left + a * l.w);
            ring.setAttribute("y", l.top + d * l.h);
            ring.setAttribute("visibility", "visible");
        }
        const cell = at(a, d);
        if (cell)
            tip.show(cell.title, cell.pairs(), x, y);
        else
            tip.hide();
    };
    const choose = () => {
        const cell = where && at(...where);
        if (cell && cell.pick && state.pick)
            state.pick(cell.pick);
    };
    node.addEventListener("pointermove", e => {
        const box = node.getBoundingClientRect(), k = node.viewBox.baseVal.width / box.width;
        const a = Math.floor(((e.clientX - box.left) * k - l.left) / l.w), d = Math.floor(((e.clientY - box.top) * k - l.top) / l.h);
        if (a >= 0 && a < nAcross && d >= 0 && d < nDown)
            stand(a, d, e.clientX, e.clientY);
        else
            tip.hide();
    });
    node.addEventListener("pointerleave", () => { tip.hide(); rings.forEach(r => r.setAttribute("visibility", "hidden")); });
    node.addEventListener("click", choose);
    node.addEventListener("keydown", e => {
        const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
        if (e.key === "Enter" || e.key === " ") {
            choose();
            e.preventDefault();
        } else if (e.key === "Escape") {
            tip.hide();
        } else if (step) {
            const a = where ? where[0] + step[0] : 0, d = where ? where[1] + step[1] : 0;
            const box = node.getBoundingClientRect();
            if (a >= 0 && a < nAcross && d >= 0 && d < nDown)
                stand(a, d, box.left + l.left + a * l.w, box.top + l.top + (d + 1) * l.h);
            e.preventDefault();
        }
    });
    node.addEventListener("blur", () => { tip.hide(); rings.forEach(r => r.setAttribute("visibility", "hidden")); });
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "application");
    node.style.cursor = "pointer";
    add(node, rings);
}

/* ---- layers by types ---- */

/* The cell of one layer and type: the middle one of its experts. */
function summary(run, key, layer, type) {
    const list = run.cells.get(layer + " " + type);
    if (!list)
        return null;
    const values = run.metrics[key] || [], known = ascending(list.map(i => values[i]).filter(x => x !== undefined && !Number.isNaN(x)));
    const failed = list.filter(i => run.failure[i] !== null).length;
    return {list, failed, known, x: known.length ? middle(known) : NaN};
}

const middle = sorted => sorted.length % 2 || sorted[sorted.length / 2] === Infinity ? sorted[Math.floor(sorted.length / 2)]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;

function cellPairs(run, cell, key) {
    const pairs = [], i = cell.list[0], one = cell.list.length === 1;
    if (one && run.failure[i] !== null)
        return [["failed", run.failure[i]]];
    if (one) {
        pairs.push([metricText(key), metricNumber(key, run.metrics[key][i])]);
        for (const k of ["snr", "kept_share", "stable_rank", "alpha"])
            if (k !== key && run.metrics[k])
                pairs.push([metricText(k), metricNumber(k, run.metrics[k][i])]);
        if (run.rows[i] > 0)
            pairs.push(["shape", `${run.rows[i]} × ${run.columns[i]}`]);
        return pairs;
    }
    pairs.push(["experts", String(cell.list.length)], ["median " + metricText(key), metricNumber(key, cell.x)],
               ["lowest", metricNumber(key, cell.known[0])], ["highest", metricNumber(key, cell.known[cell.known.length - 1])]);
    if (cell.failed)
        pairs.push(["failed", String(cell.failed)]);
    return pairs;
}

function holes(runs, key, type) {
    const items = [];
    if (runs.some(run => run.failure.some((f, i) => f !== null && (!type || run.type[i] === type))))
        items.push([swatch("hatch", "var(--bad)"), "failed"]);
    if (runs.some(run => run.metrics[key] && run.metrics[key].some(x => x === Infinity)))
        items.push([swatch("square", css(viridis(1))), "∞"]);
    return items;
}

/* Values of two runs for one matrix, as the difference that is drawn. */
function difference(a, b, how) {
    if (Number.isNaN(a) || Number.isNaN(b) || (!Number.isFinite(a) && a === b))
        return a === b ? 0 : NaN;
    return how === "relative" ? (a === 0 ? (b === 0 ? 0 : NaN) : (b - a) / Math.abs(a)) : b - a;
}

function mapFigure(page) {
    const {runs, axes} = page, state = page.state, two = runs.length === 2;
    const keys = Object.keys(METRICS).filter(k => runs.some(r => r.metrics[k]))
        .concat([...new Set(runs.flatMap(r => Object.keys(r.metrics)))].filter(k => !METRICS[k]));
    const show = {key: keys.includes("cut_predicted") ? "cut_predicted" : keys.includes("snr") && page.score === "snr" ? "snr" : keys[0], how: "auto", change: "relative"};
    const grid = (run, label, cell) => ({rows: axes.types, columns: axes.layers.map(layerText), rowTitle: "type",
                                         columnTitle: "layer", label, cell});
    const title = cell => cell.list.length === 1 ? cell.run.names[cell.list[0]] : `layer ${layerText(cell.layer)}, ${cell.type}`;
    const cellOf = (run, r, c) => {
        const cell = summary(run, show.key, axes.layers[c], axes.types[r]);
        return cell && Object.assign(cell, {run, layer: axes.layers[c], type: axes.types[r], pick: {layer: axes.layers[c], type: axes.types[r]},
            get title() { return title(cell); }, pairs: () => cellPairs(run, cell, show.key)});
    };
    const differenceOf = (r, c) => {
        const a = cellOf(runs[0], r, c), b = cellOf(runs[1], r, c);
        if (!a || !b)
            return null;
        const x = difference(a.x, b.x, show.change);
        return {x, failed: a.failed + b.failed, pick: a.pick, title: title(a), pairs: () => [
            [runs[0].label, metricNumber(show.key, a.x)], [runs[1].label, metricNumber(show.key, b.x)],
            ["difference", show.change === "relative" ? signed(x, percent(x)) : signed(x, metricNumber(show.key, x).replace(/^\+/, ""))]]};
    };
    const text = x => metricKind(show.key) === "share" ? percent(x, 0) : Math.abs(x) >= 1000 || Math.abs(x) < 0.01 && x !== 0 ? number(x)
        : !Number.isFinite(x) ? number(x) : minus(x.toPrecision(3));
    const draw = (plot, width) => {
        const values = runs.flatMap(r => axes.layers.flatMap(layer => axes.types.map(type => {
            const cell = summary(r, show.key, layer, type);
            return cell ? cell.x : NaN;
        })));
        const scale = colourScale(values, show.how, metricKind(show.key) === "signed");
        plot.append(legend([scale.empty ? null : colourBar(scale, metricText(show.key)), ...holes(runs, show.key)]));
        for (const run of runs) {
            if (two)
                plot.append(h("h3", {}, run.label));
            heatMap(plot, width, grid(run, `${metricText(show.key)} of ${run.label}, layers by types`,
                                      (r, c) => cellOf(run, r, c)), scale, text, state);
        }
        if (!two)
            return;
        const changes = axes.types.flatMap((t, r) => axes.layers.map((y, c) => (differenceOf(r, c) || {x: NaN}).x));
        const other = colourScale(changes, "linear", true);
        plot.append(h("h3", {}, `Difference: ${runs[1].label} less ${runs[0].label}`
                        + (show.change === "relative" ? ", relative to " + runs[0].label : "")),
                    legend([other.empty ? null : colourBar(other, "differences")]));
        heatMap(plot, width, grid(null, "differences of " + metricText(show.key), differenceOf), other,
                x => show.change === "relative" ? percent(x, 0) : number(x), state);
    };
    const again = () => self.redraw();
    const controls = () => [
        choice("Shown", keys.map(k => [k, metricText(k)]), show.key, k => { show.key = k; again(); }),
        choice("Colours", [["auto", "automatic"], ["linear", "linear"], ["log", "logarithmic"], ["rank", "by rank"]], show.how,
               k => { show.how = k; again(); }),
        two ? choice("Difference", [["relative", "relative"], ["absolute", "absolute"]], show.change,
                     k => { show.change = k; again(); }) : null,
        h("span", {class: "fine"}, (METRICS[show.key] || ["", show.key])[1] + (show.key === "score" && page.score ? ": " + page.score : ""))];
    const numbers = () => ({head: ["tensor", "layer", "type", ...runs.map(r => two ? show.key + " " + r.label : show.key),
                                   ...(two ? ["difference"] : [])],
        rows: page.names.map(name => {
            const at = runs.map(r => r.index.get(name)), first = at.findIndex(i => i !== undefined);
            const x = runs.map((r, k) => at[k] === undefined ? NaN : (r.metrics[show.key] || [])[at[k]]);
            return [name, runs[first].layer[at[first]], runs[first].raw.types[at[first]], ...x.map(plain),
                    ...(two ? [plain(difference(x[0], x[1], "absolute"))] : [])];
        })});
    const self = figure("map", "Map of the matrices", page.mapCaption, {controls, draw, numbers});
    return self;
}

const plain = x => x === undefined || Number.isNaN(x) ? "" : String(x);

/* ---- layers by experts, of one type ---- */

function expertFigure(page) {
    const types = [...page.axes.experts.keys()].sort(typeOrder), run = page.runs[0];
    const keys = Object.keys(METRICS).filter(k => run.metrics[k]);
    const show = {type: types[0], key: keys.includes("snr") ? "snr" : keys[0]};
    const layers = () => page.axes.layers.filter(layer => run.cells.has(layer + " " + show.type));
    const draw = (plot, width) => {
        const down = layers(), count = page.axes.experts.get(show.type), values = run.metrics[show.key];
        const table = down.map(layer => new Map(run.cells.get(layer + " " + show.type).map(i => [run.expert[i], i])));
        const scale = colourScale(table.flatMap(row => [...row.values()].map(i => values[i])), "auto",
                                  metricKind(show.key) === "signed");
        plot.append(legend([scale.empty ? null : colourBar(scale, metricText(show.key)), ...holes([run], show.key, show.type)]));
        heatMap(plot, width, {rows: down.map(layerText), columns: Array.from({length: count}, (x, k) => String(k)),
            rowTitle: "layer", columnTitle: "expert", label: `${metricText(show.key)} of ${show.type}, layers by experts`,
            cell: (r, c) => {
                const i = table[r].get(c);
                return i === undefined ? null : {x: values[i], failed: run.failure[i] !== null, title: run.names[i],
                    pick: {layer: down[r], type: show.type, expert: c}, pairs: () => cellPairs(run, {list: [i]}, show.key)};
            }}, scale, number, page.state);
    };
    const controls = () => [
        choice("Type", types.map(t => [t, t]), show.type, k => { show.type = k; self.redraw(); }),
        choice("Shown", keys.map(k => [k, metricText(k)]), show.key, k => { show.key = k; self.redraw(); })];
    const numbers = () => ({head: ["tensor", "layer", "expert", show.key],
        rows: layers().flatMap(layer => run.cells.get(layer + " " + show.type)).map(
            i => [run.names[i], run.layer[i], run.expert[i], plain(run.metrics[show.key][i])])});
    const self = figure("experts", "Experts", "One cell is the matrix of one expert; the map above has the median of each layer's experts.",
                        {controls, draw, numbers});
    return self;
}
