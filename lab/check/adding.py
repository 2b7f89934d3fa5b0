# SPDX-License-Identifier: GPL-2.0-only
"""README's "Adding to it" is true: one new file for each new thing, and no other.

The table there names, for each thing, the file that is added; the file is added to a
copy of the tree, and the programs list what it holds.
"""
import itertools
import os
import re
import shutil

from check import tree
from check.artifacts import PROGRAMS
from check.leaveout import link_commands
from check.reporter import Failed

LICENCE = "// SPDX-License-Identifier: GPL-2.0-only\n"

DUMMIES = {
    "scenario": """#include "suite/suite.h"

static void run_dummy(struct cell *c)
{
	skip(c, "nothing to do");
}

static const struct scenario_group dummy = {
	.name = "dummy",
	.order = 10000,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PTE,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "dummy_scenario",
			.what = "a scenario that does nothing",
			.run = run_dummy,
		},
		{ }
	},
};

REGISTER(scenario_groups, &dummy);
""",
    "pin": """#include <errno.h>

#include "lib/pin/internal.h"

static int refuse(struct pin *pin)
{
	return pin_fail(pin, -EOPNOTSUPP, "pins nothing");
}

static const struct pin_method dummies[] = {
	{
		.name = "dummy_pin",
		.what = "pins nothing",
		.flags = PIN_SOURCE | PIN_HELD,
		.open = refuse,
		.take = refuse,
		.live = refuse,
		.release = refuse,
	},
	{ }
};

REGISTER(pin_methods, dummies);
""",
    "memory": """#include <errno.h>

#include "lib/mem/memory.h"

static int take_dummy(const struct memory *m, struct guard *g, const struct memory_want *want,
		      struct test_mem *mem, char *why, size_t len)
{
	return -ENODEV;
}

static const struct memory dummies[] = {
	{
		.name = "dummy_memory",
		.what = "memory that is not there",
		.caps = MEM_BLOCK | MEM_WRITABLE,
		.largest = DAXMAP_PTE,
		.order = 1000,
		.take = take_dummy,
	},
	{ }
};

REGISTER(memories, dummies);
""",
    "action": """#include <errno.h>

#include "lib/action/action.h"

static int run_dummy(const struct test_mem *mem)
{
	return -EOPNOTSUPP;
}

static const struct action dummies[] = {
	{
		.name = "dummy_action",
		.verb = "do",
		.what = "removes nothing",
		.on = ON_FILES,
		.run = run_dummy,
	},
	{ }
};

REGISTER(actions, dummies);
""",
    "oracle": """#include "lib/health/internal.h"

static int read_dummy(void *state, void *before)
{
	return 0;
}

static bool judge_dummy(const void *before, const void *after, struct health_lines *l)
{
	return false;
}

static const struct oracle dummies[] = {
	{
		.name = "dummy_oracle",
		.size = sizeof(int),
		.read = read_dummy,
		.judge = judge_dummy,
	},
	{ }
};

REGISTER(oracles, dummies);
""",
    "io_method": """#include <errno.h>

#include "lib/io/internal.h"

static int open_dummy(struct io_path *p)
{
	return io_path_fail(p, -EOPNOTSUPP, "moves nothing");
}

static const struct io_method dummies[] = {
	{
		.name = "dummy_io",
		.what = "moves nothing",
		.on = ON_FILES,
		.open = open_dummy,
	},
	{ }
};

REGISTER(io_methods, dummies);
""",
}

# -h and -l do not speak of oracles: a program that lists them
LISTER = """#include <stdio.h>

#include "lib/health/internal.h"

int main(void)
{
	const struct oracle *o = NULL;

	while ((o = REGISTRY_NEXT(oracles, o)))
		puts(o->name);
	return 0;
}
"""

# An entry in each file of a wing is seen in the program of that wing
PROGRAM_OF = {"gup": "gup_devdax", "teardown": "dax_teardown", "io": "pmem_io"}

ROW = re.compile(r"^    an? (\w+) +(\S*NAME\.c)\b", re.M)


def table_of(readme):
    """{thing: the files that README says are added for it}, from 'Adding to it'."""
    _, found, text = readme.partition("\nAdding to it\n")
    if not found:
        raise Failed("README has no section 'Adding to it'")
    return {thing: expand(path) for thing, path in ROW.findall(text)}


