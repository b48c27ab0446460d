#include "deck/schema.h"

#include <string.h>

#define SCAN_LIKE (LASER_IN_SCAN | LASER_IN_PLAN | LASER_IN_REDUCE | LASER_IN_SENSITIVITY | LASER_IN_COMPRESS)
#define SELECTS   (SCAN_LIKE | LASER_IN_DERIVE)
#define EVALUATES                                                                                            \
    (LASER_IN_PERPLEXITY | LASER_IN_EVALUATE | LASER_IN_REDUCE | LASER_IN_PLAN | LASER_IN_SENSITIVITY |      \
     LASER_IN_COMPRESS)
#define ASKS      (LASER_IN_EVALUATE | LASER_IN_REDUCE | LASER_IN_PLAN | LASER_IN_SENSITIVITY)
#define REDUCES   (LASER_IN_REDUCE | LASER_IN_PLAN)
#define HOLDS_OUT (REDUCES | LASER_IN_COMPRESS)
#define PREDICTS  (REDUCES | LASER_IN_SENSITIVITY)
#define WORKS     (SCAN_LIKE | LASER_IN_PERPLEXITY | LASER_IN_EVALUATE | LASER_IN_APPLY)
#define REPORTS                                                                                              \
    (LASER_IN_SCAN | LASER_IN_DERIVE | LASER_IN_PERPLEXITY | LASER_IN_EVALUATE | LASER_IN_REDUCE |           \
     LASER_IN_SENSITIVITY | LASER_IN_REPORT)
#define WITH_MODEL (WORKS | LASER_IN_EXPORT | LASER_IN_GENERATE)
#define RUNS_MODEL (EVALUATES | LASER_IN_GENERATE)
#define WITH_OUTPUT                                                                                          \
    (LASER_IN_SCAN | LASER_IN_DERIVE | LASER_IN_PERPLEXITY | LASER_IN_EVALUATE | LASER_IN_REDUCE |           \
     LASER_IN_SENSITIVITY | LASER_IN_COMPRESS | LASER_IN_APPLY | LASER_IN_COMPARE | LASER_IN_REPORT |        \
     LASER_IN_EXPORT | LASER_IN_TASK)
#define ALL                                                                                                  \
    (WORKS | LASER_IN_DERIVE | LASER_IN_COMPARE | LASER_IN_SHOW | LASER_IN_REPORT | LASER_IN_EXPORT |        \
     LASER_IN_GENERATE | LASER_IN_TASK | LASER_IN_MODELS)
#define EXPORTS  (LASER_IN_DERIVE | LASER_IN_EXPORT)
#define NO_RANGE 1.0, 0.0

