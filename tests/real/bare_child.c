/*
 * bare_child: a child that the bare instruction makes, which no hook sees; it ends as any process does.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int main(void)
{
	long child;
	int status = 0;

	__asm__ volatile("syscall" : "=a"(child) : "a"(SYS_fork) : "rcx", "r11", "memory");
	if (child == 0)
		exit(3);
	if (child < 0 || wait(&status) != child)
		return 1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 0 : 1;
}
