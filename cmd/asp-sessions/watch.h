// watch: the table, drawn again and again, with rates.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "ledger.h"

namespace sessions {

// Until SIGINT, SIGTERM or SIGHUP. On a terminal each picture takes the place
// of the one before, cut to its size; elsewhere an empty line parts them.
// `look` says what lives now, once for each picture. Failure{74} once nobody
// reads.
void watch(std::chrono::milliseconds interval, const std::function<std::vector<Row>()>& look);

}  // namespace sessions
