// SPDX-License-Identifier: GPL-2.0
/*
 * A library for LD_PRELOAD that plays the kernel's XFRM for pluto: sockets of NETLINK_XFRM
 * are its own. It keeps SAs and policies, and grants or rejects requests as a kernel with
 * XFRM_MSG_MIGRATE_STATE. No packet is ever encrypted: this is for what pluto asks for.
 *
 * $XFRM.log      the requests
 * $XFRM.state    the SAs and policies, after each write
 * $XFRM.command  is read and removed when it appears: lines
 *                mapping SPI OLD-ADDRESS OLD-PORT NEW-ADDRESS NEW-PORT COUNT
 *                send COUNT messages XFRM_MSG_MAPPING, with three new ports in turn
 * XFRM_OFFLOAD   devices that can offload ESP, and a space before and behind each
 * XFRM_KERNEL    "7.2": reject family 0, as Linux 7.2; "refuse": migrate no SA
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/xfrm.h>

struct sa {
	struct sa *next;
	struct xfrm_usersa_info info;
	int larval;
	struct xfrm_encap_tmpl encap;
	int offload;	/* the device */
};

struct policy {
	struct policy *next;
	union {
		struct nlmsghdr n;
		char raw[8192];
	};
};

#define MAX_FD 4096

static int other_end[MAX_FD];	/* of the socket, + 1; 0 if it is not ours */
static int mapping_fd = -1;
static struct sa *sas;
static struct policy *policies;
static FILE *log_file;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name)				\
	static type (*real)();				\
	if (!real)					\
		real = (type (*)())dlsym(RTLD_NEXT, name)

static int ours(int fd)
{
	return fd >= 0 && fd < MAX_FD && other_end[fd];
}

static const char *file(const char *suffix)
{
	static __thread char name[300];
	const char *prefix = getenv("XFRM");

	snprintf(name, sizeof(name), "%s.%s", prefix ? prefix : "/tmp/xfrm", suffix);
	return name;
}

static int kernel_is(const char *what)
{
	const char *kernel = getenv("XFRM_KERNEL");

	return kernel && !strcmp(kernel, what);
}

static void say(const char *format, ...)
{
	va_list args;

	if (!log_file) {
		log_file = fopen(file("log"), "a");
		setlinebuf(log_file);
	}
	va_start(args, format);
	vfprintf(log_file, format, args);
	va_end(args);
	fputc('\n', log_file);
}

static const char *text(const xfrm_address_t *address)
{
	static __thread char buffers[4][INET_ADDRSTRLEN];
	static __thread unsigned int n;

	return inet_ntop(AF_INET, address, buffers[n++ % 4], INET_ADDRSTRLEN);
}

static void *attribute(struct nlmsghdr *n, size_t payload, int type)
{
	struct rtattr *attr = (struct rtattr *)((char *)NLMSG_DATA(n) + NLMSG_ALIGN(payload));
	int left = n->nlmsg_len - NLMSG_SPACE(payload);

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == type)
			return RTA_DATA(attr);
	return NULL;
}

static void write_state(void)
{
	FILE *out = fopen(file("state"), "w");
	char device[IF_NAMESIZE];

	for (struct sa *sa = sas; sa; sa = sa->next)
		fprintf(out, "%s %s %s %d 0x%08x %d %d %d %s\n", sa->larval ? "larval" : "sa",
			text(&sa->info.saddr), text(&sa->info.id.daddr), sa->info.id.proto,
			ntohl(sa->info.id.spi), sa->encap.encap_type,
			ntohs(sa->encap.encap_sport), ntohs(sa->encap.encap_dport),
			sa->offload ? if_indextoname(sa->offload, device) : "-");
	for (struct policy *p = policies; p; p = p->next) {
		struct xfrm_userpolicy_info *info = NLMSG_DATA(&p->n);
		struct xfrm_user_tmpl *tmpl = attribute(&p->n, sizeof(*info), XFRMA_TMPL);

		if (tmpl)
			fprintf(out, "policy %s %s\n", text(&tmpl->saddr), text(&tmpl->id.daddr));
	}
	fclose(out);
}

static struct sa **find_sa(const xfrm_address_t *daddr, unsigned int spi, int proto)
{
	struct sa **sa;

	for (sa = &sas; *sa; sa = &(*sa)->next)
		if (!memcmp(&(*sa)->info.id.daddr, daddr, sizeof(*daddr)) &&
		    (*sa)->info.id.spi == spi && (*sa)->info.id.proto == proto)
			return sa;
	return NULL;
}

