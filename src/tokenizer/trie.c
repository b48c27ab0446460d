#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static uint64_t trie_slot(const struct laser_trie *t, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 31) & t->mask;
}

uint32_t laser_trie_next(const struct laser_trie *t, uint32_t node, unsigned char byte)
{
    uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    for (uint64_t h = trie_slot(t, key); t->edge[h].key; h = (h + 1) & t->mask) {
        if (t->edge[h].key == key)
            return t->edge[h].node;
    }
    return UINT32_MAX;
}

static uint32_t trie_node(struct laser_trie *t)
{
    if (t->n_nodes == t->cap_nodes) {
        uint32_t cap = t->cap_nodes ? 2 * t->cap_nodes : 1024;
        int32_t *p = realloc(t->leaf, cap * sizeof(*p));
        if (!p)
            return UINT32_MAX;
        t->leaf = p;
        t->cap_nodes = cap;
    }
    t->leaf[t->n_nodes] = -1;
    return t->n_nodes++;
}

bool laser_trie_add(struct laser_trie *t, const char *s, size_t n, int32_t leaf)
{
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t next = laser_trie_next(t, node, (unsigned char)s[i]);
        if (next == UINT32_MAX) {
            next = trie_node(t);
            if (next == UINT32_MAX)
                return false;
            uint64_t key = ((uint64_t)node << 8 | (unsigned char)s[i]) + 1, h = trie_slot(t, key);
            while (t->edge[h].key)
                h = (h + 1) & t->mask;
            t->edge[h] = (struct laser_trie_edge){key, next};
        }
        node = next;
    }
    if (n > 0)
        t->leaf[node] = leaf;
    return true;
}

bool laser_trie_init(struct laser_trie *t, size_t n_bytes)
{
    uint64_t slots = 16;
    while (slots < 2 * n_bytes)
        slots *= 2;
    t->edge = calloc(slots, sizeof(*t->edge));
    t->mask = slots - 1;
    return t->edge && trie_node(t) == 0;
}

void laser_trie_free(struct laser_trie *t)
{
    free(t->edge);
    free(t->leaf);
    memset(t, 0, sizeof(*t));
}
