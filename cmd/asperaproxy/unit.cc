#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"

namespace asperaproxy::unit {
namespace {

const std::string kUnit = "asperaproxy.service";
constexpr int kPatience = 10;  // s

child::Output systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), {kSystemctl, "--no-ask-password"});
  return child::run({words, env::allow({}), {}}, "", 16384, kPatience);
}

bool is_loaded() { return systemctl({"show", "--property=LoadState", kUnit}).out == "LoadState=loaded\n"; }

// By our control group, so that it does not matter what the unit starts us by.
bool are_we() {
  const Fd groups = fd::open("/proc/self/cgroup", O_RDONLY);
  return io::read_all(groups.get(), 65536, "our control group").find("/" + kUnit + "\n") != std::string::npos;
}

}  // namespace

// A container may be given the /run of its host.
bool runs_here() { return ::access("/run/systemd/system", F_OK) == 0 && ::access(kSystemctl, X_OK) == 0; }

void follow(const char* verb) {
  if (!runs_here() || are_we() || !is_loaded()) return;
  child::Output done;
  try {
    done = systemctl({verb, kUnit});
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::temporary) throw;
    // It has the order. Perhaps it was a unit before ours that called us, for whose start ours has to wait.
    logging::error("systemd has not caught up yet: {} of {}; systemctl list-jobs says what it waits for", verb, kUnit);
    return;
  }
  if (done.status == 0) return;
  const auto why = cut::lines(done.err);
  throw tool::Failure(tool::os, fmt::format("systemctl {} {}: {}", verb, kUnit,
                                            why.empty() ? fmt::format("status {}", done.status) : std::string(why[0])));
}

}  // namespace asperaproxy::unit
