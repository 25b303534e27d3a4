/*
 * man - writes predicomp(1): the template on standard input, with its tables filled in, on standard
 * output. Run by the build, so that the page cannot drift from the tables.
 *
 * A line of the template that is a marker is replaced: @OPTIONS@, @COUNTERS@, @RATIOS@,
 * @UNITS@, @CAPABILITIES@, @REASONS@, @STATUSES@, @VERB name@. @VERSION@ is replaced inside a line. Each
 * marker must occur exactly once, and every verb has one; anything else ends the build.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "predicomp/predicomp.h"
#include "report/knob.h"

#define VERSION_MARK "@VERSION@"

/* Hyphens are minus signs: what is shown is typed. A leading dot would be a request. */
static void put(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

static void put_dashed(const char *id)
{
	for (; *id != '\0'; id++)
		fputs(*id == '_' ? "\\-" : (char[]){*id, '\0'}, stdout);
}

/* .TP with `name` in bold and `note`, if any, in plain letters beside it. */
static void entry(const char *name, const char *note)
{
	fputs(".TP\n\\fB", stdout);
	put(name);
	fputs("\\fR", stdout);
	if (*note != '\0') {
		fputs(" (", stdout);
		put(note);
		putchar(')');
	}
	putchar('\n');
}

static void sentence(const char *s)
{
	put(s);
	puts(".");
}

static void every_option(void)
{
	for (size_t i = 0; i < PC_OPT_COUNT; i++) {
		const struct knob *k = &knobs[i];

		printf(".TP\n\\fBPREDICOMP_%s\\fR, \\fB\\-\\-", k->name);
		put_dashed(k->id);
		printf("=\\fI%s\\fR\n", knob_value(k));
		put(k->help);
		fputs(".\nAccepts ", stdout);
		put(k->accepts);
		if (*k->fallback == '\0') {
			puts("; not set by default.");
			continue;
		}
		fputs("; default ", stdout);
		sentence(k->fallback);
	}
}

static void counter(const char *name, const char *kind, const char *unit, const char *help)
{
	char note[64];

	snprintf(note, sizeof(note), *unit ? "%s, %s" : "%s", kind, unit);
	entry(name, note);
	sentence(help);
}

static void ratio(const char *name, const char *above, const char *below, const char *help)
{
	entry(name, "ratio");
	sentence(help);
	printf("Computed by the reader: %s over %s.\n", above, below);
}

static void every_counter(void)
{
#define PC_COUNTER(name, unit, help)   counter(#name, "counter", unit, help);
#define PC_GAUGE(name, unit, help)     counter(#name, "gauge", unit, help);
#define PC_HISTOGRAM(name, unit, help) counter(#name, "histogram", unit, help);
#define PC_RATIO(name, above, below, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
}

static void every_ratio(void)
{
#define PC_COUNTER(name, unit, help)
#define PC_GAUGE(name, unit, help)
#define PC_HISTOGRAM(name, unit, help)
#define PC_RATIO(name, above, below, help) ratio(#name, above, below, help);
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
}

static void every_unit_column(void)
{
#define PC_UNIT_COUNTER(name, unit, help) counter(#name, "counter", unit, help);
#define PC_UNIT_GAUGE(name, unit, help)	  counter(#name, "gauge", unit, help);
#include "predicomp/units.def"
#undef PC_UNIT_COUNTER
#undef PC_UNIT_GAUGE
}

static void capability(const char *name, const char *need, const char *consequence,
		       const char *remedy)
{
	entry(name, need);
	fputs("Without it: ", stdout);
	sentence(consequence);
	fputs("Remedy: ", stdout);
	sentence(remedy);
}

static void every_capability(void)
{
#define NEEDED					    "needed"
#define FOR_MOVE				    "needed"
#define FOR_MADVISE				    "optional"
#define OPTIONAL				    "optional"
#define PC_CAP(id, name, need, consequence, remedy) capability(name, need, consequence, remedy);
#include "predicomp/caps.def"
#undef PC_CAP
#undef NEEDED
#undef OPTIONAL
#undef FOR_MOVE
#undef FOR_MADVISE
}

static const char *const reason_texts[] = {
#define PC_INERT(id, text) text,
#include "predicomp/inert.def"
#undef PC_INERT
};

static void every_reason(void)
{
	/* The first is "managed": no reason. */
	for (size_t i = 1; i < PC_ARRAY_LEN(reason_texts); i++) {
		puts(".IP \\(bu 2");
		sentence(reason_texts[i]);
	}
}

static void status(int number, const char *text)
{
	printf(".TP\n\\fB%d\\fR\n", number);
	sentence(text);
}

static void every_status(void)
{
#define PC_STATUS(id, number, text) status(number, text);
#include "statuses.def"
#undef PC_STATUS
}

static void verb(const char *name, const char *arguments, const char *summary)
{
	fputs(".SS predicomp ", stdout);
	put(name);
	putchar(' ');
	put(arguments);
	putchar('\n');
	putchar(summary[0] - 'a' + 'A');
	sentence(summary + 1);
}

#define PC_VERB(name, arguments, summary)                                                          \
	static void verb_##name(void)                                                              \
	{                                                                                          \
		verb(#name, arguments, summary);                                                   \
	}
#include "verbs.def"
#undef PC_VERB

static const struct marker {
	const char *text;
	void (*expand)(void);
} markers[] = {
    {"@OPTIONS@\n", every_option}, {"@COUNTERS@\n", every_counter},
    {"@RATIOS@\n", every_ratio},   {"@UNITS@\n", every_unit_column},
    {"@CAPABILITIES@\n", every_capability},
    {"@REASONS@\n", every_reason}, {"@STATUSES@\n", every_status},
#define PC_VERB(name, arguments, summary) {"@VERB " #name "@\n", verb_##name},
#include "verbs.def"
#undef PC_VERB
};

static void plain_line(const char *line)
{
	const char *mark = strstr(line, VERSION_MARK);

	if (!mark) {
		fputs(line, stdout);
		return;
	}
	printf("%.*s%d.%d.%d%s", (int)(mark - line), line, PREDICOMP_VERSION_MAJOR,
	       PREDICOMP_VERSION_MINOR, PREDICOMP_VERSION_PATCH, mark + strlen(VERSION_MARK));
}

static bool expand(const char *line, unsigned seen[])
{
	for (size_t i = 0; i < PC_ARRAY_LEN(markers); i++) {
		if (strcmp(line, markers[i].text) == 0) {
			markers[i].expand();
			seen[i]++;
			return true;
		}
	}
	return false;
}

int main(void)
{
	unsigned seen[PC_ARRAY_LEN(markers)] = {0};
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] != '@') {
			plain_line(line);
		} else if (!expand(line, seen)) {
			fprintf(stderr, "man: unknown marker: %s", line);
			return EXIT_FAILURE;
		}
	}
	for (size_t i = 0; i < PC_ARRAY_LEN(markers); i++) {
		if (seen[i] != 1) {
			fprintf(stderr, "man: %u times: %s", seen[i], markers[i].text);
			return EXIT_FAILURE;
		}
	}
	return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
