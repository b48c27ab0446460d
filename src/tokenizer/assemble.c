#include "tokenizer/assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokenizer/made.h"
#include "tokenizer/parts.h"
#include "tokenizer/sentencepiece.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define MARK          "\xe2\x96\x81" /* U+2581 */

/* Special tokens of a class, in the order in which those that the vocabulary lacks are numbered. */
enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, NAMED };
static const char *const named_keys[NAMED] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

enum build { GENERIC, LLAMA, GEMMA, T5, XLM, DEBERTA, ALBERT, GPT2, NEOX, QWEN, ROBERTA, REFUSED };

static const struct {
    const char *name;
    enum build build;
} classes[] = {{"LlamaTokenizer", LLAMA},
               {"GemmaTokenizer", GEMMA},
               {"T5Tokenizer", T5},
               {"XLMRobertaTokenizer", XLM},
               {"DebertaV2Tokenizer", DEBERTA},
               {"AlbertTokenizer", ALBERT},
               {"GPT2Tokenizer", GPT2},
               {"CodeGenTokenizer", GPT2},
               {"GPTNeoXTokenizer", NEOX},
               {"Qwen2Tokenizer", QWEN},
               {"RobertaTokenizer", ROBERTA},
               {"BartTokenizer", ROBERTA},
               {"LEDTokenizer", ROBERTA},
               {"LongformerTokenizer", ROBERTA},
               /* with vocabularies or parts of their own */
               {"BarthezTokenizer", REFUSED},
               {"BigBirdTokenizer", REFUSED},
               {"CamembertTokenizer", REFUSED},
               {"CodeLlamaTokenizer", REFUSED},
               {"MBart50Tokenizer", REFUSED},
               {"MBartTokenizer", REFUSED},
               {"NllbTokenizer", REFUSED},
               {"PegasusTokenizer", REFUSED},
               {"ReformerTokenizer", REFUSED},
               {"RemBertTokenizer", REFUSED},
               {"SeamlessM4TTokenizer", REFUSED},
               {"UdopTokenizer", REFUSED},
               {"XGLMTokenizer", REFUSED},
               {"XLNetTokenizer", REFUSED},
               {"CLIPTokenizer", REFUSED},
               {"WhisperTokenizer", REFUSED},
               {"BlenderbotTokenizer", REFUSED}};

