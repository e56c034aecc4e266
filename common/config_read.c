/* The strict reader. inih splits lines into key and value; everything that inih would let pass in silence
 * (long or empty sections, indented lines, repeated keys, a value behind a colon) is seen here first, with
 * its line number. */
#include "common/config_file.h"

#include "common/cleanup.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = WEIR_CONFIG_NAME_BYTES + WEIR_CONFIG_VALUE_BYTES + 64 };

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

struct reader {
    struct weir_config *config;
    struct weir_bytes rest; /* of the text, from the line that inih reads now */
    size_t given;           /* bytes of that line that inih has had */
    bool begun;
    int line;
    bool pair_expected; /* inih has to call back for this line */
    int code;
    struct weir_error *err;
};

static int refuse(struct reader *reader, const char *what)
{
    reader->code =
        weir_error_set(reader->err, WEIR_E_CONFIG, "%s:%d: %s", reader->config->name, reader->line, what);
    return reader->code;
}

static int refuse_memory(struct reader *reader)
{
    reader->code = weir_error_set(reader->err, WEIR_E_INTERNAL, "out of memory");
    return reader->code;
}

static size_t line_length(struct weir_bytes text)
{
    const char *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
    return end != NULL ? (size_t)(end - text.data) : text.len;
}

static const struct weir_config_section *find_section(const struct weir_config *config, const char *name)
{
    for (size_t i = 0; i < config->section_count; i++)
        if (strcmp(config->sections[i].name, name) == 0)
            return &config->sections[i];
    return NULL;
}

/* "word" or "word word", of the bytes that names are made of. */
static bool is_section_name(const char *name)
{
    size_t first = strspn(name, name_bytes);

    if (first == 0 || name[first] == '\0')
        return first > 0;
    size_t second = strspn(name + first + 1, name_bytes);
    return name[first] == ' ' && second > 0 && name[first + 1 + second] == '\0';
}

