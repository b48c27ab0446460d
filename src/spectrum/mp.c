#include "spectrum/mp.h"

#include <math.h>

static int bad(double beta, double sigma)
{
    return !(beta > 0 && beta <= 1 && sigma > 0);
}

double laser_mp_lower_edge(double beta, double sigma)
{
    return bad(beta, sigma) ? NAN : pow(sigma * (1 - sqrt(beta)), 2);
}

double laser_mp_upper_edge(double beta, double sigma)
{
    return bad(beta, sigma) ? NAN : pow(sigma * (1 + sqrt(beta)), 2);
}

double laser_mp_density(double beta, double sigma, double x)
{
    if (bad(beta, sigma))
        return NAN;
    double a = laser_mp_lower_edge(beta, sigma), b = laser_mp_upper_edge(beta, sigma);
    if (!(x >= a && x <= b))
        return 0;
    if (x == 0)
        return INFINITY;
    return sqrt((b - x) * (x - a)) / (2 * M_PI * beta * sigma * sigma * x);
}

double laser_mp_singular_density(double beta, double sigma, double s)
{
    if (bad(beta, sigma))
        return NAN;
    if (!(s >= 0))
        return 0;
    if (s == 0)
        return beta == 1 ? 2 / (M_PI * sigma) : 0;
    return 2 * s * laser_mp_density(beta, sigma, s * s);
}

/* sum over j >= 2 of c^(j-2) sin(j t) / j, where c^j would cancel in the closed form. */
static double tail_series(double c, double t)
{
    double sum = 0, power = 1;
    for (int j = 2; j < 40 && power > 1e-18; j++, power *= c)
        sum += power * sin(j * t) / j;
    return sum;
}

/* The cumulative law in the angle t with x = 1 + beta - 2 sqrt(beta) cos t.  With c = sqrt(beta) the
 * integrand is (2/pi) sin^2 t / (1 - 2 c cos t + c^2) = (1/pi) sum c^(k-1) (cos (k-1)t - cos (k+1)t), which
 * integrates to (1/pi) (t + L - (L - c sin t) / c^2), L = sum c^j sin(jt) / j = atan2(c sin t, 1 - c cos t).
 */
static double cumulative_at_angle(double c, double t)
{
    double l = atan2(c * sin(t), 1 - c * cos(t));
    double tail = c < 0.2 ? tail_series(c, t) : (l - c * sin(t)) / (c * c);
    return (t + l - tail) / M_PI;
}

double laser_mp_cumulative(double beta, double sigma, double x)
{
    if (bad(beta, sigma))
        return NAN;
    if (x <= laser_mp_lower_edge(beta, sigma))
        return 0;
    if (x >= laser_mp_upper_edge(beta, sigma))
        return 1;
    double c = sqrt(beta), cosine = (1 + beta - x / (sigma * sigma)) / (2 * c);
    return cumulative_at_angle(c, acos(fmin(1, fmax(-1, cosine))));
}

double laser_mp_quantile(double beta, double p)
{
    if (bad(beta, 1) || !(p >= 0 && p <= 1))
        return NAN;
    double c = sqrt(beta), low = 0, high = M_PI;
    for (int i = 0; i < 64; i++) {
        double middle = low + (high - low) / 2;
        if (cumulative_at_angle(c, middle) < p)
            low = middle;
        else
            high = middle;
    }
    /* (1 - c)^2 + 4 c sin^2(t/2): no cancellation at beta = 1, where the law reaches down to 0. */
    double half = sin((low + high) / 4);
    return (1 - c) * (1 - c) + 4 * c * half * half;
}

double laser_mp_median(double beta)
{
    return laser_mp_quantile(beta, 0.5);
}

double laser_mp_beta(int64_t rows, int64_t columns)
{
    return rows < columns ? (double)rows / (double)columns : (double)columns / (double)rows;
}
