/* Ranks, times and tables. */

function ranksFigure(page) {
    const {axes, runs} = page, run = runs[0], other = runs[1];
    const types = axes.types.filter(t => run.type.some((x, i) => x === t && !Number.isNaN(run.metrics.kept_share[i])));
    const edited = new Map(run.decisions.filter(d => d.kept && d.index !== undefined && d.of > 0).map(d => [d.index, d.rank / d.of]));
    const layers = axes.layers, range = (r, layer, t) => {
        const cell = r.metrics.kept_share ? summary(r, "kept_share", layer, t) : null;
        return cell && cell.known.length ? cell : null;
    };
    const shares = runs.flatMap(r => r.metrics.kept_share ? r.metrics.kept_share.filter(Number.isFinite) : []).concat([...edited.values()]);
    const most = [0.1, 0.2, 0.5, 1].find(x => shares.every(y => y <= x * 1.0001)) || 1;
    const draw = (plot, width) => {
        const count = Math.max(1, Math.min(width < 700 ? 2 : 4, Math.floor(width / 150))), w = Math.floor((width + 20) / count - 20), hh = 132;
        plot.append(legend([[swatch("square", "var(--kept)"), other ? run.label : "above the threshold"],
            other ? [swatch("line", "var(--b)"), other.label] : null,
            edited.size ? [swatch("dot", "var(--reverted)"), "left by a kept edit"] : null,
            axes.experts.size ? [swatch("line", "var(--muted)"), "lowest to highest expert, bar: median"] : null]));
        plot.append(h("div", {class: "minis", style: `grid-template-columns:repeat(${count},minmax(0,1fr))`}, types.map((t, k) => {
            const node = svg(w, hh, "ranks kept of " + t), left = k % count === 0 ? 47 : 8, right = w - 4, top = 6, bottom = hh - 20;
            const x = linear(-0.5, layers.length - 0.5, left, right), y = linear(0, most, bottom, top), thick = Math.max(0.8, (right - left) / layers.length - 1);
            y.text = v => (k % count === 0 ? 100 * v + " %" : "");
            axisY(node, y, [0, most / 2, most], left, right);
            layers.forEach((layer, at) => {
                const cell = range(run, layer, t);
                if (!cell)
                    return;
                node.append(g("rect", {x: x(at) - thick / 2, y: y(cell.x), width: thick, height: Math.max(0.8, bottom - y(cell.x)), fill: "var(--kept)", opacity: 0.85}));
                if (cell.known.length > 1)
                    node.append(g("line", {x1: x(at), x2: x(at), y1: y(cell.known[0]), y2: y(cell.known[cell.known.length - 1]), stroke: "var(--muted)"}));
                for (const i of cell.list)
                    if (edited.has(i))
                        node.append(g("circle", {cx: x(at), cy: y(edited.get(i)), r: 3.2, fill: "var(--reverted)", stroke: "var(--bg)"}));
            });
            if (other) {
                const points = layers.map((layer, at) => [at, range(other, layer, t)]).filter(p => p[1]).map(([at, c]) => [x(at), y(c.x)]);
                node.append(g("path", {d: path(points), fill: "none", stroke: "var(--b)", "stroke-width": 1.6}));
            }
            const step = labelStep(layers.length, (right - left) / layers.length, 34);
            layers.forEach((layer, at) => {
                if (at % step === 0)
                    node.append(g("text", {x: x(at), y: hh - 5, "text-anchor": "middle", class: "num"}, layerText(layer)));
            });
            node.addEventListener("pointermove", e => {
                const box = node.getBoundingClientRect(), at = Math.round((e.clientX - box.left - x(0)) / ((x(1) - x(0)) || 1)), cell = range(run, layers[at], t);
                if (!cell)
                    return tip.hide();
                const b = other ? range(other, layers[at], t) : null;
                tip.show(`layer ${layerText(layers[at])}, ${t}`, [[other ? run.label : "kept", percent(cell.x)], b ? [other.label, percent(b.x)] : null,
                    ...cell.list.filter(i => edited.has(i)).slice(0, 3).map(i => ["left by the edit", percent(edited.get(i))])].filter(Boolean), e.clientX, e.clientY);
            });
            node.addEventListener("pointerleave", tip.hide);
            return h("div", {class: "mini"}, h("h4", {}, h("span", {title: t}, t), h("span", {}, percent(meanShare(run, t)))), node);
        })));
    };
    return figure("ranks", "Ranks kept", "Share of the singular values of each matrix above the threshold, by layer; beside the name the share over all layers.", {draw,
        numbers: () => ({head: ["tensor", "rank", "of", "share", "share_left_by_edit", ...(other ? ["rank " + other.label] : [])],
            rows: run.names.map((name, i) => [name, plain(run.metrics.rank[i]), run.short[i], plain(run.metrics.kept_share[i]), edited.has(i) ? edited.get(i) : "",
                ...(other ? [other.index.has(name) && other.metrics.rank ? plain(other.metrics.rank[other.index.get(name)]) : ""] : [])])})});
}

