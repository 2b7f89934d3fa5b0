#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh build|vm|bench|check: have the packages that building, a virtual machine,
# measuring, or the project's own tests need.  Installs them as root on a machine with apt, else says which.
set -u

build="gcc libc6-dev make python3 xz-utils dpkg
	liburing-dev libndctl-dev libdaxctl-dev libblkid-dev libdevmapper-dev xfslibs-dev zlib1g-dev"
vm="$build qemu-system-x86 busybox-static ndctl daxctl kmod e2fsprogs xfsprogs erofs-utils"
bench="$vm fio"
# rsync is for kselftest's install, gcc brings the sanitizers
check="$vm clang shellcheck perl rsync git util-linux binutils
	gcc-aarch64-linux-gnu gcc-powerpc64le-linux-gnu gcc-riscv64-linux-gnu
	gcc-s390x-linux-gnu gcc-i686-linux-gnu libc6-dev-arm64-cross
	libc6-dev-ppc64el-cross libc6-dev-riscv64-cross libc6-dev-s390x-cross
	libc6-dev-i386-cross"

case ${1:-} in
build) wanted=$build ;;
vm) wanted=$vm ;;
bench) wanted=$bench ;;
check) wanted=$check ;;
*)
	echo "usage: $0 build|vm|bench|check" >&2
	exit 2
	;;
esac

give_up()
{
	echo "error: $*" >&2
	exit 2
}

# Elsewhere than on Debian the names differ: look at the tools instead
if ! command -v dpkg-query > /dev/null; then
	missing=
	for tool in gcc make python3 xz apt-get dpkg-deb; do
		command -v "$tool" > /dev/null || missing="$missing $tool"
	done
	[ -z "$missing" ] || give_up "this machine lacks$missing: install them," \
		"or use a Debian machine, where root needs only 'make vm'"
	exit 0
fi

missing=
# shellcheck disable=SC2016 # the fields are dpkg-query's
have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2> /dev/null)
for package in $wanted; do
	case "
$have
" in
	*"
$package installed
"*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] ||
	give_up "this machine lacks packages: as root, apt-get install$missing"
command -v apt-get > /dev/null ||
	give_up "this machine has no apt-get: install$missing"

echo "# installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
install()
{
	# shellcheck disable=SC2086 # a list of packages
	apt-get -qq -y --no-install-recommends install $missing > /dev/null 2>&1
}
# The lists of a fresh machine may be old, or not there at all
install || { apt-get -qq update > /dev/null 2>&1 && install; } ||
	give_up "cannot install packages: run apt-get install$missing"
