#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int laser_directory_make(const char *path, struct laser_error *err)
{
    char part[PATH_MAX];
    struct stat st;

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return laser_error_set(err, LASER_EUSAGE, path, "the path is too long");
    for (char *slash = part + 1; *part != '\0'; ++slash) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char end = *slash;
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            int cause = errno; /* such as a read-only file system: fine where the directory is there */
            if (stat(part, &st) != 0)
                return laser_error_set(err, LASER_EIO, part, "cannot make the directory: %s",
                                       strerror(cause));
        }
        if (end == '\0')
            break;
        *slash = end;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return laser_error_set(err, LASER_EIO, path, "this is not a directory");
    return LASER_OK;
}

/* path: resolved; asked: what it is called in a message, or the directory itself if NULL. */
static int check_place(const char *path, const char *asked, const char *model_dir, struct laser_error *err)
{
    char model[PATH_MAX];
    size_t n;

    if (model_dir == NULL || realpath(model_dir, model) == NULL)
        return LASER_OK;
    n = strlen(model);
    if (strncmp(path, model, n) == 0 && (path[n] == '\0' || path[n] == '/'))
        return laser_error_set(err, LASER_EUSAGE, asked != NULL ? asked : path,
                               "the output directory is %s, which is never written to",
                               asked == NULL && path[n] == '\0' ? "the model directory"
                                                                : "inside the model directory");
    return LASER_OK;
}

/* The nearest directory on the way up that exists, so that the place is checked before anything is made. */
static int check_before_making(const char *path, const char *model_dir, struct laser_error *err)
{
    char part[PATH_MAX], real[PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return laser_error_set(err, LASER_EUSAGE, path, "the path is too long");
    while (realpath(part, real) == NULL) {
        int cause = errno;
        char *slash = strrchr(part, '/');
        if (strcmp(part, ".") == 0 || strcmp(part, "/") == 0)
            return laser_error_set(err, LASER_EIO, path, "the %s directory cannot be resolved: %s%s",
                                   *part == '.' ? "current" : "root", strerror(cause),
                                   cause == ENOENT ? " (was it removed?)" : "");
        if (slash == NULL)
            snprintf(part, sizeof part, ".");
        else if (slash == part)
            part[1] = '\0';
        else
            *slash = '\0';
    }
    return check_place(real, strcmp(part, path) == 0 ? NULL : path, model_dir, err);
}

static void describe_holder(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static int write_holder(int fd)
{
    char text[512], host[256] = "";
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    int n;

    gethostname(host, sizeof host - 1);
    n = snprintf(text, sizeof text, "host %s process %ld%s%.64s%s%.20s\n", host, (long)getpid(),
                 job != NULL ? " job " : "", job != NULL ? job : "",
                 job != NULL && restart != NULL ? " start " : "",
                 job != NULL && restart != NULL ? restart : "");
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n ? 0 : -1;
}

static int held(const char *path, const char *holder, struct laser_error *err)
{
    return laser_error_set(
        err, LASER_EUSAGE, path,
        "another run works in this output directory (%s); wait for it or choose another one",
        holder[0] != '\0' ? holder : "unknown process");
}

/* Was the lock file left by a run that is no more: a process of this host, or an earlier start of this very
 * job (whose node may have been lost)? */
static bool left_behind(const char *holder)
{
    char host[256] = "", theirs[256] = "", job[65] = "";
    const char *mine = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    long process = 0, start = 0;
    int n = sscanf(holder, "host %255s process %ld job %64s start %ld", theirs, &process, job, &start);

    gethostname(host, sizeof host - 1);
    if (n >= 2 && strcmp(host, theirs) == 0) /* its number may be ours now */
        return process == getpid() || (kill((pid_t)process, 0) != 0 && errno == ESRCH);
    /* The same start of the same job may have two programs at work: `srun` without PMI. */
    return n >= 3 && mine != NULL && strcmp(job, mine) == 0 && restart != NULL &&
           strtol(restart, NULL, 10) > start;
}

/* A file system without locks: the file itself is the lock. */
static int lock_by_file(struct laser_rundir *dir, struct laser_error *err)
{
    char holder[512] = "", where[4300];
    int fd;

    snprintf(dir->lock_file, sizeof dir->lock_file, "%s/lock.held", dir->path);
    for (int attempt = 0; attempt < 2; ++attempt) {
        fd = open(dir->lock_file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            int failed = write_holder(fd);
            close(fd);
            return failed
                       ? laser_error_set(err, LASER_EIO, dir->lock_file, "cannot write: %s", strerror(errno))
                       : LASER_OK;
        }
        fd = open(dir->lock_file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        describe_holder(fd, holder, sizeof holder);
        close(fd);
        if (!left_behind(holder))
            break;
        unlink(dir->lock_file); /* left behind by a process that is no more */
    }
    snprintf(where, sizeof where, "%s", dir->lock_file);
    dir->lock_file[0] = '\0';
    return laser_error_set(err, LASER_EUSAGE, dir->path,
                           "another run works in this output directory (%s); wait for it or choose another "
                           "one, or remove %s if that "
                           "run is no more",
                           holder[0] != '\0' ? holder : "unknown process", where);
}

static int lock(struct laser_rundir *dir, struct laser_error *err)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4200], holder[512] = "";

    snprintf(path, sizeof path, "%s/lock", dir->path);
    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (dir->lock_fd < 0)
        return laser_error_set(err, LASER_EIO, dir->path, "the output directory cannot be written to: %s",
                               strerror(errno));
    if (fcntl(dir->lock_fd, F_SETLK, &range) == 0) {
        if (write_holder(dir->lock_fd) == 0)
            return LASER_OK;
        return laser_error_set(err, LASER_EIO, path, "cannot write: %s", strerror(errno));
    }
    if (errno != EACCES && errno != EAGAIN)
        return lock_by_file(dir, err);
    describe_holder(dir->lock_fd, holder, sizeof holder);
    return held(dir->path, holder, err);
}

int laser_rundir_open(const char *path, const char *model_dir, struct laser_rundir *dir,
                      struct laser_error *err)
{
    int code;

    memset(dir, 0, sizeof *dir);
    dir->lock_fd = -1;
    code = check_before_making(path, model_dir, err);
    if (code == LASER_OK)
        code = laser_directory_make(path, err);
    if (code == LASER_OK && realpath(path, dir->path) == NULL)
        code = laser_error_set(err, LASER_EIO, path, "cannot resolve the path: %s", strerror(errno));
    if (code == LASER_OK)
        code = lock(dir, err);
    if (code != LASER_OK)
        laser_rundir_close(dir);
    return code;
}

void laser_rundir_close(struct laser_rundir *dir)
{
    if (dir->path[0] == '\0')
        return;
    if (dir->lock_file[0] != '\0')
        unlink(dir->lock_file);
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    dir->lock_fd = -1;
    dir->path[0] = '\0';
}
