// SPDX-License-Identifier: GPL-2.0
/*
 * What a migration to a new source address costs if N SAs share a pair of
 * hosts: all of them migrate, one request each, and back. Prints the mean.
 *
 * Run: checks/bench/pair [N], which boots a guest whose clock counts instructions.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct newsa {
	struct nlmsghdr nlh;
	struct xfrm_usersa_info sa;
	struct nlattr nla;
	struct xfrm_algo_aead aead;
	char key[20];
};

struct move {
	struct nlmsghdr nlh;
	struct xfrm_user_migrate_state um;
};

static int fd;

static void request(struct nlmsghdr *nlh, int type, size_t len)
{
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		char rest[1024];
	} ack;

	nlh->nlmsg_len = len;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, nlh, len, 0) < 0 || recv(fd, &ack, sizeof(ack), 0) < 0 ||
	    ack.nlh.nlmsg_type != NLMSG_ERROR || ack.err.error) {
		printf("pair: request %d failed\n", type);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char *const source[] = { "10.0.0.3", "10.0.0.1" };
	int n = argc > 1 ? atoi(argv[1]) : 10000;
	double start;
	int i, round;

	if (unshare(CLONE_NEWNET))
		return 1;
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);

	for (i = 0; i < n; i++) {
		struct newsa m = {
			.sa.id.daddr.a4 = inet_addr("10.0.0.2"),
			.sa.id.spi = htonl(0x1000 + i),
			.sa.id.proto = IPPROTO_ESP,
			.sa.saddr.a4 = inet_addr(source[1]),
			.sa.family = AF_INET,
			.sa.sel.family = AF_INET,
			.sa.mode = XFRM_MODE_TUNNEL,
			.sa.reqid = 1,
			.nla.nla_type = XFRMA_ALG_AEAD,
			.nla.nla_len = sizeof(m) - offsetof(struct newsa, nla),
			.aead.alg_name = "rfc4106(gcm(aes))",
			.aead.alg_key_len = 160,
			.aead.alg_icv_len = 128,
		};

		memset(&m.sa.lft, 0xff, 4 * sizeof(__u64));
		request(&m.nlh, XFRM_MSG_NEWSA, sizeof(m));
	}

	for (round = 0; round < 2; round++) {
		start = now();
		for (i = 0; i < n; i++) {
			struct move m = {
				.um.id.daddr.a4 = inet_addr("10.0.0.2"),
				.um.id.spi = htonl(0x1000 + i),
				.um.id.family = AF_INET,
				.um.id.proto = IPPROTO_ESP,
				.um.new_daddr.a4 = inet_addr("10.0.0.2"),
				.um.new_saddr.a4 = inet_addr(source[round]),
				.um.new_sel.family = AF_INET,
				.um.new_reqid = 1,
				.um.new_family = AF_INET,
			};

			request(&m.nlh, XFRM_MSG_MIGRATE_STATE, sizeof(m));
		}
		printf("%d SAs of one pair, source %s: %.0f instructions each\n",
		       n, source[round], (now() - start) / n);
	}
	return 0;
}
