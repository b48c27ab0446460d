#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "deck/internal.h"

/* "org/name": one slash, nothing that a relative path would begin with. */
static int is_hub_id(const char *model)
{
    const char *slash = strchr(model, '/');

    return slash != NULL && slash != model && slash[1] != '\0' && strchr(slash + 1, '/') == NULL &&
           *model != '.' && *model != '~';
}

static int check_model(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    const char *model = laser_deck_string(deck, "model");
    struct stat info;

    if (*model == '\0')
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(command),
                               "which model? give --model DIR, or `model:` in a deck");
    if (stat(model, &info) == 0 || is_hub_id(model))
        return LASER_OK;
    return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, "model"), "model is \"%s\": %s", model,
                           strerror(errno));
}

static int check_texts(const struct laser_deck *deck, enum laser_command command,
                       const char *(*hint)(const char *name), struct laser_error *err)
{
    const struct laser_deck_pair *pairs;
    struct stat info;
    int count, tasks;

    pairs = laser_deck_pairs(deck, "evaluate.text", &count);
    laser_deck_pairs(deck, "evaluate.task", &tasks);
    if (count == 0 && tasks == 0 && command != LASER_COMMAND_PLAN)
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(command),
                               "which text? give --text NAME=PATH, or `text:` in a deck's evaluate section");
    for (int i = 0; i < count; i++) {
        const char *cause = NULL, *more = hint != NULL ? hint(pairs[i].name) : NULL;

        if (stat(pairs[i].path, &info) != 0)
            cause = strerror(errno);
        else if (S_ISDIR(info.st_mode))
            cause = "is a directory, a text is a file";
        if (cause != NULL)
            return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, "evaluate.text"),
                                   "text %s is \"%s\": %s%s%s", pairs[i].name, pairs[i].path, cause,
                                   more != NULL ? ". " : "", more != NULL ? more : "");
    }
    return LASER_OK;
}

int laser_deck_check_files(const struct laser_deck *deck, enum laser_command command,
                           const char *(*hint)(const char *name), struct laser_error *err)
{
    unsigned bit = 1u << command;
    size_t count;
    const struct laser_deck_key *keys = laser_schema_keys(&count);
    int rc = LASER_OK;

    if ((keys[laser_schema_find("model")].commands & bit) != 0)
        rc = check_model(deck, command, err);
    if (rc == LASER_OK && (keys[laser_schema_find("evaluate.text")].commands & bit) != 0)
        rc = check_texts(deck, command, hint, err);
    return rc;
}
