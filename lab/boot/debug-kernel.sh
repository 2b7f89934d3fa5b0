#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# debug-kernel.sh [SERIES [FRAGMENT...]]: build a small kernel with GUP_TEST and
# the kernel's own checks, which distributions leave out, for
#
#   make vm KERNEL=.cache/build/SERIES
#
# SERIES is one of Debian's (default: 6.12).  Fragments are added to
# debug.config, for example one with CONFIG_KASAN=y.  What is built already is
# not built again; changes made to the source in the cache are kept.
#
# CACHE (default: .cache) and JOBS (default: 2) may come by the environment.
set -u

boot=$(dirname -- "$(readlink -f -- "$0")")
cache=${CACHE:-.cache}
series=${1:-6.12}
[ $# = 0 ] || shift

packages="gcc libc6-dev make python3 xz-utils dpkg
	bc bison flex libelf-dev lz4 util-linux"

give_up()
{
	echo "error: $*" >&2
	exit 2
}

say()
{
	echo "# $*" >&2
}

missing_packages()
{
	for package in $packages; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)
		[ "$state" = installed ] || echo "$package"
	done | xargs
}

install()
{
	# shellcheck disable=SC2086 # a list of packages
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		install $missing > /dev/null 2>&1
}

for tool in apt-get dpkg-query; do
	command -v $tool > /dev/null ||
		give_up "no $tool: the source comes from Debian's archive"
done
missing=$(missing_packages)
if [ -n "$missing" ]; then
	[ "$(id -u)" = 0 ] ||
		give_up "this machine lacks packages: as root, apt-get install $missing"
	say "installing $missing"
	install || { apt-get -qq update > /dev/null 2>&1 && install; } ||
		give_up "cannot install packages: run apt-get install $missing"
fi

fragments=$boot/debug.config
for fragment in "$@"; do
	[ -r "$fragment" ] || give_up "cannot read fragment $fragment"
	fragments="$fragments
$(readlink -f -- "$fragment")"
done

tree=$(python3 "$boot/.." source --cache "$cache" source "$series") || exit

cd "$tree" || exit 2
# Two builds in one tree would spoil each other
exec 9> "$tree/.lab.lock"
flock 9

# What our own make exports is not meant for the kernel's
unset MAKEFLAGS MAKELEVEL MFLAGS OUTPUT CC

old_ifs=$IFS
IFS='
'
# shellcheck disable=SC2086 # one fragment a line
set -- $fragments
IFS=$old_ifs

# Configure again when a fragment has changed
wanted=$(cat -- "$@" | sha256sum)
if [ ! -f .config ] || [ "$wanted" != "$(cat .lab.config 2> /dev/null)" ]; then
	say "configuring $series"
	rm -f .lab.config
	scripts/kconfig/merge_config.sh -n "$@" > .lab.log 2>&1 || {
		tail -n 5 .lab.log >&2
		give_up "cannot configure $series: see above"
	}
	# Not every series knows every option
	lost=$(sed -n 's/^.*Value requested for CONFIG_\([^ ]*\) not in .*/\1/p' \
		.lab.log | xargs)
	[ -z "$lost" ] || say "not in this configuration: $lost"
	echo "$wanted" > .lab.config
fi

say "building $(make -s kernelrelease)"
nice -n 10 make -s -j "${JOBS:-2}" bzImage > .lab.log 2>&1 || {
	grep -m 10 -E 'error|Error' .lab.log >&2 || tail -n 10 .lab.log >&2
	give_up "the kernel does not build: see above, and $tree/.lab.log"
}
echo "$tree"
