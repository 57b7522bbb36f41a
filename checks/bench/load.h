/* SPDX-License-Identifier: GPL-2.0 */
/* Two hosts and a tunnel between them, for load.c and path.c. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench.h"

#define REQID 1
#define PORT 9000
#define NAT_PORT 4500
#define PLAIN(host) (0xc6336401 + (host))	/* 198.51.100.1 and .2 */
#define OUTER(host) (0xc0000201 + (host))	/* 192.0.2.1 and .2 */
#define OUTER2 0xc0000203			/* another one of host 0 */

enum method {
	NONE,
	SAME,		/* MIGRATE_STATE, nothing changes */
	NAT,		/* MIGRATE_STATE, another port of the NAT */
	ROAM,		/* MIGRATE_STATE with the policy after it: new source */
	OLD,		/* XFRM_MSG_MIGRATE: the same, as policies bid */
	DELNEW,		/* GETSA, DELSA, NEWSA with the counters that GETSA told */
	METHODS
};

struct worker {
	struct net *net;
	pthread_t thread;
	int cpu;
	int tx[2], rx[2];	/* one each direction */
	unsigned long sent[2], received[2], given_up[2];
	unsigned long errors;
	uint64_t last[2];	/* when the last packet came */
	uint64_t silence;	/* the longest */
};

struct net {
	struct host hosts[2];
	struct spec sas[4];	/* two at each host: out, in */
	struct worker workers[MAX_CPUS];
	int nworkers;
	atomic_bool stop;
	int encap_fd[2];

	/* the migrator */
	pthread_t migrator;
	atomic_bool stop_migrator;
	enum method method;
	unsigned int rate;	/* a second, 0: as many as go */
	unsigned int migrations;
	unsigned int refused;	/* of these */
};

/* A UDP socket of @host at this address, connected to @peer if that is not 0 */
int udp_socket(const struct host *host, uint32_t addr, int port, uint32_t peer);

/* Two hosts, a veth, two SAs (AES-GCM, in UDP if @encap) and their policies */
void net_open(struct net *net, bool encap);
void net_close(struct net *net);

/* A TCP connection from host 0 to host 1 */
void tcp_pair(const struct net *net, int *tx, int *rx);

#endif
