#include "run/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "base/traffic.h"

static struct {
    pthread_t thread;
    bool runs;
    const char *const *phase;
    const char *host;
    double stall_s;
    _Atomic bool stop;
    _Atomic uint64_t ticks;
} watch;

static void give_up(void)
{
    const char *phase = *watch.phase;
    char time[LASER_NUMBER_SIZE];

    fprintf(stderr,
            "laser_mpi: %s%snothing has moved for %s (run.stall_time): a rank or its node is lost; what is "
            "done is "
            "safe; give the same command again to resume (rank 0 on %s)\n",
            phase != NULL ? phase : "", phase != NULL ? ": " : "", laser_number_time(watch.stall_s, time),
            watch.host);
    fflush(stderr);
    _exit(LASER_ESTOPPED);
}

static void *look(void *unused)
{
    struct timespec nap = {.tv_sec = watch.stall_s < 10 ? 0 : 1, .tv_nsec = 200000000};
    uint64_t ticks = 0;
    struct laser_traffic traffic = {0};
    double since_s = laser_clock_s();

    (void)unused;
    while (!watch.stop) {
        struct laser_traffic t = laser_traffic_so_far();
        if (watch.ticks != ticks || t.read_bytes != traffic.read_bytes ||
            t.written_bytes != traffic.written_bytes) {
            ticks = watch.ticks;
            traffic = t;
            since_s = laser_clock_s();
        } else if (laser_clock_s() - since_s > watch.stall_s) {
            give_up();
        }
        nanosleep(&nap, NULL);
    }
    return NULL;
}

void laser_watch_start(const char *const *phase, const char *host, double stall_s)
{
    sigset_t all, old;

    if (stall_s <= 0 || watch.runs)
        return;
    watch.phase = phase;
    watch.host = host;
    watch.stall_s = stall_s;
    watch.stop = false;
    /* Signals are for the thread that does the work. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    watch.runs = pthread_create(&watch.thread, NULL, look, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void laser_watch_tick(void)
{
    ++watch.ticks;
}

void laser_watch_stop(void)
{
    if (!watch.runs)
        return;
    watch.stop = true;
    pthread_join(watch.thread, NULL);
    watch.runs = false;
}
