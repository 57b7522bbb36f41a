// SPDX-License-Identifier: GPL-2.0
/*
 * Lets one allocation after the other fail inside XFRM_MSG_MIGRATE_STATE, until there
 * is none left, for each kind of SA, on the side that sends and on the one that
 * receives. After each failure
 *
 *  - the SA is what it was, to the byte, and nothing else is in the SAD;
 *  - the netdevsim device has the entries that it had;
 *  - a packet from one side arrives at the other;
 *
 * and after each success the SA goes back and that is so again. At the end kmemleak has
 * nothing to say.
 *
 * The failures are those of /proc/thread-self/fail-nth: the Nth time that this thread
 * asks for memory (slab, pages) or copies from or to user space it gets none. The
 * selftests migrate_state_keep, _traffic and _offload do the same for upstream, without
 * traffic for most kinds and without a count; here is the place for all kinds.
 *
 *   fault [KIND...]		those whose name begins so; default: all
 * NO_KMEMLEAK in the environment: the kernel has none, and that is known.
 * TAP on stdout.
 */
#include "../lib/xfrm.h"

#include <sys/prctl.h>
#include <signal.h>

struct kind {
	const char *name;
	uint8_t proto, mode;
	enum { AEAD, CBC, HMAC, COMP } algo;
	bool dir, esn, encap, nsim, context;
	enum { NOTHING, ADD_ENCAP, ADD_NSIM } request;
};

#define KIND(n, p, m, a) \
	.name = (n), .proto = IPPROTO_##p, .mode = XFRM_MODE_##m, .algo = (a)

static const struct kind kinds[] = {
	{ KIND("esp-aead", ESP, TRANSPORT, AEAD) },
	{ KIND("esp-aead-tunnel", ESP, TUNNEL, AEAD), .dir = true },
	{ KIND("esp-cbc-hmac", ESP, TUNNEL, CBC) },
	{ KIND("esp-in-udp", ESP, TUNNEL, AEAD), .encap = true,
	  .dir = true },
	{ KIND("esp-gets-encap", ESP, TRANSPORT, AEAD),
	  .request = ADD_ENCAP },
	{ KIND("ah", AH, TRANSPORT, HMAC) },
	{ KIND("ipcomp", COMP, TRANSPORT, COMP) },
	{ KIND("ipcomp-tunnel", COMP, TUNNEL, COMP) },
	{ KIND("iptfs", ESP, IPTFS, AEAD), .dir = true },
	{ KIND("esn-4096", ESP, TUNNEL, AEAD), .esn = true },
	{ KIND("offload", ESP, TUNNEL, AEAD), .nsim = true,
	  .dir = true },
	{ KIND("esp-gets-offload", ESP, TRANSPORT, AEAD),
	  .nsim = true, .request = ADD_NSIM },
	{ KIND("context", ESP, TRANSPORT, AEAD), .context = true },
};

#define PORT 5555
#define SPI 0x1234
#define SENDER 0x0a090001
#define SENDER2 0x0a090004
#define RECEIVER 0x0a090002
#define RECEIVER2 0x0a090003
#define CONTEXT "init"	/* an initial SID: no policy needs to be loaded */

static int net[2];		/* who sends, who receives */
static struct nl nl[2];
static int tx, rx;
static char why[300];

static bool failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return false;
}

static xfrm_address_t a4(uint32_t addr)
{
	return (xfrm_address_t) { .a4 = htonl(addr) };
}