static const char *const names_of[][NAMED] = {
    [GENERIC] = {0},
    [LLAMA] = {[BOS] = "<s>", [EOS] = "</s>", [UNK] = "<unk>"},
    [GEMMA] = {[BOS] = "<bos>", [EOS] = "<eos>", [UNK] = "<unk>", [PAD] = "<pad>", [MASK] = "<mask>"},
    [T5] = {[EOS] = "</s>", [UNK] = "<unk>", [PAD] = "<pad>"},
    [XLM] = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
    [DEBERTA] = {"[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
    [ALBERT] = {"[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"},
    [GPT2] = {[BOS] = "<|endoftext|>", [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>"},
    [NEOX] =
        {[BOS] = "<|endoftext|>", [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>", [PAD] = "<|padding|>"},
    [QWEN] = {[EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>", [PAD] = "<|endoftext|>"},
    [ROBERTA] = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}};

static const char *const spm_files[] = {"tokenizer.model", "sentencepiece.bpe.model", "spiece.model",
                                        "spm.model"};

struct making {
    const char *dir;
    char path[4400]; /* of the model, for messages */
    json_t *config, *map, *model;
    enum build build;
    struct laser_spm spm;
    json_t *out, *vocab, *added;
    struct laser_error *err;
};

static int no_memory(struct making *m)
{
    return laser_error_set(m->err, LASER_ENOMEM, m->dir, "no memory for its tokenizer");
}

static bool is_in(const char *dir, const char *name)
{
    char path[4400];

    snprintf(path, sizeof path, "%.4300s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static const char *spm_of(const char *dir)
{
    for (size_t i = 0; i < LENGTH(spm_files); ++i)
        if (is_in(dir, spm_files[i]))
            return spm_files[i];
    return NULL;
}

bool laser_tokenizer_is_in(const char *dir)
{
    return is_in(dir, "tokenizer.json") || spm_of(dir) != NULL ||
           (is_in(dir, "vocab.json") && is_in(dir, "merges.txt"));
}

/* ---- what the files beside it say ---- */

static bool says(const struct making *m, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(m->config, key);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* What a special token is said to be, a text or an object; NULL: nothing is said. */
static const json_t *said(const struct making *m, int token)
{
    const json_t *value = json_object_get(m->map, named_keys[token]);

    return value != NULL ? value : json_object_get(m->config, named_keys[token]);
}

static const char *token_of(const struct making *m, int token)
{
    const json_t *value = said(m, token);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);

    if (value != NULL)
        return text; /* null: there is none */
    if (m->build == GENERIC)
        return token == BOS   ? m->spm.bos >= 0 ? m->spm.bos_piece : NULL
               : token == EOS ? m->spm.eos >= 0 ? m->spm.eos_piece : NULL
               : token == UNK ? m->spm.unk >= 0 ? m->spm.unk_piece : NULL
                              : NULL;
    return names_of[m->build][token];
}

static bool is_added(const struct making *m, const char *text)
{
    size_t i;
    json_t *row;

    json_array_foreach(m->added, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "content")), text) == 0)
            return true;
    }
    return false;
}

static void add_token(struct making *m, const char *text, bool special, const json_t *flags)
{
    static const char *const keys[] = {"single_word", "lstrip", "rstrip", "normalized"};
    json_t *row;

    if (text == NULL || text[0] == '\0' || is_added(m, text))
        return;
    row = json_pack("{s:s, s:b, s:b}", "content", text, "special", special, "normalized", 0);
    for (size_t i = 0; i < LENGTH(keys); ++i)
        if (json_is_boolean(json_object_get(flags, keys[i])))
            json_object_set(row, keys[i], json_object_get(flags, keys[i]));
    json_array_append_new(m->added, row);
}

static void add_named(struct making *m)
{
    for (int i = 0; i < NAMED; ++i)
        add_token(m, token_of(m, i), true, json_is_object(said(m, i)) ? said(m, i) : NULL);
}

/* The id that a token gets: of the vocabulary, or behind it in the order of the added ones. */
static json_int_t id_of(const struct making *m, const char *text)
{
    json_int_t next =
        (json_int_t)(json_is_object(m->vocab) ? json_object_size(m->vocab) : json_array_size(m->vocab));
    size_t i, k;
    json_t *row, *pair;

    json_array_foreach(m->added, i, row)
    {
        const char *content = json_string_value(json_object_get(row, "content"));
        json_t *id = json_object_get(m->vocab, content);
        json_int_t found = json_is_integer(id) ? json_integer_value(id) : -1;

        json_array_foreach(m->vocab, k, pair)
        {
            if (found < 0 && strcmp(json_string_value(json_array_get(pair, 0)), content) == 0)
                found = (json_int_t)k;
        }
        found = found >= 0 ? found : next++;
        if (strcmp(content, text) == 0)
            return found;
    }
    return -1;
}

/* Tokens before and after a text; NULL: none. */
static void put_template(struct making *m, const char *first, const char *last)
{
    const char *const around[] = {first, last};
    const json_int_t ids[] = {first != NULL ? id_of(m, first) : 0, last != NULL ? id_of(m, last) : 0};

    laser_made_template(m->out, around, ids);
}

/* As add_bos_token and add_eos_token say. */
static void put_stated_template(struct making *m)
{
    put_template(m, says(m, "add_bos_token", false) ? token_of(m, BOS) : NULL,
                 says(m, "add_eos_token", false) ? token_of(m, EOS) : NULL);
}

/* ---- parts ---- */

static json_t *replace(const char *kind, const char *pattern, const char *content)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, pattern, "content", content);
}

static json_t *metaspace(const char *scheme, bool split)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK, "prepend_scheme",
                     scheme, "split", split);
}

