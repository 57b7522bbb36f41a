/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs in checks/fuzz, fault, stress, fixes and bench have in common:
 * raw netlink, a dump of the SAD, messages one by one and many at once, and a few
 * kinds of SA.
 *
 * No libraries, no harness: linked statically these run in any guest.
 */
#ifndef LAB_XFRM_H
#define LAB_XFRM_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <linux/xfrm.h>

#include "tap.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))

UNUSED __attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf(" (%s)\n", strerror(errno));
	va_end(ap);
	fflush(stdout);
	_exit(2);
}

UNUSED static int write_file_flags(const char *name, const char *val, int flags)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC | flags);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = write(fd, val, strlen(val));
	close(fd);
	return len < 0 ? -1 : 0;
}

UNUSED static int write_file(const char *name, const char *val)
{
	return write_file_flags(name, val, 0);
}

UNUSED static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

UNUSED static double now(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1e9;
}

/* Messages */

struct msg {
	struct nlmsghdr nlh;
	char buf[4096 - sizeof(struct nlmsghdr)];
};

/* Behind its end it is as it was, which takes less time than msg_init(). */
UNUSED static void msg_start(struct msg *m, uint16_t type, uint16_t flags,
			     const void *payload, size_t len)
{
	memset(m, 0, NLMSG_LENGTH(0));
	m->nlh.nlmsg_len = NLMSG_LENGTH(len);
	m->nlh.nlmsg_type = type;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	if (payload)
		memcpy(NLMSG_DATA(&m->nlh), payload, len);
}

UNUSED static void msg_init(struct msg *m, uint16_t type, uint16_t flags,
			    const void *payload, size_t len)
{
	memset(m, 0, sizeof(*m));
	msg_start(m, type, flags, payload, len);
}

UNUSED static void msg_attr(struct msg *m, uint16_t type, const void *data,
			    size_t len)
{
	size_t offs = NLMSG_ALIGN(m->nlh.nlmsg_len);
	struct rtattr *rta = (void *)((char *)m + offs);

	if (offs + RTA_LENGTH(len) > sizeof(*m))
		die("a message of %zu bytes", offs + len);
	/* what is between two attributes */
	memset((char *)m + m->nlh.nlmsg_len, 0, offs - m->nlh.nlmsg_len);
	rta->rta_type = type;
	rta->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(rta), data, len);
	m->nlh.nlmsg_len = offs + rta->rta_len;
}

UNUSED static void msg_u32(struct msg *m, uint16_t type, uint32_t val)
{
	msg_attr(m, type, &val, sizeof(val));
}

UNUSED static void msg_u8(struct msg *m, uint16_t type, uint8_t val)
{
	msg_attr(m, type, &val, sizeof(val));
}

/* A socket, and what the kernel answered on it last. */
struct nl {
	int fd;
	uint32_t seq, portid;
	int err;		/* positive; ETIMEDOUT: no answer */
	uint32_t offs;		/* of the attribute at fault; 0: none named */
	char text[160];		/* extended acknowledgment */
	struct msg answer;	/* to a GET */
};

UNUSED static void nl_open(struct nl *nl, int proto, unsigned int group)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct timeval tv = { .tv_sec = 20 };
	socklen_t len = sizeof(addr);
	int one = 1, size = 1 << 20;

	memset(nl, 0, sizeof(*nl));
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, proto);
	if (nl->fd < 0 || bind(nl->fd, (void *)&addr, sizeof(addr)) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) ||
	    setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    (group && setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
				 &group, sizeof(group))) ||
	    getsockname(nl->fd, (void *)&addr, &len))
		die("netlink socket");
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	nl->portid = addr.nl_pid;
}

UNUSED static void nl_parse_ack(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);
	const struct rtattr *rta = (void *)(e + 1);
	int len = NLMSG_PAYLOAD(nlh, sizeof(*e));

	nl->err = -e->error;
	nl->offs = 0;
	nl->text[0] = '\0';
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(nl->text, sizeof(nl->text), "%.*s",
				 (int)RTA_PAYLOAD(rta), (char *)RTA_DATA(rta));
		else if (rta->rta_type == NLMSGERR_ATTR_OFFS)
			nl->offs = *(uint32_t *)RTA_DATA(rta);
	}
}

