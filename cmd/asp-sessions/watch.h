// watch: prints the table again and again, with rates.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "ledger.h"

namespace sessions {

// Runs until SIGINT, SIGTERM or SIGHUP. On a terminal each picture replaces the previous one, cut to
// the terminal's size; elsewhere an empty line separates them. `look` returns what lives now, once for
// each picture. Failure{74} once nobody reads.
void watch(std::chrono::milliseconds interval, const std::function<std::vector<Row>()>& look);

}  // namespace sessions
