// SPDX-License-Identifier: GPL-2.0
/* What one message costs: of each kind of SA, in SADs of different sizes, and in
 * memory.
 *
 * Each round does all operations one after the other, the first one another
 * each time, so that whatever disturbs the machine for a while disturbs all of them.
 * An operation goes over the SAs twice, there and back again, so that each
 * finds them as the one before did.
 */

#include "bench.h"

#define BATCH 256	/* messages in one sendmsg() */
#define SINGLE 32	/* SAs that get a message of their own */
#define SOME 64		/* SAs of a large SAD that are worked on */

#define HERE 0x0a000001		/* 10.0.0.1 */
#define HERE2 0x0a000002
#define THERE 0x0a010000	/* and up */
#define THERE2 0x0b010000
#define PLAIN_HERE 0xc6336401	/* 198.51.100.1 */
#define PLAIN_THERE 0xc0000000	/* and up */

enum op {
	FLOOR,		/* GETSA of an unknown SPI: all but the work */
	SAME,		/* MIGRATE_STATE, nothing changes */
	SOURCE,
	DEST,
	ENCAP,		/* appears and disappears, or changes its port */
	HEARD,		/* as SAME, and somebody listens to the event */
	OLD,		/* XFRM_MSG_MIGRATE, new source, as policies bid */
	DELNEW,		/* DELSA, NEWSA with another source */
	OPS
};

static const char *const op_names[OPS] = {
	"floor", "same", "source", "dest", "encap", "heard", "old", "delnew",
};

static bool needs_message(enum op op)
{
	return op >= SAME && op <= HEARD;
}

static struct spec moved(const struct spec *sa, enum op op)
{
	struct spec to = *sa;

	switch (op) {
	case SOURCE:
	case OLD:
	case DELNEW:
		to.saddr = HERE2;
		break;
	case DEST:
		to.daddr += THERE2 - THERE;
		break;
	case ENCAP:
		to.sport = !sa->sport ? 4500 : 4501;
		break;
	default:
		break;
	}
	return to;
}

static void add_op(struct batch *req, enum op op, unsigned int i,
		   const struct spec *sa, const struct spec *to)
{
	struct spec unknown = *sa;

	switch (op) {
	case FLOOR:
		unknown.spi = 0xfff;
		batch_getsa(req, &unknown, NLM_F_ACK);
		break;
	case OLD:
		batch_migrate(req, PLAIN_HERE, PLAIN_THERE + i, sa, to);
		break;
	case DELNEW:
		batch_delsa(req, sa);
		batch_newsa(req, to);
		break;
	default:
		batch_migrate_state(req, sa, to);
	}
}

/* An operation on @n SAs, there and back, ready to be sent */
struct job {
	enum op op;
	unsigned int n;
	struct batch way[2];
};

static void job_make(struct job *job, enum op op, const struct spec *sas,
		     unsigned int n, unsigned int stride)
{
	unsigned int i;

	memset(job, 0, sizeof(*job));
	job->op = op;
	job->n = n;
	for (i = 0; i < n; i++) {
		const struct spec *sa = &sas[i * stride];
		struct spec to = moved(sa, op);

		add_op(&job->way[0], op, i * stride, sa, &to);
		add_op(&job->way[1], op, i * stride, &to, sa);
	}
}

struct result {
	double ns, cpu;		/* of one SA */
	int err;
};

#define MAX_SENDS 1024

/* Messages in groups of @group SAs: 1 is each on its own. What counts is the
 * median of the sends: on a busy host some of them meet with an emulated CPU that is
 * put aside for milliseconds.
 */
