// SPDX-License-Identifier: GPL-2.0
/* Netlink, hosts, SAs, clocks. */

#include "nl.h"

#include <net/ethernet.h>

/* --- clocks, CPUs */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_now(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* What is not idle, kernel threads and interrupts included. By ticks: good for
 * differences of a second, not of a millisecond.
 */
uint64_t busy(void)
{
	unsigned long long v[8] = {};
	char buf[512];
	int fd, len;

	fd = open("/proc/stat", O_RDONLY);
	len = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (len <= 0)
		die("cannot read /proc/stat");
	buf[len] = '\0';
	sscanf(buf, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1,
	       v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
	return (v[0] + v[1] + v[2] + v[5] + v[6]) *
	       (1000000000ULL / sysconf(_SC_CLK_TCK));
}

void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

int cpus(void)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > MAX_CPUS ? MAX_CPUS : n;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("no CPU %d", cpu);
}

/* --- requests */

static void *req_room(struct req *req, size_t len)
{
	void *room;

	len = NLMSG_ALIGN(len);
	if (req->len + len > req->cap) {
		req->cap = 2 * (req->len + len);
		req->buf = realloc(req->buf, req->cap);
		if (!req->buf)
			die("out of memory");
	}
	room = req->buf + req->len;
	memset(room, 0, len);
	req->len += len;
	return room;
}

static struct nlmsghdr *req_last(struct req *req)
{
	return (void *)(req->buf + req->at[req->n - 1]);
}

/* the last message ends where the buffer does */
static void req_fit(struct req *req)
{
	req_last(req)->nlmsg_len = req->len - req->at[req->n - 1];
	req->at[req->n] = req->len;
}

void req_reset(struct req *req)
{
	req->len = 0;
	req->n = 0;
}

void req_free(struct req *req)
{
	free(req->buf);
	free(req->at);
	memset(req, 0, sizeof(*req));
}

void *req_msg(struct req *req, uint16_t type, uint16_t flags,
	      const void *payload, size_t len)
{
	struct nlmsghdr *nlh;

	if (req->n + 2 > req->at_cap) {
		req->at_cap = 2 * req->at_cap + 64;
		req->at = realloc(req->at, req->at_cap * sizeof(*req->at));
		if (!req->at)
			die("out of memory");
	}
	req->at[req->n++] = req->len;
	nlh = req_room(req, NLMSG_LENGTH(len));
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = req->n;
	memcpy(NLMSG_DATA(nlh), payload, len);
	req_fit(req);
	return NLMSG_DATA(req_last(req));
}

struct rtattr *req_attr(struct req *req, uint16_t type, const void *data,
			size_t len)
{
	struct rtattr *rta = req_room(req, RTA_LENGTH(len));

	rta->rta_type = type;
	rta->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(rta), data, len);
	req_fit(req);
	return rta;
}

/* Attributes inside of one, after @data. Returns what req_nest_end() wants. */
size_t req_nest(struct req *req, uint16_t type, const void *data, size_t len)
{
	return (char *)req_attr(req, type, data, len) - req->buf;
}

void req_nest_end(struct req *req, size_t nest)
{
	((struct rtattr *)(req->buf + nest))->rta_len = req->len - nest;
}

int nl_open(int protocol, unsigned int group)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct timeval tv = { .tv_sec = 60 };
	int size = 64 << 20, on = 1;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW, protocol);
	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    /* an error costs no more to report than a success */
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    (group && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
				 &group, sizeof(group))))
		die("netlink socket: %s", strerror(errno));
	return fd;
}

#define ACKS 64		/* read in one recvmmsg() */

