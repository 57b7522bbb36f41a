/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the bench share: netlink, hosts, SAs, clocks. */
#ifndef BENCH_NL_H
#define BENCH_NL_H

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <linux/veth.h>
#include <linux/xfrm.h>

#define SPI 0x1000	/* of SA number 0; those of IPComp have 16 bits */
#define MAX_CPUS 64
#define ACK_ANY (-1)	/* whatever the kernel answers is right */

/* A measurement that did not measure what it says is none: stop. */
#define die(fmt, ...)							\
	do {								\
		fprintf(stderr, "bench: " fmt "\n", ##__VA_ARGS__);	\
		exit(1);						\
	} while (0)

/* --- clocks, CPUs */

uint64_t now(void);		/* ns */
uint64_t cpu_now(void);		/* ns of CPU time of this thread */
uint64_t busy(void);		/* ns of CPU time of the whole machine */
void sleep_ms(unsigned int ms);
int cpus(void);			/* how many; numbers are 0, 1, ... */
void pin(int cpu);

/* --- requests: messages one after the other in a buffer */

struct req {
	char *buf;
	size_t len, cap;
	unsigned int n;		/* messages */
	size_t *at;		/* where each begins, and behind the last */
	unsigned int at_cap;
};

void req_reset(struct req *req);
void req_free(struct req *req);
void *req_msg(struct req *req, uint16_t type, uint16_t flags,
	      const void *payload, size_t len);
struct rtattr *req_attr(struct req *req, uint16_t type, const void *data,
			size_t len);
size_t req_nest(struct req *req, uint16_t type, const void *data, size_t len);
void req_nest_end(struct req *req, size_t nest);

int nl_open(int protocol, unsigned int group);
/* Send messages @first to @first + @n - 1 in one sendmsg() and read as many
 * acknowledgements. Returns 0 if each of them is @expect, or the first other.
 */
int req_send(int fd, const struct req *req, unsigned int first, unsigned int n,
	     int expect);
/* All of them in one, which has to succeed. */
void req_do(int fd, const struct req *req, const char *what);
unsigned int drain(int fd, uint16_t type);

/* --- hosts: network namespaces */

struct host {
	int ns;
	int fd;			/* NETLINK_XFRM */
	int acquire;		/* hears XFRM_MSG_ACQUIRE */
	int stat;		/* xfrm_stat */
};

void host_open(struct host *host);
void host_close(struct host *host);
void host_enter(const struct host *host);
void link_pair(const struct host *a, const struct host *b, const char *name);
void link_up(const char *name);
void addr4_add(const char *name, uint32_t addr, int prefix);

enum mib {
	IN_NO_STATES, OUT_NO_STATES, IN_INVALID, OUT_INVALID, IN_SEQ, OTHER,
	MIBS
};
extern const char *const mib_names[MIBS];
void mib_add(const struct host *host, unsigned long mib[MIBS], int sign);

/* --- SAs */

struct kind {
	const char *name;
	uint8_t proto;
	uint16_t alg[2];	/* attributes */
	const char *alg_name[2];
	unsigned int key_len[2], trunc_len[2];
	bool esn, encap;
};

extern const struct kind kinds[];
const struct kind *kind_find(const char *name);

/* A window that is larger than what CPUs can overtake one another by */
struct window {
	struct xfrm_replay_state_esn esn;
	uint32_t bmp[64];
};

struct sa {
	const struct kind *kind;
	uint32_t spi, reqid;
	uint32_t saddr, daddr;	/* IPv4, host order */
	uint16_t sport;		/* of UDP encapsulation, 0: none */
	struct xfrm_replay_state replay;
	struct window *window;	/* in place of replay, if there is one */
};

struct window *window_new(void);

void sa_new(struct req *req, const struct sa *sa);
void sa_del(struct req *req, const struct sa *sa);
void sa_get(struct req *req, const struct sa *sa, uint16_t flags);
/* @sa is to be as @to. */
void sa_migrate(struct req *req, const struct sa *sa, const struct sa *to);
/* The answers to @n sa_get(): the counters of each of @sas. */
void sa_replay_read(int fd, struct sa *sas, unsigned int n);

void policy(struct req *req, uint16_t type, int dir, uint32_t plain_s,
	    uint32_t plain_d, const struct sa *sa);
/* XFRM_MSG_MIGRATE of the outbound policy from @plain_s to @plain_d. */
void policy_migrate(struct req *req, uint32_t plain_s, uint32_t plain_d,
		    const struct sa *sa, const struct sa *to);

bool has_migrate_state(void);
void quiet_down(void);

/* --- the parts: each prints lines "NAME key=value ..." */

void do_cost(const char *kind, int rounds);
void do_scale(int rounds, unsigned int most);
void do_memory(int rounds);
void do_flood(int rounds, int ms);
void do_tcp(int rounds, int ms);
void do_storm(int rounds, unsigned int sas);
void do_one(const char *what);

#endif