static void put_normalizers(struct making *m, json_t *list)
{
    json_object_set_new(m->out, "normalizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list));
}

static void put_pre_tokenizers(struct making *m, json_t *list)
{
    json_object_set_new(m->out, "pre_tokenizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list));
}

/* U+2581 to blanks, bytes to characters; the blank at the start goes. */
static void put_decoder(struct making *m, bool bytes, bool fuse, bool strip)
{
    json_t *list = json_array();

    json_array_append_new(list, replace("String", MARK, " "));
    if (bytes)
        json_array_append_new(list, json_pack("{s:s}", "type", "ByteFallback"));
    if (fuse)
        json_array_append_new(list, json_pack("{s:s}", "type", "Fuse"));
    if (strip)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0));
    json_object_set_new(m->out, "decoder", json_pack("{s:s, s:o}", "type", "Sequence", "decoders", list));
}

static void append_charsmap(struct making *m, json_t *list)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t n = m->spm.n_charsmap;
    char *text = malloc(n / 3 * 4 + 5), *to = text;

    if (n == 0 || text == NULL) {
        free(text);
        return;
    }
    for (size_t i = 0; i < n; i += 3) {
        uint32_t group = (uint32_t)m->spm.charsmap[i] << 16;
        group |= i + 1 < n ? (uint32_t)m->spm.charsmap[i + 1] << 8 : 0;
        group |= i + 2 < n ? (uint32_t)m->spm.charsmap[i + 2] : 0;
        for (int k = 0; k < 4; ++k)
            *to++ = k == 0 || i + (size_t)k - 1 < n ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    *to = '\0';
    json_array_append_new(list, json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", text));
    free(text);
}

/* ---- models ---- */

static json_t *scored(const char *text, double score)
{
    return json_pack("[s, f]", text, score);
}

static void put_unigram(struct making *m, json_int_t unk, bool bytes)
{
    json_object_set_new(m->out, "model",
                        json_pack("{s:s, s:I, s:b, s:b, s:O}", "type", "Unigram", "unk_id", unk,
                                  "byte_fallback", bytes, LASER_EXACT_SCORES, 1, "vocab", m->vocab));
}

static void list_pieces(struct making *m, size_t first)
{
    for (size_t i = first; i < m->spm.n; ++i)
        json_array_append_new(m->vocab, scored(m->spm.piece[i].text, (double)m->spm.piece[i].score));
}

static void name_pieces(struct making *m)
{
    m->vocab = json_object();
    for (size_t i = 0; i < m->spm.n; ++i)
        json_object_set_new(m->vocab, m->spm.piece[i].text, json_integer((json_int_t)i));
}

/* A way to put a piece together from two others. */
struct merge {
    const char *piece;
    size_t left;   /* bytes */
    double rank;   /* what comes first: the piece's, */
    size_t key[4]; /* then these */
};

static int by_order(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    for (int i = 0; i < 4; ++i)
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? -1 : 1;
    return 0;
}

static size_t characters(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; ++i)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool is_normal(const struct making *m, const json_t *id)
{
    return m->spm.piece[json_integer_value(id)].type == LASER_SPM_NORMAL;
}

/* The ways to put piece i together, into `to`: as generate_merges of transformers has them (by the piece's id, the lengths
 * and ids of its parts), or for a class of no kind as build_tokenizer_from_spm_proto does (normal pieces, by score). */
static size_t split_piece(const struct making *m, size_t i, char *buffer, struct merge *to)
{
    const struct laser_spm_piece *piece = &m->spm.piece[i];
    const bool generic = m->build == GENERIC;
    size_t n = 0;

    if (generic && piece->type != LASER_SPM_NORMAL)
        return 0;
    for (size_t k = 1; k < piece->n; ++k) {
        const json_t *left, *right;

        if (((unsigned char)piece->text[k] & 0xc0) == 0x80)
            continue;
        memcpy(buffer, piece->text, k);
        buffer[k] = '\0';
        left = json_object_get(m->vocab, buffer);
        right = left != NULL ? json_object_get(m->vocab, piece->text + k) : NULL;
        if (right == NULL || (generic && (!is_normal(m, left) || !is_normal(m, right))))
            continue;
        to[n] = (struct merge){piece->text, k, generic ? -(double)piece->score : (double)i, {0}};
        to[n].key[0] = generic ? i : characters(piece->text, k);
        to[n].key[1] = generic ? k : characters(piece->text + k, piece->n - k);
        to[n].key[2] = (size_t)json_integer_value(left);
        to[n].key[3] = (size_t)json_integer_value(right);
        ++n;
    }
    return n;
}

static json_t *make_merges(struct making *m)
{
    size_t room = 1, n = 0;
    struct merge *merges;
    char *buffer;
    json_t *list = json_array();

    for (size_t i = 0; i < m->spm.n; ++i)
        room += m->spm.piece[i].n;
    merges = calloc(room, sizeof *merges);
    buffer = malloc(room);
    for (size_t i = 0; merges && buffer && i < m->spm.n; ++i)
        n += split_piece(m, i, buffer, merges + n);
    if (merges != NULL)
        qsort(merges, n, sizeof *merges, by_order);
    for (size_t i = 0; i < n; ++i)
        json_array_append_new(
            list, json_pack("[s#s]", merges[i].piece, (int)merges[i].left, merges[i].piece + merges[i].left));
    if (merges == NULL || buffer == NULL) {
        json_decref(list);
        list = NULL;
    }
    free(buffer);
    free(merges);
    return list;
}

static void put_bpe(struct making *m, const char *unk, bool bytes, bool whole)
{
    json_object_set_new(m->out, "model",
                        json_pack("{s:s, s:b, s:b, s:b, s:s*, s:O, s:o}", "type", "BPE", "fuse_unk", 1,
                                  "byte_fallback", bytes, "ignore_merges", whole, "unk_token", unk, "vocab",
                                  m->vocab, "merges", make_merges(m)));
}

/* Control and user-defined pieces. */
static void add_pieces(struct making *m)
{
    for (size_t i = 0; i < m->spm.n; ++i)
        if (m->spm.piece[i].type == LASER_SPM_CONTROL || m->spm.piece[i].type == LASER_SPM_USER)
            add_token(m, m->spm.piece[i].text, m->spm.piece[i].type == LASER_SPM_CONTROL, NULL);
}

/* ---- classes with a SentencePiece model ---- */

static void build_llama(struct making *m)
{
    const bool prefix = says(m, "add_prefix_space", true);

    name_pieces(m);
    put_bpe(m, NULL, true, false);
    add_named(m);
    add_pieces(m);
    json_object_set_new(m->out, "pre_tokenizer",
                        metaspace(!prefix                    ? "never"
                                  : says(m, "legacy", false) ? "always"
                                                             : "first",
                                  false));
    put_decoder(m, true, true, prefix);
    put_stated_template(m);
}

static void build_gemma(struct making *m)
{
    name_pieces(m);
    put_bpe(m, token_of(m, UNK), true, false);
    add_pieces(m);
    add_named(m);
    json_object_set_new(m->out, "normalizer", replace("String", " ", MARK));
    json_object_set_new(m->out, "pre_tokenizer",
                        json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "String", " ",
                                  "behavior", "MergedWithPrevious", "invert", 0));
    put_decoder(m, true, true, false);
    put_stated_template(m);
}

