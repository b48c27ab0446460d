/* A run as the figures want it. */

const ORDER = ["q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn", "o_proj", "out_proj", "dense",
               "gate", "router", "gate_proj", "w1", "up_proj", "w3", "gate_up_proj", "c_fc", "dense_h_to_4h",
               "down_proj", "w2", "c_proj", "dense_4h_to_h"];

/* What is known of the metrics: label, explanation; kind "share": 0 to 1, "count": integers. */
const METRICS = {
    score: ["score", "what matrices are ranked by"],
    snr: ["SNR", "sum of the singular values that are kept / sum of the others"],
    snr_normalized: ["SNR / largest value", "SNR divided by the largest singular value"],
    kept_share: ["rank kept", "share of the singular values above the threshold", "share"],
    rank: ["rank kept, count", "singular values above the threshold", "count"],
    kept_after: ["rank left by the kept edits", "singular values that stay above 0 in the written model", "share"],
    difference: ["change of loss", "change of the mean loss (nats per token) by the best edit that was tried", "signed"],
    energy_kept: ["energy kept", "share of the squared Frobenius norm above the threshold", "share"],
    threshold: ["threshold", "singular values above it are signal"],
    stable_rank: ["stable rank", "squared Frobenius norm / squared largest singular value"],
    effective_rank: ["effective rank", "exponential of the entropy of the singular values"],
    entropy: ["matrix entropy", "entropy of the squared singular values"],
    matrix_rank: ["numerical rank", "singular values above rounding", "count"],
    alpha: ["alpha", "exponent of the power law in the tail of the eigenvalues"],
    alpha_sigma: ["error of alpha", "standard error of alpha"],
    alpha_weighted: ["alpha, weighted", "alpha times log10 of the largest eigenvalue"],
    ks_distance: ["distance of the power law fit", "Kolmogorov-Smirnov distance", "share"],
    num_spikes: ["values above the true edge", "singular values above the Marchenko-Pastur edge", "count"],
    noise_sigma: ["noise", "median estimate of the standard deviation of a noise entry"],
    sigma_mp: ["noise / entries", "noise over the root mean square entry"],
    mp_edge: ["true edge", "Marchenko-Pastur edge, as a singular value"],
    mp_softrank: ["MP soft rank", "squared edge / squared largest singular value"],
    s_max: ["largest value", "largest singular value"],
    s_min: ["smallest value", "smallest singular value"],
    frobenius: ["Frobenius norm", "root of the sum of squares"],
    log_norm: ["log norm", "log10 of the squared Frobenius norm"],
    log_spectral_norm: ["log spectral norm", "log10 of the largest eigenvalue"],
    log_alpha_norm: ["log alpha norm", "log10 of the sum of eigenvalues to the power alpha"],
    xmin: ["begin of the power law", "smallest eigenvalue of the fit"],
    xmax: ["largest eigenvalue", "largest eigenvalue"],
    tail: ["eigenvalues in the power law", "eigenvalues of the fit", "count"],
    signal: ["signal", "sum of the singular values that are kept"],
    noise: ["noise sum", "sum of the singular values that are not kept"],
    compressed: ["rank left", "share of the singular values that are left; 100 % is a matrix that stays dense", "share"],
    predicted_rise: ["predicted rise", "change of the mean loss (nats per token) that the cut of the matrix is predicted to cost"],
    cut_predicted: ["predicted change by the cut", "change of the mean loss (nats per token) by the cut at the threshold", "signed"],
    best_predicted: ["predicted change by the best edit", "change of the mean loss (nats per token) by the edit that is predicted to do best", "signed"],
    step_predicted: ["predicted change by the step", "lowest predicted change of the mean loss (nats per token) along the damped Newton step", "signed"],
    seconds: ["time", "seconds to read and to solve"],
};

const value = x => x === null || x === undefined || x === "NaN" ? NaN : x === "Infinity" ? Infinity
    : x === "-Infinity" ? -Infinity : Number(x);

const shortType = type => type.slice(type.lastIndexOf(".") + 1);

