/* laser_mpi: reads the command line on rank 0, tells the others, runs the command, and ends with its exit
 * code on every rank.
 */
#include "config.h"

#include <libgen.h>
#include <locale.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/auxv.h>
#endif
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "comm/agree.h"
#include "comm/launch.h"
#include "comm/log.h"
#include "commands/commands.h"
#include "deck/deck.h"
#include "linalg/blas.h"
#include "run/signals.h"
#include "run/terminal.h"
#include "run/watch.h"
#include "schedule/log_header.h"
#include "schedule/run.h"
#include "store/report.h"

/* The demo's deck: beside the program in a build tree, installed, or where LASER_MPI_DATA says. */
static const char *demo_path(void)
{
    static char path[8192];
    char program[4096];
    const char *data = getenv("LASER_MPI_DATA");
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    const char *dir;

    if (data != NULL) {
        snprintf(path, sizeof path, "%s/demo.yaml", data);
        return path;
    }
    program[n > 0 ? n : 0] = '\0';
    dir = dirname(program);
    snprintf(path, sizeof path, "%s/../share/laser_mpi/inputs/demo.yaml", dir);
    if (access(path, R_OK) == 0)
        return path;
    snprintf(path, sizeof path, "%s/inputs/demo.yaml", dir);
    if (access(path, R_OK) == 0)
        return path;
    /* A build tree apart from the source. */
    snprintf(path, sizeof path, "%s/inputs/demo.yaml", LASER_SOURCE_DIR);
    if (access(path, R_OK) == 0)
        return path;
    return LASER_DATA_DIR "/inputs/demo.yaml";
}

static void print_version(void)
{
    printf("laser_mpi %s\n%s\n", PACKAGE_VERSION, laser_mpi_libraries());
}

/* Rank 0: help, version and the printed deck need no other rank.  True if that was all. */
static bool answer(const struct laser_deck *deck, const struct laser_deck_request *request)
{
    char *text = NULL;

    if (request->version || request->command == LASER_COMMAND_VERSION) {
        print_version();
        return true;
    }
    if (request->help)
        text = laser_deck_help(request->help_command, laser_terminal_style().width);
    else if (request->print_deck)
        text = laser_deck_print(deck, request->command);
    if (text != NULL)
        fputs(text, stdout);
    free(text);
    return request->help || request->print_deck;
}

/* The deck and the request of rank 0, on every rank. */
static int share_deck(int rank, struct laser_deck **deck, struct laser_deck_request *request,
                      struct laser_error *err)
{
    void *data = NULL;
    size_t n = 0;
    int command = request->command, code = LASER_OK;

    if (rank == 0)
        code = laser_deck_pack(*deck, (char **)&data, &n, err);
    code = laser_mpi_agree(MPI_COMM_WORLD, code, err);
    if (code == LASER_OK)
        code = laser_mpi_share(MPI_COMM_WORLD, &data, &n, err);
    MPI_Bcast(&command, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (code == LASER_OK && rank != 0) {
        laser_deck_free(*deck);
        *deck = NULL;
        request->command = (enum laser_command)command;
        code = laser_deck_unpack(deck, data, n, err);
    }
    free(data);
    return laser_mpi_agree(MPI_COMM_WORLD, code, err);
}

/* One BLAS thread a rank unless the deck says otherwise: ranks fill the cores. */
static int set_threads(const struct laser_settings *settings, struct laser_error *err)
{
    int threads = (int)settings->parallel.threads;
    int code = laser_blas_prepare(threads, err);

    if (code == LASER_OK)
        laser_mpi_set_threads(threads);
    return laser_mpi_agree(MPI_COMM_WORLD, code, err);
}

static void say_done(struct laser_mpi_log *log, enum laser_command command)
{
    char time[LASER_NUMBER_SIZE];

    laser_log_line(&log->log, "DONE", "%s took %s", laser_command_name(command),
                   laser_number_time(laser_clock_s() - log->start_s, time));
    laser_log_line(&log->log, "JOB DONE", "%s", "");
}

static int run_command(int rank, const struct laser_deck *deck, const struct laser_deck_request *request,
                       struct laser_mpi_log *log, struct laser_error *err)
{
    struct laser_mpi_run whole = {.world = MPI_COMM_WORLD,
                                  .run = {.rank = rank,
                                          .deck = deck,
                                          .settings = laser_deck_settings(deck),
                                          .command = request->command,
                                          .log = &log->log,
                                          .libraries = rank == 0 ? laser_mpi_libraries() : "",
                                          .n_arguments = request->nargs,
                                          .arguments = request->args,
                                          .start_s = laser_clock_s()}};
    struct laser_run *run = &whole.run;
    const struct laser_mpi_command *command = laser_mpi_command_find(request->command);
    int code;

