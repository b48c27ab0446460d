/* A run as the figures want it. */

/* What is known of the metrics: label, explanation; kind "share": 0 to 1, "count": integers, "signed": a change. */
const METRICS = {};

function readMetricTexts(list) {
    for (const [key, ...text] of list)
        METRICS[key] = text;
}

const value = x => x === null || x === undefined || x === "NaN" ? NaN : x === "Infinity" ? Infinity
    : x === "-Infinity" ? -Infinity : Number(x);

const objects = list => (Array.isArray(list) ? list : []).filter(x => x && typeof x === "object");

const shortType = type => type.slice(type.lastIndexOf(".") + 1);

/* The table of matrices came with the page: columns of metrics, and in which cell of the maps each one stands. */
function readRun(raw) {
    raw.types = raw.types.map(k => raw.typeNames[k]);
    raw.dtypes = raw.dtypes.map(k => raw.dtypeNames[k]);
    const n = raw.names.length, run = {raw, n, label: raw.label, results: raw.results || {}, names: raw.names, metrics: {}};
    for (const [key, list] of Object.entries(raw.metrics))
        if (key !== "format")
            run.metrics[key] = list.map(value);
    run.layer = raw.layers.map(value);
    run.rows = raw.rows;
    run.columns = raw.columns;
    run.failure = raw.failures;
    run.short = raw.rows.map((r, i) => Math.min(r, raw.columns[i]));
    run.expert = raw.experts || raw.names.map(() => -1);
    run.type = raw.kinds ? raw.kinds.map(k => raw.kindNames[k]) : raw.types;
    run.index = new Map(raw.names.map((name, i) => [name, i]));
    readDecisions(run);
    run.sensitivity = objects((run.results.sensitivity || {}).matrices);
    return run;
}

/* A value of it: shares have four digits after the point. */
const goalText = (goal, x, digits) => Number.isFinite(x) ? goal.digits ? minus(x.toFixed(goal.digits)) : minus(x.toPrecision(digits || 7)) : "–";

/* "28 of 120" of one that was given up early. */
const seenText = d => number(d.windows) + (d.early && d.of_windows > 0 ? " of " + number(d.of_windows) : "");

/* What a search improves, as people read it: perplexity, which is multiplied by e^change, or a figure of tasks, to which
 * the change is added (taken from it where the figure rises).  Changes are those of what is minimised. */
function readGoal(results) {
    const base = results.baseline && results.baseline.selection;
    if (!base || base.value === undefined)
        return {name: "perplexity", items: "windows", change: "change, nats", level: nll => Math.exp(nll),
                moved: (level, change) => level * Math.exp(change), delta: change => change,
                relative: change => percent(Math.expm1(change), 2), shown: state => value(state.ppl), error: state => value(state.ppl_stderr)};
    const sign = results.objective_rises ? -1 : 1, name = results.objective || "objective";
    return {name, items: /perplexity/.test(name) ? "items" : "questions", change: "change", digits: isShare(name) && !/[+*]/.test(name) ? 4 : undefined,
            level: nll => value(base.value) + sign * (nll - value(base.nll)), moved: (level, change) => level + sign * change,
            delta: change => 0 + sign * change, relative: null, shown: state => value(state.value), error: state => value(state.stderr)};
}

/* Decisions of a reduction, each with the figure that its paired difference stands for: one that was given up
 * early has seen a part of the windows, and their own mean says nothing. */
function readDecisions(run) {
    const base = run.results.baseline && run.results.baseline.selection;
    run.goal = readGoal(run.results);
    let best = base ? value(base.nll) : NaN;
    const sweep = run.results.sweep || [], list = [];
    for (const d of [...sweep, ...(run.results.decisions || [])].filter(d => d && typeof d === "object")) {
        const difference = value(d.difference), error = value(d.difference_stderr);
        const nll = Number.isNaN(difference) || Number.isNaN(best) ? value(d.nll) : best + difference;
        const joint = d.edits > 1; /* one step in many matrices is the edit of no single one */
        list.push({...d, tensor: joint ? `one step in ${number(d.edits)} matrices` : d.tensor, difference, error, nll, before: best, level: run.goal.level(nll), index: joint ? undefined : run.index.get(d.tensor), joint,
                   measured: d.reason === "measured", early: /early/.test(d.reason || "")});
        if (d.kept && Number.isFinite(nll))
            best = nll;
    }
    run.measured = list.filter(d => d.measured);
    run.decisions = list.filter(d => !d.measured);
    run.base = base ? {nll: value(base.nll), level: run.goal.level(value(base.nll)), error: value(base.stderr)} : null;
}

const metricText = key => METRICS[key] ? METRICS[key][0] : key;
const metricKind = key => METRICS[key] ? METRICS[key][2] : undefined;

function metricNumber(key, x) {
    return metricKind(key) === "share" ? percent(x) : metricKind(key) === "signed" ? signed(x, number(x)) : number(x);
}

/* The types and the layers of all runs, and the matrices of each cell, by expert. */
function readAxes(data, runs) {
    const experts = new Map();
    for (const run of runs) {
        run.cells = new Map();
        for (let i = 0; i < run.n; i++) {
            const key = run.layer[i] + " " + run.type[i];
            if (!run.cells.has(key))
                run.cells.set(key, []);
            run.cells.get(key).push(i);
            if (run.expert[i] >= 0)
                experts.set(run.type[i], Math.max(experts.get(run.type[i]) || 0, run.expert[i] + 1));
        }
        for (const cell of run.cells.values())
            cell.sort((a, b) => run.expert[a] - run.expert[b]);
    }
    return {types: data.types, layers: data.layers, experts};
}

const layerText = layer => layer < 0 ? "–" : String(layer);