static void sh(const char *fmt, ...)
{
	char cmd[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		die("failed: %s", cmd);
}

static void msg_context(struct msg *m)
{
	struct { struct xfrm_user_sec_ctx c; char text[sizeof(CONTEXT)]; } ctx = {};

	ctx.c.len = sizeof(ctx.c) + sizeof(CONTEXT);
	ctx.c.exttype = XFRMA_SEC_CTX;
	ctx.c.ctx_alg = XFRM_SC_ALG_SELINUX;
	ctx.c.ctx_doi = XFRM_SC_DOI_LSM;
	ctx.c.ctx_len = sizeof(CONTEXT);
	memcpy(ctx.text, CONTEXT, sizeof(CONTEXT));
	msg_attr(m, XFRMA_SEC_CTX, &ctx, ctx.c.len);
}

/* Two namespaces and a wire. 10.9.0.1 sends; the other end has .2 and .3. */
static void setup_net(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (unshare(CLONE_NEWNET))
			die("unshare");
		net[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		nl_open(&nl[i], NETLINK_XFRM, 0);
		write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	}
	sh("ip link add vb type veth peer name va && ip link set va netns /proc/%d/fd/%d",
	   getpid(), net[0]);
	sh("ip addr add 10.9.0.2/24 dev vb && ip addr add 10.9.0.3/24 dev vb && ip link set vb up && ip link set lo up");
	if (setns(net[0], CLONE_NEWNET))
		die("setns");
	sh("ip addr add 10.9.0.1/24 dev va && ip addr add 10.9.0.4/24 dev va && ip link set va up && ip link set lo up");
}

static void setup_sockets(const struct kind *k)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct timeval tv = { .tv_sec = 10 };
	int fd, type = UDP_ENCAP_ESPINUDP;

	setns(net[1], CLONE_NEWNET);
	rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sin.sin_port = htons(PORT);
	if (bind(rx, (void *)&sin, sizeof(sin)) ||
	    setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		die("receiver");
	if (k->encap) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		sin.sin_port = htons(4500);
		if (bind(fd, (void *)&sin, sizeof(sin)) ||
		    setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)))
			die("receiver of encapsulated packets");
	}
	setns(net[0], CLONE_NEWNET);
	tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sin.sin_addr.s_addr = htonl(RECEIVER);
	sin.sin_port = htons(PORT);
	if (connect(tx, (void *)&sin, sizeof(sin)))
		die("sender");
}

static bool packet_arrives(void)
{
	static uint32_t number;
	char data[1000], got[1500];
	int len;

	memset(data, 'x', sizeof(data));
	memcpy(data, &number, sizeof(number));
	number++;
	if (send(tx, data, sizeof(data), 0) != sizeof(data))
		return failed("cannot send: %s", strerror(errno));
	len = recv(rx, got, sizeof(got), 0);
	if (len != sizeof(data) || memcmp(data, got, sizeof(data)))
		return failed("a packet did not arrive: %s",
			      len < 0 ? strerror(errno) : "garbled");
	return true;
}

static void add_policy(const struct kind *k, int side)
{
	struct xfrm_userpolicy_info pol = policy4(side ? XFRM_POLICY_IN : XFRM_POLICY_OUT);
	struct xfrm_user_tmpl t = tmpl4(k->proto, k->mode, 1, SENDER, RECEIVER);
	struct msg m;

	pol.sel.proto = IPPROTO_UDP;
	pol.sel.dport = htons(PORT);
	pol.sel.dport_mask = 0xffff;
	/* small packets are not compressed */
	t.optional = side && k->proto == IPPROTO_COMP;
	msg_init(&m, XFRM_MSG_NEWPOLICY, 0, &pol, sizeof(pol));
	msg_attr(&m, XFRMA_TMPL, &t, sizeof(t));
	if (k->context)
		msg_context(&m);
	if (nl_request(&nl[side], &m))
		die("policy: %s: %s", strerror(nl[side].err), nl[side].text);
}

/* Returns false if the kernel does not know of such things. */
static bool add_sa(const struct kind *k, int side, int nsim)
{
	struct xfrm_usersa_info info = info4(k->proto, k->mode, SPI, SENDER, RECEIVER);
	struct msg m;

	info.reqid = 1;
	if (side && !k->esn && k->proto != IPPROTO_COMP)
		info.replay_window = 32;
	if (k->esn)
		info.flags = XFRM_STATE_ESN;
	msg_init(&m, XFRM_MSG_NEWSA, 0, &info, sizeof(info));
	switch (k->algo) {
	case AEAD:
		msg_aead(&m, "rfc4106(gcm(aes))", 160, 128);
		break;
	case CBC:
		msg_algo(&m, XFRMA_ALG_CRYPT, "cbc(aes)", 128);
		/* fallthrough */
	case HMAC:
		msg_algo(&m, XFRMA_ALG_AUTH, "hmac(sha1)", 160);
		break;
	case COMP:
		msg_algo(&m, XFRMA_ALG_COMP, "deflate", 0);
		break;
	}
	if (k->dir)
		msg_u8(&m, XFRMA_SA_DIR, side ? XFRM_SA_DIR_IN : XFRM_SA_DIR_OUT);
	if (k->esn)
		msg_esn(&m, 128, 4096, 0, 0);
	if (k->encap)
		msg_encap(&m, UDP_ENCAP_ESPINUDP, 4500, 4500);
	if (nsim && k->request != ADD_NSIM)
		msg_offload(&m, nsim, side ? XFRM_OFFLOAD_INBOUND : 0);
	if (k->context)
		msg_context(&m);
	if (nl_request(&nl[side], &m))
		return failed("NEWSA: %s: %s", strerror(nl[side].err),
			      nl[side].text);
	return true;
}