static const struct laser_deck_key keys[] = {
    {"command", LASER_TYPE_ENUM, "", "scan|plan|perplexity|evaluate|sensitivity|reduce|compress|generate",
     NO_RANGE, NULL, NULL, 0, ALL, NULL, NULL, 0, "what to do when the command line does not say"},
    {"model", LASER_TYPE_MODEL, "", NULL, NO_RANGE, NULL, NULL, 0, WITH_MODEL, "model", "DIR", 'm',
     "model directory, one .safetensors, .bin, .gguf or HDF5 file, or org/name in the local hub cache"},
    {"adapter", LASER_TYPE_MODEL, "", NULL, NO_RANGE, NULL, NULL, 0,
     LASER_IN_SCAN | LASER_IN_PLAN | LASER_IN_PERPLEXITY | LASER_IN_EVALUATE | LASER_IN_REDUCE |
         LASER_IN_APPLY,
     "adapter", "DIR", 0, "LoRA adapter (PEFT) whose change is added to the model"},
    {"output", LASER_TYPE_PATH, "laser-output", NULL, NO_RANGE, NULL, NULL, 0, WITH_OUTPUT, "output", "DIR",
     'o', "directory for results and for the state that a killed run continues from"},
    {"compat", LASER_TYPE_ENUM, "none", "none|laserrmt", NO_RANGE, NULL, NULL, 1, SELECTS | EVALUATES,
     "compat", "NAME", 0,
     "reproduce another program: its rule, order, windows and accept rule become the defaults"},

    {"scan.matrices", LASER_TYPE_LIST, "", NULL, NO_RANGE, NULL, NULL, 1, SCAN_LIKE, "matrices", "GLOB,...",
     0,
     "full names of the tensors to scan, as globs or re:REGEX; default: the linear layers inside decoder "
     "layers"},
    {"scan.base", LASER_TYPE_MODEL, "", NULL, NO_RANGE, NULL, NULL, 0,
     LASER_IN_SCAN | LASER_IN_PLAN | LASER_IN_REDUCE | LASER_IN_APPLY, "base", "DIR", 0,
     "scan, cut and shrink the differences from this model, of which `model` was fine-tuned, in place of the "
     "weights"},
    {"scan.exclude", LASER_TYPE_LIST, "", NULL, NO_RANGE, NULL, NULL, 1, SCAN_LIKE, "exclude", "GLOB,...", 0,
     "tensors that scan.matrices shall not select, as globs or re:REGEX"},
    {"scan.threshold", LASER_TYPE_STRING, "marchenko-pastur", NULL, NO_RANGE, laser_check_threshold,
     "laserrmt", 1, SELECTS | LASER_IN_EXPORT, "threshold", "RULE", 't',
     "which singular values are signal: marchenko-pastur, gavish-donoho, laserrmt, rank:SHARE or "
     "energy:SHARE"},
    {"scan.score", LASER_TYPE_ENUM, "snr", "snr|snr-normalized", NO_RANGE, NULL, "snr", 1,
     SELECTS | LASER_IN_EXPORT, "score", "NAME", 0,
     "what matrices are ranked by; snr-normalized divides by the largest singular value, as Spectrum does"},
    {"scan.solver", LASER_TYPE_ENUM, "auto", "auto|gram|gesvd", NO_RANGE, NULL, NULL, 1, SCAN_LIKE, "solver",
     "NAME", 0,
     "gram is fast and exact down to 1e-8 of the largest value, gesvd exact throughout, auto picks per "
     "matrix"},
    {"scan.split_fused", LASER_TYPE_BOOL, "false", NULL, NO_RANGE, NULL, NULL, 1, SCAN_LIKE, NULL, NULL, 0,
     "scan the parts of fused tensors (query, key and value; gate and up) one by one, where their layout is "
     "known "
     "for the model_type; others are left whole, and a line says so"},
    {"scan.top_percent", LASER_TYPE_INT, "50", NULL, 0, 100, NULL, NULL, 0, LASER_IN_SCAN | EXPORTS,
     "top-percent", "P", 0,
     "share of the best matrices per type in the file of unfrozen parameters (0 = no file) and in exports"},
    {"scan.model_id", LASER_TYPE_STRING, "", NULL, NO_RANGE, NULL, NULL, 0,
     LASER_IN_SCAN | LASER_IN_REDUCE | EXPORTS, "model-id", "ID", 0,
     "name of the model in file names; default: org/name or the model directory's name"},

    {"parallel.group_size", LASER_TYPE_INT, "0", NULL, 0, 1048576, NULL, NULL, 0, SCAN_LIKE | LASER_IN_APPLY,
     "group-size", "N", 'g', "ranks that work on one matrix together; 0 = from memory and cost"},
    {"parallel.memory_per_rank", LASER_TYPE_SIZE, "0", NULL, 0, 1e18, NULL, NULL, 0,
     WORKS | LASER_IN_GENERATE, "memory-per-rank", "SIZE", 0,
     "memory that a rank may use (4GiB); 0 = the node's, shared by its ranks"},
    {"parallel.shards", LASER_TYPE_INT, "0", NULL, 0, 1048576, NULL, NULL, 0, RUNS_MODEL, "shards", "N", 0,
     "ranks that hold one copy of the model together in evaluation; 0 = from memory and speed"},
    {"parallel.threads", LASER_TYPE_INT, "1", NULL, 1, 4096, NULL, NULL, 0, WORKS | LASER_IN_GENERATE,
     "threads", "N", 0,
     "threads of a rank; OMP_NUM_THREADS sets it where neither deck nor command line does"},

    {"plan.nodes", LASER_TYPE_INT, "0", NULL, 0, 100000, NULL, NULL, 0, LASER_IN_PLAN, "nodes", "N", 0,
     "plan for up to so many nodes of a cluster and give the #SBATCH lines; 0 = only for the ranks that are "
     "here"},
    {"plan.cores_per_node", LASER_TYPE_INT, "0", NULL, 0, 65536, NULL, NULL, 0, LASER_IN_PLAN,
     "cores-per-node", "N", 0, "cores of a node of that cluster; 0 = as many as here"},
    {"plan.core_gflops", LASER_TYPE_REAL, "0", NULL, 0, 1e6, NULL, NULL, 0, LASER_IN_PLAN, "core-gflops", "R",
     0, "float64 GFLOP/s of a core of that cluster in a matrix product; 0 = measured here"},
    {"plan.memory_per_node", LASER_TYPE_SIZE, "0", NULL, 0, 1e18, NULL, NULL, 0, LASER_IN_PLAN,
     "memory-per-node", "SIZE", 0, "memory of a node of that cluster (512GiB); 0 = as much as here"},

    {"evaluate.text", LASER_TYPE_PAIRS, "", NULL, NO_RANGE, NULL, NULL, 1, EVALUATES, "text", "NAME=PATH", 0,
     "a text to evaluate on, may be repeated; wikitext2, ptb, c4 and gsm8k are joined as their users do"},
    {"evaluate.task", LASER_TYPE_PAIRS, "", NULL, NO_RANGE, NULL, NULL, 1, ASKS, "task", "NAME=PATH", 0,
     "a file of questions to evaluate on (doc/tasks.md), may be repeated; the name may be left out"},
    {"evaluate.objective", LASER_TYPE_STRING, "", NULL, NO_RANGE, NULL, NULL, 1, PREDICTS, "objective",
     "NAME", 0,
     "what a search improves: perplexity, accuracy, log_loss, brier, preference, ... or a weighted sum "
     "(0.7*accuracy + 0.3*log_loss); default: perplexity with a text, else accuracy or preference"},
    {"evaluate.validation_share", LASER_TYPE_REAL, "0.2", NULL, 0.001, 1, NULL, NULL, 1, REDUCES, NULL, NULL,
     0,
     "share of each task's questions that decides what is kept; the rest is only reported, 1 = all decide"},
    {"evaluate.seqlen", LASER_TYPE_INT, "128", NULL, 2, 1048576, NULL, "128", 1, EVALUATES, "seqlen", "N", 0,
     "tokens of a window; compat laserrmt with strategy backward: 384"},
    {"evaluate.convention", LASER_TYPE_ENUM, "laserrmt", "laserrmt|hf-strided|llama.cpp|lm-eval", NO_RANGE,
     NULL, "laserrmt", 1, EVALUATES, "convention", "NAME", 0,
     "whose way of cutting a text into windows and of averaging"},
    {"evaluate.stride", LASER_TYPE_INT, "0", NULL, 0, 1048576, NULL, NULL, 1, EVALUATES, NULL, NULL, 0,
     "tokens between the starts of windows (hf-strided); 0 = seqlen"},
    {"evaluate.precision", LASER_TYPE_ENUM, "float32", "float32|bfloat16", NO_RANGE, NULL, "float32", 1,
     RUNS_MODEL, "precision", "NAME", 0, "arithmetic of the forward pass"},
    {"evaluate.max_tokens", LASER_TYPE_INT, "0", NULL, 0, 9e15, NULL, NULL, 1, EVALUATES, NULL, NULL, 0,
     "tokens used of each text; 0 = all"},
    {"evaluate.max_bytes", LASER_TYPE_SIZE, "0", NULL, 0, 1e18, NULL, NULL, 1, EVALUATES, NULL, NULL, 0,
     "bytes used of each text, as head -c cuts it; 0 = all"},
    {"evaluate.batch_tokens", LASER_TYPE_INT, "0", NULL, 0, 1 << 30, NULL, NULL, 0, EVALUATES, NULL, NULL, 0,
     "tokens that go through a layer at once; 0 = from memory"},
    {"evaluate.cache_memory", LASER_TYPE_SIZE, "1GiB", NULL, 0, 1e18, NULL, NULL, 0, REDUCES, NULL, NULL, 0,
     "memory of a rank for hidden states that later candidates reuse; 0 = none"},
    {"evaluate.factored", LASER_TYPE_ENUM, "auto", "auto|always|never", NO_RANGE, NULL, NULL, 1, REDUCES,
     NULL, NULL, 0,
     "apply edits of low rank as two thin products where that takes at most half of the time; auto: where "
     "weights and arithmetic are float32, so that it is what is written"},
    {"evaluate.selection_share", LASER_TYPE_REAL, "0.5", NULL, 0.01, 1, NULL, "1", 1, HOLDS_OUT, NULL, NULL,
     0, "share of the windows that decides what is kept; the rest is only reported, 1 = all decide"},
    {"evaluate.seed", LASER_TYPE_INT, "0", NULL, 0, 9e15, NULL, NULL, 1, HOLDS_OUT, NULL, NULL, 0,
     "seed of the split into selection (validation) and report (test)"},

    {"reduce.strategy", LASER_TYPE_ENUM, "auto", "auto|snr|backward|all|sweep|compose|denoise|budget|tune",
     NO_RANGE, NULL, "snr", 1, REDUCES, "strategy", "NAME", 0,
     "how the model is improved: tune moves all singular values along their gradients, denoise tries cuts "
     "and shrinkages of single matrices, ...; auto: tune with a text, denoise with questions"},
    {"reduce.candidates", LASER_TYPE_INT, "0", NULL, 0, 1000000000, NULL, "15", 1, REDUCES, "candidates", "K",
     0, "matrices that snr, denoise and budget try, lowest score first; 0 = 15 for snr, all for the others"},
    {"reduce.types", LASER_TYPE_LIST, "", NULL, NO_RANGE, NULL, NULL, 1, REDUCES, NULL, NULL, 0,
     "matrix types that may be edited (mlp.down_proj), as globs; default: all that are scanned; sweep and "
     "compose: names of the LASER paper too (q k v out fc_in fc_up fc_out; mlp attn all: edited together)"},
    {"reduce.layers", LASER_TYPE_LIST, "", NULL, NO_RANGE, laser_check_layers, NULL, 1, REDUCES, NULL, NULL,
     0,
     "layers that may be edited: numbers, ranges (0-3), from the end (-1); default: all; sweep and compose: "
     "-1 = all layers in one edit, as in the LASER paper"},
    {"reduce.fractions", LASER_TYPE_LIST, "0.1,0.05,0.01", NULL, NO_RANGE, laser_check_fraction, NULL, 1,
     REDUCES, NULL, NULL, 0,
     "kept shares of the rank that sweep, compose and budget try; rate:9.5 is the LASER paper's way to say "
     "0.05"},
    {"reduce.edits", LASER_TYPE_LIST,
     "laserrmt,marchenko-pastur,gavish-donoho,shrink:1,shrink:0.7,shrink:0.5,shrink:0.25,wiener:0.7,"
     "wiener:0.5,wiener:0.25",
     NULL, NO_RANGE, laser_check_edit, NULL, 1, PREDICTS, NULL, NULL, 0,
     "what denoise tries on a matrix: threshold rules, shrink:F and wiener:F with F times the estimated "
     "noise"},
    {"reduce.accept", LASER_TYPE_ENUM, "paired", "paired|laserrmt", NO_RANGE, NULL, "laserrmt", 1, REDUCES,
     NULL, NULL, 0,
     "when an edit is kept: paired = better by more than z standard errors of the difference in pairs (a "
     "share: "
     "by McNemar's test), where z grows with the edits that are tried, from 2 (doc/laser.md); laserrmt = not "
     "worse"},
    {"reduce.tolerance", LASER_TYPE_REAL, "0", NULL, 0, 10, NULL, "0", 1, REDUCES, NULL, NULL, 0,
     "what budget puts up with: 0.01 is a rise of perplexity by 1 %, of a loss by 0.01, a fall of a share by "
     "a point"},
    {"reduce.also", LASER_TYPE_LIST, "", "factored|lora", NO_RANGE, NULL, NULL, 0,
     LASER_IN_REDUCE | LASER_IN_APPLY, "also", "NAME,...", 0,
     "write this too: factored = two thin matrices, lora = the change as a PEFT adapter"},
    {"reduce.write_dtype", LASER_TYPE_ENUM, "stored", "stored|bfloat16|float16|float32", NO_RANGE, NULL, NULL,
     0, LASER_IN_REDUCE | LASER_IN_APPLY, "write-dtype", "TYPE", 0,
     "type of all weights of the written model, which are evaluated so: quantised ones, GGUF files and pickles "
     "become plain safetensors; stored = as they are"},
    {"reduce.max_kept", LASER_TYPE_INT, "0", NULL, 0, 1000000000, NULL, NULL, 1, REDUCES, NULL, NULL, 0,
     "stop after so many kept edits; 0 = the strategy's own (5 for backward, else no limit)"},
    {"reduce.early_stop", LASER_TYPE_BOOL, "true", NULL, NO_RANGE, NULL, "false", 1, REDUCES, NULL, NULL, 0,
     "leave an edit as soon as it can hardly be accepted any more"},
    {"reduce.lookahead", LASER_TYPE_INT, "4", NULL, 0, 1000, NULL, NULL, 0, REDUCES, NULL, NULL, 0,
     "candidates that idle groups evaluate ahead of their turn; changes no decision"},

    {"reduce.screen", LASER_TYPE_BOOL, "true", NULL, NO_RANGE, NULL, "false", 1, REDUCES, NULL, NULL, 0,
     "where there are more edits than reduce.evaluations, evaluate only those that a gradient on what selects "
     "predicts to help, most promising first; a sweep goes by rounds; not with strategy all or backward"},
    {"reduce.evaluations", LASER_TYPE_INT, "0", NULL, 0, 1000000000, NULL, NULL, 1, REDUCES, "evaluations",
     "N", 0,
     "edits that are evaluated at most where they are screened; 0 = 100, sweep and compose 32 of more than 50"},
    {"reduce.rounds", LASER_TYPE_INT, "4", NULL, 1, 1000, NULL, NULL, 1, REDUCES, "rounds", "N", 0,
     "rounds of tune at most; each is a pass for gradients and a line search, and the last is one that gains "
     "nothing"},
    {"reduce.fisher", LASER_TYPE_ENUM, "auto", "auto|block|diagonal", NO_RANGE, NULL, NULL, 1, PREDICTS, NULL,
     NULL, 0,
     "Fisher information that tune divides by: between all singular values of a matrix, or of each alone; "
     "auto: block "
     "where memory allows"},
    {"reduce.damping", LASER_TYPE_REAL, "1", NULL, 1e-6, 1e6, NULL, NULL, 1, PREDICTS, NULL, NULL, 0,
     "what tune adds to the Fisher information, in units of its mean over a matrix"},
    {"reduce.step", LASER_TYPE_REAL, "0", NULL, 0, 1e3, NULL, NULL, 1, REDUCES, NULL, NULL, 0,
     "length of the first step that tune tries, 1 = the whole damped Newton step; 0 = 0.05 (block) or 0.02 "
     "(diagonal)"},
    {"reduce.only_shrink", LASER_TYPE_BOOL, "false", NULL, NO_RANGE, NULL, NULL, 1, REDUCES, "only-shrink",
     NULL, 0, "tune may lower singular values, never raise them"},
    {"reduce.calibration_tokens", LASER_TYPE_INT, "24576", NULL, 0, 9e15, NULL, NULL, 1, HOLDS_OUT, NULL,
     NULL, 0, "tokens that a round of tune takes gradients on, other ones in each round; 0 = all there are"},
    {"reduce.calibration_share", LASER_TYPE_REAL, "0.75", NULL, 0.01, 0.99, NULL, NULL, 1, HOLDS_OUT, NULL,
     NULL, 0,
     "share of the selecting windows that tune takes gradients on; the others choose the length of a step"},
    {"reduce.selection_tokens", LASER_TYPE_INT, "16384", NULL, 0, 9e15, NULL, NULL, 1, REDUCES, NULL, NULL, 0,
     "tokens that choose the length of a step at most; 0 = no limit"},
    {"reduce.guard", LASER_TYPE_PAIRS, "", NULL, NO_RANGE, NULL, NULL, 1, HOLDS_OUT, "guard", "NAME=PATH", 0,
     "a text that must not get worse, may be repeated: tune takes no step that harms it beyond its error"},

    {"compress.remove", LASER_TYPE_STRING, "", NULL, NO_RANGE, NULL, NULL, 1, LASER_IN_COMPRESS, "remove",
     "SHARE", 0,
     "share of the parameters of the linear layers to remove, as 20% or 0.2; default: 20% where no other "
     "target is given"},
    {"compress.parameters", LASER_TYPE_REAL, "0", NULL, 0, 1e15, NULL, NULL, 1, LASER_IN_COMPRESS,
     "parameters", "N", 0, "instead: parameters that the linear layers may have left"},
    {"compress.rise", LASER_TYPE_REAL, "0", NULL, 0, 100, NULL, NULL, 1, LASER_IN_COMPRESS, "rise", "NATS", 0,
     "instead: largest predicted rise of the mean loss"},
    {"compress.curve", LASER_TYPE_LIST, "", NULL, NO_RANGE, NULL, NULL, 1, LASER_IN_COMPRESS, "curve",
     "SHARE,...", 0,
     "further shares to remove, each written, measured and thrown away: a curve of size against loss"},
    {"compress.method", LASER_TYPE_ENUM, "both", "both|inputs|plain", NO_RANGE, NULL, NULL, 1,
     LASER_IN_COMPRESS, "method", "NAME", 0,
     "what a cut is measured by: inputs and output gradients of each layer (both), inputs alone, or the "
     "singular values"},
    {"compress.ranks", LASER_TYPE_ENUM, "threshold", "threshold|uniform", NO_RANGE, NULL, NULL, 1,
     LASER_IN_COMPRESS, NULL, NULL, 0,
     "one threshold of predicted loss per parameter for all matrices, or the same share of each"},
    {"compress.multiple", LASER_TYPE_INT, "1", NULL, 1, 65536, NULL, NULL, 1, LASER_IN_COMPRESS, NULL, NULL,
     0, "ranks are multiples of this"},
    {"compress.same_rank", LASER_TYPE_BOOL, "false", NULL, NO_RANGE, NULL, NULL, 1, LASER_IN_COMPRESS, NULL,
     NULL, 0, "query, key and value of a layer get the same rank"},
    {"compress.rounds", LASER_TYPE_INT, "0", NULL, 0, 10, NULL, NULL, 1, LASER_IN_COMPRESS, NULL, NULL, 0,
     "after the cut, rounds in which all kept values move along the gradient of the calibration text; 0 = none"},
    {"compress.also", LASER_TYPE_LIST, "", "dense", NO_RANGE, NULL, NULL, 0, LASER_IN_COMPRESS, NULL, NULL, 0,
     "write this too: dense = the same weights multiplied out, for programs that know no factors"},

    {"export.formats", LASER_TYPE_LIST, "axolotl,llama-factory,ms-swift,peft,weightwatcher,spectrum",
     "axolotl|llama-factory|ms-swift|peft|weightwatcher|spectrum|pissa|milora", NO_RANGE, NULL, NULL, 0,
     EXPORTS, "format", "NAME,...", 0,
     "files to write for these tools (derive: only where set); pissa and milora: adapters, from --model"},
    {"export.bottom_percent", LASER_TYPE_INT, "0", NULL, 0, 100, NULL, NULL, 0, EXPORTS, "bottom-percent",
     "P", 0, "share of the matrices of lowest score to train, instead of scan.top_percent; 0 = those"},
    {"export.per", LASER_TYPE_ENUM, "type", "type|overall", NO_RANGE, NULL, NULL, 0, EXPORTS, "per", "WHAT",
     0, "the percentage is of each type of matrices, or of all together"},
    {"export.metric", LASER_TYPE_STRING, "", NULL, NO_RANGE, NULL, NULL, 0, EXPORTS, "metric", "NAME", 0,
     "number to pick by, as results.json names it (alpha, stable_rank, ...); default: the score"},
    {"export.rank", LASER_TYPE_INT, "16", NULL, 1, 65536, NULL, NULL, 0, EXPORTS, "rank", "R", 0,
     "rank of adapters: the mean over their modules, shared out by the ranks of the spectra"},

    {"report.figures", LASER_TYPE_LIST, "", "svg|pdf|png", NO_RANGE, NULL, NULL, 0, REPORTS, "figures",
     "FORMAT,...", 0,
     "write the figures of the report into figures/, too; pdf and png need a program built with cairo"},
    {"report.compare", LASER_TYPE_PATH, "", NULL, NO_RANGE, NULL, NULL, 0, LASER_IN_REPORT, "compare", "DIR",
     0, "a second run, to be set beside the first with the differences"},

    {"task.from", LASER_TYPE_ENUM, "",
     "truthfulqa-csv|counterfact-json|bigbench-json|fever-jsonl|hotpotqa-json|bios|gsm8k-jsonl|dpo-jsonl",
     NO_RANGE, NULL, NULL, 0, LASER_IN_TASK, "from", "NAME", 0, "the data set that is made into a task file"},
    {"task.map", LASER_TYPE_LIST, "", NULL, NO_RANGE, NULL, NULL, 0, LASER_IN_TASK, "map", "FIELD=KEY,...", 0,
     "keys or columns that fields of the data set are read from, a.b for b inside of a (doc/tasks.md)"},
    {"task.template", LASER_TYPE_STRING, "", NULL, NO_RANGE, NULL, NULL, 0, LASER_IN_TASK, "template", "TEXT",
     0,
     "the prompt, with {prompt} where the question goes and \\n for a line feed; default: the data set's "
     "own"},

    {"generate.prompt", LASER_TYPE_TEXTS, "", NULL, NO_RANGE, NULL, NULL, 1, LASER_IN_GENERATE, "prompt",
     "TEXT", 'p', "a text to go on from, may be repeated"},
    {"generate.against", LASER_TYPE_MODEL, "", NULL, NO_RANGE, NULL, NULL, 0, LASER_IN_GENERATE, "against",
     "DIR", 0, "a second model, whose texts stand beside those of the first"},
    {"generate.max_tokens", LASER_TYPE_INT, "64", NULL, 1, 1000000, NULL, NULL, 1, LASER_IN_GENERATE,
     "max-tokens", "N", 0, "tokens at most for each prompt; an end-of-text token ends it earlier"},
    {"generate.temperature", LASER_TYPE_REAL, "0", NULL, 0, 100, NULL, NULL, 1, LASER_IN_GENERATE,
     "temperature", "T", 0,
     "0 = always the likeliest token; above, tokens are drawn, the more freely the higher"},
    {"generate.top_k", LASER_TYPE_INT, "0", NULL, 0, 1 << 24, NULL, NULL, 1, LASER_IN_GENERATE, "top-k", "K",
     0, "draw from the K likeliest tokens; 0 = from all"},
    {"generate.top_p", LASER_TYPE_REAL, "1", NULL, 0, 1, NULL, NULL, 1, LASER_IN_GENERATE, "top-p", "P", 0,
     "draw from the fewest likeliest tokens that together have this probability"},
    {"generate.seed", LASER_TYPE_INT, "0", NULL, 0, 9e15, NULL, NULL, 1, LASER_IN_GENERATE, "seed", "N", 0,
     "seed of the draws; both models draw with the same random numbers"},

    {"run.max_time", LASER_TYPE_DURATION, "0", NULL, 0, 1e9, NULL, NULL, 0, WORKS, "max-time", "TIME", 0,
     "stop, resumable, at the last safe point before this time (2h30m); 0 = no limit"},
    {"run.stall_time", LASER_TYPE_DURATION, "1h", NULL, 0, 1e9, NULL, NULL, 0, WORKS, NULL, NULL, 0,
     "a rank that gives no result for so long, and for 20 times as long as expected, is taken for lost and "
     "the "
     "job ended, resumable; 0 = wait for ever"},
    {"run.copy_other_weights", LASER_TYPE_BOOL, "false", NULL, NO_RANGE, NULL, NULL, 0,
     LASER_IN_REDUCE | LASER_IN_APPLY | LASER_IN_EXPORT, "copy-other-weights", NULL, 0,
     "copy weights that lie beside the model's own (other formats, a second set of shards, an adapter) into "
     "the "
     "written model, unedited; they are left out otherwise"},
    {"run.force", LASER_TYPE_BOOL, "false", NULL, NO_RANGE, NULL, NULL, 0, WITH_OUTPUT, "force", NULL, 'f',
     "start afresh in an output directory that holds another run; task: write over a file that is there"},

    {"log.format", LASER_TYPE_ENUM, "text", "text|json", NO_RANGE, NULL, NULL, 0, ALL, "log", "FORMAT", 0,
     "what the log is for: text = people, json = one object per line"},
    {"log.progress", LASER_TYPE_ENUM, "auto", "auto|bar|lines|off", NO_RANGE, NULL, NULL, 0, WORKS,
     "progress", "KIND", 0, "auto = a bar on a terminal, lines every so often elsewhere"},
    {"log.level", LASER_TYPE_ENUM, "normal", "quiet|normal|verbose", NO_RANGE, NULL, NULL, 0, ALL, NULL, NULL,
     0, "how much is told"},
};

