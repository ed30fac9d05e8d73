#!/usr/bin/env python3
"""A header as Doxygen reads it: the rows of a docstring's table become a list.

    /// errors   kBadArgument: no such generation
    ///          kClosed

and what stands before a header's `#pragma once` becomes the file's description."""
import pathlib
import re
import sys

ROW = re.compile(r"^(\s*)/// (\w+)\s{2,}(\S.*)$")
NEXT = re.compile(r"^(\s*)///\s{4,}(\S.*)$")


def filtered(lines):
    in_row, in_head = False, True
    for number, line in enumerate(lines):
        if in_head and line.startswith("//") and not line.startswith("///"):
            yield ("/// @file\n" if number == 0 else "") + "/" + line
            continue
        in_head = False
        if row := ROW.match(line):
            yield f"{row[1]}/// - **{row[2]}** {row[3]}"
            in_row = True
        elif in_row and (more := NEXT.match(line)):
            yield f"{more[1]}///   {more[2]}"
        else:
            yield line
            in_row = False


print("\n".join(filtered(pathlib.Path(sys.argv[1]).read_text().splitlines())))
