/* The spectrum of one matrix, and small ones of its whole layer. */

const MARKS = [["edge", "true Marchenko–Pastur edge", "var(--curve)", null],
               ["compat", "threshold of laserRMT (compat)", "var(--compat)", "6 4"],
               ["threshold", "threshold of this run", "var(--own)", "1.5 3"]];

/* The marks of a sketch; the run's threshold is left out where it is one of the others. */
function marksOf(s) {
    return MARKS.filter(([key]) => Number.isFinite(s[key]) && (key !== "threshold"
        || (Math.abs(s.threshold - s.edge) > 1e-5 * s.edge && Math.abs(s.threshold - s.compat) > 1e-5 * s.compat)));
}

const binWidth = s => (s.high - s.low) / s.counts.length;
const binDensity = (s, k) => s.counts[k] / (s.n * binWidth(s));

/* From which value on singular values are kept. */
function keptFrom(run, i, s) {
    if (Number.isFinite(s.threshold))
        return s.threshold;
    const k = run.metrics.rank ? run.metrics.rank[i] : NaN;
    if (!(k >= 0) || !s.ranks)
        return NaN;
    const at = s.ranks.findIndex(r => r > k);
    return at < 0 ? 0 : s.values[at];
}

/* The fitted density at s, from the curve that came with the page. */
function curveAt(s, x) {
    if (!s.curve || !(s.level > 0))
        return NaN;
    const {u, f} = s.curve, y = x / s.level;
    if (y < u[0] || y > u[u.length - 1])
        return 0;
    const k = Math.min(u.length - 2, Math.max(0, u.findIndex(v => v >= y) - 1));
    return (f[k] + (y - u[k]) / (u[k + 1] - u[k] || 1) * (f[k + 1] - f[k])) / s.level;
}

function densityPlot(width, height, run, i, s, other, small) {
    const node = svg(width, height, `density of the singular values of ${run.names[i]}`);
    const left = small ? 2 : 46, right = width - (small ? 2 : 14), top = small ? 4 : 22, bottom = height - (small ? 4 : 40);
    const low = other ? Math.min(s.low, other.low) : s.low, high = other ? Math.max(s.high, other.high) : s.high;
    const x = linear(low, high, left, right), kept = keptFrom(run, i, s);
    const curve = s.curve && s.level > 0 ? s.curve.u.map((u, k) => [u * s.level, s.curve.f[k] / s.level]) : [];
    const bins = s.counts.map((c, k) => binDensity(s, k));
    const most = Math.max(quantileOf(bins, 1), other ? quantileOf(other.counts.map((c, k) => binDensity(other, k)), 1) : 0,
                          ...curve.map(p => p[1])) * 1.06 || 1;
    const y = linear(0, most, bottom, top);
    if (!small)
        axisY(node, y, y.ticks(4), left, right, "density");
    bins.forEach((d, k) => {
        const from = s.low + k * binWidth(s), w = x(from + binWidth(s)) - x(from);
        if (d > 0)
            node.append(g("rect", {x: x(from), y: y(d), width: Math.max(0.5, w - (small ? 0 : 0.8)), height: bottom - y(d),
                                   fill: from + binWidth(s) / 2 > kept ? "var(--kept)" : "var(--noise)"}));
    });
    if (other) {
        const points = other.counts.flatMap((c, k) => [[x(other.low + k * binWidth(other)), y(binDensity(other, k))],
            [x(other.low + (k + 1) * binWidth(other)), y(binDensity(other, k))]]);
        node.append(g("path", {d: path(points), fill: "none", stroke: "var(--b)", "stroke-width": 1.6}));
    }
    if (curve.length)
        node.append(g("path", {d: path(curve.map(p => [x(p[0]), y(p[1])])), fill: "none", stroke: "var(--curve)",
                               "stroke-width": small ? 1.4 : 2, "stroke-dasharray": other ? "3 2" : null}));
    for (const [key, , colour, dash] of marksOf(s))
        node.append(g("line", {x1: x(s[key]), x2: x(s[key]), y1: top - (small ? 3 : 6), y2: bottom, stroke: colour,
                               "stroke-width": small ? 1.2 : 1.6, "stroke-dasharray": dash}));
    node.append(g("line", {class: "axis", x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5}));
    if (!small) {
        axisX(node, x, x.ticks(Math.max(3, width / 90)), bottom, "singular value", {middle: (left + right) / 2});
        if (s.above > 0)
            node.append(g("text", {x: right, y: 11, "text-anchor": "end", class: "label num"},
                          `${number(s.above)} beyond, up to ${number(s.values[0])} →`));
    }
    if (!small)
        densityTip(node, x, s, top, bottom);
    return node;
}

const quantileOf = (list, q) => quantile(ascending(finite(list)), q);

