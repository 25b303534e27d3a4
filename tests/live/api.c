/* The one host that knows of the library: predicomp.h works with it, and without it. */
#include "host.h"

#include "predicomp/predicomp.h"

#define LEN (8 * MIB)

static uint64_t counter(const char *name)
{
	uint64_t value = 0;

	HOST_CHECK(predicomp_counter(name, &value) == 0);
	return value;
}

static void refuses_nonsense(char *at)
{
	uint64_t value;

	HOST_CHECK(predicomp_counter("no_such_counter", &value) == -ENOENT);
	HOST_CHECK(predicomp_cold(at, 0) == -EINVAL);
	HOST_CHECK(predicomp_willneed(at, SIZE_MAX) == -EINVAL);
	HOST_CHECK(predicomp_leave((void *)-PAGE, 2 * PAGE) == -EINVAL);
}

static uint64_t came_back(void)
{
	return counter("pages_restored") + counter("give_back_pages");
}

/* Memory comes back without a touch, since nothing but the hint asks for it. */
static void hints(char *at)
{
	uint64_t before, until;

	HOST_CHECK(predicomp_leave(at, LEN) == 0);
	HOST_CHECK(host_absent(at, LEN) == 0);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0);
	at = host_cold(LEN, 2);
	before = came_back();
	HOST_CHECK(predicomp_willneed(at, LEN) == 0);
	for (until = host_now_ms() + 2000; came_back() == before && host_now_ms() < until;)
		host_sleep_ms(1);
	HOST_CHECK(came_back() > before);
	HOST_CHECK(predicomp_cold(at, LEN) == 0);
	HOST_CHECK(predicomp_phase() == 0);
	HOST_CHECK(host_same(at, LEN, 2));
}

int main(void)
{
	char *at = host_cold(LEN, 1);

	if (predicomp_loaded()) {
		HOST_CHECK(predicomp_version() >> 16 == PREDICOMP_VERSION_MAJOR);
		HOST_CHECK(predicomp_enabled());
		HOST_CHECK(counter("pages_evicted") > 0);
		refuses_nonsense(at);
		hints(at);
	}
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