static const struct laser_deck_flag flags[] = {
    {"deck", "FILE", 'd', NULL, NULL, "read this deck (where the command's arguments are other files)"},
    {"set", "KEY=VALUE", 's', NULL, NULL,
     "set any key of the deck, may be repeated; a comma separates list items"},
    {"print-deck", NULL, 0, NULL, NULL,
     "print the effective deck, each value with where it came from, and stop"},
    {"verbose", NULL, 'v', "log.level", "verbose", "tell more"},
    {"quiet", NULL, 'q', "log.level", "quiet", "tell only errors and the result"},
    {"help", NULL, 'h', NULL, NULL, "print this help, or that of the command, and stop"},
    {"version", NULL, 'V', NULL, NULL, "print the versions of the program and its libraries and stop"},
};

static const struct laser_deck_command commands[] = {
    {LASER_COMMAND_SCAN, "scan", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "singular values, threshold, SNR and rank of every matrix",
     "Computes the singular values of every selected matrix of a model, counts what stands above the noise "
     "threshold, and writes spectra.h5, results.json, the scan files for fine-tuning tools and a table. Run "
     "again, it "
     "continues where it was stopped."},
    {LASER_COMMAND_PLAN, "plan", "[DECK.yaml] [OPTIONS]", 0, 0, 1, "what a run would cost, without computing",
     "Shows matrices, groups, floating-point operations, memory per rank and estimated time for this number "
     "of "
     "ranks, and the number of ranks that it recommends."},
    {LASER_COMMAND_DERIVE, "derive", "SPECTRA.h5 [OPTIONS]", 1, 1, 0,
     "new thresholds and scores from stored spectra, no model needed",
     "Derives thresholds, scores, ranks, scan files and the table again from the singular values that a scan "
     "stored, "
     "in seconds."},
    {LASER_COMMAND_PERPLEXITY, "perplexity", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "perplexity of a model on local texts",
     "Evaluates a causal language model on local texts, its heads and columns shared among the ranks: "
     "perplexity, mean "
     "loss and standard error per text and pooled."},
    {LASER_COMMAND_EVALUATE, "evaluate", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "questions of tasks, and texts, through a model",
     "Asks a model the questions of task files: accuracy and log loss of choices and completions, share and "
     "margin of preferences, each with its standard error; with --text perplexity too."},
    {LASER_COMMAND_TASK, "task", "convert FILE --from NAME [OPTIONS]", 2, 2, 0, "a task file from a data set",
     "Makes a task file for evaluate and reduce from a data set as it is distributed: TruthfulQA, "
     "CounterFact, "
     "BIG-bench, FEVER, HotpotQA, Bias in Bios, GSM8K, pairs for DPO."},
    {LASER_COMMAND_COMPARE, "compare", "DIR_A DIR_B [OPTIONS]", 2, 2, 0, "two evaluations, window by window",
     "Compares the losses of two finished runs on the same windows: mean difference, its standard error, and "
     "which "
     "windows moved.  With --output a results.json is written there."},
    {LASER_COMMAND_REDUCE, "reduce", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "scan, edit noisy matrices, keep what does not hurt, write the model",
     "Scans a model, edits the matrices of lowest score one after another, keeps an edit if perplexity on "
     "the given texts "
     "allows it, and writes a checkpoint that transformers loads."},
    {LASER_COMMAND_SENSITIVITY, "sensitivity", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "what every singular value is worth to the loss, by one gradient",
     "Scans a model and passes the given texts, or the questions of tasks, once forward and once backward "
     "through it: gradient and Fisher information of "
     "every singular value, and what each cut or shrinkage is predicted to do to the loss.  Writes "
     "sensitivity.h5."},
    {LASER_COMMAND_COMPRESS, "compress", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "a smaller checkpoint, its weights products of two thin ones",
     "Passes a calibration text forward and backward through a model, cuts every matrix where it costs the "
     "loss least, and "
     "writes a smaller checkpoint that transformers loads (trust_remote_code) and laser_mpi runs faster.  "
     "Held-out windows "
     "and guard texts say what it cost."},
    {LASER_COMMAND_APPLY, "apply", "[PLAN.yaml] --model DIR [OPTIONS]", 0, 1, 0,
     "the edits of an earlier run on a copy of its model",
     "Replays the edits that a reduce run wrote down in plan.yaml, on the same model or another copy of it."},
    {LASER_COMMAND_SHOW, "show", "SCAN [OPTIONS]", 1, 1, 0, "results of a run in the terminal",
     "Prints the results of a finished run: a map of the scores, layers by types, and the list of "
     "decisions."},
    {LASER_COMMAND_REPORT, "report", "DIR [OPTIONS]", 1, 1, 0,
     "report.html of a run again, or of two side by side",
     "Makes report.html of a finished run again from the files in its output directory; every run has made "
     "one "
     "at its end.  With --compare the page has two runs side by side and their differences, and is named "
     "comparison.html.  It goes into DIR, or where --output says.  DIR and DIR2 may also be a spectra.h5, or "
     "a "
     "scan that Spectrum (JSON) or WeightWatcher (CSV) wrote."},
    {LASER_COMMAND_EXPORT, "export", "SCAN [OPTIONS]", 1, 1, 0,
     "files for fine-tuning tools from a scan, also of Spectrum or WeightWatcher",
     "Picks the matrices that are worth training from a scan (an output directory, spectra.h5, Spectrum's "
     "JSON or "
     "WeightWatcher's CSV) and writes that as files for Axolotl, LLaMA-Factory, ms-swift, PEFT and TRL, "
     "WeightWatcher and Spectrum. With --format pissa or milora and --model, adapters are taken out of the "
     "weights, too."},
    {LASER_COMMAND_GENERATE, "generate", "[DECK.yaml] [OPTIONS]", 0, 0, 1,
     "texts that a model goes on with, or two models side by side",
     "Lets a causal language model go on from each prompt, by its likeliest tokens or by drawing with a "
     "seed, "
     "and with --against a second one beside it: for looking at what a reduction did."},
    {LASER_COMMAND_MODELS, "models", "", 0, 0, 0, "types of models that run, with their variations",
     "Prints the types (model_type in config.json) whose models can be run, and what each has.  Every type "
     "can "
     "be scanned."},
    {LASER_COMMAND_RUN, "run", "DECK.yaml [OPTIONS]", 0, 0, 1, "what the deck's command key says",
     "Runs the command that the deck names in its command key."},
    {LASER_COMMAND_VERSION, "version", "", 0, 0, 0, "versions of the program and its libraries",
     "Prints versions."},
    {LASER_COMMAND_HELP, "help", "[COMMAND]", 0, 1, 0, "this help, or that of a command", "Prints help."},
};

