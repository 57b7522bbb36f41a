/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What XFRM_MSG_MIGRATE_STATE has to do, written from the specification and not
 * from the kernel: given the SAD and a request it says whether that succeeds, or
 * which error, word and attribute it is refused with, and what the SA is then.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "../lib/xfrm.h"

/* Where the request goes. */
struct world {
	bool compat;		/* we are a 32-bit program */
	bool privileged;
	int nsim;		/* ifindex of a device that takes SAs; or 0 */
};

struct verdict {
	int err;		/* positive */
	const char *word;	/* must be in the extended ack, if not NULL */
	int attr;		/* that it must point at; 0: none in particular */
	bool handler;		/* it came to the handler: there must be a text */
	bool leftover;		/* zeroes behind the last attribute: there may be one */
	int index;		/* of the SA concerned; -1: none */
	struct sa sa;		/* what it is after success */
	int larval[2];		/* SAs that give way; -1: none */
};

/* How netlink looks at attributes: shortest length, or the only one. */
enum { LEN, EXACT, DIR, FLAG };
static const struct { uint16_t len; uint8_t kind; } policy[XFRMA_MAX + 1] = {
	[XFRMA_SA]		= { sizeof(struct xfrm_usersa_info) },
	[XFRMA_POLICY]		= { sizeof(struct xfrm_userpolicy_info) },
	[XFRMA_LASTUSED]	= { 8 },
	[XFRMA_ALG_AUTH_TRUNC]	= { sizeof(struct xfrm_algo_auth) },
	[XFRMA_ALG_AEAD]	= { sizeof(struct xfrm_algo_aead) },
	[XFRMA_ALG_AUTH]	= { sizeof(struct xfrm_algo) },
	[XFRMA_ALG_CRYPT]	= { sizeof(struct xfrm_algo) },
	[XFRMA_ALG_COMP]	= { sizeof(struct xfrm_algo) },
	[XFRMA_ENCAP]		= { sizeof(struct xfrm_encap_tmpl) },
	[XFRMA_TMPL]		= { sizeof(struct xfrm_user_tmpl) },
	[XFRMA_SEC_CTX]		= { sizeof(struct xfrm_user_sec_ctx) },
	[XFRMA_LTIME_VAL]	= { sizeof(struct xfrm_lifetime_cur) },
	[XFRMA_REPLAY_VAL]	= { sizeof(struct xfrm_replay_state) },
	[XFRMA_REPLAY_THRESH]	= { 4 },
	[XFRMA_ETIMER_THRESH]	= { 4 },
	[XFRMA_SRCADDR]		= { sizeof(xfrm_address_t) },
	[XFRMA_COADDR]		= { sizeof(xfrm_address_t) },
	[XFRMA_POLICY_TYPE]	= { sizeof(struct xfrm_userpolicy_type) },
	[XFRMA_MIGRATE]		= { sizeof(struct xfrm_user_migrate) },
	[XFRMA_KMADDRESS]	= { sizeof(struct xfrm_user_kmaddress) },
	[XFRMA_MARK]		= { sizeof(struct xfrm_mark) },
	[XFRMA_TFCPAD]		= { 4 },
	[XFRMA_REPLAY_ESN_VAL]	= { sizeof(struct xfrm_replay_state_esn) },
	[XFRMA_SA_EXTRA_FLAGS]	= { 4 },
	[XFRMA_PROTO]		= { 1 },
	[XFRMA_ADDRESS_FILTER]	= { sizeof(struct xfrm_address_filter) },
	[XFRMA_OFFLOAD_DEV]	= { sizeof(struct xfrm_user_offload) },
	[XFRMA_SET_MARK]	= { 4 },
	[XFRMA_SET_MARK_MASK]	= { 4 },
	[XFRMA_IF_ID]		= { 4 },
	[XFRMA_MTIMER_THRESH]	= { 4 },
	[XFRMA_SA_DIR]		= { 1, DIR },
	[XFRMA_NAT_KEEPALIVE_INTERVAL] = { 4, EXACT },
	[XFRMA_SA_PCPU]		= { 4, EXACT },
	[XFRMA_IPTFS_DROP_TIME]	= { 4, EXACT },
	[XFRMA_IPTFS_REORDER_WINDOW] = { 2, EXACT },
	[XFRMA_IPTFS_DONT_FRAG]	= { 0, FLAG },
	[XFRMA_IPTFS_INIT_DELAY] = { 4, EXACT },
	[XFRMA_IPTFS_MAX_QSIZE]	= { 4, EXACT },
	[XFRMA_IPTFS_PKT_SIZE]	= { 4, EXACT },
};

