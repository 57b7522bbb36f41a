/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the bench share: clocks, hosts, SAs by number and kind. */
#ifndef BENCH_H
#define BENCH_H

#include "../lib/xfrm.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>

#define SPI 0x1000	/* of SA number 0; those of IPComp have 16 bits */
#define MAX_CPUS 64

/* --- hosts.c: clocks, CPUs, network namespaces */

uint64_t now_ns(void);
uint64_t cpu_now(void);		/* ns of CPU time of this thread */
uint64_t busy(void);		/* ns of CPU time of the whole machine */
void sleep_ms(unsigned int ms);
int compare_ns(const void *a, const void *b);	/* two uint64_t, for qsort() */
int cpus(void);			/* how many; numbers are 0, 1, ... */
void pin(int cpu);

/* A socket for batches */
int bench_open(int protocol, unsigned int group);
unsigned int drain(int fd, uint16_t type);

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
	IN_NO_STATES, OUT_NO_STATES, IN_INVALID, OUT_INVALID, IN_SEQ,
	IN_MISMATCH, OTHER,
	MIBS
};
extern const char *const mib_names[MIBS];
void mib_add(const struct host *host, unsigned long mib[MIBS], int sign);

/* --- sas.c: what SAs are to be, and messages for them in batches */

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

struct spec {
	const struct kind *kind;
	uint32_t spi, reqid;
	uint32_t saddr, daddr;	/* IPv4, host order */
	uint16_t sport;		/* of UDP encapsulation, 0: none */
	uint32_t mark;		/* with all bits in the mask, 0: none */
	struct xfrm_replay_state replay;
	struct window *window;	/* in place of replay, if there is one */
};

struct window *window_new(void);

void batch_newsa(struct batch *b, const struct spec *sa);
void batch_delsa(struct batch *b, const struct spec *sa);
void batch_getsa(struct batch *b, const struct spec *sa, bool ack);
/* @sa is to be as @to. */
void batch_migrate_state(struct batch *b, const struct spec *sa, const struct spec *to);
/* The answers to @n XFRM_MSG_GETSA: the counters of each of @sas. */
void replay_read(int fd, struct spec *sas, unsigned int n);

void batch_policy(struct batch *b, uint16_t type, int dir, uint32_t plain_s,
		  uint32_t plain_d, const struct spec *sa);
/* XFRM_MSG_MIGRATE of the outbound policy from @plain_s to @plain_d. */
void batch_migrate(struct batch *b, uint32_t plain_s, uint32_t plain_d,
		   const struct spec *sa, const struct spec *to);

bool has_migrate_state(void);
void quiet_down(void);

/* --- the parts: each prints lines "NAME key=value ..." */

void do_cost(const char *kind, int rounds);
void do_scale(int rounds, unsigned int most);
void do_memory(int rounds);
void do_flood(int rounds, int ms);
void do_tcp(int rounds, int ms);
void do_storm(int rounds, unsigned int sas);
void do_latency(int rounds, unsigned int sas);
void do_path(int rounds);
void do_one(const char *what, int times);
void do_pair(unsigned int n);

#endif
