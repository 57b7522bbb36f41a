// SPDX-License-Identifier: GPL-2.0
/* What a migration interrupts: packets, a TCP connection, and many SAs at once.
 *
 * Two hosts, a veth between them, a tunnel of two SAs (AES-GCM in UDP, as after
 * a NAT). What goes wrong is counted where it goes wrong: sends that fail,
 * packets that do not arrive, counters of xfrm_stat, acquires.
 */

#include "load.h"

#include <netinet/tcp.h>
#include <poll.h>

#define BATCH 16	/* packets sent before others are received */
#define AHEAD 256	/* packets sent that have not come yet: they fit in the queues */

static const char *const method_names[METHODS] = {
	"none", "same", "nat", "roam", "old", "delnew",
};

static bool needs_message(enum method m)
{
	return m == SAME || m == NAT || m == ROAM;
}

int udp_socket(const struct host *host, uint32_t addr, int port, uint32_t peer)
{
	struct sockaddr_in sin = {
		.sin_family		= AF_INET,
		.sin_port		= htons(port),
		.sin_addr.s_addr	= htonl(addr),
	};
	int size = 64 << 20;
	int fd;

	host_enter(host);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (void *)&sin, sizeof(sin)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		die("UDP socket");
	sin.sin_addr.s_addr = htonl(peer);
	if (peer && connect(fd, (void *)&sin, sizeof(sin)))
		die("UDP socket");
	return fd;
}

void net_open(struct net *net, bool encap)
{
	int type = UDP_ENCAP_ESPINUDP;
	int i;

	memset(net, 0, sizeof(*net));
	host_open(&net->hosts[1]);
	host_open(&net->hosts[0]);
	link_pair(&net->hosts[0], &net->hosts[1], "bench0");
	for (i = 0; i < 2; i++) {
		host_enter(&net->hosts[i]);
		link_up("lo");
		link_up("bench0");
		addr4_add("bench0", PLAIN(i), 24);
		addr4_add("bench0", OUTER(i), 24);
		if (!i)
			addr4_add("bench0", OUTER2, 24);
		net->encap_fd[i] = -1;
		if (!encap)
			continue;
		net->encap_fd[i] = udp_socket(&net->hosts[i], 0, NAT_PORT, 0);
		if (setsockopt(net->encap_fd[i], IPPROTO_UDP, UDP_ENCAP, &type,
			       sizeof(type)))
			die("UDP_ENCAP");
	}
	for (i = 0; i < 4; i++) {
		int host = i / 2, from = i % 2 ? !host : host;
		struct batch req = {};

		net->sas[i] = (struct spec) {
			.kind	= kinds,
			.spi	= SPI + from,
			.reqid	= REQID,
			.saddr	= OUTER(from),
			.daddr	= OUTER(!from),
			.sport	= encap ? NAT_PORT : 0,
			.window	= window_new(),
		};
		batch_newsa(&req, &net->sas[i]);
		batch_policy(&req, XFRM_MSG_NEWPOLICY,
		       i % 2 ? XFRM_POLICY_IN : XFRM_POLICY_OUT, PLAIN(from),
		       PLAIN(!from), &net->sas[i]);
		batch_do(net->hosts[host].fd, &req, "SA and policy");
		batch_free(&req);
	}
}

void net_close(struct net *net)
{
	int i;

	for (i = 0; i < 4; i++)
		free(net->sas[i].window);
	for (i = 0; i < 2; i++) {
		if (net->encap_fd[i] >= 0)
			close(net->encap_fd[i]);
		host_close(&net->hosts[i]);
	}
	if (unshare(CLONE_NEWNET))
		die("a network namespace");
}

/* --- flood */

static void worker_receive(struct worker *w, int dir)
{
	char packet[128];
	uint64_t t, gap;

	if (recv(w->rx[dir], packet, sizeof(packet), MSG_DONTWAIT) < 0)
		return;
	t = now_ns();
	gap = t - w->last[dir];
	if (gap > w->silence)
		w->silence = gap;
	do
		w->received[dir]++;
	while (recv(w->rx[dir], packet, sizeof(packet), MSG_DONTWAIT) > 0);
	w->last[dir] = now_ns();
}

