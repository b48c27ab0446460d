/* The way of a reduction: every candidate in its order, what it would do to the figure that is to improve, and what became of it. */

function pathFigure(page, run, id) {
    const list = run.decisions;
    const shown = list.map((d, k) => ({...d, k})).filter(d => Number.isFinite(d.level));
    const draw = (plot, width) => {
        const height = width < 500 ? 260 : 330, left = 58, right = width - 14, top = 24, bottom = height - 40;
        const node = svg(width, height, `${run.goal.name} over ${list.length} candidates`);
        const x = linear(0.5, list.length + 0.5, left, right), limits = pathLimits(shown, run);
        const y = linear(limits[0], limits[1], bottom, top), r = Math.max(1.8, Math.min(4.5, (right - left) / list.length / 2.4));
        const ticks = y.ticks(5), digits = Math.max(0, Math.min(7, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9)));
        y.text = t => t.toFixed(digits);
        axisY(node, y, ticks, left, right, `${run.goal.name} on the selection ${run.goal.items}`);
        axisX(node, x, x.ticks(Math.max(3, Math.min(list.length, width / 80))).filter(t => Number.isInteger(t) && t >= 1 && t <= list.length),
              bottom, "candidate", {middle: (left + right) / 2});
        if (run.base)
            node.append(g("line", {x1: left, x2: right, y1: y(run.base.level), y2: y(run.base.level), stroke: "var(--muted)",
                                   "stroke-width": 1.4, "stroke-dasharray": "5 4"}));
        if (run.base)
            node.append(bestLine(run, list, x, y, right));
        const inside = v => Math.min(bottom, Math.max(top - 8, v));
        /* Where there are many, the kept ones stand before the others. */
        const dense = r < 2.5;
        for (const d of [...shown.filter(c => !c.kept), ...shown.filter(c => c.kept)]) {
            const at = x(d.k + 1), colour = d.kept ? "var(--kept)" : "var(--reverted)";
            if (Number.isFinite(d.error) && y(d.level) > top - 8 && y(d.level) < bottom + 1) {
                const ends = [-1, 1].map(sign => inside(y(run.goal.moved(d.level, sign * d.error)))), cap = r > 3 ? 3 : 0;
                node.append(g("path", {stroke: colour, "stroke-width": r > 2.5 ? 1.2 : 0.7, opacity: 0.75, fill: "none",
                    d: `M${at} ${ends[0]}V${ends[1]}M${at - cap} ${ends[0]}h${2 * cap}M${at - cap} ${ends[1]}h${2 * cap}`}));
            }
            node.append(pathMark(d, at, y(d.level), dense && d.kept ? 2.4 : r, colour, top, bottom, dense));
        }
        pathTip(node, shown, x, run);
        plot.append(legend([
            [swatch("dot", "var(--kept)"), "kept"], [swatch("ring", "var(--reverted)"), "reverted"],
            list.some(d => d.early) ? [swatch("cross", "var(--reverted)"), "given up early"] : null,
            shown.some(d => y(d.level) < top - 8 || y(d.level) > bottom) ? [swatch("up", "var(--reverted)"), "beyond the axis"] : null,
            run.base ? [swatch("line", "var(--muted)", "5 4"), "before ", h("b", {}, number(run.base.level))] : null,
            !run.base ? null : [swatch("line", "var(--kept)"), "best so far"]]), node);
    };
    const numbers = () => ({head: ["candidate", "tensor", "edit", "rank", "of", "kept", "reason", run.goal.items, run.goal.name,
                                   run.goal.relative ? "difference_nats" : "difference", run.goal.relative ? "standard_error_nats" : "standard_error", "seconds"],
        rows: list.map((d, k) => [k + 1, d.tensor, d.edit, d.rank, d.of, d.kept ? "kept" : "reverted", d.reason,
                                  d.windows, plain(d.level), plain(run.goal.delta(d.difference)), plain(d.error), d.seconds])});
    return figure(id, page.runs.length > 1 ? `Path of the reduction: ${run.label}` : "Path of the reduction", `Each candidate in the order in which it was decided: the ${run.goal.name} with the edit in place on top of those kept before. `
        + "Bars: one standard error of the paired difference to the best so far.", {draw, numbers});
}

/* The range of what matters: kept ones and the base always; a few very bad candidates stand at the rim. */
function pathLimits(shown, run) {
    const must = [...(run.base ? [run.base.level] : []), ...shown.filter(d => d.kept).map(d => d.level)];
    const sizes = ascending(finite(shown.map(d => Math.abs(d.difference)))), far = 5 * Math.max(quantile(sizes, 0.75) || 0, 0.0005);
    const used = [...must, ...shown.filter(d => !(Math.abs(d.difference) > far)).flatMap(d => Number.isFinite(d.error)
        ? [run.goal.moved(d.level, -d.error), run.goal.moved(d.level, d.error)] : [d.level])];
    const low = Math.min(...used), high = Math.max(...used), pad = (high - low) * 0.06 || high * 0.01 || 1;
    return [low - pad, high + pad];
}