    run->parallel = &whole;
    MPI_Comm_size(MPI_COMM_WORLD, &run->size);
    run->dir.lock_fd = -1;
    if (command == NULL)
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(request->command),
                               "this command is not part of this version");
    code = laser_mpi_launch_check(run->size, err);
    if (code != LASER_OK)
        return code;
    if (!command->stops)
        laser_signals_release();
    code = set_threads(run->settings, err);
    if (code != LASER_OK)
        return code;
    if (command->is_job)
        laser_mpi_log_header(run);
    if (command->is_job && laser_mpi_launch_forgotten(run->size) > 0)
        laser_log_line(run->log, "WARNING",
                       "the job has %d tasks, and this is one process: without srun or mpirun the "
                       "others are idle",
                       laser_mpi_launch_forgotten(run->size));
    if (run->rank == 0 && run->size > 1)
        laser_watch_start(&log->phase, laser_mpi_log_host(&log->log, 0), run->settings->run.stall_time);
    code = laser_report_check(deck, err);
    if (code == LASER_OK)
        code = laser_mpi_command_run(command, run, err);
    if (code == LASER_OK && command->is_job)
        laser_mpi_log_phases(&log->log, MPI_COMM_WORLD);
    laser_run_close(run);
    laser_watch_stop();
    if (code == LASER_OK && command->is_job)
        say_done(log, request->command);
    return code;
}

static int serve(int rank, int argc, char **argv, struct laser_mpi_log *log, struct laser_error *err)
{
    struct laser_deck *deck = NULL;
    struct laser_deck_request request = {0};
    int code = laser_deck_new(&deck, err), answered = 0;

    if (code == LASER_OK && rank == 0)
        code = laser_deck_from_command_line(deck, argc, argv, demo_path(), &request, err);
    code = laser_mpi_agree(MPI_COMM_WORLD, code, err);
    if (code == LASER_OK && rank == 0)
        answered = answer(deck, &request);
    MPI_Bcast(&answered, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (code == LASER_OK && !answered) {
        code = share_deck(rank, &deck, &request, err);
        if (code == LASER_OK) {
            const struct laser_settings *settings = laser_deck_settings(deck);

            laser_mpi_log_open(log, rank, settings->log.format == LASER_DECK_LOG_JSON, settings->log.progress,
                               settings->log.level);
            code = run_command(rank, deck, &request, log, err);
        }
    }
    laser_deck_free(deck);
    return code;
}

/* Is /proc/self/exe this program?  Where the dynamic linker was started by hand, it is the linker. */
static bool can_start_again(void)
{
#ifdef __linux__
    return getauxval(AT_BASE) != 0;
#else
    return false;
#endif
}

/* OpenBLAS makes its threads, one a core, and their work space when it is loaded, and where that is not
 * possible the process ends before main().  This program sets the number by itself, so the library is to
 * begin with one: said to it by this, which runs before the libraries do, and starts the program again.
 * Nothing is initialised here, so it uses nothing but execve(). */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(HAVE_OPENBLAS_SET_NUM_THREADS) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define MOST_VARIABLES 16384

static bool begins_with(const char *text, const char *start)
{
    while (*start != '\0' && *text == *start)
        ++text, ++start;
    return *start == '\0';
}

static void load_blas_with_one_thread(int argc, char **argv, char **variables)
{
    static char one[] = "OPENBLAS_NUM_THREADS=1";
    static char *changed[MOST_VARIABLES + 2];
    int n = 0;

    (void)argc;
    if (!can_start_again())
        return;
    for (; *variables != NULL; ++variables) {
        if (begins_with(*variables, one) && (*variables)[sizeof one - 1] == '\0')
            return;
        if (n == MOST_VARIABLES)
            return;
        if (!begins_with(*variables, "OPENBLAS_NUM_THREADS="))
            changed[n++] = *variables;
    }
    changed[n] = one;
    execve("/proc/self/exe", argv, changed);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = load_blas_with_one_thread;
#endif

/* Where the BLAS has not recognised the processor: once more, with the kernels that suit it. */
static void choose_blas_kernels(char **argv)
{
    const char *core = laser_blas_better_core();

    if (core == NULL || !can_start_again() || setenv("OPENBLAS_CORETYPE", core, 1) != 0)
        return;
    execv("/proc/self/exe", argv);
    /* Not possible: slower, but right. */
}

int main(int argc, char **argv)
{
    struct laser_error err = {0};
    struct laser_mpi_log log;
    int rank, code;

    /* A limit of the size of files is an error of the write, MPI's own files included. */
    signal(SIGXFSZ, SIG_IGN);
    choose_blas_kernels(argv);
    /* MPI has no way to say so: it aborts with a message of its own. */
    if (laser_blas_check_memory(1, &err) != LASER_OK) {
        fprintf(stderr, "laser_mpi: %s: %s\n", err.where, err.text);
        return err.code;
    }
    laser_mpi_launch_look();
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    setlocale(LC_CTYPE, "");
    laser_signals_catch();
    laser_mpi_log_open(&log, rank, false, LASER_PROGRESS_OFF, LASER_LOG_NORMAL);
    code = serve(rank, argc, argv, &log, &err);
    if (code != LASER_OK && !laser_mpi_launch_repeats())
        laser_mpi_log_error(&log.log, &err);
    laser_mpi_log_close(&log);
    MPI_Finalize();
    return code;
}
