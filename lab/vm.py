#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The same as 'python3 lab vm', by a path that scripts and bisect runs know."""
import sys

from boot import vm

if __name__ == "__main__":
    sys.exit(vm.main())