static struct result job_run(const struct job *job, int fd, unsigned int group,
			     unsigned int times)
{
	unsigned int each = job->op == DELNEW ? 2 : 1;
	int expect = job->op == FLOOR ? ESRCH : 0;
	static uint64_t ns[MAX_SENDS];
	struct result res = {};
	unsigned int i, k, r, n, sends = 0;
	uint64_t t, c;
	int way;

	c = cpu_now();
	for (r = 0; r < times; r++) {
		for (way = 0; way < 2; way++) {
			const struct batch *req = &job->way[way];

			for (i = 0; i < req->n; i += n) {
				n = group * each;
				if (n > req->n - i)
					n = req->n - i;
				t = now_ns();
				/* who deletes an SA waits to hear that it is
				 * gone before adding it
				 */
				for (k = 0; group == 1 && k < n - 1; k++) {
					res.err = batch_send(fd, req, i + k, 1,
							   expect);
					if (res.err)
						return res;
				}
				res.err = batch_send(fd, req, i + k, n - k,
						   expect);
				if (res.err)
					return res;
				t = now_ns() - t;
				if (sends < MAX_SENDS)
					ns[sends++] = t / (n / each);
			}
		}
	}
	res.cpu = (double)(cpu_now() - c) / (2 * times * job->n);
	qsort(ns, sends, sizeof(*ns), compare_ns);
	res.ns = ns[sends / 2];
	return res;
}

static void fail(int err, enum op op, const char *sas)
{
	errno = err;
	die("%s of %s", op_names[op], sas);
}

static void job_free(struct job *job)
{
	batch_free(&job->way[0]);
	batch_free(&job->way[1]);
}

static unsigned int sad_buckets(int fd)
{
	struct nl nl = { .fd = fd };
	const struct xfrmu_sadhinfo *info = sad_info(&nl, XFRMA_SAD_HINFO);

	if (!info)
		die("no size in the answer to XFRM_MSG_GETSADINFO");
	return info->sadhcnt;
}

/* The hash tables grow in the background, when an SA is added to @n that share
 * chains. A kernel that searches them without a lock misses SAs then, as
 * Debian's 7.2 does: let it happen before anything is measured.
 */
static void tables_grow(int fd, const struct spec *last, unsigned int n)
{
	struct batch req = {};
	int tries = 100;

	batch_delsa(&req, last);
	batch_newsa(&req, last);
	while (sad_buckets(fd) <= n && tries--) {
		batch_do(fd, &req, "XFRM_MSG_DELSA and NEWSA");
		sleep_ms(10);
	}
	batch_free(&req);
}

static void add_all(int fd, const struct spec *sas, unsigned int n)
{
	struct batch req = {};
	unsigned int i;

	for (i = 0; i < n; i++) {
		batch_newsa(&req, &sas[i]);
		if (req.n == BATCH || i == n - 1) {
			batch_do(fd, &req, "XFRM_MSG_NEWSA");
			batch_reset(&req);
		}
	}
	batch_free(&req);
	tables_grow(fd, &sas[n - 1], n);
}

static void sas_init(struct spec *sas, const struct kind *kind, unsigned int n,
		     unsigned int per_peer)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		sas[i] = (struct spec) {
			.kind	= kind,
			.spi	= SPI + i,
			.reqid	= per_peer == n ? 1 : 1 + i,
			.saddr	= HERE,
			.daddr	= THERE + i / per_peer,
			.sport	= kind->encap ? 4500 : 0,
		};
}

/* The old SAs of the operation before are destroyed behind its back; let that
 * not fall into the next one. A grace period and a worker's turn.
 */
static void settle(void)
{
	sleep_ms(25);
}