/* Wait for the acknowledgment of the last message. */
UNUSED static int nl_wait(struct nl *nl)
{
	char buf[1 << 15] __attribute__((aligned(8)));
	const struct nlmsghdr *nlh;
	int len;

	nl->answer.nlh.nlmsg_len = 0;
	for (;;) {
		len = recv(nl->fd, buf, sizeof(buf), 0);
		if (len < 0) {
			nl->err = errno == EAGAIN ? ETIMEDOUT : errno;
			nl->text[0] = '\0';
			nl->offs = 0;
			return nl->err;
		}
		for (nlh = (void *)buf; NLMSG_OK(nlh, (unsigned int)len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_seq != nl->seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				nl_parse_ack(nl, nlh);
				return nl->err;
			}
			if (nlh->nlmsg_len <= sizeof(nl->answer))
				memcpy(&nl->answer, nlh, nlh->nlmsg_len);
		}
	}
}

UNUSED static int nl_send(struct nl *nl, struct msg *m)
{
	m->nlh.nlmsg_seq = ++nl->seq;
	return send(nl->fd, m, m->nlh.nlmsg_len, 0) < 0 ? -1 : 0;
}

UNUSED static int nl_request(struct nl *nl, struct msg *m)
{
	if (nl_send(nl, m)) {
		nl->err = errno;
		nl->text[0] = '\0';
		nl->offs = 0;
		return nl->err;
	}
	return nl_wait(nl);
}

/* Messages one after the other in a buffer, to be sent in one go */

struct batch {
	char *buf;
	size_t len, cap;
	unsigned int n;		/* messages */
	size_t *at;		/* where each begins, and behind the last */
	unsigned int at_cap;
};

UNUSED static void batch_reset(struct batch *b)
{
	b->len = 0;
	b->n = 0;
}

UNUSED static void batch_free(struct batch *b)
{
	free(b->buf);
	free(b->at);
	memset(b, 0, sizeof(*b));
}

UNUSED static void batch_add(struct batch *b, struct msg *m)
{
	size_t len = NLMSG_ALIGN(m->nlh.nlmsg_len);

	if (b->len + len > b->cap) {
		b->cap = 2 * (b->len + len);
		b->buf = realloc(b->buf, b->cap);
	}
	if (b->n + 2 > b->at_cap) {
		b->at_cap = 2 * b->at_cap + 64;
		b->at = realloc(b->at, b->at_cap * sizeof(*b->at));
	}
	if (!b->buf || !b->at)
		die("memory");
	b->at[b->n++] = b->len;
	m->nlh.nlmsg_seq = b->n;
	memcpy(b->buf + b->len, m, m->nlh.nlmsg_len);
	memset(b->buf + b->len + m->nlh.nlmsg_len, 0, len - m->nlh.nlmsg_len);
	b->len += len;
	b->at[b->n] = b->len;
}

#define ACKS 64		/* read in one recvmmsg() */

/* Send messages @first to @first + @n - 1 in one sendmsg() and read as many
 * acknowledgements. Returns 0 if each of them is @expect, or the first other.
 */