#define NLA_TYPE(rta) ((rta)->rta_type & NLA_TYPE_MASK)

static int check_attr(const struct rtattr *rta)
{
	int type = NLA_TYPE(rta), len = RTA_PAYLOAD(rta);

	if (type == 0 || type > XFRMA_MAX)
		return 0;
	switch (policy[type].kind) {
	case EXACT:
	case DIR:
		if (len != policy[type].len)
			return EINVAL;
		if (rta->rta_type & NLA_F_NESTED)
			return EINVAL;
		if (policy[type].kind == DIR)
			return *(uint8_t *)RTA_DATA(rta) - 1U > 1 ? ERANGE : 0;
		return 0;
	case FLAG:
		if (rta->rta_type & NLA_F_NESTED)
			return EINVAL;
		return len ? ERANGE : 0;
	default:
		return len < policy[type].len ? ERANGE : 0;
	}
}

static bool supported(int type)
{
	return type == XFRMA_ENCAP || type == XFRMA_MARK ||
	       type == XFRMA_OFFLOAD_DEV || type == XFRMA_SET_MARK ||
	       type == XFRMA_SET_MARK_MASK || type == XFRMA_MTIMER_THRESH ||
	       type == XFRMA_NAT_KEEPALIVE_INTERVAL;
}

static bool addr_eq(const xfrm_address_t *a, const xfrm_address_t *b, int family)
{
	return !memcmp(a, b, family == AF_INET ? 4 : 16);
}

static bool mark_eq(struct xfrm_mark a, struct xfrm_mark b)
{
	return a.m == b.m && (a.v & a.m) == (b.v & b.m);
}

/* Does an SA with mark @a receive all packets for one with mark @b? */
static bool mark_covers(struct xfrm_mark a, struct xfrm_mark b)
{
	return (b.v & a.m) == (a.v & a.m);
}

/* An address and nothing behind it. */
static xfrm_address_t addr(const xfrm_address_t *from, int family)
{
	xfrm_address_t to = {};

	memcpy(&to, from, family == AF_INET ? 4 : 16);
	return to;
}

static bool addr_zero(const xfrm_address_t *a, int family)
{
	static const xfrm_address_t zero;

	return addr_eq(a, &zero, family);
}

static struct verdict *refuse(struct verdict *v, int err, const char *word,
			      int attr)
{
	v->err = err;
	v->word = word;
	v->attr = attr;
	return v;
}

/* Can a device be found, and does it take the SA? Fills in what a dump shows. */
static bool offload(struct verdict *v, const struct world *w,
		    const struct xfrm_user_offload *xuo, int attr)
{
	struct sa *sa = &v->sa;
	const uint8_t *dir = sa_get(sa, XFRMA_SA_DIR);
	bool in = xuo->flags & XFRM_OFFLOAD_INBOUND;
	const struct xfrm_algo_aead *aead = sa_get(sa, XFRMA_ALG_AEAD);
	struct xfrm_user_offload out = {};

	sa->len[XFRMA_OFFLOAD_DEV] = -1;
	if (xuo->flags & ~(XFRM_OFFLOAD_IPV6 | XFRM_OFFLOAD_INBOUND |
			   XFRM_OFFLOAD_PACKET))
		return refuse(v, EINVAL, "flags", attr), false;
	if (dir && (*dir == XFRM_SA_DIR_IN) != in)
		return refuse(v, EINVAL, "direction", attr), false;
	if (in && sa->len[XFRMA_IF_ID] >= 0)
		return refuse(v, EINVAL, "if_id", attr), false;
	if (sa->len[XFRMA_TFCPAD] >= 0)
		return refuse(v, EINVAL, "TFC", attr), false;
	/* no such device, or one without: left to software */
	if (!w->nsim || xuo->ifindex != w->nsim)
		return true;
	if (sa->info.flags & XFRM_STATE_ESN)
		return refuse(v, EINVAL, "ESN", attr), false;
	if (sa->info.id.proto != IPPROTO_ESP)
		return refuse(v, EINVAL, "offload", attr), false;
	if (!aead || strcmp(aead->alg_name, "rfc4106(gcm(aes))") ||
	    aead->alg_icv_len != 128)
		return refuse(v, EINVAL, NULL, attr), false;

	out.ifindex = xuo->ifindex;
	out.flags = in ? XFRM_OFFLOAD_INBOUND : 0;
	sa_set(sa, XFRMA_OFFLOAD_DEV, &out, sizeof(out));
	return true;
}

