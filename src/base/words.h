/* Choices by a word: one list gives the enumerators and their words.
 *
 *   #define LASER_COLOUR_WORDS(W) W(LASER_COLOUR_RED, "red") W(LASER_COLOUR_BLUE, "blue")
 *   enum laser_colour { LASER_COLOUR_WORDS(LASER_WORD_ID) };
 *   static const char *const names[] = {LASER_COLOUR_WORDS(LASER_WORD_TEXT)};    names[LASER_COLOUR_RED]
 *   "" LASER_COLOUR_WORDS(LASER_WORD_BAR)                                        "|red|blue"
 *   "" LASER_COLOUR_WORDS(LASER_WORD_LIST)                                       ", red, blue"
 */
#ifndef LASER_BASE_WORDS_H
#define LASER_BASE_WORDS_H

#define LASER_WORD_ID(id, word)   id,
#define LASER_WORD_TEXT(id, word) [id] = (word),
#define LASER_WORD_BAR(id, word)  "|" word
#define LASER_WORD_LIST(id, word) ", " word

#endif
