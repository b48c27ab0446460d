/* Completion of the command line for bash and zsh. */
#include <string.h>

#include "deck/internal.h"

static int is_path(const struct laser_deck_key *key)
{
    return key->type == LASER_TYPE_PATH || key->type == LASER_TYPE_MODEL || key->type == LASER_TYPE_PAIRS;
}

/* A text with another byte for every mark. */
static void put_words(struct laser_text *out, const char *words, char mark, char separator)
{
    for (const char *p = words; *p != '\0'; p++)
        laser_text_fill(out, *p == mark ? separator : *p, 1);
}

static void put_commands(struct laser_text *out, char separator)
{
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++)
        laser_text_printf(out, "%.1s%s", i > LASER_COMMAND_NONE + 1 ? &separator : "",
                          laser_deck_commands[i].name);
}

static const char *choices(const struct laser_deck_key *key)
{
    return key->words != NULL ? key->words : key->type == LASER_TYPE_BOOL ? "true|false" : NULL;
}

/* ---- bash ---- */

/* "    --solver | -x) words ;;" of each option whose value is a choice. */
static void put_bash_choices(struct laser_text *out)
{
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (key->option == NULL || key->argument == NULL || key->words == NULL)
            continue;
        laser_text_printf(out, "    --%s", key->option);
        if (key->letter != 0)
            laser_text_printf(out, " | -%c", key->letter);
        laser_text_puts(out, ") words=\"");
        put_words(out, key->words, '|', ' ');
        laser_text_puts(out, "\" ;;\n");
    }
}

/* The options with a value, as a pattern of case. */
static void put_bash_valued(struct laser_text *out)
{
    laser_text_puts(out, "    --deck | -d");
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (key->option == NULL || key->argument == NULL)
            continue;
        laser_text_printf(out, " | --%s", key->option);
        if (key->letter != 0)
            laser_text_printf(out, " | -%c", key->letter);
    }
    laser_text_puts(out, ") return ;;\n");
}

/* Options (with dashes) or keys (with "=") of a command, with blanks between them. */
static void put_bash_names(struct laser_text *out, enum laser_command command, int options)
{
    const char *blank = "";

    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (!laser_deck_belongs(key, command == LASER_COMMAND_RUN ? LASER_COMMAND_NONE : command))
            continue;
        if (!options)
            laser_text_printf(out, "%s%s=", blank, key->key);
        else if (key->option != NULL)
            laser_text_printf(out, "%s--%s", blank, key->option);
        else
            continue;
        blank = " ";
    }
}

static void put_bash_tables(struct laser_text *out, int options)
{
    laser_text_puts(out, "    case $command in\n");
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++) {
        laser_text_printf(out, "    %s) words=\"", laser_deck_commands[i].name);
        put_bash_names(out, (enum laser_command)i, options);
        laser_text_puts(out, "\" ;;\n");
    }
    laser_text_puts(out, "    *) words=\"");
    put_bash_names(out, LASER_COMMAND_NONE, options);
    laser_text_puts(out, "\" ;;\n    esac\n");
}

char *laser_deck_bash(void)
{
    struct laser_text out = {0};

    laser_text_puts(
        &out, "# Completion of laser_mpi for bash, made from the table of settings.\n"
              "_laser_mpi() {\n"
              "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' "
              "words='' word\n"
              "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
              "        case $word in\n        ");
    put_commands(&out, '|');
    laser_text_puts(&out, ") command=$word && break ;;\n"
                          "        esac\n"
                          "    done\n"
                          "    COMPREPLY=()\n"
                          "    case $previous in\n");
    put_bash_choices(&out);
    laser_text_puts(&out, "    --set | -s)\n");
    put_bash_tables(&out, 0);
    laser_text_puts(&out, "    compopt -o nospace 2>/dev/null ;;\n");
    put_bash_valued(&out);
    laser_text_puts(&out, "    esac\n"
                          "    if [ -z \"$words\" ]; then\n"
                          "        case $current in\n"
                          "        -*)\n");
    put_bash_tables(&out, 1);
    laser_text_puts(&out, "    words=\"$words");
    for (const struct laser_deck_flag *f = laser_deck_flags; f->option != NULL; f++)
        laser_text_printf(&out, " --%s", f->option);
    laser_text_puts(&out, "\" ;;\n"
                          "        *) [ -n \"$command\" ] && [ \"$command\" != help ] || words=\"");
    put_commands(&out, ' ');
    laser_text_puts(&out, "\" ;;\n"
                          "        esac\n"
                          "    fi\n"
                          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
                          "}\n"
                          "complete -o default -F _laser_mpi laser_mpi\n");
    return laser_text_take(&out);
}