function densityTip(node, x, s, top, bottom) {
    const line = g("line", {y1: top, y2: bottom, stroke: "var(--fg)", "stroke-width": 1, visibility: "hidden", opacity: 0.6});
    node.append(line);
    node.addEventListener("pointermove", e => {
        const box = node.getBoundingClientRect(), at = (e.clientX - box.left) * node.viewBox.baseVal.width / box.width;
        const k = Math.floor((s.low + (at - x(s.low)) / (x(s.high) - x(s.low)) * (s.high - s.low) - s.low) / binWidth(s));
        if (k < 0 || k >= s.counts.length)
            return tip.hide();
        const from = s.low + k * binWidth(s);
        line.setAttribute("x1", x(from + binWidth(s) / 2));
        line.setAttribute("x2", x(from + binWidth(s) / 2));
        line.setAttribute("visibility", "visible");
        tip.show(`${number(from)} to ${number(from + binWidth(s))}`, [["singular values", number(s.counts[k])],
            ["density", number(binDensity(s, k))], ["Marchenko–Pastur", number(curveAt(s, from + binWidth(s) / 2))]],
            e.clientX, e.clientY);
    });
    node.addEventListener("pointerleave", () => { tip.hide(); line.setAttribute("visibility", "hidden"); });
}

function rankPlot(width, height, run, i, s, other, runB) {
    const node = svg(width, height, `singular values of ${run.names[i]} by rank`);
    const left = 52, right = width - 14, top = 22, bottom = height - 40;
    const all = [...s.values, ...(other ? other.values : [])].filter(v => v > 0), highest = quantileOf(all, 1) || 1;
    const lowest = Math.max(quantileOf(all, 0) || highest, highest * 1e-6);
    const x = logarithmic(1, Math.max(2, s.n, other ? other.n : 0), left, right);
    const y = logarithmic(lowest * 0.85, highest * 1.15, bottom, top);
    x.text = number;
    axisY(node, y, y.ticks(5), left, right, "singular value");
    for (const [key, , colour, dash] of marksOf(s))
        if (s[key] > lowest * 0.85 && s[key] < highest * 1.15)
            node.append(g("line", {x1: left, x2: right, y1: y(s[key]), y2: y(s[key]), stroke: colour, "stroke-width": 1.6,
                                   "stroke-dasharray": dash}));
    const k = run.metrics.rank ? run.metrics.rank[i] : NaN;
    const series = (sketch, colour) => {
        const points = sketch.ranks.map((r, j) => [x(r), y(Math.max(sketch.values[j], lowest * 0.85))]);
        node.append(g("path", {d: path(points), fill: "none", stroke: colour, "stroke-width": 1.4}));
        sketch.ranks.forEach((r, j) => node.append(g("circle", {cx: points[j][0], cy: points[j][1], r: 2.4,
            fill: colour === "var(--b)" ? colour : r <= k ? "var(--kept)" : "var(--muted)"})));
    };
    if (s.ranks)
        series(s, "var(--faint)");
    if (other && other.ranks)
        series(other, "var(--b)");
    node.append(g("path", {class: "axis", d: `M${left} ${bottom + 0.5}H${right}`}));
    axisX(node, x, x.ticks(Math.max(3, width / 90)), bottom, "rank", {middle: (left + right) / 2});
    if (k > 0)
        node.append(g("text", {x: right, y: 11, "text-anchor": "end", class: "label num"}, `${number(k)} of ${number(s.n)} kept`));
    node.addEventListener("pointermove", e => {
        const box = node.getBoundingClientRect(), at = (e.clientX - box.left) * node.viewBox.baseVal.width / box.width;
        if (!s.ranks)
            return;
        let j = 0;
        s.ranks.forEach((r, q) => { if (Math.abs(x(r) - at) < Math.abs(x(s.ranks[j]) - at)) j = q; });
        tip.show("rank " + number(s.ranks[j]), [["singular value", number(s.values[j])],
            other && other.ranks && other.n === s.n ? [runB.label, number(other.values[j])] : null].filter(Boolean), e.clientX, e.clientY);
    });
    node.addEventListener("pointerleave", tip.hide);
    return node;
}