static void cost_kind(const struct kind *kind, int rounds)
{
	bool has = has_migrate_state();
	struct job single[OPS], batch[OPS];
	struct spec sas[BATCH];
	struct batch req = {};
	struct host host;
	int round, k, heard;
	unsigned int i;

	host_open(&host);
	/* all policies lead to their own SA, and all SAs to one peer */
	sas_init(sas, kind, BATCH, BATCH);
	for (i = 0; i < BATCH; i++) {
		sas[i].reqid = 1 + i;
		batch_policy(&req, XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, PLAIN_HERE,
		       PLAIN_THERE + i, &sas[i]);
	}
	add_all(host.fd, sas, BATCH);
	batch_do(host.fd, &req, "XFRM_MSG_NEWPOLICY");
	batch_free(&req);
	for (k = 0; k < OPS; k++) {
		job_make(&single[k], k, sas, SINGLE, 1);
		job_make(&batch[k], k, sas, BATCH, 1);
	}
	quiet_down();

	/* the first round warms up */
	for (round = -1; round < rounds; round++) {
		for (k = 0; k < 2 * OPS; k++) {
			enum op op = (k / 2 + round + 1) % OPS;
			bool all = k % 2;
			struct result res;

			if (needs_message(op) && !has)
				continue;
			if (op == ENCAP && kind->proto != IPPROTO_ESP)
				continue;
			heard = op == HEARD ? bench_open(NETLINK_XFRM,
						      XFRMNLGRP_MIGRATE) : -1;
			if (all)
				res = job_run(&batch[op], host.fd, BATCH, 1);
			else
				res = job_run(&single[op], host.fd, 1, 1);
			if (heard >= 0) {
				i = drain(heard, XFRM_MSG_MIGRATE_STATE);
				close(heard);
				if (i != (all ? 2 * BATCH : 2 * SINGLE))
					die("%u events", i);
			}
			if (res.err)
				fail(res.err, op, kind->name);
			if (op != FLOOR)
				settle();
			if (round >= 0)
				printf("cost kind=%s round=%d op=%s batch=%d ns=%.0f cpu=%.0f\n",
				       kind->name, round, op_names[op],
				       all ? BATCH : 1, res.ns, res.cpu);
		}
		fflush(stdout);
	}

	for (k = 0; k < OPS; k++) {
		job_free(&single[k]);
		job_free(&batch[k]);
	}
	host_close(&host);
}

void do_cost(const char *kind, int rounds)
{
	const struct kind *k;

	pin(0);
	if (strcmp(kind, "all")) {
		cost_kind(kind_find(kind), rounds);
		return;
	}
	for (k = kinds; k->name; k++)
		cost_kind(k, rounds);
}

/* --- scale: SADs of different sizes, side by side in namespaces of their own */

struct size {
	const char *name;
	unsigned int n, per_peer;
	bool dumped;		/* somebody reads it all the time */
	bool marked;		/* one destination and SPI, each has its own mark */
	struct host host;
	struct job jobs[OPS];
};

struct dumper {
	pthread_t thread;
	struct nl nl;
	atomic_bool stop;
	unsigned int dumps;
};

static void pass_over(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	(void)arg;
}

static void *dumper_run(void *arg)
{
	struct dumper *dumper = arg;

	pin(cpus() - 1);
	while (!dumper->stop) {
		errno = -sad_each(&dumper->nl, pass_over, NULL);
		if (errno > 0)
			die("dump");
		dumper->dumps++;
	}
	return NULL;
}

static void sad_fill(struct size *sad)
{
	unsigned int some = sad->n < SOME ? sad->n : SOME;
	struct spec *sas = calloc(sad->n, sizeof(*sas));
	unsigned int i;
	enum op op;

	if (!sas)
		die("out of memory");
	host_open(&sad->host);
	sas_init(sas, kinds, sad->n, sad->per_peer);
	for (i = 0; sad->marked && i < sad->n; i++) {
		sas[i].spi = SPI;
		sas[i].mark = 1 + i;
	}
	add_all(sad->host.fd, sas, sad->n);
	for (op = 0; op < OPS; op++)
		job_make(&sad->jobs[op], op, sas, some, sad->n / some);
	free(sas);
}

