/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes requests: valid, almost valid, garbage. What it makes depends only on
 * the random numbers and the SAD it is shown.
 */
#ifndef FUZZ_GEN_H
#define FUZZ_GEN_H

#include <linux/pfkeyv2.h>

#include "../lib/xfrm.h"

struct rng { uint64_t s; };

static uint32_t rnd(struct rng *r)
{
	uint64_t z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z >> 32;
}

static uint32_t below(struct rng *r, uint32_t n) { return rnd(r) % n; }
static bool one_in(struct rng *r, uint32_t n) { return !below(r, n); }

#define PICK(r, ...) ({							\
	const uint32_t list_[] = { __VA_ARGS__ };			\
	list_[below(r, ARRAY_SIZE(list_))]; })

/* Few values of everything: what can collide shall collide. */

/* stands for the device that takes SAs, whatever its ifindex */
#define NSIM_IFINDEX 0xd0

static uint16_t gen_family(struct rng *r)
{
	return PICK(r, AF_INET, AF_INET, AF_INET6);
}

static xfrm_address_t gen_addr(struct rng *r, int family)
{
	xfrm_address_t a = {};

	if (family == AF_INET6) {
		a.a6[0] = htonl(0x20010db8);
		a.a6[3] = htonl(1 + below(r, 3));
	} else {
		a.a4 = htonl(0x7f000001 + below(r, 4));
		if (one_in(r, 12))
			a.a6[1 + below(r, 3)] = 0x5a5a5a5a;
	}
	return a;
}

static xfrm_address_t gen_odd_addr(struct rng *r, int family)
{
	xfrm_address_t a = {};

	switch (below(r, 4)) {
	case 0:		/* unspecified; behind 0.0.0.0 may be anything */
		if (family == AF_INET)
			a.a6[3] = rnd(r);
		break;
	case 1:
		memset(&a, 0xff, sizeof(a));
		break;
	case 2:
		a.a4 = family == AF_INET ? htonl(0xe0000001) :
					   htonl(0xff020000);
		break;
	case 3:
		a.a6[2] = htonl(0xffff);
		a.a6[3] = htonl(0x7f000001);
		break;
	}
	return a;
}

static __be32 gen_spi(struct rng *r) { return htonl(0x100 + below(r, 4)); }

static void gen_mark(struct rng *r, struct xfrm_mark *m)
{
	static const struct xfrm_mark marks[] = {
		{ 0, 0 }, { 5, 0xf }, { 0x15, 0xf }, { 5, 0xff }, { 0, 0xff },
		{ 7, 0 }, { ~0U, ~0U },
	};

	*m = marks[below(r, ARRAY_SIZE(marks))];
}

/* Of an SA to be made. Two SAs whose marks differ in bits outside of the mask
 * alone would have one name.
 */
static void msg_new_mark(struct rng *r, struct msg *m)
{
	struct xfrm_mark mark;

	gen_mark(r, &mark);
	mark.v &= mark.m;
	msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
}

static void gen_sel(struct rng *r, struct xfrm_selector *sel, int family)
{
	int max = family == AF_INET ? 32 : 128;

	memset(sel, 0, sizeof(*sel));
	if (one_in(r, 3))
		return;
	sel->family = one_in(r, 8) ? gen_family(r) : family;
	sel->daddr = gen_addr(r, sel->family);
	sel->saddr = gen_addr(r, sel->family);
	sel->prefixlen_d = one_in(r, 2) ? (uint32_t)max : below(r, max + 1);
	sel->prefixlen_s = one_in(r, 2) ? (uint32_t)max : below(r, max + 1);
	if (one_in(r, 3)) {
		sel->proto = IPPROTO_UDP;
		sel->dport = htons(53);
		sel->dport_mask = 0xffff;
		sel->ifindex = 7;
		sel->user = 1000;
	}
	if (one_in(r, 12))
		sel->prefixlen_d = PICK(r, 33, 129, 255);
	if (one_in(r, 12))
		sel->prefixlen_s = PICK(r, 33, 129, 255);
	if (one_in(r, 16))
		sel->family = PICK(r, 1, AF_NETLINK, 0xffff, AF_INET, AF_INET6);
}

