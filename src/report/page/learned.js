/* What gradients said: rounds of tuning, predictions of the sensitivity, and a model that was made smaller. */

const changeWithError = (x, error) => Number.isFinite(x) ? signed(x, number(x)) + (Number.isFinite(error) ? " ± " + short2(error) : "") : "–";
const size = x => Number.isFinite(x) ? bytes(x) : "–";
const five = x => Number.isFinite(x) ? minus(x.toFixed(5)) : "–";
const named = (page, run, title) => page.runs.length > 1 ? `${title}, ${run.label}` : title;
const numbered = (page, run, id) => id + (run === page.runs[0] ? "" : "-2");

/* ---- sensitivity ---- */

function predictions(page) {
    return page.runs.filter(r => r.sensitivity.length).map(run => {
        const list = run.sensitivity.slice().sort((a, b) => (value(a.best) || 0) - (value(b.best) || 0)), s = run.results.sensitivity;
        const head = [["tensor", true], ["best edit", true], ["its change, nats"], ["the cut"], ["damped Newton step"]];
        const row = m => [m.tensor || "–", m.best_edit || "–", ...["best", "cut", "step"].map(k => changeWithError(value(m[k])))];
        const text = named(page, run, "Predictions"), details = h("details", {class: "noprint"}, h("summary", {}, `All ${number(list.length)} matrices`));
        details.addEventListener("toggle", () => details.append(table(head, list.map(row), text)), {once: true});
        return section(numbered(page, run, "predictions"), text, `What edits of one matrix are predicted to change in the mean loss, from gradients of ${number(value(s.tokens))} tokens`
            + ` (loss ${number(value(s.loss))}). Nothing was measured; the number of a hard cut only ranks it. The edits that promise most come first.`,
            table(head, list.slice(0, 25).map(row), text), list.length > 25 ? details : null);
    });
}

/* ---- tuning ---- */

/* z: how many standard errors a gain must have, of the rule of the run. */
function whyNot(round, step, z) {
    const difference = value(step.difference), error = value(step.stderr);
    if (round.taken !== null && round.taken !== undefined && value(round.taken) === value(step.length))
        return h("span", {class: "kept"}, "taken");
    if (!(difference < 0) || !(difference < -z * error))
        return z > 0 ? `no gain beyond ${z.toFixed(2)} standard errors` : "no gain";
    if (step.too_far)
        return `too far from the base: KL ${short2(value(step.kl))}`;
    if (step.harms_guard) {
        const names = Object.entries(step.guards || {}).filter(([, x]) => x && value(x.difference) > 0 && value(x.difference) > value(x.stderr)).map(([name]) => name);
        return "harms " + (names.join(", ") || "a guard text");
    }
    return "another length was better";
}

function tuneTexts(run) {
    const {baseline, final, report_difference: pair, tune} = run.results, rows = [];
    for (const [key, what] of [["selection", "tuned text: windows that chose"], ["report", "tuned text: held out, seen by no decision"]]) {
        const a = baseline && baseline[key] && value(baseline[key].nll), b = final && final[key] && value(final[key].nll);
        if (Number.isFinite(a) && Number.isFinite(b))
            rows.push([what, number(baseline[key].windows), five(a), five(b), changeWithError(b - a, key === "report" && pair ? value(pair.stderr) : NaN)]);
    }
    for (const [key, what] of [["selection", "windows that could veto"], ["report", "seen by no decision"]])
        for (const [name, guard] of Object.entries(tune.guards || {})) {
            const x = guard && guard[key];
            if (x)
                rows.push([`guard ${name}: ${what}`, number(x.windows), five(value(x.nll)), five(value(x.nll) + value(x.difference)),
                           changeWithError(value(x.difference), value(x.stderr))]);
        }
    return rows;
}

function tuning(page) {
    return page.runs.filter(r => r.results.tune).flatMap(run => {
        const rounds = objects(run.results.tune.rounds), z = value((run.results.keep_rule || {}).z) || 0, texts = tuneTexts(run);
        const rows = rounds.flatMap((round, k) => objects(round.steps).map((step, i) => [i ? "" : String(k + 1), number(value(step.length)), changeWithError(value(step.predicted)),
            changeWithError(value(step.difference), value(step.stderr)), whyNot(round, step, z)]));
        return [section(numbered(page, run, "tune"), named(page, run, "Tuning"),
            "All singular values move at once, by one step of every round: what was kept is one step in many matrices, not an edit of any single one. Changes are of the mean loss in nats per token, ± one standard error of the paired difference.",
            texts.length ? [h("h3", {}, "Texts before and after"), table([["text", true], ["windows"], ["loss before"], ["after"], ["change"]], texts, "texts before and after")] : null,
            h("h3", {}, "Steps of each round"), rows.length ? table([["round"], ["length"], ["predicted"], ["measured"], ["decision", true]], rows, "steps of each round") : h("p", {}, "No step was tried."))];
    });
}

