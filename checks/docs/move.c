/* SPDX-License-Identifier: GPL-2.0 */
/* move DST SPI NEW-SRC: what a caller of the document's example does: reads the SA,
 * moves it and the policy for packets from 10.1.0.0/16 to 10.2.0.0/16, which has to be
 * there. Exits with 0, 3 if there is no such SA, 1 on other errors.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

int move_source(int fd, const struct xfrm_usersa_info *sa,
		const struct xfrm_userpolicy_info *pol,
		const struct xfrm_user_tmpl *tmpl, __be32 saddr);

int main(int argc, char *argv[])
{
	struct {
		struct nlmsghdr nlh;
		struct xfrm_usersa_id id;
	} get = {
		.nlh = {
			.nlmsg_len = sizeof(get),
			.nlmsg_type = XFRM_MSG_GETSA,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.id = { .family = AF_INET, .proto = IPPROTO_ESP },
	};
	struct {
		struct nlmsghdr nlh;
		union {
			struct xfrm_usersa_info sa;
			char rest[4096];
		};
	} answer;
	struct xfrm_userpolicy_info pol = {
		.sel = {
			.family = AF_INET,
			.prefixlen_d = 16,
			.prefixlen_s = 16,
		},
		.lft = { XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0 },
		.dir = XFRM_POLICY_OUT,
	};
	struct xfrm_user_tmpl tmpl = {
		.id.proto = IPPROTO_ESP,
		.family = AF_INET,
		.reqid = 7,
		.mode = XFRM_MODE_TUNNEL,
		.aalgos = ~0,
		.ealgos = ~0,
		.calgos = ~0,
	};
	struct in_addr saddr;
	int err, fd;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &get.id.daddr) != 1 ||
	    inet_pton(AF_INET, argv[3], &saddr) != 1)
		return 2;
	get.id.spi = htonl(strtoul(argv[2], NULL, 0));

	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
	if (fd < 0 || send(fd, &get, sizeof(get), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0) {
		perror("move");
		return 1;
	}
	if (answer.nlh.nlmsg_type != XFRM_MSG_NEWSA) {
		/* the example has to say so as well */
		memset(&answer, 0, sizeof(answer));
		answer.sa.id.daddr = get.id.daddr;
		answer.sa.id.spi = get.id.spi;
		answer.sa.id.proto = get.id.proto;
		answer.sa.family = AF_INET;
	}
	inet_pton(AF_INET, "10.1.0.0", &pol.sel.saddr);
	inet_pton(AF_INET, "10.2.0.0", &pol.sel.daddr);
	tmpl.id.daddr = answer.sa.id.daddr;
	err = move_source(fd, &answer.sa, &pol, &tmpl, saddr.s_addr);
	printf("move_source: %s\n", err ? strerror(-err) : "moved");
	if (err == -ESRCH)
		return 3;
	return err ? 1 : 0;
}
