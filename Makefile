# SPDX-License-Identifier: GPL-2.0
# kselftest: pins on DAX memory, and the memory removed under them

CFLAGS += -O2 -g -std=gnu11 -Wall -D_FILE_OFFSET_BITS=64 -I.

TEST_GEN_PROGS := gup_devdax dax_teardown pmem_io
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

# Optional libraries, NAME:HEADERS:OPTIONS, each used if a program with it compiles
# and links.
LIBRARIES := LIBURING:liburing.h:-luring \
	     LIBNDCTL:ndctl/libndctl.h+daxctl/libdaxctl.h:-lndctl+-ldaxctl \
	     LIBBLKID:blkid/blkid.h:-lblkid \
	     LIBDEVMAPPER:libdevmapper.h:-ldevmapper \
	     XFS:xfs/xfs.h: \
	     ZLIB:zlib.h:-lz \
	     HDR_HISTOGRAM:hdr/hdr_histogram.h:-lhdr_histogram+-lm

hash := \#
part = $(subst +, ,$(word $(2),$(subst :, ,$(1))))
probe = $(shell { printf '$(hash)include <%s>\n' $(call part,$(1),2); \
	echo 'int main(void) { return 0; }'; } | \
	$(CC) $(CFLAGS) -x c - -o /dev/null $(LDFLAGS) $(call part,$(1),3) 2>/dev/null && echo yes)
use = $(eval CFLAGS += -DHAVE_$(call part,$(1),1))$(eval LDLIBS += $(call part,$(1),3))

ifneq ($(MAKECMDGOALS),clean)
$(foreach lib,$(LIBRARIES),$(if $(call probe,$(lib)),$(call use,$(lib))))
endif

# what all programs link, and the files of each besides PROGRAM.c
COMMON := $(wildcard suite/*.c lib/*.c lib/*/*.c)
gup_devdax_SRCS := $(wildcard gup/*.c)
dax_teardown_SRCS := $(wildcard teardown/*.c)
pmem_io_SRCS := $(wildcard io/*.c bench/*.c)

objects = $(patsubst %.c,$(OUTPUT)/%.o,$(1))
SRCS := $(COMMON) $(foreach prog,$(notdir $(TEST_GEN_PROGS)),$(prog).c $($(prog)_SRCS))
OBJS := $(call objects,$(SRCS))

$(OBJS): $(OUTPUT)/%.o: %.c
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MD -MP -c $< -o $@

define link
$(OUTPUT)/$(1): $(call objects,$(1).c $($(1)_SRCS) $(COMMON))
	$$(CC) $$(CFLAGS) $$(LDFLAGS) $$^ $$(LDLIBS) -o $$@
endef
$(foreach prog,$(notdir $(TEST_GEN_PROGS)),$(eval $(call link,$(prog))))

-include $(OBJS:.o=.d)
EXTRA_CLEAN := $(OBJS) $(OBJS:.o=.d)