static struct sa *new_sa(const struct xfrm_usersa_info *info)
{
	struct sa *sa = calloc(1, sizeof(*sa));

	sa->info = *info;
	sa->next = sas;
	sas = sa;
	return sa;
}

static void delete_sa(struct sa **where)
{
	struct sa *sa = *where;

	*where = sa->next;
	free(sa);
}

static struct policy **find_policy(int dir, const struct xfrm_selector *sel)
{
	struct policy **p;

	for (p = &policies; *p; p = &(*p)->next) {
		struct xfrm_userpolicy_info *info = NLMSG_DATA(&(*p)->n);

		if (info->dir == dir && !memcmp(&info->sel, sel, sizeof(*sel)))
			return p;
	}
	return NULL;
}

static void reply(int fd, const struct nlmsghdr *request, int type, const void *data, size_t len)
{
	union {
		struct nlmsghdr n;
		char raw[9000];
	} out = {};

	out.n.nlmsg_len = NLMSG_LENGTH(len);
	out.n.nlmsg_type = type;
	out.n.nlmsg_seq = request->nlmsg_seq;
	memcpy(NLMSG_DATA(&out.n), data, len);
	send(other_end[fd] - 1, &out, out.n.nlmsg_len, MSG_DONTWAIT);
}

#define REPLIED 1

static int alloc_spi(int fd, struct nlmsghdr *n)
{
	struct xfrm_userspi_info *request = NLMSG_DATA(n);
	struct sa *sa = new_sa(&request->info);

	sa->larval = 1;
	sa->info.id.spi = htonl(request->min + random() % (request->max - request->min + 1));
	reply(fd, n, XFRM_MSG_NEWSA, &sa->info, sizeof(sa->info));
	return REPLIED;
}

static int add_sa(struct nlmsghdr *n)
{
	struct xfrm_usersa_info *info = NLMSG_DATA(n);
	struct xfrm_encap_tmpl *encap = attribute(n, sizeof(*info), XFRMA_ENCAP);
	struct xfrm_user_offload *offload = attribute(n, sizeof(*info), XFRMA_OFFLOAD_DEV);
	struct sa **old = find_sa(&info->id.daddr, info->id.spi, info->id.proto);
	struct sa *sa;

	if (n->nlmsg_type == XFRM_MSG_UPDSA && !old)
		return -ESRCH;
	if (n->nlmsg_type == XFRM_MSG_NEWSA && old && !(*old)->larval)
		return -EEXIST;
	if (old)
		delete_sa(old);
	sa = new_sa(info);
	if (encap)
		sa->encap = *encap;
	if (offload)
		sa->offload = offload->ifindex;
	return 0;
}

static int migrate_state(struct nlmsghdr *n)
{
	struct xfrm_user_migrate_state *m = NLMSG_DATA(n);
	struct xfrm_encap_tmpl *encap = attribute(n, sizeof(*m), XFRMA_ENCAP);
	struct xfrm_user_offload *offload = attribute(n, sizeof(*m), XFRMA_OFFLOAD_DEV);
	struct sa **sa, **taken;

	if (kernel_is("7.2") && !m->new_family)
		return -EINVAL;
	sa = find_sa(&m->id.daddr, m->id.spi, m->id.proto);
	if (!sa || (*sa)->larval)
		return -ESRCH;
	if (kernel_is("refuse"))
		return -ENOMEM;
	taken = find_sa(&m->new_daddr, m->id.spi, m->id.proto);
	if (taken && *taken != *sa)
		return -EEXIST;
	say("migrate 0x%08x %s %s", ntohl(m->id.spi), text(&m->new_saddr), text(&m->new_daddr));
	(*sa)->info.saddr = m->new_saddr;
	(*sa)->info.id.daddr = m->new_daddr;
	if (encap)
		(*sa)->encap = *encap;
	if (encap && !encap->encap_type)
		memset(&(*sa)->encap, 0, sizeof((*sa)->encap));
	if (offload)
		(*sa)->offload = offload->ifindex;
	else if (m->flags & XFRM_MIGRATE_STATE_CLEAR_OFFLOAD)
		(*sa)->offload = 0;
	return 0;
}