static void put_words(struct making *m, const char *scheme)
{
    json_t *list = json_array();

    json_array_append_new(list, json_pack("{s:s}", "type", "WhitespaceSplit"));
    json_array_append_new(list, metaspace(scheme, true));
    put_pre_tokenizers(m, list);
    json_object_set_new(m->out, "decoder", metaspace(scheme, true));
}

static void build_t5(struct making *m)
{
    const json_t *said_ids = json_object_get(m->config, "extra_ids");
    const json_int_t extra = json_is_integer(said_ids) ? json_integer_value(said_ids) : 100;
    json_t *list = json_array();
    char name[32];

    m->vocab = json_array();
    list_pieces(m, 0);
    for (json_int_t i = extra - 1; i >= 0 && i < 1 << 16; --i) {
        snprintf(name, sizeof name, "<extra_id_%d>", (int)i);
        json_array_append_new(m->vocab, scored(name, 0));
    }
    put_unigram(m, 2, false);
    add_named(m);
    add_pieces(m);
    for (json_int_t i = extra - 1; i >= 0 && i < 1 << 16; --i) {
        snprintf(name, sizeof name, "<extra_id_%d>", (int)i);
        add_token(m, name, true, NULL);
    }
    append_charsmap(m, list);
    put_normalizers(m, list);
    put_words(m, "always");
    put_template(m, NULL, "</s>");
}

