#include "report/human.h"
#include "base/mem.h"

static const char *const size_names[] = {" B", " KiB", " MiB", " GiB", " TiB"};
static const char count_suffix[] = "kMGT";

/* value / unit with one decimal, rounded down: 12.3 */
static void tenths(struct text *t, uint64_t value, uint64_t unit)
{
	text_u64(t, value / unit);
	text_char(t, '.');
	text_u64(t, value % unit * 10 / unit);
}

void human_size(struct text *t, int64_t bytes)
{
	uint64_t size = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	unsigned power = 0;

	while (power + 1 < PC_ARRAY_LEN(size_names) && size >> (10 * (power + 1)) != 0)
		power++;
	if (bytes < 0)
		text_char(t, '-');
	if (power == 0)
		text_u64(t, size);
	else
		tenths(t, size, 1ull << (10 * power));
	text_str(t, size_names[power]);
}

static void two_digits(struct text *t, uint64_t n)
{
	if (n < 10)
		text_char(t, '0');
	text_u64(t, n);
}

static void clock_time(struct text *t, uint64_t seconds)
{
	if (seconds >= 3600) {
		text_u64(t, seconds / 3600);
		text_char(t, 'h');
		two_digits(t, seconds % 3600 / 60);
		text_char(t, 'm');
	} else {
		text_u64(t, seconds / 60);
		text_char(t, 'm');
		two_digits(t, seconds % 60);
		text_char(t, 's');
	}
}

void human_time(struct text *t, pc_ns ns)
{
	if (ns < 1000) {
		text_u64(t, ns);
		text_str(t, " ns");
	} else if (ns < PC_MS) {
		tenths(t, ns, 1000);
		text_str(t, " us");
	} else if (ns < PC_SEC) {
		tenths(t, ns, PC_MS);
		text_str(t, " ms");
	} else if (ns < 60 * PC_SEC) {
		tenths(t, ns, PC_SEC);
		text_str(t, " s");
	} else {
		clock_time(t, ns / PC_SEC);
	}
}

void human_thousandths(struct text *t, uint64_t thousandths)
{
	uint64_t part = thousandths % 1000;

	text_u64(t, thousandths / 1000);
	text_char(t, '.');
	text_u64(t, part / 100);
	two_digits(t, part % 100);
}

void human_count(struct text *t, uint64_t n)
{
	uint64_t unit = 1000;
	unsigned power = 0;

	if (n < 10000) {
		text_u64(t, n);
		return;
	}
	while (power + 2 < sizeof(count_suffix) && n / unit >= 1000) {
		unit *= 1000;
		power++;
	}
	tenths(t, n, unit);
	text_char(t, count_suffix[power]);
}

void human_pad(struct text *t, size_t start, size_t width)
{
	while (t->len < start + width && !t->truncated)
		text_char(t, ' ');
}

void human_right(struct text *t, const char *s, size_t width)
{
	size_t len = strlen(s);

	while (len++ < width)
		text_char(t, ' ');
	text_str(t, s);
}
