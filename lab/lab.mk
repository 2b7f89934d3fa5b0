# SPDX-License-Identifier: GPL-2.0-only
# What is only there in the project's own checkout.
#
#   make vm [KERNEL=debian:5.10|debian:newest|BZIMAGE|TREE] [MODULES=DIR]
#           [TESTS='GLOB...'] [BACKEND='nfit e820 virtio'] [MEM=4G] [CPUS=2]
#           [JOBS=auto] [OUT=out] [CACHE=.cache]
#
# make exits with 2 on any failure; lab/vm.py with 1 when cells failed, with 2 when
# it could not run.

# Each cell forks several times: no child should have to look up its symbols
CFLAGS += -Werror
LDFLAGS += -Wl,-z,now

LAB := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
LAB_GOALS := vm check debug-kernel bench repeat soak powercut

KERNEL ?= debian:newest
MODULES ?=
TESTS ?=
MEM ?= 4G
CPUS ?= 2
BACKEND ?= nfit
JOBS ?= auto
OUT ?= out
CACHE ?= .cache

# The kselftest files of the newest source package, as kernels.py keeps them
LAB_KSFT = $(CACHE)/ksft/$(file < $(CACHE)/newest-source)/tools/testing/selftests

ifeq ($(origin KSFT),undefined)
  # Neither needs a kernel's lib.mk, nor does 'make clean' by itself
  ifneq ($(and $(MAKECMDGOALS),$(if $(filter-out clean,$(MAKECMDGOALS)),$(filter $(LAB_GOALS),$(MAKECMDGOALS)),clean)),)
    KSFT := $(LAB)/boot/no-kselftest
  else
    KSFT := $(wildcard $(LAB_KSFT))
    ifeq ($(KSFT),)
      KSFT := $(shell sh $(LAB)/boot/setup.sh build && \
		python3 $(LAB) kernels --cache '$(CACHE)' ksft newest)
    endif
  endif
endif

# libhdrhistogram, which Debian 12 has none of.  Looked for last: a machine's own, or
# a check that hides it, comes first.
LAB_BUILDS := $(if $(MAKECMDGOALS),$(filter-out $(LAB_GOALS) clean,$(MAKECMDGOALS)),all)
HDR := $(wildcard $(CACHE)/hdr)
ifneq ($(LAB_BUILDS),)
  ifeq ($(HDR)$(wildcard /usr/include/hdr/hdr_histogram.h),)
    HDR := $(shell python3 $(LAB) library --cache '$(CACHE)')
  endif
endif
ifneq ($(HDR),)
  CFLAGS += -idirafter $(HDR)/include
  LDFLAGS += -L$(HDR)/lib
endif

# By the environment, so that no argument goes through a shell
vm: export KERNEL := $(KERNEL)
vm: export MODULES := $(MODULES)
vm: export TESTS := $(TESTS)
vm: export MEM := $(MEM)
vm: export CPUS := $(CPUS)
vm: export BACKEND := $(BACKEND)
vm: export JOBS := $(JOBS)
vm: export OUT := $(OUT)
vm: export CACHE := $(CACHE)
vm: export VM_STARTED := $(shell date +%s.%N)
vm:
	@sh $(LAB)/boot/setup.sh vm
	@python3 $(LAB) vm $(if $(filter command environment,$(firstword \
		$(origin CC))),--make 'CC=$(CC)')

.PHONY: vm
# 'make' alone is still the programs
.DEFAULT_GOAL := all

# make debug-kernel [SERIES=6.12] [FRAGMENTS='FILE...'], then
# make vm KERNEL=.cache/build/6.12
debug-kernel: export CACHE := $(CACHE)
debug-kernel:
	@$(LAB)/boot/debug-kernel.sh '$(or $(SERIES),6.12)' $(FRAGMENTS)
.PHONY: debug-kernel

# make check [CACHE=.cache] [OUT=out] [STAGES='static units ...']: the project's
# own tests; logs in out/check/
check: export CACHE := $(CACHE)
check: export OUT := $(OUT)
check:
	@sh $(LAB)/boot/setup.sh check
	@python3 $(LAB) check $(if $(STAGES),--only $(STAGES))
