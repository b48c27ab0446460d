#include "tokenizer/unicode_sets.h"

bool laser_set_has(enum laser_set_name name, uint32_t c)
{
    const struct laser_set *s = &laser_sets[name];
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->r[mid].hi < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->r[lo].lo <= c;
}

int laser_script_of(uint32_t c)
{
    size_t lo = 0, hi = laser_scripts_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (laser_scripts[mid].hi < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < laser_scripts_n && laser_scripts[lo].lo <= c ? laser_scripts[lo].script : -1;
}

size_t laser_lowercase(uint32_t c, uint32_t out[2])
{
    if (c == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    size_t lo = 0, hi = laser_lower_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (laser_lower[mid].last < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct laser_case_range *r = lo < laser_lower_n ? &laser_lower[lo] : NULL;
    bool in = r && r->first <= c && (c - r->first) % r->step == 0;
    out[0] = in ? (uint32_t)((int64_t)c + r->delta) : c;
    return 1;
}
