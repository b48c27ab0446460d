/* Put at the end of a report.html by tests/e2e/e2e_report.sh: what a browser made of it, as attributes of the body. */
addEventListener("load", () => {
    const root = document.documentElement, body = document.body.dataset;
    const inside = e => e.closest(".scroll, .plot, pre, details:not([open]), [hidden], #tip");
    const beyond = [...document.querySelectorAll("main *")].filter(e => !inside(e) && e.getBoundingClientRect().right > innerWidth + 1);
    const cut = [...document.querySelectorAll(".plot")].filter(e => e.scrollWidth > e.clientWidth + 1);
    /* Labels that stand out of their drawings. */
    const lost = [...document.querySelectorAll(".plot svg text")].filter(e => {
        const box = e.getBoundingClientRect(), frame = e.ownerSVGElement.getBoundingClientRect();
        return box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1
            || box.bottom > frame.bottom + 1);
    });
    body.width = innerWidth;
    body.scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    body.background = getComputedStyle(document.body).backgroundColor;
    body.errors = window.seenErrors.join(" | ") || "none";
    body.overflow = root.scrollWidth > innerWidth || beyond.length + cut.length + lost.length > 0
        ? [...beyond, ...cut, ...lost].slice(0, 4).map(e => e.tagName + " " + (e.id || e.textContent.slice(0, 30))).join(" | ") || "page"
        : "none";
    body.figures = [...document.querySelectorAll("section")].map(
        s => s.id + (s.querySelectorAll(".plot svg, td, pre, summary").length > 0 ? "" : "-EMPTY")).join(" ");
    body.milliseconds = Number(root.dataset.drawn) < 2000 ? "below-2000" : root.dataset.drawn;
    const toggles = [...document.querySelectorAll(".head button")];
    toggles.forEach(b => b.click());
    body.numbers = toggles.length === [...document.querySelectorAll(".numbers textarea")].filter(a => a.value.split("\n").length > 2).length
        ? "all" : "missing";
    /* Another metric gives cells other colours; a cell that is chosen has its spectrum drawn. */
    const map = [...document.querySelectorAll("#map svg")].find(e => e.getBoundingClientRect().width > 0), spectra = document.getElementById("spectra");
    if (!map || !spectra)
        return;
    const cells = [...map.querySelectorAll(".cells rect")], colours = () => cells.map(e => e.getAttribute("class")).join(" "), before = colours();
    const metric = document.querySelector("#map select");
    metric.value = [...metric.options].map(o => o.value).find(v => v === "s_max") || metric.value;
    metric.dispatchEvent(new Event("change", {bubbles: true}));
    body.painted = colours() !== before ? "anew" : "as before";
    cells[cells.length - 1].dispatchEvent(new PointerEvent("pointermove", {bubbles: true}));
    cells[cells.length - 1].dispatchEvent(new MouseEvent("click", {bubbles: true}));
    const layers = spectra.querySelector("select"), last = layers.options[layers.options.length - 1].value;
    const look = tries => {
        const drawn = spectra.querySelectorAll("svg.panel").length === 2 || /Failed|not known/.test(spectra.textContent);
        body.chosen = layers.isConnected && layers.value !== last ? "another layer" : drawn ? "drawn" : "not drawn";
        if (!drawn && tries > 0)
            setTimeout(look, 50, tries - 1);
    };
    look(60);
});