static unsigned long worker_ahead(const struct worker *w, int dir)
{
	return w->sent[dir] - w->received[dir] - w->given_up[dir];
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	struct net *net = w->net;
	char packet[64] = {};
	int dir, i, idle;

	pin(w->cpu);
	w->last[0] = now_ns();
	w->last[1] = w->last[0];
	while (!net->stop) {
		for (dir = 0; dir < 2; dir++) {
			struct pollfd pfd = { w->rx[dir], POLLIN, 0 };

			for (i = 0; i < BATCH; i++) {
				if (send(w->tx[dir], packet, sizeof(packet),
					 0) < 0)
					w->errors++;
				else
					w->sent[dir]++;
			}
			worker_receive(w, dir);
			/* what does not come was dropped */
			while (worker_ahead(w, dir) > AHEAD) {
				if (!poll(&pfd, 1, 20))
					w->given_up[dir] +=
						worker_ahead(w, dir);
				worker_receive(w, dir);
			}
		}
	}
	for (idle = 0; idle < 5; idle++) {
		for (dir = 0; dir < 2; dir++) {
			unsigned long before = w->received[dir];

			worker_receive(w, dir);
			if (w->received[dir] != before)
				idle = -1;
		}
		sleep_ms(10);
	}
	return NULL;
}

static void flood_start(struct net *net, int nworkers)
{
	int i, dir;

	net->stop = false;
	net->nworkers = nworkers;
	for (i = 0; i < nworkers; i++) {
		struct worker *w = &net->workers[i];

		memset(w, 0, sizeof(*w));
		w->net = net;
		w->cpu = i;
		for (dir = 0; dir < 2; dir++)
			w->tx[dir] = udp_socket(&net->hosts[dir], PLAIN(dir),
						PORT + i, PLAIN(!dir));
		w->rx[0] = w->tx[1];
		w->rx[1] = w->tx[0];
		if (pthread_create(&w->thread, NULL, worker_run, w))
			die("no thread");
	}
}

static void flood_stop(struct net *net)
{
	int i;

	net->stop = true;
	for (i = 0; i < net->nworkers; i++) {
		struct worker *w = &net->workers[i];

		pthread_join(w->thread, NULL);
		close(w->tx[0]);
		close(w->tx[1]);
	}
}

static void flood_print(const struct net *net)
{
	unsigned long sent = 0, received = 0, errors = 0;
	uint64_t silence = 0;
	int i;

	for (i = 0; i < net->nworkers; i++) {
		const struct worker *w = &net->workers[i];

		sent += w->sent[0] + w->sent[1];
		received += w->received[0] + w->received[1];
		errors += w->errors;
		if (w->silence > silence)
			silence = w->silence;
	}
	printf(" sent=%lu lost=%ld errors=%lu silence_us=%lu", sent,
	       (long)(sent - received), errors,
	       (unsigned long)(silence / 1000));
}

static void acquires_mib_print(struct net *net, unsigned long mib[MIBS])
{
	int i;

	for (i = 0; i < 2; i++)
		mib_add(&net->hosts[i], mib, 1);
	for (i = 0; i < MIBS; i++)
		printf(" %s=%lu", mib_names[i], mib[i]);
	printf(" acquires=%u\n",
	       drain(net->hosts[0].acquire, XFRM_MSG_ACQUIRE) +
	       drain(net->hosts[1].acquire, XFRM_MSG_ACQUIRE));
	fflush(stdout);
}