void do_scale(int rounds, unsigned int most)
{
	static const enum op ops[] = { FLOOR, SAME, SOURCE, DEST, DELNEW };
	struct size sads[] = {
		{ "1", 1, 1 },
		{ "1000", 1000, 10 },
		{ "10000", 10000, 10 },
		{ "100000", 100000, 10 },
		{ "10000-dumped", 10000, 10, .dumped = true },
		/* all of them have the same ends and the same reqid */
		{ "10000-one-peer", 10000, 10000 },
		/* as Cilium keys its SAs */
		{ "1000-marks", 1000, 1000, .marked = true },
		{ "10000-marks", 10000, 10000, .marked = true },
	};
	int nsads = sizeof(sads) / sizeof(*sads);
	int nops = sizeof(ops) / sizeof(*ops);
	bool has = has_migrate_state();
	struct dumper dumper;
	int round, i, k;

	pin(0);
	for (i = 0; i < nsads; i++)
		if (sads[i].n <= most)
			sad_fill(&sads[i]);
	quiet_down();
	for (round = -1; round < rounds; round++) {
		for (i = 0; i < nsads; i++) {
			struct size *sad = &sads[i];
			unsigned int some = sad->n < SOME ? sad->n : SOME;

			if (sad->n > most)
				continue;
			if (sad->dumped) {
				memset(&dumper, 0, sizeof(dumper));
				host_enter(&sad->host);
				nl_open(&dumper.nl, NETLINK_XFRM, 0);
				if (pthread_create(&dumper.thread, NULL,
						   dumper_run, &dumper))
					die("no thread");
				/* it is at work when the first message comes */
				while (!dumper.dumps)
					sleep_ms(1);
			}
			for (k = 0; k < nops; k++) {
				enum op op = ops[(k + round + 1) % nops];
				struct result res;

				if (needs_message(op) && !has)
					continue;
				res = job_run(&sad->jobs[op], sad->host.fd, 1,
					      SOME / some);
				if (res.err)
					fail(res.err, op, sad->name);
				if (op != FLOOR)
					settle();
				if (round >= 0)
					printf("scale sas=%s round=%d op=%s ns=%.0f cpu=%.0f\n",
					       sad->name, round, op_names[op],
					       res.ns, res.cpu);
			}
			if (sad->dumped) {
				dumper.stop = true;
				pthread_join(dumper.thread, NULL);
				close(dumper.nl.fd);
			}
		}
		fflush(stdout);
	}
}

/* --- memory: what is left of a migration after the grace period */

/* Bytes of all objects in slabs and of what is per CPU, and objects of
 * xfrm_state. Not pages: they come and go with what was before.
 */
static void memory_now(long long *bytes, long long *states)
{
	long long val, active, total, size;
	char line[512], name[64];
	FILE *f;

	*bytes = 0;
	*states = -1;
	f = fopen("/proc/slabinfo", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld %lld %lld", name, &active, &total,
			   &size) != 4)
			continue;
		*bytes += active * size;
		if (!strcmp(name, "xfrm_state"))
			*states = active;
	}
	if (!f || *states < 0)
		die("no xfrm_state in /proc/slabinfo");
	fclose(f);
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^:]: %lld kB", name, &val) == 2 &&
		    !strcmp(name, "Percpu"))
			*bytes += val * 1024;
	if (f)
		fclose(f);
}

/* when nothing changes any more */
static void memory_settled(long long *bytes, long long *states)
{
	long long before_bytes, before_states;
	int quiet = 0;

	memory_now(bytes, states);
	while (quiet < 4) {
		sleep_ms(100);
		before_bytes = *bytes;
		before_states = *states;
		memory_now(bytes, states);
		quiet = llabs(*bytes - before_bytes) < 65536 &&
			*states == before_states ? quiet + 1 : 0;
	}
}

/* Until what was before is cleaned up, and each new SA has had its first timer,
 * a second after it was added. Under -icount the CPUs share one clock: what the
 * other one does would count.
 */
void quiet_down(void)
{
	long long bytes, states;

	sleep_ms(1100);
	memory_settled(&bytes, &states);
}