UNUSED static int batch_send(int fd, const struct batch *b, unsigned int first,
			     unsigned int n, int expect)
{
	static __thread char buf[ACKS][1024];
	struct mmsghdr mm[ACKS];
	struct iovec iov[ACKS];
	int got, i, err = 0;
	size_t len;

	len = b->at[first + n] - b->at[first];
	if (send(fd, b->buf + b->at[first], len, 0) != (ssize_t)len)
		die("send %zu bytes", len);

	for (i = 0; i < ACKS; i++) {
		iov[i] = (struct iovec) { buf[i], sizeof(buf[i]) };
		memset(&mm[i], 0, sizeof(mm[i]));
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	while (n) {
		got = recvmmsg(fd, mm, n < ACKS ? n : ACKS, MSG_WAITFORONE,
			       NULL);
		if (got <= 0)
			die("no acknowledgement");
		for (i = 0; i < got; i++) {
			const struct nlmsghdr *nlh = (void *)buf[i];
			const struct nlmsgerr *ack = NLMSG_DATA(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR)
				die("message of type %u in place of an acknowledgement",
				    nlh->nlmsg_type);
			if (-ack->error != expect && !err)
				err = ack->error ? -ack->error : -1;
		}
		n -= got;
	}
	return err;
}

/* All of them in one, which has to succeed. */
UNUSED static void batch_do(int fd, const struct batch *b, const char *what)
{
	errno = batch_send(fd, b, 0, b->n, 0);
	if (errno)
		die("%s", what);
}

/* SAs, as a dump shows them */

#define SA_DATA 2048

struct sa {
	struct xfrm_usersa_info info;
	int16_t len[XFRMA_MAX + 1];	/* -1: no such attribute */
	uint16_t at[XFRMA_MAX + 1];	/* in data */
	uint16_t used;
	char data[SA_DATA];
};

UNUSED static void sa_set(struct sa *sa, int type, const void *data, int len)
{
	if (len > 0 && sa->used + len > SA_DATA)
		die("an SA of more than %d bytes", SA_DATA);
	sa->len[type] = len;
	if (len <= 0)
		return;
	sa->at[type] = sa->used;
	memcpy(sa->data + sa->used, data, len);
	sa->used += len;
}

UNUSED static const void *sa_get(const struct sa *sa, int type)
{
	return sa->len[type] < 0 ? NULL : sa->data + sa->at[type];
}

UNUSED static uint32_t sa_u32(const struct sa *sa, int type)
{
	uint32_t val = 0;

	if (sa->len[type] == sizeof(val))
		memcpy(&val, sa_get(sa, type), sizeof(val));
	return val;
}

UNUSED static struct xfrm_mark sa_mark(const struct sa *sa)
{
	struct xfrm_mark mark = {};

	if (sa->len[XFRMA_MARK] == sizeof(mark))
		memcpy(&mark, sa_get(sa, XFRMA_MARK), sizeof(mark));
	return mark;
}

/* What the compiler put between the fields is nobody's business. */
UNUSED static void sel_clean(struct xfrm_selector *sel)
{
	struct xfrm_selector s;

	memset(&s, 0, sizeof(s));
	s.daddr = sel->daddr;
	s.saddr = sel->saddr;
	s.dport = sel->dport;
	s.dport_mask = sel->dport_mask;
	s.sport = sel->sport;
	s.sport_mask = sel->sport_mask;
	s.family = sel->family;
	s.prefixlen_d = sel->prefixlen_d;
	s.prefixlen_s = sel->prefixlen_s;
	s.proto = sel->proto;
	s.ifindex = sel->ifindex;
	s.user = sel->user;
	memcpy(sel, &s, sizeof(s));
}

UNUSED static void sa_parse(const struct nlmsghdr *nlh, struct sa *sa)
{
	const struct rtattr *rta;
	struct xfrm_id id;
	int len, i;

	sa->used = 0;
	for (i = 0; i <= XFRMA_MAX; i++)
		sa->len[i] = -1;
	memcpy(&sa->info, NLMSG_DATA(nlh), sizeof(sa->info));
	memset(&id, 0, sizeof(id));
	id.daddr = sa->info.id.daddr;
	id.spi = sa->info.id.spi;
	id.proto = sa->info.id.proto;
	memcpy(&sa->info.id, &id, sizeof(id));
	sel_clean(&sa->info.sel);

	len = NLMSG_PAYLOAD(nlh, sizeof(sa->info));
	rta = (void *)((char *)NLMSG_DATA(nlh) + NLMSG_ALIGN(sizeof(sa->info)));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len))
		if (rta->rta_type <= XFRMA_MAX && rta->rta_type != XFRMA_PAD)
			sa_set(sa, rta->rta_type, RTA_DATA(rta),
			       RTA_PAYLOAD(rta));
}

/* Made by the kernel itself for the benefit of IPComp. */
UNUSED static bool sa_kernels(const struct sa *sa)
{
	return sa->info.id.proto == IPPROTO_IPIP ||
	       sa->info.id.proto == IPPROTO_IPV6;
}

/* Only an SPI, or not even that: nothing to encrypt with. */
UNUSED static bool sa_larval(const struct sa *sa)
{
	return !sa_kernels(sa) && sa->len[XFRMA_ALG_AEAD] < 0 &&
	       sa->len[XFRMA_ALG_AUTH_TRUNC] < 0 &&
	       sa->len[XFRMA_ALG_CRYPT] < 0 && sa->len[XFRMA_ALG_COMP] < 0 &&
	       sa->len[XFRMA_COADDR] < 0;
}