static bool new_addresses(struct verdict *v,
			  const struct xfrm_user_migrate_state *um)
{
	const struct in6_addr *d6 = (void *)&um->new_daddr;
	uint32_t d = ntohl(um->new_daddr.a4), s = ntohl(um->new_saddr.a4);

	switch (um->new_family) {
	case AF_INET:
		if (!d)
			refuse(v, EINVAL, "destination", 0);
		else if (d == ~0U)
			refuse(v, EINVAL, "destination", 0);
		else if (s >> 28 == 0xe || s == ~0U)
			refuse(v, EINVAL, "source", 0);
		break;
	case AF_INET6:
		if (addr_zero(&um->new_daddr, AF_INET6))
			refuse(v, EINVAL, "destination", 0);
		else if (IN6_IS_ADDR_V4MAPPED(d6))
			refuse(v, EINVAL, "destination", 0);
		else if (*(uint8_t *)&um->new_saddr == 0xff)
			refuse(v, EINVAL, "source", 0);
		break;
	default:
		refuse(v, EINVAL, "family", 0);
	}
	return !v->err;
}

static bool new_selector(struct verdict *v, const struct sa *old,
			 const struct xfrm_user_migrate_state *um)
{
	struct xfrm_selector *sel = &v->sa.info.sel;
	int family = old->info.family, len = family == AF_INET ? 32 : 128;

	if (um->flags & XFRM_MIGRATE_STATE_UPDATE_H2H_SEL) {
		if (sel->family != family || sel->prefixlen_d != len ||
		    sel->prefixlen_s != len ||
		    !addr_eq(&sel->daddr, &old->info.id.daddr, family) ||
		    !addr_eq(&sel->saddr, &old->info.saddr, family))
			return refuse(v, EINVAL, "selector", 0), false;
		sel->family = um->new_family;
		sel->daddr = addr(&um->new_daddr, um->new_family);
		sel->saddr = addr(&um->new_saddr, um->new_family);
		sel->prefixlen_d = sel->prefixlen_s =
			um->new_family == AF_INET ? 32 : 128;
		return true;
	}

	*sel = um->new_sel;
	sel_clean(sel);
	if (!sel->family && !(old->info.flags & XFRM_STATE_AF_UNSPEC))
		sel->family = um->new_family;
	if (!sel->family)
		return true;
	if (sel->family != AF_INET && sel->family != AF_INET6)
		return refuse(v, EINVAL, "family", 0), false;
	len = sel->family == AF_INET ? 32 : 128;
	if (sel->prefixlen_d > len || sel->prefixlen_s > len)
		return refuse(v, EINVAL, "prefix", 0), false;
	return true;
}

