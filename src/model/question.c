/* What a model must be asked to score an answer. */
#include <string.h>

#include "model/model.h"

static int find_mask(int32_t mask, const int32_t *prompt, int64_t n, int64_t *at, struct laser_error *err)
{
    int64_t found = 0;

    for (int64_t i = 0; i < n; i++)
        if (prompt[i] == mask) {
            *at = i;
            found++;
        }
    if (found == 1)
        return LASER_OK;
    return laser_error_set(err, LASER_EINPUT, "prompt",
                           "%lld masks: a masked language model is asked with one where the answer belongs",
                           (long long)found);
}

int laser_model_question(const struct laser_arch *arch, int32_t mask, const int32_t *prompt, int64_t n_prompt,
                         const int32_t *answer, int64_t n_answer, int32_t *tokens, int64_t *n_tokens,
                         int64_t *rows, struct laser_error *err)
{
    int64_t first = n_prompt - 1, at = 0;
    int result;

    if (n_prompt < 1 || n_answer < 1)
        return laser_error_set(err, LASER_EINPUT, n_prompt < 1 ? "prompt" : "answer", "has no token");
    if (!arch->masked) {
        memcpy(tokens, prompt, (size_t)n_prompt * sizeof *tokens);
        memcpy(tokens + n_prompt, answer, (size_t)(n_answer - 1) * sizeof *tokens);
    } else {
        result = find_mask(mask, prompt, n_prompt, &at, err);
        if (result != LASER_OK)
            return result;
        memcpy(tokens, prompt, (size_t)at * sizeof *tokens);
        for (int64_t i = 0; i < n_answer; i++)
            tokens[at + i] = mask;
        memcpy(tokens + at + n_answer, prompt + at + 1, (size_t)(n_prompt - at - 1) * sizeof *tokens);
        first = at;
    }
    *n_tokens = n_prompt + n_answer - 1;
    for (int64_t i = 0; i < n_answer; i++)
        rows[i] = first + i;
    return LASER_OK;
}
