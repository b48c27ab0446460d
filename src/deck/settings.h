/* The settings of a run, typed: what the rest of the program reads.
 *
 * The struct, the keys' numbers and everything that is told about a key come from the rows of keys.def.  A
 * setting is added by one row there; one that is a choice has its words in a list as those below.
 */
#ifndef LASER_DECK_SETTINGS_H
#define LASER_DECK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/words.h"
#include "corpus/dataset.h"
#include "kernels/dispatch.h"
#include "spectrum/rule.h"

enum laser_command {
    LASER_COMMAND_NONE, /* not said: the deck's `command` key */
#define COMMAND(id, ...) LASER_COMMAND_##id,
#include "deck/commands.def"
    LASER_COMMANDS
};

/* Choices: W(ENUMERATOR, "word").  Those of one module alone stand in its header (LASER_SCORE_WORDS). */
#define LASER_COMMAND_WORDS(W)                                                                               \
    W(LASER_COMMAND_SCAN, "scan")                                                                            \
    W(LASER_COMMAND_PLAN, "plan")                                                                            \
    W(LASER_COMMAND_PERPLEXITY, "perplexity")                                                                \
    W(LASER_COMMAND_EVALUATE, "evaluate")                                                                    \
    W(LASER_COMMAND_SENSITIVITY, "sensitivity")                                                              \
    W(LASER_COMMAND_REDUCE, "reduce")                                                                        \
    W(LASER_COMMAND_COMPRESS, "compress")                                                                    \
    W(LASER_COMMAND_GENERATE, "generate")

#define LASER_DECK_COMPAT_WORDS(W) W(LASER_DECK_COMPAT_NONE, "none") W(LASER_DECK_COMPAT_LASERRMT, "laserrmt")
enum laser_deck_compat { LASER_DECK_COMPAT_WORDS(LASER_WORD_ID) };

#define LASER_DECK_SOLVER_WORDS(W)                                                                           \
    W(LASER_DECK_SOLVER_AUTO, "auto") W(LASER_DECK_SOLVER_GRAM, "gram") W(LASER_DECK_SOLVER_GESVD, "gesvd")
enum laser_deck_solver { LASER_DECK_SOLVER_WORDS(LASER_WORD_ID) };

#define LASER_DECK_FACTORED_WORDS(W)                                                                         \
    W(LASER_DECK_FACTORED_AUTO, "auto")                                                                      \
    W(LASER_DECK_FACTORED_ALWAYS, "always") W(LASER_DECK_FACTORED_NEVER, "never")
enum laser_deck_factored { LASER_DECK_FACTORED_WORDS(LASER_WORD_ID) };

/* How a model is improved (reduce/strategy.h). */
#define LASER_STRATEGY_WORDS(W)                                                                              \
    W(LASER_STRATEGY_AUTO, "auto")         /* tune with a text, else denoise: settled when decks are read */ \
    W(LASER_STRATEGY_SNR, "snr")           /* laserRMT rmt_laser_snr.py: the K lowest scores, one by one */  \
    W(LASER_STRATEGY_BACKWARD, "backward") /* laserRMT rmt_laser.py: last layer to first, types in order */  \
    W(LASER_STRATEGY_ALL, "all")           /* everything that has noise, at once */                          \
    W(LASER_STRATEGY_SWEEP, "sweep")       /* LASER: every matrix x fraction alone on the base */            \
    W(LASER_STRATEGY_COMPOSE, "compose")   /* LASER: the best of a sweep, greedily */                        \
    W(LASER_STRATEGY_DENOISE, "denoise")   /* line search over cuts and shrinkages of the K lowest scores */ \
    W(LASER_STRATEGY_BUDGET, "budget")     /* as few parameters as the tolerance allows */                   \
    W(LASER_STRATEGY_TUNE, "tune")         /* steps in all singular values at once, by their gradients */
enum laser_strategy { LASER_STRATEGY_WORDS(LASER_WORD_ID) };

#define LASER_DECK_ACCEPT_WORDS(W)                                                                           \
    W(LASER_DECK_ACCEPT_PAIRED, "paired") W(LASER_DECK_ACCEPT_LASERRMT, "laserrmt")
enum laser_deck_accept { LASER_DECK_ACCEPT_WORDS(LASER_WORD_ID) };

#define LASER_DECK_FISHER_WORDS(W)                                                                           \
    W(LASER_DECK_FISHER_AUTO, "auto")                                                                        \
    W(LASER_DECK_FISHER_BLOCK, "block") W(LASER_DECK_FISHER_DIAGONAL, "diagonal")
enum laser_deck_fisher { LASER_DECK_FISHER_WORDS(LASER_WORD_ID) };

