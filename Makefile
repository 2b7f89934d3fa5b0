# SPDX-License-Identifier: GPL-2.0-only
# kselftest: pins on DAX memory, and the memory removed under them

CFLAGS += -O2 -g -std=gnu11 -Wall -D_FILE_OFFSET_BITS=64 -I.

TEST_GEN_PROGS := gup_devdax dax_teardown pmem_io
# built and installed, but not run
TEST_GEN_PROGS_EXTENDED := pmem_bench pmem_log
# upstream's own test of this directory stays
TEST_PROGS := $(wildcard dax-kmem-hotplug.sh)

# the VM and the checks, in the project's own checkout only
-include lab/lab.mk

# in a kernel tree the parent directory; elsewhere, a kernel's selftests
KSFT ?= ..
ifeq ($(wildcard $(KSFT)/lib.mk),)
$(error No lib.mk in $(KSFT): set KSFT= to tools/testing/selftests of a kernel tree)
endif
OUTPUT ?= $(CURDIR)
include $(KSFT)/lib.mk

CFLAGS += -I$(KSFT) $(KHDR_INCLUDES)
LDLIBS += -lpthread

# Optional libraries, NAME:HEADERS:OPTIONS[:PROGRAM], each used if a program with it
# compiles and links; by all programs, or by that one.
LIBRARIES := LIBURING:liburing.h:-luring \
	     LIBNDCTL:ndctl/libndctl.h+daxctl/libdaxctl.h:-lndctl+-ldaxctl \
	     LIBBLKID:blkid/blkid.h:-lblkid \
	     LIBDEVMAPPER:libdevmapper.h:-ldevmapper \
	     XFS:xfs/xfs.h: \
	     ZLIB:zlib.h:-lz \
	     HDR_HISTOGRAM:hdr/hdr_histogram.h:-lhdr_histogram+-lm:pmem_bench

hash := \#
part = $(subst +, ,$(word $(2),$(subst :, ,$(1))))
probe = $(shell { printf '$(hash)include <%s>\n' $(call part,$(1),2); \
	echo 'int main(void) { return 0; }'; } | \
	$(CC) $(CFLAGS) -x c - -o /dev/null $(LDFLAGS) $(call part,$(1),3) 2>/dev/null && echo yes)
of = $(if $(call part,$(1),4),$(OUTPUT)/$(call part,$(1),4): )
use = $(eval CFLAGS += -DHAVE_$(call part,$(1),1))$(eval $(of)LDLIBS += $(call part,$(1),3))

ifneq ($(MAKECMDGOALS),clean)
$(foreach lib,$(LIBRARIES),$(if $(call probe,$(lib)),$(call use,$(lib))))
endif

# the files of each program
LIB := $(sort $(wildcard lib/*.c lib/*/*.c))
SUITE := $(sort $(wildcard suite/*.c)) $(LIB)
gup_devdax_SRCS := gup_devdax.c $(sort $(wildcard gup/*.c)) $(SUITE)
dax_teardown_SRCS := dax_teardown.c $(sort $(wildcard teardown/*.c)) $(SUITE)
pmem_io_SRCS := pmem_io.c $(sort $(wildcard io/*.c)) $(SUITE)
pmem_bench_SRCS := $(sort $(filter-out bench/pmem_log.c,$(wildcard bench/*.c))) $(LIB)
pmem_log_SRCS := bench/pmem_log.c $(LIB)

PROGRAMS := $(notdir $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED))
objects = $(patsubst %.c,$(OUTPUT)/%.o,$(1))
OBJS := $(call objects,$(sort $(foreach prog,$(PROGRAMS),$($(prog)_SRCS))))

$(OBJS): $(OUTPUT)/%.o: %.c
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MD -MP -c $< -o $@

define link
$(OUTPUT)/$(1): $(call objects,$($(1)_SRCS))
	$$(CC) $$(CFLAGS) $$(LDFLAGS) $$^ $$(LDLIBS) -o $$@
endef
$(foreach prog,$(PROGRAMS),$(eval $(call link,$(prog))))

-include $(OBJS:.o=.d)
EXTRA_CLEAN := $(OBJS) $(OBJS:.o=.d)