/* The name of what differs; NULL: nothing. */
UNUSED static const char *sa_differ(const struct sa *a, const struct sa *b)
{
	static __thread char name[40];
	int i;

#define DIFFER(field)							\
	if (memcmp(&a->info.field, &b->info.field, sizeof(a->info.field))) \
		return #field
	DIFFER(id.daddr);
	DIFFER(id.spi);
	DIFFER(id.proto);
	DIFFER(saddr);
	DIFFER(sel);
	DIFFER(lft);
	DIFFER(curlft);
	DIFFER(stats);
	DIFFER(seq);
	DIFFER(reqid);
	DIFFER(family);
	DIFFER(mode);
	DIFFER(replay_window);
	DIFFER(flags);
#undef DIFFER
	for (i = 0; i <= XFRMA_MAX; i++) {
		if (a->len[i] == b->len[i] &&
		    (a->len[i] <= 0 ||
		     !memcmp(sa_get(a, i), sa_get(b, i), a->len[i])))
			continue;
		snprintf(name, sizeof(name), "attribute %d", i);
		return name;
	}
	return NULL;
}

/* All SAs; grows as it must. */
struct sad {
	int n, max;
	struct sa *sa;
};

/* Calls @fn for each SA; returns their number, or -errno. */
UNUSED static int sad_each(struct nl *nl,
			   void (*fn)(const struct nlmsghdr *nlh, void *arg),
			   void *arg)
{
	char buf[1 << 16] __attribute__((aligned(8)));
	const struct nlmsghdr *nlh;
	struct msg m;
	int len, n = 0;

	msg_init(&m, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0);
	if (nl_send(nl, &m))
		return -errno;
	for (;;) {
		len = recv(nl->fd, buf, sizeof(buf), 0);
		if (len < 0)
			return -errno;
		for (nlh = (void *)buf; NLMSG_OK(nlh, (unsigned int)len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_seq != nl->seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_DONE)
				return n;
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				nl_parse_ack(nl, nlh);
				return -nl->err;
			}
			n++;
			fn(nlh, arg);
		}
	}
}

UNUSED static void sad_add(const struct nlmsghdr *nlh, void *arg)
{
	struct sad *sad = arg;

	if (sad->n == sad->max) {
		sad->max = sad->max ? 2 * sad->max : 64;
		sad->sa = realloc(sad->sa, sad->max * sizeof(*sad->sa));
		if (!sad->sa)
			die("no memory for a dump");
	}
	sa_parse(nlh, &sad->sa[sad->n++]);
}

UNUSED static int sad_read(struct nl *nl, struct sad *sad)
{
	sad->n = 0;
	return sad_each(nl, sad_add, sad);
}

/* An attribute of XFRM_MSG_GETSADINFO's answer, in @nl; NULL: it has none. */
UNUSED static const void *sad_info(struct nl *nl, int type)
{
	const struct rtattr *rta;
	uint32_t val = ~0U;
	struct msg m;
	int len;

	msg_init(&m, XFRM_MSG_GETSADINFO, 0, &val, sizeof(val));
	if (nl_request(nl, &m) || !nl->answer.nlh.nlmsg_len)
		return NULL;
	len = NLMSG_PAYLOAD(&nl->answer.nlh, sizeof(val));
	rta = (void *)((char *)NLMSG_DATA(&nl->answer.nlh) + sizeof(val));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len))
		if (rta->rta_type == type)
			return RTA_DATA(rta);
	return NULL;
}

/* How many SAs the kernel counts; -1: it does not say. */
UNUSED static int sad_count(struct nl *nl)
{
	const uint32_t *count = sad_info(nl, XFRMA_SAD_CNT);

	return count ? (int)*count : -1;
}

UNUSED static int sad_flush(struct nl *nl, uint8_t proto)
{
	struct xfrm_usersa_flush flush = { .proto = proto };
	struct msg m;

	msg_init(&m, XFRM_MSG_FLUSHSA, 0, &flush, sizeof(flush));
	return nl_request(nl, &m);
}

/* Making SAs */