/* Add, leave out, change or cut something that the rest does not expect. */
static void gen_havoc(struct rng *r, struct msg *m, bool header)
{
	static const struct { uint16_t type, len; } junk[] = {
		{ XFRMA_SA_DIR, 1 }, { XFRMA_IF_ID, 4 }, { XFRMA_TFCPAD, 4 },
		{ XFRMA_SRCADDR, 16 }, { XFRMA_REPLAY_VAL, 12 },
		{ XFRMA_SA_PCPU, 4 }, { XFRMA_IPTFS_PKT_SIZE, 4 },
		{ XFRMA_LTIME_VAL, 32 }, { XFRMA_SA_EXTRA_FLAGS, 4 },
		{ 0, 0 }, { XFRMA_PAD, 0 }, { XFRMA_MAX + 1, 4 },
		{ 0x3fff, 8 }, { XFRMA_ALG_AEAD, 90 },
	};
	char data[256];
	uint32_t i, len = m->nlh.nlmsg_len;
	struct rtattr *rta;

	for (i = 0; i < sizeof(data); i++)
		data[i] = rnd(r);
	switch (below(r, 9)) {
	case 0:		/* an attribute of another message */
		i = below(r, ARRAY_SIZE(junk));
		/* an SA that is used up goes away at some time */
		if (junk[i].type != XFRMA_LTIME_VAL || header)
			msg_attr(m, junk[i].type, data, junk[i].len);
		break;
	case 1:		/* any attribute of any length */
		i = below(r, XFRMA_MAX + 3);
		if (i != XFRMA_LTIME_VAL || header)
			msg_attr(m, i, data, below(r, 60));
		break;
	case 2:		/* one of ours, too short, or too long */
		msg_attr(m, PICK(r, XFRMA_ENCAP, XFRMA_MARK, XFRMA_SET_MARK,
				 XFRMA_OFFLOAD_DEV, XFRMA_MTIMER_THRESH,
				 XFRMA_NAT_KEEPALIVE_INTERVAL), data,
			 below(r, 30));
		break;
	case 3:		/* nested, or in network byte order, so it says */
		msg_attr(m, PICK(r, XFRMA_ENCAP, XFRMA_MARK, XFRMA_SET_MARK,
				 XFRMA_NAT_KEEPALIVE_INTERVAL) |
			 PICK(r, NLA_F_NESTED, NLA_F_NET_BYTEORDER), data, 24);
		break;
	case 4:		/* cut short */
		m->nlh.nlmsg_len = NLMSG_HDRLEN + below(r, len - NLMSG_HDRLEN + 1);
		break;
	case 5:		/* bytes behind the last attribute */
		len = NLMSG_ALIGN(len);
		i = below(r, 20);
		memcpy((char *)m + len, data, i);
		m->nlh.nlmsg_len = len + i;
		break;
	case 6:		/* the length of an attribute lies */
		msg_attr(m, XFRMA_MARK, data, 8);
		rta = (void *)((char *)m + NLMSG_ALIGN(len));
		rta->rta_len = PICK(r, 0, 1, 3, 4, 5, 11, 13, 20, 0xffff);
		break;
	case 7:		/* a few bytes of the payload */
		if (!header || len <= NLMSG_HDRLEN)
			break;
		for (i = 1 + below(r, 3); i; i--)
			((char *)m)[NLMSG_HDRLEN + below(r, len - NLMSG_HDRLEN)] =
				rnd(r);
		break;
	case 8:		/* and more than one of these */
		gen_havoc(r, m, header);
		gen_havoc(r, m, header);
		break;
	}
}

/* The kernel's own come and go in their own time: what is made of random numbers must
 * not depend on how many there are.
 */
static int gen_count(const struct sad *sad)
{
	int i, n = 0;

	for (i = 0; i < sad->n; i++)
		n += !sa_kernels(&sad->sa[i]);
	return n;
}

static const struct sa *gen_pick(struct rng *r, const struct sad *sad)
{
	bool kernels = one_in(r, 16);
	int n = gen_count(sad), i;

	n = n ? (int)below(r, n) : -1;
	for (i = 0; i < sad->n; i++)
		if (kernels ? sa_kernels(&sad->sa[i]) :
		    !sa_kernels(&sad->sa[i]) && !n--)
			return &sad->sa[i];
	return NULL;
}

