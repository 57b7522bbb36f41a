// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzes XFRM_MSG_MIGRATE_STATE among everything else that changes the SAD.
 *
 *   fuzz model SECS SEED DIR	sequences of messages, one after the other, each in
 *				a network namespace of its own. model.h predicts
 *				what each MIGRATE_STATE does; a dump after each
 *				message says whether it is so, and for the other
 *				messages whether they did what they said and nothing
 *				else. The first failure is shrunk and written to
 *				DIR/SEED.case.
 *   fuzz replay FILE...	plays such files again
 *   fuzz chaos SECS SEED	the same messages from several threads in several
 *				namespaces that come and go, under traffic. Nobody
 *				looks at the answers: the kernel's own checks have to
 *				find what is wrong.
 *
 * A sequence depends on its seed only (and on the kernel: what it is shown is a
 * dump). Sequence N of a run has seed SEED + N, so that one can be had again with
 * COUNT=1 in the environment, which limits the number of sequences. With KEEP=1 what
 * fails is left as it is.
 *
 * A file has a line for each step, in the order they were done:
 *   with listener|nsim|bits32	what the sequence has; first
 *   x HEX	a message on an xfrm netlink socket. Interface 0xd0 stands for the
 *		netdevsim device
 *   u HEX	the same by someone without CAP_NET_ADMIN
 *   k HEX	a message on a PF_KEY socket
 *   p HEX	an ESP packet: address, SPI, sequence number
 *   + -	a netdevsim device comes, goes
 * TAP on stdout; exit status 0, 1: a failure, 2: could not run.
 */
#include "../lib/xfrm.h"
#include "gen.h"
#include "model.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <linux/if_link.h>

#define MAX_STEPS 150
#define MAX_LEN 1024

struct step {
	char kind;
	uint16_t len;
	char data[MAX_LEN];
};

/* Of one sequence; in memory that the process which runs it shares with us. */
struct seq {
	bool listener, nsim;
	int n;
	struct step step[MAX_STEPS];
	bool failed;
	int failed_at;
	char check[32];		/* what kind of failure */
	char why[400];
};

static struct stats {
	long sequences, messages, accepted, refused[200], others, others_ok;
} *stats;

struct ctx {
	struct seq *seq;
	struct rng rng;
	struct nl nl, poor, mon, elsewhere;
	int pfkey, raw, nsim_id, nsim;
	struct sad before, after;
};

#define FAIL(ctx, name, ...) do {					\
	struct seq *s_ = (ctx)->seq;					\
	s_->failed = true;						\
	snprintf(s_->check, sizeof(s_->check), "%s", name);		\
	snprintf(s_->why, sizeof(s_->why), __VA_ARGS__);		\
	return;								\
} while (0)

static const char *err_name(int err)
{
	const char *name = strerrorname_np(err);

	return err ? name ? name : "?" : "success";
}

/* The SAD without what the kernel keeps there for itself: that goes away some
 * time after nobody needs it.
 */
static int visible(const struct sad *sad, struct sa **list, int max)
{
	int i, n = 0;

	for (i = 0; i < sad->n; i++)
		if (!sa_kernels(&sad->sa[i]) && n < max)
			list[n++] = &sad->sa[i];
	return n;
}

#define MAX_SAS 400

static const char *sad_differ(const struct sad *a, const struct sad *b)
{
	static struct sa *la[MAX_SAS], *lb[MAX_SAS];
	static char text[100];
	int na = visible(a, la, MAX_SAS), nb = visible(b, lb, MAX_SAS), i;

	if (na != nb) {
		snprintf(text, sizeof(text), "%d SAs, not %d", nb, na);
		return text;
	}
	for (i = 0; i < na; i++) {
		const char *what = sa_differ(la[i], lb[i]);

		if (!what)
			continue;
		snprintf(text, sizeof(text), "SA %d (SPI %#x): %s", i,
			 ntohl(lb[i]->info.id.spi), what);
		return text;
	}
	return NULL;
}

/* How many SAs a lookup may find, whatever their mark. */
static int same_id(const struct sad *sad, const struct sa *sa)
{
	int i, n = 0;

	for (i = 0; i < sad->n; i++)
		n += sad->sa[i].info.id.spi == sa->info.id.spi &&
		     sad->sa[i].info.id.proto == sa->info.id.proto &&
		     sad->sa[i].info.family == sa->info.family &&
		     addr_eq(&sad->sa[i].info.id.daddr, &sa->info.id.daddr,
			     sa->info.family);
	return n;
}

static void msg_id(struct msg *m, uint16_t type, const struct sa *sa)
{
	struct xfrm_aevent_id ae;

	memset(&ae, 0, sizeof(ae));
	ae.sa_id = sa_id(sa);
	ae.flags = XFRM_AE_RTHR | XFRM_AE_ETHR;
	msg_init(m, type, 0, &ae,
		 type == XFRM_MSG_GETAE ? sizeof(ae) : sizeof(ae.sa_id));
	msg_mark(m, sa_mark(sa).v, sa_mark(sa).m);
}

/* What no dump shows: the thresholds for events. */
static uint64_t thresholds(struct ctx *c, const struct sa *sa)
{
	const struct rtattr *rta;
	uint32_t r = 0, e = 0;
	struct msg m;
	int len;

	msg_id(&m, XFRM_MSG_GETAE, sa);
	if (nl_request(&c->nl, &m) || !c->nl.answer.nlh.nlmsg_len)
		return ~0ULL;
	len = NLMSG_PAYLOAD(&c->nl.answer.nlh, sizeof(struct xfrm_aevent_id));
	rta = (void *)((char *)NLMSG_DATA(&c->nl.answer.nlh) +
		       NLMSG_ALIGN(sizeof(struct xfrm_aevent_id)));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type == XFRMA_REPLAY_THRESH)
			r = *(uint32_t *)RTA_DATA(rta);
		else if (rta->rta_type == XFRMA_ETIMER_THRESH)
			e = *(uint32_t *)RTA_DATA(rta);
	}
	return (uint64_t)r << 32 | e;
}

