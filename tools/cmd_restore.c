/* restore - everything comes back, and the process is left alone until it is told otherwise. */
#include "order.h"

#include <inttypes.h>

static void progress(struct target *t)
{
	struct refusal why;
	char line[64];

	if (attach_refresh(t, &why) != STATUS_OK)
		return;
	snprintf(line, sizeof(line), "%" PRIu64 " pages left",
		 report_value(&t->report, "pages_stored") +
		     report_value(&t->report, "pages_staged"));
	order_progress(line);
}

static const struct order order = {
    .verb = "restore",
    .done = "restored",
    .details = "\nThe process stays unmanaged until predicomp resume or predicomp evict.\n",
    .command = PC_CMD_RESTORE,
    .progress = progress,
};

int cmd_restore(int argc, char **argv)
{
	return order_main(&order, argc, argv);
}
