/* The page of all settings, doc/settings.md. */
#include <ctype.h>
#include <string.h>

#include "deck/internal.h"

/* Text in which * and _ stay what they are. */
static void put(struct laser_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '*' || *p == '_' || *p == '<' || *p == '|' || *p == '~')
            laser_text_fill(out, '\\', 1);
        laser_text_fill(out, *p, 1);
    }
}

static void put_option(struct laser_text *out, char letter, const char *option, const char *argument)
{
    laser_text_printf(out, "`--%s%s%s`", option, argument != NULL ? " " : "",
                      argument != NULL ? argument : "");
    if (letter != 0)
        laser_text_printf(out, ", `-%c`", letter);
}

static void put_variable(struct laser_text *out, const char *key)
{
    laser_text_puts(out, "`LASER_MPI_");
    for (const char *p = key; *p != '\0'; p++)
        laser_text_fill(out, *p == '.' ? '_' : (char)toupper((unsigned char)*p), 1);
    laser_text_puts(out, "`");
}

static void put_key(struct laser_text *out, const struct laser_deck_key *key)
{
    char help[LASER_HELP_SIZE];
    struct laser_text plain = {0};

    laser_text_printf(out, "\n### %s\n", key->key);
    laser_deck_sentence(&plain, laser_deck_help_of(key, help));
    laser_text_puts(&plain, "\n\n- Value: ");
    laser_deck_domain(&plain, key);
    laser_text_puts(&plain, "\n- ");
    laser_deck_users(&plain, key);
    put(out, plain.data != NULL ? plain.data : "");
    laser_text_free(&plain);
    laser_text_puts(out, "\n- ");
    if (key->option != NULL) {
        laser_text_puts(out, "Option: ");
        put_option(out, key->letter, key->option, key->argument);
        laser_text_puts(out, "; environment: ");
    } else {
        laser_text_puts(out, "Environment: ");
    }
    put_variable(out, key->key);
    laser_text_puts(out, key->matters ? "\n- A run can only be resumed with the same value.\n" : "\n");
}

char *laser_deck_markdown(void)
{
    const char *section = NULL;
    struct laser_text out = {0};

    laser_text_puts(
        &out,
        "# Settings\n\n"
        "<!-- Made from src/deck/keys.def by make man-options. -->\n"
        "Every setting is a configuration key `SECTION.NAME`. Its value comes from the first of these that sets it:\n\n"
        "1. the command line: the option of the key, or `--set SECTION.NAME=VALUE`,\n"
        "2. the environment variable `LASER_MPI_SECTION_NAME`,\n"
        "3. the deck, a configuration file in YAML: `laser_mpi COMMAND FILE.yaml`,\n"
        "4. the default, or that of the program named by `compat`.\n\n"
        "`--print-deck` prints all values with their origin, in the form of a deck. Sizes are written like `4GiB`, times like\n"
        "`2h30m`, lists with commas between their items.\n\n"
        "## Options of every command\n");
    for (const struct laser_deck_flag *f = laser_deck_flags; f->option != NULL; f++) {
        laser_text_puts(&out, "- ");
        put_option(&out, f->letter, f->option, f->argument);
        laser_text_printf(&out, ": %s\n", f->help);
    }
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (section == NULL || strcmp(section, key->section) != 0)
            laser_text_printf(&out, "\n## %s\n", laser_deck_section_title(key->section));
        section = key->section;
        put_key(&out, key);
    }
    return laser_text_take(&out);
}