/* The event of a migration: the request and what the SA is now. */
static void check_event(struct ctx *c, const struct msg *req,
			const struct sa *old, const struct sa *new)
{
	static const int types[] = {
		XFRMA_ENCAP, XFRMA_OFFLOAD_DEV, XFRMA_MARK, XFRMA_SET_MARK,
		XFRMA_SET_MARK_MASK, XFRMA_MTIMER_THRESH,
		XFRMA_NAT_KEEPALIVE_INTERVAL, XFRMA_SA_DIR, XFRMA_IF_ID,
		XFRMA_SA_PCPU,
	};
	static const struct xfrm_encap_tmpl none;
	struct xfrm_user_migrate_state want, got;
	const struct rtattr *rta, *tb[XFRMA_MAX + 1] = {};
	const struct nlmsghdr *nlh;
	char buf[8192] __attribute__((aligned(8)));
	struct msg m;
	unsigned int i;
	int len, count = 0;

	for (;;) {
		len = recv(c->mon.fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (len <= 0)
			break;
		nlh = (void *)buf;
		if (nlh->nlmsg_type != XFRM_MSG_MIGRATE_STATE ||
		    nlh->nlmsg_len > sizeof(m))
			continue;
		memcpy(&m, nlh, nlh->nlmsg_len);
		count++;
	}
	if (!old) {
		if (count)
			FAIL(c, "event", "an event of what was refused");
		return;
	}
	if (count != 1)
		FAIL(c, "event", "%d events of one migration", count);
	if (m.nlh.nlmsg_seq != req->nlh.nlmsg_seq ||
	    m.nlh.nlmsg_pid != c->nl.portid)
		FAIL(c, "event", "the event is of port %u, number %u, not %u, %u",
		     m.nlh.nlmsg_pid, m.nlh.nlmsg_seq, c->nl.portid,
		     req->nlh.nlmsg_seq);
	if (m.nlh.nlmsg_len < NLMSG_LENGTH(sizeof(got)))
		FAIL(c, "event", "the event is short: %u", m.nlh.nlmsg_len);
	memcpy(&want, NLMSG_DATA(&req->nlh), sizeof(want));
	memcpy(&got, NLMSG_DATA(&m.nlh), sizeof(got));
	want.new_sel = new->info.sel;
	sel_clean(&got.new_sel);
	if (memcmp(&want, &got, sizeof(want)))
		FAIL(c, "event", "the event's header is not the request with the effective selector");

	len = NLMSG_PAYLOAD(&m.nlh, sizeof(got));
	rta = (void *)((char *)NLMSG_DATA(&m.nlh) + sizeof(got));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type > XFRMA_MAX || tb[rta->rta_type])
			FAIL(c, "event", "attribute %u in the event twice, or not known",
			     rta->rta_type);
		tb[rta->rta_type] = rta;
	}
	rta = tb[XFRMA_SRCADDR];
	if (!rta || RTA_PAYLOAD(rta) != sizeof(xfrm_address_t) ||
	    memcmp(RTA_DATA(rta), &old->info.saddr, sizeof(xfrm_address_t)))
		FAIL(c, "event", "the event's SRCADDR is not the old one");
	tb[XFRMA_SRCADDR] = NULL;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		const void *want = sa_get(new, types[i]);
		int len = new->len[types[i]];

		if (types[i] == XFRMA_ENCAP && !want &&
		    sa_get(old, XFRMA_ENCAP)) {
			want = &none;
			len = sizeof(none);
		}
		rta = tb[types[i]];
		if (!rta != !want ||
		    (rta && ((int)RTA_PAYLOAD(rta) != len ||
			     memcmp(RTA_DATA(rta), want, len))))
			FAIL(c, "event", "attribute %d of the event is not the SA's",
			     types[i]);
		tb[types[i]] = NULL;
	}
	for (i = 0; i <= XFRMA_MAX; i++)
		if (tb[i])
			FAIL(c, "event", "attribute %u should not be in the event", i);
}

/* The device has an entry for each SA that says so, and soon no other: that of a
 * dead SA stays until the collector has run.
 */
static void check_device(struct ctx *c)
{
	int i, want = 0, count;

	for (i = 0; i < c->after.n; i++) {
		const struct xfrm_user_offload *xuo =
			sa_get(&c->after.sa[i], XFRMA_OFFLOAD_DEV);

		want += xuo && xuo->ifindex == c->nsim;
	}
	count = nsim_settled(c->nsim_id, want);
	if (count >= 0 && count != want)
		FAIL(c, "device", "%d entries in the device for %d SAs", count,
		     want);
}

/* Both the kernel's count and the dump; what the kernel owns may be leaving. */
static void read_after(struct ctx *c)
{
	int i, count = 0, n = 0;

	for (i = 0; i < 200; i++) {
		n = sad_read(&c->nl, &c->after);
		if (n < 0)
			FAIL(c, "dump", "no dump: %s", err_name(-n));
		count = sad_count(&c->nl);
		if (count == n)
			return;
		usleep(5000);
	}
	FAIL(c, "count", "the kernel counts %d SAs, a dump shows %d", count, n);
}

