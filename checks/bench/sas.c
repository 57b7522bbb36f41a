// SPDX-License-Identifier: GPL-2.0
/* What SAs are to be, and messages for them. */

#include "bench.h"

#define AEAD(name, key) { XFRMA_ALG_AEAD }, { name }, { key }, { 128 }
#define GCM AEAD("rfc4106(gcm(aes))", 20)

const struct kind kinds[] = {
	{ "gcm", IPPROTO_ESP, GCM },
	{ "gcm-esn", IPPROTO_ESP, GCM, .esn = true },
	{ "gcm-encap", IPPROTO_ESP, GCM, .encap = true },
	{ "cbc-sha256", IPPROTO_ESP, { XFRMA_ALG_CRYPT, XFRMA_ALG_AUTH_TRUNC },
	  { "cbc(aes)", "hmac(sha256)" }, { 16, 32 }, { 0, 128 } },
	{ "chacha20", IPPROTO_ESP, AEAD("rfc7539esp(chacha20,poly1305)", 36) },
	{ "ah", IPPROTO_AH, { XFRMA_ALG_AUTH_TRUNC }, { "hmac(sha256)" },
	  { 32 }, { 128 } },
	{ "ipcomp", IPPROTO_COMP, { XFRMA_ALG_COMP }, { "deflate" } },
	{ NULL }
};

const struct kind *kind_find(const char *name)
{
	const struct kind *kind;

	for (kind = kinds; kind->name; kind++)
		if (!strcmp(kind->name, name))
			return kind;
	die("no kind of SA '%s'", name);
}

static void encap_attr(struct msg *m, uint16_t sport)
{
	msg_encap(m, sport ? UDP_ENCAP_ESPINUDP : 0, sport, sport ? 4500 : 0);
}

static void mark_attr(struct msg *m, const struct spec *sa)
{
	struct xfrm_mark mark = { sa->mark, 0xffffffff };

	if (sa->mark)
		msg_attr(m, XFRMA_MARK, &mark, sizeof(mark));
}

void batch_newsa(struct batch *b, const struct spec *sa)
{
	const struct kind *kind = sa->kind;
	struct xfrm_usersa_info info = info4(kind->proto, XFRM_MODE_TUNNEL, sa->spi,
					     sa->saddr, sa->daddr);
	struct msg m;
	int i;

	info.reqid = sa->reqid;
	if (kind->esn)
		info.flags = XFRM_STATE_ESN;
	else if (!sa->window && kind->proto != IPPROTO_COMP)
		info.replay_window = 32;
	msg_start(&m, XFRM_MSG_NEWSA, 0, &info, sizeof(info));
	/* a key for each: nothing can be shared by accident */
	for (i = 0; i < 2 && kind->alg[i]; i++)
		msg_alg(&m, kind->alg[i], kind->alg_name[i], 8 * kind->key_len[i],
			kind->trunc_len[i], sa->spi);
	if (sa->sport)
		encap_attr(&m, sa->sport);
	mark_attr(&m, sa);
	if (kind->esn)
		msg_esn(&m, 4, 128, 0, 0);
	else if (sa->window)
		msg_attr(&m, XFRMA_REPLAY_ESN_VAL, sa->window, sizeof(*sa->window));
	else if (sa->replay.seq || sa->replay.oseq)
		msg_attr(&m, XFRMA_REPLAY_VAL, &sa->replay, sizeof(sa->replay));
	batch_add(b, &m);
}

struct window *window_new(void)
{
	struct window *window = calloc(1, sizeof(*window));

	if (!window)
		die("out of memory");
	window->esn.bmp_len = sizeof(window->bmp) / sizeof(*window->bmp);
	window->esn.replay_window = 8 * sizeof(window->bmp);
	return window;
}

static void add_id(struct batch *b, uint16_t type, const struct spec *sa)
{
	struct xfrm_usersa_id id = id4(sa->kind->proto, sa->spi, sa->daddr);
	struct msg m;

	msg_start(&m, type, 0, &id, sizeof(id));
	mark_attr(&m, sa);
	batch_add(b, &m);
}

void batch_delsa(struct batch *b, const struct spec *sa)
{
	add_id(b, XFRM_MSG_DELSA, sa);
}

/* Without @ack it has no other answer than the SA. */
void batch_getsa(struct batch *b, const struct spec *sa, bool ack)
{
	add_id(b, XFRM_MSG_GETSA, sa);
	if (!ack)
		((struct nlmsghdr *)(b->buf + b->at[b->n - 1]))->nlmsg_flags &= ~NLM_F_ACK;
}

