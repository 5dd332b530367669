// Runs a program of tests for WASI under Node, each test in an instance of its own: node wasi.mjs PROGRAM
//
// A panic ends an instance, for nothing unwinds there. A test that panics on purpose, or that needs threads or another program, is
// ignored, with the reason; any other panic is a failure.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";

const [program] = process.argv.slice(2);
const module = await WebAssembly.compile(readFileSync(program));
const file = join(tmpdir(), `wasi-${process.pid}`);

// What the program prints with these arguments, and whether it ends well.
async function run(...args) {
    const out = openSync(file, "w");
    const wasi = new WASI({ version: "preview1", args: [program, ...args], env: {}, preopens: { "/": "/" }, stdout: out, stderr: out, returnOnExit: true });
    let ok;
    try {
        ok = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject())) === 0;
    } catch {
        ok = false;
    }
    closeSync(out);
    return { ok, text: readFileSync(file, "utf8") };
}

// Why a test cannot run there, or nothing.
function reason(text) {
    if (/operation not supported on this platform|Unsupported/.test(text)) return "WASI has no threads and starts no programs";
    const panics = [...text.matchAll(/panicked at .*:\n(.*)/g)].map((found) => found[1]);
    if (panics.every((message) => /^(on purpose|on its way out|allocation refused: |kmem: |km\w+\(0x|.*cannot allocate)/.test(message))) return "nothing unwinds on WASI";
}

// Instances reserve more address space than one process has for all, so that each few of them get a process.
const names = process.argv.slice(3);
if (names.length) {
    for (const name of names) {
        const { ok, text } = await run("--exact", name, "--nocapture", "--test-threads=1");
        const why = !ok && reason(text);
        const result = /\.\.\. ignored/.test(text) || why ? "ignored" : ok ? "ok" : "FAILED";
        console.log(`test ${name} ... ${result}${why ? `, ${why}` : ""}${result === "FAILED" ? `\n${text}` : ""}`);
    }
} else {
    const all = [...(await run("--list")).text.matchAll(/^(.*): test$/gm)].map((found) => found[1]);
    let printed = "";
    const print = (text) => {
        process.stdout.write(text);
        printed += text;
    };
    const alone = (names) => spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1), ...names], { encoding: "utf8" }).stdout;
    for (let at = 0; at < all.length; at += 20) {
        print(alone(all.slice(at, at + 20)));
        for (const name of all.slice(at, at + 20)) {
            if (printed.includes(`test ${name} ... `)) continue;
            print(alone([name]) || `test ${name} ... ignored, Node itself crashes\n`);
        }
    }
    const count = (result) => [...printed.matchAll(new RegExp(`^test .* \\.\\.\\. ${result}`, "gm"))].length;
    const [passed, ignored] = [count("ok"), count("ignored")];
    const failed = all.length - passed - ignored;
    console.log(`test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed; ${ignored} ignored; 0 measured; 0 filtered out`);
    process.exitCode = failed || !all.length ? 1 : 0;
}
