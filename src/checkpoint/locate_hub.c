#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/locate.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/io.h"

static bool is_dir(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The hub's own rule for names: letters, digits, `-`, `_`, `.`, at most one `/`, neither `--` nor `..`. */
static bool is_repository_name(const char *name, size_t length)
{
    int n_slashes = 0;

    for (size_t i = 0; i < length; i++) {
        const char c = name[i];

        n_slashes += c == '/';
        if (!isalnum((unsigned char)c) && strchr("-_./", c) == NULL)
            return false;
        if (i > 0 && c == name[i - 1] && (c == '-' || c == '.'))
            return false;
    }
    return length > 0 && n_slashes <= 1 && isalnum((unsigned char)name[0]) && name[length - 1] != '/';
}

static bool is_revision(const char *revision)
{
    if (revision[0] == '\0' || revision[0] == '/' || strstr(revision, "..") != NULL)
        return false;
    for (const char *c = revision; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-_./", *c) == NULL)
            return false;
    }
    return true;
}

/* The hub cache, as huggingface_hub finds it; NULL if no variable says where (or no memory). */
static char *hub_cache(void)
{
    const char *hub = getenv("HF_HUB_CACHE");
    const char *legacy = getenv("HUGGINGFACE_HUB_CACHE");
    const char *hf_home = getenv("HF_HOME");
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (hub != NULL && hub[0] != '\0')
        return strdup(hub);
    if (legacy != NULL && legacy[0] != '\0')
        return strdup(legacy);
    if (hf_home != NULL && hf_home[0] != '\0')
        return laser_io_join(hf_home, "hub");
    if (xdg != NULL && xdg[0] != '\0')
        return laser_io_join(xdg, "huggingface/hub");
    return home != NULL && home[0] != '\0' ? laser_io_join(home, ".cache/huggingface/hub") : NULL;
}

/* cache/models--org--name */
static char *repository_dir(const char *cache, const char *name, size_t length)
{
    const char *slash = memchr(name, '/', length);
    char *path = NULL;
    int n;

    if (slash != NULL)
        n = asprintf(&path, "%s/models--%.*s--%.*s", cache, (int)(slash - name), name,
                     (int)(name + length - slash - 1), slash + 1);
    else
        n = asprintf(&path, "%s/models--%.*s", cache, (int)length, name);
    return n < 0 ? NULL : path;
}

/* The only snapshot in a repository whose refs are gone, or NULL. */
static char *only_snapshot(const char *repository)
{
    char *snapshots = laser_io_join(repository, "snapshots");
    DIR *dir = snapshots != NULL ? opendir(snapshots) : NULL;
    char *found = NULL;
    int n = 0;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (found == NULL)
            found = laser_io_join(snapshots, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    free(snapshots);
    if (n != 1) {
        free(found);
        found = NULL;
    }
    return found;
}

/* snapshots/COMMIT for a revision that is a commit, or a branch or tag recorded in refs/. */
static char *snapshot_dir(const char *repository, const char *revision)
{
    char *ref = NULL, *path = NULL, *commit = NULL;
    int64_t length = 0;

    if (asprintf(&path, "%s/snapshots/%s", repository, revision) < 0)
        return NULL;
    if (is_dir(path))
        return path;
    free(path);
    path = NULL;
    if (asprintf(&ref, "%s/refs/%s", repository, revision) < 0)
        return NULL;
    if (laser_io_read_file(ref, 4096, &commit, &length, NULL) == LASER_OK) {
        commit[strcspn(commit, " \t\r\n")] = '\0';
        if (is_revision(commit) && strchr(commit, '/') == NULL &&
            asprintf(&path, "%s/snapshots/%s", repository, commit) < 0)
            path = NULL;
    }
    free(ref);
    free(commit);
    if (path != NULL && !is_dir(path)) {
        free(path);
        path = NULL;
    }
    return path;
}

int laser_location_hub(const char *model, char **dir, struct laser_error *err)
{
    const char *at = strchr(model, '@');
    const size_t length = at != NULL ? (size_t)(at - model) : strlen(model);
    const char *revision = at != NULL ? at + 1 : "main";
    char *cache, *repository;
    int code = LASER_OK;

    *dir = NULL;
    if (!is_repository_name(model, length) || !is_revision(revision))
        return laser_error_set(
            err, LASER_EINPUT, model,
            "no such file or directory, and not a name like org/name or org/name@revision");
    cache = hub_cache();
    if (cache == NULL)
        return laser_error_set(
            err, LASER_EINPUT, model,
            "no such file or directory, and neither HF_HUB_CACHE, HF_HOME nor HOME is set to "
            "look for it in a hub cache");
    repository = repository_dir(cache, model, length);
    if (repository == NULL)
        code = laser_error_set(err, LASER_ENOMEM, model, "no memory");
    else if (!is_dir(repository))
        code = laser_error_set(
            err, LASER_EINPUT, model,
            "no such file or directory, and not in the hub cache: looked for %s (HF_HUB_CACHE, "
            "HF_HOME/hub or ~/.cache/huggingface/hub; nothing is downloaded)",
            repository);
    else if ((*dir = snapshot_dir(repository, revision)) == NULL &&
             (at != NULL || (*dir = only_snapshot(repository)) == NULL))
        code =
            laser_error_set(err, LASER_EINPUT, model,
                            "the hub cache has %s, but no revision \"%s\" in it: looked for snapshots/%s and "
                            "refs/%s",
                            repository, revision, revision, revision);
    free(cache);
    free(repository);
    return code;
}
