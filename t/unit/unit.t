#!/bin/bash
# All unit tests, or with CASE those of that name (* for any part of it): one binary
# that speaks TAP.
. "${0%/*}/../lib/plain.sh"
exec "${0%/*}/../../${BUILD:-build}/unit-tests" ${CASE:+"--test-case=$CASE"}
