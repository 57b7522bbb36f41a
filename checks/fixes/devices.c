// SPDX-License-Identifier: GPL-2.0
/*
 * Offloaded SAs come, go and (where the kernel can) migrate, while their device goes down and up,
 * is deleted and created, and others read the SAs.
 *
 *   devices SECS [migrate]
 *
 * TAP on stdout. What counts most is what KASAN, lockdep and the reference counts say.
 */
#include "../lib/xfrm.h"

#include <pthread.h>
#include <sys/mount.h>

#define NSIM_ID 77
#define SAS 30
#define WORKERS 3

static volatile bool stop;
static volatile int ifindex;
static bool migrate;
static long added, failed, deleted, moved, unmoved, downs, removed, dumps, gets, attrs;

#define HERE 0x0a000001
#define THERE 0x0a000002

static int sa_new(struct nl *nl, uint32_t spi, int dev)
{
	struct xfrm_usersa_info info = info4(IPPROTO_ESP, XFRM_MODE_TRANSPORT, spi, HERE, THERE);
	struct msg m;

	info.replay_window = spi & 1 ? 32 : 0;
	msg_init(&m, XFRM_MSG_NEWSA, 0, &info, sizeof(info));
	msg_aead(&m, "rfc4106(gcm(aes))", 160, 128);
	msg_u8(&m, XFRMA_SA_DIR, spi & 1 ? XFRM_SA_DIR_IN : XFRM_SA_DIR_OUT);
	if (dev)
		msg_offload(&m, dev, spi & 1 ? XFRM_OFFLOAD_INBOUND : 0);
	return nl_request(nl, &m);
}

static int sa_del(struct nl *nl, uint32_t spi)
{
	struct xfrm_usersa_id id = id4(IPPROTO_ESP, spi, THERE);
	struct msg m;

	msg_init(&m, XFRM_MSG_DELSA, 0, &id, sizeof(id));
	return nl_request(nl, &m);
}