.PHONY: check

# make bench [BENCH='suite io'] [what 'make vm' takes]: what the suite costs, in a table
# and in out/KERNEL/bench.json; and how fast pmem_bench goes beside fio, ROUNDS times
# SECONDS each, in out/KERNEL/iobench.json
bench: export KERNEL := $(KERNEL)
bench: export MODULES := $(MODULES)
bench: export TESTS := $(TESTS)
bench: export MEM := $(MEM)
bench: export CPUS := $(CPUS)
bench: export BACKEND := $(BACKEND)
bench: export OUT := $(OUT)
bench: export CACHE := $(CACHE)
bench: export ROUNDS := $(or $(ROUNDS),5)
bench: export SECONDS := $(or $(SECONDS),1)
bench: export VM_STARTED := $(shell date +%s.%N)
BENCH ?= suite io
bench:
	@sh $(LAB)/boot/setup.sh bench
	@$(if $(filter suite,$(BENCH)),python3 $(LAB) bench $(if $(filter command environment, \
		$(firstword $(origin CC))),--make 'CC=$(CC)'))
	@$(if $(filter io,$(BENCH)),python3 $(LAB) iobench $(if $(filter suite,$(BENCH)),--tests ''))
.PHONY: bench

# make repeat [RUNS=20] [what 'make vm' takes]: does any verdict change from run to
# run?  Results of each in out/repeat/
repeat: export KERNEL := $(KERNEL)
repeat: export MODULES := $(MODULES)
repeat: export TESTS := $(TESTS)
repeat: export MEM := $(MEM)
repeat: export CPUS := $(CPUS)
repeat: export BACKEND := $(BACKEND)
repeat: export OUT := $(OUT)
repeat: export CACHE := $(CACHE)
repeat: export RUNS := $(or $(RUNS),20)
repeat:
	@sh $(LAB)/boot/setup.sh vm
	@python3 $(LAB) repeat $(if $(filter command environment,$(firstword \
		$(origin CC))),--make 'CC=$(CC)')
.PHONY: repeat

# make soak [TIME=3600] [what 'make vm' takes]: random orders, boot after boot.
# Results of each in out/soak/
soak: export KERNEL := $(KERNEL)
soak: export MODULES := $(MODULES)
soak: export TESTS := $(TESTS)
soak: export MEM := $(MEM)
soak: export CPUS := $(CPUS)
soak: export BACKEND := $(BACKEND)
soak: export OUT := $(OUT)
soak: export CACHE := $(CACHE)
soak: export TIME := $(or $(TIME),3600)
soak:
	@sh $(LAB)/boot/setup.sh vm
	@python3 $(LAB) soak $(if $(filter command environment,$(firstword \
		$(origin CC))),--make 'CC=$(CC)')
.PHONY: soak

# make powercut [CUTS=100] [SEED=] [KERNEL=, MODULES=, MEM=, CPUS=, OUT=, CACHE=]: QEMU
# killed again and again; was every record kept that had been called durable?
powercut: export KERNEL := $(KERNEL)
powercut: export MODULES := $(MODULES)
powercut: export MEM := $(MEM)
powercut: export CPUS := $(CPUS)
powercut: export OUT := $(OUT)
powercut: export CACHE := $(CACHE)
powercut: export CUTS := $(or $(CUTS),100)
powercut: export SEED := $(SEED)
powercut:
	@sh $(LAB)/boot/setup.sh vm
	@python3 $(LAB) powercut
.PHONY: powercut

# Its program links what the suite's programs link, but not the harness
OUTPUT ?= $(CURDIR)
BENCH_OBJS := $(patsubst %.c,$(OUTPUT)/%.o,$(wildcard lib/*.c lib/*/*.c))
bench-program: $(OUTPUT)/dax_bench
$(OUTPUT)/dax_bench: $(LAB)/measure/bench.c $(BENCH_OBJS)
	$(CC) $(CFLAGS) -I$(LAB)/.. $(LDFLAGS) $< $(BENCH_OBJS) $(LDLIBS) -o $@
clean: bench-clean
bench-clean:
	$(RM) $(OUTPUT)/dax_bench
.PHONY: bench-program bench-clean