static void build_xlm(struct making *m)
{
    static const int first[] = {BOS, PAD, EOS, UNK};
    json_t *list = json_array();

    m->vocab = json_array();
    for (size_t i = 0; i < LENGTH(first); ++i)
        json_array_append_new(m->vocab, scored(token_of(m, first[i]), 0));
    list_pieces(m, 3);
    json_array_append_new(m->vocab, scored(token_of(m, MASK), 0));
    put_unigram(m, 3, false);
    add_named(m);
    add_pieces(m);
    append_charsmap(m, list);
    put_normalizers(m, list);
    put_words(m, says(m, "add_prefix_space", true) ? "always" : "never");
    put_template(m, token_of(m, BOS), token_of(m, EOS));
}

static void build_deberta(struct making *m)
{
    const char *unk = token_of(m, UNK), *scheme = says(m, "add_prefix_space", true) ? "always" : "first";
    json_int_t unk_id = m->spm.unk;
    json_t *list = json_array(), *pre = json_array();

    m->vocab = json_array();
    list_pieces(m, 0);
    for (size_t i = m->spm.n; i-- > 0 && unk != NULL;)
        if (m->spm.piece[i].score == 0 && strcmp(m->spm.piece[i].text, unk) == 0)
            unk_id = (json_int_t)i;
    put_unigram(m, unk_id, false);
    add_pieces(m);
    add_named(m);
    if (says(m, "do_lower_case", false))
        json_array_append_new(list, json_pack("{s:s}", "type", "Lowercase"));
    json_array_append_new(list, replace("Regex", "\\s{2,}|[\\n\\r\\t]", " "));
    json_array_append_new(list, json_pack("{s:s}", "type", "NFC"));
    json_array_append_new(list,
                          json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", 0, "strip_right", 1));
    put_normalizers(m, list);
    if (says(m, "split_by_punct", false))
        json_array_append_new(pre, json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Isolated"));
    json_array_append_new(pre, metaspace(scheme, true));
    put_pre_tokenizers(m, pre);
    json_object_set_new(m->out, "decoder", metaspace(scheme, true));
    put_template(m, token_of(m, CLS), token_of(m, SEP));
}

static void build_albert(struct making *m)
{
    json_t *list = json_array();

    m->vocab = json_array();
    list_pieces(m, 0);
    put_unigram(m, 1, false);
    add_pieces(m);
    add_named(m);
    json_array_append_new(list, replace("String", "``", "\""));
    json_array_append_new(list, replace("String", "''", "\""));
    if (!says(m, "keep_accents", false)) {
        json_array_append_new(list, json_pack("{s:s}", "type", "NFKD"));
        json_array_append_new(list, json_pack("{s:s}", "type", "StripAccents"));
    }
    if (says(m, "do_lower_case", true))
        json_array_append_new(list, json_pack("{s:s}", "type", "Lowercase"));
    append_charsmap(m, list);
    put_normalizers(m, list);
    put_words(m, says(m, "add_prefix_space", true) ? "always" : "never");
    put_template(m, token_of(m, CLS), token_of(m, SEP));
}

/* Longer ones first, in the order of the file. */
static int by_length(const void *a, const void *b)
{
    const struct laser_spm_piece *x = *(const struct laser_spm_piece *const *)a,
                                 *y = *(const struct laser_spm_piece *const *)b;
    const size_t n = characters(x->text, x->n), k = characters(y->text, y->n);

    return n != k ? (n > k ? -1 : 1) : (x > y) - (x < y);
}

/* User-defined pieces as one pattern, as Python's re.escape writes them; *n: their number.  NULL: no memory. */
static char *user_pattern(const struct making *m, size_t *n)
{
    const struct laser_spm_piece **user = malloc((m->spm.n + 1) * sizeof *user);
    size_t room = 1;
    char *text, *to;

    *n = 0;
    for (size_t i = 0; user && i < m->spm.n; ++i)
        if (m->spm.piece[i].type == LASER_SPM_USER) {
            user[(*n)++] = &m->spm.piece[i];
            room += 2 * m->spm.piece[i].n + 1;
        }
    text = to = user ? malloc(room) : NULL;
    if (text != NULL)
        qsort(user, *n, sizeof *user, by_length);
    for (size_t i = 0; text && i < *n; ++i) {
        if (i > 0)
            *to++ = '|';
        for (const char *c = user[i]->text; *c; ++c) {
            if (strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", *c))
                *to++ = '\\';
            *to++ = *c;
        }
    }
    if (text != NULL)
        *to = '\0';
    free(user);
    return text;
}

/* No class of its own: as the SentencePiece model itself says. */
static int build_generic(struct making *m)
{
    const struct laser_spm *s = &m->spm;
    const bool legacy = says(m, "legacy", true);
    json_t *list = json_array(), *pre = json_array();
    size_t users;
    char *pattern = user_pattern(m, &users);

    if (s->kind == LASER_SPM_BPE) {
        name_pieces(m);
        put_bpe(m, s->unk_piece, s->byte_fallback, users > 0);
    } else {
        m->vocab = json_array();
        list_pieces(m, 0);
        put_unigram(m, s->unk, s->byte_fallback);
    }
    add_named(m);
    append_charsmap(m, list);
    if (s->remove_extra) {
        json_array_append_new(list, replace("Regex", "\\A +| +\\z", ""));
        json_array_append_new(list, replace("Regex", " {2,}", " "));
    }
    if (s->escape)
        json_array_append_new(list, replace("String", " ", MARK));
    if (s->dummy_prefix && legacy)
        json_array_append_new(list, replace("Regex", "\\A" MARK, MARK MARK));
    put_normalizers(m, list);
    if (s->dummy_prefix)
        json_array_append_new(pre, metaspace(legacy ? "always" : "first", false));
    if (users > 0 && pattern != NULL)
        json_array_append_new(pre, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                             pattern, "behavior", "Isolated", "invert", 0));
    put_pre_tokenizers(m, pre);
    put_decoder(m, s->byte_fallback, s->byte_fallback || s->dummy_prefix, s->dummy_prefix);
    put_stated_template(m);
    free(pattern);
    return pattern != NULL ? LASER_OK : no_memory(m);
}

/* ---- classes with vocab.json and merges.txt ---- */

static int read_merges(struct making *m, json_t **out)
{
    char *text, *line;
    size_t n;
    int64_t number = 0;
    int code;

    *out = NULL;
    snprintf(m->path, sizeof m->path, "%.4300s/merges.txt", m->dir);
    code = laser_tokenizer_file(m->path, &text, &n, m->err);
    if (code != LASER_OK)
        return code;
    *out = json_array();
    for (line = text; line < text + n && code == LASER_OK;) {
        char *end = memchr(line, '\n', (size_t)(text + n - line)), *next = end ? end + 1 : text + n;
        const char *blank;

        end = end ? end : text + n;
        end -= end > line && end[-1] == '\r';
        *end = '\0';
        ++number;
        blank = strchr(line, ' ');
        if (strncmp(line, "#version", 8) != 0 &&
            (blank == NULL || strchr(blank + 1, ' ') != NULL ||
             json_array_append_new(*out, json_pack("[s#s]", line, (int)(blank - line), blank + 1)) != 0))
            code = laser_error_set(m->err, LASER_EINPUT, m->path,
                                   "line %lld is not two tokens with a blank between", (long long)number);
        line = next;
    }
    free(text);
    if (code != LASER_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return code;
}

static json_t *byte_level(bool prefix, bool own_pattern)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix, "trim_offsets",
                     1, "use_regex", own_pattern);
}

static int build_bytes(struct making *m)
{
    json_t *merges, *list;
    int code = read_merges(m, &merges);

    if (code != LASER_OK)
        return code;
    m->vocab = laser_side_file(m->dir, "vocab.json");
    if (!json_is_object(m->vocab)) {
        json_decref(merges);
        return laser_error_set(m->err, LASER_EINPUT, m->dir, "vocab.json cannot be read as a JSON object");
    }
    json_object_set_new(m->out, "model",
                        json_pack("{s:s, s:O, s:o}", "type", "BPE", "vocab", m->vocab, "merges", merges));
    add_named(m);
    if (m->build == QWEN || m->build == NEOX)
        json_object_set_new(m->out, "normalizer", json_pack("{s:s}", "type", "NFC"));
    list = json_array();
    if (m->build == QWEN)
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                              LASER_PATTERN_QWEN2, "behavior", "Isolated", "invert", 0));
    json_array_append_new(list, byte_level(says(m, "add_prefix_space", false), m->build != QWEN));
    put_pre_tokenizers(m, list);
    json_object_set_new(m->out, "decoder", byte_level(true, true));
    if (m->build == ROBERTA)
        put_template(m, token_of(m, CLS), token_of(m, SEP));
    else
        put_stated_template(m);
    return LASER_OK;
}

