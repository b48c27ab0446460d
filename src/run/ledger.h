/* The ledger: the journal of a run, one text line for each finished piece of work, from which a killed run
 * goes on.  A person can read it:
 *
 *   laser_mpi-ledger 1 model=6b1f... deck=09ac...               *5d1e6c3a
 *   matrix name=model.layers.0.mlp.down_proj.weight k=41 ...    *0f3c2b11
 *
 * A line is a kind, then key=value fields separated by blanks, then `*` and the low 32 bits of the XXH3 hash
 * of all that stands before it, in hexadecimal.  Blanks, control characters and `%` in values are written
 * %XX. A torn or altered last line is cut off when the ledger is opened again; one in the middle is an error.
 */
#ifndef LASER_RUN_LEDGER_H
#define LASER_RUN_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define LASER_LEDGER_VERSION    1
#define LASER_LEDGER_MAX_FIELDS 64

struct laser_ledger_field {
    const char *key;
    const char *value; /* unescaped */
};

/* One line taken apart.  The strings point into `text`, which the entry owns. */
struct laser_ledger_entry {
    char *text;
    const char *kind;
    int n_fields;
    struct laser_ledger_field fields[LASER_LEDGER_MAX_FIELDS];
};

/* Takes one line (without its newline) apart.  False if it is torn, altered or not a ledger line; *entry is
 * then empty.  Free with laser_ledger_entry_free. */
bool laser_ledger_parse(const char *line, struct laser_ledger_entry *entry);
void laser_ledger_entry_free(struct laser_ledger_entry *entry);

/* The value of a key, or NULL.  The typed forms return the fallback where the key is missing. */
const char *laser_ledger_get(const struct laser_ledger_entry *entry, const char *key);
int64_t laser_ledger_get_int(const struct laser_ledger_entry *entry, const char *key, int64_t fallback);
double laser_ledger_get_real(const struct laser_ledger_entry *entry, const char *key, double fallback);

/* A line under construction.  Values of any bytes; reals are written so that they read back to the same bits.
 */
struct laser_ledger_line {
    char *text;
    size_t length;
    size_t capacity;
    bool out_of_memory;
};

void laser_ledger_line_begin(struct laser_ledger_line *line, const char *kind);
void laser_ledger_line_text(struct laser_ledger_line *line, const char *key, const char *value);
void laser_ledger_line_int(struct laser_ledger_line *line, const char *key, int64_t value);
void laser_ledger_line_real(struct laser_ledger_line *line, const char *key, double value);
void laser_ledger_line_free(struct laser_ledger_line *line);

struct laser_ledger;

/* What an entry found on opening is handed to, in order.  A result other than LASER_OK ends the opening. */
typedef int laser_ledger_visit(void *context, const struct laser_ledger_entry *entry,
                               struct laser_error *err);

/* Opens or makes the ledger at path.  Old entries are visited in order; a torn tail is cut off and its
 * length returned in *torn_bytes (may be NULL).  A ledger of another version is LASER_EUSAGE. */
int laser_ledger_open(const char *path, laser_ledger_visit *visit, void *context, int64_t *torn_bytes,
                      struct laser_ledger **out, struct laser_error *err);

/* Seals the line (checksum), appends it and frees it.  With `durable` the file is synced to disk before the
 * return; without, it survives the death of the process but not of the machine. */
int laser_ledger_append(struct laser_ledger *ledger, struct laser_ledger_line *line, bool durable,
                        struct laser_error *err);

/* Closes, syncing first.  NULL is allowed. */
int laser_ledger_close(struct laser_ledger *ledger, struct laser_error *err);

#endif
