#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static struct {
	struct termios before;
	sigset_t mask;
	int signals;
} screen = {.signals = -1};

static void take_terminal(void)
{
	struct termios raw = screen.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	fputs(ENTER, stdout);
	fflush(stdout);
}

static void give_terminal(void)
{
	fputs(LEAVE, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.before);
}

int screen_enter(void)
{
	sigset_t watched;

	if (tcgetattr(STDIN_FILENO, &screen.before) != 0)
		return complain(STATUS_NO, "the terminal: %s", strerror(errno));
	sigemptyset(&watched);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGHUP);
	sigaddset(&watched, SIGQUIT);
	sigaddset(&watched, SIGTSTP);
	sigaddset(&watched, SIGWINCH);
	screen.signals = signalfd(-1, &watched, SFD_CLOEXEC);
	if (screen.signals < 0)
		return complain(STATUS_NO, "signalfd: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &watched, &screen.mask);
	take_terminal();
	return STATUS_OK;
}

void screen_leave(void)
{
	give_terminal();
	sigprocmask(SIG_SETMASK, &screen.mask, NULL);
	close(screen.signals);
	screen.signals = -1;
}

void screen_size(int *lines, int *columns)
{
	struct winsize size;

	*lines = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
		*lines = size.ws_row;
		*columns = size.ws_col;
	}
}

void screen_home(void)
{
	fputs("\033[H", stdout);
}

void screen_wipe_below(void)
{
	fputs("\033[J", stdout);
}

static enum screen_event take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(screen.signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_TIME;
	switch (info.ssi_signo) {
	case SIGWINCH:
		return SCREEN_RESIZED;
	case SIGTSTP:
		give_terminal();
		raise(SIGSTOP);
		take_terminal();
		return SCREEN_RESIZED;
	}
	return SCREEN_END;
}

enum screen_event screen_wait(pc_ns timeout, char *key)
{
	struct pollfd fds[] = {
	    {.fd = screen.signals, .events = POLLIN},
	    {.fd = STDIN_FILENO, .events = POLLIN},
	};
	int ready = poll(fds, PC_ARRAY_LEN(fds), (int)(timeout / PC_MS));

	if (ready <= 0)
		return SCREEN_TIME;
	if (fds[0].revents)
		return take_signal();
	return read(STDIN_FILENO, key, 1) == 1 ? SCREEN_KEY : SCREEN_END;
}