/* The kernel's own SAs are those that the IPComp tunnels need, in the end. */
static void check_kernels(struct ctx *c)
{
	int i, j, k, stray = -1, missing = -1;
	struct sad *sad = &c->after;
	double start = now();

	/* RCU and the garbage collector may take long on a busy machine */
	while (now() - start < 30) {
		stray = missing = -1;
		for (i = 0; i < sad->n; i++) {
			struct sa *a = &sad->sa[i];
			bool tunnel = a->info.id.proto == IPPROTO_COMP &&
				      a->info.mode == XFRM_MODE_TUNNEL &&
				      !sa_larval(a);

			if (!tunnel && !sa_kernels(a))
				continue;
			for (j = 0, k = 0; j < sad->n; j++) {
				struct sa *b = &sad->sa[j];

				if (tunnel ? sa_kernels(b) :
				    b->info.id.proto == IPPROTO_COMP &&
				    b->info.mode == XFRM_MODE_TUNNEL)
					k += b->info.family == a->info.family &&
					     addr_eq(&a->info.id.daddr,
						     &b->info.id.daddr,
						     a->info.family) &&
					     addr_eq(&a->info.saddr,
						     &b->info.saddr,
						     a->info.family);
			}
			if (!k && tunnel)
				missing = i;
			else if (!k)
				stray = i;
		}
		if (stray < 0 && missing < 0)
			return;
		usleep(5000);
		read_after(c);
		if (c->seq->failed)
			return;
	}
	if (missing >= 0)
		FAIL(c, "kernels", "the kernel's SA of an IPComp tunnel is not there");
	FAIL(c, "kernels", "an SA of the kernel's stays that nobody needs");
}

static void step_migrate(struct ctx *c, struct step *s, struct msg *m,
			 struct nl *nl)
{
	static struct verdict v;
	static struct sad want;
	struct world w = {
		.compat = sizeof(long) == 4,
		.privileged = nl == &c->nl,
		.nsim = c->nsim,
	};
	const struct sa *old = NULL;
	const char *what;
	uint64_t ae = 0;
	struct msg req;
	char buf[64];
	int i, j;

	predict(&m->nlh, &c->before, &w, &v);
	if (!v.err) {
		old = &c->before.sa[v.index];
		if (same_id(&c->before, old) == 1)
			ae = thresholds(c, old);
	}
	nl_request(nl, m);
	stats->messages++;
	if (nl->err)
		stats->refused[nl->err < 199 ? nl->err : 199]++;
	else
		stats->accepted++;
	memcpy(&req, m, sizeof(req));
	/* on its way out, if whoever needed it is gone */
	if (v.err == EPERM && v.index >= 0 && nl->err == ESRCH)
		refuse(&v, ESRCH, NULL, 0);
	if (nl->err != v.err)
		FAIL(c, "errno", "%s, not %s (says: \"%s\", expected about: \"%s\")",
		     err_name(nl->err), err_name(v.err), nl->text,
		     v.word ?: "");
	if (!v.err && nl->text[0] && !v.leftover)
		FAIL(c, "text", "a text of success: \"%s\"", nl->text);
	if (v.err && v.handler && !nl->text[0])
		FAIL(c, "text", "%s without a text", err_name(v.err));
	if (v.word && !strcasestr(nl->text, v.word))
		FAIL(c, "word", "%s: \"%s\", nothing of \"%s\"",
		     err_name(v.err), nl->text, v.word);
	if (v.attr && !w.compat) {
		if (!nl->offs || nl->offs + 4 > m->nlh.nlmsg_len ||
		    NLA_TYPE((struct rtattr *)((char *)m + nl->offs)) != v.attr)
			FAIL(c, "attr", "%s: \"%s\" does not point at attribute %d",
			     err_name(v.err), nl->text, v.attr);
	}

	read_after(c);
	if (c->seq->failed)
		return;

	/* what should be there now: in the same order, less what gave way */
	want.n = 0;
	for (i = 0; i < c->before.n; i++) {
		if (!v.err && (i == v.larval[0] || i == v.larval[1]))
			continue;
		if (want.n == want.max) {
			want.max = want.max ? 2 * want.max : 64;
			want.sa = realloc(want.sa, want.max * sizeof(*want.sa));
		}
		j = want.n++;
		memcpy(&want.sa[j], !v.err && i == v.index ? &v.sa :
		       &c->before.sa[i], sizeof(struct sa));
	}
	if (c->nsim) {
		check_device(c);
		if (c->seq->failed)
			return;
	}
	what = sad_differ(&want, &c->after);
	if (what)
		FAIL(c, v.err ? "refused-changed" : "sad", "%s, then in the SAD: %s",
		     err_name(v.err), what);