function meanShare(run, type) {
    let kept = 0, of = 0;
    run.type.forEach((t, i) => {
        if (t === type && run.metrics.rank[i] >= 0) {
            kept += run.metrics.rank[i];
            of += run.short[i];
        }
    });
    return of > 0 ? kept / of : NaN;
}

/* ---- times ---- */

const phasesOf = run => Array.isArray(run.results.phases) ? run.results.phases.filter(p => p && p.name && value(p.seconds) >= 0) : [];

/* Seconds that the working ranks computed in a phase: {min, mean, max}. */
const workOf = p => ({min: value((p.work_seconds || {}).min), mean: value((p.work_seconds || {}).mean), max: value((p.work_seconds || {}).max)});

function timesFigure(page) {
    const runs = page.runs.filter(r => phasesOf(r).length > 0);
    const draw = (plot, width) => {
        const most = Math.max(...runs.flatMap(r => phasesOf(r).map(p => value(p.seconds)))) || 1;
        plot.append(legend([[swatch("square", "var(--a)"), "work of a rank, mean"], [swatch("square", "var(--noise)"), "waiting, files, messages"]]));
        for (const run of runs) {
            const list = phasesOf(run), left = Math.max(...list.map(p => p.name.length)) * 7.4 + 12, right = Math.max(width - 120, left + 40);
            const node = svg(width, list.length * 26 + 6, "seconds of the phases of " + run.label), x = linear(0, most, left, right);
            list.forEach((p, k) => {
                const y = 3 + k * 26, work = workOf(p).mean || 0;
                add(node, [g("text", {x: left - 9, y: y + 17, "text-anchor": "end", class: "label"}, p.name),
                    g("rect", {x: left, y: y + 4, width: Math.max(1, x(value(p.seconds)) - left), height: 18, fill: "var(--noise)"}),
                    g("rect", {x: left, y: y + 4, width: Math.max(0, x(Math.min(work, value(p.seconds))) - left), height: 18, fill: "var(--a)"}),
                    g("text", {x: x(value(p.seconds)) + 8, y: y + 17, class: "label num"}, time(value(p.seconds)), " ",
                      g("tspan", {style: "fill:var(--muted)"}, Number.isFinite(value(p.share)) ? percent(p.share) : ""))]);
            });
            add(plot, [runs.length > 1 ? h("h3", {}, run.label) : null, node]);
            const orDash = (x, text) => x > 0 ? text(x) : "–";
            plot.append(h("div", {style: "margin-top:12px"}, table(
                [["phase", true], ["time"], ["work: least"], ["mean"], ["most"], ["GFLOP/s"], ["read"], ["written"], ["memory: rank"], ["node"]],
                list.map(p => [p.name, time(value(p.seconds)), ...["min", "mean", "max"].map(k => orDash(workOf(p)[k], time)), orDash(p.gflops_per_second, number),
                    ...["read_bytes", "written_bytes", "rank_peak_bytes", "node_peak_bytes"].map(k => orDash(p[k], bytes))]), "phases of " + run.label)));
        }
    };
    const keys = ["seconds", "share", "flops", "gflops_per_second", "read_bytes", "written_bytes", "rank_peak_bytes", "node_peak_bytes"];
    return figure("times", "Time", "Wall-clock time of each phase, and how much of it the working ranks computed.", {draw,
        numbers: () => ({head: ["run", "phase", "work_min_s", "work_mean_s", "work_max_s", ...keys], rows: runs.flatMap(r => phasesOf(r).map(
            p => [r.label, p.name, plain(workOf(p).min), plain(workOf(p).mean), plain(workOf(p).max), ...keys.map(k => plain(value(p[k])))]))})});
}