static bool new_encap(struct verdict *v, const struct rtattr **tb)
{
	const struct rtattr *nla = tb[XFRMA_ENCAP];
	const uint8_t *dir = sa_get(&v->sa, XFRMA_SA_DIR);
	struct xfrm_encap_tmpl e, clean = {};
	uint16_t type;
	uint32_t val;

	if (nla) {
		memcpy(&e, RTA_DATA(nla), sizeof(e));
		clean.encap_type = e.encap_type;
		clean.encap_sport = e.encap_sport;
		clean.encap_dport = e.encap_dport;
		clean.encap_oa = e.encap_oa;
		if (!e.encap_type) {
			v->sa.len[XFRMA_ENCAP] = -1;
			v->sa.len[XFRMA_MTIMER_THRESH] = -1;
			v->sa.len[XFRMA_NAT_KEEPALIVE_INTERVAL] = -1;
		} else if (e.encap_type == UDP_ENCAP_ESPINUDP ||
			   e.encap_type == TCP_ENCAP_ESPINTCP) {
			sa_set(&v->sa, XFRMA_ENCAP, &clean, sizeof(clean));
		} else {
			return refuse(v, EINVAL, "encapsulation",
				      XFRMA_ENCAP), false;
		}
		if (e.encap_type && v->sa.info.id.proto != IPPROTO_ESP)
			return refuse(v, EINVAL, "ncapsulation",
				      XFRMA_ENCAP), false;
		if (e.encap_type && e.encap_type != UDP_ENCAP_ESPINUDP &&
		    !tb[XFRMA_NAT_KEEPALIVE_INTERVAL] &&
		    sa_u32(&v->sa, XFRMA_NAT_KEEPALIVE_INTERVAL))
			return refuse(v, EINVAL, "keepalive",
				      XFRMA_ENCAP), false;
	}
	type = v->sa.len[XFRMA_ENCAP] < 0 ? 0 :
	       ((struct xfrm_encap_tmpl *)sa_get(&v->sa, XFRMA_ENCAP))->encap_type;

	nla = tb[XFRMA_MTIMER_THRESH];
	if (nla) {
		memcpy(&val, RTA_DATA(nla), 4);
		v->sa.len[XFRMA_MTIMER_THRESH] = -1;
		if (val && !type)
			return refuse(v, EINVAL, "MTIMER",
				      XFRMA_MTIMER_THRESH), false;
		if (val && dir && *dir == XFRM_SA_DIR_OUT)
			return refuse(v, EINVAL, "MTIMER",
				      XFRMA_MTIMER_THRESH), false;
		if (val)
			sa_set(&v->sa, XFRMA_MTIMER_THRESH, &val, 4);
	}
	nla = tb[XFRMA_NAT_KEEPALIVE_INTERVAL];
	if (nla) {
		memcpy(&val, RTA_DATA(nla), 4);
		v->sa.len[XFRMA_NAT_KEEPALIVE_INTERVAL] = -1;
		if (val && (type != UDP_ENCAP_ESPINUDP || !dir ||
			    *dir != XFRM_SA_DIR_OUT))
			return refuse(v, EINVAL, "keepalive",
				      XFRMA_NAT_KEEPALIVE_INTERVAL), false;
		if (val)
			sa_set(&v->sa, XFRMA_NAT_KEEPALIVE_INTERVAL, &val, 4);
	}
	return true;
}

static bool new_marks(struct verdict *v, const struct rtattr **tb)
{
	struct xfrm_mark mark;
	uint32_t val, mask = ~0U;

	if (tb[XFRMA_MARK]) {
		memcpy(&mark, RTA_DATA(tb[XFRMA_MARK]), sizeof(mark));
		mark.v &= mark.m;
		v->sa.len[XFRMA_MARK] = -1;
		if (mark.m)
			sa_set(&v->sa, XFRMA_MARK, &mark, sizeof(mark));
	}
	if (tb[XFRMA_SET_MARK]) {
		memcpy(&val, RTA_DATA(tb[XFRMA_SET_MARK]), 4);
		if (tb[XFRMA_SET_MARK_MASK])
			memcpy(&mask, RTA_DATA(tb[XFRMA_SET_MARK_MASK]), 4);
		v->sa.len[XFRMA_SET_MARK] = -1;
		v->sa.len[XFRMA_SET_MARK_MASK] = -1;
		if (val | mask) {
			sa_set(&v->sa, XFRMA_SET_MARK, &val, 4);
			sa_set(&v->sa, XFRMA_SET_MARK_MASK, &mask, 4);
		}
	} else if (tb[XFRMA_SET_MARK_MASK]) {
		return refuse(v, EINVAL, "SET_MARK",
			      XFRMA_SET_MARK_MASK), false;
	}
	return true;
}

