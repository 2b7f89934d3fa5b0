# SPDX-License-Identifier: GPL-2.0
# kselftest: pins on DAX memory, and the ground taken away under them

CFLAGS += -O2 -g -std=gnu11 -Wall -Werror
# each cell forks several times: no child should look up its symbols anew
LDFLAGS += -Wl,-z,now

TEST_GEN_PROGS := gup_devdax dax_teardown pmem_io
# upstream's own test of this directory stays
TEST_PROGS := $(wildcard dax-kmem-hotplug.sh)

# what is only there in the project's own checkout: the VM, the checks
-include lab/lab.mk

# in a kernel tree the parent directory; elsewhere, a kernel's selftests
KSFT ?= ..
ifeq ($(wildcard $(KSFT)/lib.mk),)
$(error No lib.mk in $(KSFT): set KSFT= to tools/testing/selftests of a kernel tree)
endif
OUTPUT ?= $(CURDIR)
include $(KSFT)/lib.mk

CFLAGS += -I$(KSFT) $(KHDR_INCLUDES)

# An optional library is used if a program with it compiles and links.
# $(1): header, $(2): link options, $(3): what to define
hash := \#
probe = $(shell printf '$(hash)include <$(1)>\nint main(void) { return 0; }\n' | \
	$(CC) $(CFLAGS) -x c - -o /dev/null $(LDFLAGS) $(2) 2>/dev/null && echo $(3))

HAVE := $(call probe,liburing.h,-luring,LIBURING) \
	$(call probe,ndctl/libndctl.h>\n$(hash)include <daxctl/libdaxctl.h,-lndctl -ldaxctl,LIBNDCTL) \
	$(call probe,blkid/blkid.h,-lblkid,LIBBLKID) \
	$(call probe,libdevmapper.h,-ldevmapper,LIBDEVMAPPER) \
	$(call probe,xfs/xfs.h,,XFS) \
	$(call probe,zlib.h,-lz,ZLIB) \
	$(call probe,hdr/hdr_histogram.h,-lhdr_histogram -lm,HDR_HISTOGRAM)
CFLAGS += $(foreach lib,$(HAVE),-DHAVE_$(lib))
LDLIBS += $(if $(findstring LIBURING,$(HAVE)),-luring) \
	  $(if $(findstring LIBNDCTL,$(HAVE)),-lndctl -ldaxctl) \
	  $(if $(findstring LIBBLKID,$(HAVE)),-lblkid) \
	  $(if $(findstring ZLIB,$(HAVE)),-lz) \
	  $(if $(findstring HDR_HISTOGRAM,$(HAVE)),-lhdr_histogram -lm) \
	  $(if $(findstring LIBDEVMAPPER,$(HAVE)),-ldevmapper) -lpthread

OBJS := $(patsubst %.c,$(OUTPUT)/%.o,$(wildcard suite*.c lib/*.c))

# the files of one program besides PROGRAM.c
gup_devdax_SRCS := $(filter-out gup_devdax.c,$(wildcard gup_*.c))
dax_teardown_SRCS := $(wildcard teardown_*.c)
pmem_io_SRCS := $(wildcard io_*.c)
parts = $(patsubst %.c,$(OUTPUT)/%.o,$($(notdir $(1))_SRCS))
PARTS := $(foreach prog,$(TEST_GEN_PROGS),$(call parts,$(prog)))

$(OBJS) $(PARTS): $(OUTPUT)/%.o: %.c $(wildcard *.h lib/*.h)
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(foreach prog,$(TEST_GEN_PROGS),$(eval $(prog): $(call parts,$(prog))))
$(TEST_GEN_PROGS): $(OUTPUT)/%: %.c suite_harness.h suite.h $(OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(filter %.o,$^) $(LDLIBS) -o $@

EXTRA_CLEAN := $(OBJS) $(PARTS)