	if (c->seq->listener) {
		check_event(c, &req, old, &v.sa);
		if (c->seq->failed)
			return;
	}
	if (recv(c->elsewhere.fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		FAIL(c, "event", "an event in another namespace");

	/* each way to the SA leads to the new one, none to the old one */
	if (!v.err && same_id(&c->after, &v.sa) == 1) {
		msg_id(m, XFRM_MSG_GETSA, &v.sa);
		if (nl_request(&c->nl, m))
			FAIL(c, "getsa", "the new SA is not found: %s",
			     err_name(c->nl.err));
		if (ae && thresholds(c, &v.sa) != ae)
			FAIL(c, "thresholds", "thresholds %#llx, not %#llx",
			     (long long)thresholds(c, &v.sa), (long long)ae);
	}
	if (!v.err && !same_id(&c->after, old)) {
		msg_id(m, XFRM_MSG_GETSA, old);
		if (nl_request(&c->nl, m) != ESRCH)
			FAIL(c, "getsa", "the old SA: %s", err_name(c->nl.err));
	}
	if (v.index >= 0 && c->before.sa[v.index].info.id.proto == IPPROTO_COMP)
		check_kernels(c);
	(void)s;
}

/* Does @sad lack exactly one of @from? */
static bool one_less(const struct sad *from, const struct sad *sad)
{
	static struct sa *a[MAX_SAS], *b[MAX_SAS];
	int na = visible(from, a, MAX_SAS), nb = visible(sad, b, MAX_SAS);
	int i, j = 0;

	if (na != nb + 1)
		return false;
	for (i = 0; i < nb; i++) {
		if (sa_differ(a[i + j], b[i])) {
			if (j++ || sa_differ(a[i + j], b[i]))
				return false;
		}
	}
	return true;
}

static void step_other(struct ctx *c, struct step *s, struct msg *m,
		       struct nl *nl)
{
	static struct sa *list[MAX_SAS], *list2[MAX_SAS];
	int i, n, n2, err, type = m->nlh.nlmsg_type;
	const struct xfrm_usersa_flush *flush = NLMSG_DATA(&m->nlh);
	const char *what;

	err = nl_request(nl, m);
	stats->others++;
	stats->others_ok += !err;
	if (nl == &c->poor && err != EPERM)
		FAIL(c, "unprivileged", "%s without CAP_NET_ADMIN: %s",
		     s->kind == 'u' ? "a request" : "", err_name(err));
	read_after(c);
	if (c->seq->failed)
		return;
	what = sad_differ(&c->before, &c->after);
	n = visible(&c->before, list, MAX_SAS);
	n2 = visible(&c->after, list2, MAX_SAS);

	if (err) {
		/* where the SPI is taken a larval SA without one stays */
		if (what && type != XFRM_MSG_ALLOCSPI)
			FAIL(c, "other-refused", "message %d: %s, and in the SAD: %s",
			     type, err_name(err), what);
		return;
	}
	switch (type) {
	case XFRM_MSG_DELSA:
		if (!one_less(&c->before, &c->after))
			FAIL(c, "delsa", "not one SA less: %s", what ?: "none");
		break;
	case XFRM_MSG_FLUSHSA:
		for (i = 0; i < n2; i++)
			if (!flush->proto || flush->proto == 255 ||
			    flush->proto == list2[i]->info.id.proto)
				FAIL(c, "flushsa", "an SA left after a flush");
		break;
	case XFRM_MSG_NEWSA:
		if (n2 > n + 1 || n2 < n)
			FAIL(c, "newsa", "%d SAs after %d", n2, n);
		break;
	case XFRM_MSG_MIGRATE:
	case XFRM_MSG_NEWAE:
	case XFRM_MSG_UPDSA:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_NEWPOLICY:
		for (i = 0; i < n; i++)
			if (sa_larval(list[i]))
				return;
		if (n2 != n)
			FAIL(c, "other", "message %d: %d SAs after %d", type, n2, n);
	}
}

static void step_packet(struct ctx *c, struct step *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char data[80] = {};
	uint32_t spi;
	int i, j;

	read_after(c);
	if (c->seq->failed || s->len < 12)
		return;
	memcpy(&sin.sin_addr, s->data, 4);
	memcpy(data, s->data + 4, 8);
	memcpy(&spi, s->data + 4, 4);
	if (sendto(c->raw, data, sizeof(data), 0, (void *)&sin,
		   sizeof(sin)) < 0)
		return;
	/* it is late only if the machine is busy */
	for (i = 0; i < 20; i++) {
		read_after(c);
		if (c->seq->failed || sad_differ(&c->before, &c->after))
			return;
		for (j = 0; j < c->after.n; j++)
			if (c->after.sa[j].info.id.spi == spi &&
			    c->after.sa[j].info.id.proto == IPPROTO_ESP &&
			    c->after.sa[j].info.family == AF_INET &&
			    !sa_larval(&c->after.sa[j]) &&
			    !memcmp(&c->after.sa[j].info.id.daddr, s->data, 4))
				break;
		if (j == c->after.n)
			return;
		usleep(500);
	}
}

static void step_device(struct ctx *c, bool add)
{
	static struct sad want;
	int i, old = c->nsim;
	const char *what;

	if (add == !!c->nsim) {
		read_after(c);
		return;
	}
	if (add) {
		c->nsim = nsim_add(c->nsim_id);
		if (!c->nsim)
			FAIL(c, "nsim", "no netdevsim device");
	} else {
		nsim_del(c->nsim_id);
		c->nsim = 0;
	}
	read_after(c);
	if (c->seq->failed)
		return;
	/* with the device its SAs go, and no others */
	want.n = 0;
	for (i = 0; i < c->before.n; i++) {
		const struct sa *sa = &c->before.sa[i];
		const struct xfrm_user_offload *xuo = sa_get(sa, XFRMA_OFFLOAD_DEV);

		if (!add && xuo && xuo->ifindex == old)
			continue;
		if (want.n == want.max) {
			want.max = want.max ? 2 * want.max : 64;
			want.sa = realloc(want.sa, want.max * sizeof(*want.sa));
		}
		memcpy(&want.sa[want.n++], sa, sizeof(*sa));
	}
	what = sad_differ(&want, &c->after);
	if (what)
		FAIL(c, "device", "after a device %s: %s", add ? "came" : "went",
		     what);
}

static void patch_nsim(struct ctx *c, struct msg *m)
{
	struct xfrm_user_offload *xuo;
	struct rtattr *rta;
	int hdr, len;

	switch (m->nlh.nlmsg_type) {
	case XFRM_MSG_MIGRATE_STATE:
		hdr = sizeof(struct xfrm_user_migrate_state);
		break;
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		hdr = NLMSG_ALIGN(sizeof(struct xfrm_usersa_info));
		break;
	default:
		return;
	}
	if (m->nlh.nlmsg_len < (unsigned int)NLMSG_LENGTH(hdr))
		return;
	len = m->nlh.nlmsg_len - NLMSG_LENGTH(hdr);
	rta = (void *)((char *)m + NLMSG_LENGTH(hdr));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type != XFRMA_OFFLOAD_DEV ||
		    RTA_PAYLOAD(rta) < sizeof(*xuo))
			continue;
		xuo = RTA_DATA(rta);
		if (xuo->ifindex == NSIM_IFINDEX && c->nsim)
			xuo->ifindex = c->nsim;
	}
}