#define MEMORY_SAS 1024
#define MEMORY_MORE 20

static void memory_print(const struct kind *kind, enum op op, int round,
			 unsigned int times, double ns)
{
	long long bytes, states;

	memory_settled(&bytes, &states);
	printf("memory kind=%s op=%s round=%d times=%u sas=%u bytes=%lld states=%lld ns=%.0f\n",
	       kind->name, op_names[op], round, times, MEMORY_SAS, bytes, states, ns);
	fflush(stdout);
}

static void memory_op(const struct kind *kind, enum op op, int round)
{
	struct spec sas[MEMORY_SAS];
	struct host host;
	struct job job;
	uint64_t t;

	sas_init(sas, kind, MEMORY_SAS, 1);
	host_open(&host);
	add_all(host.fd, sas, MEMORY_SAS);
	memory_print(kind, op, round, 0, 0);
	job_make(&job, op, sas, MEMORY_SAS, 1);
	if (job_run(&job, host.fd, BATCH, 1).err)
		die("%s failed", op_names[op]);
	memory_print(kind, op, round, 2, 0);
	/* so many that the old SAs are destroyed in between */
	t = now_ns();
	if (job_run(&job, host.fd, BATCH, MEMORY_MORE).err)
		die("%s failed", op_names[op]);
	t = now_ns() - t;
	memory_print(kind, op, round, 2 + 2 * MEMORY_MORE,
		     (double)t / (2 * MEMORY_MORE * MEMORY_SAS));
	job_free(&job);
	host_close(&host);
	/* the namespace goes when its last process does */
	if (unshare(CLONE_NEWNET))
		die("a network namespace");
}

void do_memory(int rounds)
{
	bool has = has_migrate_state();
	const struct kind *kind;
	int round;

	pin(0);
	for (round = 0; round < rounds; round++) {
		for (kind = kinds; kind->name; kind++) {
			if (has)
				memory_op(kind, SOURCE, round);
			memory_op(kind, DELNEW, round);
		}
	}
}

/* --- all of many SAs that share a pair of hosts move to another source, and back */

void do_pair(unsigned int n)
{
	struct spec *sas = calloc(n, sizeof(*sas));
	struct host host;
	struct job job;
	unsigned int i;
	uint64_t t;
	int way;

	if (!sas || !n)
		die("%u SAs", n);
	host_open(&host);
	sas_init(sas, kinds, n, n);
	add_all(host.fd, sas, n);
	job_make(&job, SOURCE, sas, n, 1);
	quiet_down();
	for (way = 0; way < 2; way++) {
		t = now_ns();
		for (i = 0; i < n; i++)
			if (batch_send(host.fd, &job.way[way], i, 1, 0))
				die("source of SA %u", i);
		t = now_ns() - t;
		printf("pair sas=%u way=%d ns=%.0f\n", n, way, (double)t / n);
	}
	job_free(&job);
	free(sas);
	host_close(&host);
}

/* --- one operation, some times, for a tracer or a profile */

void do_one(const char *what, int times)
{
	struct batch req = {};
	struct host host;
	struct spec sa, to;
	int op, i;

	for (op = FLOOR; op <= ENCAP && strcmp(what, op_names[op]); op++)
		;
	if (op > ENCAP || times < 1)
		die("no operation '%s', or not %d times", what, times);
	host_open(&host);
	sas_init(&sa, kinds, 1, 1);
	add_all(host.fd, &sa, 1);
	to = moved(&sa, op);
	/* there and back again */
	for (i = 0; i < times; i++) {
		batch_reset(&req);
		if (i % 2)
			add_op(&req, op, 0, &to, &sa);
		else
			add_op(&req, op, 0, &sa, &to);
		errno = batch_send(host.fd, &req, 0, 1, op == FLOOR ? ESRCH : 0);
		if (errno)
			die("%s", what);
	}
	host_close(&host);
}