/* A request to migrate @sa, or an SA that may not exist. */
static void gen_migrate_state(struct rng *r, const struct sad *sad,
			      struct msg *m)
{
	const struct sa *sa = gen_pick(r, sad);
	struct xfrm_user_migrate_state um;
	xfrm_address_t d, s;
	struct xfrm_mark mark;
	uint16_t family;
	int i, n, other = -1;
	uint32_t val;

	family = sa && !one_in(r, 4) ? sa->info.family : gen_family(r);
	d = gen_addr(r, family);
	s = gen_addr(r, family);
	if (sa) {
		um = sa_move(sa, &d, &s, family);
		if (one_in(r, 4))
			um.new_daddr = sa->info.id.daddr;
	} else {
		memset(&um, 0, sizeof(um));
		um.id.daddr = gen_addr(r, AF_INET);
		um.id.spi = gen_spi(r);
		um.id.family = AF_INET;
		um.id.proto = IPPROTO_ESP;
		um.new_daddr = d;
		um.new_saddr = s;
		um.new_family = family;
	}
	if (one_in(r, 3))
		gen_sel(r, &um.new_sel, family);
	if (family != um.id.family && !one_in(r, 3))
		memset(&um.new_sel, 0, sizeof(um.new_sel));
	if (one_in(r, 3))
		um.new_reqid = below(r, 3);
	if (one_in(r, 4))
		um.flags |= XFRM_MIGRATE_STATE_UPDATE_H2H_SEL;
	if (one_in(r, 8))
		um.flags |= XFRM_MIGRATE_STATE_CLEAR_OFFLOAD;

	/* to where another one is: if all it takes is its address and mark */
	for (i = 0; other < 0 && sa && i < sad->n; i++)
		if (&sad->sa[i] != sa && !sa_kernels(&sad->sa[i]) &&
		    one_in(r, 6) &&
		    sad->sa[i].info.id.spi == sa->info.id.spi &&
		    sad->sa[i].info.id.proto == sa->info.id.proto)
			other = i;
	if (other >= 0) {
		um.new_family = sad->sa[other].info.family;
		um.new_daddr = sad->sa[other].info.id.daddr;
		memset(&um.new_sel, 0, sizeof(um.new_sel));
	}

	/* one mistake, or none */
	if (one_in(r, 3))
		switch (below(r, 14)) {
		case 0: um.id.spi = 0; break;
		case 1: um.reserved = 1 << below(r, 16); break;
		case 2: um.flags |= 4U << below(r, 30); break;
		case 3: um.id.spi = gen_spi(r); break;
		case 4: um.id.family = PICK(r, 0, 1, AF_INET, AF_INET6, 0xffff); break;
		case 5: um.id.proto = PICK(r, 0, IPPROTO_AH, IPPROTO_UDP, IPPROTO_IPIP, 255); break;
		case 6: gen_mark(r, &um.old_mark); break;
		case 7: um.new_family = PICK(r, 0, 1, 17, AF_INET, AF_INET6, 0xffff); break;
		case 8: case 12: um.new_daddr = gen_odd_addr(r, family); break;
		case 9: case 13: um.new_saddr = gen_odd_addr(r, family); break;
		case 10: gen_sel(r, &um.new_sel, family); um.new_sel.prefixlen_s = 77; break;
		case 11: um.old_mark.v ^= ~um.old_mark.m; break;	/* the same mark */
		}