/* ---- which it is ---- */

static int refuse(struct making *m, const char *files, const char *class)
{
    return laser_error_set(
        m->err, LASER_EINPUT, m->dir,
        "there is no tokenizer.json, and %s of a %.60s cannot be made into one here; transformers does: "
        "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        files, class);
}

static int choose(struct making *m, bool has_spm)
{
    const char *name = laser_side_class(m->config, m->model);
    size_t n = name != NULL ? strlen(name) : 0;

    m->build = GENERIC;
    if (n > 4 && strcmp(name + n - 4, "Fast") == 0)
        n -= 4;
    for (size_t i = 0; i < LENGTH(classes) && n > 0; ++i)
        if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
            m->build = classes[i].build;
    if (m->build == REFUSED || (has_spm && m->build >= GPT2))
        return refuse(m, has_spm ? "the SentencePiece model" : "vocab.json", name);
    if (!has_spm && m->build < GPT2)
        return refuse(m, "vocab.json", name != NULL ? name : "tokenizer of unstated class");
    return LASER_OK;
}

/* A piece that added_tokens_decoder gives another name would get another id. */
static int check_names(struct making *m)
{
    const char *key;
    json_t *token;

    json_object_foreach(json_object_get(m->config, "added_tokens_decoder"), key, token)
    {
        const char *content = json_string_value(json_object_get(token, "content"));
        const size_t id = (size_t)strtoull(key, NULL, 10);

        if (m->build == GENERIC && content != NULL && id < m->spm.n &&
            strcmp(content, m->spm.piece[id].text) != 0)
            return laser_error_set(
                m->err, LASER_EINPUT, m->path,
                "added_tokens_decoder of tokenizer_config.json gives piece %s, \"%.100s\", another name", key,
                m->spm.piece[id].text);
    }
    return LASER_OK;
}

static int build_from_spm(struct making *m, const char *file)
{
    char *bytes;
    size_t n;
    int code;

    snprintf(m->path, sizeof m->path, "%.4300s/%s", m->dir, file);
    code = laser_tokenizer_file(m->path, &bytes, &n, m->err);
    if (code != LASER_OK)
        return code;
    code = laser_spm_read((const unsigned char *)bytes, n, m->path, &m->spm, m->err);
    free(bytes);
    if (code == LASER_OK)
        code = check_names(m);
    if (code != LASER_OK)
        return code;
    switch (m->build) {
    case LLAMA:
        build_llama(m);
        break;
    case GEMMA:
        build_gemma(m);
        break;
    case T5:
        build_t5(m);
        break;
    case XLM:
        build_xlm(m);
        break;
    case DEBERTA:
        build_deberta(m);
        break;
    case ALBERT:
        build_albert(m);
        break;
    default:
        code = build_generic(m);
    }
    return code;
}

int laser_tokenizer_assemble(const char *dir, json_t **out, struct laser_error *err)
{
    struct making m = {.dir = dir, .err = err, .out = json_object(), .added = json_array()};
    const char *file = spm_of(dir);
    int code;

    m.config = laser_side_file(dir, "tokenizer_config.json");
    m.model = laser_side_file(dir, "config.json");
    if (json_object_get(m.config, "added_tokens_decoder") == NULL)
        m.map = laser_side_file(dir, "special_tokens_map.json");
    code = choose(&m, file != NULL);
    if (code == LASER_OK)
        code = file != NULL ? build_from_spm(&m, file) : build_bytes(&m);
    if (code == LASER_OK && json_object_set(m.out, "added_tokens", m.added) != 0)
        code = no_memory(&m);
    laser_spm_free(&m.spm);
    json_decref(m.config);
    json_decref(m.model);
    json_decref(m.map);
    json_decref(m.vocab);
    json_decref(m.added);
    if (code != LASER_OK) {
        json_decref(m.out);
        m.out = NULL;
    }
    *out = m.out;
    return code;
}
