// SPDX-License-Identifier: GPL-2.0
/* What a packet costs if nothing migrates: from send() to recv(), through ESP in
 * tunnel mode, out of one host and into the other.
 *
 * Meant for one CPU whose clock counts instructions: then each packet has arrived when
 * send() returns, and every round of one kernel is alike.
 */

#include "load.h"

#define WARM_UP 64
#define PACKETS 512
#define PER_PEER 10
#define PEERS 0x0a010000
#define TCP_BYTES (8 << 20)

/* Others in the SADs and SPDs of both hosts */
static void fill(struct net *net, unsigned int n)
{
	struct batch req = {};
	unsigned int i;
	int host;

	for (host = 0; host < 2; host++) {
		for (i = 1; i < n; i++) {
			struct spec sa = {
				.kind	= kinds,
				.spi	= SPI + 16 + i,
				.reqid	= 100 + i,
				.saddr	= OUTER(host),
				.daddr	= PEERS + i / PER_PEER,
			};

			batch_newsa(&req, &sa);
			batch_policy(&req, XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT,
				     PLAIN(host), PEERS + i, &sa);
			if (i % 128 && i != n - 1)
				continue;
			batch_do(net->hosts[host].fd, &req, "SAs and policies");
			batch_reset(&req);
		}
	}
	batch_free(&req);
}

static double path_udp(struct net *net, bool connected)
{
	struct sockaddr_in to = {
		.sin_family		= AF_INET,
		.sin_port		= htons(PORT),
		.sin_addr.s_addr	= htonl(PLAIN(1)),
	};
	struct sockaddr *dest = connected ? NULL : (void *)&to;
	socklen_t len = connected ? 0 : sizeof(to);
	char packet[64] = {};
	int rx, tx, i;
	uint64_t t = 0;

	rx = udp_socket(&net->hosts[1], PLAIN(1), PORT, 0);
	tx = udp_socket(&net->hosts[0], PLAIN(0), PORT, connected ? PLAIN(1) : 0);
	for (i = 0; i < WARM_UP + PACKETS; i++) {
		if (i == WARM_UP)
			t = now_ns();
		if (sendto(tx, packet, sizeof(packet), 0, dest, len) < 0 ||
		    recv(rx, packet, sizeof(packet), 0) != sizeof(packet))
			die("a packet was lost");
	}
	t = now_ns() - t;
	close(rx);
	close(tx);
	return (double)t / PACKETS;
}

/* Per KiB. Without software GSO each segment goes through ESP alone. */
static double path_tcp(struct net *net)
{
	static char buf[65536];
	long long done = 0;
	uint64_t t = 0;
	ssize_t len;
	int tx, rx;

	tcp_pair(net, &tx, &rx);
	/* the first MiB warms up */
	while (done < TCP_BYTES + (1 << 20)) {
		if (send(tx, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != EAGAIN)
			die("TCP");
		len = recv(rx, buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN)
			die("TCP");
		if (len < 0)
			continue;
		if (done < 1 << 20 && done + len >= 1 << 20)
			t = now_ns();
		done += len;
	}
	t = now_ns() - t;
	close(tx);
	close(rx);
	return (double)t / (TCP_BYTES >> 10);
}

void do_path(int rounds)
{
	static const unsigned int sizes[] = { 1, 1000 };
	static struct net net;
	int round, i;

	pin(0);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 2; i++) {
			net_open(&net, false);
			fill(&net, sizes[i]);
			quiet_down();
			printf("path what=connected sas=%u round=%d ns=%.0f\n",
			       sizes[i], round, path_udp(&net, true));
			printf("path what=unconnected sas=%u round=%d ns=%.0f\n",
			       sizes[i], round, path_udp(&net, false));
			printf("path what=tcp sas=%u round=%d ns=%.0f\n", sizes[i],
			       round, path_tcp(&net));
			fflush(stdout);
			net_close(&net);
		}
	}
}
