#include "report/phase_table.h"

#include "base/number.h"

static double total_seconds(const struct laser_phase_row *rows, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += rows[i].seconds;
    return sum;
}

static double rate(const struct laser_phase_row *row)
{
    return row->seconds > 0 ? row->flops / row->seconds / 1e9 : 0;
}

static void put_row(struct laser_text *out, const struct laser_phase_row *row, double all_s)
{
    char read[LASER_NUMBER_SIZE], written[LASER_NUMBER_SIZE], rank[LASER_NUMBER_SIZE],
        node[LASER_NUMBER_SIZE];
    char gflops[LASER_NUMBER_SIZE] = "-";
    struct laser_text number = {0};

    if (row->flops > 0) {
        laser_text_printf(&number, "%.3g", rate(row));
        if (number.data != NULL && number.size < sizeof gflops)
            for (size_t i = 0; i <= number.size; i++)
                gflops[i] = number.data[i];
        laser_text_free(&number);
    }
    laser_text_printf(
        out, "%-12.12s %9.2f %5.1f%% %9.2f %9.2f %9.2f %8s %9s %9s %9s %9s\n", row->name, row->seconds,
        all_s > 0 ? 100 * row->seconds / all_s : 0.0, row->work_min_s, row->work_mean_s, row->work_max_s,
        gflops, laser_number_bytes(row->read_bytes, read), laser_number_bytes(row->written_bytes, written),
        laser_number_bytes(row->rank_peak_bytes, rank), laser_number_bytes(row->node_peak_bytes, node));
}

void laser_phase_table(struct laser_text *out, const struct laser_phase_row *rows, int n)
{
    struct laser_phase_row all = {.name = "total", .seconds = total_seconds(rows, n)};

    laser_text_printf(out, "%-12s %9s %6s %29s %8s %9s %9s %19s\n", "", "", "", "work of a rank, s", "", "",
                      "", "peak memory");
    laser_text_printf(out, "%-12s %9s %6s %9s %9s %9s %8s %9s %9s %9s %9s\n", "phase", "seconds", "share",
                      "min", "mean", "max", "GFLOP/s", "read", "written", "rank", "node");
    for (int i = 0; i < n; i++) {
        put_row(out, &rows[i], all.seconds);
        all.work_min_s += rows[i].work_min_s;
        all.work_mean_s += rows[i].work_mean_s;
        all.work_max_s += rows[i].work_max_s;
        all.flops += rows[i].flops;
        all.read_bytes += rows[i].read_bytes;
        all.written_bytes += rows[i].written_bytes;
        if (rows[i].rank_peak_bytes > all.rank_peak_bytes)
            all.rank_peak_bytes = rows[i].rank_peak_bytes;
        if (rows[i].node_peak_bytes > all.node_peak_bytes)
            all.node_peak_bytes = rows[i].node_peak_bytes;
    }
    put_row(out, &all, all.seconds);
}

json_t *laser_phase_json(const struct laser_phase_row *rows, int n)
{
    json_t *list = json_array();
    double all_s = total_seconds(rows, n);

    for (int i = 0; i < n; i++) {
        const struct laser_phase_row *r = &rows[i];
        json_t *row =
            json_pack("{s:s, s:f, s:f, s:{s:f, s:f, s:f}, s:f, s:f, s:I, s:I, s:I, s:I}", "name", r->name,
                      "seconds", r->seconds, "share", all_s > 0 ? r->seconds / all_s : 0.0, "work_seconds",
                      "min", r->work_min_s, "mean", r->work_mean_s, "max", r->work_max_s, "flops", r->flops,
                      "gflops_per_second", rate(r), "read_bytes", (json_int_t)r->read_bytes, "written_bytes",
                      (json_int_t)r->written_bytes, "rank_peak_bytes", (json_int_t)r->rank_peak_bytes,
                      "node_peak_bytes", (json_int_t)r->node_peak_bytes);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