static int add_section_take(struct reader *reader, char *name)
{
    struct weir_config *config = reader->config;

    struct weir_config_section *grown =
        realloc(config->sections, (config->section_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        free(name);
        return refuse_memory(reader);
    }
    config->sections = grown;
    config->sections[config->section_count++] = (struct weir_config_section){name, reader->line};
    return 0;
}

static int read_section(struct reader *reader, struct weir_bytes line)
{
    size_t end = line.len;

    while (end > 0 && (line.data[end - 1] == ' ' || line.data[end - 1] == '\t'))
        end--;
    if (line.data[end - 1] != ']')
        return refuse(reader, "a section is written [name] or [kind name], with nothing behind it");
    WEIR_CLEANUP(free) char *name = weir_bytes_dup(weir_bytes(line.data + 1, end - 2));
    if (name == NULL)
        return refuse_memory(reader);
    if (strlen(name) > WEIR_CONFIG_NAME_BYTES)
        return refuse(reader, "the section's name has more than 128 bytes");
    if (!is_section_name(name))
        return refuse(
            reader, "a section's name is one or two words of A-Z a-z 0-9 . _ -, one space between them");
    const struct weir_config_section *before = find_section(reader->config, name);
    if (before != NULL) {
        reader->code =
            weir_error_set(reader->err, WEIR_E_CONFIG, "%s:%d: section [%s] stands in line %d already",
                reader->config->name, reader->line, name, before->line);
        return reader->code;
    }
    return add_section_take(reader, weir_steal(name));
}

/* Checks a `key = value` line before inih splits it. */
static int check_pair(struct reader *reader, struct weir_bytes line)
{
    const char *equals = memchr(line.data, '=', line.len);
    size_t key = 0;

    if (equals == NULL)
        return refuse(reader, "expected key = value, [section], or a comment that begins with # or ;");
    while (key < line.len && strchr(name_bytes, line.data[key]) != NULL)
        key++;
    size_t end = key;
    while (end < line.len && (line.data[end] == ' ' || line.data[end] == '\t'))
        end++;
    if (key == 0 || line.data + end != equals)
        return refuse(reader, "a key is written in A-Z a-z 0-9 . _ - before the =");
    if (key > WEIR_CONFIG_NAME_BYTES)
        return refuse(reader, "the key has more than 128 bytes");
    if (reader->config->section_count == 0)
        return refuse(reader, "a key before the first [section]");
    reader->pair_expected = true;
    return 0;
}

static const char *find_fault(struct weir_bytes line)
{
    if (line.len > LINE_BYTES)
        return "the line is too long: a value has at most 4096 bytes";
    for (size_t i = 0; i < line.len; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if (byte == '\0')
            return "holds a NUL byte";
        if (byte == '\r')
            return "holds a carriage return; lines end with a line feed alone";
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return "holds a control character";
    }
    return weir_utf8_valid(line) ? NULL : "is not UTF-8";
}

static int check_line(struct reader *reader, struct weir_bytes line)
{
    size_t blank = 0;

    const char *fault = find_fault(line);
    if (fault != NULL)
        return refuse(reader, fault);
    while (blank < line.len && (line.data[blank] == ' ' || line.data[blank] == '\t'))
        blank++;
    if (blank == line.len || line.data[0] == '#' || line.data[0] == ';')
        return 0;
    if (blank > 0)
        return refuse(reader, "an indented line; a value can't be continued");
    return line.data[0] == '[' ? read_section(reader, line) : check_pair(reader, line);
}

/* Ends the line before: inih must have understood it as we did. */
static int finish_line(struct reader *reader)
{
    return reader->pair_expected ? refuse(reader, "expected key = value") : 0;
}

/* inih's fgets: hands out a line, in parts where it asks for less. */
static char *next_text(char *out, int size, void *stream)
{
    struct reader *reader = stream;
    size_t len = line_length(reader->rest);

    if (reader->code < 0)
        return NULL;
    if (!reader->begun || reader->given > len || reader->given == reader->rest.len) {
        reader->begun = true;
        reader->rest = weir_bytes(reader->rest.data + reader->given, reader->rest.len - reader->given);
        reader->given = 0;
        if (finish_line(reader) < 0 || reader->rest.len == 0)
            return NULL;
        len = line_length(reader->rest);
        reader->line++;
        if (check_line(reader, weir_bytes(reader->rest.data, len)) < 0)
            return NULL;
    }
    size_t whole = len + (len < reader->rest.len);
    size_t part = whole - reader->given;
    if (part > (size_t)size - 1)
        part = (size_t)size - 1;
    memcpy(out, reader->rest.data + reader->given, part);
    out[part] = '\0';
    reader->given += part;
    return out;
}

static const struct weir_config_entry *find_entry(
    const struct weir_config *config, const char *section, const char *key)
{
    for (size_t i = 0; i < config->entry_count; i++)
        if (strcmp(config->entries[i].section, section) == 0 && strcmp(config->entries[i].key, key) == 0)
            return &config->entries[i];
    return NULL;
}

static int add_entry(struct reader *reader, const char *section, const char *key, const char *value)
{
    struct weir_config *config = reader->config;
    struct weir_config_entry *grown = realloc(config->entries, (config->entry_count + 1) * sizeof(*grown));

    if (grown == NULL)
        return refuse_memory(reader);
    config->entries = grown;
    struct weir_config_entry *entry = &config->entries[config->entry_count++];
    *entry = (struct weir_config_entry){strdup(section), strdup(key), strdup(value), reader->line};
    if (entry->section == NULL || entry->key == NULL || entry->value == NULL)
        return refuse_memory(reader);
    return 0;
}

/* inih's callback for a pair. Its section is cut at 49 bytes: ours counts. Answers inih's 1 for success. */
static int take_pair(void *user, const char *cut_section, const char *key, const char *value)
{
    struct reader *reader = user;
    const char *section = reader->config->sections[reader->config->section_count - 1].name;

    (void)cut_section;
    if (reader->code < 0)
        return 0;
    reader->pair_expected = false;
    const struct weir_config_entry *before = find_entry(reader->config, section, key);
    if (before != NULL) {
        reader->code =
            weir_error_set(reader->err, WEIR_E_CONFIG, "%s:%d: %s stands in line %d of [%s] already",
                reader->config->name, reader->line, key, before->line, section);
        return 0;
    }
    if (strlen(value) > WEIR_CONFIG_VALUE_BYTES)
        return refuse(reader, "the value has more than 4096 bytes"), 0;
    return add_entry(reader, section, key, value) == 0;
}

/* inih is steered by variables of its own, process-wide. */
static void set_switches(void)
{
    ini_allow_multiline = false;
    ini_allow_bom = false;
    ini_allow_inline_comments = false;
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_BYTES + 16;
    ini_max_line = LINE_BYTES + 16;
}

int weir_config_read(struct weir_config *config, struct weir_bytes text, struct weir_error *err)
{
    struct reader reader = {.config = config, .rest = text, .err = err};

    if (text.len > WEIR_CONFIG_FILE_BYTES)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: the file has more than 1 MiB", config->name);
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        reader.line = 1;
        return refuse(&reader, "begins with a byte order mark; save the file as UTF-8 without it");
    }
    set_switches();
    int bad_line = ini_parse_stream(next_text, &reader, take_pair, &reader);
    if (reader.code == 0 && bad_line != 0)
        refuse(&reader, bad_line > 0 ? "expected key = value" : "cannot be read: out of memory");
    return reader.code;
}
