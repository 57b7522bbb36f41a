// SPDX-License-Identifier: GPL-2.0
/* bench PART [ROUNDS [SIZE]]: what checks/bench/guest runs; checks/bench/README.md tells more. */

#include "bench.h"

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	const char *arg = argc > 3 ? argv[3] : NULL;

	/* probe: 0 if the kernel has the message */
	if (!strcmp(part, "probe"))
		return has_migrate_state() ? 0 : 2;
	else if (!strcmp(part, "cost"))
		do_cost(arg ?: "all", rounds);
	else if (!strcmp(part, "scale"))
		do_scale(rounds, arg ? atoi(arg) : 100000);
	else if (!strcmp(part, "memory"))
		do_memory(rounds);
	else if (!strcmp(part, "flood"))
		do_flood(rounds, arg ? atoi(arg) : 1000);
	else if (!strcmp(part, "tcp"))
		do_tcp(rounds, arg ? atoi(arg) : 1000);
	else if (!strcmp(part, "storm"))
		do_storm(rounds, arg ? atoi(arg) : 10000);
	else if (!strcmp(part, "latency"))
		do_latency(rounds, arg ? atoi(arg) : 10000);
	else if (!strcmp(part, "path"))
		do_path(rounds);
	else if (!strcmp(part, "pair"))
		do_pair(argc > 2 ? atoi(argv[2]) : 10000);
	else if (!strcmp(part, "one"))
		do_one(argc > 2 ? argv[2] : "same", argc > 3 ? atoi(argv[3]) : 20);
	else
		die("usage: bench probe | cost|scale|memory|flood|tcp|storm|latency|path [ROUNDS [SIZE]] | pair [SAS] | one floor|same|source|dest|encap [TIMES]");
	return 0;
}
