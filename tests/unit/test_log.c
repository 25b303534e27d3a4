#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

/* Packet mode: each write is one packet, each read takes one, so lines and writes can be told
 * apart. */
static int pipe_fd[2];
static bool pipe_close;

static int borrow_pipe(bool *close_it)
{
	*close_it = pipe_close;
	return pipe_fd[1];
}

static int borrow_nothing(bool *close_it)
{
	*close_it = false;
	return -1;
}

static int open_pipe(void **state)
{
	(void)state;
	pipe_close = false;
	log_set_borrow(borrow_pipe);
	log_set_level(LOG_ERROR);
	return pipe2(pipe_fd, O_DIRECT | O_NONBLOCK);
}

static int close_pipe(void **state)
{
	(void)state;
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return 0;
}

static void assert_packet(const char *after_prefix)
{
	char got[2048], wanted[2048];
	ssize_t n = read(pipe_fd[0], got, sizeof(got) - 1);

	assert_true(n > 0);
	got[n] = 0;
	snprintf(wanted, sizeof(wanted), "predicomp[%d]: %s\n", (int)getpid(), after_prefix);
	assert_string_equal(got, wanted);
}

static void assert_silence(void)
{
	char byte;

	assert_int_equal(read(pipe_fd[0], &byte, 1), -1);
}

static void a_line_is_one_write(void **state)
{
	(void)state;
	log_say(LOG_ERROR, "plain");
	log_line(LOG_ERROR, "with one fact", "pages", 512, NULL, 0);
	log_line(LOG_ERROR, "with two", "pages", 0, "err", (uint64_t)-12);
	assert_packet("plain");
	assert_packet("with one fact pages=512");
	assert_packet("with two pages=0 err=-12");
	assert_silence();
}

static void levels_are_obeyed(void **state)
{
	(void)state;
	log_say(LOG_INFO, "not wanted");
	log_set_level(LOG_INFO);
	assert_true(log_wants(LOG_ERROR));
	assert_true(log_wants(LOG_INFO));
	assert_false(log_wants(LOG_DEBUG));
	log_say(LOG_INFO, "wanted");
	log_say(LOG_DEBUG, "not wanted");
	log_set_level(LOG_OFF);
	assert_false(log_wants(LOG_OFF));
	log_say(LOG_ERROR, "not wanted");
	assert_packet("wanted");
	assert_silence();
}

static void hostile_text_is_one_short_line(void **state)
{
	char what[5000], got[2048];
	ssize_t n;

	(void)state;
	log_say(LOG_ERROR, "two\nlines \x1b[31m");
	assert_packet("two?lines ?[31m");
	memset(what, 'x', sizeof(what) - 1);
	what[sizeof(what) - 1] = 0;
	log_line(LOG_ERROR, what, "lost", 1, NULL, 0);
	n = read(pipe_fd[0], got, sizeof(got));
	assert_in_range(n, 512, 1024);
	assert_memory_equal(got + n - 6, "xx...\n", 6);
	assert_silence();
}

static void a_borrowed_descriptor_is_closed_if_so_agreed(void **state)
{
	(void)state;
	log_say(LOG_ERROR, "kept");
	assert_int_equal(fcntl(pipe_fd[1], F_GETFD), 0);
	pipe_close = true;
	log_say(LOG_ERROR, "closed");
	assert_int_equal(fcntl(pipe_fd[1], F_GETFD), -1);
	assert_packet("kept");
	assert_packet("closed");
}

static void nothing_to_borrow_is_silence(void **state)
{
	(void)state;
	log_set_borrow(borrow_nothing);
	log_say(LOG_ERROR, "to nobody");
	log_set_borrow(borrow_pipe);
	assert_silence();
}

/* Without care the first would end the test by SIGPIPE, the second by its time limit. */
static void a_reader_that_went_away_is_survived(void **state)
{
	(void)state;
	close(pipe_fd[0]);
	log_say(LOG_ERROR, "to nobody");
	pipe_close = true;
	log_say(LOG_ERROR, "to nobody");
	assert_int_equal(fcntl(pipe_fd[1], F_GETFD), -1);
}

static void a_reader_that_does_not_read_is_not_waited_for(void **state)
{
	(void)state;
	while (write(pipe_fd[1], "x", 1) == 1)
		;
	assert_int_equal(fcntl(pipe_fd[1], F_SETFL, 0), 0);
	alarm(5);
	log_say(LOG_ERROR, "lost");
	alarm(0);
}

static unsigned drain(char *last, size_t size)
{
	unsigned lines = 0;
	ssize_t n;

	while ((n = read(pipe_fd[0], last, size - 1)) > 0) {
		last[n] = 0;
		lines++;
	}
	return lines;
}

/* The count is of the process's life, so this test is the last. */
static void chatter_ends_and_errors_do_not(void **state)
{
	char last[1024] = "";
	unsigned told = 0;

	(void)state;
	log_set_level(LOG_DEBUG);
	for (unsigned i = 0; i < 2 * LOG_LINES_MAX; i++) {
		log_say(LOG_DEBUG, "chatter");
		if (drain(last, sizeof(last)))
			told++;
	}
	assert_in_range(told, LOG_LINES_MAX / 2, LOG_LINES_MAX + 1);
	assert_non_null(strstr(last, "from here on only errors are told"));
	log_say(LOG_INFO, "chatter");
	assert_silence();
	for (unsigned i = 0; i < 5; i++)
		log_say(LOG_ERROR, "trouble");
	assert_int_equal(drain(last, sizeof(last)), 5);
	assert_non_null(strstr(last, "trouble"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_line_is_one_write, open_pipe, close_pipe),
	    cmocka_unit_test_setup_teardown(levels_are_obeyed, open_pipe, close_pipe),
	    cmocka_unit_test_setup_teardown(hostile_text_is_one_short_line, open_pipe, close_pipe),
	    cmocka_unit_test_setup_teardown(a_borrowed_descriptor_is_closed_if_so_agreed, open_pipe,
					    close_pipe),
	    cmocka_unit_test_setup_teardown(nothing_to_borrow_is_silence, open_pipe, close_pipe),
	    cmocka_unit_test_setup_teardown(a_reader_that_went_away_is_survived, open_pipe,
					    close_pipe),
	    cmocka_unit_test_setup_teardown(a_reader_that_does_not_read_is_not_waited_for,
					    open_pipe, close_pipe),
	    cmocka_unit_test_setup_teardown(chatter_ends_and_errors_do_not, open_pipe, close_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