static void do_step(struct ctx *c, struct step *s)
{
	struct sad tmp;
	struct msg m;
	struct nl *nl;
	int len;

	switch (s->kind) {
	case 'x':
	case 'u':
		nl = s->kind == 'x' ? &c->nl : &c->poor;
		memset(&m, 0, sizeof(m));
		memcpy(&m, s->data, s->len);
		if (s->len < NLMSG_HDRLEN) {
			read_after(c);
			break;
		}
		m.nlh.nlmsg_len = s->len;
		m.nlh.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
		/* a claim; nobody should believe it */
		m.nlh.nlmsg_pid = 4711;
		patch_nsim(c, &m);
		if (m.nlh.nlmsg_type == XFRM_MSG_MIGRATE_STATE)
			step_migrate(c, s, &m, nl);
		else
			step_other(c, s, &m, nl);
		break;
	case 'k':
		send(c->pfkey, s->data, s->len, MSG_DONTWAIT);
		do {
			len = recv(c->pfkey, &m, sizeof(m), MSG_DONTWAIT);
		} while (len > 0);
		stats->others++;
		read_after(c);
		break;
	case 'p':
		step_packet(c, s);
		break;
	case '+':
	case '-':
		step_device(c, s->kind == '+');
		break;
	}
	tmp = c->before;
	c->before = c->after;
	c->after = tmp;
}

static void step_msg(struct step *s, char kind, const struct msg *m)
{
	s->kind = kind;
	s->len = m->nlh.nlmsg_len;
	if (s->len > MAX_LEN)
		s->len = MAX_LEN;
	memcpy(s->data, m, s->len);
}

static void gen_step(struct ctx *c, struct step *s)
{
	struct rng *r = &c->rng;
	struct msg m;
	uint32_t pkt[3];
	const struct sa *sa;
	char kind = one_in(r, 50) ? 'u' : 'x';
	int n = gen_count(&c->before), what = below(r, 100);

	if (n < 4)
		what = 60 + below(r, 16);	/* NEWSA */
	if (what < 56) {
		gen_migrate_state(r, &c->before, &m);
	} else if (what < 76) {
		gen_newsa(r, &m, what < 73 ? XFRM_MSG_NEWSA : XFRM_MSG_UPDSA);
	} else if (what < 79) {
		gen_delsa(r, &c->before, &m);
	} else if (what < 80) {
		gen_flushsa(r, &m);
	} else if (what < 84) {
		gen_newae(r, &c->before, &m);
	} else if (what < 88) {
		gen_allocspi(r, &m);
	} else if (what < 90) {
		gen_newpolicy(r, &m);
	} else if (what < 92) {
		gen_migrate(r, &c->before, &m);
	} else if (what < 94) {
		s->kind = 'k';
		s->len = gen_pfkey(r, &c->before, s->data);
		return;
	} else if (what < 98 || !c->seq->nsim) {
		sa = gen_pick(r, &c->before);
		pkt[0] = sa ? sa->info.id.daddr.a4 : htonl(0x7f000001);
		pkt[1] = sa ? sa->info.id.spi : gen_spi(r);
		pkt[2] = htonl(below(r, 120));
		s->kind = 'p';
		s->len = sizeof(pkt);
		memcpy(s->data, pkt, sizeof(pkt));
		return;
	} else {
		s->kind = c->nsim ? '-' : '+';
		s->len = 0;
		if (c->nsim && one_in(r, 2)) {	/* seldom without one */
			gen_migrate_state(r, &c->before, &m);
			step_msg(s, 'x', &m);
		}
		return;
	}
	step_msg(s, kind, &m);
}

/* Whoever opens it has no capability: netlink remembers. */
static void open_poor(struct nl *nl)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct cap[2], none[2] = {};

	if (syscall(SYS_capget, &hdr, cap))
		die("capget");
	none[0].permitted = cap[0].permitted;
	none[1].permitted = cap[1].permitted;
	if (syscall(SYS_capset, &hdr, none))
		die("capset");
	nl_open(nl, NETLINK_XFRM, 0);
	if (syscall(SYS_capset, &hdr, cap))
		die("capset");
}

/* In a process of its own. */
static void run_here(struct seq *seq, bool generate, uint64_t seed)
{
	struct ctx c = { .seq = seq, .rng = { seed } };
	int i;

	/* none at all where there is to be no listener */
	c.elsewhere.fd = -1;
	if (seq->listener)
		nl_open(&c.elsewhere, NETLINK_XFRM, XFRMNLGRP_MIGRATE);
	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	/* larval SAs must not expire meanwhile, however slow we are */
	write_file("/proc/sys/net/core/xfrm_acq_expires", "3600");
	nl_open(&c.nl, NETLINK_XFRM, 0);
	open_poor(&c.poor);
	if (seq->listener)
		nl_open(&c.mon, NETLINK_XFRM, XFRMNLGRP_MIGRATE);
	c.pfkey = socket(AF_KEY, SOCK_RAW, PF_KEY_V2);
	c.raw = socket(AF_INET, SOCK_RAW, IPPROTO_ESP);
	c.nsim_id = 2000 + getpid() % 1000;
	if (seq->nsim && !(c.nsim = nsim_add(c.nsim_id)))
		seq->nsim = false;
	read_after(&c);
	c.before = c.after;
	memset(&c.after, 0, sizeof(c.after));

	if (generate)
		seq->n = 0;
	for (i = 0; i < (generate ? MAX_STEPS : seq->n) && !seq->failed; i++) {
		if (generate) {
			gen_step(&c, &seq->step[i]);
			seq->n = i + 1;
		}
		do_step(&c, &seq->step[i]);
		seq->failed_at = i;
	}
	/* the namespace goes with its SAs in it; the device would stay */
	if (c.nsim)
		nsim_del(c.nsim_id);
	_exit(0);
}

