// SPDX-License-Identifier: GPL-2.0
/* A plugin of QEMU's emulator: counts the instructions between the entry of a function and
 * its return to the caller, by block. checks/profile/run makes a table of it.
 *
 * Arguments: out=FILE, entry=ADDRESS of the function, from=ADDRESS,to=ADDRESS of the caller.
 * FILE gets a line "calls NUMBER" and lines "ADDRESS INSTRUCTIONS".
 *
 * The declarations are those of QEMU's public header, version 1 of that interface. Debian's
 * packages do not have the header.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t id, void *data),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
PUBLIC int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

PUBLIC int qemu_plugin_version = 1;

/* A block, as it was translated; blocks with one address may differ in length. */
struct block {
	struct block *next;
	uint64_t addr, insns, times;
};

static struct block *blocks;
static uint64_t entry, from, to, calls;
static const char *out = "/dev/null";
/* The lab's --icount emulates all CPUs on one thread, so nothing here needs a lock. */
static int inside[64];

static void executed(unsigned int cpu, void *data)
{
	struct block *block = data;

	if (block->addr == entry) {
		inside[cpu] = 1;
		calls++;
	} else if (block->addr >= from && block->addr < to) {
		inside[cpu] = 0;
	}
	block->times += inside[cpu];
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *block = calloc(1, sizeof(*block));

	(void)id;
	if (!block)
		abort();
	block->addr = qemu_plugin_tb_vaddr(tb);
	block->insns = qemu_plugin_tb_n_insns(tb);
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, 0, block);
}

static void ended(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");
	struct block *block;

	(void)id;
	(void)data;
	if (!file)
		abort();
	fprintf(file, "calls %" PRIu64 "\n", calls);
	for (block = blocks; block; block = block->next)
		if (block->times)
			fprintf(file, "%" PRIx64 " %" PRIu64 "\n", block->addr, block->insns * block->times);
	if (fclose(file))
		abort();
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			return 1;
		value++;
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(value);
		else if (!strncmp(argv[i], "entry=", 6))
			entry = strtoull(value, NULL, 16);
		else if (!strncmp(argv[i], "from=", 5))
			from = strtoull(value, NULL, 16);
		else if (!strncmp(argv[i], "to=", 3))
			to = strtoull(value, NULL, 16);
		else
			return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