/* the first SA that matches, and the policy */
static int migrate(struct nlmsghdr *n)
{
	struct xfrm_userpolicy_id *id = NLMSG_DATA(n);
	struct xfrm_user_migrate *m = attribute(n, sizeof(*id), XFRMA_MIGRATE);
	struct xfrm_encap_tmpl *encap = attribute(n, sizeof(*id), XFRMA_ENCAP);
	struct policy **p = find_policy(id->dir, &id->sel);
	struct xfrm_user_tmpl *tmpl;

	if (!m || !m->proto)
		return -EINVAL;	/* pluto's probe */
	if (!p)
		return -ENOENT;
	tmpl = attribute(&(*p)->n, sizeof(struct xfrm_userpolicy_info), XFRMA_TMPL);
	tmpl->saddr = m->new_saddr;
	tmpl->id.daddr = m->new_daddr;
	for (struct sa *sa = sas; sa; sa = sa->next) {
		if (memcmp(&sa->info.saddr, &m->old_saddr, sizeof(m->old_saddr)) ||
		    memcmp(&sa->info.id.daddr, &m->old_daddr, sizeof(m->old_daddr)) ||
		    sa->info.id.proto != m->proto || sa->info.reqid != m->reqid || sa->larval)
			continue;
		sa->info.saddr = m->new_saddr;
		sa->info.id.daddr = m->new_daddr;
		if (encap)
			sa->encap = *encap;
		break;
	}
	return 0;
}

/* 0, REPLIED, or an error */
static int grant(int fd, struct nlmsghdr *n)
{
	switch (n->nlmsg_type) {
	case XFRM_MSG_ALLOCSPI:
		return alloc_spi(fd, n);
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		return add_sa(n);
	case XFRM_MSG_MIGRATE_STATE:
		return migrate_state(n);
	case XFRM_MSG_DELSA:
	case XFRM_MSG_GETSA: {
		struct xfrm_usersa_id *id = NLMSG_DATA(n);
		struct sa **sa = find_sa(&id->daddr, id->spi, id->proto);

		if (!sa)
			return -ESRCH;
		if (n->nlmsg_type == XFRM_MSG_DELSA) {
			delete_sa(sa);
			return 0;
		}
		reply(fd, n, XFRM_MSG_NEWSA, &(*sa)->info, sizeof((*sa)->info));
		return REPLIED;
	}
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY: {
		struct xfrm_userpolicy_info *info = NLMSG_DATA(n);
		struct policy **old = find_policy(info->dir, &info->sel);
		struct policy *p;

		if (old && n->nlmsg_type == XFRM_MSG_NEWPOLICY)
			return -EEXIST;
		p = old ? *old : calloc(1, sizeof(*p));
		memcpy(p->raw, n, n->nlmsg_len);
		if (!old) {
			p->next = policies;
			policies = p;
		}
		return 0;
	}
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_GETPOLICY: {
		struct xfrm_userpolicy_id *id = NLMSG_DATA(n);
		struct policy **where = find_policy(id->dir, &id->sel);
		struct policy *p = where ? *where : NULL;

		if (!p)
			return -ENOENT;
		if (n->nlmsg_type == XFRM_MSG_DELPOLICY) {
			*where = p->next;
			free(p);
			return 0;
		}
		reply(fd, n, XFRM_MSG_NEWPOLICY, NLMSG_DATA(&p->n), p->n.nlmsg_len - NLMSG_HDRLEN);
		return REPLIED;
	}
	case XFRM_MSG_MIGRATE:
		return migrate(n);
	default:
		return n->nlmsg_type > XFRM_MSG_MIGRATE_STATE ? -EINVAL : 0;
	}
}

static void send_mappings(unsigned int spi, const char *old, int old_port,
			  const char *new, int new_port, int count)
{
	struct {
		struct nlmsghdr n;
		struct xfrm_user_mapping m;
	} event = {
		.n.nlmsg_len = sizeof(event),
		.n.nlmsg_type = XFRM_MSG_MAPPING,
		.m.id.spi = htonl(spi),
		.m.id.family = AF_INET,
		.m.id.proto = IPPROTO_ESP,
		.m.old_sport = htons(old_port),
	};

	pthread_mutex_lock(&lock);
	for (struct sa *sa = sas; sa; sa = sa->next)
		if (sa->info.id.spi == event.m.id.spi)
			event.m.id.daddr = sa->info.id.daddr;
	pthread_mutex_unlock(&lock);
	inet_pton(AF_INET, old, &event.m.old_saddr);
	inet_pton(AF_INET, new, &event.m.new_saddr);
	for (int i = 0; i < count; i++) {
		event.m.new_sport = htons(new_port + i % 3);
		send(other_end[mapping_fd] - 1, &event, sizeof(event), MSG_DONTWAIT);
		usleep(1000);
	}
}

