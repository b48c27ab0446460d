/* Maps: the cells came drawn; other metrics give them other colours, pointer and keys walk over them. */

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Shows a choice of data.maps in all drawings of a figure; texts: what stands in each cell. */
function paint(element, maps, choice, texts) {
    while (typeof maps[choice] === "string")
        choice = maps[choice];
    const [steps, numbers, diverging] = maps[choice], kinds = diverging ? "du" : "ct";
    const step = k => LETTERS.indexOf(steps[k]);
    for (const node of element.querySelectorAll("svg")) {
        node.querySelectorAll(".bar rect").forEach((e, k) => e.setAttribute("class", kinds[0] + 2 * k));
        node.querySelectorAll(".numbers-of-bar").forEach(e => { e.outerHTML = numbers; });
        node.querySelectorAll(".cells rect").forEach((e, k) => e.setAttribute("class", step(k) < 0 ? "hole" : kinds[0] + step(k)));
        node.querySelectorAll(".values text").forEach((e, k) => {
            e.textContent = step(k) < 0 ? "" : texts(k);
            e.setAttribute("class", kinds[1] + Math.max(0, step(k)));
        });
    }
}

/* Pointer and keyboard: a cursor that walks over the cells, what it stands on in the tooltip, Enter chooses.  cells: {column,
 * row, title, pairs(), pick} in the order in which they were drawn. */
function walk(element, cells, state) {
    const at = new Map(cells.map((cell, k) => [cell.column + " " + cell.row, k]));
    for (const node of element.querySelectorAll("svg")) {
        const rects = [...node.querySelectorAll(".cells rect")], index = new Map(rects.map((e, k) => [e, k])), turned = node.dataset.turned === "1";
        const rings = ["cursor", "cursor2"].map(c => g("rect", {class: c, visibility: "hidden"}));
        let where = -1;
        const stand = (k, x, y) => {
            where = k;
            for (const ring of rings) {
                for (const key of ["x", "y", "width", "height"])
                    ring.setAttribute(key, rects[k].getAttribute(key));
                ring.setAttribute("visibility", "visible");
            }
            const box = rects[k].getBoundingClientRect();
            tip.show(cells[k].title, cells[k].pairs(), x === undefined ? box.left : x, y === undefined ? box.bottom : y);
        };
        const away = () => { tip.hide(); rings.forEach(r => r.setAttribute("visibility", "hidden")); };
        const choose = () => { if (where >= 0 && cells[where].pick && state.pick) state.pick(cells[where].pick); };
        node.addEventListener("pointermove", e => {
            const k = index.get(e.target);
            if (k === undefined || !cells[k])
                tip.hide();
            else
                stand(k, e.clientX, e.clientY);
        });
        node.addEventListener("pointerleave", away);
        node.addEventListener("blur", away);
        node.addEventListener("click", choose);
        node.addEventListener("keydown", e => {
            let step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
            if (e.key === "Enter" || e.key === " ") {
                choose();
                e.preventDefault();
            } else if (e.key === "Escape") {
                tip.hide();
            } else if (step) {
                step = turned ? step.reverse() : step;
                const from = cells[where], k = from ? at.get((from.column + step[0]) + " " + (from.row + step[1])) : 0;
                if (k !== undefined && rects[k])
                    stand(k);
                e.preventDefault();
            }
        });
        node.setAttribute("tabindex", "0");
        node.setAttribute("role", "application");
        node.style.cursor = "pointer";
        add(node, rings);
    }
}

/* ---- layers by types ---- */

/* The cell of one layer and type: the middle one of its experts. */
function summary(run, key, layer, type) {
    const list = run.cells.get(layer + " " + type);
    if (!list)
        return null;
    const values = run.metrics[key] || [], known = ascending(list.map(i => values[i]).filter(x => x !== undefined && !Number.isNaN(x)));
    const failed = list.filter(i => run.failure[i] !== null).length;
    return {list, failed, known, x: known.length ? middle(known) : NaN};
}

const middle = sorted => sorted.length % 2 || sorted[sorted.length / 2] === Infinity ? sorted[Math.floor(sorted.length / 2)]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;

function cellPairs(run, cell, key) {
    const pairs = [], i = cell.list[0], one = cell.list.length === 1;
    if (one && run.failure[i] !== null)
        return [["failed", run.failure[i]]];
    if (one) {
        pairs.push([metricText(key), metricNumber(key, (run.metrics[key] || [])[i])]);
        for (const k of ["snr", "kept_share", "stable_rank", "alpha"])
            if (k !== key && run.metrics[k])
                pairs.push([metricText(k), metricNumber(k, run.metrics[k][i])]);
        if (run.rows[i] > 0)
            pairs.push(["shape", `${run.rows[i]} × ${run.columns[i]}`]);
        return pairs;
    }
    pairs.push(["experts", String(cell.list.length)], ["median " + metricText(key), metricNumber(key, cell.x)],
               ["lowest", metricNumber(key, cell.known[0])], ["highest", metricNumber(key, cell.known[cell.known.length - 1])]);
    if (cell.failed)
        pairs.push(["failed", String(cell.failed)]);
    return pairs;
}