def expand(path):
    """{a,b}/NAME.c as a/NAME.c and b/NAME.c"""
    parts = [part.split(",") for part in re.split(r"{([^}]*)}", path)[1::2]]
    fixed = re.split(r"{[^}]*}", path)
    return ["".join(itertools.chain(*itertools.zip_longest(fixed, choice, fillvalue="")))
            for choice in itertools.product(*parts)]


def copy_tree(target, built, objects):
    """The sources, and the objects of the build, which stay newer than they."""
    shutil.rmtree(target, ignore_errors=True)
    for name in tree.files():
        if not name.startswith(("lab/", ".")):
            place = os.path.join(target, name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy2(tree.path(name), place)
    shutil.rmtree(objects, ignore_errors=True)
    shutil.copytree(built, objects)
    for program in PROGRAMS:
        os.unlink(os.path.join(objects, program))


def flags(cache):
    """What lab.mk, which is not in the copy, adds for the build that is copied."""
    home = os.path.join(cache, "hdr")
    include, libraries = ((f" -idirafter {home}/include", f"-L{home}/lib")
                          if os.path.isdir(home) else ("", ""))
    return [f"USERCFLAGS=-Werror{include}", f"USERLDFLAGS={libraries}"]


def expect_in(text, word, program, option):
    if not re.search(rf"(^|[\s.-]){word}($|[\s.-])", text, re.M):
        raise Failed(f"{program} {option} does not list {word}")


def run(reporter, artifacts):
    artifacts.programs.wait()
    with reporter.check("adding to it: one file for each new thing, as README says") as log:
        built = artifacts.programs.get()
        target = os.path.join(artifacts.scratch, "adding")
        objects = os.path.join(artifacts.scratch, "adding-objects")
        files = table_of(tree.read("README"))
        unknown = set(DUMMIES) ^ set(files)
        if unknown:
            raise Failed(f"README's table and this check differ: {', '.join(sorted(unknown))}")
        copy_tree(target, built, objects)
        added = []
        for thing, paths in files.items():
            for path in paths:
                path = path.replace("NAME", "dummy")
                if os.path.exists(os.path.join(target, path)):
                    raise Failed(f"{path} is there already")
                with open(os.path.join(target, path), "w", encoding="ascii") as f:
                    f.write(LICENCE + DUMMIES[thing])
                added.append(path)
        log.run(["make", "-s", "-C", target, "-j2", "all", f"KSFT={artifacts.ksft('newest')}",
                 f"OUTPUT={objects}", "CC=gcc", *flags(artifacts.cache)])
        look(log, artifacts, target, objects, files)
        log.remark = f"{len(added)} files added"
        shutil.rmtree(target)
        shutil.rmtree(objects)


def look(log, artifacts, target, objects, files):
    """Is everything there, in each program that it belongs to?"""
    for program in PROGRAMS:
        text = log.run([os.path.join(objects, program), "-h"], quiet=True)
        for word in ("dummy_pin", "dummy_memory", "dummy_action"):
            expect_in(text, word, program, "-h")
    for path in files["scenario"]:
        program = PROGRAM_OF[path.split("/")[0]]
        cells = log.run([os.path.join(objects, program), "-l"], quiet=True)
        expect_in(cells, "dummy_scenario", program, "-l")
    cells = log.run([os.path.join(objects, "dax_teardown"), "-l"], quiet=True)
    for word in ("dummy_pin", "dummy_action", "dummy_memory"):
        expect_in(cells, word, "dax_teardown", "-l")
    listed = log.run([os.path.join(objects, "pmem_io"), "-l"], quiet=True)
    for cell in ("dummy_io.every_path", "dummy_io.gaps"):
        expect_in(listed, re.escape(cell), "pmem_io", "-l")
    expect_in(log.run([os.path.join(objects, "pmem_io"), "-h"], quiet=True), "dummy_io",
              "pmem_io", "-h")
    lister = os.path.join(target, "lister.c")
    with open(lister, "w", encoding="ascii") as f:
        f.write(LISTER)
    # The program's own command, with the lister in the place of the program
    command = link_commands(log, artifacts, objects)["gup_devdax"]
    words = [word for word in command if not re.search(r"/(gup|suite|gup_devdax)\b.*\.o$", word)]
    words[words.index("-o") + 1] = f"{objects}/lister"
    at = words.index("-o")
    log.run([*words[:at], f"-I{target}", "-D_GNU_SOURCE=", lister,
             os.path.join(objects, "lib/health/dummy.o"), *words[at:]])
    expect_in(log.run([f"{objects}/lister"]), "dummy_oracle", "a program", "with oracles")
