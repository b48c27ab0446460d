#include "run/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/* A batch system and a launcher may pass the same request on, each for itself: what comes within this time is
 * no second one. */
#define SAME_REQUEST_NS INT64_C(100000000)

static volatile sig_atomic_t asked_by;    /* the first signal */
static volatile sig_atomic_t insisted_by; /* the first SIGTERM or SIGINT */
static _Atomic int64_t insisted_ns;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Only what a signal handler may call. */
static void say(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));

    (void)n;
}

static int is_our_own(const siginfo_t *info)
{
    return (info->si_code == SI_TKILL || info->si_code == SI_USER || info->si_code == SI_QUEUE) &&
           info->si_pid == getpid();
}

static void note(int number, siginfo_t *info, void *unused)
{
    int cause = errno;

    (void)unused;
    if (is_our_own(info)) {
        say("laser_mpi: a library has ended this process by a signal of its own; OpenBLAS does so when it "
            "cannot make "
            "a thread or gets no memory (ulimit -u, ulimit -v, the batch system's limits)\n");
        _exit(LASER_ENOMEM);
    }
    if (number == SIGTERM || number == SIGINT) {
        if (insisted_by != 0 && (number != insisted_by || now_ns() - insisted_ns > SAME_REQUEST_NS)) {
            say("laser_mpi: asked to stop for the second time: ended at once; what is finished is safe; give the "
                "same command again to resume\n");
            _exit(LASER_ESTOPPED);
        }
        if (insisted_by == 0) {
            insisted_ns = now_ns();
            insisted_by = number;
        }
    }
    if (asked_by == 0)
        asked_by = number;
    errno = cause;
}

static const int requests[] = {SIGUSR1, SIGUSR2, SIGXCPU, SIGTERM, SIGINT};
enum { N_REQUESTS = sizeof requests / sizeof *requests };

static void set_all(const struct sigaction *action)
{
    for (int i = 0; i < N_REQUESTS; ++i)
        sigaction(requests[i], action, NULL);
}

void laser_signals_catch(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_RESTART | SA_SIGINFO};

    /* One after the other. */
    for (int i = 0; i < N_REQUESTS; ++i)
        sigaddset(&action.sa_mask, requests[i]);
    set_all(&action);
}

void laser_signals_release(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    set_all(&action);
}

int laser_signalled(void)
{
    return asked_by;
}