static void *read_commands(void *unused)
{
	for (;; usleep(50000)) {
		FILE *in = fopen(file("command"), "r");
		unsigned int spi;
		char old[64], new[64];
		int old_port, new_port, count;

		if (!in)
			continue;
		while (fscanf(in, "mapping %x %63s %d %63s %d %d\n", &spi, old, &old_port,
			      new, &new_port, &count) == 6)
			send_mappings(spi, old, old_port, new, new_port, count);
		fclose(in);
		unlink(file("command"));
	}
	return unused;
}

/* --- the system calls */

int socket(int domain, int type, int protocol)
{
	int ends[2];

	REAL(int, "socket");
	if (domain != AF_NETLINK || protocol != NETLINK_XFRM)
		return real(domain, type, protocol);
	if (socketpair(AF_UNIX, SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), 0, ends))
		return -1;
	srandom(getpid() + time(NULL));
	other_end[ends[0]] = ends[1] + 1;
	return ends[0];
}

int close(int fd)
{
	REAL(int, "close");
	if (ours(fd)) {
		real(other_end[fd] - 1);
		other_end[fd] = 0;
	}
	return real(fd);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
	pthread_t thread;

	REAL(int, "bind");
	if (!ours(fd))
		return real(fd, address, len);
	if (((const struct sockaddr_nl *)address)->nl_groups == 1 << (XFRMNLGRP_MAPPING - 1)) {
		mapping_fd = fd;
		pthread_create(&thread, NULL, read_commands, NULL);
	}
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	REAL(int, "setsockopt");
	return ours(fd) ? 0 : real(fd, level, name, value, len);
}

/* all features of such a device are on */
int ioctl(int fd, unsigned long request, ...)
{
	struct ethtool_gfeatures *features;
	char device[IF_NAMESIZE + 2];
	const char *list = getenv("XFRM_OFFLOAD");
	struct ifreq *ifr;
	va_list args;
	int r;

	REAL(int, "ioctl");
	va_start(args, request);
	ifr = va_arg(args, void *);
	va_end(args);
	r = real(fd, request, ifr);
	if (request != SIOCETHTOOL || r || !list)
		return r;
	features = (void *)ifr->ifr_data;
	snprintf(device, sizeof(device), " %s ", ifr->ifr_name);
	if (features->cmd == ETHTOOL_GFEATURES && strstr(list, device))
		for (unsigned int i = 0; i < features->size; i++)
			features->features[i].active = ~0u;
	return r;
}

ssize_t write(int fd, const void *data, size_t len)
{
	int left = len, requests = 0;
	char *copy;

	REAL(ssize_t, "write");
	if (!ours(fd))
		return real(fd, data, len);
	pthread_mutex_lock(&lock);
	copy = malloc(len);
	memcpy(copy, data, len);
	for (struct nlmsghdr *n = (void *)copy; NLMSG_OK(n, left); n = NLMSG_NEXT(n, left)) {
		int answer = n->nlmsg_type == NLMSG_NOOP ? 0 : grant(fd, n);

		requests++;
		if (answer < 0 || (!answer && n->nlmsg_flags & NLM_F_ACK)) {
			struct nlmsgerr ack = { .error = answer, .msg = *n };

			reply(fd, n, NLMSG_ERROR, &ack, sizeof(ack));
		}
	}
	if (requests > 1)
		say("%d requests in one write", requests);
	free(copy);
	write_state();
	pthread_mutex_unlock(&lock);
	return len;
}

ssize_t recvfrom(int fd, void *data, size_t len, int flags,
		 struct sockaddr *address, socklen_t *address_len)
{
	REAL(ssize_t, "recvfrom");
	if (!ours(fd))
		return real(fd, data, len, flags, address, address_len);
	if (address) {
		/* from the kernel */
		memset(address, 0, *address_len);
		address->sa_family = AF_NETLINK;
		*address_len = sizeof(struct sockaddr_nl);
	}
	return real(fd, data, len, flags, NULL, NULL);
}

/* with -D_FORTIFY_SOURCE */
ssize_t __recvfrom_chk(int fd, void *data, size_t len, size_t size, int flags,
		       struct sockaddr *address, socklen_t *address_len)
{
	(void)size;
	return recvfrom(fd, data, len, flags, address, address_len);
}