/* Predicted changes against the same ones measured. */
function calibrationFigure(page, run) {
    const id = numbered(page, run, "calibration");
    const steps = objects((run.results.tune || {}).rounds).flatMap((round, k) => objects(round.steps).map(step => ({...step, what: `round ${k + 1}, length ${step.length}`})));
    /* What rises is a share, for which another loss was predicted. */
    const edits = run.results.objective_rises ? [] : objects(run.results.sweep).concat(objects(run.results.decisions)).map(
        d => ({...d, stderr: d.difference_stderr, what: `${d.edit} on ${d.tensor}`}));
    const list = steps.concat(edits).filter(s => Number.isFinite(value(s.predicted)) && Number.isFinite(value(s.difference)));
    return list.length < 2 || !drawn(id) ? null : figure(id, named(page, run, "Predicted against measured"),
        "Changes of the mean loss that the gradients predicted and those that were measured, ± one standard error. The factor is that by which predictions must be multiplied to fit best.", {
            draw: plot => plot.append(drawn(id)),
            numbers: () => ({head: ["edit", "predicted", "measured", "stderr"], rows: list.map(s => [s.what, plain(value(s.predicted)), plain(value(s.difference)), plain(value(s.stderr))])})});
}

/* ---- compression ---- */

/* Change of the loss by the parameters that are left, a line for every text. */
function sizeFigure(page, run, points) {
    const dots = points.flatMap(p => objects(p.texts).map(t => ({x: value(p.parameters), y: value(t.difference), error: value(t.stderr), name: t.name, guard: t.guard,
                                                                 chosen: p === run.results.chosen, removed: value(p.remove)})));
    const id = numbered(page, run, "size");
    return dots.length === 0 || !drawn(id) ? null : figure(id, named(page, run, "Size against loss"), "Change of the loss to the original model, ± one standard error.", {
        draw: plot => plot.append(drawn(id)),
        numbers: () => ({head: ["text", "guard", "removed", "parameters", "difference", "stderr", "chosen"],
            rows: dots.map(d => [d.name, d.guard ? "yes" : "no", plain(d.removed), plain(d.x), plain(d.y), plain(d.error), d.chosen ? "yes" : "no"])})});
}

function compression(page) {
    return page.runs.filter(r => r.results.chosen && r.results.before).map(run => {
        const {before, chosen} = run.results, points = [chosen, ...objects(run.results.curve)].sort((a, b) => value(b.parameters) - value(a.parameters));
        const account = (what, key, text) => [what, text(value(before[key])), text(value(chosen[key])),
            signed(value(chosen[key]) - value(before[key]), percent(value(chosen[key]) / value(before[key]) - 1))];
        const rows = points.flatMap(p => objects(p.texts).map((t, k) => [k ? "" : p === chosen ? h("span", {class: "kept"}, percent(value(p.remove)), " chosen") : percent(value(p.remove)),
            k ? "" : number(value(p.parameters)), k ? "" : size(value(p.bytes)), k ? "" : changeWithError(value(p.predicted_rise)), `${t.name || "a text"}, ${t.guard ? "guard" : "held out"}`,
            five(value(t.before)), five(value(t.after)), changeWithError(value(t.difference), value(t.stderr))]));
        return [section(numbered(page, run, "compression"), named(page, run, "Smaller model"), null,
            table([["", true], ["before"], ["after"], ["change"]], [account("parameters", "parameters", number), account("bytes", "bytes", size),
                account("tokens per second", "tokens_per_second", x => number(Math.round(x)))], "before and after"),
            h("h3", {}, "Loss by text"),
            h("p", {class: "caption"}, "Loss in nats per token on windows that were not used for calibration, ± one standard error of the paired difference to the original model. Only the chosen one was kept."),
            table([["removed of the linear layers", true], ["parameters"], ["bytes"], ["predicted rise"], ["text", true], ["loss before"], ["after"], ["change"]], rows, "loss by text")),
            points.length > 1 ? sizeFigure(page, run, points) : null];
    });
}
