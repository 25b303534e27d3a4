#include "image.h"

#include <string.h>

bool image_changed(struct image *image, pid_t pid)
{
	struct image now = {0};
	char path[64];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(now.auxv, 1, sizeof(now.auxv), file);
	fclose(file);
	if (!n || memcmp(&now, image, sizeof(now)) == 0)
		return false;
	*image = now;
	return true;
}
