#!/bin/sh
# All unit tests, or with CASE those of that name (* for any part of it): one binary
# that speaks TAP.
exec "${0%/*}/../../${BUILD:-build}/unit-tests" ${CASE:+"--test-case=$CASE"}