static void run(struct seq *seq, bool generate, uint64_t seed)
{
	int status;
	pid_t pid;

	seq->failed = false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_here(seq, generate, seed);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork");
	if (!seq->failed && (!WIFEXITED(status) || WEXITSTATUS(status))) {
		seq->failed = true;
		snprintf(seq->check, sizeof(seq->check), "died");
		snprintf(seq->why, sizeof(seq->why), "the sequence ended with status %#x",
			 status);
	}
}

static void *shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* Shrinking: leave out what is not needed for the same failure. */

static int trials;

static bool still_fails(struct seq *try, const char *check)
{
	if (trials++ > 200)
		return false;
	run(try, false, 0);
	return try->failed && !strcmp(try->check, check);
}

static void shrink(struct seq *seq)
{
	struct seq *try = shared(sizeof(*try));
	struct rtattr *rta;
	char check[32], why[400];
	struct step *s;
	int at, len, i;

	memcpy(check, seq->check, sizeof(check));
	memcpy(why, seq->why, sizeof(why));
	seq->n = seq->failed_at + 1;
	for (len = seq->n / 2; len; len = len > 1 ? len / 2 : 0)
		for (at = seq->n - len; at >= 0; at -= len) {
			memcpy(try, seq, sizeof(*try));
			memmove(&try->step[at], &try->step[at + len],
				(seq->n - at - len) * sizeof(try->step[0]));
			try->n -= len;
			if (still_fails(try, check)) {
				memcpy(seq, try, sizeof(*seq));
				seq->n = seq->failed_at + 1;
				if (at > seq->n)
					at = seq->n;
			}
		}
	for (i = 0; i < 2; i++) {
		memcpy(try, seq, sizeof(*try));
		if (i ? !try->nsim : !try->listener)
			continue;
		*(i ? &try->nsim : &try->listener) = false;
		if (still_fails(try, check))
			memcpy(seq, try, sizeof(*seq));
	}
	/* attributes, from the last one of each message on */
	for (i = 0; i < seq->n; i++) {
		for (at = 7; at >= 0; at--) {
			size_t offs = NLMSG_HDRLEN;
			int k;

			memcpy(try, seq, sizeof(*try));
			s = &try->step[i];
			if (s->kind != 'x' && s->kind != 'u')
				break;
			switch (((struct nlmsghdr *)s->data)->nlmsg_type) {
			case XFRM_MSG_MIGRATE_STATE:
				offs += sizeof(struct xfrm_user_migrate_state);
				break;
			case XFRM_MSG_NEWSA:
				offs += NLMSG_ALIGN(sizeof(struct xfrm_usersa_info));
				break;
			default:
				continue;
			}
			for (k = 0; k < at && offs + 4 <= s->len; k++) {
				rta = (void *)(s->data + offs);
				if (rta->rta_len < 4)
					break;
				offs += RTA_ALIGN(rta->rta_len);
			}
			if (k < at || offs + 4 > s->len)
				continue;
			rta = (void *)(s->data + offs);
			len = RTA_ALIGN(rta->rta_len);
			if (rta->rta_len < 4 || offs + rta->rta_len > s->len)
				continue;
			if (offs + len > s->len)
				len = s->len - offs;
			memmove(s->data + offs, s->data + offs + len,
				s->len - offs - len);
			s->len -= len;
			if (still_fails(try, check))
				memcpy(seq, try, sizeof(*seq));
		}
	}
	seq->failed = true;
	if (!seq->why[0])
		memcpy(seq->why, why, sizeof(why));
	munmap(try, sizeof(*try));
}

static const char *step_name(const struct step *s)
{
	static const char *const names[] = {
		[XFRM_MSG_NEWSA] = "NEWSA", [XFRM_MSG_DELSA] = "DELSA",
		[XFRM_MSG_UPDSA] = "UPDSA", [XFRM_MSG_FLUSHSA] = "FLUSHSA",
		[XFRM_MSG_NEWPOLICY] = "NEWPOLICY",
		[XFRM_MSG_UPDPOLICY] = "UPDPOLICY",
		[XFRM_MSG_ALLOCSPI] = "ALLOCSPI", [XFRM_MSG_NEWAE] = "NEWAE",
		[XFRM_MSG_MIGRATE] = "MIGRATE",
		[XFRM_MSG_MIGRATE_STATE] = "MIGRATE_STATE",
	};
	unsigned int type;

	switch (s->kind) {
	case 'k': return "PF_KEY";
	case 'p': return "packet";
	case '+': return "device comes";
	case '-': return "device goes";
	}
	type = ((struct nlmsghdr *)s->data)->nlmsg_type;
	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "message";
}

static void save(const struct seq *seq, const char *name, unsigned long seed)
{
	FILE *file = fopen(name, "w");
	int i, j;

	if (!file) {
		printf("# cannot write %s\n", name);
		return;
	}
	fprintf(file, "# seed %lu: %s: %s\n", seed, seq->check, seq->why);
	fprintf(file, "with%s%s%s\n", seq->listener ? " listener" : "",
		seq->nsim ? " nsim" : "", sizeof(long) == 4 ? " bits32" : "");
	for (i = 0; i < seq->n; i++) {
		fprintf(file, "# %s\n%c ", step_name(&seq->step[i]),
			seq->step[i].kind);
		for (j = 0; j < seq->step[i].len; j++)
			fprintf(file, "%02x", (uint8_t)seq->step[i].data[j]);
		fprintf(file, "\n");
	}
	fclose(file);
}

