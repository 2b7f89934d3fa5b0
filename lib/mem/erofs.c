// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file on erofs, which nothing can be written to: its bytes come with the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/mem/memory.h"
#include "lib/pattern.h"
#include "lib/tags.h"

#define FILE_NAME	"cell"

/* Length of the one file: two pmd entries. */
static size_t file_bytes(void)
{
	return 2 * daxmap_bytes(DAXMAP_PMD);
}

static void file_path(const struct fsdax *f, char *path, size_t len)
{
	snprintf(path, len, "%s/" FILE_NAME, f->dir);
}

/* the file that the image is made of, with the bytes of all memory between cells */
static int write_file(const char *path)
{
	size_t len = file_bytes();
	char *bytes = malloc(len);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret = fd < 0 ? -errno : 0;
	ssize_t n;

	if (!ret && !bytes)
		ret = -ENOMEM;
	if (!ret) {
		pattern_fill(bytes, len, TAG_MEMORY, 0);
		n = write(fd, bytes, len);
		if (n != (ssize_t)len)
			ret = n < 0 ? -errno : -ENOSPC;
	}
	if (fd >= 0)
		close(fd);
	free(bytes);
	return ret;
}

/* not compressed, which cannot be mapped with DAX; made of the directory to mount on */
static int make_erofs(struct fsdax *f, const char *dev, char *why, size_t len)
{
	const char *const argv[] = { "mkfs.erofs", "--quiet", dev, f->dir, NULL };
	char path[NODE_LEN];
	int ret;

	file_path(f, path, sizeof(path));
	ret = write_file(path);
	if (ret)
		snprintf(why, len, "%s: no room for %zu bytes: %s", path, file_bytes(),
			 strerror(-ret));
	else
		ret = command_run(argv, NULL, why, len);
	unlink(path);
	return ret;
}

static const struct fsdax_type erofs = {
	.name = "erofs",
	.least = 16u << 20,
	.check = (const char *const []){ "fsck.erofs", NULL },
	.make = make_erofs,
};

static int check_dax(const char *path, char *why, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : fsdax_is_dax(fd);

	if (ret)
		snprintf(why, len, "%s: files of this erofs are not DAX: %s", path,
			 strerror(-ret));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int take_erofs(const struct memory *m, struct guard *g, const struct memory_want *want,
		      struct test_mem *mem, char *why, size_t len)
{
	struct fsdax *f = &g->fs[0];
	int ret = memory_mount(g, f, m, want->map_dev, why, len);

	if (ret)
		return ret;
	if (want->bytes > file_bytes()) {
		snprintf(why, len, "the file has %zu bytes, %zu are needed", file_bytes(),
			 want->bytes);
		return -ENOSPC;
	}
	mem->ns = f->ns;
	memcpy(mem->mount, f->dir, sizeof(mem->mount));
	file_path(f, mem->node, sizeof(mem->node));
	mem->size = want->bytes;
	return check_dax(mem->node, why, len);
}

static const struct memory memory[] = {
	{
		.name = "erofs",
		.what = "a file on erofs, which is read-only, mounted with dax",
		.caps = MEM_MOUNTED,
		/* mkfs.erofs aligns files to pmd entries since 1.8 only */
		.largest = DAXMAP_PTE,
		.order = 22,
		.fs = &erofs,
		.take = take_erofs,
	},
	{ }
};

REGISTER(memories, memory);
