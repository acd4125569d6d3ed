#!/bin/sh
# All unit tests: one binary that speaks TAP.
exec "${0%/*}/../../${BUILD:-build}/unit-tests"