/* Values of two runs for one matrix, as the difference that is drawn. */
function difference(a, b, how) {
    if (Number.isNaN(a) || Number.isNaN(b) || (!Number.isFinite(a) && a === b))
        return a === b ? 0 : NaN;
    return how === "relative" ? (a === 0 ? (b === 0 ? 0 : NaN) : (b - a) / Math.abs(a)) : b - a;
}

/* What stands in a cell. */
const cellText = (key, x) => metricKind(key) === "share" ? percent(x, 0) : Math.abs(x) >= 1000 || Math.abs(x) < 0.01 && x !== 0 || !Number.isFinite(x) ? number(x)
    : minus(String(Number(x.toPrecision(3))));

function mapFigure(page) {
    const {runs, axes, maps} = page, two = runs.length === 2, keys = Object.keys(METRICS).filter(k => runs.some(r => r.metrics[k]))
        .concat([...new Set(runs.flatMap(r => Object.keys(r.metrics)))].filter(k => !METRICS[k]));
    const show = {key: maps.map.first, how: "auto", change: "relative"};
    const places = axes.layers.flatMap((layer, column) => axes.types.map((type, row) => ({layer, type, column, row})));
    const cellsOf = run => places.filter(p => run.cells.has(p.layer + " " + p.type)).map(p => {
        const list = run.cells.get(p.layer + " " + p.type);
        return {...p, pick: {layer: p.layer, type: p.type}, title: list.length === 1 ? run.names[list[0]] : `layer ${layerText(p.layer)}, ${p.type}`,
                now: () => summary(run, show.key, p.layer, p.type), pairs() { return cellPairs(run, this.now(), show.key); }};
    });
    const change = (a, b) => difference(a.now().x, b.now().x, show.change);
    const changes = (as, bs) => as.flatMap(a => bs.filter(b => a.column === b.column && a.row === b.row).map(b => ({...a, b, a, pairs: () => [
        [runs[0].label, metricNumber(show.key, a.now().x)], [runs[1].label, metricNumber(show.key, b.now().x)],
        ["difference", show.change === "relative" ? signed(change(a, b), percent(change(a, b))) : signed(change(a, b), number(change(a, b)))]]})));
    const cells = runs.map(cellsOf), both = two ? changes(...cells) : [];
    const shownMaps = [["map", cells[0]], ...(two ? [["map-2", cells[1]]] : [])];
    const draw = plot => {
        for (const [k, [id, list]] of shownMaps.entries()) {
            paint(drawn(id), maps[id], `${show.key}/${show.how}`, i => cellText(show.key, list[i].now().x));
            add(plot, [two ? h("h3", {}, runs[k].label) : null, drawn(id)]);
        }
        if (!two)
            return;
        paint(drawn("change"), maps.change, `${show.key}/${show.change}`,
              i => show.change === "relative" ? percent(change(both[i].a, both[i].b), 0) : cellText("", change(both[i].a, both[i].b)));
        add(plot, [h("h3", {}, `Difference: ${runs[1].label} less ${runs[0].label}` + (show.change === "relative" ? ", relative to " + runs[0].label : "")),
                   drawn("change")]);
    };
    for (const [id, list] of [...shownMaps, ...(two ? [["change", both]] : [])])
        walk(drawn(id), list, page.state);
    const again = () => self.redraw();
    const controls = () => [
        choice("Shown", keys.map(k => [k, metricText(k)]), show.key, k => { show.key = k; again(); }),
        choice("Colours", [["auto", "automatic"], ["linear", "linear"], ["log", "logarithmic"], ["rank", "by rank"]].slice(0, metricKind(show.key) === "signed" ? 2 : 4), show.how,
               k => { show.how = k; again(); }),
        two ? choice("Difference", [["relative", "relative"], ["absolute", "absolute"]], show.change,
                     k => { show.change = k; again(); }) : null,
        h("span", {class: "fine"}, (METRICS[show.key] || ["", show.key])[1] + (show.key === "score" && page.score ? ": " + page.score : ""))];
    const numbers = () => ({head: ["tensor", "layer", "type", ...runs.map(r => two ? show.key + " " + r.label : show.key),
                                   ...(two ? ["difference"] : [])],
        rows: page.names.map(name => {
            const at = runs.map(r => r.index.get(name)), first = at.findIndex(i => i !== undefined);
            const x = runs.map((r, k) => at[k] === undefined ? NaN : (r.metrics[show.key] || [])[at[k]]);
            return [name, runs[first].layer[at[first]], runs[first].raw.types[at[first]], ...x.map(plain),
                    ...(two ? [plain(difference(x[0], x[1], "absolute"))] : [])];
        })});
    const self = figure("map", "Map of the matrices", page.mapCaption, {controls, draw, numbers});
    return self;
}