int req_send(int fd, const struct req *req, unsigned int first, unsigned int n,
	     int expect)
{
	static __thread char buf[ACKS][1024];
	struct mmsghdr mm[ACKS];
	struct iovec iov[ACKS];
	int got, i, err = 0;
	size_t len;

	len = req->at[first + n] - req->at[first];
	if (send(fd, req->buf + req->at[first], len, 0) != (ssize_t)len)
		die("send %zu bytes: %s", len, strerror(errno));

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
			die("no acknowledgement: %s", strerror(errno));
		for (i = 0; i < got; i++) {
			const struct nlmsghdr *nlh = (void *)buf[i];
			const struct nlmsgerr *ack = NLMSG_DATA(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR)
				die("message of type %u in place of an acknowledgement",
				    nlh->nlmsg_type);
			if (expect != ACK_ANY && -ack->error != expect && !err)
				err = ack->error ? -ack->error : -1;
		}
		n -= got;
	}
	return err;
}

void req_do(int fd, const struct req *req, const char *what)
{
	int err = req_send(fd, req, 0, req->n, 0);

	if (err)
		die("%s: %s", what, strerror(err));
}

/* Messages of @type that are queued */
unsigned int drain(int fd, uint16_t type)
{
	unsigned int n = 0;
	char buf[4096];

	for (;;) {
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN)
				return n;
			die("events: %s", strerror(errno));
		}
		n += ((struct nlmsghdr *)buf)->nlmsg_type == type;
	}
}

/* --- hosts */

void host_open(struct host *host)
{
	if (unshare(CLONE_NEWNET))
		die("a network namespace: %s", strerror(errno));
	host->ns = open("/proc/thread-self/ns/net", O_RDONLY);
	host->fd = nl_open(NETLINK_XFRM, 0);
	host->acquire = nl_open(NETLINK_XFRM, XFRMNLGRP_ACQUIRE);
	host->stat = open("/proc/thread-self/net/xfrm_stat", O_RDONLY);
	if (host->ns < 0 || host->stat < 0)
		die("/proc: %s", strerror(errno));
}

void host_close(struct host *host)
{
	close(host->ns);
	close(host->fd);
	close(host->acquire);
	close(host->stat);
}

void host_enter(const struct host *host)
{
	if (setns(host->ns, CLONE_NEWNET))
		die("setns: %s", strerror(errno));
}

static void rtnl(const struct req *req, const char *what)
{
	int fd = nl_open(NETLINK_ROUTE, 0);

	req_do(fd, req, what);
	close(fd);
}

/* A veth with one end in each; they have the same name. */
void link_pair(const struct host *a, const struct host *b, const char *name)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct req req = {};
	size_t info, data, peer;

	host_enter(a);
	req_msg(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &ifi,
		sizeof(ifi));
	req_attr(&req, IFLA_IFNAME, name, strlen(name) + 1);
	info = req_nest(&req, IFLA_LINKINFO, NULL, 0);
	req_attr(&req, IFLA_INFO_KIND, "veth", 4);
	data = req_nest(&req, IFLA_INFO_DATA, NULL, 0);
	peer = req_nest(&req, VETH_INFO_PEER, &ifi, sizeof(ifi));
	req_attr(&req, IFLA_IFNAME, name, strlen(name) + 1);
	req_attr(&req, IFLA_NET_NS_FD, &b->ns, sizeof(b->ns));
	req_nest_end(&req, peer);
	req_nest_end(&req, data);
	req_nest_end(&req, info);
	rtnl(&req, "veth");
	req_free(&req);
}

void link_up(const char *name)
{
	struct ifinfomsg ifi = {
		.ifi_index	= if_nametoindex(name),
		.ifi_flags	= IFF_UP,
		.ifi_change	= IFF_UP,
	};
	struct req req = {};

	req_msg(&req, RTM_NEWLINK, NLM_F_ACK, &ifi, sizeof(ifi));
	rtnl(&req, "link up");
	req_free(&req);
}

void addr4_add(const char *name, uint32_t addr, int prefix)
{
	struct ifaddrmsg ifa = {
		.ifa_family	= AF_INET,
		.ifa_prefixlen	= prefix,
		.ifa_index	= if_nametoindex(name),
	};
	struct req req = {};
	uint32_t a = htonl(addr);

	req_msg(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, &ifa, sizeof(ifa));
	req_attr(&req, IFA_LOCAL, &a, sizeof(a));
	req_attr(&req, IFA_ADDRESS, &a, sizeof(a));
	rtnl(&req, "address");
	req_free(&req);
}

