// SPDX-License-Identifier: GPL-2.0
/*
 * A network namespace ends while the garbage collector is busy with SAs of another one, and an
 * IPComp SA in tunnel mode that was never in the SAD waits behind those. It holds the last
 * reference to its tunnel state.
 *
 *   tunnel-gc [SAS [ROUNDS]]
 *
 * TAP on stdout; a round fails if the kernel has warned.
 */
#include "../lib/xfrm.h"

static int tainted(void)
{
	char buf[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 1)
		die("tainted");
	close(fd);
	return atoi(buf);
}

static void addrs(struct xfrm_usersa_info *info, int family)
{
	info->family = family;
	if (family == AF_INET) {
		info->id.daddr.a4 = htonl(0x0a000002);
		info->saddr.a4 = htonl(0x0a000001);
		return;
	}
	info->id.daddr.a6[0] = htonl(0x20010db8);
	info->id.daddr.a6[3] = htonl(2);
	info->saddr.a6[0] = htonl(0x20010db8);
	info->saddr.a6[3] = htonl(1);
}

static int sa_new(struct nl *nl, int proto, int family, uint32_t spi, int type)
{
	struct xfrm_usersa_info info = { .lft = unlimited() };
	struct msg m;

	addrs(&info, family);
	info.id.proto = proto;
	info.id.spi = htonl(spi);
	info.mode = XFRM_MODE_TUNNEL;
	msg_init(&m, type, 0, &info, sizeof(info));
	if (proto == IPPROTO_ESP)
		msg_aead(&m, "rfc4106(gcm(aes))", 160, 128);
	else if (proto == IPPROTO_AH)
		msg_algo(&m, XFRMA_ALG_AUTH, "hmac(sha1)", 160);
	else
		msg_algo(&m, XFRMA_ALG_COMP, "deflate", 0);
	return nl_request(nl, &m);
}

static void must(struct nl *nl, int err, const char *what)
{
	if (err)
		die("%s: %s %s", what, strerror(nl->err), nl->text);
}

static void flush(struct nl *nl, int proto)
{
	must(nl, sad_flush(nl, proto), "flush");
}

int main(int argc, char **argv)
{
	int sas = argc > 1 ? atoi(argv[1]) : 3000;
	int rounds = argc > 2 ? atoi(argv[2]) : 4;
	int home = open("/proc/self/ns/net", O_RDONLY);
	int i, round, before, bad = 0;
	struct nl busy, ends;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", rounds);
	if (home < 0 || unshare(CLONE_NEWNET))
		die("unshare");
	nl_open(&busy, NETLINK_XFRM, 0);
	for (round = 0; round < rounds; round++) {
		int family = round % 4 < 3 ? AF_INET6 : AF_INET;
		bool update = round % 2;

		before = tainted();
		if (unshare(CLONE_NEWNET) ||
		    system("ip link add v type veth peer name seen netns 1"))
			die("namespace");
		nl_open(&ends, NETLINK_XFRM, 0);
		if (setns(home, CLONE_NEWNET))
			die("setns");
		for (i = 1; i <= sas; i++) {
			must(&busy, sa_new(&busy, IPPROTO_ESP, AF_INET, i, XFRM_MSG_NEWSA), "ESP");
			must(&busy, sa_new(&busy, IPPROTO_AH, AF_INET, i, XFRM_MSG_NEWSA), "AH");
		}
		must(&ends, sa_new(&ends, IPPROTO_COMP, family, 0x100, XFRM_MSG_NEWSA), "IPComp");

		/* the first lot is for a run of its own */
		flush(&busy, IPPROTO_ESP);
		usleep(100000);
		i = sa_new(&ends, IPPROTO_COMP, family, 0x100,
			   update ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA);
		if (i != (update ? 0 : EEXIST))
			die("the second IPComp SA: %s", strerror(i));
		/* the second lot is destroyed before it: last in, first out */
		flush(&busy, IPPROTO_AH);
		flush(&ends, 0);
		close(ends.fd);

		for (i = 0; i < 1200 && if_nametoindex("seen"); i++)
			usleep(100000);
		if (if_nametoindex("seen"))
			die("the namespace does not end");
		/* the collector comes after it */
		for (i = 0; i < 50 && tainted() == before; i++)
			usleep(100000);
		if (tainted() == before) {
			printf("ok %d", round + 1);
		} else {
			printf("not ok %d", round + 1);
			bad++;
		}
		printf(" an IPv%d IPComp SA that %s, and its namespace ends\n",
		       family == AF_INET ? 4 : 6,
		       update ? "updated another" : "could not be added");
	}
	return bad ? 1 : 0;
}
