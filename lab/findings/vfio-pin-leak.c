// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a dax device is mapped for DMA by VFIO and unmapped again.  Its pages
 * have to be given back, as those of ordinary memory are.
 *
 * Usage: vfio-pin-leak [unbind] daxX.Y
 * Needs a device that is bound to vfio-pci: a group in /dev/vfio.  With "unbind"
 * the device is unbound afterwards, for five seconds.
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#define MAP_BYTES	(2UL << 20)
#define PIN_BYTES	8192UL
#define IOVA		(1UL << 32)

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

/* references that are out, by the kernel's own book */
static long pins_out(void)
{
	long acquired = 0, released = 0, value;
	char line[128];
	FILE *f;
	int fd;

	/* whatever is given back later has been by now; the sums are per CPU */
	usleep(200000);
	fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		cannot("stat_refresh");
	close(fd);
	f = fopen("/proc/vmstat", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &value) == 1)
			acquired = value;
		if (sscanf(line, "nr_foll_pin_released %ld", &value) == 1)
			released = value;
	}
	if (f)
		fclose(f);
	return acquired - released;
}

static int open_container(void)
{
	int container, group;
	glob_t found;

	if (glob("/dev/vfio/[0-9]*", 0, NULL, &found))
		cannot("no device is bound to vfio-pci");
	group = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (group < 0 || container < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		cannot("the group");
	return container;
}

/* map and unmap: references that are still out */
static long left_out(int container, void *at)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (unsigned long)at,
		.iova = IOVA,
		.size = PIN_BYTES,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = IOVA,
		.size = PIN_BYTES,
	};
	long before = pins_out();

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		cannot("VFIO_IOMMU_MAP_DMA");
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		cannot("VFIO_IOMMU_UNMAP_DMA");
	return pins_out() - before;
}

static void unbind(const char *dax)
{
	int fd, tenths;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		fd = open("/sys/bus/dax/drivers/device_dax/unbind", O_WRONLY | O_CLOEXEC);
		_exit(write(fd, dax, strlen(dax)) < 0);
	}
	for (tenths = 0; tenths < 50 && !waitpid(pid, NULL, WNOHANG); tenths++)
		usleep(100000);
	if (tenths < 50)
		printf("unbind returned after %d.%d s\n", tenths / 10, tenths % 10);
	else
		printf("unbind has not returned after 5 s, with nothing mapped\n");
}

int main(int argc, char **argv)
{
	const char *dax = argc > 1 ? argv[argc - 1] : "dax0.0";
	long ordinary, ours;
	int container, fd;
	char *p, *q;

	p = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = open(dax, O_RDWR | O_CLOEXEC);
	q = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || q == MAP_FAILED)
		cannot(dax);
	container = open_container();
	memset(p, 1, PIN_BYTES);
	memset(q, 1, PIN_BYTES);
	ordinary = left_out(container, p);
	ours = left_out(container, q);
	close(container);
	munmap(q, MAP_BYTES);
	close(fd);
	printf("expected: no page is pinned after VFIO_IOMMU_UNMAP_DMA\n"
	       "seen: %ld of ordinary memory, %ld of the dax device\n", ordinary, ours);
	if (argc > 2 && !strcmp(argv[1], "unbind"))
		unbind(dax);
	return ordinary || ours;
}