#define LASER_DECK_DTYPE_WORDS(W)                                                                            \
    W(LASER_DECK_DTYPE_STORED, "stored")                                                                     \
    W(LASER_DECK_DTYPE_BFLOAT16, "bfloat16")                                                                 \
    W(LASER_DECK_DTYPE_FLOAT16, "float16") W(LASER_DECK_DTYPE_FLOAT32, "float32")
enum laser_deck_dtype { LASER_DECK_DTYPE_WORDS(LASER_WORD_ID) };

/* What reduce and compress write besides. */
#define LASER_DECK_ALSO_WORDS(W)  W(LASER_DECK_ALSO_FACTORED, "factored") W(LASER_DECK_ALSO_LORA, "lora")
#define LASER_DECK_DENSE_WORDS(W) W(LASER_DECK_ALSO_DENSE, "dense")
enum laser_deck_also { LASER_DECK_ALSO_WORDS(LASER_WORD_ID) LASER_DECK_DENSE_WORDS(LASER_WORD_ID) };

/* What the values that a compression keeps are moved to. */
#define LASER_DECK_GOAL_WORDS(W) W(LASER_DECK_GOAL_TEXT, "text") W(LASER_DECK_GOAL_ORIGINAL, "original")
enum laser_deck_goal { LASER_DECK_GOAL_WORDS(LASER_WORD_ID) };

#define LASER_DECK_RANKS_WORDS(W)                                                                            \
    W(LASER_DECK_RANKS_THRESHOLD, "threshold") W(LASER_DECK_RANKS_UNIFORM, "uniform")
enum laser_deck_ranks { LASER_DECK_RANKS_WORDS(LASER_WORD_ID) };

#define LASER_DECK_PER_WORDS(W) W(LASER_DECK_PER_TYPE, "type") W(LASER_DECK_PER_OVERALL, "overall")
enum laser_deck_per { LASER_DECK_PER_WORDS(LASER_WORD_ID) };

#define LASER_DECK_LOG_WORDS(W) W(LASER_DECK_LOG_TEXT, "text") W(LASER_DECK_LOG_JSON, "json")
enum laser_deck_log { LASER_DECK_LOG_WORDS(LASER_WORD_ID) };

#define LASER_PROGRESS_WORDS(W)                                                                              \
    W(LASER_PROGRESS_AUTO, "auto") /* a bar on a terminal, lines elsewhere */                                \
    W(LASER_PROGRESS_BAR, "bar")                                                                             \
    W(LASER_PROGRESS_LINES, "lines")                                                                         \
    W(LASER_PROGRESS_OFF, "off")
enum laser_progress_kind { LASER_PROGRESS_WORDS(LASER_WORD_ID) };

#define LASER_LOG_LEVEL_WORDS(W)                                                                             \
    W(LASER_LOG_QUIET, "quiet")                                                                              \
    W(LASER_LOG_NORMAL, "normal") W(LASER_LOG_VERBOSE, "verbose")
enum laser_log_level { LASER_LOG_LEVEL_WORDS(LASER_WORD_ID) };

struct laser_deck_list {
    const char *const *items;
    int count;
    unsigned set; /* where the words are a choice: 1 << ENUMERATOR of each that is in the list */
};

/* name=path pairs of a list such as evaluate.text. */
struct laser_deck_pair {
    const char *name, *path;
};
struct laser_deck_pairs {
    const struct laser_deck_pair *items;
    int count;
};

/* Types of a row and of its field. */
#define LASER_FIELD_BOOL             bool
#define LASER_FIELD_INT              int64_t
#define LASER_FIELD_REAL             double
#define LASER_FIELD_STRING           const char * /* "" = unset, as the next three */
#define LASER_FIELD_PATH             const char *
#define LASER_FIELD_MODEL            const char *
#define LASER_FIELD_WORD             const char *
#define LASER_FIELD_SIZE             int64_t /* bytes */
#define LASER_FIELD_DURATION         double  /* seconds */
#define LASER_FIELD_LIST             struct laser_deck_list
#define LASER_FIELD_TEXTS            struct laser_deck_list
#define LASER_FIELD_SET(words)       struct laser_deck_list
#define LASER_FIELD_PAIRS            struct laser_deck_pairs
#define LASER_FIELD_ENUM(tag, words) enum tag

/* settings->model, settings->scan.threshold, ... */
struct laser_settings {
#define SECTION(section, title) struct {
#define END_SECTION(section)                                                                                 \
    }                                                                                                        \
    section;
#define TOP(type, name, ...)          LASER_FIELD_##type name;
#define KEY(type, section, name, ...) LASER_FIELD_##type name;
#include "deck/keys.def"
};

/* LASER_KEY_model, LASER_KEY_scan_threshold, ...: a key by its number, for what is told about it. */
enum laser_key {
#define TOP(type, name, ...)          LASER_KEY_##name,
#define KEY(type, section, name, ...) LASER_KEY_##section##_##name,
#include "deck/keys.def"
    LASER_KEYS
};

#endif