/* ---- zsh ---- */

/* Inside of '...[...]...': brackets, colons and quotes have a meaning of their own there. */
static void put_zsh(struct laser_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            laser_text_puts(out, "'\\'");
        else if (strchr("[]:\\", *p) != NULL)
            laser_text_fill(out, '\\', 1);
        laser_text_fill(out, *p, 1);
    }
}

static void put_zsh_option(struct laser_text *out, const struct laser_deck_key *key)
{
    char help[LASER_HELP_SIZE];

    laser_text_puts(out, " \\\n        ");
    if (key->letter != 0)
        laser_text_printf(out, "'*'{-%c,--%s}'[", key->letter, key->option);
    else
        laser_text_printf(out, "'*--%s[", key->option);
    put_zsh(out, laser_deck_help_of(key, help));
    laser_text_puts(out, "]");
    if (key->argument != NULL) {
        laser_text_puts(out, ":");
        put_zsh(out, key->argument);
        laser_text_puts(out, ":");
        if (choices(key) != NULL) {
            laser_text_puts(out, "(");
            put_words(out, choices(key), '|', ' ');
            laser_text_puts(out, ")");
        } else if (is_path(key)) {
            laser_text_puts(out, "_files");
        }
    }
    laser_text_puts(out, "'");
}

static void put_zsh_flags(struct laser_text *out)
{
    for (const struct laser_deck_flag *f = laser_deck_flags; f->option != NULL; f++) {
        laser_text_puts(out, " \\\n        ");
        if (f->letter != 0)
            laser_text_printf(out, "'*'{-%c,--%s}'[", f->letter, f->option);
        else
            laser_text_printf(out, "'*--%s[", f->option);
        put_zsh(out, f->help);
        laser_text_puts(out, "]");
        if (f->argument != NULL)
            laser_text_printf(out, ":%s:%s", f->argument, strcmp(f->option, "deck") == 0 ? "_files" : "");
        laser_text_puts(out, "'");
    }
}

char *laser_deck_zsh(void)
{
    struct laser_text out = {0};

    laser_text_puts(&out, "#compdef laser_mpi\n"
                          "# Completion of laser_mpi for zsh, made from the table of settings.\n"
                          "local -a commands\n"
                          "commands=(\n");
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++) {
        laser_text_printf(&out, "    '%s:", laser_deck_commands[i].name);
        put_zsh(&out, laser_deck_commands[i].brief);
        laser_text_puts(&out, "'\n");
    }
    laser_text_puts(&out, ")\n"
                          "if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
                          "    _describe command commands\n"
                          "    _files -g '*.yaml'\n"
                          "    return\n"
                          "fi\n"
                          "case $words[2] in\n");
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++) {
        laser_text_printf(&out, "%s)\n    _arguments", laser_deck_commands[i].name);
        for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++)
            if (key->option != NULL && laser_deck_belongs(key, (enum laser_command)i))
                put_zsh_option(&out, key);
        put_zsh_flags(&out);
        laser_text_puts(&out, i == LASER_COMMAND_HELP ? " \\\n        '*:command:->commands' && return\n"
                                                        "    _describe command commands\n    ;;\n"
                                                      : " \\\n        '*:file:_files'\n    ;;\n");
    }
    laser_text_puts(&out, "*)\n    _arguments");
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++)
        if (key->option != NULL)
            put_zsh_option(&out, key);
    put_zsh_flags(&out);
    laser_text_puts(&out, " \\\n        '*:file:_files'\n    ;;\nesac\n");
    return laser_text_take(&out);
}