static int sa_migrate(struct nl *nl, uint32_t spi, int dev, uint32_t src)
{
	struct xfrm_user_migrate_state um = move4(id4(IPPROTO_ESP, spi, THERE), src, THERE, 0);
	struct msg m;

	msg_init(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
	if (dev)
		msg_offload(&m, dev, spi & 1 ? XFRM_OFFLOAD_INBOUND : 0);
	return nl_request(nl, &m);
}

static void *work(void *arg)
{
	int first = (long)arg * SAS / WORKERS + 0x1000;
	unsigned int n = 0;
	struct nl nl;

	nl_open(&nl, NETLINK_XFRM, 0);
	while (!stop) {
		int spi = first + n++ % (SAS / WORKERS);

		if (sa_new(&nl, spi, ifindex) && nl.err != EEXIST)
			__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&added, 1, __ATOMIC_RELAXED);
		if (migrate) {
			int i;

			for (i = 0; i < 8 && !stop; i++)
				if (sa_migrate(&nl, spi, ifindex, 0x0a000003 + i % 2))
					__atomic_add_fetch(&unmoved, 1, __ATOMIC_RELAXED);
				else
					__atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
			if (n % 8)
				continue;
		}
		if (!sa_del(&nl, spi))
			__atomic_add_fetch(&deleted, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void nothing(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	(void)arg;
}

static void *dump(void *arg)
{
	struct nl nl;

	(void)arg;
	nl_open(&nl, NETLINK_XFRM, 0);
	while (!stop)
		if (sad_each(&nl, nothing, NULL) >= 0)
			dumps++;
	return NULL;
}

static void *get(void *arg)
{
	struct xfrm_usersa_id id;
	struct nl nl;
	struct msg m;
	int n = 0;

	(void)arg;
	nl_open(&nl, NETLINK_XFRM, 0);
	while (!stop) {
		id = id4(IPPROTO_ESP, 0x1000 + n++ % SAS, THERE);
		msg_init(&m, XFRM_MSG_GETSA, 0, &id, sizeof(id));
		if (!nl_request(&nl, &m) && nl.answer.nlh.nlmsg_len) {
			struct sa sa;

			sa_parse(&nl.answer.nlh, &sa);
			attrs += sa.len[XFRMA_OFFLOAD_DEV] >= 0;
			gets++;
		}
	}
	return NULL;
}

static int updown(int dev, bool up)
{
	struct ifreq ifr = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (!if_indextoname(dev, ifr.ifr_name))
		return -1;
	ifr.ifr_flags = up ? IFF_UP : 0;
	err = ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return err;
}

/* Deletes the device in a process of its own, which may have to wait for references. */
static bool removable(int id, int secs)
{
	pid_t pid = fork();
	int i, status;

	if (!pid) {
		nsim_del(id);
		_exit(0);
	}
	for (i = 0; i < 10 * secs; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return true;
		usleep(100000);
	}
	return false;
}

/* Make the collector and the flush of the device take longer where they look at one SA. */
static void slow_down(void)
{
	const char *const fns[] = { "xfrm_dev_state_free", "xfrm_dev_state_release" };
	char buf[120];
	unsigned int i;

	mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL);
	for (i = 0; i < ARRAY_SIZE(fns); i++) {
		snprintf(buf, sizeof(buf), "p:slow%u %s", i, fns[i]);
		if (write_file_flags("/sys/kernel/tracing/kprobe_events", buf, O_APPEND))
			continue;
		snprintf(buf, sizeof(buf), "/sys/kernel/tracing/events/kprobes/slow%u/trigger", i);
		printf("# %s is slow: %s\n", fns[i], write_file(buf, "stacktrace") ? "no" : "yes");
		snprintf(buf, sizeof(buf), "/sys/kernel/tracing/events/kprobes/slow%u/enable", i);
		write_file(buf, "1");
	}
}

int main(int argc, char **argv)
{
	int secs = argc > 1 ? atoi(argv[1]) : 30, i, n, left;
	pthread_t threads[WORKERS + 2];
	bool gone = true;
	double start;
	struct nl nl;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..4\n");
	migrate = argc > 2 && !strcmp(argv[2], "migrate");
	slow_down();
	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	nl_open(&nl, NETLINK_XFRM, 0);
	ifindex = nsim_add(NSIM_ID);
	if (!ifindex)
		die("no netdevsim");
	updown(ifindex, true);
	if (sa_new(&nl, 0x98, ifindex))
		die("an offloaded SA: %s %s", strerror(nl.err), nl.text);
	ok(nsim_count(NSIM_ID) == 1, "the device has an SA");

	for (i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(long)i);
	pthread_create(&threads[i++], NULL, dump, NULL);
	pthread_create(&threads[i++], NULL, get, NULL);

	for (start = now(); now() - start < secs && gone;) {
		/* at any moment of the collector's work */
		for (n = 0; n < 40; n++) {
			updown(ifindex, false);
			downs++;
			updown(ifindex, true);
			usleep(rand() % 40000);
		}
		gone = removable(NSIM_ID, 60);
		removed += gone;
		if (gone)
			ifindex = nsim_add(NSIM_ID);
		updown(ifindex, true);
		usleep(50000);
	}
	stop = true;
	for (i = 0; i < WORKERS + 2; i++)
		pthread_join(threads[i], NULL);
	printf("# SAs: %ld added, %ld not, %ld deleted; %ld moved, %ld not; device: %ld times down, %ld removed; %ld dumps, %ld reads, %ld with a device\n",
	       added, failed, deleted, moved, unmoved, downs, removed, dumps, gets, attrs);
	ok(added && deleted && downs && removed && dumps && attrs && (!migrate || moved),
	   "all of it has happened");

	sad_flush(&nl, 0);
	left = nsim_settled(NSIM_ID, 0);
	ok(!left, "without SAs the device has none (%d)", left);
	gone = gone && removable(NSIM_ID, 60);
	ok(gone, "the device can be removed");
	_exit(!!tap_failed);
}