static bool other_direction(const struct sa *a, const struct sa *b)
{
	const uint8_t *x = sa_get(a, XFRMA_SA_DIR), *y = sa_get(b, XFRMA_SA_DIR);

	return x && y && *x != *y;
}

/* Another SA in the new place, or one whose mark covers the new one? A larval one with
 * the same mark only keeps it for somebody, but not for the other direction.
 */
static bool place_taken(struct verdict *v, const struct sad *sad)
{
	const struct sa *old = &sad->sa[v->index];
	const struct sa *n = &v->sa, *y;
	int i;

	/* Where it stays it has been before. Not alone, if another one has a
	 * mark with bits outside of its mask.
	 */
	if (n->info.family == old->info.family &&
	    addr_eq(&n->info.id.daddr, &old->info.id.daddr, n->info.family) &&
	    mark_eq(sa_mark(n), sa_mark(old)))
		return false;

	for (i = 0; i < sad->n; i++) {
		y = &sad->sa[i];
		if (i == v->index || y->info.id.spi != n->info.id.spi ||
		    y->info.id.proto != n->info.id.proto ||
		    y->info.family != n->info.family ||
		    !addr_eq(&y->info.id.daddr, &n->info.id.daddr,
			     n->info.family) ||
		    !mark_covers(sa_mark(y), sa_mark(n)))
			continue;
		if (!mark_eq(sa_mark(y), sa_mark(n)) || !sa_larval(y) ||
		    other_direction(y, n))
			return true;
		v->larval[0] = i;
	}
	return false;
}

/* A larval SA without SPI waits for one just like this. */
static void resolve_acquire(struct verdict *v, const struct sad *sad,
			    const struct sa *old)
{
	const struct sa *n = &v->sa, *y;
	int i;

	if (n->info.family == old->info.family &&
	    addr_eq(&n->info.id.daddr, &old->info.id.daddr, n->info.family) &&
	    addr_eq(&n->info.saddr, &old->info.saddr, n->info.family) &&
	    n->info.reqid == old->info.reqid &&
	    mark_eq(sa_mark(n), sa_mark(old)) &&
	    !memcmp(&n->info.sel, &old->info.sel, sizeof(n->info.sel)))
		return;

	for (i = 0; i < sad->n; i++) {
		y = &sad->sa[i];
		if (sa_larval(y) && !y->info.id.spi &&
		    y->info.reqid == n->info.reqid &&
		    y->info.mode == n->info.mode &&
		    y->info.family == n->info.family &&
		    y->info.id.proto == n->info.id.proto &&
		    mark_covers(sa_mark(y), sa_mark(n)) &&
		    !!sa_get(y, XFRMA_SA_PCPU) == !!sa_get(n, XFRMA_SA_PCPU) &&
		    sa_u32(y, XFRMA_SA_PCPU) == sa_u32(n, XFRMA_SA_PCPU) &&
		    addr_eq(&y->info.id.daddr, &n->info.id.daddr,
			    n->info.family) &&
		    addr_eq(&y->info.saddr, &n->info.saddr, n->info.family))
			v->larval[1] = i;
	}
}

