/* evict - all that may leave leaves now. */
#include "order.h"

#include <inttypes.h>

static void progress(struct target *t)
{
	struct refusal why;
	char line[64];

	if (attach_refresh(t, &why) != STATUS_OK)
		return;
	snprintf(line, sizeof(line), "%" PRIu64 " pages packed",
		 report_value(&t->report, "pages_stored"));
	order_progress(line);
}

static const struct order order = {
    .verb = "evict",
    .done = "packed",
    .details = "\nPages come back when they are touched, as always. What was restored for good\n"
	       "is managed again.\n",
    .command = PC_CMD_EVICT,
    .progress = progress,
};

int cmd_evict(int argc, char **argv)
{
	return order_main(&order, argc, argv);
}
