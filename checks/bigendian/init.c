// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest of checks/bigendian/run, and its only program besides the tests: it
 * runs each test that /tests names (COLLECTION:NAME, one a line; the program is
 * /COLLECTION/NAME), and powers off. There is no shell: whatever runs there must be
 * compiled for that machine.
 *
 * Like lab/guest/init it speaks over virtio-serial ports, so that nothing the kernel prints
 * can be taken for a result:
 *   ctl   a line each: "init", "exit STATUS", "taint BITS", "end"
 *   out   KTAP, as kselftest's runner writes it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KSFT_SKIP 4
#define MAX_TESTS 100

static int ctl, out;

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* The host sees in the log that the handshake never came, and this. */
static void give_up(const char *what)
{
	printf("lab: init gives up: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	power_off();
}

static void __attribute__((format(printf, 2, 3))) tell(int fd, const char *format, ...)
{
	va_list args;
	char *text;
	int len, done, n;

	/* not vdprintf(): it seeks, which /dev/kmsg rejects */
	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	for (done = 0; done < len; done += n) {
		n = write(fd, text + done, len - done);
		if (n <= 0)
			break;
	}
	if (len < 0 || done < len)
		give_up("cannot write");
	free(text);
}

static void mount_on(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, NULL))
		give_up(dir);
}

/* The driver finds its ports, and then their names, some time after the boot. */
static int port(const char *name)
{
	char path[64], line[64];
	int i, fd;
	glob_t found;
	FILE *file;
	size_t j;

	for (i = 0; i < 300; i++) {
		if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &found))
			found.gl_pathc = 0;
		for (j = 0; j < found.gl_pathc; j++) {
			file = fopen(found.gl_pathv[j], "r");
			if (!file)
				continue;
			line[0] = '\0';
			if (fgets(line, sizeof(line), file))
				line[strcspn(line, "\n")] = '\0';
			fclose(file);
			if (strcmp(line, name) ||
			    sscanf(found.gl_pathv[j], "/sys/class/virtio-ports/%40[^/]", line) != 1)
				continue;
			snprintf(path, sizeof(path), "/dev/%s", line);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
		usleep(100000);
	}
	errno = ENODEV;
	give_up(name);
	return -1;
}

/* For the judge, which tells a splat with the test that ran. */
static void log_test(const char *name)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		give_up("/dev/kmsg");
	tell(fd, "lab: test %s\n", name);
	close(fd);
}

/* Run a program in a session of its own, with "# " before each of its lines. */
static int run(const char *path)
{
	int pipes[2], status;
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		give_up("pipe");
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid) {
		setsid();
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		execl(path, path, NULL);
		printf("%s: %s\n", path, strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	close(pipes[1]);
	file = fdopen(pipes[0], "r");
	if (!file)
		give_up("fdopen");
	while (getline(&line, &size, file) > 0)
		tell(out, "# %s%s", line, strchr(line, '\n') ? "" : "\n");
	free(line);
	fclose(file);
	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	char *names[MAX_TESTS], path[256], line[128], *colon;
	int count = 0, failed = 0, status, i;
	FILE *file;

	mount_on("devtmpfs", "/dev");
	if (!freopen("/dev/console", "w", stdout))
		power_off();
	dup2(1, 2);
	close(0);
	open("/dev/null", O_RDONLY);
	mount_on("proc", "/proc");
	mount_on("sysfs", "/sys");
	mount_on("debugfs", "/sys/kernel/debug");
	mount_on("tmpfs", "/tmp");

	file = fopen("/tests", "r");
	if (!file)
		give_up("/tests");
	while (count < MAX_TESTS && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		names[count++] = strdup(line);
	}
	if (!feof(file) || !count) {
		errno = EINVAL;
		give_up("/tests");
	}
	fclose(file);

	out = port("out");
	ctl = port("ctl");
	tell(ctl, "init\n");
	tell(out, "TAP version 13\n1..%d\n", count);
	for (i = 0; i < count; i++) {
		colon = strchr(names[i], ':');
		if (!colon) {
			errno = EINVAL;
			give_up(names[i]);
		}
		*colon = '\0';
		snprintf(path, sizeof(path), "/%s/%s", names[i], colon + 1);
		snprintf(line, sizeof(line), "%s:%s", names[i], colon + 1);
		log_test(line);
		snprintf(line, sizeof(line), "selftests: %s: %s", names[i], colon + 1);
		tell(out, "# %s\n", line);
		status = run(path);
		if (status == KSFT_SKIP) {
			tell(out, "ok %d %s # SKIP\n", i + 1, line);
		} else if (status) {
			failed++;
			tell(out, "not ok %d %s # exit=%d\n", i + 1, line, status);
		} else {
			tell(out, "ok %d %s\n", i + 1, line);
		}
	}
	tell(ctl, "exit %d\n", failed > 0);

	file = fopen("/proc/sys/kernel/tainted", "r");
	if (!file || !fgets(line, sizeof(line), file))
		give_up("/proc/sys/kernel/tainted");
	tell(ctl, "taint %send\n", line);
	power_off();
}
