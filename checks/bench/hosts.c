// SPDX-License-Identifier: GPL-2.0
/* Clocks, CPUs, hosts. */

#include "bench.h"

#include <linux/veth.h>

uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_now(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* What is not idle, kernel threads and interrupts included. By ticks: good for
 * differences of a second, not of a millisecond.
 */
uint64_t busy(void)
{
	unsigned long long v[8] = {};
	char buf[512];
	int fd, len;

	fd = open("/proc/stat", O_RDONLY);
	len = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (len <= 0)
		die("cannot read /proc/stat");
	buf[len] = '\0';
	sscanf(buf, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1,
	       v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
	return (v[0] + v[1] + v[2] + v[5] + v[6]) *
	       (1000000000ULL / sysconf(_SC_CLK_TCK));
}

void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int cpus(void)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > MAX_CPUS ? MAX_CPUS : n;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("no CPU %d", cpu);
}

/* Unlike nl_open() it holds the answers to thousands of messages. */
int bench_open(int protocol, unsigned int group)
{
	struct timeval tv = { .tv_sec = 60 };
	int size = 64 << 20, off = 0;
	struct nl nl;

	nl_open(&nl, protocol, group);
	if (setsockopt(nl.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(nl.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(nl.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    /* an error costs no more to report than a success */
	    setsockopt(nl.fd, SOL_NETLINK, NETLINK_EXT_ACK, &off, sizeof(off)))
		die("netlink socket");
	return nl.fd;
}

/* Messages of @type that are queued */
unsigned int drain(int fd, uint16_t type)
{
	unsigned int n = 0;
	char buf[4096];

	for (;;) {
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN)
				return n;
			die("events");
		}
		n += ((struct nlmsghdr *)buf)->nlmsg_type == type;
	}
}

void host_open(struct host *host)
{
	if (unshare(CLONE_NEWNET))
		die("a network namespace");
	host->ns = open("/proc/thread-self/ns/net", O_RDONLY);
	host->fd = bench_open(NETLINK_XFRM, 0);
	host->acquire = bench_open(NETLINK_XFRM, XFRMNLGRP_ACQUIRE);
	host->stat = open("/proc/thread-self/net/xfrm_stat", O_RDONLY);
	if (host->ns < 0 || host->stat < 0)
		die("/proc");
}

void host_close(struct host *host)
{
	close(host->ns);
	close(host->fd);
	close(host->acquire);
	close(host->stat);
}

void host_enter(const struct host *host)
{
	if (setns(host->ns, CLONE_NEWNET))
		die("setns");
}

/* Sends @m, whose data may have attributes inside of attributes. */
static void rtnl(struct msg *m, const char *what)
{
	struct nl nl;

	nl_open(&nl, NETLINK_ROUTE, 0);
	if (nl_request(&nl, m))
		die("%s: %s %s", what, strerror(nl.err), nl.text);
	close(nl.fd);
}

/* Attributes inside of one, after @data. Returns what nest_end() wants. */
static struct rtattr *nest(struct msg *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr *rta = (void *)((char *)m + NLMSG_ALIGN(m->nlh.nlmsg_len));

	msg_attr(m, type, data, len);
	return rta;
}

static void nest_end(struct msg *m, struct rtattr *rta)
{
	rta->rta_len = (char *)m + m->nlh.nlmsg_len - (char *)rta;
}

/* A veth with one end in each; they have the same name. */
void link_pair(const struct host *a, const struct host *b, const char *name)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct rtattr *info, *data, *peer;
	struct msg m;

	host_enter(a);
	msg_init(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	msg_attr(&m, IFLA_IFNAME, name, strlen(name) + 1);
	info = nest(&m, IFLA_LINKINFO, NULL, 0);
	msg_attr(&m, IFLA_INFO_KIND, "veth", 4);
	data = nest(&m, IFLA_INFO_DATA, NULL, 0);
	peer = nest(&m, VETH_INFO_PEER, &ifi, sizeof(ifi));
	msg_attr(&m, IFLA_IFNAME, name, strlen(name) + 1);
	msg_attr(&m, IFLA_NET_NS_FD, &b->ns, sizeof(b->ns));
	nest_end(&m, peer);
	nest_end(&m, data);
	nest_end(&m, info);
	rtnl(&m, "veth");
}

void link_up(const char *name)
{
	struct ifinfomsg ifi = {
		.ifi_index	= if_nametoindex(name),
		.ifi_flags	= IFF_UP,
		.ifi_change	= IFF_UP,
	};
	struct msg m;

	msg_init(&m, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	rtnl(&m, "link up");
}

void addr4_add(const char *name, uint32_t addr, int prefix)
{
	struct ifaddrmsg ifa = {
		.ifa_family	= AF_INET,
		.ifa_prefixlen	= prefix,
		.ifa_index	= if_nametoindex(name),
	};
	struct msg m;

	msg_init(&m, RTM_NEWADDR, NLM_F_CREATE, &ifa, sizeof(ifa));
	msg_u32(&m, IFA_LOCAL, htonl(addr));
	msg_u32(&m, IFA_ADDRESS, htonl(addr));
	rtnl(&m, "address");
}

const char *const mib_names[MIBS] = {
	"XfrmInNoStates", "XfrmOutNoStates", "XfrmInStateInvalid",
	"XfrmOutStateInvalid", "XfrmInStateSeqError", "XfrmInStateMismatch",
	"other",
};

/* Add what xfrm_stat of @host says now, or take it off. */
void mib_add(const struct host *host, unsigned long mib[MIBS], int sign)
{
	char buf[8192], name[64], *line, *next;
	unsigned long val;
	ssize_t len;
	int i;

	len = pread(host->stat, buf, sizeof(buf) - 1, 0);
	if (len <= 0)
		die("cannot read xfrm_stat");
	buf[len] = '\0';
	for (line = strtok_r(buf, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%63s %lu", name, &val) != 2)
			continue;
		for (i = 0; i < OTHER && strcmp(name, mib_names[i]); i++)
			;
		mib[i] += sign * val;
	}
}