function spectrumFigure(page) {
    const {runs, axes, state} = page, run = runs[0], two = runs.length === 2;
    const types = axes.types.filter(t => runs.some(r => r.type.includes(t)));
    const at = (r, type) => {
        const list = r.cells.get(state.layer + " " + (type || state.type));
        if (!list)
            return undefined;
        const same = list.find(i => r.expert[i] === state.expert);
        return same === undefined ? list[0] : same;
    };
    const layersOf = type => axes.layers.filter(layer => run.cells.has(layer + " " + type));
    const go = change => {
        Object.assign(state, change);
        if (!run.cells.has(state.layer + " " + state.type))
            state.layer = layersOf(state.type)[0];
        if (!axes.experts.has(state.type))
            state.expert = 0;
        self.redraw();
    };
    state.pick = where => {
        go({expert: state.expert, ...where});
        self.element.scrollIntoView({block: "start"});
    };
    state.type = state.type || types[0];
    state.layer = run.layer[0];
    const step = by => {
        const list = layersOf(state.type), k = list.indexOf(state.layer) + by;
        if (k >= 0 && k < list.length)
            go({layer: list[k]});
    };
    const controls = () => [
        choice("Layer", layersOf(state.type).map(y => [y, layerText(y)]), state.layer, y => go({layer: Number(y)})),
        choice("Type", types.map(t => [t, t]), state.type, t => go({type: t})),
        axes.experts.has(state.type) ? choice("Expert", Array.from({length: axes.experts.get(state.type)}, (x, k) => [k, String(k)]),
                                              state.expert, k => go({expert: Number(k)})) : null,
        h("button", {type: "button", "aria-label": "previous layer", onclick: () => step(-1)}, "‹"),
        h("button", {type: "button", "aria-label": "next layer", onclick: () => step(1)}, "›")];
    const draw = (plot, width) => {
        const i = at(run), s = i === undefined ? null : run.sketches[i];
        if (i !== undefined)
            plot.append(h("h3", {}, run.names[i]));
        if (!s) {
            plot.append(h("p", {}, i !== undefined && run.failure[i] !== null ? [h("span", {class: "bad"}, "Failed: "), run.failure[i]]
                : "The singular values of this matrix are not known."));
        } else {
            const j = two ? runs[1].index.get(run.names[i]) : undefined, other = j === undefined ? null : runs[1].sketches[j];
            plot.append(h("p", {class: "fine"}, spectrumLine(run, i, s)));
            plot.append(legend([
                [swatch("square", "var(--kept)"), two ? run.label + ", kept" : "kept"], [swatch("square", "var(--noise)"), "not kept"],
                other ? [swatch("line", "var(--b)"), runs[1].label] : null,
                s.curve ? [swatch("line", "var(--curve)", other ? "3 2" : null), "Marchenko–Pastur density of the noise"] : null,
                ...marksOf(s).map(([key, text, colour, dash]) => [swatch("line", colour, dash), text, " ", h("b", {}, number(s[key]))])]));
            const columns = width >= 700 ? 2 : 1, w = Math.floor((width - (columns - 1) * 28) / columns), hh = width < 500 ? 240 : 290;
            plot.append(h("div", {class: "two"}, h("div", {}, densityPlot(w, hh, run, i, s, other, false)),
                          h("div", {}, rankPlot(w, hh, run, i, s, other, runs[1]))));
        }
        const around = types.map(t => [t, at(run, t)]).filter(([, k]) => k !== undefined && run.sketches[k]);
        if (around.length > 1) {
            const count = Math.max(width > 300 ? 2 : 1, Math.floor((width + 20) / 230)), w = Math.floor((width + 20) / count - 20);
            plot.append(h("h3", {}, "All types of layer " + layerText(state.layer)), h("div", {class: "minis", style: `grid-template-columns:repeat(${count},minmax(0,1fr))`}, around.map(([t, k]) =>
                h("button", {class: "mini", type: "button", "aria-pressed": String(t === state.type), onclick: () => go({type: t})},
                  h("h4", {}, h("span", {title: t}, w < 200 ? shortType(t) : t), h("span", {}, run.metrics.snr ? "SNR " + number(run.metrics.snr[k]) : "")),
                  densityPlot(w, 84, run, k, run.sketches[k], null, true)))));
        }
    };
    const numbers = () => {
        const i = at(run), s = i === undefined ? null : run.sketches[i];
        if (!s)
            return {head: ["no spectrum"], rows: []};
        const bins = s.counts.map((c, k) => ["bin", plain(s.low + k * binWidth(s)), plain(s.low + (k + 1) * binWidth(s)), c,
            plain(binDensity(s, k)), plain(curveAt(s, s.low + (k + 0.5) * binWidth(s)))]);
        const values = (s.ranks || []).map((r, k) => ["value", r, plain(s.values[k]), "", "", ""]);
        return {head: ["what", "from / rank", "to / singular value", "count", "density", "Marchenko-Pastur density"],
                rows: [["tensor " + run.names[i], "", "", "", "", ""], ...MARKS.map(([key, text]) => [text, "", plain(s[key]), "", "", ""]), ...bins, ...values]};
    };
    const self = figure("spectra", "Singular values", page.spectrumCaption, {controls, draw, numbers});
    return self;
}

function spectrumLine(run, i, s) {
    const m = run.metrics, parts = [`${run.rows[i]} × ${run.columns[i]}${run.raw.dtypes[i] ? ", " + run.raw.dtypes[i] : ""}`];
    if (m.snr)
        parts.push("SNR " + number(m.snr[i]));
    if (m.rank)
        parts.push(`rank ${number(m.rank[i])} of ${number(s.n)}`);
    if (m.noise_sigma)
        parts.push("noise " + number(m.noise_sigma[i]));
    if (m.stable_rank)
        parts.push("stable rank " + number(m.stable_rank[i]));
    if (m.alpha && Number.isFinite(m.alpha[i]))
        parts.push("alpha " + number(m.alpha[i]));
    return parts.join(" · ");
}
