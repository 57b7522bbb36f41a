// SPDX-License-Identifier: GPL-2.0
/*
 * NAT keepalives: how often SAs send them, beside others that come and go, and when the
 * clock is set. Each SA has a destination of its own in 127.0.0.0/8, where they are counted.
 *
 *   keepalive
 *
 * Sets the clock (and back): for guests only. TAP on stdout.
 */
#include "../lib/xfrm.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/time.h>

#define PORT 4500
#define TRACE "/sys/kernel/tracing/"

static struct nl nl;

static double boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int sock_of(int host)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	addr.sin_addr.s_addr = htonl(0x7f000000 + host);
	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)))
		die("socket");
	return fd;
}

/* How many have come since the last call */
static int drain(int fd)
{
	unsigned char c;
	int n = 0;

	while (recv(fd, &c, 1, 0) == 1)
		n += c == 0xff;
	return n;
}

static int sa_add(struct nl *nl, int host, uint32_t spi, uint32_t interval)
{
	struct xfrm_usersa_info info = info4(IPPROTO_ESP, XFRM_MODE_TUNNEL, spi, INADDR_LOOPBACK,
					     0x7f000000 + host);
	struct msg m;

	msg_init(&m, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	msg_aead(&m, "rfc4106(gcm(aes))", 160, 128);
	msg_encap(&m, UDP_ENCAP_ESPINUDP, PORT, PORT);
	msg_u8(&m, XFRMA_SA_DIR, XFRM_SA_DIR_OUT);
	msg_u32(&m, XFRMA_NAT_KEEPALIVE_INTERVAL, interval);
	return nl_request(nl, &m);
}

static int sa_del(struct nl *nl, int host, uint32_t spi)
{
	struct xfrm_usersa_id id = id4(IPPROTO_ESP, spi, 0x7f000000 + host);
	struct msg m;

	msg_init(&m, XFRM_MSG_DELSA, 0, &id, sizeof(id));
	return nl_request(nl, &m);
}

static void add(int host, uint32_t interval)
{
	if (sa_add(&nl, host, host, interval))
		die("NEWSA: %s %s", strerror(nl.err), nl.text);
}

/* The time in which @fd gets @n, 0 if it does not within @secs */
static double wait_for(int fd, int n, double secs)
{
	double start = boot();

	drain(fd);
	while (n > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (boot() - start > secs)
			return 0;
		poll(&pfd, 1, 100);
		n -= drain(fd);
	}
	return boot() - start;
}

static void clock_step(long secs)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += secs;
	if (clock_settime(CLOCK_REALTIME, &ts))
		die("clock_settime");
}

static volatile bool stop;
static long churned;

static void *churn(void *arg)
{
	struct nl nl;

	(void)arg;
	nl_open(&nl, NETLINK_XFRM, 0);
	while (!stop) {
		if (sa_add(&nl, 99, 0x9999, 300) || sa_del(&nl, 99, 0x9999))
			die("churn: %s", nl.text);
		churned++;
	}
	return NULL;
}

static long walks(void)
{
	char line[256];
	long n = -1, miss;
	FILE *f = fopen(TRACE "kprobe_profile", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " ka %ld %ld", &n, &miss) == 2)
			break;
	fclose(f);
	return n;
}

int main(void)
{
	int idle, slow, late, far, n;
	double t, start;
	pthread_t thread;
	long w;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL);
	write_file(TRACE "kprobe_events", "p:ka nat_keepalive_work");
	write_file(TRACE "events/kprobes/ka/enable", "1");
	nl_open(&nl, NETLINK_XFRM, 0);
	idle = sock_of(2);
	slow = sock_of(3);
	late = sock_of(4);
	far = sock_of(5);
	setvbuf(stdout, NULL, _IOLBF, 0);

	printf("TAP version 13\n");

	add(2, 1);
	t = wait_for(idle, 1, 30);
	ok(t, "an SA sends its first keepalive (%.1f s)", t);
	t = wait_for(idle, 10, 60);
	ok(t > 8.5 && t < 14, "an idle SA with an interval of 1 s sends 10 in 10 s (%.1f s)", t);

	add(3, 300);
	t = wait_for(slow, 1, 30);
	ok(t, "one with 300 s sends its first (%.1f s)", t);
	wait_for(idle, 5, 30);
	n = drain(slow);
	ok(n == 0, "and no more beside one with 1 s (%d)", n);

	if (sa_del(&nl, 2, 2))
		die("DELSA");
	sleep(3);
	add(4, 300);
	t = wait_for(late, 1, 20);
	ok(t, "an SA that is added beside one with 300 s sends its first (%.1f s)", t);

	add(2, 1);
	wait_for(idle, 1, 30);
	if (pthread_create(&thread, NULL, churn, NULL))
		die("thread");
	t = wait_for(idle, 10, 60);
	stop = true;
	pthread_join(thread, NULL);
	ok(t > 8.5 && t < 14, "10 in 10 s beside %ld SAs that came and went (%.1f s)", churned, t);

	drain(slow);
	drain(late);
	clock_step(-86400);
	t = wait_for(idle, 5, 20);
	ok(t > 3.5 && t < 8, "the clock is a day back: 5 in 5 s (%.1f s)", t);
	n = drain(slow) + drain(late);
	ok(n == 0, "and none of SAs with 300 s (%d)", n);
	add(5, 300);
	t = wait_for(far, 1, 20);
	ok(t, "and the first of a new SA (%.1f s)", t);

	clock_step(2 * 86400);
	t = wait_for(idle, 5, 20);
	ok(t > 3.5 && t < 8, "the clock is a day ahead: 5 in 5 s (%.1f s)", t);
	n = drain(slow) + drain(late) + drain(far);
	ok(n == 0, "and none of SAs with 300 s (%d)", n);
	clock_step(-86400);

	w = walks();
	start = boot();
	for (n = 0; n < 1000 || boot() - start < 5; n++)
		if (sa_add(&nl, 100, 0x10000 + n, 300))
			die("NEWSA: %s", nl.text);
	w = walks() - w;
	t = boot() - start;
	ok(w >= 0 && w <= t + 2, "%d SAs in %.1f s: %ld walks of the SAD", n, t, w);

	write_file(TRACE "events/kprobes/ka/enable", "0");
	printf("1..%d\n", tap_number);
	return !!tap_failed;
}
