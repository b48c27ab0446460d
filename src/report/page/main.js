/* The page: which parts there are, in which order. */

const tileValue = (goal, state) => goal.digits ? goalText(goal, goal.shown(state)) : Number(goal.shown(state).toPrecision(5));

function tiles(page) {
    const list = [];
    for (const run of page.runs) {
        const r = run.results, who = page.runs.length > 1 ? run.label : null, counts = [0, 0];
        run.failure.forEach(f => counts[f === null ? 0 : 1]++);
        if (run.metrics.compressed)
            list.push(["matrices", number(run.n), `${number(run.metrics.compressed.filter(x => x === 1).length)} stay dense`, who]);
        else if (run.n)
            list.push(["matrices", number(counts[0]), [counts[1] ? h("span", {class: "bad"}, `${number(counts[1])} failed`) : null, counts[1] && run.raw.skipped.length ? ", " : "",
                run.raw.skipped.length ? `${number(run.raw.skipped.length)} tensors skipped` : counts[1] ? "" : "scanned"], who]);
        if (run.n && !page.twoTiles) {
            const layers = new Set(run.layer.filter(y => y >= 0)).size;
            list.push(["layers", number(layers), `${number(page.axes.types.length)} type${page.axes.types.length === 1 ? "" : "s"}`
                + (page.axes.experts.size ? `, ${number(Math.max(...page.axes.experts.values()))} experts` : ""), who]);
        }
        const final = r.final && (r.final.report || r.final.selection), base = r.baseline && (r.baseline.report || r.baseline.selection);
        if (base && r.strategy === "sweep")
            list.push([run.goal.name, tileValue(run.goal, base), "the model is unchanged", who]);
        else if (final && base)
            list.push([`${run.goal.name} after`, tileValue(run.goal, final), `before ${tileValue(run.goal, base)}, `
                + (r.final.report ? "report " : "selection ") + run.goal.items, who]);
        if (run.measured.length)
            list.push(["edits measured", number(run.measured.length), "each alone", who]);
        if (run.decisions.length) {
            const kept = run.decisions.filter(d => d.kept).length;
            list.push(["edits", number(kept), `kept of ${number(run.decisions.length)} tried`, who]);
        }
        const kl = r.divergence && r.divergence.pooled && r.divergence.pooled.kl.mean;
        if (kl)
            list.push(["KL divergence, nats", Number(value(kl.value).toPrecision(4)), Number.isFinite(value(kl.stderr)) ? "± " + short2(value(kl.stderr)) : "", who]);
        const p = r.perplexity && r.perplexity.pooled;
        if (p)
            list.push(["perplexity", Number(value(p.ppl).toPrecision(6)), Number.isFinite(value(p.ppl_stderr)) ? "± " + short2(value(p.ppl_stderr)) : "", who]);
        for (const [name, task] of Object.entries(r.tasks || {}).slice(0, page.twoTiles ? 1 : 4)) {
            const [figure, m] = Object.entries(task.metrics || {})[0] || [];
            if (figure)
                list.push([`${figureText(figure)}, ${name}`, Number(value(m.value).toPrecision(5)), Number.isFinite(value(m.stderr)) ? "± " + short2(value(m.stderr)) : "", who]);
        }
        if (r.seconds !== undefined)
            list.push(["time", time(value(r.seconds)), r.ranks ? `on ${number(r.ranks)} rank${r.ranks === 1 ? "" : "s"}` : "", who]);
    }
    return h("dl", {class: "tiles"}, list.map(([what, text, more, who]) => h("div", {}, h("dt", {}, who ? `${what}, ${who}` : what),
                                                                             h("dd", {}, String(text), h("small", {}, more)))));
}

function heading(page) {
    const describe = r => [r.raw.command, r.raw.rule ? `threshold ${r.raw.rule}` : null, r.raw.score ? `score ${r.raw.score}` : null].filter(Boolean).join(", ");
    const [a, b] = page.runs, name = r => r.raw.model || r.label || "a run";
    return h("header", {}, h("h1", {}, b ? `${name(a)} and ${name(b)}` : name(a)),
        b ? page.runs.map(r => h("p", {class: "lead", style: "margin:0"}, h("b", {}, r.label), " – ", describe(r))) : h("p", {class: "lead", style: "margin:0"}, describe(a)),
        page.runs.flatMap(r => r.raw.notices.map(([file, text]) => h("p", {class: "notice"}, h("b", {}, file), " ", text))));
}

function build(data) {
    readMetricTexts(data.metricTexts);
    const runs = data.runs.map(readRun), axes = readAxes(data, runs), has = key => runs.some(r => r.metrics[key]);
    const page = {runs, axes, maps: data.maps, curves: data.curves, spectra: new Spectra(data.spectra, data.layers), state: {expert: 0}, score: runs[0].raw.score, names: [...new Set(runs.flatMap(r => r.names))], twoTiles: runs.length > 1, paired: data.paired === true};
    page.mapCaption = (axes.experts.size ? "One cell is the median of a layer's experts, or a single matrix" : "One cell is one matrix")
        + (has("snr") ? "; a high SNR is mostly signal, a low one mostly noise." : ".")
        + (page.spectra.any() ? " Choose a cell, with the pointer or with arrow keys and Enter, to see its spectrum." : "");
    page.spectrumCaption = "Left: how dense the singular values lie, with the Marchenko–Pastur density of noise of the estimated strength. "
        + "What stands beyond the true edge is no noise. Right: the same values by rank, on logarithmic axes.";
    const any = runs.some(r => r.n > 0), parts = [
        beforeAfter(page), tuning(page), runs.map(r => calibrationFigure(page, r)), compression(page), divergences(page), predictions(page), taskFigures(page), taskChanges(page), perplexities(page),
        runs.map((r, k) => r.results.sweep_table ? gainsFigure(page, r, k ? "gains-2" : "gains") : null),
        runs.map((r, k) => r.decisions.length ? [pathFigure(page, r, k ? "path-2" : "path"), decisionTable(page, r)] : null),
        runs.some(r => r.raw.windows.length > 0) ? windowsFigure(page) : null,
        page.maps.map ? mapFigure(page) : null,
        page.maps.experts ? expertFigure(page) : null,
        runs.length > 1 && any ? changesTable(page) : null,
        page.spectra.any() ? spectrumFigure(page) : null,
        runs[0].metrics.kept_share ? ranksFigure(page) : null,
        notScanned(page),
        runs.some(r => phasesOf(r).length) ? timesFigure(page) : null,
        settings(page), runs.some(r => r.raw.provenance.length) ? provenance(page) : null].flat(Infinity).filter(Boolean);
    const nodes = parts.map(p => p instanceof Node ? p : p.element), main = document.getElementById("page");
    const links = nodes.filter(n => n.id).map(n => h("a", {href: "#" + n.id}, n.querySelector("h2").textContent));
    main.replaceChildren(heading(page), tiles(page), h("nav", {"aria-label": "parts of the report"}, links), ...nodes,
        h("p", {class: "fine", style: "margin-top:48px"}, "Everything on this page is inside this one file; nothing is loaded from elsewhere."));
    window.laserPage = page;
    return page;
}

function start() {
    const began = performance.now();
    let data;
    try {
        data = JSON.parse(document.getElementById("data").textContent);
    } catch (e) {
        document.getElementById("page").append(h("p", {class: "notice"}, "The numbers of this report cannot be read; the file is torn: " + e.message));
        return;
    }
    build(data);
    document.documentElement.dataset.drawn = Math.round(performance.now() - began);
    addEventListener("scroll", tip.hide, {passive: true});
}

start();
