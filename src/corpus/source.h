/* Text data sets in local files: which file, which field, which known data set.
 *
 * A data set is named on the command line as `name=path[:field]`.  Four names mean the data sets of laserRMT
 * (wikitext2, ptb, c4, gsm8k) and choose how the documents of the file are joined; any other name is plain
 * text.
 *
 * Every function returns LASER_OK or fills *err (where = the path, with ":line" for JSON lines and CSV).
 */
#ifndef LASER_CORPUS_SOURCE_H
#define LASER_CORPUS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum laser_text_format {
    LASER_FORMAT_AUTO, /* by the ending of the path (".gz" aside) */
    LASER_FORMAT_TEXT,
    LASER_FORMAT_JSON_LINES, /* also one JSON array of objects */
    LASER_FORMAT_CSV,        /* RFC 4180 with a header line */
    LASER_FORMAT_IDS,        /* token ids, raw little-endian int32 */
    LASER_FORMAT_HDF5,       /* recognised, not read here: see laser_dataset_from_ids() */
    LASER_FORMAT_PARQUET     /* recognised and refused, with the line that converts it */
};

struct laser_text_source {
    char *name;                    /* data set, unique within a run */
    char *path;                    /* file */
    char *field;                   /* JSON key, CSV column or HDF5 data set; NULL = the data set's default */
    enum laser_text_format format; /* LASER_FORMAT_AUTO unless the caller sets it */
    int64_t limit_bytes;  /* > 0: only the first bytes of the joined text, as `head -c` would give; a UTF-8
                             character that the limit would split is dropped whole */
    int64_t limit_tokens; /* > 0: only the first tokens */
};

/* Parses `name=path[:field]`, or a path alone (the name is then the file's base name up to its first dot).
 * The part after the last ':' is a field if it has no '/' and no file of the whole name exists.  LASER_EUSAGE
 * otherwise. The caller frees *source with laser_text_source_free(). */
int laser_text_source_parse(const char *text, struct laser_text_source *source, struct laser_error *err);

void laser_text_source_free(struct laser_text_source *source);

/* The format of a source, AUTO resolved. */
enum laser_text_format laser_text_source_format(const struct laser_text_source *source);

/* How the documents of a file become the text that is tokenised. */
enum laser_join {
    LASER_JOIN_NONE,       /* plain text: the file as it is; JSON, CSV: documents joined with "\n\n" */
    LASER_JOIN_SPACE,      /* documents joined with " " (ptb, c4) */
    LASER_JOIN_ROWS,       /* lines of a raw wikitext file as the hub's rows, joined with "\n\n" */
    LASER_JOIN_PADDED_ROWS /* each document cut or padded to one window (gsm8k) */
};

/* What a known data set needs. */
struct laser_known_dataset {
    const char *name;
    const char *field; /* default JSON key or CSV column */
    const char *file;  /* the file that is wanted, and where it is to be had */
    enum laser_join join;
    int64_t limit_documents; /* > 0: only the first documents are read */
    int64_t limit_windows;   /* > 0: only the first limit_windows * seqlen tokens are used */
};

/* NULL for a name that is not known. */
const struct laser_known_dataset *laser_known_dataset_find(const char *name);

/* The documents of one file, back to back: document i is text[start[i] .. start[i + 1]). */
struct laser_documents {
    char *text;     /* start[n] bytes and a final NUL */
    int64_t *start; /* n + 1 */
    int64_t n;
    size_t text_capacity, start_capacity; /* of the two arrays */
};

/* Reads the documents of a source: a plain text file is one document (LASER_JOIN_NONE, LASER_JOIN_PADDED_ROWS
 * has one per line) or its lines, stripped (the other joins); a JSON or CSV record is one document.  Files in
 * gzip format are unpacked on the way.  LASER_EINPUT for a missing (the text says where the data set is to be
 * had), empty or malformed file; LASER_EIO for a failing read; LASER_ENOMEM. The caller frees *documents with
 * laser_documents_free(). */
int laser_documents_read(const struct laser_text_source *source, struct laser_documents *documents,
                         struct laser_error *err);

void laser_documents_free(struct laser_documents *documents);

/* Reads raw little-endian int32 token ids.  The caller frees *ids. */
int laser_token_ids_read(const struct laser_text_source *source, int32_t **ids, int64_t *n_ids,
                         struct laser_error *err);

#endif
