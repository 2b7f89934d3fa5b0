# SPDX-License-Identifier: GPL-2.0-only
"""The project's own tests: 'make check'.

Each module is one stage; reporter.py is what they report to.
"""
