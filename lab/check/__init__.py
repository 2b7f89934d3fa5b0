# SPDX-License-Identifier: GPL-2.0
"""The project's own tests: 'make check'.

Each module is one stage; reporter.py is what they report to.
"""
