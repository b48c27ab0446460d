/* Tables. */

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