const char *const mib_names[MIBS] = {
	"XfrmInNoStates", "XfrmOutNoStates", "XfrmInStateInvalid",
	"XfrmOutStateInvalid", "XfrmInStateSeqError", "other",
};

/* Add what xfrm_stat of @host says now, or take it off. */
void mib_add(const struct host *host, unsigned long mib[MIBS], int sign)
{
	char buf[8192], name[64], *line, *next;
	unsigned long val;
	ssize_t len;
	int i;

	len = pread(host->stat, buf, sizeof(buf) - 1, 0);
	if (len <= 0)
		die("cannot read xfrm_stat");
	buf[len] = '\0';
	for (line = strtok_r(buf, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%63s %lu", name, &val) != 2)
			continue;
		for (i = 0; i < OTHER && strcmp(name, mib_names[i]); i++)
			;
		mib[i] += sign * val;
	}
}

/* --- SAs */

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

static void alg_attr(struct req *req, const struct sa *sa, int i)
{
	const struct kind *kind = sa->kind;
	unsigned int key_len = kind->key_len[i];
	union {
		struct xfrm_algo algo;
		struct xfrm_algo_aead aead;
		struct xfrm_algo_auth auth;
		char room[256];
	} u = {};
	size_t head;
	char *key;

	/* the three of them begin alike */
	strcpy(u.algo.alg_name, kind->alg_name[i]);
	u.algo.alg_key_len = 8 * key_len;
	switch (kind->alg[i]) {
	case XFRMA_ALG_AEAD:
		u.aead.alg_icv_len = kind->trunc_len[i];
		head = sizeof(u.aead);
		break;
	case XFRMA_ALG_AUTH_TRUNC:
		u.auth.alg_trunc_len = kind->trunc_len[i];
		head = sizeof(u.auth);
		break;
	default:
		head = sizeof(u.algo);
	}
	/* a key for each: nothing can be shared by accident */
	key = u.room + head;
	memset(key, 0x5a, key_len);
	if (key_len)
		memcpy(key, &sa->spi, sizeof(sa->spi));
	req_attr(req, kind->alg[i], &u, head + key_len);
}

static void encap_attr(struct req *req, uint16_t sport)
{
	struct xfrm_encap_tmpl encap = {};

	if (sport)
		encap = (struct xfrm_encap_tmpl) {
			.encap_type	= UDP_ENCAP_ESPINUDP,
			.encap_sport	= htons(sport),
			.encap_dport	= htons(4500),
		};
	req_attr(req, XFRMA_ENCAP, &encap, sizeof(encap));
}

void sa_new(struct req *req, const struct sa *sa)
{
	struct xfrm_usersa_info info = {
		.sel.family	= AF_INET,
		.id.daddr.a4	= htonl(sa->daddr),
		.id.spi		= htonl(sa->spi),
		.id.proto	= sa->kind->proto,
		.saddr.a4	= htonl(sa->saddr),
		.lft = {
			.soft_byte_limit	= XFRM_INF,
			.hard_byte_limit	= XFRM_INF,
			.soft_packet_limit	= XFRM_INF,
			.hard_packet_limit	= XFRM_INF,
		},
		.reqid		= sa->reqid,
		.family		= AF_INET,
		.mode		= XFRM_MODE_TUNNEL,
		.replay_window	= sa->kind->esn || sa->window ||
				  sa->kind->proto == IPPROTO_COMP ? 0 : 32,
		.flags		= sa->kind->esn ? XFRM_STATE_ESN : 0,
	};
	int i;

	req_msg(req, XFRM_MSG_NEWSA, NLM_F_ACK, &info, sizeof(info));
	for (i = 0; i < 2 && sa->kind->alg[i]; i++)
		alg_attr(req, sa, i);
	if (sa->sport)
		encap_attr(req, sa->sport);
	if (sa->kind->esn) {
		struct {
			struct xfrm_replay_state_esn esn;
			uint32_t bmp[4];
		} val = {
			.esn = { .bmp_len = 4, .replay_window = 128 },
		};

		req_attr(req, XFRMA_REPLAY_ESN_VAL, &val, sizeof(val));
	} else if (sa->window) {
		req_attr(req, XFRMA_REPLAY_ESN_VAL, sa->window,
			 sizeof(*sa->window));
	} else if (sa->replay.seq || sa->replay.oseq) {
		req_attr(req, XFRMA_REPLAY_VAL, &sa->replay,
			 sizeof(sa->replay));
	}
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

static struct xfrm_usersa_id sa_id(const struct sa *sa)
{
	return (struct xfrm_usersa_id) {
		.daddr.a4	= htonl(sa->daddr),
		.spi		= htonl(sa->spi),
		.family		= AF_INET,
		.proto		= sa->kind->proto,
	};
}

void sa_del(struct req *req, const struct sa *sa)
{
	struct xfrm_usersa_id id = sa_id(sa);

	req_msg(req, XFRM_MSG_DELSA, NLM_F_ACK, &id, sizeof(id));
}

void sa_get(struct req *req, const struct sa *sa, uint16_t flags)
{
	struct xfrm_usersa_id id = sa_id(sa);

	req_msg(req, XFRM_MSG_GETSA, flags, &id, sizeof(id));
}

void sa_replay_read(int fd, struct sa *sas, unsigned int n)
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

void sa_migrate(struct req *req, const struct sa *sa, const struct sa *to)
{
	struct xfrm_user_migrate_state um = {
		.id		= sa_id(sa),
		.new_daddr.a4	= htonl(to->daddr),
		.new_saddr.a4	= htonl(to->saddr),
		.new_sel.family	= AF_INET,
		.new_reqid	= to->reqid,
		.new_family	= AF_INET,
	};

	req_msg(req, XFRM_MSG_MIGRATE_STATE, NLM_F_ACK, &um, sizeof(um));
	if (sa->sport != to->sport)
		encap_attr(req, to->sport);
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
void policy(struct req *req, uint16_t type, int dir, uint32_t plain_s,
	    uint32_t plain_d, const struct sa *sa)
{
	bool out = dir == XFRM_POLICY_OUT;
	struct xfrm_userpolicy_info pol = {
		.sel = selector(plain_s, plain_d),
		.lft = {
			.soft_byte_limit	= XFRM_INF,
			.hard_byte_limit	= XFRM_INF,
			.soft_packet_limit	= XFRM_INF,
			.hard_packet_limit	= XFRM_INF,
		},
		.dir = dir,
	};
	struct xfrm_user_tmpl tmpl = {
		.id.proto	= sa->kind->proto,
		.id.daddr.a4	= htonl(sa->daddr),
		.saddr.a4	= out ? htonl(sa->saddr) : 0,
		.family		= AF_INET,
		.reqid		= out ? sa->reqid : 0,
		.mode		= XFRM_MODE_TUNNEL,
		.aalgos		= ~0,
		.ealgos		= ~0,
		.calgos		= ~0,
	};

	req_msg(req, type, NLM_F_ACK, &pol, sizeof(pol));
	req_attr(req, XFRMA_TMPL, &tmpl, sizeof(tmpl));
}

void policy_migrate(struct req *req, uint32_t plain_s, uint32_t plain_d,
		    const struct sa *sa, const struct sa *to)
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

	req_msg(req, XFRM_MSG_MIGRATE, NLM_F_ACK, &id, sizeof(id));
	req_attr(req, XFRMA_MIGRATE, &um, sizeof(um));
}

/* ESRCH: it looked for the SA. Kernels that do not know the message say EINVAL. */
bool has_migrate_state(void)
{
	struct sa sa = { .kind = kinds, .spi = 1, .daddr = 1, .saddr = 1 };
	int fd = nl_open(NETLINK_XFRM, 0);
	struct req req = {};
	bool has;

	sa_migrate(&req, &sa, &sa);
	has = !req_send(fd, &req, 0, 1, ESRCH);
	req_free(&req);
	close(fd);
	return has;
}
