# SPDX-License-Identifier: GPL-2.0-only
# Stands in for a kernel's lib.mk while a goal of the lab is made: such a goal
# must not need one before it has looked at its arguments and fetched it.
TEST_GEN_PROGS := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS))
TEST_GEN_PROGS_EXTENDED := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS_EXTENDED))

# The same as in every lib.mk
clean:
	$(RM) -r $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED) $(EXTRA_CLEAN)
.PHONY: clean
