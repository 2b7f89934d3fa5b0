# SPDX-License-Identifier: GPL-2.0-only
"""Debian's archive through a private apt: the host's own state stays as is."""
import os
import re
import subprocess
import time
from collections import namedtuple

Package = namedtuple("Package", "name version")

SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie",
          "trixie-backports", "sid")
SECURITY_SUITES = ("bullseye-security", "bookworm-security", "trixie-security")

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Seconds for which the absence of a series from the lists is believed
LISTS_GOOD_FOR = 24 * 3600

# What a package of each kind is called; the group is its series
NAMES = {
    "image": re.compile(r"linux-image-(\d+\.\d+)\.\d[^-]*(?:-\d[^-]*)?-amd64"),
    "source": re.compile(r"linux-source-(\d+\.\d+)"),
}


class Failure(Exception):
    """One sentence for the user."""


def series_key(series):
    return tuple(int(part) for part in series.split("."))


def host_mirrors():
    """The host's mirrors: (of Debian, of its security updates or None)."""
    fields = "$(REPO_URI) $(LABEL)"
    out = subprocess.run(["apt-get", "indextargets", "--format", fields],
                         check=True, capture_output=True, text=True).stdout
    main = security = None
    for line in sorted(set(out.splitlines())):
        uri, label = line.split(" ", 1)
        # Without package lists apt knows no label: go by the path then
        if label.startswith("$"):
            label = uri.rstrip("/").rsplit("/", 1)[-1]
        if label.lower() == "debian-security":
            security = security or uri
        elif label.lower() == "debian":
            main = main or uri
    if not main:
        raise Failure("the host's apt knows no Debian mirror: add one to its "
                      "sources, or give KERNEL= a bzImage")
    return main, security


class Archive:
    def __init__(self, home):
        self.home = os.path.abspath(home)
        self.config = os.path.join(self.home, "apt.conf")

    def newest_series(self, kind):
        return next(iter(self.series(kind)), None)

    def series(self, kind):
        """Every series on offer, newest first."""
        found = {m[1] for m in map(NAMES[kind].fullmatch, self._names(kind)) if m}
        return sorted(found, key=series_key, reverse=True)

    def newest(self, kind, series):
        """The newest package of that series, or None."""
        names = [m[0] for m in map(NAMES[kind].fullmatch, self._names(kind))
                 if m and m[1] == series]
        return newest_version(self._offers(*names)) if names else None

    def newest_named(self, name):
        """The newest package of that name, or None."""
        if not os.path.exists(self.config):
            self._update()
        return newest_version(self._offers(name))

    def _offers(self, *names):
        offers = []
        for line in self._cache("madison", *names).splitlines():
            name, version, where = (part.strip() for part in line.split("|"))
            if where.endswith("Packages"):
                offers.append(Package(name, version))
        return offers

    def with_parts(self, package):
        """The package and those it was split into, from 6.18 on.

        What the archive no longer has is left out: not all of them hold files
        that matter, and who unpacks them sees what is missing.
        """
        out = self._cache("show", f"{package.name}={package.version}")
        depends = re.search(r"^Depends: (.*)$", out, re.M)
        parts = re.findall(r"(linux-(?:base|binary|modules)-[^ ,]+) \(= ([^)]+)\)",
                           depends[1] if depends else "")
        return [package] + [Package(*part) for part in parts if self._has(*part)]

    def _has(self, name, version):
        return any(line.split("|")[1].strip() == version
                   for line in self._cache("madison", name).splitlines())

    def refresh(self):
        """Fetch the package lists again unless they are of today."""
        if time.time() - os.path.getmtime(self.config) < LISTS_GOOD_FOR:
            return False
        self._update()
        return True

    def download(self, packages, directory):
        """Fetch the packages; returns the files."""
        command = ["download", *(f"{p.name}={p.version}" for p in packages)]
        if self._get(command, directory).returncode:
            # The archive moved on since the lists were fetched
            self._update()
            done = self._get(command, directory)
            if done.returncode:
                raise Failure(f"cannot download {packages[0].name}: "
                              f"{last_line(done.stderr)}")
        files = [os.path.join(directory, name) for name in os.listdir(directory)
                 if name.endswith(".deb")]
        return sorted(files)

    def _get(self, command, directory=None):
        return subprocess.run(["apt-get", "-q", "-c", self.config, *command],
                              cwd=directory, check=False, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _cache(self, *command):
        return subprocess.run(["apt-cache", "-c", self.config, *command],
                              check=True, capture_output=True, text=True).stdout

    def _names(self, kind):
        if not os.path.exists(self.config):
            self._update()
        return self._cache("pkgnames", f"linux-{kind}-").split()

    def _update(self):
        self._write_config(self.config + ".new")
        # A suite that is gone fails the update as a whole: look at what came
        command = ["apt-get", "-q", "-c", self.config + ".new", "update"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        lists = os.listdir(os.path.join(self.home, "lists"))
        if not any(name.endswith(("_Packages", "_Packages.lz4"))
                   for name in lists):
            raise Failure("cannot fetch package lists from the Debian mirror "
                          "of the host's apt sources: check the network")
        os.rename(self.config + ".new", self.config)

    def _write_config(self, path):
        for sub in ("lists/partial", "archives/partial"):
            os.makedirs(os.path.join(self.home, sub), exist_ok=True)
        main, security = host_mirrors()
        options = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
        sources = os.path.join(self.home, "sources.list")
        with open(sources, "w", encoding="ascii") as f:
            for suite in SUITES:
                f.write(f"deb {options}{main} {suite} main\n")
            for suite in SECURITY_SUITES if security else ():
                f.write(f"deb {options}{security} {suite} main\n")
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": os.path.join(self.home, "lists"),
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.home,
            "Acquire::Languages": "none",
            "APT::Architecture": "amd64",
            # Its user could not write into a private directory
            "APT::Sandbox::User": "root",
        }
        with open(path, "w", encoding="utf-8") as f:
            for key, value in settings.items():
                f.write(f'{key} "{value}";\n')


def newest_version(packages):
    best = None
    for package in packages:
        if best is None or is_newer(package.version, best.version):
            best = package
    return best


def is_newer(a, b):
    return subprocess.run(["dpkg", "--compare-versions", a, "gt", b],
                          check=False).returncode == 0


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
