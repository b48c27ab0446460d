/* What pointer, keys and choices do with the other figures. */

/* ---- the way of a reduction ---- */

function pathFigure(page, run, id) {
    const list = run.decisions;
    if (!drawn(id))
        return null;
    for (const node of drawn(id).querySelectorAll("svg"))
        pathTip(node, list, run);
    const numbers = () => ({head: ["candidate", "tensor", "edit", "rank", "of", "kept", "reason", run.goal.items, run.goal.name,
                                   run.goal.relative ? "difference_nats" : "difference", run.goal.relative ? "standard_error_nats" : "standard_error", "seconds"],
        rows: list.map((d, k) => [k + 1, d.tensor, d.edit, d.rank, d.of, d.kept ? "kept" : "reverted", d.reason,
                                  d.windows, plain(d.level), plain(run.goal.delta(d.difference)), plain(d.error), d.seconds])});
    return figure(id, page.runs.length > 1 ? `Path of the reduction: ${run.label}` : "Path of the reduction", `Each candidate in the order in which it was decided: the ${run.goal.name} with the edit in place on top of those kept before. `
        + "Bars: one standard error of the paired difference to the best so far.", {draw: plot => plot.append(drawn(id)), numbers});
}

function pathTip(node, list, run) {
    const frame = frameOf(node), line = cursorLine(node);
    const show = (d, px, py) => tip.show(d.tensor, [["edit", d.edit], ["rank", `${number(d.rank)} of ${number(d.of)}`],
        d.early ? null : [run.goal.name, goalText(run.goal, d.level)],
        ["change", `${signed(run.goal.delta(d.difference), number(run.goal.delta(d.difference)))} ± ${number(d.error)}${run.goal.relative ? " nats" : ""}`],
        [run.goal.items, seenText(d)], [d.kept ? "kept" : "reverted", d.kept ? "" : d.reason || ""]].filter(Boolean), px, py);
    let k = -1;
    const stand = (next, py) => {
        k = Math.max(0, Math.min(list.length - 1, next));
        const at = frame.place(k + 1), box = node.getBoundingClientRect();
        line(at);
        show(list[k], box.left + at * scaleOf(node), py === undefined ? box.top + 40 : py);
    };
    node.setAttribute("tabindex", "0");
    node.addEventListener("pointermove", e => stand(Math.round(frame.at(e)) - 1, e.clientY));
    node.addEventListener("keydown", e => {
        if (e.key === "ArrowRight" || e.key === "ArrowLeft") {
            stand(k + (e.key === "ArrowRight" ? 1 : -1));
            e.preventDefault();
        }
    });
    const away = () => { tip.hide(); line(null); };
    node.addEventListener("pointerleave", away);
    node.addEventListener("blur", away);
}

/* ---- losses of the windows of an evaluation ---- */

function windowsFigure(page) {
    const runs = page.runs.filter(r => r.raw.windows.length > 0), two = runs.length === 2 && page.paired;
    /* Windows that only gave gradients or guarded a search have no loss here. */
    const series = runs[0].raw.windows.map((w, k) => [w[0], w[1], two ? value(runs[1].raw.windows[k][2]) - value(w[2]) : value(w[2]), k]).filter(w => Number.isFinite(w[2]));
    const names = runs[0].raw.datasets;
    if (series.length === 0 || !drawn("windows"))
        return null;
    for (const node of drawn("windows").querySelectorAll("svg")) {
        const frame = frameOf(node);
        node.addEventListener("pointermove", e => {
            const k = Math.round(frame.at(e)), w = series.find(each => each[3] === k);
            if (w)
                tip.show("window " + k, [["text", names[w[0]] || ""], ["scored tokens", number(w[1])], [two ? "change" : "loss", number(w[2])]],
                         e.clientX, e.clientY);
        });
        node.addEventListener("pointerleave", tip.hide);
    }
    return figure("windows", page.runs.length > 1 && !two ? `Loss of every window: ${runs[0].label}` : "Loss of every window", two ? "The same windows in both runs, in pairs: below 0 the second run is better."
        : "Mean loss of the scored tokens of each window, in the order of the texts.", {draw: plot => plot.append(drawn("windows")),
        numbers: () => ({head: ["window", "text", "scored_tokens", two ? "change_nats" : "nll_nats"],
                         rows: series.map(w => [w[3], names[w[0]], w[1], w[2]])})});
}

