/* WeightWatcher's details data frame. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "exchange/export.h"

/* weak_rank_loss counts eigenvalues below this. */
#define WEAK_RANK_LOSS_TOLERANCE 1e-6

static double metric(const struct laser_scan_row *row, const char *name)
{
    double value;

    return laser_row_metric(row, name, &value) ? value : NAN;
}

/* A field; NaN is nothing, as pandas writes it. */
static void put_real(struct laser_text *out, double value)
{
    char number[LASER_NUMBER_SIZE];

    if (isinf(value))
        laser_text_puts(out, value > 0 ? ",inf" : ",-inf");
    else
        laser_text_printf(out, ",%s", isnan(value) ? "" : laser_number_shortest(value, number));
}

static void put_whole(struct laser_text *out, double value)
{
    if (isnan(value))
        laser_text_puts(out, ",");
    else
        laser_text_printf(out, ",%.0f", value);
}

/* WeightWatcher has -1 where there is no fit. */
static double fitted(double value)
{
    return isnan(value) ? -1.0 : value;
}

static void put_text(struct laser_text *out, const char *text, size_t n)
{
    int quoted = memchr(text, ',', n) != NULL || memchr(text, '"', n) != NULL ||
                 memchr(text, '\n', n) != NULL || memchr(text, '\r', n) != NULL;

    laser_text_puts(out, quoted ? ",\"" : ",");
    for (size_t i = 0; i < n; i++)
        laser_text_fill(out, text[i], text[i] == '"' ? 2 : 1);
    laser_text_puts(out, quoted ? "\"" : "");
}

static double weak_rank_loss(const struct laser_scan_row *row, double side)
{
    double n = 0;

    if (row->sigma == NULL)
        return NAN;
    for (int64_t i = 0; i < (int64_t)side; i++)
        n += row->sigma[i] * row->sigma[i] < WEAK_RANK_LOSS_TOLERANCE;
    return n;
}

static const char header[] =
    "layer_id,name,D,M,N,Q,alpha,alpha_weighted,entropy,has_esd,lambda_max,layer_type,log_alpha_norm,log_"
    "norm,"
    "log_spectral_norm,longname,matrix_rank,mp_softrank,norm,num_evals,num_pl_spikes,num_spikes,rank_loss,rf,"
    "sigma,sigma_mp,spectral_norm,stable_rank,status,sv_max,sv_min,warning,weak_rank_loss,xmax,xmin\n";

static void put_row(struct laser_text *out, size_t number, const struct laser_scan_row *row)
{
    size_t length = laser_export_module(row), start;
    double less = (double)(row->rows < row->columns ? row->rows : row->columns),
           more = (double)(row->rows + row->columns) - less, alpha = metric(row, "alpha"),
           largest = row->s_max * row->s_max;
    const char *warning = alpha < 2 ? "over-trained" : alpha > 6 ? "under-trained" : "";

    if (length == 0)
        length = strlen(row->name);
    for (start = length; start > 0 && row->name[start - 1] != '.';)
        start--;
    laser_text_printf(out, "%zu", number);
    put_text(out, row->name + start, length - start);
    put_real(out, fitted(metric(row, "ks_distance")));
    put_whole(out, less > 0 ? less : NAN);
    put_whole(out, less > 0 ? more : NAN);
    put_real(out, more / less);
    put_real(out, fitted(alpha));
    put_real(out, fitted(metric(row, "alpha_weighted")));
    put_real(out, metric(row, "entropy"));
    laser_text_puts(out, ",True");
    put_real(out, largest);
    laser_text_puts(out, row->layer < 0 && strstr(row->name, "embed") != NULL ? ",embedding" : ",dense");
    put_real(out, fitted(metric(row, "log_alpha_norm")));
    put_real(out, metric(row, "log_norm"));
    put_real(out, metric(row, "log_spectral_norm"));
    put_text(out, row->name, length);
    put_whole(out, metric(row, "matrix_rank"));
    put_real(out, metric(row, "mp_softrank"));
    put_real(out, pow(10, metric(row, "log_norm")));
    put_whole(out, less > 0 ? less : NAN);
    put_whole(out, isnan(alpha) ? -1 : metric(row, "tail"));
    put_whole(out, metric(row, "num_spikes"));
    put_whole(out, less > 0 ? less - metric(row, "matrix_rank") : NAN);
    laser_text_puts(out, ",1");
    put_real(out, fitted(metric(row, "alpha_sigma")));
    put_real(out, metric(row, "sigma_mp"));
    put_real(out, largest);
    put_real(out, metric(row, "stable_rank"));
    laser_text_puts(out, isnan(alpha) ? ",failed" : ",success");
    put_real(out, row->s_max);
    put_real(out, row->s_min);
    laser_text_printf(out, ",%s", warning);
    put_whole(out, weak_rank_loss(row, less));
    put_real(out, fitted(metric(row, "xmax")));
    put_real(out, fitted(metric(row, "xmin")));
    laser_text_puts(out, "\n");
}

void laser_export_weightwatcher(struct laser_text *out, const struct laser_scan_row *rows, size_t count)
{
    size_t number = 0;

    laser_text_puts(out, header);
    for (size_t i = 0; i < count; i++)
        if (rows[i].status == LASER_SCAN_SCANNED)
            put_row(out, number++, &rows[i]);
}
