/* resume - what restore stopped goes on. */
#include "order.h"

static const struct order order = {
    .verb = "resume",
    .details = "\nHarmless for a process that is managed already.\n",
    .command = PC_CMD_RESUME,
};

int cmd_resume(int argc, char **argv)
{
	return order_main(&order, argc, argv);
}