/* ---- ranks kept ---- */

function ranksFigure(page) {
    const {axes, runs} = page, run = runs[0], other = runs[1], element = drawn("ranks");
    const edited = new Map(run.decisions.filter(d => d.kept && d.index !== undefined && d.of > 0).map(d => [d.index, d.rank / d.of]));
    if (!element)
        return null;
    for (const node of element.querySelectorAll("svg")) {
        const panels = node.dataset.panels.split(";").map(text => text.split(" ").map(Number));
        node.addEventListener("pointermove", e => {
            const x = pointX(node, e), y = pointY(node, e), panel = panels.find(p => x >= p[1] && x <= p[2] && y >= p[3] && y <= p[4]);
            const layer = panel && axes.layers[Math.floor((x - panel[1]) / (panel[2] - panel[1]) * axes.layers.length)], type = panel && axes.types[panel[0]];
            const cell = panel && layer !== undefined ? summary(run, "kept_share", layer, type) : null;
            if (!cell || cell.known.length === 0)
                return tip.hide();
            const b = other && other.metrics.kept_share ? summary(other, "kept_share", layer, type) : null;
            tip.show(`layer ${layerText(layer)}, ${type}`, [[other ? run.label : "kept", percent(cell.x)], b ? [other.label, percent(b.x)] : null,
                ...cell.list.filter(i => edited.has(i)).slice(0, 3).map(i => ["left by the edit", percent(edited.get(i))])].filter(Boolean), e.clientX, e.clientY);
        });
        node.addEventListener("pointerleave", tip.hide);
    }
    return figure("ranks", "Ranks kept", "Share of the singular values of each matrix above the threshold, by layer; beside the name the share over all layers.", {
        draw: plot => plot.append(element),
        numbers: () => ({head: ["tensor", "rank", "of", "share", "share_left_by_edit", ...(other ? ["rank " + other.label] : [])],
            rows: run.names.map((name, i) => [name, plain(run.metrics.rank[i]), run.short[i], plain(run.metrics.kept_share[i]), edited.has(i) ? edited.get(i) : "",
                ...(other ? [other.index.has(name) && other.metrics.rank ? plain(other.metrics.rank[other.index.get(name)]) : ""] : [])])})});
}

/* ---- times ---- */

const phasesOf = run => Array.isArray(run.results.phases) ? run.results.phases.filter(p => p && p.name && value(p.seconds) >= 0) : [];

/* Seconds that the working ranks computed in a phase: {min, mean, max}. */
const workOf = p => ({min: value((p.work_seconds || {}).min), mean: value((p.work_seconds || {}).mean), max: value((p.work_seconds || {}).max)});

function timesFigure(page) {
    const runs = page.runs.filter(r => phasesOf(r).length > 0), orDash = (x, text) => x > 0 ? text(x) : "–";
    const draw = plot => {
        for (const run of runs) {
            add(plot, [runs.length > 1 ? h("h3", {}, run.label) : null, drawn(numbered(page, run, "times"))]);
            plot.append(h("div", {style: "margin-top:12px"}, table(
                [["phase", true], ["time"], ["work: least"], ["mean"], ["most"], ["GFLOP/s"], ["read"], ["written"], ["memory: rank"], ["node"]],
                phasesOf(run).map(p => [p.name, time(value(p.seconds)), ...["min", "mean", "max"].map(k => orDash(workOf(p)[k], time)), orDash(p.gflops_per_second, number),
                    ...["read_bytes", "written_bytes", "rank_peak_bytes", "node_peak_bytes"].map(k => orDash(p[k], bytes))]), "phases of " + run.label)));
        }
    };
    const keys = ["seconds", "share", "flops", "gflops_per_second", "read_bytes", "written_bytes", "rank_peak_bytes", "node_peak_bytes"];
    return figure("times", "Time", "Wall-clock time of each phase, and how much of it the working ranks computed.", {draw,
        numbers: () => ({head: ["run", "phase", "work_min_s", "work_mean_s", "work_max_s", ...keys], rows: runs.flatMap(r => phasesOf(r).map(
            p => [r.label, p.name, plain(workOf(p).min), plain(workOf(p).mean), plain(workOf(p).max), ...keys.map(k => plain(value(p[k])))]))})});
}