function bestLine(run, list, x, y, right) {
    let best = run.base.level, d = `M${x(0.5).toFixed(1)} ${y(best).toFixed(1)}`;
    list.forEach((c, k) => {
        if (c.kept && Number.isFinite(c.level)) {
            d += `H${x(k + 1).toFixed(1)}V${y(c.level).toFixed(1)}`;
            best = c.level;
        }
    });
    return g("path", {d: d + `H${right}`, fill: "none", stroke: "var(--kept)", "stroke-width": 1.6, opacity: 0.8});
}

function pathMark(d, x, y, r, colour, top, bottom, dense) {
    if (y < top - 8 || y > bottom) {
        const up = y < top, tipY = up ? top - 8 : bottom;
        return g("path", {d: `M${x - 4} ${tipY + (up ? 7 : -7)}h8l-4 ${up ? -7 : 7}z`, fill: colour});
    }
    if (d.early) {
        const s = Math.max(1.6, r * 0.75);
        return g("path", {d: `M${x - s} ${y - s}l${2 * s} ${2 * s}m0 ${-2 * s}l${-2 * s} ${2 * s}`, stroke: colour, "stroke-width": 1.4,
                          fill: "none"});
    }
    if (dense && !d.kept)
        return g("circle", {cx: x, cy: y, r: 1.3, fill: colour, opacity: 0.6});
    return g("circle", {cx: x, cy: y, r: d.kept ? r + 0.6 : r, fill: d.kept ? colour : "var(--bg)", stroke: colour,
                        "stroke-width": 1.5});
}

function pathTip(node, shown, x, run) {
    const show = (d, px, py) => tip.show(d.tensor, [["edit", d.edit], ["rank", `${number(d.rank)} of ${number(d.of)}`],
        d.early ? null : [run.goal.name, goalText(run.goal, d.level)],
        ["change", `${signed(run.goal.delta(d.difference), number(run.goal.delta(d.difference)))} ± ${number(d.error)}${run.goal.relative ? " nats" : ""}`],
        [run.goal.items, seenText(d)], [d.kept ? "kept" : "reverted", d.kept ? "" : d.reason || ""]].filter(Boolean), px, py);
    let k = -1;
    const line = g("line", {y1: 16, y2: node.viewBox.baseVal.height - 40, stroke: "var(--faint)", "stroke-width": 1, visibility: "hidden"});
    const stand = (next, py) => {
        k = Math.max(0, Math.min(shown.length - 1, next));
        const at = x(shown[k].k + 1), box = node.getBoundingClientRect();
        line.setAttribute("x1", at);
        line.setAttribute("x2", at);
        line.setAttribute("visibility", "visible");
        show(shown[k], box.left + at * box.width / node.viewBox.baseVal.width, py === undefined ? box.top + 40 : py);
    };
    node.prepend(line);
    node.setAttribute("tabindex", "0");
    node.addEventListener("pointermove", e => {
        const box = node.getBoundingClientRect(), at = (e.clientX - box.left) * node.viewBox.baseVal.width / box.width;
        let near = 0;
        shown.forEach((d, j) => { if (Math.abs(x(d.k + 1) - at) < Math.abs(x(shown[near].k + 1) - at)) near = j; });
        if (shown.length)
            stand(near, e.clientY);
    });
    node.addEventListener("keydown", e => {
        if (e.key === "ArrowRight" || e.key === "ArrowLeft") {
            stand(k + (e.key === "ArrowRight" ? 1 : -1));
            e.preventDefault();
        }
    });
    const away = () => { tip.hide(); line.setAttribute("visibility", "hidden"); };
    node.addEventListener("pointerleave", away);
    node.addEventListener("blur", away);
}

/* ---- gains of a sweep ---- */

function gainsFigure(page, run, id) {
    const map = run.results.sweep_table, layers = map.layers.map(y => y === null ? "–" : String(y)), unit = map.unit || "nats";
    const edits = (r, c) => run.measured.filter(d => d.type === map.types[r] && String(d.layer === null ? "–" : d.layer) === layers[c]);
    const cell = (r, c) => {
        const x = value((map.gain[c] || [])[r]);
        return Number.isNaN(x) ? null : {x, title: `layer ${layers[c]}, ${map.types[r]}`, pairs: () => [["best kept share", number(value(map.fraction[c][r]))],
            ...edits(r, c).map(d => [d.edit, `${signed(-d.difference, number(0 - d.difference))} ± ${number(d.error)}`])]};
    };
    const draw = (plot, width) => {
        const scale = colourScale(map.gain.flat().map(value), "linear", true);
        const winner = run.results.sweep_winner, seen = winner && winner.report;
        if (winner)
            plot.append(h("p", {class: "fine"}, `Best single edit: ${winner.edit} on ${winner.tensor}, gain ${number(0 - value(winner.difference))} ± ${number(value(winner.difference_stderr))}`,
                seen ? `; on the report ${run.goal.items}, which chose nothing, ${number(0 - value(seen.difference))} ± ${number(value(seen.difference_stderr))}: ${seen.verdict}` : "", "."));
        else
            plot.append(h("p", {class: "fine"}, "No single edit is better on the selection than the model as it is."));
        plot.append(legend([scale.empty ? null : colourBar(scale, "gains")]));
        heatMap(plot, width, {rows: map.types, columns: layers, rowTitle: "type", columnTitle: "layer", label: "gains of a sweep, layers by types", cell}, scale,
                x => minus(x.toPrecision(2)), page.state);
    };
    return figure(id, page.runs.length > 1 ? `Gains of the sweep: ${run.label}` : "Gains of the sweep",
        `The best gain over the kept shares that were tried, of each edit alone on the unchanged model, in ${unit}; above 0 the edit makes the model better.`, {draw,
        numbers: () => ({head: ["tensor", "layer", "type", "edit", "rank", "of", "gain", "standard_error"],
            rows: run.measured.map(d => [d.tensor, d.layer, d.type, d.edit, d.rank, d.of, plain(0 - d.difference), plain(d.error)])})});
}