/* Returns 0, or why it cannot be played. */
static const char *load(struct seq *seq, const char *name)
{
	static char line[2 * MAX_LEN + 100];
	FILE *file = fopen(name, "r");
	const char *why = NULL;
	unsigned int byte;
	struct step *s;
	char *p;

	memset(seq, 0, sizeof(*seq));
	if (!file)
		return "no such file";
	while (!why && fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!strncmp(line, "with", 4)) {
			seq->listener = strstr(line, "listener");
			seq->nsim = strstr(line, "nsim");
			if (!!strstr(line, "bits32") != (sizeof(long) == 4))
				why = "skip";
			continue;
		}
		if (seq->n == MAX_STEPS || !strchr("xukp+-", line[0])) {
			why = "not a case";
			break;
		}
		s = &seq->step[seq->n++];
		s->kind = line[0];
		for (p = line + 2; s->len < MAX_LEN &&
		     sscanf(p, "%2x", &byte) == 1; p += 2)
			s->data[s->len++] = byte;
	}
	fclose(file);
	return why;
}

static int model(double secs, unsigned long seed, const char *dir)
{
	struct seq *seq = shared(sizeof(*seq));
	long max = getenv("COUNT") ? atol(getenv("COUNT")) : 0, n = 0;
	double start = now(), told = start;
	char name[300], now_name[300];
	FILE *file;
	int i;

	/* so that who sees a kernel die knows of what */
	snprintf(now_name, sizeof(now_name), "%s/running", dir);
	do {
		struct rng r = { ~(seed + n) };

		file = fopen(now_name, "w");
		if (file) {
			fprintf(file, "%lu\n", seed + n);
			fclose(file);
		}
		memset(seq, 0, offsetof(struct seq, step));
		seq->listener = !one_in(&r, 4);
		seq->nsim = one_in(&r, 4) && !access(NSIM "new_device", W_OK);
		run(seq, true, seed + n);
		stats->sequences++;
		if (seq->failed)
			break;
		n++;
		if (now() - told > 30) {
			told = now();
			printf("# %.0f s: %ld migrations accepted\n",
			       told - start, stats->accepted);
			fflush(stdout);
		}
	} while (now() - start < secs && (!max || n < max));
	unlink(now_name);

	if (seq->failed) {
		printf("# seed %lu, step %d: %s: %s\n", seed + n,
		       seq->failed_at + 1, seq->check, seq->why);
		if (!getenv("KEEP")) {
			struct stats keep = *stats;

			printf("# shrinking\n");
			shrink(seq);
			*stats = keep;
		}
		snprintf(name, sizeof(name), "%s/%lu.case", dir, seed + n);
		save(seq, name, seed + n);
		printf("# %d steps are left, in %lu.case: %s\n", seq->n,
		       seed + n, seq->why);
	}
	printf("# seed %lu: %ld sequences, %ld MIGRATE_STATE, %ld other messages (%ld accepted)\n",
	       seed, stats->sequences, stats->messages, stats->others,
	       stats->others_ok);
	printf("# migrations accepted: %ld; refused:", stats->accepted);
	for (i = 1; i < 200; i++)
		if (stats->refused[i])
			printf(" %s %ld", err_name(i), stats->refused[i]);
	printf("\n");
	ok(!seq->failed, "the SAD is what the model says, %d bit", (int)sizeof(long) * 8);
	/* what is not exercised is not tested */
	if (!seq->failed && !max && stats->accepted < 20)
		ok(false, "only %ld migrations", stats->accepted);
	return !!tap_failed;
}

static int replay(char **names)
{
	struct seq *seq = shared(sizeof(*seq));
	const char *why;

	for (; *names; names++) {
		const char *base = strrchr(*names, '/');

		base = base ? base + 1 : *names;
		why = load(seq, *names);
		if (why && !strcmp(why, "skip"))
			continue;
		if (!why) {
			run(seq, false, 0);
			why = seq->failed ? seq->why : NULL;
		}
		ok(!why, "%s%s%s", base, why ? ": " : "", why ?: "");
	}
	return !!tap_failed;
}

/* Chaos */

#define ROOMS 3
#define CHAOS_MAX 16

static struct room {
	pthread_mutex_t lock;
	int fd;			/* network namespace */
	unsigned int gen;
} room[ROOMS];
static volatile bool stop;
static unsigned long chaos_seed;
static long chaos_sent[CHAOS_MAX], chaos_renewed, chaos_packets, chaos_devices;

static int new_room(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("/proc/thread-self/ns/net");
	return fd;
}

/* Returns the generation of the namespace that we are in now. */
static unsigned int enter(int n)
{
	unsigned int gen;

	pthread_mutex_lock(&room[n].lock);
	gen = room[n].gen;
	if (setns(room[n].fd, CLONE_NEWNET))
		die("setns");
	pthread_mutex_unlock(&room[n].lock);
	return gen;
}

