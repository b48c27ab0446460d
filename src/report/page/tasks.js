/* What the questions of tasks say: of a model, or before and after a reduction. */

const rising = name => /^(accuracy|top_|preference|margin)/.test(name);
const figureText = name => name.replace(/_norm$/, ", per token").replace(/^log_loss_sum$/, "log loss, whole answer").replace(/^brier$/, "Brier score").replace(/_/g, " ");

/* Beyond two standard errors a difference is one. */
const verdictOf = (name, change, error) => !(Math.abs(change) > 2 * error) ? "no difference" : (change > 0) === rising(name) ? "better" : "worse";

/* A change with its standard error and what that says; better ones are told from worse ones by a word, not by colour alone. */
function changeText(change, error, verdict) {
    return [signed(change, number(change)) + (Number.isFinite(error) ? " ± " + short2(error) : ""), Number.isNaN(change) ? null
        : h("small", {class: verdict === "worse" ? "bad" : verdict === "better" ? "kept" : null}, " " + verdict)];
}

/* Shares have four digits: ten thousand questions would be many. */
const isShare = name => /^(accuracy|top_|preference)/.test(name);
const figureValue = (name, x) => isShare(name) && Number.isFinite(x) ? minus(x.toFixed(4)) : trimmed6(x);
const figureError = (name, x, error) => figureValue(name, x) + (Number.isFinite(error) ? " ± " + short2(error) : "");

const taskText = (name, task) => [name, h("small", {}, ` ${task.kind}, ${number(task.questions)}` + (task.questions === 1 ? " question" : " questions"))];
const taskRows = tasks => Object.entries(tasks || {}).flatMap(([name, task]) => Object.entries(task.metrics || {}).map(([figure, m], k) => ({name, task, figure, m, first: k === 0})));

/* Two runs are compared without pairs: their errors add up. */
function apart(figure, a, b) {
    const change = value(b.value) - value(a.value), error = Math.hypot(value(a.stderr), value(b.stderr));
    return changeText(change, error, verdictOf(figure, change, error));
}

/* The model as it is; of two runs the second beside the first. */
function taskFigures(page) {
    const runs = page.runs.filter(r => r.results.tasks && Object.keys(r.results.tasks).length);
    if (runs.length === 0)
        return null;
    const other = runs.length > 1 ? runs[1].results.tasks : null, rows = [], left = [];
    for (const {name, task, figure, m, first} of taskRows(runs[0].results.tasks)) {
        const second = other && other[name] && other[name].metrics ? other[name].metrics[figure] : null;
        rows.push([first ? taskText(name, task) : "", figureText(figure), figureError(figure, value(m.value), value(m.stderr)),
                   ...(other ? second ? [figureError(figure, value(second.value), value(second.stderr)), apart(figure, m, second)] : ["–", "–"] : [])]);
    }
    for (const run of runs)
        for (const [name, task] of Object.entries(run.results.tasks))
            if (task.too_long > 0)
                left.push(`${runs.length > 1 ? run.label + ": " : ""}${number(task.too_long)} of ${number(task.of)} questions of ${name} are longer than the context and were left out.`);
    for (const run of runs)
        for (const [name, task] of Object.entries(run.results.tasks))
            if ((task.left_out || []).length > 0)
                left.push(`${runs.length > 1 ? run.label + ": " : ""}${number(task.left_out.length)} of ${number(task.of)} rows of ${name} are no questions and were left out: `
                    + task.left_out.slice(0, 5).map(row => `line ${row.line} (${row.reason})`).join(", ") + (task.left_out.length > 5 ? " …" : "."));
    return section("tasks", "Tasks", "The figures of each task, ± one standard error over its questions." + (other ? " A difference is one beyond two standard errors." : ""),
        table([["task", true], ["figure", true], ...runs.map(r => [runs.length > 1 ? r.label : "value"]), ...(other ? [["difference"]] : [])], rows, "tasks"),
        left.map(text => h("p", {class: "fine", style: "margin-top:10px"}, text)));
}

/* How far the written model is from the one before, text by text. */
function divergences(page) {
    const head = [["text", true], ["KL mean"], ["median"], ["95 %"], ["99 %"], ["99.9 %"], ["largest"], ["same first choice, %"], ["change of p, %"], ["rms, %"]];
    const shown = (f, factor = 1) => { const x = factor * value(f.value), error = factor * value(f.stderr); return Number(x.toPrecision(4)) + (Number.isFinite(error) ? " ± " + short2(error) : ""); };
    const row = (name, d) => [[name, h("small", {}, ` ${number(d.windows)} windows`)], ...["mean", "median", "p95", "p99", "p999"].map(k => shown(d.kl[k])), Number(value(d.kl.largest).toPrecision(4)),
                              shown(d.same_top, 100), shown(d.dp, 100), shown(d.dp_rms, 100)];
    return page.runs.filter(r => r.results.divergence && r.results.divergence.pooled).map(run => {
        const d = run.results.divergence, texts = Object.entries(d.datasets || {}), title = page.runs.length > 1 ? `Divergence from the model before, ${run.label}` : "Divergence from the model before";
        return section("divergence" + (run === page.runs[0] ? "" : "-2"), title,
            "Kullback–Leibler divergence of the written model's next-token distributions from those of the model before, in nats a token, ± one standard error over windows; share of tokens with the same first choice; change of the probability of the right token.",
            table(head, texts.map(([name, x]) => row(name, x)).concat(texts.length > 1 ? [row("all texts", d.pooled)] : []), "divergence"));
    });
}

/* Before and after a reduction, on the questions that selected and on the others. */
function taskChanges(page) {
    return page.runs.flatMap((run, k) => {
        const parts = [["test", "Test part: questions that no decision has seen"], ["validation", "Validation part: questions that decided"]]
            .filter(([key]) => run.results[key] && run.results[key].tasks && taskRows(run.results[key].tasks).length);
        if (parts.length === 0)
            return [];
        return section(k ? "task-changes-2" : "task-changes", page.runs.length > 1 ? `Tasks before and after, ${run.label}` : "Tasks before and after",
            "All figures of the model as it was and with the kept edits; changes are paired by question, ± one standard error, and are called better or worse beyond two, shares by McNemar's exact test.",
            parts.map(([key, title]) => [h("h3", {}, title), table([["task", true], ["figure", true], ["before"], ["after"], ["change"], ["questions better"], ["worse"], ["share that flipped"]],
                taskRows(run.results[key].tasks).map(({name, task, figure, m, first}) => [first ? taskText(name, task) : "", figureText(figure), figureValue(figure, value(m.before)),
                    figureError(figure, value(m.after), value(m.stderr)), changeText(value(m.difference), value(m.difference_stderr),
                        m.verdict || verdictOf(figure, value(m.difference), value(m.difference_stderr))), number(m.better), number(m.worse),
                        m.flips ? figureError(figure, value(m.flips.share.value), value(m.flips.share.stderr)) : "–"]), title)]));
    });
}
