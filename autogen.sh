#!/bin/sh
# Makes ./configure from a checkout (a release tarball has it already).
cd "$(dirname "$0")" && exec autoreconf --install --force
