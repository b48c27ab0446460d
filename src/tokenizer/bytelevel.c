/* The 256 characters in which byte-level BPE writes bytes (GPT-2's encoder.py): printable Latin-1 stands for
 * itself, the others follow from U+0100 on. */
#include "tokenizer/model.h"

#define CHAR1(c)                                                                                             \
    {                                                                                                        \
        {(char)(c)}, 1                                                                                       \
    }
#define CHAR2(c)                                                                                             \
    {                                                                                                        \
        {(char)(0xc0 | (c) >> 6), (char)(0x80 | ((c)&0x3f))}, 2                                              \
    }
#define ROW4(M, b)  M(b), M((b) + 1), M((b) + 2), M((b) + 3)
#define ROW16(M, b) ROW4(M, b), ROW4(M, (b) + 4), ROW4(M, (b) + 8), ROW4(M, (b) + 12)

/* 00-20 become 100-120, 7f-a0 become 121-142, ad becomes 143. */
#define LOW(b)  CHAR2(0x100 + (b))
#define HIGH(b) CHAR2(0x121 + (b)-0x7f)

static const struct laser_byte_char table[256] = {
    ROW16(LOW, 0x00),   ROW16(LOW, 0x10),   LOW(0x20),          CHAR1(0x21),        CHAR1(0x22),
    CHAR1(0x23),        ROW4(CHAR1, 0x24),  ROW4(CHAR1, 0x28),  ROW4(CHAR1, 0x2c),  ROW16(CHAR1, 0x30),
    ROW16(CHAR1, 0x40), ROW16(CHAR1, 0x50), ROW16(CHAR1, 0x60), ROW4(CHAR1, 0x70),  ROW4(CHAR1, 0x74),
    ROW4(CHAR1, 0x78),  CHAR1(0x7c),        CHAR1(0x7d),        CHAR1(0x7e),        HIGH(0x7f),
    ROW16(HIGH, 0x80),  ROW16(HIGH, 0x90),  HIGH(0xa0),         CHAR2(0xa1),        CHAR2(0xa2),
    CHAR2(0xa3),        ROW4(CHAR2, 0xa4),  ROW4(CHAR2, 0xa8),  CHAR2(0xac),        CHAR2(0x143),
    CHAR2(0xae),        CHAR2(0xaf),        ROW16(CHAR2, 0xb0), ROW16(CHAR2, 0xc0), ROW16(CHAR2, 0xd0),
    ROW16(CHAR2, 0xe0), ROW16(CHAR2, 0xf0),
};

const struct laser_byte_char *laser_byte_chars(void)
{
    return table;
}

int laser_byte_of_char(uint32_t c)
{
    if (c >= 0x100)
        return c <= 0x120 ? (int)c - 0x100 : c <= 0x142 ? (int)c - 0x121 + 0x7f : c == 0x143 ? 0xad : -1;
    return (c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || c >= 0xae ? (int)c : -1;
}