static const struct {
    const char *section, *title;
} sections[] = {
    {"", "What to do"},
    {"scan", "Scan"},
    {"parallel", "Ranks and memory"},
    {"plan", "Plan for a cluster"},
    {"evaluate", "Evaluation"},
    {"reduce", "Reduction"},
    {"compress", "Compression"},
    {"export", "Exports"},
    {"report", "Report"},
    {"task", "Task files"},
    {"generate", "Generation"},
    {"run", "Run"},
    {"log", "Log"},
};

const struct laser_deck_key *laser_schema_keys(size_t *count)
{
    *count = sizeof keys / sizeof keys[0];
    return keys;
}

int laser_schema_find(const char *key)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].key, key) == 0)
            return (int)i;
    return -1;
}

const char *laser_schema_section_title(const char *section)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (strcmp(sections[i].section, section) == 0)
            return sections[i].title;
    return NULL;
}

size_t laser_schema_section_length(const char *key)
{
    const char *dot = strchr(key, '.');

    return dot != NULL ? (size_t)(dot - key) : 0;
}

const struct laser_deck_flag *laser_schema_flags(size_t *count)
{
    *count = sizeof flags / sizeof flags[0];
    return flags;
}

const struct laser_deck_command *laser_schema_commands(size_t *count)
{
    *count = sizeof commands / sizeof commands[0];
    return commands;
}

const struct laser_deck_command *laser_schema_command(enum laser_command command)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].command == command)
            return &commands[i];
    return NULL;
}

const char *laser_command_name(enum laser_command command)
{
    const struct laser_deck_command *c = laser_schema_command(command);

    return c != NULL ? c->name : "";
}

enum laser_command laser_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].command;
    return LASER_COMMAND_NONE;
}