function typeOrder(a, b) {
    const place = t => {
        const k = ORDER.indexOf(shortType(t));
        return k < 0 ? ORDER.length : k;
    };
    const group = t => /attn|attention/.test(t) ? 0 : /expert/.test(t) ? 2 : 1;
    return group(a) - group(b) || place(a) - place(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/* "mlp.experts.17.up_proj" -> ["mlp.experts.*.up_proj", 17] */
function splitExpert(type) {
    const found = /^(.*\.)?(\d+)\.(.*)$/.exec(type);
    return found ? [(found[1] || "") + "*." + found[3], Number(found[2])] : [type, -1];
}

function readRun(raw, curves) {
    readCompressed(raw);
    raw.types = raw.types.map(k => raw.typeNames[k]);
    raw.dtypes = raw.dtypes.map(k => raw.dtypeNames[k]);
    const n = raw.names.length, run = {raw, n, label: raw.label, results: raw.results || {}, names: raw.names};
    run.metrics = {};
    for (const [key, list] of Object.entries(raw.metrics))
        run.metrics[key] = list.map(value);
    run.layer = raw.layers.map(value);
    run.rows = raw.rows;
    run.columns = raw.columns;
    run.failure = raw.failures;
    run.short = raw.rows.map((r, i) => Math.min(r, raw.columns[i]));
    run.type = [];
    run.expert = [];
    raw.types.forEach((type, i) => { [run.type[i], run.expert[i]] = splitExpert(type); });
    /* A number between dots that is alone of its kind is no expert. */
    const seen = new Map();
    run.type.forEach((t, i) => seen.set(t, (seen.get(t) || new Set()).add(run.expert[i])));
    run.type.forEach((t, i) => {
        if (run.expert[i] >= 0 && seen.get(t).size < 2) {
            run.type[i] = raw.types[i];
            run.expert[i] = -1;
        }
    });
    run.index = new Map(raw.names.map((name, i) => [name, i]));
    run.sketches = raw.spectra.map((s, i) => {
        if (s === null)
            return null;
        const beta = run.short[i] / Math.max(raw.rows[i], raw.columns[i]);
        const curve = curves.find(c => Math.abs(c.beta - beta) < 1e-8 * beta);
        return {low: s[0], high: s[1], level: s[2], edge: s[3], compat: s[4], threshold: value(s[5]), above: s[6],
                counts: s[7], values: s[8].map(value), ranks: raw.ranks[run.short[i]] || null, curve, n: run.short[i]};
    });
    const rank = run.metrics.rank;
    if (rank)
        run.metrics.kept_share = rank.map((k, i) => run.short[i] > 0 ? k / run.short[i] : NaN);
    readDecisions(run);
    readSensitivity(run);
    for (const key of Object.keys(run.metrics))
        if (!run.metrics[key].some(x => !Number.isNaN(x)) || (key === "seconds" && !run.metrics[key].some(x => x > 0)))
            delete run.metrics[key];
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
    if (list.length === 0 || run.n === 0) /* nothing that the maps could show */
        return;
    const after = run.metrics.kept_share ? run.short.map(() => 1) : null, change = run.short.map(() => NaN);
    for (const d of list) {
        if (d.index === undefined)
            continue;
        if (!(change[d.index] <= d.difference))
            change[d.index] = d.difference;
        if (d.kept && after && d.of > 0)
            after[d.index] = d.rank / d.of;
    }
    run.metrics.difference = change;
    if (after && list.some(d => d.kept))
        run.metrics.kept_after = after;
}

const metricText = key => METRICS[key] ? METRICS[key][0] : key;
const metricKind = key => METRICS[key] ? METRICS[key][2] : undefined;

function metricNumber(key, x) {
    return metricKind(key) === "share" ? percent(x) : metricKind(key) === "signed" ? signed(x, number(x)) : number(x);
}

/* The types of all runs, the layers, and where each matrix stands. */
function readAxes(runs) {
    const types = new Set(), layers = new Set(), experts = new Map();
    for (const run of runs)
        for (let i = 0; i < run.n; i++) {
            types.add(run.type[i]);
            layers.add(run.layer[i]);
            if (run.expert[i] >= 0)
                experts.set(run.type[i], Math.max(experts.get(run.type[i]) || 0, run.expert[i] + 1));
        }
    const axes = {types: [...types].sort(typeOrder), experts};
    axes.layers = [...layers].sort((a, b) => a - b);
    if (axes.layers[0] < 0)
        axes.layers.push(axes.layers.shift());
    for (const run of runs) {
        run.cells = new Map();
        for (let i = 0; i < run.n; i++) {
            const key = run.layer[i] + " " + run.type[i];
            if (!run.cells.has(key))
                run.cells.set(key, []);
            run.cells.get(key).push(i);
        }
        for (const cell of run.cells.values())
            cell.sort((a, b) => run.expert[a] - run.expert[b]);
    }
    return axes;
}

const layerText = layer => layer < 0 ? "–" : String(layer);