/* Of a @key_id that is not 0 nobody else has the key. */
UNUSED static void msg_alg(struct msg *m, int type, const char *name, int key_bits,
			   int icv_bits, uint32_t key_id)
{
	union {
		struct xfrm_algo algo;
		struct xfrm_algo_aead aead;
		struct xfrm_algo_auth auth;
		char room[256];
	} u = {};
	size_t head = sizeof(u.algo);

	/* the three of them begin alike */
	snprintf(u.algo.alg_name, sizeof(u.algo.alg_name), "%s", name);
	u.algo.alg_key_len = key_bits;
	if (type == XFRMA_ALG_AEAD) {
		u.aead.alg_icv_len = icv_bits;
		head = sizeof(u.aead);
	} else if (type == XFRMA_ALG_AUTH_TRUNC) {
		u.auth.alg_trunc_len = icv_bits;
		head = sizeof(u.auth);
	}
	memset(u.room + head, 0x6b, key_bits / 8);
	if (key_id && key_bits)
		memcpy(u.room + head, &key_id, sizeof(key_id));
	msg_attr(m, type, &u, head + key_bits / 8);
}

UNUSED static void msg_aead(struct msg *m, const char *name, int key_bits,
			    int icv_bits)
{
	msg_alg(m, XFRMA_ALG_AEAD, name, key_bits, icv_bits, 0);
}

UNUSED static void msg_algo(struct msg *m, int type, const char *name,
			    int key_bits)
{
	msg_alg(m, type, name, key_bits, 0, 0);
}

UNUSED static void msg_esn(struct msg *m, int words, uint32_t window,
			   uint32_t seq, uint32_t oseq)
{
	struct { struct xfrm_replay_state_esn e; uint32_t bmp[128]; } r = {};

	r.e.bmp_len = words;
	r.e.replay_window = window;
	r.e.seq = seq;
	r.e.oseq = oseq;
	msg_attr(m, XFRMA_REPLAY_ESN_VAL, &r, sizeof(r.e) + 4 * words);
}

UNUSED static void msg_encap(struct msg *m, uint16_t type, uint16_t sport,
			     uint16_t dport)
{
	struct xfrm_encap_tmpl e = {};

	e.encap_type = type;
	e.encap_sport = htons(sport);
	e.encap_dport = htons(dport);
	msg_attr(m, XFRMA_ENCAP, &e, sizeof(e));
}

UNUSED static void msg_mark(struct msg *m, uint32_t v, uint32_t mask)
{
	struct xfrm_mark mark = { v, mask };

	msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
}

UNUSED static void msg_offload(struct msg *m, int ifindex, uint8_t flags)
{
	struct xfrm_user_offload xuo = {};

	xuo.ifindex = ifindex;
	xuo.flags = flags;
	msg_attr(m, XFRMA_OFFLOAD_DEV, &xuo, sizeof(xuo));
}

UNUSED static struct xfrm_lifetime_cfg unlimited(void)
{
	return (struct xfrm_lifetime_cfg) {
		.soft_byte_limit = XFRM_INF,
		.hard_byte_limit = XFRM_INF,
		.soft_packet_limit = XFRM_INF,
		.hard_packet_limit = XFRM_INF,
	};
}

/* What SAs of IPv4 have in common; addresses and SPIs in the host's order */

UNUSED static struct xfrm_usersa_info info4(uint8_t proto, uint8_t mode, uint32_t spi,
					    uint32_t saddr, uint32_t daddr)
{
	return (struct xfrm_usersa_info) {
		.sel.family	= AF_INET,
		.id.daddr.a4	= htonl(daddr),
		.id.spi		= htonl(spi),
		.id.proto	= proto,
		.saddr.a4	= htonl(saddr),
		.lft		= unlimited(),
		.family		= AF_INET,
		.mode		= mode,
	};
}

UNUSED static struct xfrm_usersa_id id4(uint8_t proto, uint32_t spi, uint32_t daddr)
{
	return (struct xfrm_usersa_id) {
		.daddr.a4	= htonl(daddr),
		.spi		= htonl(spi),
		.family		= AF_INET,
		.proto		= proto,
	};
}