/* ---- tables ---- */

/* columns: [title, is text]; rows: lists of nodes or texts. */
function table(columns, rows, caption) {
    return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, h("table", {},
        h("thead", {}, h("tr", {}, columns.map(([title, text]) => h("th", {scope: "col", class: text ? "text" : null}, title)))),
        h("tbody", {}, rows.map(row => h("tr", {}, row.map((cell, k) => h("td", {class: columns[k][1] ? "text" : null}, cell)))))));
}

const section = (id, title, caption, ...children) => h("section", {id, class: "panel"}, h("h2", {}, title),
                                                       caption ? h("p", {class: "caption"}, caption) : null, ...children);

const withError = (ppl, error) => Number.isFinite(error) ? `${trimmed6(ppl)} ± ${short2(error)}` : trimmed6(ppl);
const short2 = x => x >= 0.001 && x < 100 ? x.toPrecision(2) : number(x);
const trimmed6 = x => Number.isFinite(x) ? x.toPrecision(7) : "–";

const goalError = (goal, state) => goalText(goal, goal.shown(state)) + (Number.isFinite(goal.error(state)) ? " ± " + short2(goal.error(state)) : "");

/* By which rule edits were kept. */
function ruleText(run) {
    const rule = run.results.keep_rule;
    if (!rule)
        return null;
    const tried = `${number(rule.edits_tried)} edit${rule.edits_tried === 1 ? " was" : "s were"} tried on ${number(rule.selecting)} ${run.goal.items}`;
    return `${tried}: one is kept if ` + (rule.test === "mcnemar" ? `the exact McNemar test of the questions that it changes is below ${number(rule.chance)} (z ${rule.z.toFixed(2)}).`
        : `it is better by more than z = ${rule.z.toFixed(2)} standard errors (by chance: ${number(rule.chance)}).`);
}

function beforeAfter(page) {
    const rows = [], tasks = page.runs.some(r => !r.goal.relative);
    for (const run of page.runs) {
        const {baseline, final, report_difference: pair} = run.results;
        if (!baseline || !final || run.results.strategy === "sweep")
            continue;
        for (const [key, what] of [["selection", "selection: decided what is kept"], ["report", "report: seen by no decision"]]) {
            const a = baseline[key], b = final[key];
            if (!a || !b)
                continue;
            const goal = run.goal, change = value(b.nll) - value(a.nll), error = key === "report" && pair ? value(pair.stderr) : NaN;
            rows.push([...(page.runs.length > 1 ? [run.label] : []), ...(tasks ? [goal.name] : []), what, goalError(goal, a), goalError(goal, b),
                       signed(goal.delta(change), number(goal.delta(change))) + (Number.isFinite(error) ? " ± " + number(error) : ""),
                       goal.relative ? signed(change, goal.relative(change)) : "–"]);
        }
    }
    if (rows.length === 0)
        return null;
    const saved = page.runs.map(r => r.results.saved).filter(Boolean), verdicts = page.runs.filter(r => typeof r.results.verdict === "string").map(r => [r, r.results.verdict]);
    const who = r => page.runs.length > 1 ? r.label + ": on" : "On";
    return section("result", "Before and after", (tasks ? "What the search was to improve," : "Perplexity of the model")
        + " as it was and with the kept edits, ± one standard error over the " + (tasks ? "questions or windows." : "windows."),
        table([...(page.runs.length > 1 ? [["run", true]] : []), ...(tasks ? [["figure", true]] : []), [tasks ? "part" : "windows", true], ["before"], ["after"],
               [tasks ? "change" : "change, nats"], [tasks ? "change, share" : "change"]], rows, "before and after"),
        page.runs.map(ruleText).filter(Boolean).map(text => h("p", {class: "fine", style: "margin-top:10px"}, text)),
        verdicts.map(([r, text]) => h("p", {class: "fine", style: "margin-top:10px"}, `${who(r)} the report ${r.goal.items}: ${text}.`)),
        saved.map(s => h("p", {class: "fine", style: "margin-top:10px"}, s.matrices > 0
            ? `As two thin matrices ${number(s.matrices)} of the edited ones have ${number(s.parameters)} parameters less and take ${number(s.flops_per_token)} flops less a token.`
            : "No parameters are saved: none of the edited matrices is smaller as two thin ones.")));
}