/* Without those of the kernel, which go when they are not needed any more. */
static const char *sad_differ(struct sad *a, struct sad *b)
{
	int i = 0, j = 0;
	const char *what;

	for (;;) {
		while (i < a->n && sa_kernels(&a->sa[i]))
			i++;
		while (j < b->n && sa_kernels(&b->sa[j]))
			j++;
		if (i == a->n || j == b->n)
			return i == a->n && j == b->n ? NULL : "number of SAs";
		what = sa_differ(&a->sa[i++], &b->sa[j++]);
		if (what)
			return what;
	}
}

static struct sa *the_sa(struct sad *sad)
{
	int i;

	for (i = 0; i < sad->n; i++)
		if (!sa_kernels(&sad->sa[i]))
			return &sad->sa[i];
	return NULL;
}

static void set_nth(int fd, int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%d", n);

	if (pwrite(fd, buf, len, 0) != len)
		die("fail-nth");
}

/* Has it failed? And no more from here on. Reading fail-nth copies to user space, which
 * can be made to fail as well: then the request had less to do than the number.
 */
static bool has_failed(int fd)
{
	char buf[16] = "";
	bool failed = pread(fd, buf, sizeof(buf) - 1, 0) > 0 && !atoi(buf);

	if (pwrite(fd, "0", 1, 0) < 0)
		set_nth(fd, 0);
	return failed;
}