const plain = x => x === undefined || Number.isNaN(x) ? "" : String(x);

/* ---- layers by experts, of one type ---- */

function expertFigure(page) {
    const {axes, maps} = page, run = page.runs[0], types = axes.types.filter(t => axes.experts.has(t));
    const keys = Object.keys(METRICS).filter(k => run.metrics[k]), show = {type: types[0], key: maps.experts.first};
    const matrices = () => run.names.map((name, i) => i).filter(i => run.type[i] === show.type);
    const places = new Map(run.names.map((name, i) => [run.expert[i] + " " + run.layer[i], {column: run.expert[i], row: axes.layers.indexOf(run.layer[i])}])
        .filter(([, place]) => place.column >= 0));
    const cellsNow = () => {
        const at = new Map(matrices().map(i => [run.expert[i] + " " + run.layer[i], i]));
        return [...places].map(([key, place]) => {
            const i = at.get(key);
            return {...place, title: i === undefined ? "none" : run.names[i], pick: i === undefined ? null : {layer: run.layer[i], type: show.type, expert: run.expert[i]},
                    pairs: () => i === undefined ? [] : cellPairs(run, {list: [i]}, show.key)};
        }).sort((a, b) => a.column - b.column || a.row - b.row);
    };
    const cells = [];
    const draw = plot => {
        cells.splice(0, cells.length, ...cellsNow());
        paint(drawn("experts"), maps.experts, `${show.type}/${show.key}`, () => "");
        plot.append(drawn("experts"));
    };
    const controls = () => [
        choice("Type", types.map(t => [t, t]), show.type, k => { show.type = k; self.redraw(); }),
        choice("Shown", keys.map(k => [k, metricText(k)]), show.key, k => { show.key = k; self.redraw(); })];
    const numbers = () => ({head: ["tensor", "layer", "expert", show.key],
        rows: matrices().map(i => [run.names[i], run.layer[i], run.expert[i], plain(run.metrics[show.key][i])])});
    const self = figure("experts", "Experts", "One cell is the matrix of one expert; the map above has the median of each layer's experts.",
                        {controls, draw, numbers});
    walk(drawn("experts"), cells, page.state);
    return self;
}

/* ---- gains of a sweep ---- */

function gainsFigure(page, run, id) {
    const map = run.results.sweep_table, layers = map.layers.map(y => y === null ? "–" : String(y)), unit = map.unit || "nats";
    const edits = (r, c) => run.measured.filter(d => d.type === map.types[r] && String(d.layer === null ? "–" : d.layer) === layers[c]);
    const cells = layers.flatMap((layer, column) => map.types.map((type, row) => ({column, row, x: value((map.gain[column] || [])[row]),
        title: `layer ${layer}, ${type}`, pairs: () => [["best kept share", number(value(map.fraction[column][row]))],
            ...edits(row, column).map(d => [d.edit, `${signed(-d.difference, number(0 - d.difference))} ± ${number(d.error)}`])]})))
        .filter(cell => !Number.isNaN(cell.x));
    const winner = run.results.sweep_winner, seen = winner && winner.report;
    const draw = plot => add(plot, [winner
        ? h("p", {class: "fine"}, `Best single edit: ${winner.edit} on ${winner.tensor}, gain ${number(0 - value(winner.difference))} ± ${number(value(winner.difference_stderr))}`,
            seen ? `; on the report ${run.goal.items}, which chose nothing, ${number(0 - value(seen.difference))} ± ${number(value(seen.difference_stderr))}: ${seen.verdict}` : "", ".")
        : h("p", {class: "fine"}, "No single edit is better on the selection than the model as it is."), drawn(id)]);
    if (!drawn(id))
        return null;
    walk(drawn(id), cells, page.state);
    return figure(id, page.runs.length > 1 ? `Gains of the sweep: ${run.label}` : "Gains of the sweep",
        `The best gain over the kept shares that were tried, of each edit alone on the unchanged model, in ${unit}; above 0 the edit makes the model better.`, {draw,
        numbers: () => ({head: ["tensor", "layer", "type", "edit", "rank", "of", "gain", "standard_error"],
            rows: run.measured.map(d => [d.tensor, d.layer, d.type, d.edit, d.rank, d.of, plain(0 - d.difference), plain(d.error)])})});
}