static void drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void *chaos_messages(void *arg)
{
	int id = (long)arg, where = id % ROOMS, i;
	struct seq *seq = calloc(1, sizeof(*seq));
	struct ctx c = { .seq = seq, .rng = { chaos_seed + id } };
	struct step *s = &seq->step[0];
	unsigned int gen;
	struct msg m;

	seq->nsim = true;
	while (!stop) {
		gen = enter(where);
		nl_open(&c.nl, NETLINK_XFRM, one_in(&c.rng, 2) ?
			XFRMNLGRP_MIGRATE : 0);
		c.pfkey = socket(AF_KEY, SOCK_RAW | SOCK_CLOEXEC, PF_KEY_V2);
		for (i = 0; !stop && gen == room[where].gen; i++) {
			if (i % 12 == 0) {
				drain(c.nl.fd);
				if (sad_read(&c.nl, &c.before) < 0)
					c.before.n = 0;
				if (c.before.n > 200)
					sad_flush(&c.nl, 0);
			}
			gen_step(&c, s);
			if (s->kind == 'k') {
				send(c.pfkey, s->data, s->len, MSG_DONTWAIT);
				drain(c.pfkey);
			} else if (s->kind == 'x' && s->len >= NLMSG_HDRLEN) {
				memset(&m, 0, sizeof(m));
				memcpy(&m, s->data, s->len);
				/* netlink too has to cope with lengths */
				m.nlh.nlmsg_len = one_in(&c.rng, 64) ?
						  rnd(&c.rng) % 300 : s->len;
				m.nlh.nlmsg_flags = NLM_F_REQUEST |
						    (m.nlh.nlmsg_flags & NLM_F_REPLACE);
				c.nsim = 2 + below(&c.rng, 30);
				patch_nsim(&c, &m);
				send(c.nl.fd, &m, s->len, MSG_DONTWAIT);
			}
			chaos_sent[id]++;
		}
		close(c.nl.fd);
		close(c.pfkey);
	}
	return NULL;
}

/* UDP that has policies for it, and ESP for the SAs that there may be. */
static void *chaos_traffic(void *arg)
{
	int where = (long)arg % ROOMS, udp, esp, one = 1;
	struct rng r = { chaos_seed + 1000 + (long)arg };
	struct xfrm_userpolicy_info pol;
	struct xfrm_user_tmpl t;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char data[80] = {};
	unsigned int gen, i;
	struct msg m;
	struct nl nl;

	while (!stop) {
		gen = enter(where);
		nl_open(&nl, NETLINK_XFRM, 0);
		for (i = 1; i <= 4; i++) {
			pol = policy4(XFRM_POLICY_OUT);
			pol.sel.proto = IPPROTO_UDP;
			pol.sel.daddr.a4 = htonl(0x7f000000 + i);
			pol.sel.prefixlen_d = 32;
			msg_init(&m, XFRM_MSG_UPDPOLICY, 0, &pol, sizeof(pol));
			gen_tmpl(&r, &t, AF_INET);
			t.reqid = 0;
			msg_attr(&m, XFRMA_TMPL, &t, sizeof(t));
			nl_request(&nl, &m);
		}
		close(nl.fd);
		udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		esp = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);
		setsockopt(udp, SOL_IP, IP_RECVERR, &one, sizeof(one));
		for (i = 0; !stop && gen == room[where].gen; i++) {
			sin.sin_addr.s_addr = htonl(0x7f000001 + below(&r, 4));
			sin.sin_port = htons(9);
			sendto(udp, data, sizeof(data), MSG_DONTWAIT,
			       (void *)&sin, sizeof(sin));
			((uint32_t *)data)[0] = gen_spi(&r);
			((uint32_t *)data)[1] = htonl(i);
			sin.sin_port = 0;
			sendto(esp, data, sizeof(data), MSG_DONTWAIT,
			       (void *)&sin, sizeof(sin));
			drain(esp);
			chaos_packets += 2;
			if (i % 16 == 0)
				usleep(1000);
		}
		close(udp);
		close(esp);
	}
	return NULL;
}

/* Devices come and go, in one namespace after the other; so do namespaces. */
static void *chaos_world(void *arg)
{
	bool devices = !access(NSIM "new_device", W_OK);
	struct rng r = { chaos_seed + 2000 };
	int i, n, fd, old;

	for (i = 0; !stop; i++) {
		n = below(&r, ROOMS);
		if (devices) {
			enter(n);
			nsim_add(3000 + i % 2);
			chaos_devices++;
			usleep(200000 + below(&r, 400000));
			nsim_del(3000 + i % 2);
		}
		if (one_in(&r, 3) || !devices) {
			fd = new_room();
			pthread_mutex_lock(&room[n].lock);
			old = room[n].fd;
			room[n].fd = fd;
			room[n].gen++;
			pthread_mutex_unlock(&room[n].lock);
			close(old);
			chaos_renewed++;
		}
		usleep(100000);
	}
	(void)arg;
	return NULL;
}

static int chaos(int secs, unsigned long seed)
{
	pthread_t t[CHAOS_MAX + ROOMS + 1];
	int i, n = 0, senders = 6;
	long sent = 0;

	chaos_seed = seed;
	for (i = 0; i < ROOMS; i++) {
		pthread_mutex_init(&room[i].lock, NULL);
		room[i].fd = new_room();
	}
	for (i = 0; i < senders; i++)
		if (pthread_create(&t[n++], NULL, chaos_messages, (void *)(long)i))
			die("thread");
	for (i = 0; i < ROOMS; i++)
		if (pthread_create(&t[n++], NULL, chaos_traffic, (void *)(long)i))
			die("thread");
	if (pthread_create(&t[n++], NULL, chaos_world, NULL))
		die("thread");
	sleep(secs);
	stop = true;
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < senders; i++)
		sent += chaos_sent[i];
	printf("# seed %lu: %ld messages of %d threads in %d namespaces, which were replaced %ld times; %ld packets, %ld devices\n",
	       seed, sent, senders, ROOMS, chaos_renewed, chaos_packets,
	       chaos_devices);
	ok(sent, "chaos, %d bit: the kernel is alive", (int)sizeof(long) * 8);
	return !!tap_failed;
}

int main(int argc, char **argv)
{
	stats = shared(sizeof(*stats));
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && !strcmp(argv[1], "model"))
		return model(atof(argv[2]), strtoul(argv[3], NULL, 0), argv[4]);
	if (argc > 2 && !strcmp(argv[1], "replay"))
		return replay(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "chaos"))
		return chaos(atoi(argv[2]), strtoul(argv[3], NULL, 0));
	fprintf(stderr, "usage: fuzz model SECS SEED DIR | replay FILE... | chaos SECS SEED\n");
	return 2;
}