/* Of the rest, 0 keeps the selector and drops the reqid. */
UNUSED static struct xfrm_user_migrate_state
move4(struct xfrm_usersa_id id, uint32_t saddr, uint32_t daddr, uint32_t reqid)
{
	return (struct xfrm_user_migrate_state) {
		.id		= id,
		.new_daddr.a4	= htonl(daddr),
		.new_saddr.a4	= htonl(saddr),
		.new_reqid	= reqid,
		.new_family	= AF_INET,
	};
}

UNUSED static struct xfrm_userpolicy_info policy4(int dir)
{
	return (struct xfrm_userpolicy_info) {
		.sel.family	= AF_INET,
		.lft		= unlimited(),
		.dir		= dir,
	};
}

UNUSED static struct xfrm_user_tmpl tmpl4(uint8_t proto, uint8_t mode, uint32_t reqid,
					  uint32_t saddr, uint32_t daddr)
{
	return (struct xfrm_user_tmpl) {
		.id.proto	= proto,
		.id.daddr.a4	= htonl(daddr),
		.saddr.a4	= htonl(saddr),
		.family		= AF_INET,
		.reqid		= reqid,
		.mode		= mode,
		.aalgos		= ~0,
		.ealgos		= ~0,
		.calgos		= ~0,
	};
}

UNUSED static struct xfrm_usersa_id sa_id(const struct sa *sa)
{
	struct xfrm_usersa_id id;

	memset(&id, 0, sizeof(id));
	id.daddr = sa->info.id.daddr;
	id.spi = sa->info.id.spi;
	id.family = sa->info.family;
	id.proto = sa->info.id.proto;
	return id;
}

/* Move @sa to other addresses, change nothing else. */
UNUSED static struct xfrm_user_migrate_state
sa_move(const struct sa *sa, const xfrm_address_t *daddr,
	const xfrm_address_t *saddr, uint16_t family)
{
	struct xfrm_user_migrate_state um;

	memset(&um, 0, sizeof(um));
	um.id = sa_id(sa);
	um.old_mark = sa_mark(sa);
	um.new_daddr = *daddr;
	um.new_saddr = *saddr;
	um.new_family = family;
	um.new_reqid = sa->info.reqid;
	um.new_sel = sa->info.sel;
	return um;
}

/* netdevsim; the directory of the bus is there if it is built */

#define NSIM "/sys/bus/netdevsim/"

/* Returns the ifindex of the device, in our network namespace. */
UNUSED static int nsim_add(int id)
{
	struct if_nameindex *names, *name;
	char buf[32], path[80];
	int found = 0;

	snprintf(buf, sizeof(buf), "%d 1", id);
	if (write_file(NSIM "new_device", buf))
		return 0;
	names = if_nameindex();
	for (name = names; name && name->if_index; name++) {
		/* those of other namespaces are not in sysfs of this mount */
		snprintf(path, sizeof(path), "%.15s", name->if_name);
		if ((!strncmp(path, "eth", 3) || !strncmp(path, "eni", 3)) &&
		    (int)name->if_index > found)
			found = name->if_index;
	}
	if (names)
		if_freenameindex(names);
	return found;
}

UNUSED static void nsim_del(int id)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%d", id);
	write_file(NSIM "del_device", buf);
}

/* How many SAs the device has; -1: no such device. */
UNUSED static int nsim_count(int id)
{
	char name[128];
	int count = -1;
	FILE *file;

	snprintf(name, sizeof(name),
		 "/sys/kernel/debug/netdevsim/netdevsim%d/ports/0/ipsec", id);
	file = fopen(name, "r");
	if (!file)
		return -1;
	if (fscanf(file, "SA count=%d", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

/* The same, once no more than these are left, or after 10 s: the entry of a dead SA
 * stays in the device until the collector has run.
 */
UNUSED static int nsim_settled(int id, int want)
{
	int tries;

	for (tries = 0; nsim_count(id) > want && tries < 10000; tries++)
		usleep(1000);
	return nsim_count(id);
}

/* All of 127.0.0.0/8, with xfrm. */
UNUSED static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("lo");
	close(fd);
	write_file("/proc/sys/net/ipv4/conf/lo/disable_xfrm", "0");
	write_file("/proc/sys/net/ipv4/conf/lo/accept_local", "1");
	write_file("/proc/sys/net/ipv4/conf/lo/route_localnet", "1");
	write_file("/proc/sys/net/ipv6/conf/lo/disable_policy", "1");
}

#endif