void replay_read(int fd, struct spec *sas, unsigned int n)
{
	const struct xfrm_usersa_info *info;
	const struct nlmsghdr *nlh;
	const struct rtattr *rta;
	char buf[4096];
	int len;

	for (; n; n--, sas++) {
		len = recv(fd, buf, sizeof(buf), 0);
		nlh = (void *)buf;
		if (len < 0 || !NLMSG_OK(nlh, (unsigned int)len) ||
		    nlh->nlmsg_type != XFRM_MSG_NEWSA)
			die("no answer to XFRM_MSG_GETSA");
		info = NLMSG_DATA(nlh);
		if (ntohl(info->id.spi) != sas->spi)
			die("answer for another SA");
		rta = (void *)info + NLMSG_ALIGN(sizeof(*info));
		len = NLMSG_PAYLOAD(nlh, sizeof(*info));
		for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
			if (rta->rta_type == XFRMA_REPLAY_VAL)
				memcpy(&sas->replay, RTA_DATA(rta),
				       sizeof(sas->replay));
			else if (rta->rta_type == XFRMA_REPLAY_ESN_VAL &&
				 sas->window)
				memcpy(sas->window, RTA_DATA(rta),
				       sizeof(*sas->window));
		}
	}
}

void batch_migrate_state(struct batch *b, const struct spec *sa, const struct spec *to)
{
	struct xfrm_user_migrate_state um = move4(id4(sa->kind->proto, sa->spi, sa->daddr),
						  to->saddr, to->daddr, to->reqid);
	struct msg m;

	um.new_sel.family = AF_INET;
	if (sa->mark)
		um.old_mark = (struct xfrm_mark) { sa->mark, 0xffffffff };
	msg_start(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
	if (sa->sport != to->sport)
		encap_attr(&m, to->sport);
	batch_add(b, &m);
}

static struct xfrm_selector selector(uint32_t plain_s, uint32_t plain_d)
{
	return (struct xfrm_selector) {
		.family		= AF_INET,
		.saddr.a4	= htonl(plain_s),
		.daddr.a4	= htonl(plain_d),
		.prefixlen_s	= 32,
		.prefixlen_d	= 32,
	};
}

/* The template of an inbound policy asks for nothing but the destination. */
void batch_policy(struct batch *b, uint16_t type, int dir, uint32_t plain_s,
		  uint32_t plain_d, const struct spec *sa)
{
	bool out = dir == XFRM_POLICY_OUT;
	struct xfrm_userpolicy_info pol = policy4(dir);
	struct xfrm_user_tmpl tmpl = tmpl4(sa->kind->proto, XFRM_MODE_TUNNEL,
					   out ? sa->reqid : 0, out ? sa->saddr : 0, sa->daddr);
	struct msg m;

	pol.sel = selector(plain_s, plain_d);
	msg_start(&m, type, 0, &pol, sizeof(pol));
	msg_attr(&m, XFRMA_TMPL, &tmpl, sizeof(tmpl));
	batch_add(b, &m);
}

void batch_migrate(struct batch *b, uint32_t plain_s, uint32_t plain_d,
		   const struct spec *sa, const struct spec *to)
{
	struct xfrm_userpolicy_id id = {
		.sel = selector(plain_s, plain_d),
		.dir = XFRM_POLICY_OUT,
	};
	struct xfrm_user_migrate um = {
		.old_daddr.a4	= htonl(sa->daddr),
		.old_saddr.a4	= htonl(sa->saddr),
		.new_daddr.a4	= htonl(to->daddr),
		.new_saddr.a4	= htonl(to->saddr),
		.proto		= sa->kind->proto,
		.mode		= XFRM_MODE_TUNNEL,
		.reqid		= sa->reqid,
		.old_family	= AF_INET,
		.new_family	= AF_INET,
	};
	struct msg m;

	msg_start(&m, XFRM_MSG_MIGRATE, 0, &id, sizeof(id));
	msg_attr(&m, XFRMA_MIGRATE, &um, sizeof(um));
	/* Linux 7.2 moves an SA to plain ESP if the request has no XFRMA_ENCAP */
	if (to->sport)
		encap_attr(&m, to->sport);
	batch_add(b, &m);
}

/* ESRCH: it looked for the SA. Kernels that do not know the message say EINVAL. */
bool has_migrate_state(void)
{
	struct spec sa = { .kind = kinds, .spi = 1, .daddr = 1, .saddr = 1 };
	int fd = bench_open(NETLINK_XFRM, 0);
	struct batch b = {};
	bool has;

	batch_migrate_state(&b, &sa, &sa);
	has = !batch_send(fd, &b, 0, 1, ESRCH);
	batch_free(&b);
	close(fd);
	return has;
}