	msg_init(m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
	if (other >= 0 && !one_in(r, 4)) {
		mark = sa_mark(&sad->sa[other]);
		msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
	}
	n = one_in(r, 2) ? 0 : 1 + below(r, 3);
	for (i = 0; i < n; i++)
		switch (below(r, 7)) {
		case 0:
			msg_encap(m, PICK(r, 0, 0, 2, 2, 2, 7, 1, 3, 0xffff),
				  PICK(r, 4500, 4501), PICK(r, 4500, 500));
			break;
		case 1:
			gen_mark(r, &mark);
			msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
			break;
		case 2:
			msg_u32(m, XFRMA_SET_MARK, below(r, 3));
			break;
		case 3:
			msg_u32(m, XFRMA_SET_MARK_MASK, below(r, 2) * 0xff);
			break;
		case 4:
			msg_u32(m, XFRMA_MTIMER_THRESH, below(r, 3) * 100);
			break;
		case 5:
			msg_u32(m, XFRMA_NAT_KEEPALIVE_INTERVAL,
				below(r, 3) * 1000);
			break;
		case 6:
			val = sa && sa_get(sa, XFRMA_SA_DIR) ?
			      *(uint8_t *)sa_get(sa, XFRMA_SA_DIR) : below(r, 3);
			msg_offload(m, PICK(r, NSIM_IFINDEX, NSIM_IFINDEX, 1, 0, 999),
				    PICK(r, val == XFRM_SA_DIR_IN ? 2 : 0,
					 val == XFRM_SA_DIR_IN ? 2 : 0,
					 val == XFRM_SA_DIR_IN ? 3 : 1,
					 0, 2, 4, 8));
			break;
		}
	if (one_in(r, 5))
		gen_havoc(r, m, true);
}

static void gen_newsa(struct rng *r, struct msg *m, uint16_t type)
{
	struct xfrm_usersa_info info;
	struct xfrm_replay_state replay = {};
	xfrm_address_t coaddr = { .a4 = 0x12345678 };
	int kind = below(r, 14), dir = 0;
	bool iptfs = kind == 12 || kind == 13;

	memset(&info, 0, sizeof(info));
	info.family = gen_family(r);
	info.id.daddr = gen_addr(r, info.family);
	info.saddr = gen_addr(r, info.family);
	info.id.spi = gen_spi(r);
	info.id.proto = kind == 8 || kind == 9 ? IPPROTO_AH :
			kind == 10 || kind == 11 ? IPPROTO_COMP : IPPROTO_ESP;
	info.mode = iptfs ? XFRM_MODE_IPTFS :
		    PICK(r, XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL,
			 XFRM_MODE_TUNNEL, kind < 8 ? XFRM_MODE_BEET : 0);
	info.reqid = below(r, 3);
	info.seq = one_in(r, 2) ? 0 : below(r, 100);
	info.lft = unlimited();
	if (one_in(r, 4)) {
		info.lft.soft_add_expires_seconds = 5000000;
		info.lft.hard_add_expires_seconds = 6000000;
		info.lft.hard_byte_limit = 1ULL << 40;
	}
	switch (below(r, 4)) {
	case 0:
		info.sel.family = info.family;
		info.sel.daddr = info.id.daddr;
		info.sel.saddr = info.saddr;
		info.sel.prefixlen_d = info.sel.prefixlen_s =
			info.family == AF_INET ? 32 : 128;
		info.sel.sport = htons(7);
		info.sel.sport_mask = 0xffff;
		if (one_in(r, 4))
			info.sel.prefixlen_s = 24;
		break;
	case 1:
		gen_sel(r, &info.sel, info.family);
		break;
	}
	dir = iptfs ? 1 + below(r, 2) : below(r, 3);
	if (dir != XFRM_SA_DIR_OUT)
		info.replay_window = PICK(r, 0, 32, 64, 4);
	info.flags = one_in(r, 3) ? XFRM_STATE_NOECN : 0;
	if (one_in(r, 6))
		info.flags |= XFRM_STATE_AF_UNSPEC;
	if (one_in(r, 6))
		info.flags |= dir == XFRM_SA_DIR_OUT ? XFRM_STATE_NOPMTUDISC :
						       XFRM_STATE_DECAP_DSCP;
	if (kind == 4 || kind == 5 || kind == 9)
		info.flags |= XFRM_STATE_ESN;

	msg_init(m, type, 0, &info, sizeof(info));
	switch (kind) {
	case 0 ... 5: case 12: case 13:
		msg_aead(m, "rfc4106(gcm(aes))", 160,
			 one_in(r, 8) ? 96 : 128);
		break;
	case 6:
		msg_algo(m, XFRMA_ALG_CRYPT, "cbc(aes)", 128);
		msg_algo(m, XFRMA_ALG_AUTH, "hmac(sha1)", 160);
		break;
	case 7:
		msg_algo(m, XFRMA_ALG_CRYPT, "ecb(cipher_null)", 0);
		break;
	case 8: case 9:
		msg_algo(m, XFRMA_ALG_AUTH, "hmac(sha1)", 160);
		break;
	default:
		msg_algo(m, XFRMA_ALG_COMP, "deflate", 0);
	}
	if (kind == 4)
		msg_esn(m, 1, 32, rnd(r), 0);
	else if (kind == 5)
		msg_esn(m, 128, 4096, dir == 2 ? 0 : rnd(r), 0);
	else if (kind == 9)
		msg_esn(m, 4, 100, 5, 6);
	else if (kind == 2 && one_in(r, 2))
		msg_esn(m, 32, 1000, 3, 4);
	if (dir)
		msg_u8(m, XFRMA_SA_DIR, dir);
	if (dir && one_in(r, 4))
		msg_u32(m, XFRMA_SA_PCPU, below(r, 2));
	if (iptfs && dir == XFRM_SA_DIR_OUT) {
		msg_u32(m, XFRMA_IPTFS_PKT_SIZE, PICK(r, 0, 1000));
		msg_u32(m, XFRMA_IPTFS_INIT_DELAY, below(r, 5000));
		if (one_in(r, 2))
			msg_attr(m, XFRMA_IPTFS_DONT_FRAG, "", 0);
	} else if (iptfs) {
		msg_u32(m, XFRMA_IPTFS_DROP_TIME, below(r, 5000));
	}
	if (one_in(r, 2))
		msg_new_mark(r, m);
	if (one_in(r, 4))
		msg_u32(m, XFRMA_IF_ID, below(r, 3));
	if (one_in(r, 6)) {
		msg_u32(m, XFRMA_SET_MARK, below(r, 4));
		if (one_in(r, 2))
			msg_u32(m, XFRMA_SET_MARK_MASK, 0xff);
	}
	if (kind < 8 && info.mode == XFRM_MODE_TUNNEL && one_in(r, 6))
		msg_u32(m, XFRMA_TFCPAD, 1000);
	if (one_in(r, 4))
		msg_u32(m, XFRMA_SA_EXTRA_FLAGS, dir == 1 ? 0 : 1 + below(r, 3));
	if (one_in(r, 6))
		msg_attr(m, XFRMA_COADDR, &coaddr, sizeof(coaddr));
	if (one_in(r, 6) && !(info.flags & XFRM_STATE_ESN)) {
		replay.oseq = below(r, 100);
		replay.seq = dir == 2 ? 0 : below(r, 100);
		msg_attr(m, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	}
	if (one_in(r, 4)) {
		msg_u32(m, XFRMA_ETIMER_THRESH, 1000 + below(r, 3));
		msg_u32(m, XFRMA_REPLAY_THRESH, 50 + below(r, 3));
	}
	if (kind < 8 && one_in(r, 3)) {
		msg_encap(m, PICK(r, 2, 2, 2, 7), 4500, 4500);
		if (dir == 2 && one_in(r, 2))
			msg_u32(m, XFRMA_NAT_KEEPALIVE_INTERVAL, 1000);
		if (dir != 2 && one_in(r, 2))
			msg_u32(m, XFRMA_MTIMER_THRESH, 100);
	}
	if (kind < 5 && one_in(r, 3))
		msg_offload(m, NSIM_IFINDEX,
			    PICK(r, dir == 1 ? 2 : 0, dir == 1 ? 2 : 0,
				 dir == 1 ? 6 : 4));
	if (one_in(r, 16))
		gen_havoc(r, m, false);
}

static void gen_id(struct rng *r, const struct sad *sad,
		   struct xfrm_usersa_id *id, struct xfrm_mark *mark)
{
	const struct sa *sa = gen_pick(r, sad);

	memset(id, 0, sizeof(*id));
	memset(mark, 0, sizeof(*mark));
	if (sa && !one_in(r, 8)) {
		id->daddr = sa->info.id.daddr;
		id->spi = sa->info.id.spi;
		id->family = sa->info.family;
		id->proto = sa->info.id.proto;
		*mark = sa_mark(sa);
	} else {
		id->family = gen_family(r);
		id->daddr = gen_addr(r, id->family);
		id->spi = gen_spi(r);
		id->proto = PICK(r, IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP);
		gen_mark(r, mark);
	}
}

static void gen_delsa(struct rng *r, const struct sad *sad, struct msg *m)
{
	struct xfrm_usersa_id id;
	struct xfrm_mark mark;

	gen_id(r, sad, &id, &mark);
	msg_init(m, XFRM_MSG_DELSA, 0, &id, sizeof(id));
	msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
}

static void gen_flushsa(struct rng *r, struct msg *m)
{
	struct xfrm_usersa_flush f = {};

	f.proto = PICK(r, IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP, 255, 0);
	msg_init(m, XFRM_MSG_FLUSHSA, 0, &f, sizeof(f));
}

static void gen_newae(struct rng *r, const struct sad *sad, struct msg *m)
{
	struct xfrm_replay_state replay = { below(r, 99), below(r, 99), 0xff };
	/* added in a distant future: nothing may expire meanwhile */
	struct xfrm_lifetime_cur cur = { 1000, below(r, 9), 0xe0000000, 0 };
	struct xfrm_aevent_id ae;
	struct xfrm_mark mark;

	memset(&ae, 0, sizeof(ae));
	gen_id(r, sad, &ae.sa_id, &mark);
	msg_init(m, XFRM_MSG_NEWAE, NLM_F_REPLACE, &ae, sizeof(ae));
	msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
	if (one_in(r, 2))
		msg_attr(m, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	if (one_in(r, 2))
		msg_attr(m, XFRMA_LTIME_VAL, &cur, sizeof(cur));
	if (one_in(r, 3))
		msg_u32(m, XFRMA_ETIMER_THRESH, 1000 + below(r, 100));
	if (one_in(r, 3))
		msg_u32(m, XFRMA_REPLAY_THRESH, 50 + below(r, 100));
	if (one_in(r, 8))
		gen_havoc(r, m, false);
}

static void gen_allocspi(struct rng *r, struct msg *m)
{
	struct xfrm_userspi_info spi;

	memset(&spi, 0, sizeof(spi));
	spi.info.family = gen_family(r);
	spi.info.id.daddr = gen_addr(r, spi.info.family);
	spi.info.saddr = gen_addr(r, spi.info.family);
	spi.info.id.proto = PICK(r, IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP);
	spi.info.mode = PICK(r, XFRM_MODE_TUNNEL, XFRM_MODE_TRANSPORT);
	spi.info.reqid = below(r, 3);
	/* an SPI that is taken leaves a larval SA without one */
	spi.min = spi.max = ntohl(gen_spi(r));
	msg_init(m, XFRM_MSG_ALLOCSPI, 0, &spi, sizeof(spi));
	if (one_in(r, 3))
		msg_u8(m, XFRMA_SA_DIR, PICK(r, XFRM_SA_DIR_IN, XFRM_SA_DIR_OUT));
	if (one_in(r, 2))
		msg_new_mark(r, m);
}

static void gen_tmpl(struct rng *r, struct xfrm_user_tmpl *t, int family)
{
	memset(t, 0, sizeof(*t));
	t->family = family;
	t->id.daddr = gen_addr(r, family);
	t->saddr = gen_addr(r, family);
	t->id.proto = IPPROTO_ESP;
	t->mode = XFRM_MODE_TUNNEL;
	t->reqid = below(r, 3);
	t->aalgos = t->ealgos = t->calgos = ~0;
	t->optional = 1;
}

/* One selector for all, so that MIGRATE finds them. */
static void gen_policy_sel(struct xfrm_selector *sel, int family)
{
	memset(sel, 0, sizeof(*sel));
	sel->family = family;
	sel->proto = IPPROTO_SCTP;
}

static void gen_newpolicy(struct rng *r, struct msg *m)
{
	struct xfrm_userpolicy_info pol;
	struct xfrm_user_tmpl t;

	memset(&pol, 0, sizeof(pol));
	gen_policy_sel(&pol.sel, AF_INET);
	pol.lft = unlimited();
	pol.dir = below(r, 2);
	msg_init(m, one_in(r, 3) ? XFRM_MSG_NEWPOLICY : XFRM_MSG_UPDPOLICY, 0,
		 &pol, sizeof(pol));
	gen_tmpl(r, &t, gen_family(r));
	msg_attr(m, XFRMA_TMPL, &t, sizeof(t));
	if (one_in(r, 8))
		gen_havoc(r, m, false);
}

static void gen_migrate(struct rng *r, const struct sad *sad, struct msg *m)
{
	const struct sa *sa = gen_pick(r, sad);
	struct xfrm_userpolicy_id id;
	struct xfrm_user_migrate um;

	memset(&id, 0, sizeof(id));
	gen_policy_sel(&id.sel, AF_INET);
	id.dir = below(r, 2);
	memset(&um, 0, sizeof(um));
	um.old_family = sa ? sa->info.family : AF_INET;
	um.old_daddr = sa ? sa->info.id.daddr : gen_addr(r, AF_INET);
	um.old_saddr = sa ? sa->info.saddr : gen_addr(r, AF_INET);
	um.new_family = gen_family(r);
	um.new_daddr = gen_addr(r, um.new_family);
	um.new_saddr = gen_addr(r, um.new_family);
	um.proto = sa ? sa->info.id.proto : IPPROTO_ESP;
	um.mode = sa ? sa->info.mode : XFRM_MODE_TUNNEL;
	um.reqid = sa ? sa->info.reqid : 0;
	msg_init(m, XFRM_MSG_MIGRATE, 0, &id, sizeof(id));
	msg_attr(m, XFRMA_MIGRATE, &um, sizeof(um));
	if (one_in(r, 4))
		msg_encap(m, 2, 4500, 4500);
	if (one_in(r, 8))
		gen_havoc(r, m, false);
}

/* Returns the length. */
static int gen_pfkey(struct rng *r, const struct sad *sad, char *buf)
{
	const struct sa *sa = gen_pick(r, sad);
	struct sadb_msg *msg = (void *)buf;
	struct sadb_sa *ext;
	struct sadb_address *addr;
	struct sockaddr_in *sin;
	int len = sizeof(*msg), i;

	memset(buf, 0, 256);
	msg->sadb_msg_version = PF_KEY_V2;
	msg->sadb_msg_satype = PICK(r, SADB_SATYPE_UNSPEC, SADB_SATYPE_ESP,
				    SADB_SATYPE_AH, SADB_X_SATYPE_IPCOMP);
	msg->sadb_msg_type = PICK(r, SADB_DUMP, SADB_GET, SADB_DELETE,
				  SADB_FLUSH, SADB_X_MIGRATE, SADB_GET,
				  SADB_UPDATE, SADB_ADD, SADB_X_NAT_T_NEW_MAPPING);
	if (msg->sadb_msg_type != SADB_FLUSH && msg->sadb_msg_type != SADB_DUMP) {
		ext = (void *)(buf + len);
		ext->sadb_sa_len = sizeof(*ext) / 8;
		ext->sadb_sa_exttype = SADB_EXT_SA;
		ext->sadb_sa_spi = sa ? sa->info.id.spi : gen_spi(r);
		ext->sadb_sa_state = SADB_SASTATE_MATURE;
		len += sizeof(*ext);
		for (i = SADB_EXT_ADDRESS_SRC; i <= SADB_EXT_ADDRESS_DST; i++) {
			addr = (void *)(buf + len);
			addr->sadb_address_len = (sizeof(*addr) + sizeof(*sin)) / 8;
			addr->sadb_address_exttype = i;
			sin = (void *)(addr + 1);
			sin->sin_family = AF_INET;
			sin->sin_addr.s_addr = sa ? sa->info.id.daddr.a4 :
						    htonl(0x7f000001);
			len += sizeof(*addr) + sizeof(*sin);
		}
	}
	if (one_in(r, 3))
		buf[below(r, len)] = rnd(r);
	msg->sadb_msg_len = one_in(r, 8) ? below(r, 40) : len / 8U;
	return len;
}

#endif
