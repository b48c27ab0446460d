#include "run/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/output.h"

#define CHECKSUM_CHARS 10 /* " *" and eight digits */

struct laser_ledger {
    int fd;
    char path[4096];
};

static uint32_t checksum(const char *text, size_t n)
{
    return (uint32_t)XXH3_64bits(text, n);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place; false if an escape is malformed. */
static bool unescape(char *s)
{
    char *out = s;

    for (; *s != '\0'; ++s) {
        if (*s == '%') {
            int high = hex_digit(s[1]);
            int low = high < 0 ? -1 : hex_digit(s[2]);
            if (low < 0)
                return false;
            *out++ = (char)(high << 4 | low);
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
    return true;
}

bool laser_ledger_parse(const char *line, struct laser_ledger_entry *entry)
{
    size_t n = strlen(line);
    char digits[9], *end, *token, *rest;

    memset(entry, 0, sizeof *entry);
    if (n <= CHECKSUM_CHARS || memcmp(line + n - CHECKSUM_CHARS, " *", 2) != 0)
        return false;
    snprintf(digits, sizeof digits, "%08" PRIx32, checksum(line, n - CHECKSUM_CHARS));
    if (memcmp(digits, line + n - 8, 8) != 0)
        return false;
    entry->text = strndup(line, n - CHECKSUM_CHARS);
    if (entry->text == NULL)
        return false;
    entry->kind = strtok_r(entry->text, " ", &rest);
    while ((token = strtok_r(NULL, " ", &rest)) != NULL) {
        end = strchr(token, '=');
        if (end == NULL) { /* the version number of the first line */
            end = token + strlen(token);
        } else {
            *end++ = '\0';
        }
        if (entry->n_fields == LASER_LEDGER_MAX_FIELDS || !unescape(end)) {
            laser_ledger_entry_free(entry);
            return false;
        }
        entry->fields[entry->n_fields].key = token;
        entry->fields[entry->n_fields++].value = end;
    }
    return entry->kind != NULL;
}

void laser_ledger_entry_free(struct laser_ledger_entry *entry)
{
    free(entry->text);
    memset(entry, 0, sizeof *entry);
}

const char *laser_ledger_get(const struct laser_ledger_entry *entry, const char *key)
{
    for (int i = 0; i < entry->n_fields; ++i)
        if (strcmp(entry->fields[i].key, key) == 0)
            return entry->fields[i].value;
    return NULL;
}

int64_t laser_ledger_get_int(const struct laser_ledger_entry *entry, const char *key, int64_t fallback)
{
    const char *value = laser_ledger_get(entry, key);

    return value != NULL ? strtoll(value, NULL, 10) : fallback;
}

double laser_ledger_get_real(const struct laser_ledger_entry *entry, const char *key, double fallback)
{
    const char *value = laser_ledger_get(entry, key);

    return value != NULL ? strtod(value, NULL) : fallback;
}

static void line_add(struct laser_ledger_line *line, const char *text, size_t n)
{
    if (line->length + n + 1 > line->capacity) {
        size_t capacity = 2 * (line->length + n + 1);
        char *bigger = realloc(line->text, capacity);
        if (bigger == NULL) {
            line->out_of_memory = true;
            return;
        }
        line->text = bigger;
        line->capacity = capacity;
    }
    memcpy(line->text + line->length, text, n);
    line->length += n;
    line->text[line->length] = '\0';
}

void laser_ledger_line_begin(struct laser_ledger_line *line, const char *kind)
{
    memset(line, 0, sizeof *line);
    line_add(line, kind, strlen(kind));
}

void laser_ledger_line_text(struct laser_ledger_line *line, const char *key, const char *value)
{
    char escaped[4];

    line_add(line, " ", 1);
    line_add(line, key, strlen(key));
    line_add(line, "=", 1);
    for (; *value != '\0'; ++value) {
        unsigned char c = (unsigned char)*value;
        if (c <= ' ' || c == '%' || c == 127) {
            snprintf(escaped, sizeof escaped, "%%%02X", c);
            line_add(line, escaped, 3);
        } else {
            line_add(line, value, 1);
        }
    }
}

void laser_ledger_line_int(struct laser_ledger_line *line, const char *key, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, value);
    laser_ledger_line_text(line, key, text);
}

void laser_ledger_line_real(struct laser_ledger_line *line, const char *key, double value)
{
    char text[40];

    /* The shortest of these that reads back to the same bits. */
    for (int digits = 9; digits <= 17; digits += 4) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    laser_ledger_line_text(line, key, text);
}

void laser_ledger_line_free(struct laser_ledger_line *line)
{
    free(line->text);
    memset(line, 0, sizeof *line);
}

static int io_error(const struct laser_ledger *ledger, const char *what, struct laser_error *err)
{
    return laser_error_set(err, LASER_EIO, ledger->path, "%s: %s", what, strerror(errno));
}

static int write_all(const struct laser_ledger *ledger, const char *data, size_t n, struct laser_error *err)
{
    while (n > 0) {
        ssize_t done = write(ledger->fd, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return io_error(ledger, "cannot append", err);
        data += done;
        n -= (size_t)done;
    }
    return LASER_OK;
}

static int read_whole(const struct laser_ledger *ledger, char **text, size_t *length, struct laser_error *err)
{
    off_t size = lseek(ledger->fd, 0, SEEK_END);
    size_t have = 0;

    if (size < 0)
        return io_error(ledger, "cannot find the size", err);
    *text = malloc((size_t)size + 1);
    if (*text == NULL)
        return laser_error_set(err, LASER_ENOMEM, ledger->path, "no memory for %lld bytes", (long long)size);
    while (have < (size_t)size) {
        ssize_t got = pread(ledger->fd, *text + have, (size_t)size - have, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(*text);
            *text = NULL;
            return io_error(ledger, "cannot read", err);
        }
        have += (size_t)got;
    }
    (*text)[have] = '\0';
    *length = have;
    return LASER_OK;
}

static int check_version(const struct laser_ledger *ledger, const struct laser_ledger_entry *entry,
                         struct laser_error *err)
{
    if (strcmp(entry->kind, "laser_mpi-ledger") != 0)
        return laser_error_set(err, LASER_EUSAGE, ledger->path, "this is not a ledger of laser_mpi");
    if (entry->n_fields < 1 || atoi(entry->fields[0].key) != LASER_LEDGER_VERSION)
        return laser_error_set(
            err, LASER_EUSAGE, ledger->path,
            "ledger version %s found, this laser_mpi writes version %d; finish the run with "
            "the version that began it, or choose another output directory",
            entry->n_fields > 0 ? entry->fields[0].key : "none", LASER_LEDGER_VERSION);
    return LASER_OK;
}

/* Visits all whole lines; *good is the length of the part that is in order. */
static int visit_lines(const struct laser_ledger *ledger, char *text, size_t length,
                       laser_ledger_visit *visit, void *context, size_t *good, struct laser_error *err)
{
    int number = 0, rc = LASER_OK;

    *good = 0;
    while (*good < length && rc == LASER_OK) {
        char *line = text + *good;
        char *end = memchr(line, '\n', length - *good);
        struct laser_ledger_entry entry;

        if (end == NULL)
            return LASER_OK; /* torn */
        *end = '\0';
        ++number;
        if (!laser_ledger_parse(line, &entry)) {
            if ((size_t)(end + 1 - text) == length)
                return LASER_OK; /* torn, with a newline after it */
            return laser_error_set(err, LASER_EIO, ledger->path, "line %d is damaged and is not the last one",
                                   number);
        }
        rc = number == 1 ? check_version(ledger, &entry, err) : LASER_OK;
        if (rc == LASER_OK && number > 1 && visit != NULL)
            rc = visit(context, &entry, err);
        laser_ledger_entry_free(&entry);
        *good = (size_t)(end + 1 - text);
    }
    return rc;
}

static int append_version(struct laser_ledger *ledger, struct laser_error *err)
{
    struct laser_ledger_line line;
    char kind[64];

    snprintf(kind, sizeof kind, "laser_mpi-ledger %d", LASER_LEDGER_VERSION);
    laser_ledger_line_begin(&line, kind);
    return laser_ledger_append(ledger, &line, true, err);
}

int laser_ledger_open(const char *path, laser_ledger_visit *visit, void *context, int64_t *torn_bytes,
                      struct laser_ledger **out, struct laser_error *err)
{
    struct laser_ledger *ledger = calloc(1, sizeof *ledger);
    char *text = NULL;
    size_t length = 0, good = 0;
    int rc;

    *out = NULL;
    if (ledger == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for the ledger");
    snprintf(ledger->path, sizeof ledger->path, "%s", path);
    ledger->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (ledger->fd < 0) {
        rc = io_error(ledger, "cannot open", err);
        free(ledger);
        return rc;
    }
    rc = read_whole(ledger, &text, &length, err);
    if (rc == LASER_OK)
        rc = visit_lines(ledger, text, length, visit, context, &good, err);
    if (rc == LASER_OK && good < length && ftruncate(ledger->fd, (off_t)good) != 0)
        rc = io_error(ledger, "cannot cut off the torn last line", err);
    if (rc == LASER_OK && good == 0)
        rc = append_version(ledger, err);
    if (rc == LASER_OK && good == 0)
        rc = laser_directory_sync_of(path, err);
    free(text);
    if (torn_bytes != NULL)
        *torn_bytes = (int64_t)(length - good);
    if (rc != LASER_OK) {
        close(ledger->fd);
        free(ledger);
        return rc;
    }
    *out = ledger;
    return LASER_OK;
}

int laser_ledger_append(struct laser_ledger *ledger, struct laser_ledger_line *line, bool durable,
                        struct laser_error *err)
{
    char seal[CHECKSUM_CHARS + 2];
    int rc;

    if (line->text != NULL) {
        snprintf(seal, sizeof seal, " *%08" PRIx32 "\n", checksum(line->text, line->length));
        line_add(line, seal, strlen(seal));
    }
    if (line->out_of_memory || line->text == NULL)
        rc = laser_error_set(err, LASER_ENOMEM, ledger->path, "no memory for a line of the ledger");
    else
        rc = write_all(ledger, line->text, line->length, err);
    laser_ledger_line_free(line);
    if (rc == LASER_OK && durable && fdatasync(ledger->fd) != 0)
        rc = io_error(ledger, "cannot sync", err);
    return rc;
}

int laser_ledger_close(struct laser_ledger *ledger, struct laser_error *err)
{
    int rc = LASER_OK;

    if (ledger == NULL)
        return LASER_OK;
    if (fdatasync(ledger->fd) != 0 && errno != EINVAL)
        rc = io_error(ledger, "cannot sync", err);
    if (close(ledger->fd) != 0 && rc == LASER_OK)
        rc = io_error(ledger, "cannot close", err);
    free(ledger);
    return rc;
}
