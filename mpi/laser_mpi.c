/* laser_mpi: reads the command line on rank 0, tells the others, runs the command, and ends with its exit
 * code on every rank.
 */
#include "config.h"

#include <libgen.h>
#include <locale.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "comm/watch.h"
#include "commands/commands.h"
#include "deck/deck.h"
#include "linalg/blas.h"
#include "schedule/header.h"
#include "schedule/report.h"
#include "schedule/results.h"
#include "schedule/run.h"

#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
void openblas_set_num_threads(int n);
#endif

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
        text = laser_deck_help(request->help_command, laser_mpi_style().width);
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

static enum laser_mpi_progress progress_kind(const struct laser_deck *deck)
{
    static const char *const names[] = {"auto", "bar", "lines", "off"};

    for (int i = 0; i < 4; ++i)
        if (laser_deck_is(deck, "log.progress", names[i]))
            return (enum laser_mpi_progress)i;
    return LASER_MPI_PROGRESS_AUTO;
}

static enum laser_mpi_log_level log_level(const struct laser_deck *deck)
{
    return laser_deck_is(deck, "log.level", "quiet")     ? LASER_MPI_LOG_QUIET
           : laser_deck_is(deck, "log.level", "verbose") ? LASER_MPI_LOG_VERBOSE
                                                         : LASER_MPI_LOG_NORMAL;
}

/* One BLAS thread a rank unless the deck says otherwise: ranks fill the cores. */
static void set_threads(const struct laser_deck *deck)
{
    int threads = (int)laser_deck_int(deck, "parallel.threads");

#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(threads);
#endif
    laser_mpi_set_threads(threads);
}

static void say_done(struct laser_mpi_log *log, enum laser_command command)
{
    char time[LASER_NUMBER_SIZE];

    laser_mpi_log_line(log, "DONE", "%s took %s", laser_command_name(command),
                       laser_number_time(MPI_Wtime() - log->start_s, time));
    laser_mpi_log_line(log, "JOB DONE", "%s", "");
}

static int run_command(int rank, const struct laser_deck *deck, const struct laser_deck_request *request,
                       struct laser_mpi_log *log, struct laser_error *err)
{
    struct laser_mpi_run run = {.world = MPI_COMM_WORLD,
                                .rank = rank,
                                .deck = deck,
                                .command = request->command,
                                .log = log,
                                .n_arguments = request->nargs,
                                .arguments = request->args,
                                .start_s = MPI_Wtime()};
    const struct laser_mpi_command *command = laser_mpi_command_find(request->command);
    int code;

    MPI_Comm_size(MPI_COMM_WORLD, &run.size);
    run.dir.lock_fd = -1;
    if (command == NULL)
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(request->command),
                               "this command is not part of this version");
    set_threads(deck);
    if (command->is_job)
        laser_mpi_header(&run);
    if (run.rank == 0 && run.size > 1)
        laser_mpi_watch_start(log, laser_deck_real(deck, "run.stall_time"));
    code = laser_mpi_report_check(deck, err);
    if (code == LASER_OK)
        code = command->run(&run, err);
    if (code == LASER_OK && command->is_job)
        laser_mpi_log_phases(log, run.world);
    laser_mpi_run_close(&run);
    laser_mpi_watch_stop();
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
            laser_mpi_log_open(log, rank, laser_deck_is(deck, "log.format", "json"), progress_kind(deck),
                               log_level(deck));
            code = run_command(rank, deck, &request, log, err);
        }
    }
    laser_deck_free(deck);
    return code;
}

/* Where the BLAS has not recognised the processor: once more, with the kernels that suit it. */
static void choose_blas_kernels(char **argv)
{
    const char *core = laser_blas_better_core();

    if (core == NULL || setenv("OPENBLAS_CORETYPE", core, 1) != 0)
        return;
    execv("/proc/self/exe", argv);
    /* Not possible: slower, but right. */
}

int main(int argc, char **argv)
{
    struct laser_error err = {0};
    struct laser_mpi_log log;
    int rank, code;

    choose_blas_kernels(argv);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    setlocale(LC_CTYPE, "");
    laser_mpi_catch_signals();
    laser_mpi_log_open(&log, rank, false, LASER_MPI_PROGRESS_OFF, LASER_MPI_LOG_NORMAL);
    code = serve(rank, argc, argv, &log, &err);
    if (code != LASER_OK)
        laser_mpi_log_error(&log, &err);
    laser_mpi_log_close(&log);
    MPI_Finalize();
    return code;
}
