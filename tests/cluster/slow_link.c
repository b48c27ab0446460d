/* A slow cable between two network namespaces, where the kernel has no netem: frames of either interface come out of the
 * other after a delay, at no more than a rate.
 *
 *   slow_link NAMESPACE INTERFACE NAMESPACE INTERFACE DELAY_MS RATE_MBIT      runs until it is killed; needs root
 *
 * Makes both interfaces (tap).  A queue holds 4 MiB, what does not fit is lost, as in a switch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 2048, PLACES = 2048 };

struct way {
    int in, out;
    double free_at; /* when the last frame is on the cable, s */
    int first, count;
    struct {
        double leaves;
        int size;
        char data[FRAME];
    } * queue; /* a ring of PLACES */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int tap(const char *space, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    char path[256];
    int ns, fd;

    snprintf(path, sizeof path, "/var/run/netns/%s", space);
    ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0) {
        perror(path);
        exit(1);
    }
    close(ns);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

static void take(struct way *w, double delay, double bytes_per_second)
{
    while (1) {
        char data[FRAME];
        ssize_t size = read(w->in, data, sizeof data);
        int place = (w->first + w->count) % PLACES;

        if (size <= 0)
            return;
        if (w->count == PLACES)
            continue;
        if (w->free_at < now())
            w->free_at = now();
        w->free_at += (double)size / bytes_per_second;
        w->queue[place].leaves = w->free_at + delay;
        w->queue[place].size = (int)size;
        memcpy(w->queue[place].data, data, (size_t)size);
        ++w->count;
    }
}

static void give(struct way *w)
{
    for (; w->count > 0 && w->queue[w->first].leaves <= now(); --w->count) {
        if (write(w->out, w->queue[w->first].data, (size_t)w->queue[w->first].size) < 0 && errno == EAGAIN)
            return;
        w->first = (w->first + 1) % PLACES;
    }
}

int main(int argc, char **argv)
{
    struct way ways[2] = {{0}};
    double delay, rate;
    int a, b;

    if (argc != 7) {
        fprintf(stderr, "usage: slow_link NAMESPACE INTERFACE NAMESPACE INTERFACE DELAY_MS RATE_MBIT\n");
        return 2;
    }
    delay = 1e-3 * atof(argv[5]);
    rate = 1e6 / 8 * atof(argv[6]);
    a = tap(argv[1], argv[2]);
    b = tap(argv[3], argv[4]);
    ways[0].in = ways[1].out = a;
    ways[1].in = ways[0].out = b;
    for (int i = 0; i < 2; ++i)
        if ((ways[i].queue = malloc(PLACES * sizeof *ways[i].queue)) == NULL)
            return 1;
    while (1) {
        struct pollfd both[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        double next = now() + 1;
        struct timespec wait;

        for (int i = 0; i < 2; ++i) {
            take(&ways[i], delay, rate);
            give(&ways[i]);
            if (ways[i].count > 0 && ways[i].queue[ways[i].first].leaves < next)
                next = ways[i].queue[ways[i].first].leaves;
        }
        next -= now();
        wait.tv_sec = next > 0 ? (time_t)next : 0;
        wait.tv_nsec = next > 0 ? (long)(1e9 * (next - (double)wait.tv_sec)) : 0;
        ppoll(both, 2, &wait, NULL);
    }
}
