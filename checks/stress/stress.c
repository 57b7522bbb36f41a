// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: packets on all CPUs, SAs that migrate, are deleted, dumped and
 * rekeyed, a SAD that grows to many SAs, lifetimes that end. Each SA has an owner who
 * knows what becomes of it, so in the end (and in each dump) it is known which SAs must
 * be there.
 *
 *   stress SECS SAS
 *
 *   keepers	SAS SAs, in parts, one for each of two threads; each moves its own, and no
 *		one deletes them: every dump has to show each of them exactly once
 *   traffic	SAs with policies; a thread for each CPU sends through them while another
 *		moves them, where the policy finds them all the same
 *   fought for	few SAs that three threads add, move and delete at once. Any of that may
 *		fail, but there are as many as were added and not deleted
 *   rekeyed	a thread adds a successor, moves both, deletes the old one
 *   expiring	with a lifetime of 1 s: gone in the end
 *   dumps	a thread reads the SAD again and again
 *
 * In the end the kernel's count, the dump and what the owners know are the same; then
 * all is flushed, and the slab of SAs has what it had before. TAP on stdout.
 */
#include "../lib/xfrm.h"

#include <pthread.h>

enum { KEEP_BASE = 0x1000000, FOUGHT_BASE = 0x100, TRAFFIC_BASE = 0x200,
       REKEY_BASE = 0x2000000, EXPIRE_BASE = 0x3000000 };
#define KEEPERS 2
#define MANY 50
#define FOUGHT 16
#define FIGHTERS 3
#define TRAFFIC 8
#define TRAFFIC_PORT 7000

static volatile bool stop;
static int sas;			/* of the keepers */
static int netns;
static long migrated[8], refused, rekeyed, expiring, dumps, dumped, sent, received;
static long added[FOUGHT], deleted[FOUGHT];
static int bad;
static pthread_mutex_t tell = PTHREAD_MUTEX_INITIALIZER;

static void wrong(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&tell);
	if (bad++ < 10) {
		printf("# ");
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		printf("\n");
	}
	pthread_mutex_unlock(&tell);
}

static void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("memory");
	return p;
}

/* Where an SA is: one of four places. The address also tells SAs apart. */
static uint32_t place(int n)
{
	return 0x0a140001 + (n & 3);
}

#define SOURCE 0x0a140101

static void msg_add(struct msg *m, uint32_t spi, int where, int life, bool null)
{
	struct xfrm_usersa_info info = info4(IPPROTO_ESP, XFRM_MODE_TUNNEL, spi, SOURCE,
					     place(where));

	info.reqid = spi & 0xff;
	info.lft.hard_add_expires_seconds = life;
	info.replay_window = 32;
	msg_init(m, XFRM_MSG_NEWSA, 0, &info, sizeof(info));
	/* many SAs: a transform that does not cost memory */
	if (null)
		msg_algo(m, XFRMA_ALG_CRYPT, "ecb(cipher_null)", 0);
	else
		msg_aead(m, "rfc4106(gcm(aes))", 160, 128);
}

static int add(struct nl *nl, uint32_t spi, int where, int life, bool null)
{
	struct msg m;

	msg_add(&m, spi, where, life, null);
	return nl_request(nl, &m);
}

/* Many in one go, which takes a fraction of the time. Returns the first error. */
static int add_many(struct nl *nl, uint32_t spi, int n)
{
	struct batch b = {};
	struct msg m;
	int i, err;

	for (i = 0; i < n; i++) {
		msg_add(&m, spi + i, 0, 0, (spi + i) % 64);
		batch_add(&b, &m);
	}
	err = batch_send(nl->fd, &b, 0, b.n, 0);
	batch_free(&b);
	return err;
}