function perplexities(page) {
    const runs = page.runs.filter(r => r.results.perplexity && r.results.perplexity.pooled);
    if (runs.length === 0)
        return null;
    const rows = [], row = (run, name, p) => [...(page.runs.length > 1 ? [run.label] : []), name, withError(value(p.ppl), value(p.ppl_stderr)),
        value(p.nll).toFixed(6) + (Number.isFinite(value(p.stderr)) ? " ± " + short2(value(p.stderr)) : ""), number(p.tokens), number(p.windows),
        p.tokens_per_second === null ? "–" : number(Math.round(p.tokens_per_second))];
    for (const run of runs) {
        const sets = Object.entries(run.results.perplexity.datasets || {});
        for (const [name, p] of sets)
            rows.push(row(run, name, p));
        if (sets.length !== 1)
            rows.push(row(run, "all texts", run.results.perplexity.pooled));
    }
    const r = runs[0].results;
    return section("perplexity", "Perplexity", [`Windows of ${r.seqlen} tokens, convention ${r.convention}, ${r.precision}.`],
        table([...(page.runs.length > 1 ? [["run", true]] : []), ["text", true], ["perplexity"], ["loss, nats per token"], ["scored tokens"], ["windows"],
               ["tokens/s"]], rows, "perplexity"));
}

/* What was kept stands open, all of the decisions fold away. */
function decisionTable(page, run) {
    const row = (d, k) => [String(k + 1), d.kept ? h("span", {class: "kept"}, "kept") : "reverted", d.tensor, d.edit,
        d.joint ? "–" : `${number(d.rank)} of ${number(d.of)}`, d.early ? "–" : goalText(run.goal, d.level),
        signed(run.goal.delta(d.difference), number(run.goal.delta(d.difference))) + " ± " + number(d.error), seenText(d), d.reason || ""];
    const head = [["#"], ["decision", true], ["tensor", true], ["edit", true], ["rank left"], [run.goal.name], [run.goal.change], [run.goal.items], ["reason", true]];
    const rows = run.decisions.map((d, k) => [d, row(d, k)]), kept = rows.filter(([d]) => d.kept).map(r => r[1]);
    const text = page.runs.length > 1 ? "Decisions of " + run.label : "Decisions", details = h("details", {class: "noprint"},
        h("summary", {}, `${text}: all ${run.decisions.length} in a table`));
    /* Only when it is wanted. */
    details.addEventListener("toggle", () => details.append(table(head, run.decisions.map(row), text)), {once: true});
    return [section(run === page.runs[0] ? "kept" : "kept-2", page.runs.length > 1 ? `Kept edits of ${run.label}` : "Kept edits", null,
                    kept.length ? table(head.filter((_, k) => k !== 1 && k !== 8), kept.map(cells => cells.filter((_, k) => k !== 1 && k !== 8)), "kept edits")
                        : h("p", {}, "No edit was kept: the model is as it was."), details)];
}

