#include "config.h" /* strndup */

/* The rows of a scan that is read. */
#include <stdlib.h>
#include <string.h>

#include "arch/names.h"
#include "exchange/foreign_parts.h"

static char *keep(struct laser_foreign_scan *scan, char *text)
{
    scan->texts[scan->n_texts] = text;
    scan->n_texts += text != NULL;
    return text;
}

static char *full_name(const char *module, size_t length)
{
    static const char suffix[] = ".weight";
    size_t n = sizeof suffix - 1;
    char *name = malloc(length + n + 1);

    if (name == NULL)
        return NULL;
    memcpy(name, module, length);
    name[length] = '\0';
    /* A part of a tensor ("experts.down_proj[3]") is no module. */
    if ((length <= n || memcmp(module + length - n, suffix, n) != 0) &&
        (length == 0 || module[length - 1] != ']'))
        memcpy(name + length, suffix, n + 1);
    return name;
}

/* What the name says: "mlp.down_proj". */
static char *type_of(const char *name, const char *rest)
{
    static const char suffix[] = ".weight";
    size_t n;

    if (strcmp(rest, suffix + 1) == 0) /* "0.weight" */
        rest = name;
    n = strlen(rest);
    if (n > sizeof suffix - 1 && strcmp(rest + n - (sizeof suffix - 1), suffix) == 0)
        n -= sizeof suffix - 1;
    return strndup(rest, n);
}

/* Two texts a row. */
static int make_room(struct laser_foreign_scan *scan)
{
    size_t room = scan->room > 0 ? 2 * scan->room : 64;
    void *rows, *texts;

    if (scan->n < scan->room)
        return 1;
    rows = realloc(scan->rows, room * sizeof *scan->rows);
    if (rows != NULL)
        scan->rows = rows;
    texts = realloc(scan->texts, 2 * room * sizeof *scan->texts);
    if (texts != NULL)
        scan->texts = texts;
    if (rows == NULL || texts == NULL)
        return 0;
    scan->room = room;
    return 1;
}

struct laser_scan_row *laser_foreign_add(struct laser_foreign_scan *scan, const char *module, size_t length,
                                         const char *type)
{
    const char *name, *rest, *own_type;
    int layer;

    if (!make_room(scan) || (name = keep(scan, full_name(module, length))) == NULL)
        return NULL;
    layer = laser_name_layer(name, &rest);
    own_type = keep(scan, type != NULL ? strdup(type) : type_of(name, rest));
    if (own_type == NULL)
        return NULL;
    scan->rows[scan->n] =
        (struct laser_scan_row){.name = name, .type = own_type, .layer = layer, .status = LASER_SCAN_SCANNED};
    return &scan->rows[scan->n++];
}