static struct verdict *predict(const struct nlmsghdr *nlh, const struct sad *sad,
			       const struct world *w, struct verdict *v)
{
	const struct rtattr *tb[XFRMA_MAX + 1] = {}, *rta;
	const struct xfrm_user_migrate_state *um = NLMSG_DATA(nlh);
	struct xfrm_user_offload xuo = {};
	const struct sa *old;
	int len, i, attr;

	v->err = 0;
	v->word = NULL;
	v->attr = 0;
	v->handler = v->leftover = false;
	v->index = v->larval[0] = v->larval[1] = -1;

	if (!w->privileged)
		return refuse(v, EPERM, NULL, 0);
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*um)))
		return refuse(v, EINVAL, NULL, 0);

	len = NLMSG_PAYLOAD(nlh, sizeof(*um));
	for (rta = (void *)(um + 1); RTA_OK(rta, len);
	     rta = RTA_NEXT(rta, len)) {
		if (check_attr(rta))
			return refuse(v, check_attr(rta), NULL, 0);
		if (NLA_TYPE(rta) && NLA_TYPE(rta) <= XFRMA_MAX)
			tb[NLA_TYPE(rta)] = rta;
	}
	len = NLMSG_PAYLOAD(nlh, sizeof(*um));
	for (rta = (void *)(um + 1); RTA_OK(rta, len);
	     rta = RTA_NEXT(rta, len))
		if (!supported(NLA_TYPE(rta)))
			return refuse(v, EINVAL, "ttribute", 0);
	/* zeroes may be there; netlink says so */
	v->leftover = len > 0;
	for (i = 0; i < len; i++)
		if (((char *)rta)[i])
			return refuse(v, EINVAL, "alformed", 0);

	v->handler = true;
	if (!um->id.spi)
		return refuse(v, EINVAL, "SPI", 0);
	if (um->reserved)
		return refuse(v, EINVAL, "reserved", 0);
	if (um->flags & ~3U)
		return refuse(v, EINVAL, "flags", 0);

	for (i = 0; i < sad->n && v->index < 0; i++) {
		old = &sad->sa[i];
		if (old->info.id.spi == um->id.spi &&
		    old->info.id.proto == um->id.proto &&
		    old->info.family == um->id.family &&
		    addr_eq(&old->info.id.daddr, &um->id.daddr,
			    um->id.family) &&
		    mark_eq(sa_mark(old), um->old_mark))
			v->index = i;
	}
	if (v->index < 0)
		return refuse(v, ESRCH, "No SA", 0);
	old = &sad->sa[v->index];
	if (sa_larval(old))
		return refuse(v, ESRCH, "larval", 0);
	if (sa_kernels(old))
		return refuse(v, EPERM, "tunnels", 0);

	memcpy(&v->sa, old, sizeof(*old));
	if (!new_addresses(v, um) || !new_selector(v, old, um) ||
	    !new_encap(v, tb) || !new_marks(v, tb))
		return v;
	v->sa.info.id.daddr = addr(&um->new_daddr, um->new_family);
	v->sa.info.saddr = addr(&um->new_saddr, um->new_family);
	v->sa.info.family = um->new_family;
	v->sa.info.reqid = um->new_reqid;

	if (place_taken(v, sad))
		return refuse(v, EEXIST, "Another", 0);
	resolve_acquire(v, sad, old);

	/* offload: asked for, or what it has */
	attr = tb[XFRMA_OFFLOAD_DEV] ? XFRMA_OFFLOAD_DEV : 0;
	i = 0;
	if (attr) {
		memcpy(&xuo, RTA_DATA(tb[XFRMA_OFFLOAD_DEV]), sizeof(xuo));
		i = 1;
	} else if (old->len[XFRMA_OFFLOAD_DEV] >= 0 &&
		   !(um->flags & XFRM_MIGRATE_STATE_CLEAR_OFFLOAD)) {
		memcpy(&xuo, sa_get(old, XFRMA_OFFLOAD_DEV), sizeof(xuo));
		i = 1;
	}
	if (old->len[XFRMA_OFFLOAD_DEV] >= 0 &&
	    ((struct xfrm_user_offload *)
	     sa_get(old, XFRMA_OFFLOAD_DEV))->flags & XFRM_OFFLOAD_PACKET)
		return refuse(v, EOPNOTSUPP, "acket offload", 0);
	if (i && xuo.flags & XFRM_OFFLOAD_PACKET)
		return refuse(v, EOPNOTSUPP, "acket offload", attr);

	/* what modes and protocols cannot do */
	if (v->sa.info.mode == XFRM_MODE_TRANSPORT && v->sa.info.sel.family &&
	    v->sa.info.sel.family != v->sa.info.family)
		return refuse(v, EPROTONOSUPPORT, "family", 0);
	v->sa.len[XFRMA_OFFLOAD_DEV] = -1;
	if (i && !offload(v, w, &xuo, attr))
		return v;
	return v;
}

#endif