/* The largest differences between two runs. */
function changesTable(page) {
    const [a, b] = page.runs, key = a.metrics.snr && b.metrics.snr ? "snr" : "score";
    const list = a.names.filter(name => b.index.has(name)).map(name => {
        const x = (a.metrics[key] || [])[a.index.get(name)], y = (b.metrics[key] || [])[b.index.get(name)];
        return {name, x, y, change: difference(x, y, "relative")};
    }).filter(c => Number.isFinite(c.change)).sort((p, q) => Math.abs(q.change) - Math.abs(p.change));
    const only = [a, b].map((r, k) => r.names.filter(name => !page.runs[1 - k].index.has(name)).length);
    return section("changes", "Largest changes", [`${number(list.length)} matrices are in both. `, only[0] ? `${number(only[0])} only in ${a.label}. ` : "",
        only[1] ? `${number(only[1])} only in ${b.label}. ` : "", list.length > 25 ? "Shown are the 25 that changed most." : ""],
        list.length ? table([["tensor", true], [`${metricText(key)}, ${a.label}`], [b.label], ["change"]],
                            list.slice(0, 25).map(c => [c.name, number(c.x), number(c.y), signed(c.change, percent(c.change))]), "largest changes") : "");
}

function notScanned(page) {
    const parts = [];
    for (const run of page.runs) {
        const failed = run.names.map((name, i) => [name, run.failure[i]]).filter(f => f[1] !== null), reasons = new Map();
        for (const [name, reason] of run.raw.skipped)
            reasons.set(reason || "no reason given", [...(reasons.get(reason || "no reason given") || []), name]);
        if (failed.length + reasons.size === 0)
            continue;
        if (page.runs.length > 1)
            parts.push(h("h3", {}, run.label));
        if (failed.length)
            parts.push(h("p", {class: "bad"}, failed.length === 1 ? "One matrix failed:" : `${number(failed.length)} matrices failed:`),
                       table([["tensor", true], ["why", true]], failed.slice(0, 200), "failed matrices"));
        if (reasons.size)
            parts.push(h("h3", {}, `Skipped: ${number(run.raw.skipped.length)} tensors`), [...reasons].map(([reason, names]) =>
                h("details", {}, h("summary", {}, `${reason} (${number(names.length)})`), h("pre", {}, names.slice(0, 2000).join("\n")))));
    }
    return parts.length ? section("left", "Not scanned", null, ...parts) : null;
}

/* The deck with the comments on where each value came from in grey. */
function deckText(deck) {
    return h("pre", {}, deck.split("\n").flatMap((line, k) => {
        const at = line.startsWith("#") ? 0 : line.search(/\s+# /);
        return [k ? "\n" : "", at < 0 ? line : [line.slice(0, at), h("span", {class: "why"}, line.slice(at))]];
    }));
}

function settings(page) {
    const decks = page.runs.filter(r => r.raw.deck);
    if (decks.length === 0)
        return null;
    return section("deck", "Settings", "The effective deck: every setting of the run and where it came from. It is a deck itself.", decks.map(r => [
        page.runs.length > 1 ? h("h3", {}, r.label) : null,
        h("div", {class: "bar"}, h("button", {type: "button", onclick: e => copy(r.raw.deck, e.target)}, "Copy deck")), deckText(r.raw.deck)]));
}

function provenance(page) {
    return section("provenance", "Provenance", null, page.runs.map(r => [page.runs.length > 1 ? h("h3", {}, r.label) : null,
        h("div", {class: "scroll"}, h("table", {}, h("tbody", {}, r.raw.provenance.map(([name, text]) => h("tr", {}, h("th", {class: "text name", scope: "row"}, name),
                                                                                    h("td", {class: "text wrap"}, text))))))]));
}