/* One SA of the four, or the one that sends at host 0 */
static void migrate(struct net *net, unsigned int n)
{
	enum method m = net->method;
	struct spec *sa = &net->sas[m == ROAM || m == OLD ? 0 : n % 4];
	int fd = net->hosts[m == ROAM || m == OLD ? 0 : n % 4 / 2].fd;
	static struct batch req;
	struct spec to = *sa;
	int err;

	batch_reset(&req);
	switch (m) {
	case NAT:
		to.sport = NAT_PORT + (sa->sport == NAT_PORT);
		batch_migrate_state(&req, sa, &to);
		break;
	case ROAM:
		to.saddr = sa->saddr == OUTER(0) ? OUTER2 : OUTER(0);
		batch_migrate_state(&req, sa, &to);
		batch_policy(&req, XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, PLAIN(0),
		       PLAIN(1), &to);
		break;
	case OLD:
		to.saddr = sa->saddr == OUTER(0) ? OUTER2 : OUTER(0);
		batch_migrate(&req, PLAIN(0), PLAIN(1), sa, &to);
		break;
	case DELNEW:
		batch_getsa(&req, sa, 0);
		if (send(fd, req.buf, req.len, 0) < 0)
			die("XFRM_MSG_GETSA");
		replay_read(fd, &to, 1);
		batch_reset(&req);
		batch_delsa(&req, sa);
		batch_newsa(&req, &to);
		break;
	default:
		batch_migrate_state(&req, sa, &to);
	}
	err = batch_send(fd, &req, 0, req.n, 0);
	errno = err;
	if (err && m != OLD)
		die("%s", method_names[m]);
	/* XFRM_MSG_MIGRATE of the base may fail with half of its work done: the
	 * next one finds no template with the old addresses (ENODATA)
	 */
	net->refused += !!err;
	*sa = to;
}

static void *migrator_run(void *arg)
{
	struct net *net = arg;
	uint64_t next = now_ns();
	struct timespec ts;

	pin(cpus() - 1);
	while (!net->stop_migrator) {
		migrate(net, net->migrations++);
		if (!net->rate)
			continue;
		/* where it is too slow it does not catch up in a burst */
		next += 1000000000ULL / net->rate;
		if (next < now_ns()) {
			next = now_ns();
			continue;
		}
		ts.tv_sec = next / 1000000000ULL;
		ts.tv_nsec = next % 1000000000ULL;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return NULL;
}

static void migrator_start(struct net *net, enum method m, unsigned int rate)
{
	net->migrations = 0;
	net->refused = 0;
	net->method = m;
	net->rate = rate;
	net->stop_migrator = false;
	if (m != NONE &&
	    pthread_create(&net->migrator, NULL, migrator_run, net))
		die("no thread");
}

static void migrator_stop(struct net *net)
{
	net->stop_migrator = true;
	if (net->method != NONE)
		pthread_join(net->migrator, NULL);
}

struct cell {
	enum method method;
	unsigned int rate;
};

static void flood_cell(struct net *net, const struct cell *cell, int round,
		       int ms)
{
	unsigned long mib[MIBS] = {};
	uint64_t t;
	int i;

	/* a larval SA that somebody left behind would be in the way of this one */
	net_open(net, true);
	for (i = 0; i < 2; i++)
		mib_add(&net->hosts[i], mib, -1);
	flood_start(net, cpus());
	sleep_ms(50);
	migrator_start(net, cell->method, cell->rate);
	t = now_ns();
	sleep_ms(ms);
	migrator_stop(net);
	t = now_ns() - t;
	flood_stop(net);
	printf("flood method=%s rate=%u round=%d cpus=%d ms=%lu migrations=%u refused=%u",
	       method_names[cell->method], cell->rate, round, net->nworkers,
	       (unsigned long)(t / 1000000), net->migrations, net->refused);
	flood_print(net);
	acquires_mib_print(net, mib);
	net_close(net);
}

void do_flood(int rounds, int ms)
{
	static const struct cell cells[] = {
		{ NONE, 0 },
		{ NAT, 10 }, { NAT, 100 }, { NAT, 1000 }, { NAT, 0 },
		{ ROAM, 100 }, { ROAM, 0 },
		{ OLD, 100 }, { OLD, 0 },
		{ DELNEW, 10 }, { DELNEW, 100 }, { DELNEW, 1000 }, { DELNEW, 0 },
	};
	int n = sizeof(cells) / sizeof(*cells);
	bool has = has_migrate_state();
	static struct net net;
	int round, i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < n; i++) {
			const struct cell *cell = &cells[(i + round) % n];

			if (!has && needs_message(cell->method))
				continue;
			flood_cell(&net, cell, round, ms);
		}
	}
}