/* ---- spectra ---- */

/* The text in base64 of deflated bytes. */
async function unpack(text) {
    const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

/* Drawings and bins of the matrices of the first run; those of a layer are unpacked when they are first looked at. */
class Spectra {
    constructor(data, layers) {
        Object.assign(this, {known: new Map(), packed: data.layers, layers, error: null, loading: false});
        this.take(data.first);
    }
    take(object) {
        for (const [i, [density, values, [low, high, level, edge, compat, threshold, beyond], counts, ranks, points]] of Object.entries(object))
            this.known.set(Number(i), {density, values, low, high, level, edge, compat, threshold: value(threshold), beyond, counts, ranks, points: points.map(value),
                                       n: counts.reduce((sum, c) => sum + c, 0) + beyond});
    }
    any() {
        return this.known.size > 0;
    }
    /* Unpacks a layer, then calls back; false where there is nothing to wait for. */
    load(layer, then) {
        const k = this.layers.indexOf(layer), text = this.packed[k];
        if (!text)
            return false;
        this.packed[k] = null;
        this.loading = true;
        unpack(text).then(json => this.take(JSON.parse(json)), e => { this.error = e; }).then(() => { this.loading = false; then(); });
        return true;
    }
}

/* A drawing from its text; cropped: the plot alone, without axes and legend. */
function drawingOf(text, cropped) {
    const holder = h("div", {});
    holder.innerHTML = text;
    const node = holder.firstElementChild;
    if (cropped && node) {
        const {left, right, top, bottom} = frameOf(node);
        node.setAttribute("viewBox", `${left} ${top - 5} ${right - left} ${bottom - top + 5}`);
        node.setAttribute("preserveAspectRatio", "none");
        node.setAttribute("class", "cropped");
    }
    return node || holder;
}

const binWidth = s => (s.high - s.low) / s.counts.length;
const binDensity = (s, k) => s.counts[k] / (s.n * binWidth(s));

/* The density of the noise at x, from the curve of the matrix' shape that came with the page. */
function curveAt(curve, s, x) {
    if (!curve || !(s.level > 0))
        return NaN;
    const {u, f} = curve, y = x / s.level;
    if (y < u[0] || y > u[u.length - 1])
        return 0;
    const k = Math.min(u.length - 2, Math.max(0, u.findIndex(v => v >= y) - 1));
    return (f[k] + (y - u[k]) / (u[k + 1] - u[k] || 1) * (f[k + 1] - f[k])) / s.level;
}

function densityTip(node, s, curve) {
    const frame = frameOf(node), line = cursorLine(node);
    node.addEventListener("pointermove", e => {
        const k = Math.floor((frame.at(e) - s.low) / binWidth(s)), from = s.low + k * binWidth(s);
        if (!(k >= 0 && k < s.counts.length))
            return tip.hide();
        line(frame.place(from + binWidth(s) / 2));
        tip.show(`${number(from)} to ${number(from + binWidth(s))}`, [["singular values", number(s.counts[k])],
            ["density", number(binDensity(s, k))], ["Marchenko–Pastur", number(curveAt(curve, s, from + binWidth(s) / 2))]],
            e.clientX, e.clientY);
    });
    node.addEventListener("pointerleave", () => { tip.hide(); line(null); });
    return node;
}

function valuesTip(node, s) {
    const frame = frameOf(node), line = cursorLine(node);
    const place = rank => frame.left + Math.log(rank / frame.from) / Math.log(frame.to / frame.from) * (frame.right - frame.left);
    node.addEventListener("pointermove", e => {
        const at = pointX(node, e), distance = j => Math.abs(place(s.ranks[j]) - at);
        const j = s.ranks.reduce((best, r, q) => distance(q) < distance(best) ? q : best, 0);
        line(place(s.ranks[j]));
        tip.show("rank " + number(s.ranks[j]), [["singular value", number(s.points[j])]], e.clientX, e.clientY);
    });
    node.addEventListener("pointerleave", () => { tip.hide(); line(null); });
    return node;
}

function spectrumFigure(page) {
    const {runs, axes, state, spectra} = page, run = runs[0], types = axes.types;
    const curveOf = i => page.curves.find(c => Math.abs(c.beta - run.short[i] / Math.max(run.rows[i], run.columns[i])) < 1e-8 * c.beta);
    const at = type => {
        const list = run.cells.get(state.layer + " " + (type || state.type));
        if (!list)
            return undefined;
        const same = list.find(i => run.expert[i] === state.expert);
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
    const first = Math.min(...spectra.known.keys());
    state.layer = run.layer[first];
    state.type = types.find(t => spectra.known.has(at(t))) || run.type[first];
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
    const putMatrix = (plot, i) => {
        const s = spectra.known.get(i);
        plot.append(h("h3", {}, run.names[i]));
        if (s)
            plot.append(h("p", {class: "fine"}, spectrumLine(run, i)), h("div", {class: "two"},
                densityTip(drawingOf(s.density), s, curveOf(i)), valuesTip(drawingOf(s.values), s)));
        else
            plot.append(h("p", {}, run.failure[i] !== null ? [h("span", {class: "bad"}, "Failed: "), run.failure[i]]
                : spectra.error ? "This browser cannot unpack the drawings of this layer; a newer one can."
                : spectra.loading ? "…" : "The singular values of this matrix are not known."));
    };
    const draw = plot => {
        const i = at(), around = types.map(t => [t, at(t)]).filter(([, k]) => k !== undefined && run.failure[k] === null);
        if ([i, ...around.map(a => a[1])].some(k => k !== undefined && !spectra.known.has(k)) && spectra.load(state.layer, () => self.redraw()))
            return void (i !== undefined && putMatrix(plot, i));
        if (i !== undefined)
            putMatrix(plot, i);
        const shown = around.filter(([, k]) => spectra.known.has(k));
        if (shown.length > 1)
            plot.append(h("h3", {}, "All types of layer " + layerText(state.layer)), h("div", {class: "minis"}, shown.map(([t, k]) =>
                h("button", {class: "mini", type: "button", "aria-pressed": String(t === state.type), onclick: () => go({type: t})},
                  h("h4", {}, h("span", {title: t}, shortType(t)), h("span", {}, run.metrics.snr ? "SNR " + number(run.metrics.snr[k]) : "")),
                  drawingOf(spectra.known.get(k).density, true)))));
    };
    const numbers = () => {
        const i = at(), s = i === undefined ? undefined : spectra.known.get(i);
        if (!s)
            return {head: ["no spectrum"], rows: []};
        const bins = s.counts.map((c, k) => ["bin", plain(s.low + k * binWidth(s)), plain(s.low + (k + 1) * binWidth(s)), c,
            plain(binDensity(s, k)), plain(curveAt(curveOf(i), s, s.low + (k + 0.5) * binWidth(s)))]);
        const values = s.ranks.map((r, k) => ["value", r, plain(s.points[k]), "", "", ""]);
        const marks = [["true Marchenko–Pastur edge", s.edge], ["threshold of laserRMT (compat)", s.compat], ["threshold of this run", s.threshold]];
        return {head: ["what", "from / rank", "to / singular value", "count", "density", "Marchenko-Pastur density"],
                rows: [["tensor " + run.names[i], "", "", "", "", ""], ...marks.map(([text, x]) => [text, "", plain(x), "", "", ""]), ...bins, ...values]};
    };
    let self = {redraw() {}};
    self = figure("spectra", "Singular values", page.spectrumCaption, {controls, draw, numbers});
    return self;
}

function spectrumLine(run, i) {
    const m = run.metrics, parts = [`${run.rows[i]} × ${run.columns[i]}${run.raw.dtypes[i] ? ", " + run.raw.dtypes[i] : ""}`];
    if (m.snr)
        parts.push("SNR " + number(m.snr[i]));
    if (m.rank)
        parts.push(`rank ${number(m.rank[i])} of ${number(run.short[i])}`);
    if (m.noise_sigma)
        parts.push("noise " + number(m.noise_sigma[i]));
    if (m.stable_rank)
        parts.push("stable rank " + number(m.stable_rank[i]));
    if (m.alpha && Number.isFinite(m.alpha[i]))
        parts.push("alpha " + number(m.alpha[i]));
    return parts.join(" · ");
}