static int move(struct nl *nl, uint32_t spi, int from, int to, long *count)
{
	struct xfrm_user_migrate_state um = move4(id4(IPPROTO_ESP, spi, place(from)), SOURCE,
						  place(to), spi & 0xff);
	struct msg m;

	msg_init(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
	if (nl_request(nl, &m))
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
	else
		++*count;
	return nl->err;
}

static int del(struct nl *nl, uint32_t spi, int where)
{
	struct xfrm_usersa_id id = id4(IPPROTO_ESP, spi, place(where));
	struct msg m;

	msg_init(&m, XFRM_MSG_DELSA, 0, &id, sizeof(id));
	return nl_request(nl, &m);
}

static void thread_nl(struct nl *nl)
{
	if (setns(netns, CLONE_NEWNET))
		die("setns");
	nl_open(nl, NETLINK_XFRM, 0);
}

/* keepers */

static uint8_t *where;		/* each of the keepers' SAs */

static void *keeper(void *arg)
{
	int id = (long)arg, first = id * (sas / KEEPERS);
	int n = sas / KEEPERS, i, to, err, many;
	unsigned int seed = id;
	struct nl nl;

	thread_nl(&nl);
	for (i = first; i < first + n && !stop; i += many) {
		many = first + n - i < MANY ? first + n - i : MANY;
		err = add_many(&nl, KEEP_BASE + i, many);
		if (err) {
			wrong("NEWSA: %s", strerror(err));
			return NULL;
		}
		for (to = 0; to < many; to++)
			__atomic_store_n(&where[i + to], 0x80, __ATOMIC_RELEASE);
		/* and while it grows, they move */
		for (to = 0; to < 4; to++) {
			int k = i + rand_r(&seed) % many;

			err = move(&nl, KEEP_BASE + k, where[k] & 3, to,
				   &migrated[id]);
			if (err)
				wrong("keeper's SA: %s: %s", strerror(err), nl.text);
			else
				where[k] = 0x80 | to;
		}
	}
	while (!stop) {
		i = first + rand_r(&seed) % n;
		to = rand_r(&seed) & 3;
		err = move(&nl, KEEP_BASE + i, where[i] & 3, to, &migrated[id]);
		if (err)
			wrong("keeper's SA: %s: %s", strerror(err), nl.text);
		else
			where[i] = 0x80 | to;
	}
	close(nl.fd);
	return NULL;
}

/* fought for */

static void *fighter(void *arg)
{
	unsigned int seed = 100 + (long)arg;
	struct nl nl;
	int n, a, b;

	thread_nl(&nl);
	while (!stop) {
		n = rand_r(&seed) % FOUGHT;
		a = rand_r(&seed) & 1;
		b = rand_r(&seed) & 1;
		switch (rand_r(&seed) % 8) {
		case 0:
		case 1:
			if (!add(&nl, FOUGHT_BASE + n, a, 0, false))
				__atomic_add_fetch(&added[n], 1, __ATOMIC_RELAXED);
			break;
		case 2:
			if (!del(&nl, FOUGHT_BASE + n, a))
				__atomic_add_fetch(&deleted[n], 1, __ATOMIC_RELAXED);
			break;
		default:
			move(&nl, FOUGHT_BASE + n, a, b,
			     &migrated[KEEPERS + (long)arg]);
			if (nl.err && nl.err != ESRCH && nl.err != EEXIST)
				wrong("fought for: %s: %s", strerror(nl.err),
				      nl.text);
		}
	}
	close(nl.fd);
	return NULL;
}

/* traffic: the SA of flow n is in the template of a policy by its reqid, and has a
 * transport to 127.0.n.1 whose last byte does not matter to who receives
 */

static void lo_sa(struct nl *nl, int n)
{
	uint32_t addr = 0x7f000001 + n, reqid = 1000 + n;
	struct xfrm_usersa_info info = info4(IPPROTO_ESP, XFRM_MODE_TRANSPORT, TRAFFIC_BASE + n,
					     INADDR_LOOPBACK, addr);
	struct xfrm_userpolicy_info pol = policy4(XFRM_POLICY_OUT);
	struct xfrm_user_tmpl t = tmpl4(IPPROTO_ESP, XFRM_MODE_TRANSPORT, reqid, INADDR_LOOPBACK,
					addr);
	struct msg m;

	info.reqid = reqid;
	info.replay_window = 32;
	msg_init(&m, XFRM_MSG_NEWSA, 0, &info, sizeof(info));
	msg_aead(&m, "rfc4106(gcm(aes))", 160, 128);
	if (nl_request(nl, &m))
		die("SA for traffic: %s", nl->text);

	pol.sel.proto = IPPROTO_UDP;
	pol.sel.daddr = info.id.daddr;
	pol.sel.prefixlen_d = 32;
	msg_init(&m, XFRM_MSG_NEWPOLICY, 0, &pol, sizeof(pol));
	msg_attr(&m, XFRMA_TMPL, &t, sizeof(t));
	if (nl_request(nl, &m))
		die("policy: %s", nl->text);
}

static void *traffic_mover(void *arg)
{
	struct xfrm_user_migrate_state um;
	unsigned int seed = 77, n;
	uint32_t addr;
	struct nl nl;
	struct msg m;

	thread_nl(&nl);
	while (!stop) {
		n = rand_r(&seed) % TRAFFIC;
		addr = 0x7f000001 + n;
		um = move4(id4(IPPROTO_ESP, TRAFFIC_BASE + n, addr), INADDR_LOOPBACK, addr, 1000 + n);
		msg_init(&m, XFRM_MSG_MIGRATE_STATE, 0, &um, sizeof(um));
		/* what the SA sets on its packets changes, not where they go */
		msg_u32(&m, XFRMA_SET_MARK, rand_r(&seed) & 3);
		if (nl_request(&nl, &m))
			wrong("SA under traffic: %s: %s", strerror(nl.err), nl.text);
		else
			migrated[KEEPERS + FIGHTERS]++;
	}
	close(nl.fd);
	(void)arg;
	return NULL;
}

static void *sender(void *arg)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char data[200] = {}, got[300];
	struct timeval tv = { .tv_usec = 200000 };
	long n, mine = 0, back = 0;
	int tx, rx;

	if (setns(netns, CLONE_NEWNET))
		die("setns");
	rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sin.sin_port = htons(TRAFFIC_PORT + (long)arg);
	if (bind(rx, (void *)&sin, sizeof(sin)) ||
	    setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		die("bind");
	for (n = 0; !stop; n++) {
		sin.sin_addr.s_addr = htonl(0x7f000001 + n % TRAFFIC);
		if (sendto(tx, data, sizeof(data), 0, (void *)&sin,
			   sizeof(sin)) < 0) {
			wrong("cannot send: %s", strerror(errno));
			usleep(10000);
			continue;
		}
		mine++;
		while (recv(rx, got, sizeof(got), MSG_DONTWAIT) > 0)
			back++;
	}
	while (recv(rx, got, sizeof(got), 0) > 0)
		back++;
	__atomic_add_fetch(&sent, mine, __ATOMIC_RELAXED);
	__atomic_add_fetch(&received, back, __ATOMIC_RELAXED);
	close(tx);
	close(rx);
	return NULL;
}

/* rekeyed, expiring */

static uint32_t rekey_last;
static int rekey_where;

static void *rekeyer(void *arg)
{
	uint32_t spi = REKEY_BASE, n = 0;
	struct nl nl;
	int at = 0, to = 1;

	thread_nl(&nl);
	if (add(&nl, spi, at, 0, false))
		wrong("rekey: %s", nl.text);
	while (!stop) {
		if (add(&nl, spi + 1, at, 0, false) ||
		    move(&nl, spi, at, to, &migrated[KEEPERS + FIGHTERS + 1]) ||
		    move(&nl, spi + 1, at, to, &migrated[KEEPERS + FIGHTERS + 1]) ||
		    del(&nl, spi, to))
			wrong("rekey %u: %s: %s", spi, strerror(nl.err), nl.text);
		spi++;
		at = to;
		to = (to + 1) & 3;
		rekeyed++;
		if (n++ % 4 == 0 && !add(&nl, EXPIRE_BASE + n, 0, 1, false)) {
			expiring++;
			/* its time goes on */
			move(&nl, EXPIRE_BASE + n, 0, 1,
			     &migrated[KEEPERS + FIGHTERS + 1]);
		}
	}
	rekey_last = spi;
	rekey_where = at;
	close(nl.fd);
	(void)arg;
	return NULL;
}

/* dumps */

struct seen {
	uint8_t *keep, *before;
	int fought[FOUGHT], traffic, rekey, expire, other, twice;
};

static void see(const struct nlmsghdr *nlh, void *arg)
{
	const struct xfrm_usersa_info *info = NLMSG_DATA(nlh);
	uint32_t spi = ntohl(info->id.spi);
	struct seen *s = arg;

	if (spi >= EXPIRE_BASE)
		s->expire++;
	else if (spi >= REKEY_BASE)
		s->rekey++;
	else if (spi >= KEEP_BASE && spi < KEEP_BASE + (uint32_t)sas)
		s->twice += s->keep[spi - KEEP_BASE]++ > 0;
	else if (spi >= TRAFFIC_BASE && spi < TRAFFIC_BASE + TRAFFIC)
		s->traffic++;
	else if (spi >= FOUGHT_BASE && spi < FOUGHT_BASE + FOUGHT)
		s->fought[spi - FOUGHT_BASE]++;
	else
		s->other++;
}

static int look(struct nl *nl, struct seen *s)
{
	int i, n, lost = 0;

	for (i = 0; i < sas; i++)
		s->before[i] = __atomic_load_n(&where[i], __ATOMIC_ACQUIRE);
	memset(s->keep, 0, sas);
	s->twice = s->other = s->traffic = s->rekey = s->expire = 0;
	memset(s->fought, 0, sizeof(s->fought));
	n = sad_each(nl, see, s);
	if (n < 0) {
		wrong("no dump: %s", strerror(-n));
		return n;
	}
	for (i = 0; i < sas; i++)
		lost += s->before[i] && !s->keep[i];
	if (lost || s->twice || s->other || s->traffic != TRAFFIC)
		wrong("a dump of %d SAs: %d lost, %d twice, %d unknown, %d of %d with traffic",
		      n, lost, s->twice, s->other, s->traffic, TRAFFIC);
	return n;
}

static void seen_init(struct seen *s)
{
	memset(s, 0, sizeof(*s));
	s->keep = xcalloc(sas, 1);
	s->before = xcalloc(sas, 1);
}

static void *dumper(void *arg)
{
	struct seen s;
	struct nl nl;
	int n;

	seen_init(&s);
	thread_nl(&nl);
	while (!stop) {
		n = look(&nl, &s);
		if (n > 0)
			dumped += n;
		dumps++;
	}
	close(nl.fd);
	(void)arg;
	return NULL;
}

/* How many SAs the slab holds; -1: the kernel does not say. */
static long slab(void)
{
	char buf[64];
	long n = -1;
	int fd = open("/sys/kernel/slab/xfrm_state/objects", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	/* what each CPU keeps for itself is no SA */
	write_file("/sys/kernel/slab/xfrm_state/shrink", "1");
	memset(buf, 0, sizeof(buf));
	if (read(fd, buf, sizeof(buf) - 1) > 0)
		n = atol(buf);
	close(fd);
	return n;
}

int main(int argc, char **argv)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i, n, count, count2, want, secs;
	long slab_before, slab_after, total = 0, grown = 0;
	pthread_t t[64];
	struct seen s;
	struct nl nl;
	double start, grew = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: stress SECS SAS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	secs = atoi(argv[1]);
	sas = atoi(argv[2]) / KEEPERS * KEEPERS;
	where = xcalloc(sas, 1);
	if (cpus > 16)
		cpus = 16;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	write_file("/proc/sys/net/core/xfrm_acq_expires", "3600");
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	nl_open(&nl, NETLINK_XFRM, 0);
	slab_before = slab();
	for (i = 0; i < TRAFFIC; i++)
		lo_sa(&nl, i);

	n = 0;
	start = now();
#define START(fn, arg) do {						\
	if (pthread_create(&t[n++], NULL, fn, (void *)(long)(arg)))	\
		die("thread");						\
} while (0)
	for (i = 0; i < KEEPERS; i++)
		START(keeper, i);
	for (i = 0; i < FIGHTERS; i++)
		START(fighter, i);
	for (i = 0; i < cpus; i++)
		START(sender, i);
	START(traffic_mover, 0);
	START(rekeyer, 0);
	START(dumper, 0);

	/* as long as asked for, and until the SAD has its size */
	for (i = 0; i < secs || (grown < sas && i < 10 * secs + 60); i++) {
		int j;

		sleep(1);
		for (j = 0, grown = 0; j < sas; j++)
			grown += where[j] != 0;
		if (grown == sas && !grew)
			grew = now() - start;
		if (bad > 100)
			break;
	}
	stop = true;
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	start = now() - start;

	/* what expires is gone, 1 s after it was added; timers have their time */
	seen_init(&s);
	for (i = 0; i < 100; i++) {
		count = look(&nl, &s);
		if (!s.expire)
			break;
		usleep(100000);
	}
	for (i = 0; i < (int)ARRAY_SIZE(migrated); i++)
		total += migrated[i];
	printf("# %.0f s: %ld migrations (%.0f/s), %ld refused to those who fought, %ld SAs rekeyed, %ld expired, %ld dumps with %ld SAs; %ld packets sent, %ld received\n",
	       start, total, total / start, refused, rekeyed, expiring, dumps, dumped,
	       sent, received);
	ok(grown == sas, "the SAD grew to %ld of %d SAs, in %.0f s", grown, sas, grew);
	ok(!bad, "no SA lost, seen twice or refused, in any dump");
	ok(total > 100 && rekeyed && dumps && sent, "all that was to happen did");
	ok(!s.expire, "%d of %ld expiring SAs are left", s.expire, expiring);
	want = grown + TRAFFIC + 1;
	for (i = 0, n = 0; i < FOUGHT; i++) {
		want += added[i] - deleted[i];
		if (s.fought[i] != added[i] - deleted[i]) {
			printf("# SPI %#x: added %ld times, deleted %ld times, there %d times\n",
			       FOUGHT_BASE + i, added[i], deleted[i], s.fought[i]);
			n++;
		}
	}
	ok(!n, "each of %d SAs that were fought for is there as often as it was added and not deleted",
	   FOUGHT);
	ok(s.rekey == 1 && !move(&nl, rekey_last, rekey_where, rekey_where,
				 &migrated[0]), "the last of the rekeyed SAs is there");
	count = look(&nl, &s);
	count2 = sad_count(&nl);
	ok(count == want && count2 == want,
	   "%d SAs: as many as the kernel counts (%d) and the dump shows (%d)",
	   want, count2, count);
	ok(received > sent * 9 / 10, "%ld of %ld packets arrived", received, sent);

	sad_flush(&nl, 0);
	count = sad_count(&nl);
	ok(!count, "%d SAs after a flush", count);
	/* RCU, then the garbage collector */
	for (i = 0; i < 300; i++) {
		slab_after = slab();
		if (slab_after <= slab_before)
			break;
		usleep(100000);
	}
	if (slab_before < 0)
		skip("slab", "the kernel does not tell");
	else
		ok(slab_after <= slab_before,
		   "the slab holds %ld SAs, %ld before", slab_after, slab_before);
	return !!tap_failed;
}