/* ---- losses of the windows of an evaluation ---- */

function windowsFigure(page) {
    const runs = page.runs.filter(r => r.raw.windows.length > 0), two = runs.length === 2 && page.paired;
    /* Windows that only gave gradients or guarded a search have no loss here. */
    const series = runs[0].raw.windows.map((w, k) => [w[0], w[1], two ? value(runs[1].raw.windows[k][2]) - value(w[2]) : value(w[2]), k]).filter(w => Number.isFinite(w[2]));
    if (series.length === 0)
        return null;
    const most = series[series.length - 1][3];
    const names = runs[0].raw.datasets, what = two ? `change of loss, ${runs[1].label} less ${runs[0].label}` : "mean loss, nats per token";
    const draw = (plot, width) => {
        const height = width < 500 ? 230 : 280, left = 52, right = width - 14, top = 24, bottom = height - 40;
        const node = svg(width, height, what + " of every window"), losses = series.map(w => w[2]), sorted = ascending(losses);
        const low = two ? Math.min(0, sorted[0]) : sorted[0], high = two ? Math.max(0, sorted[sorted.length - 1]) : sorted[sorted.length - 1];
        const pad = (high - low) * 0.05 || 0.1, y = linear(low - pad, high + pad, bottom, top), x = linear(-0.5, most + 0.5, left, right);
        axisY(node, y, y.ticks(5), left, right, what);
        axisX(node, x, x.ticks(Math.max(3, width / 100)).filter(t => Number.isInteger(t) && t >= 0), bottom, "window", {middle: (left + right) / 2});
        const colours = ["var(--a)", "var(--b)", "var(--good)", "var(--compat)", "var(--muted)"];
        const r = Math.max(1.1, Math.min(3, (right - left) / (most + 1) / 2));
        series.forEach(w => node.append(g("circle", {cx: x(w[3]), cy: y(w[2]), r, fill: colours[w[0] % colours.length], opacity: 0.75})));
        const tokens = series.reduce((sum, w) => sum + w[1], 0), mean = series.reduce((sum, w) => sum + w[1] * w[2], 0) / tokens;
        const spread = series.reduce((sum, w) => sum + (w[1] * (w[2] - mean)) ** 2, 0), count = series.length;
        const error = count > 1 ? Math.sqrt(spread * count / (count - 1)) / tokens : NaN;
        node.append(g("line", {x1: left, x2: right, y1: y(mean), y2: y(mean), stroke: "var(--fg)", "stroke-width": 1.3}));
        node.addEventListener("pointermove", e => {
            const box = node.getBoundingClientRect(), k = Math.round((e.clientX - box.left - x(0)) / ((x(1) - x(0)) || 1));
            const w = series.find(each => each[3] === k);
            if (w)
                tip.show("window " + k, [["text", names[w[0]] || ""], ["scored tokens", number(w[1])], [two ? "change" : "loss", number(w[2])]],
                         e.clientX, e.clientY);
        });
        node.addEventListener("pointerleave", tip.hide);
        plot.append(legend([...names.map((name, k) => series.some(w => w[0] === k) ? [swatch("dot", colours[k % colours.length]), name] : null),
                            [swatch("line", "var(--fg)"), "mean ", h("b", {}, number(mean)), Number.isFinite(error) ? " ± " + short2(error) : ""]]), node);
    };
    return figure("windows", page.runs.length > 1 && !two ? `Loss of every window: ${runs[0].label}` : "Loss of every window", two ? "The same windows in both runs, in pairs: below 0 the second run is better."
        : "Mean loss of the scored tokens of each window, in the order of the texts.", {draw,
        numbers: () => ({head: ["window", "text", "scored_tokens", two ? "change_nats" : "nll_nats"],
                         rows: series.map(w => [w[3], names[w[0]], w[1], w[2]])})});
}