/* --- TCP: an SA that has never migrated, one that does, one that has */

struct tcp {
	int tx, rx;
	atomic_ullong bytes;
	atomic_bool stop;
	pthread_t sender, receiver;
};

static void *tcp_send(void *arg)
{
	static char buf[65536];
	struct tcp *tcp = arg;

	pin(0);
	while (!tcp->stop)
		if (send(tcp->tx, buf, sizeof(buf), MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			break;
	shutdown(tcp->tx, SHUT_WR);
	return NULL;
}

static void *tcp_receive(void *arg)
{
	static char buf[262144];
	struct tcp *tcp = arg;
	ssize_t len;

	pin(cpus() - 1);
	for (;;) {
		len = recv(tcp->rx, buf, sizeof(buf), 0);
		if (len > 0)
			tcp->bytes += len;
		/* what was lost for good in a migration brings no end either */
		else if (!len || errno != EAGAIN || tcp->stop)
			return NULL;
	}
}

void tcp_pair(const struct net *net, int *tx, int *rx)
{
	struct sockaddr_in sin = {
		.sin_family		= AF_INET,
		.sin_port		= htons(PORT),
		.sin_addr.s_addr	= htonl(PLAIN(1)),
	};
	int size = 256 << 10;
	int fd;

	host_enter(&net->hosts[1]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (void *)&sin, sizeof(sin)) || listen(fd, 1))
		die("TCP");
	host_enter(&net->hosts[0]);
	*tx = socket(AF_INET, SOCK_STREAM, 0);
	/* less than the queues between the two hold */
	if (*tx < 0 || setsockopt(*tx, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ||
	    connect(*tx, (void *)&sin, sizeof(sin)))
		die("TCP");
	*rx = accept(fd, NULL, NULL);
	close(fd);
	if (*rx < 0)
		die("TCP");
}

static void tcp_start(struct net *net, struct tcp *tcp)
{
	struct timeval tv = { .tv_sec = 1 };

	memset(tcp, 0, sizeof(*tcp));
	tcp_pair(net, &tcp->tx, &tcp->rx);
	if (setsockopt(tcp->tx, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(tcp->rx, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    pthread_create(&tcp->sender, NULL, tcp_send, tcp) ||
	    pthread_create(&tcp->receiver, NULL, tcp_receive, tcp))
		die("TCP");
}

static double tcp_phase(struct tcp *tcp, int ms)
{
	unsigned long long bytes = tcp->bytes;
	uint64_t t = now_ns();

	sleep_ms(ms);
	bytes = tcp->bytes - bytes;
	return bytes * 8e3 / (now_ns() - t);
}

static unsigned long tcp_retransmits(const struct tcp *tcp)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	getsockopt(tcp->tx, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_total_retrans;
}

void do_tcp(int rounds, int ms)
{
	static const enum method methods[] = { NONE, SAME, ROAM, OLD, DELNEW };
	int n = sizeof(methods) / sizeof(*methods);
	bool has = has_migrate_state();
	double before, during, after;
	static struct net net;
	unsigned long again;
	struct tcp tcp;
	int round, i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < n; i++) {
			enum method m = methods[(i + round) % n];

			if (needs_message(m) && !has)
				continue;
			net_open(&net, false);
			quiet_down();
			tcp_start(&net, &tcp);
			tcp_phase(&tcp, ms / 2);
			before = tcp_phase(&tcp, ms);
			migrator_start(&net, m, 100);
			during = tcp_phase(&tcp, ms);
			migrator_stop(&net);
			/* TCP may take its time to notice that it can go on */
			tcp_phase(&tcp, ms / 2);
			after = tcp_phase(&tcp, ms);
			again = tcp_retransmits(&tcp);
			tcp.stop = true;
			pthread_join(tcp.sender, NULL);
			pthread_join(tcp.receiver, NULL);
			close(tcp.tx);
			close(tcp.rx);
			printf("tcp method=%s round=%d migrations=%u refused=%u before=%.1f during=%.1f after=%.1f retransmits=%lu\n",
			       method_names[m], round, net.migrations,
			       net.refused, before, during, after, again);
			fflush(stdout);
			net_close(&net);
		}
	}
}

/* --- storm: a gateway with many SAs of many peers gets another address */

#define PER_PEER 10
#define STORM_BATCH 256		/* SAs */
#define PEERS 0x0a010000

static void storm_add(struct net *net, struct spec *sas, unsigned int n)
{
	struct batch req = {};
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint32_t peer = PEERS + i / PER_PEER;
		bool out = !(i % 2);

		sas[i] = (struct spec) {
			.kind	= kinds,
			.spi	= SPI + 16 + i,
			.reqid	= 100 + i,
			.saddr	= out ? OUTER(0) : peer,
			.daddr	= out ? peer : OUTER(0),
		};
	}
	/* those that are sent through are among them */
	sas[n / 2] = net->sas[0];
	for (i = 0; i < n; i++) {
		if (i != n / 2)
			batch_newsa(&req, &sas[i]);
		if (req.n == STORM_BATCH || i == n - 1) {
			batch_do(net->hosts[0].fd, &req, "XFRM_MSG_NEWSA");
			batch_reset(&req);
		}
	}
	batch_free(&req);
}

static struct spec storm_moved(const struct spec *sa)
{
	struct spec to = *sa;
	uint32_t *addr = sa->saddr == OUTER(0) || sa->saddr == OUTER2 ? &to.saddr :
									&to.daddr;

	*addr = *addr == OUTER(0) ? OUTER2 : OUTER(0);
	return to;
}

/* The messages for @n SAs, and the policy of the one that is in use */
static void storm_batch(struct net *net, struct batch *req, struct spec *sas,
			unsigned int n, enum method m, bool counters)
{
	int fd = net->hosts[0].fd;
	unsigned int i;

	batch_reset(req);
	if (m == DELNEW && counters) {
		for (i = 0; i < n; i++)
			batch_getsa(req, &sas[i], 0);
		if (send(fd, req->buf, req->len, 0) < 0)
			die("XFRM_MSG_GETSA");
		replay_read(fd, sas, n);
		batch_reset(req);
	}
	for (i = 0; i < n; i++) {
		struct spec to = storm_moved(&sas[i]);

		if (m == DELNEW) {
			batch_delsa(req, &sas[i]);
			batch_newsa(req, &to);
		} else {
			batch_migrate_state(req, &sas[i], &to);
		}
		if (to.spi == SPI)
			batch_policy(req, XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT,
			       PLAIN(0), PLAIN(1), &to);
		sas[i] = to;
	}
	batch_do(fd, req, method_names[m]);
}

static void storm_cell(enum method m, bool counters, bool loaded, int round,
		       unsigned int n)
{
	struct spec *sas = calloc(n, sizeof(*sas));
	unsigned long mib[MIBS] = {};
	uint64_t t, c, b, quiet;
	static struct net net;
	struct batch req = {};
	unsigned int i, k;

	net_open(&net, false);
	storm_add(&net, sas, n);
	for (i = 0; i < 2; i++)
		mib_add(&net.hosts[i], mib, -1);
	quiet_down();
	if (loaded) {
		flood_start(&net, 1);
		sleep_ms(100);
	}
	pin(cpus() - 1);
	b = busy();
	t = now_ns();
	c = cpu_now();
	for (i = 0; i < n; i += k) {
		k = n - i < STORM_BATCH ? n - i : STORM_BATCH;
		storm_batch(&net, &req, &sas[i], k, m, counters);
	}
	c = cpu_now() - c;
	t = now_ns() - t;
	/* the old SAs are destroyed after a grace period */
	quiet = now_ns();
	sleep_ms(500);
	quiet = now_ns() - quiet;
	b = busy() - b;
	if (loaded)
		flood_stop(&net);
	printf("storm method=%s%s loaded=%d round=%d sas=%u ms=%.1f cpu_ms=%.1f busy_ms=%.1f rest_ms=%lu",
	       method_names[m], m == DELNEW && !counters ? "-blind" : "",
	       loaded, round, n, t / 1e6, c / 1e6, b / 1e6,
	       (unsigned long)(quiet / 1000000));
	if (loaded)
		flood_print(&net);
	acquires_mib_print(&net, mib);
	net_close(&net);
	batch_free(&req);
	free(sas);
}

void do_storm(int rounds, unsigned int sas)
{
	bool has = has_migrate_state();
	int round, loaded;

	for (round = 0; round < rounds; round++) {
		for (loaded = 0; loaded < 2; loaded++) {
			if (has)
				storm_cell(ROAM, true, loaded, round, sas);
			storm_cell(DELNEW, true, loaded, round, sas);
			if (!loaded)
				storm_cell(DELNEW, false, loaded, round, sas);
		}
	}
}

/* --- latency: a flow whose SA stays, while the others of its host get another address */

#define PACE_US 500
#define SAMPLES 65536
#define ENOUGH 1000	/* of these, or until all SAs have moved */

struct prober {
	struct net *net;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint n;
	uint64_t ns[SAMPLES];
};

/* From host 1 to host 0, whose SADs do not lose the two SAs of this way. */
static void *prober_run(void *arg)
{
	struct prober *p = arg;
	char packet[64] = {};
	int tx, rx;
	uint64_t t;

	pin(0);
	tx = udp_socket(&p->net->hosts[1], PLAIN(1), PORT + 99, PLAIN(0));
	rx = udp_socket(&p->net->hosts[0], PLAIN(0), PORT + 99, PLAIN(1));
	while (!p->stop && p->n < SAMPLES) {
		t = now_ns();
		if (send(tx, packet, sizeof(packet), 0) < 0 ||
		    recv(rx, packet, sizeof(packet), 0) < 0)
			die("an unrelated packet was lost");
		p->ns[p->n] = now_ns() - t;
		p->n++;
		usleep(PACE_US);
	}
	close(tx);
	close(rx);
	return NULL;
}

static void latency_cell(enum method m, int round, unsigned int n)
{
	struct spec *sas = calloc(n, sizeof(*sas));
	static struct prober prober;
	static struct net net;
	struct batch req = {};
	unsigned int i, k, first;
	uint64_t t;

	net_open(&net, false);
	storm_add(&net, sas, n);
	quiet_down();
	memset(&prober, 0, sizeof(prober));
	prober.net = &net;
	if (pthread_create(&prober.thread, NULL, prober_run, &prober))
		die("no thread");
	sleep_ms(100);
	first = prober.n;
	pin(cpus() - 1);
	t = now_ns();
	/* there, and back, until there is enough to see */
	do {
		for (i = 0; m != NONE && i < n; i += k) {
			k = n - i < STORM_BATCH ? n - i : STORM_BATCH;
			storm_batch(&net, &req, &sas[i], k, m, true);
		}
		if (m == NONE)
			sleep_ms(10);
	} while (prober.n - first < ENOUGH);
	t = now_ns() - t;
	prober.stop = true;
	pthread_join(prober.thread, NULL);
	k = prober.n - first;
	qsort(prober.ns + first, k, sizeof(*prober.ns), compare_ns);
	printf("latency method=%s round=%d sas=%u ms=%.1f packets=%u p50_us=%.1f p99_us=%.1f worst_us=%.1f\n",
	       method_names[m], round, n, t / 1e6, k, prober.ns[first + k / 2] / 1e3,
	       prober.ns[first + k * 99 / 100] / 1e3, prober.ns[first + k - 1] / 1e3);
	fflush(stdout);
	net_close(&net);
	batch_free(&req);
	free(sas);
}

void do_latency(int rounds, unsigned int sas)
{
	bool has = has_migrate_state();
	int round;

	for (round = 0; round < rounds; round++) {
		latency_cell(NONE, round, sas);
		if (has)
			latency_cell(ROAM, round, sas);
		latency_cell(DELNEW, round, sas);
	}
}