static bool migrate_back(struct nl *n, const struct sa *to)
{
	struct xfrm_user_migrate_state um;
	struct sad sad = {};
	struct sa *sa;
	struct msg m;
	int err;

	sad_read(n, &sad);
	sa = the_sa(&sad);
	if (!sa)
		return failed("the SA is lost");
	um = sa_move(sa, &to->info.id.daddr, &to->info.saddr, to->info.family);
	um.new_sel = to->info.sel;
	um.flags = to->len[XFRMA_OFFLOAD_DEV] < 0 ?
		   XFRM_MIGRATE_STATE_CLEAR_OFFLOAD : 0;
	msg_init(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
	if (to->len[XFRMA_ENCAP] < 0)
		msg_encap(&m, 0, 0, 0);
	err = nl_request(n, &m);
	free(sad.sa);
	return err ? failed("back: %s: %s", strerror(err), n->text) : true;
}

/* Returns the number of failures; why is set if something is wrong. */
static int fail_each(const struct kind *k, int side, int nsim, int nsim_id)
{
	xfrm_address_t daddr = a4(side ? RECEIVER2 : RECEIVER);
	xfrm_address_t saddr = a4(side ? SENDER : SENDER2);
	struct xfrm_user_migrate_state um;
	struct sad before = {}, after = {};
	int fd, n, err, entries;
	const char *what;
	bool injected;
	struct sa *sa;
	struct msg m;

	/* all of them, and no trace of each */
	if (write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") ||
	    write_file("/sys/kernel/debug/failslab/verbose", "0") ||
	    write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") ||
	    write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0"))
		die("no fault injection in this kernel");
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_file("/sys/kernel/debug/fail_usercopy/verbose", "0");
	fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("no fail-nth in this kernel");

	entries = nsim ? nsim_count(nsim_id) : 0;
	if (nsim && entries != (k->request != ADD_NSIM))
		return failed("%d entries in the device to begin with", entries), 0;
	for (n = 1; ; n++) {
		sad_read(&nl[side], &before);
		sa = the_sa(&before);
		if (!sa)
			return failed("no SA"), n;
		um = sa_move(sa, &daddr, &saddr, AF_INET);
		msg_init(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
		if (k->request == ADD_ENCAP)
			msg_encap(&m, UDP_ENCAP_ESPINUDP, 4500, 4500);
		if (k->request == ADD_NSIM)
			msg_offload(&m, nsim, side ? XFRM_OFFLOAD_INBOUND : 0);
		m.nlh.nlmsg_seq = ++nl[side].seq;

		set_nth(fd, n);
		err = send(nl[side].fd, &m, m.nlh.nlmsg_len, 0) < 0 ? errno : 0;
		injected = has_failed(fd);
		if (!err)
			err = nl_wait(&nl[side]);

		sad_read(&nl[side], &after);
		sa = the_sa(&after);
		if (!sa)
			return failed("failure %d (%s): the SA is gone", n,
				      strerror(err)), n;
		if (!memcmp(&sa->info.id.daddr, &um.id.daddr, 16) &&
		    !memcmp(&sa->info.saddr, &the_sa(&before)->info.saddr, 16)) {
			if (!injected)
				return failed("refused without a failure: %s %s",
					      strerror(err), nl[side].text), n;
			if (!err)
				return failed("failure %d: success, and the SA is where it was", n), n;
			what = sad_differ(&before, &after);
			if (what)
				return failed("failure %d (%s, %s): the SA differs in %s",
					      n, strerror(err), nl[side].text,
					      what), n;
		} else {
			if (err && !(injected && err == ENOBUFS))
				return failed("failure %d: %s, and the SA has moved",
					      n, strerror(err)), n;
			if (!migrate_back(&nl[side], the_sa(&before)))
				return n;
			sad_read(&nl[side], &after);
			what = sad_differ(&before, &after);
			if (what)
				return failed("failure %d: there and back the SA differs in %s",
					      n, what), n;
		}
		/* the route of the socket lets the dead SA go */
		if (nsim && !packet_arrives())
			return n;
		if (nsim && nsim_settled(nsim_id, entries) != entries)
			return failed("failure %d (%s): %d entries in the device, not %d",
				      n, strerror(err), nsim_count(nsim_id),
				      entries), n;
		if (!packet_arrives())
			return n;
		if (!injected)
			break;
	}
	close(fd);
	return n - 1;
}

static int one_kind(const struct kind *k, int side, int *points)
{
	int nsim = 0, nsim_id = 5000 + getpid() % 1000;

	setup_net();
	if (k->nsim) {
		setns(net[side], CLONE_NEWNET);
		nsim = nsim_add(nsim_id);
		if (!nsim)
			return failed("no netdevsim"), 1;
	}
	setup_sockets(k);
	add_policy(k, 0);
	add_policy(k, 1);
	if (!add_sa(k, !side, 0) || !add_sa(k, side, nsim))
		return 1;
	if (packet_arrives())
		*points = fail_each(k, side, nsim, nsim_id);
	if (nsim)
		nsim_del(nsim_id);
	if (!why[0] && *points < 5)
		failed("only %d failures", *points);
	return !!why[0];
}

static bool leaks(void)
{
	static const char file[] = "/sys/kernel/debug/kmemleak";
	char buf[4096];
	bool any = false;
	int i, fd, len;

	/* it passes over what is younger than 5 s, and may be wrong once */
	for (i = 0; i < 2; i++) {
		sleep(6);
		if (write_file(file, "scan"))
			die("no kmemleak in this kernel");
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (len = read(fd, buf, sizeof(buf) - 1)) > 0) {
		buf[len] = '\0';
		fputs(buf, stderr);
		any = true;
	}
	close(fd);
	return any;
}

int main(int argc, char **argv)
{
	struct result { int points, bad; char why[300]; } *res;
	int i, j, side, total = 0, status;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	res = mmap(NULL, sizeof(*res), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (res == MAP_FAILED)
		die("mmap");
	for (i = 0; i < (int)ARRAY_SIZE(kinds); i++) {
		bool wanted = argc < 2;

		for (j = 1; j < argc; j++)
			wanted |= !strncmp(kinds[i].name, argv[j], strlen(argv[j]));
		for (side = 0; wanted && side < 2; side++) {
			double start = now();

			memset(res, 0, sizeof(*res));
			fflush(stdout);
			pid = fork();
			if (!pid) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				res->bad = one_kind(&kinds[i], side, &res->points);
				memcpy(res->why, why, sizeof(why));
				_exit(0);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				die("fork");
			if (status)
				res->bad = 1;
			ok(!res->bad, "%s, %s: %d failure points, %.0f s%s%s", kinds[i].name,
			   side ? "in" : "out", res->points, now() - start,
			   res->bad ? ": " : "",
			   res->bad ? res->why[0] ? res->why : "it died" : "");
			total += res->points;
		}
	}
	if (getenv("NO_KMEMLEAK"))
		skip("kmemleak", "not in this kernel");
	else
		ok(!leaks(), "kmemleak, scanned twice");
	printf("# %d failure points in %d kinds of SA\n", total, tap_number - 1);
	return !!tap_failed;
}
