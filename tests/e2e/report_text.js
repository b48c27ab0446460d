/* The text of a report.html, by its own script on a document that draws nothing: node report_text.js FILE
 * One line for each row of a table, heading, paragraph and summary; collapsed parts are left out. */
"use strict";
const fs = require("fs"), vm = require("vm");

class Node {
    constructor(tag) {
        this.tag = tag;
        this.children = [];
        this.attributes = {};
        this.dataset = new Proxy({}, {get: (set, key) => set[key] ?? "0 1 0 1"}); /* of drawings, which are not read here */
        this.style = {setProperty() {}};
        this.classList = {add() {}, remove() {}, toggle() {}, contains() { return false; }};
        this.listeners = {};
        this.viewBox = {baseVal: {width: 700, height: 300}};
        this.clientWidth = 700;
        this.scrollWidth = 700;
    }
    get id() { return this.attributes.id; }
    setAttribute(key, value) { this.attributes[key] = String(value); }
    getAttribute(key) { return this.attributes[key]; }
    removeAttribute(key) { delete this.attributes[key]; }
    append(...nodes) { this.children.push(...nodes); }
    prepend(...nodes) { this.children.unshift(...nodes); }
    replaceChildren(...nodes) { this.children = nodes; }
    appendChild(node) { this.children.push(node); }
    remove() {}
    addEventListener() {}
    querySelector(tag) { return this.querySelectorAll(tag)[0] || null; }
    querySelectorAll(tag) {
        return this.children.filter(c => c instanceof Node).flatMap(c => [...(c.tag === tag ? [c] : []), ...c.querySelectorAll(tag)]);
    }
    getBoundingClientRect() { return {left: 0, top: 0, right: 700, bottom: 300, width: 700, height: 300}; }
    getComputedTextLength() { return 10; }
    getBBox() { return {x: 0, y: 0, width: 10, height: 10}; }
    getContext() { return new Proxy({}, {get: () => () => ({width: 10, data: []}), set: () => true}); }
    get textContent() { return this.children.map(c => c instanceof Node ? c.textContent : String(c)).join(""); }
    set textContent(text) { this.children = [text]; }
    get innerText() { return this.textContent; }
}

const html = fs.readFileSync(process.argv[2], "utf8");
const scripts = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
const byId = {};
const element = id => byId[id] = byId[id] || new Node("div");
for (const [, attributes, text] of scripts)
    if (/id="?data/.test(attributes))
        element("data").textContent = text;
const root = new Node("html"), sandbox = {
    console, performance: {now: () => 0}, innerWidth: 900, innerHeight: 700, Node, setTimeout: () => 0, clearTimeout() {}, devicePixelRatio: 1,
    addEventListener() {}, matchMedia: () => ({matches: false, addEventListener() {}}), getComputedStyle: () => ({getPropertyValue: () => "#000000"}),
    requestAnimationFrame: f => f(), IntersectionObserver: class { observe() {} }, ResizeObserver: class { observe() {} }, navigator: {},
    document: {documentElement: root, body: new Node("body"), createElement: tag => new Node(tag), createElementNS: (_, tag) => new Node(tag),
               createTextNode: text => text, getElementById: element, addEventListener() {}, querySelector: () => null, querySelectorAll: () => []}};
sandbox.window = sandbox;
vm.createContext(sandbox);
for (const [, attributes, text] of scripts)
    if (!/id="?data/.test(attributes))
        vm.runInContext(text, sandbox);

function say(node) {
    if (!(node instanceof Node) || ["svg", "pre", "button", "select"].includes(node.tag))
        return;
    if (node.tag === "tr")
        console.log(node.children.map(c => c.textContent).join(" | "));
    else if (["h1", "h2", "h3", "p", "summary", "dt", "dd"].includes(node.tag))
        console.log(node.textContent);
    else if (node.tag === "details")
        node.querySelectorAll("summary").forEach(say);
    else
        node.children.forEach(say);
}
say(element("page"));
